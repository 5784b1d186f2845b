"""Directions in which looks can be changed, found without labels: those in which looks vary, and those that act most.

    principal    principal components of styles around the mean of their class (Haerkoenen et al. 2020, GANSpace)
    closed form  eigenvectors of A'A for the stacked weights A by which the network's layers take in the style
                 (Shen and Zhou 2021, SeFa)

Both are plain algebra on the weights and on contents that are always the same, so a number means the same direction
whenever it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from torch import nn

from vidgan.nn.layers import Modulation
from vidgan.sampling.styles import sample_styles
from vidgan.weights import LoadedGenerator

# Directions of each kind.
NUM_EACH = 8

_FOUND: WeakKeyDictionary[nn.Module, list[Direction]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Direction:
    """One way to change a look."""

    number: int
    """By which it is asked for, from 1."""
    kind: str
    """"principal" or "closed form"."""
    vector: np.ndarray
    """float64 [style]: what one step adds; as long as looks deviate in this direction (standard deviation)."""
    share: float
    """Of the variance of looks (principal), or of the squared weights (closed form)."""


def find_directions(loaded: LoadedGenerator) -> list[Direction]:
    """Sixteen directions: first the principal ones, then those in closed form, each by their share."""
    if loaded.generator not in _FOUND:
        _FOUND[loaded.generator] = _principal(loaded) + _closed_form(loaded)
    return _FOUND[loaded.generator]


def direction_vectors(loaded: LoadedGenerator) -> np.ndarray:
    """float64 [16, style]; row n - 1 is one step along direction n."""
    return np.stack([direction.vector for direction in find_directions(loaded)])


def _centred_styles(loaded: LoadedGenerator) -> np.ndarray:
    """float64 [samples, style]: how looks of all classes deviate from the mean of their class."""
    labels = range(max(1, len(loaded.provenance.class_names)))
    styles = (sample_styles(loaded.generator, label) for label in labels)
    return np.concatenate([each - each.mean(0) for each in styles])


def _principal(loaded: LoadedGenerator) -> list[Direction]:
    deviations = _centred_styles(loaded)
    variances, vectors = _eigen(deviations.T @ deviations / len(deviations))
    return [
        Direction(
            index + 1, "principal", np.sqrt(variances[index]) * vectors[index], variances[index] / variances.sum()
        )
        for index in range(NUM_EACH)
    ]


def _closed_form(loaded: LoadedGenerator) -> list[Direction]:
    generator, deviations = loaded.generator, _centred_styles(loaded)
    weights = [layer.affine.weight for layer in generator.modules() if isinstance(layer, Modulation)]
    style_dim = weights[0].shape[1]
    stacked = np.concatenate(
        [each.double().cpu().numpy() for each in [*weights, generator.input.weight[:, :style_dim]]]
    )
    strengths, vectors = _eigen(stacked.T @ stacked)
    return [
        Direction(
            NUM_EACH + index + 1,
            "closed form",
            (deviations @ vectors[index]).std() * vectors[index],
            strengths[index] / strengths.sum(),
        )
        for index in range(NUM_EACH)
    ]


def _eigen(symmetric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, the largest first, and their vectors as rows, the largest number of each positive."""
    values, vectors = np.linalg.eigh(symmetric)
    values, vectors = values[::-1], vectors[:, ::-1].T
    signs = np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(1)])
    return values, vectors * signs[:, None]
