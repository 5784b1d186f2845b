"""vidgan: video GANs for film. Trained on a studio's own footage, they make short clips from noise."""

__version__ = "0.1.0"

__all__ = ["__version__"]
