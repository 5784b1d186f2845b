"""I3D, the network of the Frechet Video Distance: Inception-v1 inflated to three dimensions, RGB stream.

Carreira and Zisserman, "Quo Vadis, Action Recognition?", 2017; its 400 Kinetics logits as the embedding of a clip:
Unterthiner et al., "Towards Accurate Generative Models of Video", 2018. The figures are comparable with others only
if every detail is the original's: its padding, its way of enlarging, the epsilon of its batch normalisation.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from vidgan.clip import check_video, to_float
from vidgan.errors import RequestError

SIZE = 224
NUM_LOGITS = 400
MIN_FRAMES = 9
"""Of fewer frames less than the two that the last average takes are left."""

# Of TensorFlow's Sonnet, in which the network was trained; PyTorch's own would be 1e-5.
NORMALIZATION_EPSILON = 1e-3


@dataclass(frozen=True)
class Convolution:
    """A convolution with a cubic kernel."""

    name: str
    channels: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class MaxPool:
    """Sizes are (T, H, W)."""

    name: str
    kernel: tuple[int, int, int]
    stride: tuple[int, int, int]


@dataclass(frozen=True)
class Mixed:
    """An Inception block: four branches over the same input, put side by side."""

    name: str
    point: int
    """Channels of the first branch: 1x1x1."""
    middle: tuple[int, int]
    """Of the second: 1x1x1, then 3x3x3."""
    small: tuple[int, int]
    """Of the third: 1x1x1, then 3x3x3."""
    pooled: int
    """Of the fourth: a 3x3x3 pool, then 1x1x1."""


# The network from the picture to the average before the logits, under the names of the original.
STEPS: tuple[Convolution | MaxPool | Mixed, ...] = (
    Convolution("Conv3d_1a_7x7", 64, kernel=7, stride=2),
    MaxPool("MaxPool3d_2a_3x3", (1, 3, 3), (1, 2, 2)),
    Convolution("Conv3d_2b_1x1", 64, kernel=1),
    Convolution("Conv3d_2c_3x3", 192, kernel=3),
    MaxPool("MaxPool3d_3a_3x3", (1, 3, 3), (1, 2, 2)),
    Mixed("Mixed_3b", 64, (96, 128), (16, 32), 32),
    Mixed("Mixed_3c", 128, (128, 192), (32, 96), 64),
    MaxPool("MaxPool3d_4a_3x3", (3, 3, 3), (2, 2, 2)),
    Mixed("Mixed_4b", 192, (96, 208), (16, 48), 64),
    Mixed("Mixed_4c", 160, (112, 224), (24, 64), 64),
    Mixed("Mixed_4d", 128, (128, 256), (24, 64), 64),
    Mixed("Mixed_4e", 112, (144, 288), (32, 64), 64),
    Mixed("Mixed_4f", 256, (160, 320), (32, 128), 128),
    MaxPool("MaxPool3d_5a_2x2", (2, 2, 2), (2, 2, 2)),
    Mixed("Mixed_5b", 256, (160, 320), (32, 128), 128),
    Mixed("Mixed_5c", 384, (192, 384), (48, 128), 128),
)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """How much TensorFlow's "SAME" adds before and after an axis: so much that ceil(size / stride) come out.

    The odd one goes to the end. `size` 224, `kernel` 7, `stride` 2: (2, 3).
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pad_same(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int], *, value: float = 0.0) -> Tensor:
    """[B, c, T, H, W] -> the same with `value` around it, as "SAME" has it."""
    pads = [same_padding(*axis) for axis in zip(x.shape[2:], kernel, stride, strict=True)]
    around = [amount for before_after in reversed(pads) for amount in before_after]
    return F.pad(x, around, value=value) if any(around) else x


