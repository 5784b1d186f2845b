"""One clip from one source, at a generator's size and rate: what an inversion begins with."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan.config import DataConfig
from vidgan.errors import RequestError
from vidgan.footage.fit import fit_frames
from vidgan.footage.select import resampled
from vidgan.media.movies import read_header, read_movie
from vidgan.media.sequences import find_stills
from vidgan.media.stills import read_still
from vidgan.media.timestamps import rate_from_timestamps, seconds_shown


def read_clip(
    source: str | Path, data: DataConfig, rate: Fraction | None, *, first: int = 0, num_frames: int | None = None
) -> np.ndarray:
    """Frames uint8 [T, height, width, channels] of a movie, a still, or a folder or pattern of a frame sequence.

    A movie is brought to `rate` frames a second, as footage is, each frame the one nearest in time; `first` counts at
    that rate, and frames of stills one by one. Fitted as `data.fit` says, never squashed. Fewer than `num_frames` if
    the source ends.

    Raises `MediaError` if the source cannot be read and `RequestError` if it has no frame `first`.
    """
    stop = None if num_frames is None else first + num_frames
    stills = find_stills(source)
    if stills is None:
        frames = _of_movie(Path(source), data, rate, first, stop)
    else:
        frames = [_fitted(read_still(path).rgb, Fraction(1), data) for path in stills.paths()[first:stop]]
    if not frames:
        raise RequestError(f"{source}: has no frame {first} (counted from 0, at the rate of the weights)")
    return np.stack(frames)


def _of_movie(path: Path, data: DataConfig, rate: Fraction | None, first: int, stop: int | None) -> list[np.ndarray]:
    """Frames `first` to `stop` at the rate; those of the movie itself without one, or where it has no timestamps."""
    positions = _positions(path, rate, stop)[first:stop]
    pixel_aspect, wanted = read_header(path).pixel_aspect, set(positions)
    fitted = {
        frame.index: _fitted(frame.rgb(), pixel_aspect, data)
        for frame in read_movie(path, stop=max(positions, default=0) + 1)
        if frame.index in wanted
    }
    return [fitted[position] for position in positions]


def _positions(path: Path, rate: Fraction | None, stop: int | None) -> tuple[int, ...]:
    """Index in the movie of each frame at the rate, as far as `stop` or further."""
    times: list[Fraction | None] = []
    for frame in read_movie(path):
        times.append(frame.seconds)
        shown = len(times) if rate is None or None in times[-1:] else (times[-1] - times[0]) * rate
        if stop is not None and shown >= stop:
            break
    if rate is None or None in times:
        return tuple(range(len(times)))
    times = [seconds - times[0] for seconds in times]
    if own := rate_from_timestamps(times, read_header(path).rate):
        times = [round(seconds * own) / own for seconds in times]  # as they were before the container rounded them
    return resampled(times, seconds_shown(times), rate, blend=False)[0]


def _fitted(picture: np.ndarray, pixel_aspect: Fraction, data: DataConfig) -> np.ndarray:
    return fit_frames(picture[None], pixel_aspect, data)[0]
