"""The motion of a take: what its generator is given of the noise at each step, each step by itself."""

from __future__ import annotations

from functools import lru_cache
from math import floor

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from vidgan.nn.noise import REACH, filter_weights
from vidgan.sampling.latents import motion_noise
from vidgan.sampling.take import Take

# Steps of noise that count at one moment.
TAPS = 2 * REACH + 2


class MotionSignal:
    """The filtered noise of a take at any step: a pure function of the step, so that stretches are alike."""

    def __init__(self, take: Take, motion_dim: int, frames_a_step: int) -> None:
        self.motion, self.speed, self.motion_dim = take.motion, take.speed, motion_dim
        self.codes = np.array(take.motion.codes, np.float32)
        self.period = None if take.loop is None else take.loop // frames_a_step
        """Steps after which the signal begins again."""
        self.noise_period = None if self.period is None else max(1, round(self.period * take.speed))
        """Steps of noise that one round goes through: a whole number, the nearest to what the speed asks for."""

    def at(self, start: int, stop: int) -> Tensor:
        """float32 [stop - start, motion_dim * 4] for the half-open range of steps."""
        rows = [self._row(step) for step in range(start, stop)]
        return torch.from_numpy(np.stack(rows).astype(np.float32))

    def _row(self, step: int) -> np.ndarray:
        """One step's signal, in float64, so that it is rounded once."""
        if self.period is None:
            time = step * self.speed
        else:
            time = step % self.period * self.noise_period / self.period
        first = floor(time) - REACH
        weights, steps = _weights(time - floor(time)), range(first, first + TAPS)
        if self.noise_period is not None and self.noise_period < TAPS:
            weights, steps = _folded(weights, first, self.noise_period), range(self.noise_period)
        noise = np.stack([self._noise(n) for n in steps]).astype(np.float64)
        return rearrange(weights @ noise, "s d -> (d s)")

    def _noise(self, step: int) -> np.ndarray:
        """float32 [motion_dim]: the code of a step if it has one, else its seeded noise."""
        if self.noise_period is not None:
            step %= self.noise_period
        index = step - self.motion.first_step
        if 0 <= index < len(self.codes):
            return self.codes[index]
        return _seeded(self.motion.seed, self.motion_dim, step)


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


@lru_cache(maxsize=4096)
def _seeded(seed: int, motion_dim: int, step: int) -> np.ndarray:
    return motion_noise(seed, motion_dim, step, step + 1)[:, 0].numpy()