def max_pool_same(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """The largest value of each window; what lies outside the picture never is."""
    return F.max_pool3d(pad_same(x, kernel, stride, value=-torch.inf), kernel, stride)


class Unit3D(nn.Module):
    """Convolution, batch normalisation with stored statistics and no scale, ReLU."""

    def __init__(self, in_channels: int, channels: int, *, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.weight = nn.Parameter(torch.empty(channels, in_channels, *self.kernel))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, T, H, W] -> [B, channels, T, H, W], each axis divided by the stride and rounded up; 0 or more.

        (w * x - mean) * scale + bias = (w * scale) * x + (bias - mean * scale), a pass over the pictures less.
        """
        scale = (self.variance + NORMALIZATION_EPSILON).rsqrt()
        weight = self.weight * rearrange(scale, "c -> c 1 1 1 1")
        bias = self.bias - self.mean * scale
        if self.kernel == (1, 1, 1):  # a matrix product, and several times as fast if said so
            x = F.linear(rearrange(x, "b c t h w -> b t h w c"), weight.flatten(1), bias)
            x = rearrange(x, "b t h w c -> b c t h w")
        else:
            x = F.conv3d(pad_same(x, self.kernel, self.stride), weight, bias, self.stride)
        return F.relu_(x)


class MaxPoolSame(nn.Module):
    """A row `MaxPool` of the table."""

    def __init__(self, step: MaxPool) -> None:
        super().__init__()
        self.kernel, self.stride = step.kernel, step.stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, T, H, W] -> [B, c, T, H, W], each axis divided by its stride and rounded up."""
        return max_pool_same(x, self.kernel, self.stride)


class MixedBlock(nn.Module):
    """A row `Mixed` of the table."""

    def __init__(self, in_channels: int, step: Mixed) -> None:
        super().__init__()
        self.b0 = Unit3D(in_channels, step.point)
        self.b1a = Unit3D(in_channels, step.middle[0])
        self.b1b = Unit3D(step.middle[0], step.middle[1], kernel=3)
        self.b2a = Unit3D(in_channels, step.small[0])
        self.b2b = Unit3D(step.small[0], step.small[1], kernel=3)
        self.b3b = Unit3D(in_channels, step.pooled)
        self.channels = step.point + step.middle[1] + step.small[1] + step.pooled

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, T, H, W] -> [B, channels, T, H, W]."""
        pooled = max_pool_same(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], dim=1)


class I3D(nn.Module):
    """Video in, 400 logits out, averaged over time and before the softmax."""

    def __init__(self) -> None:
        super().__init__()
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for step in STEPS:
            if isinstance(step, MaxPool):
                steps[step.name] = MaxPoolSame(step)
            elif isinstance(step, Mixed):
                steps[step.name] = MixedBlock(channels, step)
                channels = steps[step.name].channels
            else:
                steps[step.name] = Unit3D(channels, step.channels, kernel=step.kernel, stride=step.stride)
                channels = step.channels
        self.steps = nn.Sequential(steps)
        self.logits = nn.Conv3d(channels, NUM_LOGITS, kernel_size=1)

    def forward(self, video: Tensor) -> Tensor:
        """Video [B, 3, T >= 9, 224, 224] -1..1 -> logits float32 [B, 400]. Raises `RequestError` for other sizes."""
        check_video(video, channels=3, height=SIZE, width=SIZE)
        if video.shape[2] < MIN_FRAMES:
            raise RequestError(f"video [b c t h w] has t={video.shape[2]} (I3D expects {MIN_FRAMES} frames or more)")
        x = F.avg_pool3d(self.steps(video), (2, 7, 7), stride=1)
        return reduce(self.logits(x).float(), "b c t 1 1 -> b c", "mean")


def lines_between(size: int, new_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each new line the old line at or before it, the next one, int64, and the share of the next, float32 0..1.

    New line i lies at i * size / new_size: the first lines coincide, not the centres or the edges of the pictures.
    """
    positions = torch.arange(new_size, dtype=torch.float32) * torch.tensor(size / new_size, dtype=torch.float32)
    before = positions.long()
    return before, (before + 1).clamp(max=size - 1), positions - before


def resize(pictures: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, [..., H, W, C] of numbers -> float32 [..., height, width, C] in the same range.

    `tf.image.resize_bilinear` of TensorFlow 1, with which all published figures were made. It does not average when
    it makes pictures smaller. `torch.nn.functional.interpolate` has no such mode: it aligns centres or corners.
    """
    left, right, share = (part.to(pictures.device) for part in lines_between(pictures.shape[-2], width))
    at_left = pictures.index_select(-2, left).float()
    wide = at_left + (pictures.index_select(-2, right).float() - at_left) * share[:, None]
    top, bottom, share = (part.to(pictures.device) for part in lines_between(pictures.shape[-3], height))
    at_top = wide.index_select(-3, top)
    return at_top + (wide.index_select(-3, bottom) - at_top) * share[:, None, None]


def preprocess(frames: Tensor) -> Tensor:
    """Frames of B clips, uint8 [B, T, H, W, C] -> video float32 [B, 3, T, 224, 224] -1..1; grey is repeated.

    Raises `RequestError` for anything else.
    """
    if frames.ndim != 5 or frames.dtype != torch.uint8 or frames.shape[-1] not in (1, 3):
        raise RequestError(
            f"frames are {frames.dtype} {tuple(frames.shape)} (expected uint8 [b t h w c] with 1 or 3 channels)"
        )
    video = rearrange(to_float(resize(frames, SIZE, SIZE)), "b t h w c -> b c t h w")
    return video.expand(-1, 3, -1, -1, -1).contiguous(memory_format=torch.channels_last_3d)


def embed(network: I3D, clips: Iterable[np.ndarray | Tensor], *, batch_size: int = 4) -> np.ndarray:
    """Frames uint8 [T >= 9, H, W, C] of N clips of one size -> their logits, float64 [N, 400].

    `clips` may be a generator, of which `batch_size` clips at a time are in memory, or an array [N, T, H, W, C]. A
    clip's logits do not depend on its batch but for rounding. In float32, unless the caller has turned autocast on.
    Raises `RequestError` for clips of different sizes.
    """
    if batch_size < 1:
        raise RequestError(f"batch_size is {batch_size} (expected 1 or more)")
    device = network.logits.weight.device
    clips = iter(clips)
    logits, size = [np.empty((0, NUM_LOGITS))], None
    while batch := [np.asarray(frames) for frames in islice(clips, batch_size)]:
        size = size or batch[0].shape
        for frames in batch:
            if frames.shape != size:
                raise RequestError(f"clips [t h w c] of sizes {size} and {frames.shape} (expected one size)")
        with torch.inference_mode():
            video = preprocess(torch.from_numpy(np.stack(batch)).to(device))
            logits.append(network(video).double().cpu().numpy())
    return np.concatenate(logits)
