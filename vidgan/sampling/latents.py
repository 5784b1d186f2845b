"""A seed is a take: its latents are pure functions of the seed, in any batch and for any stretch of time.

Only numpy's raw Philox bits are used, whose stream is guaranteed to stay; its distributions are not.
"""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor

from vidgan.errors import RequestError

_CONTENT, _MOTION = 0, 1

# Motion steps count from here, so that a take may begin before frame 0.
_FIRST_STEP = 2**31

MAX_SEED = 2**31 - 1


def content_latent(seed: int, content_dim: int) -> Tensor:
    """z float32 [content_dim], unit normal."""
    return torch.from_numpy(unit_normal([seed, _CONTENT], content_dim))


def motion_noise(seed: int, motion_dim: int, start: int, stop: int) -> Tensor:
    """White noise float32 [motion_dim, stop - start] for the half-open range of steps; step n is always the same."""
    steps = [unit_normal([seed, _MOTION, _FIRST_STEP + step], motion_dim) for step in range(start, stop)]
    return torch.from_numpy(np.stack(steps, axis=1))


def unit_normal(key: list[int], count: int) -> np.ndarray:
    """`count` independent unit normal numbers, float32, that only `key` decides (Box and Muller 1958)."""
    bits = np.random.Philox(np.random.SeedSequence(key)).random_raw(2 * count)
    uniform = ((bits >> np.uint64(11)) + 0.5) * 2.0**-53  # above 0 and below 1
    radius = np.sqrt(-2.0 * np.log(uniform[:count]))
    return (radius * np.cos(2.0 * np.pi * uniform[count:])).astype(np.float32)


def parse_seeds(text: str, option: str = "--seeds") -> list[int]:
    """Seeds from "1-8", "3,17,42" or a mix, in the order given. Raises `RequestError` in words."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if match is None:
            raise RequestError(
                f'{option} {text}: "{part}" is not a seed (expected whole numbers such as 1-8 or 3,17,42)'
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise RequestError(f"{option} {text}: {part.strip()} runs backwards (did you mean {last}-{first}?)")
        if last > MAX_SEED:
            raise RequestError(f"{option} {text}: {last} is too large (the largest seed is {MAX_SEED})")
        seeds += range(first, last + 1)
    return seeds
