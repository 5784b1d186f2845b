"""Looks as numbers: what stays over a take, and how a take goes from one look to the next.

A look has two parts: the style, which content and class become, and the slow half of the filtered noise at one moment.
As a generator learns, much of what we call a look (a wall's colour, a figure's clothes) may settle in the slow noise,
which drifts over a long take; `Take.hold` keeps it as the look's seed has it.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from vidgan.nn.noise import NOISE_WIDTHS
from vidgan.sampling.latents import content_latent, unit_normal
from vidgan.sampling.motion import filtered_noise
from vidgan.sampling.take import Look, Motion, Take
from vidgan.weights import LoadedGenerator

# The slow filters, which belong to a look: the last ones.
NUM_SLOW = 2
NUM_FAST = len(NOISE_WIDTHS) - NUM_SLOW

# Contents that stand for all of them; drawn under a key that no seed has.
NUM_SAMPLES = 1024
_SAMPLES_KEY = 2**32

_MEANS: WeakKeyDictionary[nn.Module, dict[int, np.ndarray]] = WeakKeyDictionary()


def look_dim(generator: nn.Module) -> int:
    """Numbers in a look: a style, and a slow part of every channel of the noise."""
    return generator.style_dim + NUM_SLOW * generator.motion_dim


def look_vector(loaded: LoadedGenerator, look: Look, truncation: float = 1.0) -> np.ndarray:
    """float64 [look_dim] of a look, brought nearer to the mean look of its classes, or further from it.

    The truncation trick of StyleGAN (Karras et al. 2019, app. B): mean + truncation * (look - mean).
    """
    generator = loaded.generator
    shares = shares_of_classes(loaded, look)
    if look.code is not None:
        vector = np.array(look.code, np.float64)
    else:
        z = content_latent(look.seed, generator.content_dim)[None]
        style = sum(share * _styles(generator, z, label)[0] for label, share in shares.items())
        slow = filtered_noise(Motion(seed=look.seed), generator.motion_dim, 0.0)[:, NUM_FAST:]
        vector = np.concatenate([style, slow.ravel()])
    if truncation == 1:
        return vector
    mean = np.zeros_like(vector)
    mean[: generator.style_dim] = sum(share * mean_style(generator, label) for label, share in shares.items())
    return mean + truncation * (vector - mean)


def shares_of_classes(loaded: LoadedGenerator, look: Look) -> dict[int, float]:
    """Share of each class by label; they sum to 1."""
    total = sum(look.classes.values())
    return {loaded.provenance.class_names.index(name): share / total for name, share in look.classes.items()} or {
        0: 1.0
    }


def mean_style(generator: nn.Module, label: int) -> np.ndarray:
    """float64 [style]: the mean of a class; computed once for a generator."""
    means = _MEANS.setdefault(generator, {})
    if label not in means:
        means[label] = sample_styles(generator, label).mean(0)
    return means[label]


def sample_styles(generator: nn.Module, label: int) -> np.ndarray:
    """float64 [NUM_SAMPLES, style]: styles of contents in one class, always the same ones."""
    numbers = unit_normal([_SAMPLES_KEY], NUM_SAMPLES * generator.content_dim)
    return _styles(generator, torch.from_numpy(numbers).reshape(NUM_SAMPLES, -1), label)


@torch.inference_mode()
def _styles(generator: nn.Module, z: Tensor, label: int) -> np.ndarray:
    device = next(generator.parameters()).device
    labels = torch.full((len(z),), label, device=device)
    return generator.style(z.to(device), labels).double().cpu().numpy()


def deviation_of_looks(loaded: LoadedGenerator) -> np.ndarray:
    """float64 [look_dim, look_dim]: looks are their class's mean plus this times unit normal numbers, about."""
    generator = loaded.generator
    labels = range(max(1, len(loaded.provenance.class_names)))
    deviations = np.concatenate([sample_styles(generator, label) - mean_style(generator, label) for label in labels])
    variances, vectors = np.linalg.eigh(deviations.T @ deviations / len(deviations))
    scale = np.eye(look_dim(generator))
    scale[: generator.style_dim, : generator.style_dim] = vectors * np.sqrt(variances.clip(0))
    return scale


class LookPath:
    """The look of a take at any frame: a pure function of the frame, so that stretches are alike."""

    def __init__(self, take: Take, looks: np.ndarray, style_dim: int) -> None:
        """`looks` [N, look_dim] as `look_vector` makes them, one for each of the take's."""
        self.styles, self.slow = looks[:, :style_dim], looks[:, style_dim:]
        self.loop, self.ease = take.loop, take.ease
        self.walk_frames = take.walk_frames or take.num_frames

    def style(self, start: int, stop: int) -> Tensor:
        """float32 [style, frames] for the half-open range of frames, or [style, 1] if there is one look."""
        if len(self.styles) == 1:
            return torch.from_numpy(self.styles.T.astype(np.float32))
        path = []
        for before, after, share in map(self._place, range(start, stop)):
            path.append(self.styles[before] * (1 - share) + self.styles[after] * share)
        return torch.from_numpy(np.stack(path, axis=1).astype(np.float32))

    def slow_part(self, frame: float) -> np.ndarray:
        """float64 [motion_dim, NUM_SLOW] at a moment, of unit variance on the way from look to look as well."""
        before, after, share = self._place(frame)
        slow = (self.slow[before] * (1 - share) + self.slow[after] * share) / np.hypot(1 - share, share)
        return slow.reshape(-1, NUM_SLOW)

    def _place(self, frame: float) -> tuple[int, int, float]:
        """The looks before and after a frame, and the share of the second."""
        count = len(self.styles)
        if count == 1:
            return 0, 0, 0.0
        if self.loop is not None:
            place = frame % self.loop / self.loop * count
        else:
            place = min(max(frame / max(self.walk_frames - 1, 1), 0.0), 1.0) * (count - 1)
        before = min(int(place), count - 1)
        share = place - before
        if self.ease == "smooth":
            share = share * share * (3 - 2 * share)
        return before, (before + 1) % count, share
