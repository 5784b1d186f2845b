"""repair: a network that mends clips, a 3-D encoder-decoder with skips; the discriminator is conv3d's.

    video, hole, grain --> candidates: here, before, after, mean  --> encoder -> decoder --> weights of candidates,
                                                                                             a residual, doubt, logits
    noise --> weights, directions of doubt --> + --> mended video

On a plate with a resting camera the nearest clean frame is nearly perfect, and over a short gap a mixture of both
neighbours is strong. So the network begins with these: before it has learnt anything, it mixes the nearest clean values
before and after a hole and what lies around it by the errors that each would make of clean pixels nearby; over frames
that are missing, these are moved along the motion. It learns how to weigh them a little better, and what to add. How
sure it is it learns as well. Noise chooses among the candidates, which changes nothing where they agree, and adds what
is learnt to be possible where it is not sure.

Convolutional in space and time: any length, any size that is a multiple of `multiple`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vidgan.config import REPAIR_MULTIPLE, Config
from vidgan.nn import conv3d
from vidgan.nn.candidates import Candidates, candidates_of
from vidgan.nn.layers import (
    BRANCH_GAIN,
    activate,
    convolution,
    fold_pixels,
    halving_convolution,
    projection,
    unfold_pixels,
    upsample_space,
)
from vidgan.nn.levels import PIXEL_FOLD, Level
from vidgan.nn.rules import LEAST_ERROR, start_logits, start_weights

OPTIONS = ("model.discriminator_frames", "train.checkpoint_activations", "train.equalize_lr")

# Levels of the encoder; the largest has half the picture's height and width, so that sides are multiples of 8.
NUM_LEVELS = 3
BLOCKS_PER_LEVEL = (1, 1, 2)

# Here, before, after, and the mean over time.
NUM_CANDIDATES = 4

# Noise that chooses among candidates, and how far it moves logarithms of weights; and noise along learnt directions.
CHOICE, NUM_DIRECTIONS = 4.0, 4
NOISE_DIM = NUM_CANDIDATES + NUM_DIRECTIONS
# The noise is smoothed over time, in frames (standard deviation), so that an alternative does not flicker.
NOISE_WIDTH = 3.0

# Heads begin small, so that the network begins as its candidates.
HEAD_GAIN = 0.1
# How far what is learnt may lower the logit of damage: it is rare, and a short training would find none.
MOST_DENIAL = 0.3
# How far what is learnt may move the logarithm of a weight in a hole: footage that moves unlike any seen in training is
# still judged by its own errors.
MOST_WEIGHT = 0.7
# What a head's 1 means for a residual and for such a logarithm: little, so that a step of training, which changes all
# that a head is given alike, shakes neither.
RESIDUAL_UNIT, WEIGHT_UNIT = 0.1, 0.03
# A logarithm of doubt is kept within these: from a tenth of a level to half of the range.
LEAST_DOUBT, MOST_DOUBT = -7.0, 0.0


class Mended(NamedTuple):
    """All that the network says of a video."""

    mean: Tensor
    """What it expects, [B, C, T, H, W]."""
    log_doubt: Tensor
    """Logarithm of the mean distance from the truth that it expects, [B, 1, T, H, W]."""
    chosen: Tensor
    """How noise's choice among candidates differs from that, [B, C, T, H, W]; 0 outside of holes."""
    variation: Tensor
    """What noise adds where doubt is 1, [B, C, T, H, W]; 0 outside of holes."""
    logits: Tensor
    """Above zero where a pixel is damaged, [B, 1, T, H, W]."""

    @property
    def video(self) -> Tensor:
        """The alternative that the noise has chosen."""
        return self.mean + self.chosen + self.log_doubt.detach().exp() * self.variation


def normalised(x: Tensor) -> Tensor:
    """[B, C, T, H, W] with mean 0 and variance 1 over the channels of each pixel, as in ConvNeXt (Liu et al. 2022): so
    steps as large as a short training needs do not add up from block to block."""
    channels_last = rearrange(x, "b c t h w -> b t h w c")
    return rearrange(F.layer_norm(channels_last, x.shape[1:2]), "b t h w c -> b c t h w")


