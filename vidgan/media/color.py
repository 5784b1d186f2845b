"""Colour tags, and the conversion of FFmpeg's pixels to red, green, blue.

Four tags say what the numbers in a movie mean: primaries, transfer, matrix, range. FFmpeg guesses where a tag is
missing, and guesses wrong for HD, so nothing is left to it: matrix and range are stated.

    tagged       as tagged; primaries and transfer other than those of Rec.709: see `vidgan.media.tagged_color`
    untagged     Rec.709 from 720 lines or 1280 columns up, else Rec.601; limited range

The way back is `vidgan.media.encoding`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PyOpenColorIO import CPUProcessor

from vidgan.errors import MediaError
from vidgan.media.color_space import Levels, apply_to_16_bits, processor_for_16_bits
from vidgan.media.read_as import ReadAs
from vidgan.media.tagged_color import processor_of_tags

# The numbers of ITU-T H.273, with the names that ffprobe prints. 2 is "unspecified".
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
RANGES = {1: "tv", 2: "pc"}

# What the scaler can undo. Its numbers are not those of the tags (5 is Rec.601 here).
SCALER_MATRICES = {
    "bt709": Colorspace.ITU709,
    "fcc": Colorspace.FCC,
    "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601,
    "smpte240m": Colorspace.SMPTE240M,
    "bt2020nc": Colorspace.BT2020,
}

# Without these flags a flat 8-bit colour comes out up to 3 levels wrong; with them at most 1.
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class ColorTags:
    """What a file says about its colours, in ffprobe's names; None where it says nothing."""

    primaries: str | None
    transfer: str | None
    matrix: str | None
    range: str | None


def color_tags(frame: av.VideoFrame) -> ColorTags:
    """The tags of a decoded frame."""
    return ColorTags(
        primaries=PRIMARIES.get(frame.color_primaries),
        transfer=TRANSFERS.get(frame.color_trc),
        matrix=MATRICES.get(frame.colorspace),
        range=RANGES.get(frame.color_range),
    )


def matrix_for_decoding(frame: av.VideoFrame) -> str:
    """The matrix tag, or what an untagged picture of this size is taken for; "gbr" where none is to be undone."""
    if frame.format.is_rgb or len(frame.format.components) < 3 or frame.format.name.startswith("xyz"):
        return "gbr"
    untagged = "bt709" if frame.height >= 720 or frame.width >= 1280 else "smpte170m"
    return MATRICES.get(frame.colorspace, untagged)


