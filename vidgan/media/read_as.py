"""What the user states about pictures, for all that their files do not say themselves."""

from __future__ import annotations

from dataclasses import dataclass


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