def mixture(found: Candidates, weights: Tensor) -> Tensor:
    """The candidates by the logarithms of their weights, [B, 4, T, H, W]: [B, C, T, H, W]."""
    pictures = found.here, found.before, found.after, found.mean
    return sum(share * picture for share, picture in zip(weights.softmax(1).split(1, dim=1), pictures, strict=True))


def within(most: float, x: Tensor) -> Tensor:
    """Nearly as it is where it is small, and never further from 0 than `most`."""
    return most * torch.tanh(x / most)


def _variation(noise: Tensor, directions: Tensor) -> Tensor:
    """Noise [B, n, T, H, W] along directions [B, C * n, T, H / 2, W / 2] -> [B, C, T, H, W]."""
    directions = upsample_space(directions, *noise.shape[3:], mode="bilinear")
    directions = rearrange(directions, "b (c n) t h w -> b c n t h w", n=NUM_DIRECTIONS)
    return (directions * noise[:, None]).sum(2)  # faster than a matrix product for each pixel


def _fields(noise: Tensor, height: int, width: int) -> Tensor:
    """White noise [B, n, T, h, w] as smooth fields of the picture's size, float32 [B, n, T, height, width]."""
    frames = rearrange(_over_time(noise.float()), "b n t h w -> (b t) n h w")
    frames = F.interpolate(frames, (height, width), mode="bilinear")
    return rearrange(frames, "(b t) n h w -> b n t h w", b=noise.shape[0])


def _over_time(noise: Tensor) -> Tensor:
    """White noise [B, n, T, h, w], smoothed over time; its variance stays 1, at the ends too."""
    reach = int(3 * NOISE_WIDTH)
    steps = torch.arange(-reach, reach + 1, device=noise.device, dtype=noise.dtype)
    kernel = torch.exp(-0.5 * (steps / NOISE_WIDTH) ** 2).view(1, 1, -1)
    series = rearrange(noise, "b n t h w -> (b n h w) 1 t")
    smooth = F.conv1d(series, kernel, padding=reach)
    variance = F.conv1d(torch.ones_like(series[:1]), kernel.square(), padding=reach)
    smooth = smooth / variance.sqrt()
    batch, channels, _, height, width = noise.shape
    return rearrange(smooth, "(b n h w) 1 t -> b n t h w", b=batch, n=channels, h=height, w=width)


