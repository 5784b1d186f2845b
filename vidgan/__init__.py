"""vidgan: video GANs for film. Trained on a studio's own footage, they make short clips from noise.

loaded = vidgan.load_generator("runs/first")
frames = vidgan.generate(loaded, [vidgan.seed_take(loaded, 7, num_frames=48)])[0]
vidgan.export(frames, "take7.mp4", rate=loaded.provenance.rate)
"""

from importlib import import_module

__version__ = "0.1.0"

# Where each public name lives. They are imported when they are first used: torch alone takes a second.
_HOMES = {
    "VidganError": "vidgan.errors",
    "export": "vidgan.review.export",
    "export_model": "vidgan.sampling.portable",
    "find_directions": "vidgan.sampling.directions",
    "generate": "vidgan.sampling.render",
    "invert": "vidgan.sampling.invert",
    "load_generator": "vidgan.weights",
    "load_take": "vidgan.sampling.take",
    "render": "vidgan.sampling.render",
    "seed_take": "vidgan.sampling.take",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vidgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