@dataclass(frozen=True)
class RgbDecoder:
    """Turns decoded frames into RGB; one a movie, because the scaler keeps its tables from frame to frame."""

    read_as: ReadAs = field(default_factory=ReadAs)
    _scaler: VideoReformatter = field(default_factory=VideoReformatter)
    _small_scaler: VideoReformatter = field(default_factory=VideoReformatter)
    _packer: VideoReformatter = field(default_factory=VideoReformatter)

    def small(self, frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
        """uint8 [height, width, 3] in the order blue, green, red, as stored: to look at, quickly; not exact in colour.

        Raises `MediaError`, `ValueError` or `av.FFmpegError` for a pixel format that cannot be scaled.
        """
        _check_format(frame.format)
        small = self._small_scaler.reformat(frame, width, height, "bgr24", interpolation=Interpolation.FAST_BILINEAR)
        return small.to_ndarray()

    def rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """uint8 [H, W, 3], display-referred sRGB, full range, as stored (not rotated).

        Alpha is straight, and laid over `read_as.background` in display-referred values, as players do. A stated
        `read_as.color_space` takes the place of primaries and transfer; matrix and range are undone as tagged.

        Raises `MediaError` for a matrix or pixel format that cannot be undone, `ConfigError` as `display_referred`.
        """
        _check_format(frame.format)
        matrix = matrix_for_decoding(frame)
        if matrix not in SCALER_MATRICES and matrix != "gbr":
            raise MediaError(f"its colour matrix is {matrix}, which cannot be read; convert the movie to Rec.709 first")
        levels = _levels_of_16_bits(frame)
        processor = self._processor(frame, levels)
        transparent = _is_transparent(frame.format)
        if processor is None and not transparent and levels[0] == 0:
            return self._scaled(frame, matrix, "rgb24")
        if frame.format.name.startswith("bayer"):
            raise MediaError(f"its pixel format {frame.format.name} is raw; develop it, or state no color_space")
        if transparent and processor is None and matrix == "gbr" and _bits(frame.format) == 8:
            pixels, levels, white_of_alpha = self._scaled(frame, matrix, "rgba"), (0, 255), 255  # a copy, exact
        else:
            pixels = self._scaled(frame, matrix, "rgba64le" if transparent else "rgb48le")
            white_of_alpha = _white_of_alpha(frame.format)
        alpha = (pixels[..., 3:] / np.float32(white_of_alpha)).clip(0, 1) if transparent else None
        if alpha is not None and processor is None and levels[0] == 0 and alpha.min() == 1:
            return self._scaled(frame, matrix, "rgb24")
        if processor is None:
            black, white = levels
            rgb = (pixels[..., :3].astype(np.float32) - black).clip(0, white - black) * (255 / (white - black))
        else:
            rgb = apply_to_16_bits(processor, pixels[..., :3])
        if alpha is not None:
            rgb = rgb * alpha + np.array(self.read_as.background, np.float32) * (1 - alpha)
        return rgb if rgb.dtype == np.uint8 else np.rint(rgb).astype(np.uint8)

    def deep_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """float32 [H, W, 3] 0..1 where there are more than 8 bits, no alpha and no other colours; else as `rgb`."""
        _check_format(frame.format)
        levels, matrix = _levels_of_16_bits(frame), matrix_for_decoding(frame)
        deep = _bits(frame.format) > 8 and not _is_transparent(frame.format) and matrix in SCALER_MATRICES
        if not deep or self._processor(frame, levels) is not None:
            return self.rgb(frame)
        black, white = levels
        pixels = self._scaled(frame, matrix, "rgb48le").astype(np.float32)
        return ((pixels - black) / np.float32(white - black)).clip(0, 1)

    def code_values(self, frame: av.VideoFrame) -> np.ndarray:
        """float32 [H, W, 3] 0..1 of a frame with a matrix: matrix and range undone, primaries and transfer as they are.

        Alpha is left aside. Raises `MediaError` for a matrix that cannot be undone.
        """
        matrix = matrix_for_decoding(frame)
        if matrix not in SCALER_MATRICES:
            raise MediaError(f"its colour matrix is {matrix}, which cannot be read; convert the movie to Rec.709 first")
        black, white = _levels_of_16_bits(frame)
        pixels = self._scaled(frame, matrix, "rgb48le").astype(np.float32)
        return ((pixels - black) / np.float32(white - black)).clip(0, 1)

    def _processor(self, frame: av.VideoFrame, levels: Levels) -> CPUProcessor | None:
        """What is left to do once matrix and range are undone; None if nothing is."""
        if self.read_as.color_space is not None:
            return processor_for_16_bits(self.read_as.color_space, self.read_as, levels)
        if frame.format.name.startswith("xyz"):
            return processor_of_tags(None, "bt470m", levels)
        return processor_of_tags(color_tags(frame).primaries, color_tags(frame).transfer, levels)

    def _scaled(self, frame: av.VideoFrame, matrix: str, form: str) -> np.ndarray:
        """Matrix and range undone, nothing else."""
        source = {}
        if matrix != "gbr":
            source = {
                "src_colorspace": SCALER_MATRICES[matrix],
                "src_color_range": ColorRange.JPEG if is_full_range(frame) else ColorRange.MPEG,
            }
        # The scaler makes planes with vector instructions and packed pixels without: the same levels in half the time.
        by_plane = form == "rgb24" and matrix != "gbr"
        scaled = self._scaler.reformat(
            frame,
            format="gbrp" if by_plane else form,
            dst_color_range=ColorRange.JPEG,
            interpolation=EXACT,
            **source,
        )
        return (self._packer.reformat(scaled, format=form) if by_plane else scaled).to_ndarray()


def is_full_range(frame: av.VideoFrame) -> bool:
    """Whether black is 0 and white the largest number."""
    return color_tags(frame).range == "pc" or frame.format.name.startswith("yuvj")


def _bits(form: av.VideoFormat) -> int:
    return max(component.bits for component in form.components)


def _is_transparent(form: av.VideoFormat) -> bool:
    return form.name == "pal8" or any(component.is_alpha for component in form.components)


def _check_format(form: av.VideoFormat) -> None:
    if form.name.startswith("yaf32"):  # the scaler does not fail, it ends the process
        raise MediaError(f"its pixel format {form.name} cannot be read; convert the movie to ProRes 4444")


def _levels_of_16_bits(frame: av.VideoFrame) -> Levels:
    """Where the scaler puts black and white in 16 bits: it shifts bits up, so that white is rarely 65535.

    Measured with FFmpeg 8; a test goes through the formats.
    """
    name, bits = frame.format.name, _bits(frame.format)
    if name.startswith("xyz"):
        # It makes RGB of gamma 2.2 from X'Y'Z', where SMPTE 428-1 has white at 48 of 52.37 cd/m2.
        return 0, round(65520 * (48 / 52.37) ** (1 / 2.2))
    if name == "pal8" or frame.format.is_rgb:
        return 0, 65535 if bits > 8 else 65283
    if bits == 1 or bits > 16:
        return 0, 65535
    grey = len(frame.format.components) < 3
    if grey and color_tags(frame).range == "tv":
        return 16 << 8, 235 << 8
    return 0, ((1 << bits) - 1) << (16 - bits) if grey or is_full_range(frame) else 65280


def _white_of_alpha(form: av.VideoFormat) -> int:
    """Where the scaler puts an alpha of 1 in 16 bits."""
    bits = _bits(form)
    if form.name == "pal8" or bits > 16 or (form.is_rgb and (bits > 8 or not form.is_planar)):
        return 65535
    return ((1 << bits) - 1) << (16 - bits)
