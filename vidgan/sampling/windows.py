"""Windows: which parts of a picture a network sees at once, and how they are joined.

Where two windows overlap, each counts by its distance from its own edge, so that one goes over into the other in a
straight line and nothing jumps at a seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Window:
    """A part of the picture, in pixels, half-open; its sides are whole steps of the network, beyond the picture's edge
    if need be."""

    top: int
    bottom: int
    left: int
    right: int

    def weights(self, height: int, width: int, ramp: int) -> np.ndarray:
        """float32 [h, w] of what lies in a picture of this size: how much it counts, 1 from `ramp` pixels on."""
        rows = _weights(self.top, min(self.bottom, height), height, ramp)
        columns = _weights(self.left, min(self.right, width), width, ramp)
        return rows[:, None] * columns[None, :]


def _weights(start: int, stop: int, size: int, ramp: int) -> np.ndarray:
    """Rising from the start and falling to the stop, unless the picture ends there."""
    places = np.arange(start, stop)
    from_start = places - start + 1 if start > 0 else np.full_like(places, ramp)
    from_stop = stop - places if stop < size else np.full_like(places, ramp)
    return (np.minimum(np.minimum(from_start, from_stop), ramp) / ramp).astype(np.float32)


def extent(any_in: np.ndarray, offset: int = 0) -> tuple[int, int]:
    """Of bool [n] with a True: the first one's index and the last one's plus 1, both plus `offset`."""
    places = np.flatnonzero(any_in)
    return offset + int(places[0]), offset + int(places[-1]) + 1


def windows_over(hole: np.ndarray, *, step: int, core: int, margin: int) -> list[Window]:
    """Windows that together hold every pixel of a hole bool [H, W], each with `margin` pixels around it.

    The hole is parted into cells of at most about `core` pixels a side; cells without a pixel of it have no window. All
    edges are multiples of `step`.
    """
    windows = []
    for rows in _cells(hole.any(1), core):
        for columns in _cells(hole[rows.start : rows.stop].any(0), core):
            part = hole[rows.start : rows.stop, columns.start : columns.stop]
            if not part.any():
                continue
            top, bottom = extent(part.any(1), rows.start)
            left, right = extent(part.any(0), columns.start)
            windows.append(
                Window(
                    *_widened(top, bottom, margin, step, hole.shape[0]),
                    *_widened(left, right, margin, step, hole.shape[1]),
                )
            )
    return windows


def _cells(any_in: np.ndarray, core: int) -> list[range]:
    """bool [n] -> equal parts of what lies between the first and the last True, none longer than `core`."""
    if not any_in.any():
        return []
    start, stop = extent(any_in)
    count = -(-(stop - start) // core)
    edges = np.linspace(start, stop, count + 1).round().astype(int)
    return [range(first, last) for first, last in pairwise(edges)]


def _widened(start: int, stop: int, margin: int, step: int, size: int) -> tuple[int, int]:
    """With a margin, on multiples of `step`, from 0 to the first multiple that is not below `size`."""
    most = -(-size // step) * step
    return max(0, (start - margin) // step * step), min(most, -(-(stop + margin) // step) * step)
