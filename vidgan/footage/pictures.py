"""Pictures of a source by frame index or frame number, from a movie or from stills, as the config states."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan.config import DataConfig
from vidgan.footage.shots import Shot
from vidgan.media.movies import read_movie
from vidgan.media.read_as import ReadAs
from vidgan.media.stills import read_still


def read_pictures(
    root: Path, shot: Shot, numbers: Collection[int], data: DataConfig, *, num_threads: int = 0
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number, uint8 [H, W, 3]) for each of these frame indices or numbers of the shot's source, ascending.

    The first must lie in `shot`: reading begins there at the price of one group of pictures, or at the beginning of a
    movie whose timestamps do not allow it. Raises `MediaError` as `read_movie` and `read_still` do.
    """
    first, last = min(numbers), max(numbers)
    path, read_as = root / shot.source, ReadAs.stated(data, shot.source)
    if shot.kind == "stills":
        for number in sorted(numbers):
            yield number, read_still(root / shot.file(number), read_as).rgb
        return
    sought = {}
    if shot.start is not None:
        seconds, within = shown_at(shot, first - shot.first)
        sought = {"start": first, "start_seconds": shot.start + seconds, "within": within}
    for frame in read_movie(path, **sought, stop=last + 1, read_as=read_as, num_threads=num_threads):
        if frame.index in numbers:
            yield frame.index, frame.rgb()


def shown_at(shot: Shot, position: int) -> tuple[Fraction, Fraction]:
    """Seconds from the shot's first frame to the one at this position, and by how much they may be wrong."""
    if position == 0:
        return Fraction(0), Fraction(0)
    if shot.timestamps is not None:
        return shot.timestamps[position], Fraction(0)
    return position / shot.rate, Fraction(1, 2) / shot.rate
