"""Stills that are changed in places: what is not changed stays as it is stored, bit for bit.

A still is read twice. As a picture, for whoever decides what to change: display-referred, without what its header says
of turning. And raw, when it is written: all parts and channels with their own types, windows and attributes. Inside the
hole the picture is taken back through the inverse of what made it one.

    stored --(what its numbers are taken for)--> picture 0..1 --> changed picture --(inverse)--> stored, in the hole

Alpha and other layers stay. Colours are changed as they are stored, not laid over a background, and an ICC profile is
not applied: it stays in the file, and the picture is changed in its own colours.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenEXR
import OpenImageIO as oiio

from vidgan.errors import MediaError, RequestError
from vidgan.files import written_beside
from vidgan.media.color_space import display_referred, from_display
from vidgan.media.read_as import ReadAs
from vidgan.media.still_files import StillFile, open_still
from vidgan.media.still_plan import StillHeader, StillPlan, plan_of
from vidgan.media.stills import cleaned, fraction, in_display_window

# Formats that we write without loss, by suffix, with the types of numbers they hold.
_EXACT = {
    ".exr": ("half", "float"),
    ".dpx": ("uint8", "uint16"),
    ".tif": ("uint8", "uint16", "half", "float"),
    ".tiff": ("uint8", "uint16", "half", "float"),
    ".png": ("uint8", "uint16"),
    ".tga": ("uint8",),
    ".bmp": ("uint8",),
}
# As OpenEXR and OpenImageIO call them.
_TIMECODES = ("timeCode", "dpx:TimeCode")


@dataclass(frozen=True, eq=False)
class Change:
    """What a frame becomes."""

    picture: np.ndarray
    """float32 [H, W, 3] 0..1, as shown."""
    hole: np.ndarray | None
    """bool [H, W]: where. None: everywhere, and then only the difference counts: light above the view's white stays."""


def read_plate_still(path: Path, read_as: ReadAs) -> tuple[np.ndarray, StillHeader]:
    """The picture of a still, float32 [H, W, 3] 0..1, display-referred, as shown. Raises as `read_still`."""
    with open_still(path) as file:
        header, plan = plan_of(file, read_as)
        return _picture(_colors(file, plan), plan, read_as), header


def check_read_as(path: Path, read_as: ReadAs) -> bool:
    """Whether a still is brought to light on its way to a picture.

    Raises `RequestError` for an exposure or a layer that its pictures have no use for.
    """
    with open_still(path) as file:
        _, plan = plan_of(file, read_as)
        if read_as.layer is not None and file.format != "exr":
            raise RequestError(f"{path}: has no layers; leave out --layer")
        if read_as.exposure and plan.source is None:
            raise RequestError(f"{path}: is display-referred, and --exposure is of light; leave it out")
        return plan.source is not None


def check_plate_still(path: Path, suffix: str) -> None:
    """Raise `MediaError` unless a still can be written with this suffix without a loss."""
    with open_still(path) as file:
        kinds = {str(part.format) for part in file.parts}
        if file.format == "exr" and suffix != ".exr":
            raise MediaError(f"{path}: is scene-linear EXR; name the output .exr")
    if suffix not in _EXACT:
        raise MediaError(f"{path}: {suffix} changes every pixel when it is written; name the output .png or .tif")
    if not kinds <= set(_EXACT[suffix]):
        raise MediaError(f"{path}: holds {' and '.join(sorted(kinds))}, which {suffix} does not; name the output .tif")


def write_plate_still(
    source: Path, target: Path, change: Change | None, read_as: ReadAs, *, same_frame: bool = True
) -> None:
    """Write a still with a change; without one, and with the same suffix, the file is copied byte for byte.

    `same_frame` says whether the source is this very frame: another's header is written without its timecode. Raises
    `MediaError` if the source cannot be read or the target cannot be written.
    """
    try:
        with written_beside(target) as beside:
            if change is None and source.suffix.lower() == target.suffix.lower():
                shutil.copyfile(source, beside)
                return
            with open_still(source) as file:
                colors = None if change is None else _changed_colors(change, file, plan_of(file, read_as)[1], read_as)
                write = _write_exr if file.format == "exr" else _write
                write(beside, file, colors, _TIMECODES if not same_frame else ())
    except OSError as error:
        raise MediaError(f"{target}: cannot be written ({error.strerror or error})") from None


def _colors(file: StillFile, plan: StillPlan) -> np.ndarray:
    """float32 [H, W, 3] as stored, 0..1 for whole numbers, an EXR's in its display window."""
    form = str(file.parts[plan.layer.part].format)
    colors = file.pixels(plan.layer.part, list(plan.layer.color), form if form in ("uint8", "uint16") else "float")
    if file.format == "exr":
        colors = in_display_window(colors, file.parts[plan.layer.part])
    if colors.dtype == np.float32:
        colors, _ = cleaned(colors)
    return np.broadcast_to(fraction(colors), (*colors.shape[:2], 3))


