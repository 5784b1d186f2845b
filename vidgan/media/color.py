"""Colour tags, and the two conversions between FFmpeg's pixels and red, green, blue.

Four tags say what the numbers in a movie mean: primaries, transfer, matrix, range. FFmpeg guesses where a tag is
missing, and guesses wrong for HD, so nothing is left to it: matrix and range are stated, in both directions.

    reading   tagged: as tagged;  untagged: Rec.709 from 720 lines or 1280 columns up, else Rec.601; limited range
              high dynamic range (PQ, HLG) and Rec.2020 primaries are brought to Rec.709
    writing   Rec.709, limited range, tagged 1-1-1

Scene-linear files and OpenColorIO will have their own module beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from vidgan.errors import MediaError

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
_SCALER_MATRICES = {
    "bt709": Colorspace.ITU709,
    "fcc": Colorspace.FCC,
    "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601,
    "smpte240m": Colorspace.SMPTE240M,
    "bt2020nc": Colorspace.BT2020,
}

# Without these flags a flat 8-bit colour comes out up to 3 levels wrong; with them at most 1.
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


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
    """The matrix tag, or what an untagged picture of this size is taken for; "gbr" for one that holds RGB or grey."""
    if frame.format.is_rgb or len(frame.format.components) < 3:
        return "gbr"
    untagged = "bt709" if frame.height >= 720 or frame.width >= 1280 else "smpte170m"
    return MATRICES.get(frame.colorspace, untagged)


@dataclass(frozen=True)
class RgbDecoder:
    """Turns decoded frames into RGB; one a movie, because the scaler keeps its tables from frame to frame."""

    _scaler: VideoReformatter = field(default_factory=VideoReformatter)

    def rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """uint8 [H, W, 3], display-referred Rec.709, full range, as stored (not rotated). Alpha is left out.

        Raises `MediaError` for a matrix that cannot be undone.
        """
        matrix = matrix_for_decoding(frame)
        if matrix == "gbr":
            source = {}
        elif matrix in _SCALER_MATRICES:
            full = color_tags(frame).range == "pc"
            source = {
                "src_colorspace": _SCALER_MATRICES[matrix],
                "src_color_range": ColorRange.JPEG if full else ColorRange.MPEG,
            }
        else:
            raise MediaError(f"its colour matrix is {matrix}, which cannot be read; convert the movie to Rec.709 first")
        rgb = self._scaler.reformat(
            frame,
            format="rgb24",
            dst_color_range=ColorRange.JPEG,
            interpolation=_EXACT,
            **source,
            **_display_target(frame),
        )
        return rgb.to_ndarray()


def _display_target(frame: av.VideoFrame) -> dict[str, int]:
    """High dynamic range and Rec.2020 are mapped to Rec.709; everything else keeps its transfer as it is."""
    wide = color_tags(frame).primaries == "bt2020"
    bright = color_tags(frame).transfer in ("smpte2084", "arib-std-b67")
    if wide or bright:
        return {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}
    return {}


@dataclass(frozen=True)
class YuvEncoder:
    """Turns RGB pictures into frames for H.264: yuv420p, Rec.709, limited range, tagged 1-1-1."""

    _scaler: VideoReformatter = field(default_factory=VideoReformatter)

    def yuv(self, picture: np.ndarray) -> av.VideoFrame:
        """uint8 [H, W, 3] -> a tagged yuv420p frame; H and W even."""
        frame = self._scaler.reformat(
            av.VideoFrame.from_ndarray(picture, format="rgb24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_EXACT,
        )
        frame.color_primaries = ColorPrimaries.BT709
        frame.color_trc = ColorTrc.BT709
        return frame
