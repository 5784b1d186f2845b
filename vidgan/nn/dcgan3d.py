"""dcgan3d: transposed 3-D convolutions with batch normalisation, from one latent to a whole clip.

The idea of VGAN (Vondrick et al. 2016, one stream); with one frame, DCGAN (Radford et al. 2015). A baseline: a clip has
one length, and batches are normalised as a whole.
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
from vidgan.nn.levels import Level, levels_of_clip

# Standard deviation of all weights at the start (Radford et al. 2015, sec. 4).
WEIGHT_DEVIATION = 0.02


def build_generator(config: Config, num_classes: int, shots: Sequence[int]) -> TransposedGenerator:
    """A generator of clips of one length."""
    return TransposedGenerator(levels_of(config, config.model.generator_channels), config, num_classes, shots)


def build_discriminator(config: Config, num_classes: int, shots: Sequence[int]) -> StridedDiscriminator:
    """Its mirror image: strided 3-D convolutions."""
    levels = levels_of(config, config.model.discriminator_channels)
    return StridedDiscriminator(levels, channels=config.data.channels, num_classes=num_classes, shots=shots)


def levels_of(config: Config, channels: int) -> tuple[Level, ...]:
    """The plan of levels, with kernels over time in all of them."""
    everywhere = max(config.data.height, config.data.width)
    return levels_of_clip(config.data, config.model, channels, max_temporal_rows=everywhere)


def drawn_narrowly(module: nn.Module) -> None:
    """DCGAN's start: weights of convolutions N(0, 0.02^2), scales of normalisation N(1, 0.02^2), no biases."""
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, WEIGHT_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
        nn.init.normal_(module.weight, 1.0, WEIGHT_DEVIATION)


class TransposedGenerator(nn.Module):
    """z, one step of motion noise and the class -> a clip of exactly `data.num_frames` frames."""

    first_frames = 1

    def __init__(self, levels: Sequence[Level], config: Config, num_classes: int, shots: Sequence[int]) -> None:
        super().__init__()
        data, model = config.data, config.model
        self.levels = tuple(levels)
        self.height, self.width, self.longest = data.height, data.width, data.num_frames
        self.content_dim, self.motion_dim = model.content_dim, model.motion_dim
        self.with_class = BesideLatent(model.content_dim, num_classes, shots)
        first = self.levels[0]
        size = first.channels * first.frames * first.height * first.width
        self.input = nn.Linear(self.with_class.dim + model.motion_dim, size)
        self.norms = nn.ModuleList(nn.BatchNorm3d(level.channels) for level in self.levels)
        outputs = [*(level.channels for level in self.levels[1:]), data.channels]
        frames = [*(level.frames for level in self.levels[1:]), data.num_frames]
        self.enlarge = nn.ModuleList(
            _transposed(level, channels, next_frames)
            for level, channels, next_frames in zip(self.levels, outputs, frames, strict=True)
        )
        self.apply(drawn_narrowly)

    def motion_window(self, first_frame: int, num_frames: int) -> Window:
        """One step, whatever is asked for: a clip has one latent."""
        return 0, 1

    def forward(
        self, z: Tensor, motion: Tensor, labels: Tensor, *, first_frame: int = 0, num_frames: int | None = None
    ) -> Tensor:
        """z [B, content_dim], motion [B, motion_dim, 1], labels [B] -> video [B, C, T, H, W], of which all is made and
        the frames that are asked for are given."""
        first = self.levels[0]
        x = self.input(torch.cat([self.with_class(z, labels), motion[:, :, 0]], dim=1))
        x = rearrange(x, "b (t h w c) -> b c t h w", t=first.frames, h=first.height, w=first.width)
        sizes = [(level.frames, level.height, level.width) for level in self.levels[1:]]
        for norm, enlarge, size in zip(
            self.norms, self.enlarge, [*sizes, (self.longest, self.height, self.width)], strict=True
        ):
            x = enlarge(norm(x).relu())[:, :, : size[0], : size[1], : size[2]]
        return x.tanh().float()[:, :, first_frame : first_frame + (num_frames or self.longest)]


class StridedDiscriminator(nn.Module):
    """Strided 3-D convolutions, batch normalisation in all but the first; over fewer frames each level if wanted."""

    def __init__(
        self,
        levels: Sequence[Level],
        *,
        channels: int,
        num_classes: int,
        shots: Sequence[int],
        halve_rate: bool = True,
    ) -> None:
        super().__init__()
        self.levels, larger_first = tuple(levels), tuple(levels)[::-1]
        layers: list[nn.Module] = []
        inputs, frames = channels, larger_first[0].frames
        for index, level in enumerate(larger_first):
            halves = halve_rate and level.frames < frames
            kernel, padding = ((4, 1) if halves else (3, 1)) if level.temporal else (1, 0)
            layers.append(
                nn.Conv3d(inputs, level.channels, (kernel, 4, 4), (2 if halves else 1, 2, 2), (padding, 1, 1))
            )
            if index:
                layers.append(nn.BatchNorm3d(level.channels))
            layers.append(nn.LeakyReLU(LEAK))
            inputs, frames = level.channels, level.frames
        self.layers = nn.Sequential(*layers)
        self.head = ProjectionHead(inputs, num_classes, shots)
        self.apply(drawn_narrowly)

    def forward(self, video: Tensor, told: Tensor, frames: Tensor) -> Tensor:
        """Video [B, C, T, H, W] about -1..1, told int64 [B] -> logits float32 [B]; all frames are looked at."""
        x = self.layers(video.contiguous(memory_format=torch.channels_last_3d))
        return self.head(x.float().mean((2, 3, 4)), told)


def _transposed(level: Level, channels: int, next_frames: int) -> nn.ConvTranspose3d:
    """To twice the height and width, and twice the frames if the next level has more."""
    doubles = next_frames > level.frames
    kernel, padding = ((4, 1) if doubles else (3, 1)) if level.temporal else (1, 0)
    return nn.ConvTranspose3d(level.channels, channels, (kernel, 4, 4), (2 if doubles else 1, 2, 2), (padding, 1, 1))
