"""Seams: does the picture jump where a loop begins again, or where one rendered stretch follows another?

A step is the change from a frame to the next. A clean seam is a step like all others, so what is reported is the ratio
of the steps over seams to the steps within, root mean square over all takes: 1 is the goal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vidgan.errors import RequestError
from vidgan.metrics.movement import ROUNDING

# Draws of takes, with replacement, whose ratios say how exact the figure is.
NUM_RESAMPLES = 1000


@dataclass(frozen=True)
class Seam:
    """How steps over seams compare with steps within."""

    ratio: float
    """Root mean square; 1 where no seam can be told, 0 where the frame before is repeated."""
    low: float
    """Of the 95 % interval over takes (percentile bootstrap, Efron 1979)."""
    high: float
    num_seams: int


def loop_seam(loops: Iterable[np.ndarray], *, seed: int) -> Seam:
    """Of loops uint8 [T, H, W, C], whose first frame follows the last; in the memory of one."""
    return _seam([_steps(np.concatenate([loop, loop[:1]]), len(loop)) for loop in loops], seed)


def stretch_seam(takes: Iterable[np.ndarray], stretch: int, *, period: int = 1, seed: int) -> Seam:
    """Of takes uint8 [T, H, W, C] that were rendered in stretches of so many frames; in the memory of one.

    A network that doubles the rate from level to level may step differently every `period` frames, seam or no seam:
    then only the steps after each period, which divides the stretch, are compared.
    """
    if stretch % period:
        raise RequestError(f"stretches of {stretch} frames are not whole periods of {period}")
    return _seam([_steps(take, stretch, period) for take in takes], seed)


class LoopSteps:
    """The steps of a loop that is seen frame by frame, in the memory of two frames.

    `period` as in `stretch_seam`: if a loop has more than one, only steps after each are compared.
    """

    def __init__(self, length: int, *, period: int = 1) -> None:
        self.length, self.period = length, period
        self._first: np.ndarray | None = None
        self._last: np.ndarray | None = None
        self._seen, self._within = 0, []

    def add(self, frame: np.ndarray) -> None:
        """Take the next frame, uint8 [H, W, C]; those after the loop's end are not looked at."""
        if self._seen == self.length:
            return
        if self._first is None:
            self._first = frame
        elif self._seen % self.period == 0 or self.length == self.period:
            self._within.append(_energy(self._last, frame))
        self._last = frame
        self._seen += 1

    def figures(self) -> dict[str, float] | None:
        """Root mean square of the step over the seam and of those within, in levels 0..255, and their ratio, rounding
        added to both; None if the loop was not seen whole or has no two steps to compare."""
        if self._seen < self.length or not self._within:
            return None
        seam, within = _energy(self._last, self._first), float(np.mean(self._within))
        ratio = np.sqrt((seam + ROUNDING) / (within + ROUNDING))
        return {"ratio": round(float(ratio), 4), "seam": round(seam**0.5, 4), "within": round(within**0.5, 4)}


def _energy(before: np.ndarray, after: np.ndarray) -> float:
    """Mean squared difference."""
    return float(np.square(after.astype(np.float32) - before).mean())


def _steps(frames: np.ndarray, stretch: int, period: int = 1) -> tuple[float, float, int]:
    """Mean squared step over seams, the same within stretches (rounding added to both), and the number of seams."""
    energies = np.array([_energy(before, after) for before, after in pairwise(frames)])
    position = np.arange(1, len(frames))
    over, within = position % stretch == 0, (position % period == 0) & (position % stretch != 0)
    if not over.any() or not within.any():
        raise RequestError(f"a take of {len(frames)} frames has no seam between stretches of {stretch} frames")
    return energies[over].mean() + ROUNDING, energies[within].mean() + ROUNDING, int(over.sum())


def _seam(steps: list[tuple[float, float, int]], seed: int) -> Seam:
    if len(steps) < 2:
        raise RequestError(f"{len(steps)} take with seams (expected 2 or more, to say how exact the figure is)")
    energies = np.array([(over, within) for over, within, _ in steps])
    drawn = np.random.default_rng(seed).integers(len(steps), size=(NUM_RESAMPLES, len(steps)))
    resampled = energies[drawn].mean(1)
    low, high = np.percentile(np.sqrt(resampled[:, 0] / resampled[:, 1]), [2.5, 97.5])
    over, within = energies.mean(0)
    return Seam(float(np.sqrt(over / within)), float(low), float(high), sum(count for *_, count in steps))
