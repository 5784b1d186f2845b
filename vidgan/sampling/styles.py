"""How the styles of a generator are spread: their mean, by class, and samples of them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from vidgan.sampling.latents import unit_normal

# Contents that stand for all of them; drawn under a key that no seed has.
NUM_SAMPLES = 1024
_SAMPLES_KEY = 2**32

_MEANS: WeakKeyDictionary[nn.Module, dict[int, np.ndarray]] = WeakKeyDictionary()


@torch.inference_mode()
def sample_styles(generator: nn.Module, label: int) -> np.ndarray:
    """float64 [NUM_SAMPLES, style]: styles of contents in one class, always the same ones."""
    numbers = unit_normal([_SAMPLES_KEY], NUM_SAMPLES * generator.content_dim)
    device = next(generator.parameters()).device
    z = torch.from_numpy(numbers).reshape(NUM_SAMPLES, -1).to(device)
    return generator.style(z, torch.full((NUM_SAMPLES,), label, device=device)).double().cpu().numpy()


def mean_style(generator: nn.Module, label: int) -> np.ndarray:
    """float64 [style]: the mean of a class; computed once for a generator."""
    means = _MEANS.setdefault(generator, {})
    if label not in means:
        means[label] = sample_styles(generator, label).mean(0)
    return means[label]
