"""Movies out: MP4 for review, lossless Matroska for fixtures and masters.

    .mp4   H.264, yuv420p, Rec.709 limited range and tagged so, exact rate, index at the front
    .mkv   FFV1 in RGB: every level comes back as it was

The encoder sees one frame at a time, and the file appears under its name when it is whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from vidgan.errors import MediaError, RequestError
from vidgan.files import written_beside
from vidgan.media.color import YuvEncoder
from vidgan.media.stills import as_rgb

MOVIE_SUFFIXES = (".mp4", ".mkv")


def write_movie(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    rate: Fraction,
    crf: int = 16,
    pixel_aspect: Fraction = Fraction(1),
    metadata: dict[str, str] | None = None,
) -> int:
    """Write frames uint8 [H, W, 3] or [H, W, 1], all of one size, and return how many there were.

    `crf` is the quality of an MP4: 0 is the best, 16 cannot be told from the source by eye, 51 is the worst.
    `pixel_aspect` is the width of a pixel over its height. `metadata` is kept under its own keys.

    Raises `MediaError` for an unknown suffix, for no frames, and for a size that changes or that H.264 cannot
    hold; `RequestError` for a `crf` or rate out of range. On any error `path` is left as it was.
    """
    path = Path(path)
    if path.suffix.lower() not in MOVIE_SUFFIXES:
        raise MediaError(f"{path}: a movie cannot be written as {path.suffix!r} (expected .mp4 or .mkv)")
    if not 0 <= crf <= 51:
        raise RequestError(f"crf is {crf} (expected 0, the best, to 51, the worst)")
    if rate <= 0:
        raise RequestError(f"rate is {rate} (expected frames a second above zero, such as 24 or 24000/1001)")
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise MediaError(f"{path}: there are no frames to write")
    pictures = _same_size(path, chain([as_rgb(first)], (as_rgb(frame) for frame in frames)))
    is_mp4 = path.suffix.lower() == ".mp4"
    height, width = first.shape[:2]
    if is_mp4:
        _check_even(path, height, width)
    elif pixel_aspect != 1:
        raise MediaError(f"{path}: Matroska is written with square pixels only, these are {pixel_aspect}; write .mp4")
    try:
        with written_beside(path) as beside, av.open(beside, "w", options=_container_options(is_mp4, metadata)) as out:
            out.metadata.update(metadata or {})
            stream = _add_stream(out, is_mp4, rate, crf)
            stream.height, stream.width = height, width
            stream.codec_context.sample_aspect_ratio = pixel_aspect
            num_frames = 0
            for frame in _encodable(pictures, is_mp4):
                frame.pts, frame.time_base = num_frames, 1 / rate
                out.mux(stream.encode(frame))
                num_frames += 1
            out.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror})") from None
    return num_frames


def _same_size(path: Path, pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    size = None
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        if size not in (None, (width, height)):
            raise MediaError(
                f"{path}: frame {index} is {width}x{height}, those before are {size[0]}x{size[1]} (width x height); "
                "a movie has one size"
            )
        size = (width, height)
        yield picture


def _check_even(path: Path, height: int, width: int) -> None:
    if height % 2 or width % 2:
        raise MediaError(
            f"{path}: a frame is {width}x{height} (width x height); H.264 needs even sizes: "
            f"crop to {width - width % 2}x{height - height % 2}, or write .mkv or .png"
        )


def _container_options(is_mp4: bool, metadata: dict[str, str] | None) -> dict[str, str]:
    """Without use_metadata_tags MP4 drops every key it does not know, without a word."""
    if not is_mp4:
        return {}
    return {"movflags": "+faststart+use_metadata_tags" if metadata else "+faststart"}


def _add_stream(out: av.container.OutputContainer, is_mp4: bool, rate: Fraction, crf: int) -> av.VideoStream:
    """The encoder, told what it encodes: an untagged HD file is decoded as Rec.601 by some programs."""
    if is_mp4:
        stream = out.add_stream("libx264", rate=rate, options={"crf": str(crf)})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace = Colorspace.ITU709
    else:
        stream = out.add_stream("ffv1", rate=rate)
        stream.pix_fmt = "bgr0"
    stream.codec_context.color_primaries = ColorPrimaries.BT709
    stream.codec_context.color_trc = ColorTrc.BT709
    stream.codec_context.color_range = ColorRange.MPEG if is_mp4 else ColorRange.JPEG
    return stream


def _encodable(pictures: Iterable[np.ndarray], is_mp4: bool) -> Iterator[av.VideoFrame]:
    """Frames in the encoder's pixel format."""
    encoder = YuvEncoder()
    for picture in pictures:
        if is_mp4:
            yield encoder.yuv(picture)
        else:
            yield av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
