"""The Frechet distance of two sets of features: FID and FVD, by the features that are given.

    d(N(m, S), N(n, R)) = |m - n|^2 + tr S + tr R - 2 tr (S R)^(1/2)            Dowson and Landau 1982

The trace of the root is the sum of the singular values of A^T B for any factors S = A A^T and R = B B^T, so that no
matrix root is taken, and a covariance of low rank costs no more than its rank. Covariances are unbiased (over n - 1),
as in `frechet_classifier_distance_from_activations` of tf.contrib.gan and TF-GAN, which the FVD's own code calls.
The distance is squared, and biased upwards by few samples: compare only values of equal counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from vidgan.errors import RequestError

# Fewer than this on either side is called a small sample; the FVD is customarily of 2,048 clips.
SMALL_SAMPLE = 2048


@dataclass(frozen=True)
class Moments:
    """All that a Gaussian fit needs of a set of features, whatever its size."""

    count: int
    mean: np.ndarray
    """float64 [D]."""
    scatter: np.ndarray
    """Sum of outer products of the centred features, float64 [D, D]."""

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased, float64 [D, D]."""
        return self.scatter / (self.count - 1)


@dataclass(frozen=True)
class Frechet:
    """A distance, and how much it can be trusted."""

    value: float
    """Squared distance of the two Gaussians, in squared units of the features; at least 0."""
    num_real: int
    num_generated: int
    rank_real: int
    """Of the covariance; below the number of features, the Gaussian is flat in some directions."""
    rank_generated: int
    small_sample: bool
    """Fewer than 2,048 on either side."""


def moments(features: np.ndarray) -> Moments:
    """Of one batch [N, D]. Raises `RequestError` unless it is a finite matrix."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not len(features):
        raise RequestError(f"features have the shape {features.shape} (expected [N, D], N at least 1)")
    if not np.isfinite(features).all():
        raise RequestError(f"features hold {np.count_nonzero(~np.isfinite(features))} values that are not finite")
    mean = features.mean(0)
    centred = features - mean
    return Moments(len(features), mean, centred.T @ centred)


def merged(first: Moments, second: Moments) -> Moments:
    """Of both sets together, without cancellation. Chan, Golub and LeVeque 1983."""
    if first.mean.shape != second.mean.shape:
        raise RequestError(f"one set has {len(first.mean)} features, the other {len(second.mean)}")
    count = first.count + second.count
    apart = second.mean - first.mean
    return Moments(
        count=count,
        mean=first.mean + apart * (second.count / count),
        scatter=first.scatter + second.scatter + np.outer(apart, apart) * (first.count * second.count / count),
    )


def streamed_moments(batches: Iterable[np.ndarray]) -> Moments:
    """Of all batches [N, D] together, in the memory of one: what a large set is measured by."""
    return reduce(merged, map(moments, batches))


def frechet_distance(real: Moments, generated: Moments) -> Frechet:
    """Distance of the Gaussians with these moments. Raises `RequestError` for fewer than two samples or other sizes."""
    _check_counts(real, generated)
    return _distance(real, generated, _factor(real), _factor(generated))


def frechet_distance_of_features(real: np.ndarray, generated: np.ndarray) -> Frechet:
    """The same of features [N, D] and [M, D] in memory, by whichever is smaller: the samples or the covariance."""
    measured = moments(real), moments(generated)
    _check_counts(*measured)
    factors = [
        _factor(of) if of.count > len(of.mean) else _factor_of_features(features, of)
        for features, of in zip((real, generated), measured, strict=True)
    ]
    return _distance(*measured, *factors)


def _check_counts(real: Moments, generated: Moments) -> None:
    if real.mean.shape != generated.mean.shape:
        raise RequestError(f"real clips have {len(real.mean)} features, generated ones {len(generated.mean)}")
    if min(real.count, generated.count) < 2:
        raise RequestError(f"{real.count} real and {generated.count} generated clips (expected at least 2 each)")


def _distance(real: Moments, generated: Moments, real_factor: np.ndarray, generated_factor: np.ndarray) -> Frechet:
    root_trace = np.linalg.svd(real_factor.T @ generated_factor, compute_uv=False).sum()
    value = np.square(real.mean - generated.mean).sum() + (real_factor**2).sum() + (generated_factor**2).sum()
    return Frechet(
        value=max(0.0, float(value - 2 * root_trace)),
        num_real=real.count,
        num_generated=generated.count,
        rank_real=real_factor.shape[1],
        rank_generated=generated_factor.shape[1],
        small_sample=min(real.count, generated.count) < SMALL_SAMPLE,
    )


def _factor(of: Moments) -> np.ndarray:
    """A [D, R] with A A^T the covariance and R its rank."""
    values, vectors = np.linalg.eigh(of.covariance)
    return _without_rounding(vectors[:, ::-1], values[::-1], of)


def _factor_of_features(features: np.ndarray, of: Moments) -> np.ndarray:
    """The same without the covariance, cheaper for fewer samples than features."""
    centred = np.asarray(features, np.float64) - of.mean
    vectors, values, _ = np.linalg.svd(centred.T / np.sqrt(of.count - 1), full_matrices=False)
    return _without_rounding(vectors, values**2, of)


def _without_rounding(vectors: np.ndarray, values: np.ndarray, of: Moments) -> np.ndarray:
    """Directions [D, *] and their variances, falling -> those that hold more than rounding, by their deviations."""
    epsilon = np.finfo(np.float64).eps
    of_sums = max(values[0], 0) * max(of.count, len(of.mean)) * epsilon
    of_means = (np.abs(of.mean).max() * of.count * epsilon) ** 2
    rounding = max(of_sums, of_means)
    rank = int((values > rounding).sum())
    return vectors[:, :rank] * np.sqrt(values[:rank])
