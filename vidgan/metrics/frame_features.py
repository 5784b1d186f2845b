"""Features of single pictures without any training: a convolutional network with random weights.

Random filters see colours, edges and textures, not things; a distance of such features is small where pictures look
alike from afar, and is never to be called FID.
"""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange, reduce
from torch import nn

from vidgan.clip import to_float

NUM_FEATURES = 256
NAME = f"convolutional network with random weights (seed 0), 4 layers, {NUM_FEATURES} features"

# Pictures go through at this many rows and columns.
SIDE = 64


def random_network() -> nn.Sequential:
    """Four strided convolutions, 64 to 256 channels, with weights drawn from seed 0 (He et al. 2015)."""
    draws, layers, channels = torch.Generator().manual_seed(0), [], 3
    for width in (64, 64, 128, NUM_FEATURES):
        layer = nn.Conv2d(channels, width, 3, stride=2, padding=1)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=draws)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
        channels = width
    return nn.Sequential(*layers).eval().requires_grad_(False)


@torch.inference_mode()
def frame_features(network: nn.Sequential, clip: np.ndarray) -> np.ndarray:
    """Frames uint8 [T, H, W, C] -> float64 [T, 256], means over the picture."""
    frames = rearrange(to_float(torch.tensor(clip)), "t h w c -> t c h w")
    frames = nn.functional.interpolate(frames, (SIDE, SIDE), mode="bilinear", antialias=True).expand(-1, 3, -1, -1)
    return reduce(network(frames), "t c h w -> t c", "mean").double().numpy()
