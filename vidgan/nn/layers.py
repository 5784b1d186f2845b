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


def half_size(video: Tensor) -> Tensor:
    """[B, C, T, H, W] -> [B, C, T, ceil(H / 2), ceil(W / 2)]: means of 2x2 pixels.

    In two dimensions, because pooling in three has no gradient on a GPU that is the same each time.
    """
    frames = F.avg_pool2d(rearrange(video, "b c t h w -> (b t) c h w"), 2, ceil_mode=True)
    return rearrange(frames, "(b t) c h w -> b c t h w", b=len(video))


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


class FullSizeConvolution(Convolution):
    """A 3x3 convolution at the picture's own size, computed where its 2x2 pixels are channels of one.

    There a kernel has many channels, which is what kernels are fast with. The four pixels share one weight as at full
    size: weights of their own would show as a chequerboard (Odena et al. 2016). Around the picture lie zeros.

    [B, in, T, h, w] -> [B, 4 out, T, h, w], folded as by `fold_pixels`. What comes in is folded too,
    [B, 4 in, T, h, w]; or, with `grows`, of half the size, and interpolated as by `upsample_space` with "bilinear".
    """

    def __init__(self, in_channels: int, out_channels: int, *, grows: bool = False, gain: float = 1.0) -> None:
        super().__init__(in_channels, out_channels, (1, 3, 3), padding=(0, 1, 1))
        initialised(self, gain)
        self.grows = grows
        self.register_buffer("places", _places_of_taps(grows), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        with torch.autocast(x.device.type, enabled=False):
            spread = torch.tensordot(self.weight.double()[:, :, 0], self.places.double(), dims=2).to(self.weight.dtype)
        weight = rearrange(spread, "o i p q r s a b -> (p q o) (r s i) 1 a b")
        return self.convolved(x, weight, self.bias.repeat(PIXEL_FOLD**2))


def _places_of_taps(grows: bool) -> Tensor:
    """How much each tap [3, 3] of a pixel [p, q] counts at the places around it: [3, 3, p, q, r, s, 3, 3].

    A place is a folded pixel [3, 3] and one [r, s] of its pixels, of which there is but one if they are interpolated.
    """
    rows = torch.zeros(3, PIXEL_FOLD, 1 if grows else PIXEL_FOLD, 3)
    for tap in range(3):
        for pixel in range(PIXEL_FOLD):
            place, part = divmod(pixel + tap - 1, PIXEL_FOLD)
            if grows:  # three quarters of the place itself, a quarter of the one beside it
                rows[tap, pixel, 0, 1 + place] += 0.75
                rows[tap, pixel, 0, 1 + place + (1 if part else -1)] += 0.25
            else:
                rows[tap, pixel, part, 1 + place] = 1
    return torch.einsum("kpra, lqsb -> klpqrsab", rows, rows)


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


class Unmodulated(nn.Module):
    """In place of a `Modulation`: what comes in, whatever the style."""

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`x`."""
        return x
