"""dense: fully connected layers alone, the generator and the discriminator of Goodfellow et al. 2014.

A baseline: nothing in it knows of space or time. For small pictures such as digits, and clips of one length.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor, nn

from vidgan.config import Config
from vidgan.nn.conditions import BesideLatent, ProjectionHead
from vidgan.nn.family import Window
from vidgan.nn.layers import LEAK

# Widths of the hidden layers from the latent up, in channels of the config; the discriminator has them in reverse.
WIDTHS = (8, 16, 32)


def build_generator(config: Config, num_classes: int, shots: Sequence[int]) -> DenseGenerator:
    """A generator of clips of one length."""
    return DenseGenerator(config, num_classes, shots)


def build_discriminator(config: Config, num_classes: int, shots: Sequence[int]) -> DenseDiscriminator:
    """Every voxel goes into every number of the first layer."""
    return DenseDiscriminator(config, num_classes, shots)


class DenseGenerator(nn.Module):
    """z, one step of motion noise and the class -> all voxels at once."""

    first_frames = 1
    levels = ()

    def __init__(self, config: Config, num_classes: int, shots: Sequence[int]) -> None:
        super().__init__()
        data, model = config.data, config.model
        self.height, self.width, self.longest = data.height, data.width, data.num_frames
        self.content_dim, self.motion_dim = model.content_dim, model.motion_dim
        self.with_class = BesideLatent(model.content_dim, num_classes, shots)
        layers: list[nn.Module] = []
        inputs = self.with_class.dim + model.motion_dim
        for width in (factor * model.generator_channels for factor in WIDTHS):
            layers += [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.LeakyReLU(LEAK)]
            inputs = width
        self.layers = nn.Sequential(
            *layers, nn.Linear(inputs, data.num_frames * data.height * data.width * data.channels)
        )

    def motion_window(self, first_frame: int, num_frames: int) -> Window:
        """One step, whatever is asked for: a clip has one latent."""
        return 0, 1

    def forward(
        self, z: Tensor, motion: Tensor, labels: Tensor, *, first_frame: int = 0, num_frames: int | None = None
    ) -> Tensor:
        """z [B, content_dim], motion [B, motion_dim, 1], labels [B] -> the frames asked for, [B, C, T, H, W]."""
        x = self.layers(torch.cat([self.with_class(z, labels), motion[:, :, 0]], dim=1)).tanh().float()
        video = rearrange(x, "b (t h w c) -> b c t h w", t=self.longest, h=self.height, w=self.width)
        return video[:, :, first_frame : first_frame + (num_frames or self.longest)]


class DenseDiscriminator(nn.Module):
    """All voxels at once -> one logit."""

    levels = ()

    def __init__(self, config: Config, num_classes: int, shots: Sequence[int]) -> None:
        super().__init__()
        data = config.data
        layers: list[nn.Module] = []
        inputs = data.num_frames * data.height * data.width * data.channels
        for width in (factor * config.model.discriminator_channels for factor in reversed(WIDTHS)):
            layers += [nn.Linear(inputs, width), nn.LeakyReLU(LEAK)]
            inputs = width
        self.layers = nn.Sequential(*layers)
        self.head = ProjectionHead(inputs, num_classes, shots)

    def forward(self, video: Tensor, told: Tensor, frames: Tensor) -> Tensor:
        """Video [B, C, T, H, W] about -1..1, told int64 [B] -> logits float32 [B]; all frames are looked at."""
        return self.head(self.layers(rearrange(video, "b c t h w -> b (t h w c)")), told)
