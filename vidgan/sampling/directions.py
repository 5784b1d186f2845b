"""Directions in which looks can be changed, found without labels.

    principal    what looks differ in most: principal components of pictures, as directions of looks (the way of
                 GANSpace, Haerkoenen et al. 2020: components of what a network makes, and a regression to its input)
    closed form  what the first layers take in most: eigenvectors of A'A for the stacked weights A by which the network
                 takes in a look (SeFa, Shen and Zhou 2021), here for looks in units of their standard deviation

Both are plain algebra on the weights and on looks that are always the same, so that a number means the same direction
whenever it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from einops import rearrange
from torch import nn

from vidgan.nn.layers import Modulation
from vidgan.nn.noise import NOISE_WIDTHS
from vidgan.sampling.latents import unit_normal
from vidgan.sampling.looks import NUM_FAST, NUM_SLOW, deviation_of_looks, mean_style
from vidgan.weights import LoadedGenerator

# Directions of each kind.
NUM_EACH = 8

# Looks whose pictures are compared for the principal ones, and how many are drawn at once.
NUM_PICTURES = 512
PICTURES_AT_ONCE = 16

_NOISE_KEY = 2**32 + 1

_FOUND: WeakKeyDictionary[nn.Module, list[Direction]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Direction:
    """One way to change a look."""

    number: int
    """By which it is asked for, from 1."""
    kind: str
    """"principal" or "closed form"."""
    vector: np.ndarray
    """float64 [look_dim]: what one step adds, one standard deviation of looks."""
    share: float
    """Of what pictures differ in (principal), or of the squared weights (closed form)."""


def find_directions(loaded: LoadedGenerator) -> list[Direction]:
    """Sixteen directions: first the principal ones, then those in closed form, each kind by its share."""
    if loaded.generator not in _FOUND:
        scale = deviation_of_looks(loaded)
        found = [("principal", *each) for each in _principal(loaded, scale)]
        found += [("closed form", *each) for each in _closed_form(loaded, scale)]
        _FOUND[loaded.generator] = [
            Direction(number, kind, _upright(scale @ unit), float(share))
            for number, (kind, unit, share) in enumerate(found, 1)
        ]
    return _FOUND[loaded.generator]


def direction_vectors(loaded: LoadedGenerator) -> np.ndarray:
    """float64 [16, look_dim]; row n - 1 is one step along direction n."""
    return np.stack([direction.vector for direction in find_directions(loaded)])


def _principal(loaded: LoadedGenerator, scale: np.ndarray) -> list[tuple[np.ndarray, float]]:
    units = unit_normal([_NOISE_KEY, 0], NUM_PICTURES * len(scale)).reshape(NUM_PICTURES, -1).astype(np.float64)
    labels = np.arange(NUM_PICTURES) % max(1, len(loaded.provenance.class_names))
    pictures = _pictures(loaded, units @ scale.T, labels)
    for label in np.unique(labels):
        pictures[labels == label] -= pictures[labels == label].mean(0)
    energies, components = np.linalg.eigh(pictures @ pictures.T)
    scores = components[:, ::-1][:, :NUM_EACH]
    # Ridge regression: the motions, which looks do not explain, are the noise it must not learn.
    ridge = units.T @ units + len(units) / 4 * np.eye(len(scale))
    found = np.linalg.solve(ridge, units.T @ scores)
    shares = energies[::-1][:NUM_EACH] / energies.sum()
    return [(unit / np.linalg.norm(unit), share) for unit, share in zip(found.T, shares, strict=True)]


@torch.inference_mode()
def _pictures(loaded: LoadedGenerator, looks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 [N, pixels]: frame 0 of looks, given as deviations from their class's mean, in motions of their own."""
    generator = loaded.generator
    device = next(generator.parameters()).device
    start, stop = generator.signal_window(0, 1)
    drawn = []
    for first in range(0, len(looks), PICTURES_AT_ONCE):
        some, their_labels = looks[first : first + PICTURES_AT_ONCE], labels[first : first + PICTURES_AT_ONCE]
        styles = (
            np.stack([mean_style(generator, int(label)) for label in their_labels]) + some[:, : generator.style_dim]
        )
        slow = rearrange(some[:, generator.style_dim :], "b (d s) -> b 1 d s", s=NUM_SLOW)
        shape = (len(some), stop - start, generator.motion_dim, len(NOISE_WIDTHS))
        signal = unit_normal([_NOISE_KEY, 1, first], int(np.prod(shape))).reshape(shape)
        signal[..., NUM_FAST:] = slow
        video = generator.draw(
            torch.from_numpy(styles[:, :, None].astype(np.float32)).to(device),
            torch.from_numpy(rearrange(signal, "b t d s -> b t (d s)")).to(device),
            first_frame=0,
            num_frames=1,
        )
        drawn.append(rearrange(video, "b c t h w -> b (c t h w)").double().cpu().numpy())
    return np.concatenate(drawn)


def _closed_form(loaded: LoadedGenerator, scale: np.ndarray) -> list[tuple[np.ndarray, float]]:
    generator = loaded.generator
    style_dim = generator.style_dim
    squares = np.zeros_like(scale)
    for layer in (each for each in generator.modules() if isinstance(each, Modulation)):
        weight = layer.affine.weight.double().cpu().numpy()
        squares[:style_dim, :style_dim] += weight.T @ weight
    weight = generator.input.weight.double().cpu().numpy()
    slow = rearrange(weight[:, style_dim:], "o (d s) -> o d s", s=len(NOISE_WIDTHS))[:, :, NUM_FAST:]
    weight = np.concatenate([weight[:, :style_dim], rearrange(slow, "o d s -> o (d s)")], axis=1)
    squares += weight.T @ weight
    strengths, vectors = np.linalg.eigh(scale.T @ squares @ scale)
    shares = strengths[::-1] / strengths.sum()
    return [(vectors[:, -1 - index], shares[index]) for index in range(NUM_EACH)]


def _upright(vector: np.ndarray) -> np.ndarray:
    """With its largest number positive: a vector and its opposite are one direction."""
    return vector * np.sign(vector[np.abs(vector).argmax()])
