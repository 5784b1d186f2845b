"""What the user states about pictures, for all that their files do not say themselves."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

from vidgan.config import DataConfig

# Formats whose numbers are scene-linear or logarithmic as a rule: what `data.color_space` means without a pattern.
_FILM_SUFFIXES = {".exr", ".dpx", ".cin"}


@dataclass(frozen=True)
class ReadAs:
    """How pictures are brought to display-referred Rec.709. The defaults believe the file."""

    color_space: str | None = None
    """Name in the OpenColorIO config ("ACEScg", "ADX10"); None: tags, header and file format decide."""
    exposure: float = 0.0
    """Stops added in scene-linear light; only where there is such a stage (EXR, log, a stated colour space)."""
    view: str | None = None
    """View of the OpenColorIO display that makes scene-linear light a picture; None: the definition of sRGB, clipped
    (the built-in config's "Un-tone-mapped"), or the default view of the studio's own config."""
    layer: str | None = None
    """Layer or part of a layered EXR; None: the main RGB, then the beauty."""
    background: tuple[int, int, int] = (0, 0, 0)
    """8-bit display-referred colour that transparent pictures are laid over."""

    @classmethod
    def stated(cls, data: DataConfig, source: str) -> ReadAs:
        """What the config states of a source, a path below the footage folder; the first pattern that fits decides."""
        if isinstance(data.color_space, dict):
            fitting = (name for pattern, name in data.color_space.items() if fnmatch(source, pattern))
            color_space = next(fitting, None)
        else:
            color_space = data.color_space if PurePosixPath(source).suffix.lower() in _FILM_SUFFIXES else None
        red, green, blue = bytes.fromhex(data.background.removeprefix("#"))
        return cls(color_space, data.exposure, data.view, data.layer, (red, green, blue))
