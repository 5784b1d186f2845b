"""One clip from one source, at a generator's size and rate: what an inversion begins with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan.config import DataConfig
from vidgan.errors import RequestError
from vidgan.footage.fit import fit_frames
from vidgan.media.movies import read_header, read_movie
from vidgan.media.sequences import frame_sequence_from_pattern, is_pattern
from vidgan.media.stills import STILL_SUFFIXES, read_still

# By how much a frame's time may be rounded: Matroska counts milliseconds.
CLOCK_ERROR = Fraction(1, 500)


def read_clip(
    source: str | Path, data: DataConfig, rate: Fraction | None, *, first: int = 0, num_frames: int | None = None
) -> np.ndarray:
    """Frames uint8 [T, height, width, channels] of a movie, a still, or a pattern such as shot.####.png.

    A movie is brought to `rate` frames a second, each frame the one shown at its time; `first` counts at that rate, and
    frames of stills one by one. Fitted as `data.fit` says, never squashed. Fewer than `num_frames` if the source ends.

    Raises `MediaError` if the source cannot be read and `RequestError` if it has no frame `first`.
    """
    path, frames = Path(source), []
    wanted = None if num_frames is None else first + num_frames
    for index, (picture, pixel_aspect) in enumerate(_pictures(path, rate)):
        if index == wanted:
            break
        if index >= first:
            frames.append(fit_frames(picture[None], pixel_aspect, data)[0])
    if not frames:
        raise RequestError(f"{source}: has no frame {first} (counted from 0, at the rate of the weights)")
    return np.stack(frames)


def _pictures(path: Path, rate: Fraction | None) -> Iterator[tuple[np.ndarray, Fraction]]:
    """uint8 [H, W, 3] and the shape of its pixels, in order."""
    if is_pattern(path) and not path.exists():
        for still in frame_sequence_from_pattern(path).paths():
            yield read_still(still).rgb, Fraction(1)
    elif path.suffix.lower() in STILL_SUFFIXES:
        yield read_still(path).rgb, Fraction(1)
    else:
        pixel_aspect = read_header(path).pixel_aspect
        for picture in _at_rate(path, rate):
            yield picture, pixel_aspect


def _at_rate(path: Path, rate: Fraction | None) -> Iterator[np.ndarray]:
    """The movie's frames; with a rate, those shown at 0, 1, 2, ... frame times after the first, nearest in time."""
    before, index, began = None, 0, None
    for frame in read_movie(path):
        if rate is None or frame.seconds is None:
            yield frame.rgb()
            continue
        began = frame.seconds if began is None else began
        seconds = frame.seconds - began
        while before is not None and index / rate <= (before[0] + seconds) / 2:
            yield before[1]
            index += 1
        before = seconds, frame.rgb()
    while before is not None and index / rate <= before[0] + CLOCK_ERROR:
        yield before[1]
        index += 1
