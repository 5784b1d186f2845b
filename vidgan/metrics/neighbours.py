"""What nearest neighbours say of two sets of features: are generated clips like real ones, and are all kinds there.

    precision   share of generated clips inside the ball of some real clip           Kynkaanniemi et al. 2019
    recall      share of real clips inside the ball of some generated clip           Kynkaanniemi et al. 2019
    density     in how many real balls a generated clip lies, over k                 Naeem et al. 2020
    coverage    share of real clips whose ball holds some generated clip             Naeem et al. 2020

The ball of a clip reaches to its k-th nearest neighbour in its own set. An outlier's ball is large, which fools
precision and recall but hardly density and coverage. Distances are Euclidean, in float64, without the rounding of
|a|^2 + |b|^2 - 2 a.b, so that a copy is at distance 0; a block of rows is in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from torch import Tensor

from vidgan.errors import RequestError

# Rows of a distance matrix that are in memory at once.
BLOCK = 512


@dataclass(frozen=True)
class Neighbourhoods:
    """Shares of clips that lie near those of the other set."""

    density: float
    coverage: float
    precision: float
    recall: float
    expected_coverage: float
    """What coverage is on average for two sets of one origin, which is not 1."""
    k: int
    num_real: int
    num_generated: int


def neighbourhoods(real: np.ndarray | Tensor, generated: np.ndarray | Tensor, *, k: int = 5) -> Neighbourhoods:
    """Of features [N, D] and [M, D]. Raises `RequestError` unless there are more than k on both sides."""
    real, generated = _matrix(real), _matrix(generated)
    real_radii, generated_radii = (own_radii(features, k) for features in (real, generated))
    in_real_balls, covered, recalled = 0, [], []
    precise = torch.zeros(len(generated), dtype=torch.bool)
    for first, distances in _blocks(real, generated):
        inside = distances <= real_radii[first : first + len(distances), None]
        in_real_balls += int(inside.sum())
        covered.append(inside.any(1))
        precise |= inside.any(0)
        recalled.append((distances <= generated_radii).any(1))
    return Neighbourhoods(
        density=in_real_balls / (k * len(generated)),
        coverage=torch.cat(covered).double().mean().item(),
        precision=precise.double().mean().item(),
        recall=torch.cat(recalled).double().mean().item(),
        expected_coverage=expected_coverage(len(real), len(generated), k),
        k=k,
        num_real=len(real),
        num_generated=len(generated),
    )


def expected_coverage(num_real: int, num_generated: int, k: int) -> float:
    """Mean coverage if both sets have one origin, whatever it is. Naeem et al. 2020, lemma 2.

    A real clip is uncovered if its k nearest among all others are real.
    """
    return 1 - comb(num_real - 1, k) / comb(num_real + num_generated - 1, k)


def nearest_neighbours(
    queries: np.ndarray | Tensor, references: np.ndarray | Tensor, k: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Distances float64 [N, k], nearest first, and indices int64 [N, k] into the references [M, D]."""
    queries, references = _matrix(queries), _matrix(references)
    if not 1 <= k <= len(references):
        raise RequestError(f"k={k} nearest of {len(references)} clips (expected 1 to {len(references)})")
    found = [torch.topk(distances, k, largest=False) for _, distances in _blocks(queries, references)]
    return torch.cat([f.values for f in found]).numpy(), torch.cat([f.indices for f in found]).numpy()


def own_radii(features: Tensor, k: int) -> Tensor:
    """Distance of each of [N, D] to its k-th nearest other, float64 [N]."""
    if not 1 <= k < len(features):
        raise RequestError(f"k={k} neighbours of {len(features)} clips (expected more than k clips)")
    radii = []
    for first, distances in _blocks(features, features):
        distances[torch.arange(len(distances)), torch.arange(first, first + len(distances))] = torch.inf
        radii.append(torch.kthvalue(distances, k).values)
    return torch.cat(radii)


def mean_pairwise_distance(features: np.ndarray | Tensor, groups: np.ndarray | Tensor) -> dict[int, float | None]:
    """Variety: mean distance of two different clips of one group, for each group; 0 if all of them are the same.

    Features [N, D], groups int [N] (such as labels). A group of one clip has no pairs: None.
    """
    features, groups = _matrix(features), np.asarray(groups)
    if groups.shape != (len(features),):
        raise RequestError(f"groups have the shape {groups.shape} (expected one for each of {len(features)} clips)")
    varieties: dict[int, float | None] = {}
    for group in np.unique(groups).tolist():
        members = features[torch.from_numpy(groups == group)]
        total = sum(distances.sum().item() for _, distances in _blocks(members, members))
        varieties[group] = total / (len(members) * (len(members) - 1)) if len(members) > 1 else None
    return varieties


def _matrix(features: np.ndarray | Tensor) -> Tensor:
    matrix = torch.as_tensor(features).double()
    if matrix.ndim != 2 or not torch.isfinite(matrix).all():
        raise RequestError(f"features have the shape {tuple(matrix.shape)} (expected finite [N, D])")
    return matrix


def _blocks(left: Tensor, right: Tensor) -> Iterator[tuple[int, Tensor]]:
    """(first row, distances [rows, M]) for all rows of [N, D] against [M, D]."""
    if left.shape[1] != right.shape[1]:
        raise RequestError(f"one set has {left.shape[1]} features, the other {right.shape[1]}")
    for first in range(0, len(left), BLOCK):
        part = left[first : first + BLOCK]
        yield first, torch.cdist(part, right, compute_mode="donot_use_mm_for_euclid_dist")
