"""Stills in and out. PNG, JPEG, TIFF, DPX, EXR, TGA, BMP and Cineon are read, the first five are written.

Reading: a layer is chosen and its numbers are taken for what the header says (`still_plan`), brought to
display-referred sRGB (`color_space`), laid over the background where they are transparent, and turned upright.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from vidgan.errors import MediaError
from vidgan.files import written_beside
from vidgan.media.color_space import display_referred
from vidgan.media.digest import digest
from vidgan.media.formats import format_for, suffixes_of
from vidgan.media.levels import as_rgb
from vidgan.media.primaries import SceneLinear
from vidgan.media.read_as import ReadAs
from vidgan.media.still_colors import to_srgb
from vidgan.media.still_files import open_still
from vidgan.media.still_plan import StillHeader, StillPlan, plan_of
from vidgan.media.still_writer import StillLabels, encode_still

STILL_SUFFIXES = (".exr", ".dpx", ".cin", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".tga", ".bmp")
WRITTEN_STILL_SUFFIXES = suffixes_of("stills")

# The largest number of a half float and the next step: what lies beyond is no light, but a mishap of a renderer.
_ABSURD = 65504.0


@dataclass(frozen=True, eq=False)
class Still:
    """A still, read."""

    rgb: np.ndarray
    """uint8 [H, W, 3] 0..255, display-referred sRGB, as shown; float32 0..1 if read deep and stored in more bits."""
    header: StillHeader
    num_cleaned: int
    """Pixels that held NaN, infinity or absurd values; see `read_still`."""
    digest: bytes
    """16 bytes, equal for stills whose numbers are all equal, before cleaning, colour and turning."""


def read_still_header(path: str | Path, read_as: ReadAs = ReadAs()) -> StillHeader:
    """What a still is, without its pixels.

    Raises `MediaError` if it is missing, empty, no picture, or holds no layer of that name; damage to the pixels is
    found by `read_still` alone.
    """
    with open_still(Path(path)) as file:
        return plan_of(file, read_as)[0]


def read_still(path: str | Path, read_as: ReadAs = ReadAs(), *, deep: bool = False) -> Still:
    """A still as display-referred sRGB.

    Numbers are rounded once, to 8 bits; with `deep` they are not rounded. A transparent picture that is
    display-referred (PNG, TIFF, TGA) is laid over the background in display-referred values; one that is scene-linear
    or of a stated colour space is laid over it in light, before the view (see `color_space.display_referred`). What
    lies outside an EXR's data window is black and transparent. In floating point, NaN becomes 0 and anything beyond
    +-65504 (the half float's range, infinity included) becomes +-65504, before all else; `num_cleaned` counts the
    pixels in which a colour was so, or that half float's largest number itself.

    Raises `MediaError` as `read_still_header` does and if the pixels are damaged or cut off, and `ConfigError` for a
    colour space or view that the OpenColorIO config does not have.
    """
    with open_still(Path(path)) as file:
        header, plan = plan_of(file, read_as)
        alpha_channels = [] if plan.layer.alpha is None else [plan.layer.alpha]
        form = file.parts[plan.layer.part].format
        form = str(form) if str(form) in ("uint8", "uint16") else "float"
        pixels = file.pixels(plan.layer.part, [*plan.layer.color, *alpha_channels], form)
        if file.format == "exr":
            pixels = in_display_window(pixels, file.parts[plan.layer.part])
    num_cleaned, stored = 0, digest([pixels])
    if pixels.dtype == np.float32:
        pixels, num_cleaned = cleaned(pixels)
    colors, alpha = (pixels[..., :-1], pixels[..., -1:]) if alpha_channels else (pixels, None)
    if alpha is not None and file.format in ("tga", "bmp") and not alpha.any():
        alpha = None  # 32-bit files of programs that leave the fourth byte at 0
    rgb = _display_referred(np.broadcast_to(colors, (*colors.shape[:2], 3)), alpha, plan, read_as)
    if rgb.dtype != np.uint8:
        rgb = rgb / np.float32(255) if deep else np.rint(rgb).astype(np.uint8)
    return Still(np.ascontiguousarray(plan.orientation.shown(rgb)), header, num_cleaned, stored)


def in_display_window(pixels: np.ndarray, part: oiio.ImageSpec) -> np.ndarray:
    """float32 [H, W, C] of the data window -> of the display window; black outside, overscan cut off."""
    left, top = part.x - part.full_x, part.y - part.full_y
    if (left, top, part.width, part.height) == (0, 0, part.full_width, part.full_height):
        return pixels
    shown = np.zeros((part.full_height, part.full_width, pixels.shape[2]), pixels.dtype)
    inside = shown[max(top, 0) : max(top + part.height, 0), max(left, 0) : max(left + part.width, 0)]
    height, width = inside.shape[:2]
    inside[:] = pixels[max(-top, 0) :, max(-left, 0) :][:height, :width]
    return shown


def cleaned(pixels: np.ndarray) -> tuple[np.ndarray, int]:
    """float32 [H, W, C] without NaN and absurd values, and the number of pixels that had some."""
    absurd = ~(np.abs(pixels) < _ABSURD)
    if not absurd.any():
        return pixels, 0
    cleaned = np.nan_to_num(pixels, nan=0.0, posinf=_ABSURD, neginf=-_ABSURD).clip(-_ABSURD, _ABSURD)
    return cleaned, int(absurd.any(-1).sum())


def _display_referred(colors: np.ndarray, alpha: np.ndarray | None, plan: StillPlan, read_as: ReadAs) -> np.ndarray:
    """[H, W, 3] and [H, W, 1] as stored -> [H, W, 3] 0..255, uint8 or float32, laid over the background."""
    if plan.source is None and alpha is None and colors.dtype == np.uint8 and plan.icc_profile is None:
        return colors
    if alpha is not None:
        alpha = fraction(alpha).clip(0, 1)
    values, associated = fraction(colors), plan.associated
    if alpha is not None and associated and (plan.icc_profile is not None or not isinstance(plan.source, SceneLinear)):
        # Curves want the colour itself.
        values, associated = np.divide(values, alpha, out=np.zeros_like(values), where=alpha > 0), False
    if plan.source is not None:
        display = display_referred(values, plan.source, read_as, alpha=alpha, associated=associated)
        return display * 255
    levels = values.clip(0, 1) * 255
    if plan.icc_profile is not None:
        levels = to_srgb(np.rint(levels).astype(np.uint8), plan.icc_profile)
    if alpha is not None:
        levels = levels * alpha + np.array(read_as.background, np.float32) * (1 - alpha)
    return levels


def fraction(stored: np.ndarray) -> np.ndarray:
    """Whole numbers -> float32 0..1; floating point as it is."""
    if stored.dtype == np.float32:
        return stored
    return stored.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max)


def write_still(
    path: str | Path, picture: np.ndarray, *, format: str | None = None, labels: StillLabels = StillLabels()
) -> None:
    """Write [H, W, 3] or [H, W, 1], uint8 or 0..1 in floating point, as a still; whole or absent.

    `format` is a name of `vidgan.media.formats`; the suffix decides without one (.png is 8 bits). EXR holds
    scene-linear light of any range, in floating point.

    Raises `MediaError` for another suffix or shape, or if it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITTEN_STILL_SUFFIXES:
        known = ", ".join(WRITTEN_STILL_SUFFIXES)
        raise MediaError(f"{path}: a still cannot be written as {path.suffix!r} (expected {known})")
    try:
        with written_beside(path) as beside:
            encode_still(beside, as_rgb(picture), format_for(path, format), labels)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror or error})") from None
