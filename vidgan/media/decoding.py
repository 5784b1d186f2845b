"""Into a movie file: its main stream, its frames from the first on, or from a timestamp.

Reading from the middle, a keyframe before the wanted frame is sought and decoded from, and the wanted frame must come
up with exactly its timestamp; where it does not, the caller counts through the movie from its first frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.stream import Disposition

from vidgan.errors import MediaError
from vidgan.media.deinterlace import deinterlaced

# Seconds before the wanted frame at which a keyframe is looked for, one after another: open groups of pictures and
# transport streams want more than one try.
_SEEK_BACK = (Fraction(0), Fraction(1), Fraction(6))

# Seconds before the wanted frame from which nothing is skipped: interlaced pictures are made with the one before.
_NEEDED_BEFORE = Fraction(1, 20)

# Containers with an index, which give a frame the same timestamp wherever reading begins. Of program and transport
# streams a parser works timestamps out from the packets before, and is frames off after a seek.
_INDEXED_CONTAINERS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mxf"}

# Codecs whose decoders leave single frames out when told to; others (AV1's) would leave out the wrong ones.
_SKIPPING_CODECS = {"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"}


class DecodingError(MediaError):
    """Why the next frame cannot be had, without file and frame: those that read on know them."""


@contextmanager
def open_movie(path: Path, num_threads: int = 0) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The container and its main stream of moving pictures."""
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
        streams = moving_pictures(container)
        if not streams:
            raise MediaError(f"{path}: has no pictures ({_contents(container)} only)")
        stream = max(streams, key=lambda stream: (stream.codec_context is not None, _rank(stream)))
        if stream.codec_context is None:
            raise MediaError(f"{path}: its codec is unknown to FFmpeg; convert it to ProRes or H.264")
        stream.thread_type = "AUTO"  # fast, and unlike PyAV's default it reports damaged pictures
        stream.codec_context.thread_count = num_threads
        yield container, stream


def is_encrypted(path: Path) -> bool:
    """Whether the first packet of a movie needs a key."""
    with open_movie(path) as (container, stream):
        packet = next(container.demux(stream), None)
        return packet is not None and packet.has_sidedata("encryption_info")


def moving_pictures(container: av.container.InputContainer) -> list[av.VideoStream]:
    """Video streams; the cover art of a song is not one."""
    return [stream for stream in container.streams.video if Disposition.attached_pic not in stream.disposition]


def _rank(stream: av.VideoStream) -> tuple[bool, int]:
    """The main stream is the one marked so, then the largest, then the first."""
    area = stream.width * stream.height if stream.codec_context is not None else 0
    return Disposition.default in stream.disposition, area


def _contents(container: av.container.InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    return " and ".join(kinds) or "a header"


def decoded(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Good frames of one size, or `DecodingError` after the last good one."""
    size = None
    while True:
        try:
            frame = next(frames, None)
        except av.FFmpegError as error:
            raise DecodingError(error.strerror) from None
        if frame is None:
            return
        if frame.is_corrupt:
            raise DecodingError("the next picture is damaged")
        if size not in (None, (frame.width, frame.height)):
            raise DecodingError(
                f"the picture changes from {size[0]}x{size[1]} to {frame.width}x{frame.height} (width x height); "
                "split the movie there"
            )
        size = (frame.width, frame.height)
        yield frame


def can_seek(container: av.container.InputContainer) -> bool:
    """Whether a frame can be found by its timestamp."""
    return container.format.name in _INDEXED_CONTAINERS


def sought(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    seconds: Fraction,
    *,
    within: Fraction,
    deinterlace: bool,
) -> Iterator[av.VideoFrame] | None:
    """The first frame with a timestamp this near and those after it; None if seeking does not lead to it."""
    for back in _SEEK_BACK if can_seek(container) else ():
        try:
            container.seek(int((seconds - back) / stream.time_base), stream=stream)
            frames = decoded(_skipping_to(seconds, container, stream))
            first = next(frames, None)
            if first is None or first.pts is None or not first.key_frame:
                continue  # not a place to begin at
            reached = first.pts * first.time_base
            if reached != seconds and reached >= seconds - within:
                continue  # too late to know whether there is one before it
            if reached == seconds and deinterlace and first.interlaced_frame:
                continue  # a whole picture needs the one before, too
            frames = chain([first], frames)
            if deinterlace:
                frames = deinterlaced(frames)
            for frame in frames:
                reached = None if frame.pts is None else frame.pts * frame.time_base
                if reached is None or reached > seconds + within:
                    break
                if reached >= seconds - within:
                    return chain([frame], frames)
        except (av.FFmpegError, DecodingError):
            continue
    return None


def _skipping_to(
    seconds: Fraction, container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Decode from where the container stands, but nothing long before `seconds` that no other frame is made from."""
    early, can_skip = (seconds - _NEEDED_BEFORE) / stream.time_base, stream.codec.canonical_name in _SKIPPING_CODECS
    for packet in container.demux(stream):
        is_early = can_skip and packet.pts is not None and packet.pts < early
        stream.codec_context.skip_frame = "NONREF" if is_early else "DEFAULT"
        yield from packet.decode()
