"""Review copies of movies: small, known to every browser, and any frame of them is found at once.

A browser plays few codecs, and to show frame n it decodes from the keyframe before it. In a review copy every frame is
a keyframe, so stepping, scrubbing and playing backwards cost one frame each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from vidgan.errors import MediaError
from vidgan.files import written_beside
from vidgan.media.encoding import FrameEncoder
from vidgan.media.movies import MovieHeader

# A review copy is no larger than this, either way.
LONGEST_SIDE = 960

_PLAYED_SUFFIXES = {".mp4", ".m4v", ".webm"}
_PLAYED_CODECS = {"h264", "vp8", "vp9", "av1"}

# Pixels decoded to reach every frame once, when each is reached from the first. 48 frames of 256x256 are 4.5 times
# as many, and took a browser 2 s.
_QUICK_PIXELS = 2**24

# Frames of a movie that is worth the time a copy takes; longer ones are shown as they are, if they can be played.
_WORTH_FRAMES = 3000


def needs_copy(path: Path, header: MovieHeader, num_frames: int) -> bool:
    """Whether browsers cannot play a movie, or are slow to find its frames."""
    played = path.suffix.lower() in _PLAYED_SUFFIXES and header.codec in _PLAYED_CODECS and header.bit_depth == 8
    slow = num_frames**2 // 2 * header.height * header.width > _QUICK_PIXELS
    return not played or (slow and num_frames <= _WORTH_FRAMES)


def copy_size(height: int, width: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """(height, width) of the copy of a movie: even, with square pixels, no side above `LONGEST_SIDE`."""
    scale = min(Fraction(1), Fraction(LONGEST_SIDE) / max(height, width * pixel_aspect))
    return tuple(max(2, round(side * scale / 2) * 2) for side in (height, width * pixel_aspect))


def write_review_copy(path: Path, frames: Iterable[np.ndarray], *, rate: Fraction, shape: tuple[int, int]) -> int:
    """Write frames uint8 [H, W, 3] as H.264 in which every frame is a keyframe, and return how many there were.

    `shape` is the (height, width) of the copy, even. Rec.709, limited range, tagged so. Raises `MediaError` if there
    are no frames or the file cannot be written.
    """
    encoder, num_frames = FrameEncoder("yuv420p"), 0
    try:
        with written_beside(path) as beside, av.open(beside, "w", options={"movflags": "+faststart"}) as out:
            stream = out.add_stream("libx264", rate=rate, options={"crf": "14", "preset": "veryfast", "g": "1"})
            stream.height, stream.width = shape
            encoder.tag(stream.codec_context)
            for frame in encoder.frames(_resized(frames, *shape)):
                frame.pts, frame.time_base = num_frames, 1 / rate
                out.mux(stream.encode(frame))
                num_frames += 1
            if not num_frames:
                raise MediaError(f"{path}: there are no frames to write")
            out.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror})") from None
    return num_frames


def _resized(frames: Iterable[np.ndarray], height: int, width: int) -> Iterator[np.ndarray]:
    for frame in frames:
        if frame.shape[:2] == (height, width):
            yield frame
        else:
            yield np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.HAMMING))
