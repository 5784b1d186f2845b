"""What both networks are made of: convolutions, changes of size in space and in time, modulation.

Everything takes and returns [B, C, T, H, W] and keeps the memory layout channels_last_3d, in which a
3-D convolution in bfloat16 is several times faster. Changes of size in space fold time into the
batch: a view in that layout, and the 2-D kernels are the fast ones.
"""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vidgan.nn.exact import Convolution, Linear
from vidgan.nn.levels import PIXEL_FOLD

LEAK = 0.2

Layer = TypeVar("Layer", nn.Conv3d, nn.Linear)

# The last convolution of a residual branch starts small, so that a deep network starts as its shortcuts.
BRANCH_GAIN = 0.3


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU with slope 0.2 below zero (DCGAN, Radford et al. 2015)."""
    return F.leaky_relu(x, LEAK)


def convolution(in_channels: int, out_channels: int, *, temporal: bool, pad_time: bool, gain: float = 1.0) -> nn.Conv3d:
    """A 3x3x3 convolution, or 1x3x3 without `temporal`. Space is padded with zeros.

    With `pad_time` the number of frames stays; without, a temporal kernel uses up one frame at each end,
    so that no output has ever seen a frame that does not exist.
    """
    kernel = 3 if temporal else 1
    padding = (kernel // 2 if pad_time else 0, 1, 1)
    layer = Convolution(in_channels, out_channels, (kernel, 3, 3), padding=padding)
    return initialised(layer, gain)


def initialised(layer: Layer, gain: float = 1.0) -> Layer:
    """Weights as He et al. 2015 advise for this activation, times `gain`; biases zero."""
    nn.init.kaiming_normal_(layer.weight, a=LEAK)
    with torch.no_grad():
        layer.weight *= gain
        layer.bias.zero_()
    return layer


def halving_convolution(in_channels: int, out_channels: int, *, gain: float = 1.0) -> nn.Conv3d:
    """A 1x4x4 convolution that takes every second pixel each way: even sizes become half."""
    return initialised(Convolution(in_channels, out_channels, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1)), gain)


def projection(in_channels: int, out_channels: int) -> nn.Module:
    """A 1x1x1 convolution that changes the number of channels; the identity where they are equal."""
    if in_channels == out_channels:
        return nn.Identity()
    layer = Convolution(in_channels, out_channels, 1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    return layer


def upsample_space(x: Tensor, height: int, width: int, *, mode: str = "nearest") -> Tensor:
    """[B, C, T, h, w] -> [B, C, T, height, width]: twice the size, cut for odd sizes; as it is if it has that size.

    "nearest" is fast; "bilinear" leaves no blocks in what is made, and costs about as much as an activation.
    """
    if x.shape[3:] == (height, width):
        return x
    frames = rearrange(x, "b c t h w -> (b t) c h w")
    frames = F.interpolate(frames, scale_factor=2.0, mode=mode)[..., :height, :width]
    return rearrange(frames, "(b t) c h w -> b c t h w", b=x.shape[0])


def downsample_time(x: Tensor) -> Tensor:
    """[B, C, T, H, W] -> [B, C, ceil(T / 2), H, W]: the mean of each two frames; a last odd one stays."""
    odd = x.shape[2] % 2
    pairs = (x[:, :, : x.shape[2] - odd : 2] + x[:, :, 1::2]) * 0.5
    return torch.cat([pairs, x[:, :, -1:]], dim=2) if odd else pairs


def pad_to_even(x: Tensor) -> Tensor:
    """[B, C, T, H, W] with a last row or column repeated where H or W is odd."""
    height, width = x.shape[3:]
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2, 0, 0), mode="replicate")
    return x


def fold_pixels(video: Tensor) -> Tensor:
    """[B, C, T, H, W] -> [B, 4 C, T, ceil(H / 2), ceil(W / 2)]: 2x2 pixels become channels."""
    frames = rearrange(pad_to_even(video), "b c t (h p) (w q) -> b t h w (p q c)", p=PIXEL_FOLD, q=PIXEL_FOLD)
    return rearrange(frames, "b t h w c -> b c t h w")


def unfold_pixels(x: Tensor, height: int, width: int) -> Tensor:
    """[B, 4 C, T, h, w] -> [B, C, T, height, width]: the inverse of `fold_pixels`, cut to size."""
    video = rearrange(x, "b (p q c) t h w -> b t (h p) (w q) c", p=PIXEL_FOLD, q=PIXEL_FOLD)
    return rearrange(video[:, :, :height, :width], "b t h w c -> b c t h w")


class Modulation(nn.Module):
    """A scale and a shift for each channel, from a style vector (FiLM, Perez et al. 2018).

    [B, C, T, H, W], [B, T, style] (or [B, 1, style] for all frames) -> [B, C, T, H, W]. Starts as the identity.
    """

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        self.affine = Linear(style_dim, 2 * channels)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Scale and shift `x`."""
        scale, shift = rearrange(self.affine(style), "b t (two c) -> two b c t 1 1", two=2)
        return x * (1 + scale) + shift
