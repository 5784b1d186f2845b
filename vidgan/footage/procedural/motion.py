"""Curves in time, and limbs that follow them. Times are in seconds, angles in radians, positions [T, 2]."""

from __future__ import annotations

import numpy as np


def hermite(keys: np.ndarray, times: np.ndarray) -> np.ndarray:
    """A cubic through `keys` [K, 3] (time, value, speed) at `times` [T]; flat before the first and after the last.

    With equal and opposite speeds at the same height it is exactly a ballistic parabola.
    """
    moments, values, speeds = keys.T
    times = np.clip(times, moments[0], moments[-1])
    index = np.clip(np.searchsorted(moments, times, side="right") - 1, 0, len(moments) - 2)
    length = moments[index + 1] - moments[index]
    s = (times - moments[index]) / length
    return (
        (1 + 2 * s) * (1 - s) ** 2 * values[index]
        + s * (1 - s) ** 2 * length * speeds[index]
        + s * s * (3 - 2 * s) * values[index + 1]
        + s * s * (s - 1) * length * speeds[index + 1]
    )


def cyclic(values: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """A closed Catmull-Rom curve through `values` [K], evenly spaced over one turn, at `phase` [T] in turns."""
    position = (phase % 1.0) * len(values)
    index = np.floor(position).astype(int)
    s = position - index
    before, here, after, beyond = (values[(index + offset) % len(values)] for offset in (-1, 0, 1, 2))
    return here + 0.5 * s * (
        after - before + s * (2 * before - 5 * here + 4 * after - beyond + s * (3 * (here - after) + beyond - before))
    )


def hanging(angle: np.ndarray, length: float) -> np.ndarray:
    """The end [T, 2] of a rod hung from the origin; angle 0 hangs down, positive swings towards +x."""
    return length * np.stack([np.sin(angle), -np.cos(angle)], axis=-1)


def bent_joint(start: np.ndarray, end: np.ndarray, first: float, second: float, *, side: float) -> np.ndarray:
    """The knee [T, 2] of a limb from `start` to `end` with bones `first` and `second`, bent towards `side` (-1 or 1).

    A limb too short for its reach is straight.
    """
    line = end - start
    reach = np.clip(np.linalg.norm(line, axis=-1, keepdims=True), 1e-6, first + second)
    along = (first**2 - second**2 + reach**2) / (2 * reach)
    out = np.sqrt(np.maximum(first**2 - along**2, 0.0))
    direction = line / np.linalg.norm(line, axis=-1, keepdims=True)
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=-1)
    return start + along * direction + side * out * normal
