"""repair: a network that mends clips, a 3-D encoder-decoder with skips; the discriminator is conv3d's.

    video, hole, grain --> candidates: here, before, after, mean  --> encoder -> decoder --> weights of candidates,
                                                                                             how far to move two,
                                                                                             a residual, doubt, logits
    noise --> directions of doubt --> + --> mended video

On a plate with a resting camera the nearest clean frame is nearly perfect, and over a short gap a mixture of both
neighbours is strong. So the network begins with these: before it has learnt anything, it mixes the nearest clean values
before and after a hole and what lies around it by the errors that each would make of clean pixels nearby. It learns how
to weigh them, where to look for them, and what to add. How sure it is it learns as well, and noise acts only where it
is not sure.

Convolutional in space and time: any length, any size that is a multiple of `multiple`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vidgan.config import REPAIR_MULTIPLE, Config
from vidgan.nn import conv3d
from vidgan.nn.candidates import Candidates, candidates_of, moved
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

# Levels of the encoder; the largest has half the picture's height and width, so that sides are multiples of 8.
NUM_LEVELS = 3
BLOCKS_PER_LEVEL = (1, 1, 2)

# Here, before, after, and the mean over time.
NUM_CANDIDATES = 4

NOISE_DIM = 8
# The noise is smoothed over time, in frames (standard deviation), so that an alternative does not flicker.
NOISE_WIDTH = 3.0

# Heads begin small, so that the network begins as its candidates.
HEAD_GAIN = 0.1
# What candidates start from. Weights of pictures whose errors are not correlated are best as 1 / squared error; these
# are logarithms: of a clean pixel as it came, of one with noise and of its mean over time, of what is added to a mean
# in a hole, and of a candidate that does not exist. Errors grow with the distance in frames.
CLEAN, NOISY, QUIET, MEAN, ABSENT = 2.0, -4.0, 0.0, -3.0, -30.0
# The logit of a pixel that does not stand out, and how far one does whose logit is 0, of voxels -1..1.
UNDAMAGED, STANDS_OUT = -4.0, 0.25
# The least squared error that is believed: of a level.
LEAST_ERROR = 1e-4
# What a head's 1 means for a residual, and in pixels that a candidate moves: little, so that a step of training, which
# changes all that a head is given alike, shakes neither.
RESIDUAL_UNIT, PIXELS_UNIT = 0.1, 0.5
# A logarithm of doubt is kept within these: from a tenth of a level to half of the range.
LEAST_DOUBT, MOST_DOUBT = -7.0, 0.0


class Mended(NamedTuple):
    """All that the network says of a video."""

    mean: Tensor
    """What it expects, [B, C, T, H, W]."""
    log_doubt: Tensor
    """Logarithm of the mean distance from the truth that it expects, [B, 1, T, H, W]."""
    variation: Tensor
    """What noise adds where doubt is 1, [B, C, T, H, W]: variance of about 1, 0 outside of holes."""
    logits: Tensor
    """Above zero where a pixel is damaged, [B, 1, T, H, W]."""

    @property
    def video(self) -> Tensor:
        """The alternative that the noise has chosen."""
        return self.mean + self.log_doubt.detach().exp() * self.variation


def normalised(x: Tensor) -> Tensor:
    """[B, C, T, H, W] with mean 0 and variance 1 over the channels of each pixel, as in ConvNeXt (Liu et al. 2022): so
    steps as large as a short training needs do not add up from block to block."""
    channels_last = rearrange(x, "b c t h w -> b t h w c")
    return rearrange(F.layer_norm(channels_last, x.shape[1:2]), "b t h w c -> b c t h w")


def start_weights(found: Candidates, hole: Tensor, grain: Tensor) -> Tensor:
    """Logarithms of the weights of here, before, after and mean, before anything is learnt: [B, 4, T, H, W]."""
    around, over_time = (-torch.log(error + LEAST_ERROR) for error in (found.error_around, found.error_over_time))
    neighbours = [
        torch.where(distance > 0, over_time - distance.clamp(min=1).log(), ABSENT)
        for distance in (found.since, found.until)
    ]
    in_hole = torch.cat([around, *neighbours, over_time + MEAN], dim=1)
    noisy = hole.new_tensor([NOISY, NOISY, NOISY, QUIET])
    clean = torch.where((grain > 0)[:, None], noisy, hole.new_tensor([CLEAN, 0, 0, ABSENT])).view(-1, 4, 1, 1, 1)
    absent = torch.cat([torch.ones_like(hole), found.since, found.until, torch.ones_like(hole)], dim=1) == 0
    return torch.where(hole > 0.5, in_hole, torch.where(absent, ABSENT, clean))


def start_logits(found: Candidates) -> Tensor:
    """Where damage is found before anything is learnt, [B, 1, T, H, W]: where a pixel stands out both in time and
    beside others, as dust does."""
    in_time, across, down = found.spikes.split(1, dim=1)
    return UNDAMAGED + (torch.minimum(in_time, torch.maximum(across, down)) / STANDS_OUT).clamp(max=2) * -UNDAMAGED


def _variation(noise: Tensor, directions: Tensor, height: int, width: int) -> Tensor:
    """White noise [B, n, T, h, w] along directions [B, C * n, T, H / 2, W / 2] -> [B, C, T, height, width]."""
    noise = _over_time(noise.float())
    frames = rearrange(noise, "b n t h w -> (b t) n h w")
    frames = F.interpolate(frames, directions.shape[3:], mode="bilinear")
    noise = rearrange(frames, "(b t) n h w -> b n t h w", b=noise.shape[0])
    directions = F.normalize(rearrange(directions, "b (c n) t h w -> b c n t h w", n=NOISE_DIM), dim=2)
    along = (directions * noise[:, None]).sum(2)  # faster than a matrix product for each pixel
    return upsample_space(along, height, width, mode="bilinear")


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
            (4 * channels + 9) * PIXEL_FOLD**2, downwards[0].channels, temporal=False, pad_time=True
        )
        self.down = nn.ModuleList(
            halving_convolution(larger.channels, smaller.channels, kernel=4) for larger, smaller in pairwise(downwards)
        )
        self.encoder = nn.ModuleList(
            nn.Sequential(*(RepairBlock(level) for _ in range(count)))
            for level, count in zip(downwards, BLOCKS_PER_LEVEL, strict=True)
        )
        self.up = nn.ModuleList(projection(smaller.channels, larger.channels) for smaller, larger in pairwise(levels))
        self.decoder = nn.ModuleList(RepairBlock(level) for level in levels[1:])
        last = levels[-1].channels
        # By pixel: weights of four candidates, a residual, doubt, damage; by fold of pixels: two offsets, directions.
        self.to_pixels = convolution(
            last, (NUM_CANDIDATES + channels + 2) * PIXEL_FOLD**2, temporal=False, pad_time=True, gain=HEAD_GAIN
        )
        self.to_fields = convolution(last, 4 + channels * NOISE_DIM, temporal=False, pad_time=True, gain=HEAD_GAIN)
        with torch.no_grad():
            self.to_fields.bias[4:].normal_()  # any direction is better than none

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
        fields = self.to_fields(x).float()
        mended = Mended(
            mean=self._mixture(found, hole, grain, weights, fields[:, :4]) + RESIDUAL_UNIT * residual,
            log_doubt=(doubt - 2).clamp(LEAST_DOUBT, MOST_DOUBT),
            variation=_variation(noise, fields[:, 4:], height, width) * hole,
            logits=logits + start_logits(found),
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
        x = torch.cat([here, *differences, hole, strength * 4, *nearness, *errors, 3 * found.spikes], dim=1)
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

    def _mixture(self, found: Candidates, hole: Tensor, grain: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
        """The candidates, two of them moved, by weights that start as said above: [B, C, T, H, W]."""
        height, width = hole.shape[3:]
        offsets = PIXELS_UNIT * upsample_space(offsets, height, width, mode="bilinear")
        shares = (weights + start_weights(found, hole, grain)).softmax(1)
        neighbours = moved(found.before, offsets[:, :2]), moved(found.after, offsets[:, 2:])
        pictures = found.here, *neighbours, found.mean
        return sum(shares[:, index : index + 1] * picture for index, picture in enumerate(pictures))


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


def build_generator(config: Config, num_classes: int) -> RepairNetwork:
    """A network that mends; classes are the discriminator's alone."""
    return RepairNetwork(
        repair_levels(config),
        channels=config.data.channels,
        checkpoint_activations=config.train.checkpoint_activations,
    )


build_discriminator = conv3d.build_discriminator
