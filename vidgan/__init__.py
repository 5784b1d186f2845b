"""vidgan: video GANs for film. Trained on a studio's own footage, they make short clips from noise.

loaded = vidgan.load_generator("runs/first")
frames = list(vidgan.render_take(loaded, seed=7, label=0, num_frames=48))
vidgan.export(numpy.stack(frames), "take7.mp4", rate=loaded.provenance.rate)
"""

from importlib import import_module

__version__ = "0.1.0"

# Where each public name lives. They are imported when they are first used: torch alone takes a second.
_HOMES = {
    "VidganError": "vidgan.errors",
    "clip_to_frames": "vidgan.clip",
    "export": "vidgan.review.export",
    "frames_to_clip": "vidgan.clip",
    "load_config": "vidgan.config_files",
    "load_generator": "vidgan.weights",
    "make_footage": "vidgan.footage.procedural",
    "render_take": "vidgan.sampling.render",
    "scan_footage": "vidgan.footage.scan",
    "train": "vidgan.training.loop",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vidgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
