"""The kernel distance of two sets of features: KID and KVD, by the features that are given.

    k(x, y) = (x . y / D + 1)^3,   MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)       Binkowski et al. 2018

over pairs of different samples, hence without bias at any count: 0 on average for two sets of one origin, and below 0
half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidgan.errors import RequestError

# Rows of a kernel matrix that are in memory at once.
BLOCK = 1024


@dataclass(frozen=True)
class KernelDistance:
    """A distance, and its spread over random parts of the samples."""

    value: float
    """Over all samples."""
    subset_mean: float
    subset_deviation: float
    """Standard deviation of the value of `subset_size` samples a side; that of `value` is smaller."""
    subset_size: int
    num_subsets: int


def polynomial_mmd(real: np.ndarray, generated: np.ndarray) -> float:
    """Unbiased MMD^2 of [N, D] and [M, D], in the memory of a block of rows. Gretton et al. 2012, eq. 3."""
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    if min(len(real), len(generated)) < 2 or real.shape[1:] != generated.shape[1:] or real.ndim != 2:
        raise RequestError(
            f"features have the shapes {real.shape} and {generated.shape} (expected [N, D] and [M, D], at least 2 each)"
        )
    across = _kernel_sum(real, generated) / (len(real) * len(generated))
    return _mean_of_different(real) + _mean_of_different(generated) - 2 * across


def kernel_distance(
    real: np.ndarray, generated: np.ndarray, *, seed: int, num_subsets: int = 100, subset_size: int | None = None
) -> KernelDistance:
    """Of [N, D] and [M, D]; subsets are drawn without replacement from the seed.

    `subset_size` is by default 1,000 as in the article, or half of the smaller side if that is less: subsets of
    everything would not differ.
    """
    smaller = min(len(real), len(generated))
    size = min(1000, smaller // 2) if subset_size is None else subset_size
    if not 2 <= size <= smaller:
        raise RequestError(f"subsets of {size} from {len(real)} and {len(generated)} samples (expected 2 to {smaller})")
    draws = np.random.default_rng(seed)
    values = [
        polynomial_mmd(*(part[draws.choice(len(part), size, replace=False)] for part in (real, generated)))
        for _ in range(num_subsets)
    ]
    return KernelDistance(
        value=polynomial_mmd(real, generated),
        subset_mean=float(np.mean(values)),
        subset_deviation=float(np.std(values, ddof=1)),
        subset_size=size,
        num_subsets=num_subsets,
    )


def _kernel(dots: np.ndarray, dimension: int) -> np.ndarray:
    return (dots / dimension + 1) ** 3


def _kernel_sum(left: np.ndarray, right: np.ndarray) -> float:
    """Sum over all pairs."""
    blocks = (left[first : first + BLOCK] for first in range(0, len(left), BLOCK))
    return sum(_kernel(block @ right.T, left.shape[1]).sum() for block in blocks)


def _mean_of_different(features: np.ndarray) -> float:
    """Mean over pairs of two different samples of one set."""
    own = _kernel((features**2).sum(1), features.shape[1]).sum()
    return (_kernel_sum(features, features) - own) / (len(features) * (len(features) - 1))
