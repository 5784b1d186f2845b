"""What the header of a still decides: which channels, taken for what colours, turned which way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import OpenImageIO as oiio

from vidgan.errors import ConfigError, MediaError
from vidgan.media.color_space import Source
from vidgan.media.layers import Layer, choose_layer, find_layers, names_of
from vidgan.media.orientation import Orientation
from vidgan.media.primaries import SceneLinear, matrix_to_rec_709
from vidgan.media.read_as import ReadAs
from vidgan.media.still_colors import icc_profile, profile_applies, profile_name, source_of, to_srgb
from vidgan.media.still_files import StillFile

# TIFF 6.0 PhotometricInterpretation of the CIELAB kinds, which OpenImageIO hands out as if they were RGB.
_LAB = (8, 9, 10)


@dataclass(frozen=True)
class StillHeader:
    """What a still is. Height, width and pixel aspect are as shown, after orientation; an EXR's display window."""

    format: str
    """What the content is, whatever the name says: exr, dpx, cin, tiff, png, jpeg, tga, bmp."""
    height: int
    width: int
    pixel_aspect: Fraction
    """Width of a pixel over its height; 1 where unknown."""
    bit_depth: int
    is_float: bool
    color_space: str
    """What its numbers are taken for, in words."""
    has_alpha: bool
    layer: str | None
    """The layer or part that is read; None in files without."""
    notes: tuple[str, ...]
    """What is worth knowing: other layers, windows that differ, colours that are not stated."""


@dataclass(frozen=True)
class StillPlan:
    """How the chosen layer of a still becomes a picture."""

    layer: Layer
    orientation: Orientation
    source: Source | None
    associated: bool
    """Whether the colours are multiplied with alpha."""
    icc_profile: bytes | None


def plan_of(file: StillFile, read_as: ReadAs) -> tuple[StillHeader, StillPlan]:
    """Everything that the header decides. Raises `MediaError` if there is nothing that can be read."""
    is_exr = file.format == "exr"
    layers = find_layers(file.parts if is_exr else file.parts[:1])
    try:
        layer = choose_layer(layers, read_as.layer if is_exr else None)
    except MediaError as error:
        raise MediaError(f"{file.path}: {error}") from None
    if layer.subsampled:
        raise MediaError(f"{file.path}: holds luminance and chroma (Y, RY, BY); convert it to RGB")
    part = file.parts[layer.part]
    if part.get_int_attribute("tiff:PhotometricInterpretation", -1) in _LAB:
        raise MediaError(f"{file.path}: holds CIELAB; convert it to RGB")
    source, color_space, notes = source_of(file.format, part, read_as)
    if isinstance(source, SceneLinear):
        try:
            matrix_to_rec_709(source)
        except ConfigError as error:
            raise MediaError(f"{file.path}: its {error}") from None
    profile = icc_profile(part) if source is None else None
    if profile is not None and (profile_applies(part) and to_srgb(np.zeros((1, 1, 3), np.uint8), profile) is not None):
        color_space = f"its ICC profile ({profile_name(part)})"
    elif profile is not None:
        profile = None
        notes.append(f"its ICC profile ({profile_name(part)}) is not applied")
    if is_exr:
        others = [other for other in layers if other is not layer]
        if others:
            notes.append(f"{len(others)} other layers: {names_of(others)}")
        notes += _window_notes(part)
    elif len(file.parts) > 1:
        notes.append(f"{len(file.parts)} pages, of which the first is read")
    if not is_exr:
        has_alpha = part.alpha_channel >= 0 and layer.alpha is not None
        layer = replace(layer, name="", alpha=part.alpha_channel if has_alpha else None)
    if file.format in ("dpx", "cin") and part.get_int_attribute("Orientation", 1) > 4:
        raise MediaError(f"{file.path}: stores columns and not rows, which is not read; convert it")
    orientation = _orientation(part.get_int_attribute("Orientation", 1))
    height, width = (part.full_height, part.full_width) if is_exr else (part.height, part.width)
    # JFIF's densities are read in both directions by different programs, and shown by none.
    aspect = 1.0 if file.format == "jpeg" else part.get_float_attribute("PixelAspectRatio", 1.0)
    aspect = Fraction(aspect).limit_denominator(1000) if 0.01 < aspect < 100 else Fraction(1)
    if orientation.transposed:
        height, width, aspect = width, height, 1 / aspect
    bits_of_format = 8 * (part.channelformat(layer.color[0]) if is_exr else part.format).basesize()
    straight = part.get_int_attribute("oiio:UnassociatedAlpha") == 1 or file.format == "bmp"
    header = StillHeader(
        format=file.format,
        height=height,
        width=width,
        pixel_aspect=aspect,
        bit_depth=part.get_int_attribute("oiio:BitsPerSample", bits_of_format),
        is_float=str(part.format) in ("half", "float", "double"),
        color_space=color_space,
        has_alpha=layer.alpha is not None,
        layer=layer.name or None,
        notes=tuple(notes),
    )
    return header, StillPlan(layer, orientation, source, not straight, profile)


def _orientation(exif: int) -> Orientation:
    """EXIF 2.3, tag 274: 1 as stored, 2 mirrored, 3 upside down, ... 6 to be turned clockwise, 8 against."""
    return Orientation(
        transposed=exif in (5, 6, 7, 8), left_to_right=exif in (2, 3, 6, 7), top_to_bottom=exif in (3, 4, 7, 8)
    )


def _window_notes(part: oiio.ImageSpec) -> list[str]:
    data = (part.width, part.height, part.x - part.full_x, part.y - part.full_y)
    if data == (part.full_width, part.full_height, 0, 0):
        return []
    width, height, left, top = data
    return [f"data window {width}x{height} at {left:+d}{top:+d} laid into the display window"]
