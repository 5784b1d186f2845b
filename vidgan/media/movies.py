"""Movies in: what the header claims, and the frames in the order they are shown.

A header may lie about the rate, the number of frames, and whether there are any. Timestamps do not: see
`vidgan.media.timestamps`. Frame indices count decoded frames from 0 and are half-open, [start, stop).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from vidgan.errors import MediaError
from vidgan.media.color import ColorTags, RgbDecoder, color_tags, matrix_for_decoding
from vidgan.media.orientation import Orientation


@dataclass(frozen=True)
class MovieHeader:
    """What a movie says of itself before its frames are counted. Sizes are as shown, after rotation."""

    codec: str
    height: int
    width: int
    pixel_aspect: Fraction
    """Width of a pixel over its height, as shown; 1 where unknown."""
    rate: Fraction | None
    """Average or guessed frames a second; may lie; None if absent."""
    num_frames: int | None
    """May lie; None if absent."""
    seconds: Fraction | None
    """How long the pictures are said to last, from the first frame to the end of the last; None if absent."""
    bit_depth: int
    interlaced: bool
    color: ColorTags
    matrix: str
    """The matrix used for decoding: the tag, or what an untagged picture of this size is taken for."""
    rotation: int
    """Degrees clockwise from the stored picture to the shown one: 0, 90, 180 or 270; applied by `MovieFrame.rgb`."""


@dataclass(frozen=True, eq=False)
class MovieFrame:
    """One decoded frame. Its pixels are converted only when `rgb` is called."""

    index: int
    """Frame index, counted from 0 at the first frame that can be decoded."""
    seconds: Fraction | None
    """Exact timestamp; None in files without timestamps (raw H.264, for one)."""
    _path: Path
    _frame: av.VideoFrame
    _decoder: RgbDecoder

    def rgb(self) -> np.ndarray:
        """uint8 [H, W, 3] 0..255, display-referred Rec.709, full range, turned as it is to be shown.

        Raises `MediaError` if the colours cannot be converted.
        """
        try:
            picture = self._decoder.rgb(self._frame)
        except MediaError as error:
            raise MediaError(f"{self._path}: {error}") from None
        except av.FFmpegError as error:
            raise MediaError(f"{self._path}: frame {self.index} cannot be made RGB ({error.strerror})") from None
        return np.ascontiguousarray(Orientation.of(self._frame).shown(picture))


def read_header(path: str | Path) -> MovieHeader:
    """Open a movie and decode its first frame.

    Raises `MediaError` if the file is missing, empty, not a movie, without pictures, or if not even one
    frame can be decoded.
    """
    path = Path(path)
    with _open(path) as (container, stream):
        frame = next(_decode(path, container, stream), None)
        if frame is None:
            raise MediaError(f"{path}: holds no frames")
        orientation = Orientation.of(frame)
        pixel_aspect = stream.sample_aspect_ratio or Fraction(1)
        height, width = frame.height, frame.width
        if orientation.transposed:
            height, width, pixel_aspect = width, height, 1 / pixel_aspect
        return MovieHeader(
            codec=stream.codec.canonical_name,
            height=height,
            width=width,
            pixel_aspect=pixel_aspect,
            rate=stream.average_rate or stream.guessed_rate or None,
            num_frames=stream.frames or None,
            seconds=_claimed_seconds(container, stream),
            bit_depth=max(component.bits for component in frame.format.components),
            interlaced=frame.interlaced_frame,
            color=color_tags(frame),
            matrix=matrix_for_decoding(frame),
            rotation=orientation.degrees,
        )


def _claimed_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Of the stream, or of a file that holds nothing else; there counted from 0, wherever the first frame lies."""
    if stream.duration is not None:
        return stream.duration * stream.time_base
    if container.duration is None or len(container.streams) > 1:
        return None
    return Fraction(container.duration - (container.start_time or 0), av.time_base)


def read_movie(path: str | Path, *, start: int = 0, stop: int | None = None) -> Iterator[MovieFrame]:
    """Yield the frames with index in [start, stop) in the order they are shown; all of them by default.

    Every frame from the first is decoded, because only counting is exact in all files; frames whose `rgb`
    is not called cost the decoding alone. If decoding fails after n good frames, these n are yielded first.

    Raises `MediaError` as `read_header` does, and where decoding fails, a frame is damaged, or the picture
    changes its size: "decoding fails after frame 27: ...".
    """
    path = Path(path)
    with _open(path) as (container, stream):
        decoder = RgbDecoder()
        frames = enumerate(_decode(path, container, stream))
        for index, frame in islice(frames, start, stop):
            seconds = None if frame.pts is None else frame.pts * frame.time_base
            yield MovieFrame(index, seconds, path, frame, decoder)


@contextmanager
def _open(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The container and its first stream of moving pictures (cover art of a song is not one)."""
    if not path.is_file():
        raise MediaError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'} (expected a movie)")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: is empty (0 bytes)")
    try:
        container = av.open(path)
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: is not a movie, or its end is missing ({error.strerror}); copy it again or leave it out"
        ) from None
    except UnicodeDecodeError:
        raise MediaError(f"{path}: is not a movie (its header holds text that is none)") from None
    with container:
        if container.format.name.endswith("_pipe") or container.format.name in ("image2", "tty"):
            raise MediaError(f"{path}: is a still or a text, not a movie")
        streams = [stream for stream in container.streams.video if Disposition.attached_pic not in stream.disposition]
        if not streams:
            raise MediaError(f"{path}: has no pictures ({_contents(container)} only)")
        if streams[0].codec_context is None:
            raise MediaError(f"{path}: its codec is unknown to FFmpeg; convert it to ProRes or H.264")
        streams[0].thread_type = "AUTO"  # fast, and unlike PyAV's default it reports damaged pictures
        yield container, streams[0]


def _contents(container: av.container.InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    return " and ".join(kinds) or "a header"


def _decode(path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Frames in the order shown, or `MediaError` after the last good one."""
    num_frames, size = 0, None
    frames = container.decode(stream)
    while True:
        after = f"after frame {num_frames - 1}" if num_frames else "at the first frame"
        try:
            frame = next(frames, None)
        except av.FFmpegError as error:
            raise MediaError(f"{path}: decoding fails {after}: {error.strerror}") from None
        if frame is None:
            return
        if frame.is_corrupt:
            raise MediaError(f"{path}: decoding fails {after}: the next picture is damaged")
        if size not in (None, (frame.width, frame.height)):
            raise MediaError(
                f"{path}: decoding fails {after}: the picture changes from {size[0]}x{size[1]} "
                f"to {frame.width}x{frame.height} (width x height); split the movie there"
            )
        size = (frame.width, frame.height)
        yield frame
        num_frames += 1
