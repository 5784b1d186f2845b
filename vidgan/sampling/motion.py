"""The motion of a take: the noise at any moment, each moment by itself."""

from __future__ import annotations

from functools import lru_cache
from math import floor

import numpy as np

from vidgan.nn.noise import REACH, filter_weights
from vidgan.sampling.latents import motion_noise
from vidgan.sampling.take import Motion

# Steps of noise that count at one moment.
TAPS = 2 * REACH + 2


def filtered_noise(motion: Motion, motion_dim: int, time: float, *, period: int | None = None) -> np.ndarray:
    """float64 [motion_dim, 4]: the noise around a moment, counted in steps, in each filter of `vidgan.nn.noise`.

    With `period` the noise repeats after so many steps, and is again of unit variance.
    """
    first = floor(time) - REACH
    weights, steps = _weights(time - floor(time)), range(first, first + TAPS)
    if period is not None and period < TAPS:
        weights, steps = _folded(weights, first, period), range(period)
    noise = np.stack([_noise(motion, motion_dim, step if period is None else step % period) for step in steps])
    return (weights @ noise.astype(np.float64)).T


def _noise(motion: Motion, motion_dim: int, step: int) -> np.ndarray:
    """float32 [motion_dim]: the code of a step if it has one, else its seeded noise."""
    index = step - motion.first_step
    if 0 <= index < len(motion.codes):
        return np.array(motion.codes[index], np.float32)
    return _seeded(motion.seed, motion_dim, step)


def _folded(weights: np.ndarray, first: int, period: int) -> np.ndarray:
    """[4, TAPS] from step `first` on -> [4, period]: weights of noise that repeats, again of unit variance."""
    folded = np.zeros((len(weights), period))
    for tap in range(TAPS):
        folded[:, (first + tap) % period] += weights[:, tap]
    return folded / np.sqrt(np.square(folded).sum(1, keepdims=True))


@lru_cache(maxsize=256)
def _weights(fraction: float) -> np.ndarray:
    """float64 [4, TAPS], rounded as the generator's filters are; from `REACH` steps before the whole step on."""
    return filter_weights(fraction, -REACH, TAPS).numpy().astype(np.float64)


# Those of about two moments. Thousands of them, in the heap among large tensors that come and go, would keep it from
# shrinking: a take of 40,000 frames grew by 170 MB.
@lru_cache(maxsize=2 * TAPS)
def _seeded(seed: int, motion_dim: int, step: int) -> np.ndarray:
    return motion_noise(seed, motion_dim, step, step + 1)[:, 0].numpy()