def _picture(colors: np.ndarray, plan: StillPlan, read_as: ReadAs) -> np.ndarray:
    picture = colors.clip(0, 1) if plan.source is None else display_referred(colors, plan.source, read_as)
    return np.ascontiguousarray(plan.orientation.shown(picture), np.float32)


def _stored(picture: np.ndarray, plan: StillPlan, read_as: ReadAs) -> np.ndarray:
    """The inverse of `_picture`."""
    stored = np.ascontiguousarray(plan.orientation.stored(picture), np.float32)
    return stored if plan.source is None else from_display(stored, plan.source, read_as)


@dataclass(frozen=True, eq=False)
class _ChangedColors:
    """What some channels become, as stored."""

    part: int
    channels: tuple[int, ...]
    values: np.ndarray
    """float32 [H, W, channels]."""
    hole: np.ndarray
    """bool [H, W]."""


def _changed_colors(change: Change, file: StillFile, plan: StillPlan, read_as: ReadAs) -> _ChangedColors:
    """A change of the picture taken back to what is stored."""
    part = file.parts[plan.layer.part]
    made = _stored(change.picture, plan, read_as)
    if change.hole is None:
        colors = _colors(file, plan)
        hole = np.ones(colors.shape[:2], bool)
        made = colors + (made - _stored(_picture(colors, plan, read_as), plan, read_as))
    else:
        hole = plan.orientation.stored(change.hole)
    if file.format == "exr":
        made, hole = _in_data_window(made, part), _in_data_window(hole, part)
    if len(plan.layer.color) == 1:
        made = made.mean(-1, keepdims=True)
    return _ChangedColors(plan.layer.part, plan.layer.color, made, hole)


def _in_data_window(shown: np.ndarray, part: oiio.ImageSpec) -> np.ndarray:
    """Of the display window -> of the data window; zero where it is larger."""
    left, top = part.x - part.full_x, part.y - part.full_y
    stored = np.zeros((part.height, part.width, *shown.shape[2:]), shown.dtype)
    inside = shown[max(top, 0) : max(top + part.height, 0), max(left, 0) : max(left + part.width, 0)]
    height, width = inside.shape[:2]
    stored[max(-top, 0) :, max(-left, 0) :][:height, :width] = inside
    return stored


def _as_stored_type(values: np.ndarray, kind: np.dtype, bits: int) -> np.ndarray:
    """Fractions -> whole numbers, rounded to the bits that are stored, which are the upper ones; floats stay."""
    if kind.kind == "f":
        return values.astype(kind)
    width = 8 * kind.itemsize
    bits = bits if width // 2 < bits < width else width
    codes = np.rint(values.clip(0, 1) * (2**bits - 1)).astype(np.uint32)
    return (codes << (width - bits)).astype(kind)


def _write_exr(path: Path, file: StillFile, colors: _ChangedColors | None, without: tuple[str, ...]) -> None:
    """By OpenEXR itself, which keeps every channel in its own type: OpenImageIO converts where types differ.

    Raises `MediaError` if it cannot be read or written.
    """
    try:
        exr = OpenEXR.File(str(file.path), separate_channels=True)
        if colors is not None:
            names = file.parts[colors.part].channelnames
            for place, channel in enumerate(colors.channels):
                pixels = exr.parts[colors.part].channels[names[channel]].pixels
                pixels[colors.hole] = colors.values[..., place][colors.hole].astype(pixels.dtype)
        for part in exr.parts:
            for name in set(without) & set(part.header):
                del part.header[name]
        exr.write(str(path))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise MediaError(
            f"{file.path}: cannot be written again as EXR ({' '.join(str(error).split())[:160]})"
        ) from None


def _write(path: Path, file: StillFile, colors: _ChangedColors | None, without: tuple[str, ...]) -> None:
    """By OpenImageIO: the header, and all channels in the one type that they have. Raises `OSError` if it cannot be."""
    header = oiio.ImageSpec(file.parts[0])
    pixels = file.pixels(0, list(range(header.nchannels)), str(header.format))
    if colors is not None:
        bits = header.get_int_attribute("oiio:BitsPerSample", 0)
        for place, channel in enumerate(colors.channels):
            made = colors.values[..., place][colors.hole]
            pixels[..., channel][colors.hole] = _as_stored_type(made, pixels.dtype, bits)
    for name in without:
        header.erase_attribute(name)
    output = oiio.ImageOutput.create(str(path))
    written = output.open(str(path), header) and output.write_image(np.ascontiguousarray(pixels))
    error = output.geterror()
    if not (output.close() and written):
        raise OSError(" ".join((error or output.geterror()).replace(f'"{path}"', "it").split())[:160])