class RepairBlock(nn.Module):
    """A residual block: a convolution within frames, one over time."""

    def __init__(self, level: Level) -> None:
        super().__init__()
        self.conv1 = convolution(level.channels, level.channels, temporal=False, pad_time=True)
        self.conv2 = convolution(
            level.channels, level.channels, temporal=level.temporal, pad_time=True, gain=BRANCH_GAIN
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, T, h, w] -> the same shape."""
        return x + self.conv2(activate(self.conv1(activate(normalised(x)))))


class RepairNetwork(nn.Module):
    """A `vidgan.nn.family.Repairer` for clips of `channels`."""

    noise_dim, multiple = NOISE_DIM, REPAIR_MULTIPLE

    def __init__(self, levels: tuple[Level, ...], *, channels: int, checkpoint_activations: bool = False) -> None:
        """`levels` as `repair_levels` plans them, smallest first."""
        super().__init__()
        self.levels, self.channels, self.checkpoint_activations = levels, channels, checkpoint_activations
        downwards = levels[::-1]
        self.input = convolution(
            (4 * channels + 12) * PIXEL_FOLD**2, downwards[0].channels, temporal=False, pad_time=True
        )
        self.down = nn.ModuleList(
            halving_convolution(larger.channels, smaller.channels) for larger, smaller in pairwise(downwards)
        )
        self.encoder = nn.ModuleList(
            nn.Sequential(*(RepairBlock(level) for _ in range(count)))
            for level, count in zip(downwards, BLOCKS_PER_LEVEL, strict=True)
        )
        self.up = nn.ModuleList(projection(smaller.channels, larger.channels) for smaller, larger in pairwise(levels))
        self.decoder = nn.ModuleList(RepairBlock(level) for level in levels[1:])
        last = levels[-1].channels
        # By pixel: weights of four candidates, a residual, doubt, damage; by fold of pixels: directions.
        self.to_pixels = convolution(
            last, (NUM_CANDIDATES + channels + 2) * PIXEL_FOLD**2, temporal=False, pad_time=True, gain=HEAD_GAIN
        )
        self.to_directions = convolution(last, channels * NUM_DIRECTIONS, temporal=False, pad_time=True, gain=HEAD_GAIN)

    def forward(
        self, video: Tensor, hole: Tensor, grain: Tensor, noise: Tensor, *, in_parts: bool = False
    ) -> tuple[Tensor, Tensor] | Mended:
        """As `vidgan.nn.family.Repairer` says; `in_parts`, for training, all that is known of the mended video."""
        with torch.no_grad():
            found = candidates_of(video.float(), hole.float(), grain.float())
        x = self._features(found, hole, grain)
        height, width = video.shape[3:]
        pixels = unfold_pixels(self.to_pixels(x).float(), height, width)
        weights, residual, doubt, logits = pixels.split([NUM_CANDIDATES, self.channels, 1, 1], dim=1)
        weights = torch.where(hole > 0.5, within(MOST_WEIGHT, WEIGHT_UNIT * weights), weights)
        weights = weights + start_weights(found, hole, grain)
        choices, steps = (_fields(noise, height, width) * hole).split([NUM_CANDIDATES, NUM_DIRECTIONS], dim=1)
        expected = mixture(found, weights)
        mended = Mended(
            mean=expected + RESIDUAL_UNIT * residual,
            log_doubt=(doubt - 2).clamp(LEAST_DOUBT, MOST_DOUBT),
            chosen=mixture(found, weights + CHOICE * choices) - expected,
            variation=_variation(steps, self.to_directions(x).float()),
            logits=torch.where(logits < 0, within(MOST_DENIAL, logits), logits) + start_logits(found),
        )
        return mended if in_parts else (mended.video, mended.logits)

    def _features(self, found: Candidates, hole: Tensor, grain: Tensor) -> Tensor:
        """What decides, at half the picture's size: [B, c, T, h, w]."""
        here = found.here
        strength = grain.view(-1, 1, 1, 1, 1).expand_as(hole)
        errors = [torch.log(error + LEAST_ERROR) / 4 + 1 for error in (found.error_around, found.error_over_time)]
        nearness = [torch.where(each > 0, 1 / each.clamp(min=1), 0) for each in (found.since, found.until)]
        # Differences, not pictures: bfloat16 has no room for a level of difference between two bright pixels.
        differences = [other - here for other in (found.before, found.after, found.mean)]
        x = torch.cat(
            [
                here,
                *differences,
                hole,
                strength * 4,
                *nearness,
                *errors,
                3 * found.spikes,
                3 * found.lines,
                found.repeats,
            ],
            dim=1,
        )
        x = self.input(fold_pixels(x).contiguous(memory_format=torch.channels_last_3d))
        skips = []
        for index, blocks in enumerate(self.encoder):
            if index:
                skips.append(x)
                x = self.down[index - 1](activate(x))
            x = self._kept_small(blocks, x)
        for project, block in zip(self.up, self.decoder, strict=True):
            skip = skips.pop()
            x = self._kept_small(block, skip + upsample_space(project(x), *skip.shape[3:]))
        return activate(normalised(x))

    def _kept_small(self, blocks: nn.Module, x: Tensor) -> Tensor:
        if self.checkpoint_activations and torch.is_grad_enabled():
            return checkpoint(blocks, x, use_reentrant=False)
        return blocks(x)


def repair_levels(config: Config) -> tuple[Level, ...]:
    """The sizes that a clip passes through, smallest first; each has twice the channels of the next larger one."""
    data, model = config.data, config.model
    return tuple(
        Level(
            frames=data.num_frames,
            height=data.height // (PIXEL_FOLD * 2**index),
            width=data.width // (PIXEL_FOLD * 2**index),
            channels=min(model.generator_channels * 2**index, model.max_channels),
            frame_step=1,
            temporal=data.num_frames > 1 and index > 0,
        )
        for index in reversed(range(NUM_LEVELS))
    )


def build_generator(config: Config, num_classes: int, shots: Sequence[int]) -> RepairNetwork:
    """A network that mends; classes are the discriminator's alone, and shots are not told."""
    return RepairNetwork(
        repair_levels(config),
        channels=config.data.channels,
        checkpoint_activations=config.train.checkpoint_activations,
    )


build_discriminator = conv3d.build_discriminator
