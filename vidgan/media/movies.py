"""Movies in: what the header claims, and the frames in the order they are shown.

A header may lie about the rate, the number of frames, and whether there are any. Timestamps do not: see
`vidgan.media.timestamps`. Frame indices count decoded frames from 0 and are half-open, [start, stop).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidgan.errors import MediaError
from vidgan.media.color import ColorTags, RgbDecoder, color_tags, matrix_for_decoding
from vidgan.media.decoding import DecodingError, can_seek, decoded, is_encrypted, moving_pictures, open_movie, sought
from vidgan.media.deinterlace import deinterlaced
from vidgan.media.digest import digest, stored_planes
from vidgan.media.orientation import Orientation
from vidgan.media.read_as import ReadAs


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
    transparent: bool
    """Whether the pictures have alpha."""
    interlaced: bool
    color: ColorTags
    matrix: str
    """The matrix used for decoding: the tag, or what an untagged picture of this size is taken for."""
    orientation: Orientation
    """How the stored picture is turned to be shown; applied by `MovieFrame.rgb`."""
    num_streams: int
    """Streams of moving pictures in the file; the main one is read."""
    seekable: bool
    """Whether a frame can be found by its timestamp; in other files only by counting."""


@dataclass(frozen=True, eq=False)
class MovieFrame:
    """One decoded frame. Its pixels are converted only when `rgb` or `small` is called."""

    index: int
    """Frame index, counted from 0 at the first frame that can be decoded."""
    seconds: Fraction | None
    """Exact timestamp; None in files without timestamps (raw H.264, for one)."""
    _path: Path
    _frame: av.VideoFrame
    _decoder: RgbDecoder
    _orientation: Orientation

    def rgb(self, *, deep: bool = False) -> np.ndarray:
        """uint8 [H, W, 3] 0..255, display-referred Rec.709, full range, turned as it is to be shown.

        With `deep`, float32 0..1 where more than 8 bits are stored and they are Rec.709 without alpha. Raises
        `MediaError` if the colours cannot be converted.
        """
        with self._errors_in_words():
            picture = self._decoder.deep_rgb(self._frame) if deep else self._decoder.rgb(self._frame)
            return np.require(self._orientation.shown(picture), requirements=["C", "W"])

    def small(self, longer_side: int) -> np.ndarray:
        """uint8 [h, w, 3] in the order blue, green, red, as stored, about `longer_side` long: to look at, quickly.

        Neither turned nor exact in colour. Raises `MediaError` if the pixels cannot be converted.
        """
        scale = max(1, max(self._frame.width, self._frame.height) / longer_side)
        width, height = (max(1, round(side / scale)) for side in (self._frame.width, self._frame.height))
        with self._errors_in_words():
            return self._decoder.small(self._frame, width, height)

    def digest(self) -> bytes:
        """16 bytes, equal for frames whose decoded numbers are all equal."""
        return digest(stored_planes(self._frame))

    @contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except MediaError as error:
            raise MediaError(f"{self._path}: {error}") from None
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"{self._path}: frame {self.index} cannot be made RGB ({error})") from None


def read_header(path: str | Path) -> MovieHeader:
    """Open a movie and decode its first frame.

    Raises `MediaError` if the file is missing, empty, not a movie, without pictures, or if not even one
    frame can be decoded.
    """
    path = Path(path)
    with open_movie(path) as (container, stream):
        try:
            frame = next(decoded(container.decode(stream)), None)
        except DecodingError as error:
            if is_encrypted(path):
                raise MediaError(f"{path}: is encrypted; ask whoever made it for a copy that is not") from None
            raise MediaError(
                f"{path}: decoding fails at the first frame: {error}; copy it again or leave it out"
            ) from None
        if frame is None:
            raise MediaError(f"{path}: holds no frames")
        orientation = Orientation.of(frame)
        pixel_aspect = stream.sample_aspect_ratio or Fraction(1)
        height, width = frame.height, frame.width
        if orientation.transposed:
            height, width, pixel_aspect = width, height, 1 / pixel_aspect
        # Where frames have no timestamps FFmpeg makes an average up; what the codec says is the file's own word.
        rate = (stream.average_rate or stream.guessed_rate) if frame.pts is not None else stream.codec_context.framerate
        return MovieHeader(
            codec=stream.codec.canonical_name,
            height=height,
            width=width,
            pixel_aspect=pixel_aspect,
            rate=rate or None,
            num_frames=stream.frames or None,
            seconds=_claimed_seconds(container, stream),
            bit_depth=max(component.bits for component in frame.format.components),
            transparent=any(component.is_alpha for component in frame.format.components),
            interlaced=frame.interlaced_frame,
            color=color_tags(frame),
            matrix=matrix_for_decoding(frame),
            orientation=orientation,
            num_streams=len(moving_pictures(container)),
            seekable=can_seek(container),
        )


def _claimed_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Of the stream, or of a file that holds nothing else; there counted from 0, wherever the first frame lies.

    FFmpeg corrects the duration of an AVI that was cut off to what is there; its number of frames it leaves alone.
    """
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return stream.frames / stream.average_rate
    if stream.duration is not None:
        return stream.duration * stream.time_base
    if container.duration is None or len(container.streams) > 1:
        return None
    return Fraction(container.duration - (container.start_time or 0), av.time_base)


def read_movie(
    path: str | Path,
    *,
    start: int = 0,
    stop: int | None = None,
    start_seconds: Fraction | None = None,
    within: Fraction = Fraction(0),
    read_as: ReadAs = ReadAs(),
    deinterlace: bool = True,
    num_threads: int = 0,
) -> Iterator[MovieFrame]:
    """Yield the frames with index in [start, stop) in the order they are shown; all of them by default.

    Without `start_seconds` every frame from the first is decoded, because only counting is exact in all files.
    With it, the timestamp of frame `start` in a movie whose timestamps ascend, reading costs one group of pictures;
    `within` is by how many seconds it may be wrong, at most half the way to any other frame. Frames whose `rgb` is
    not called cost the decoding alone. If decoding fails after n good frames, these n are yielded first.
    `num_threads` 0 decodes on all cores.

    Raises `MediaError` as `read_header` does, and where decoding fails, a frame is damaged, or the picture
    changes its size: "decoding fails after frame 27: ...".
    """
    path = Path(path)
    decoder = RgbDecoder(read_as)
    with ExitStack() as opened:
        container, stream = opened.enter_context(open_movie(path, num_threads))
        frames, first = None, start
        if start and start_seconds is not None:
            frames = sought(container, stream, start_seconds, within=within, deinterlace=deinterlace)
            if frames is None:
                container, stream = opened.enter_context(open_movie(path, num_threads))
        if frames is None:
            frames, first = decoded(container.decode(stream)), 0
            frames = deinterlaced(frames) if deinterlace else frames
        index, orientation = first - 1, None
        try:
            for index, frame in enumerate(frames, start=first):
                if stop is not None and index >= stop:
                    return
                if index >= start:
                    # Once a movie: a frame that is asked for its side data is not freed before Python's collector runs.
                    orientation = orientation or Orientation.of(frame)
                    seconds = None if frame.pts is None else frame.pts * frame.time_base
                    yield MovieFrame(index, seconds, path, frame, decoder, orientation)
                if index + 1 == stop:
                    return  # rather than decode one more to see that it is not wanted
        except DecodingError as error:
            after = f"after frame {index}" if index >= 0 else "at the first frame"
            raise MediaError(f"{path}: decoding fails {after}: {error}") from None
