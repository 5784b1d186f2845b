"""What a pixel may be taken from: those around it, the nearest clean ones before and after it, their means over time.

    time      0   1   2   3   4   5
    clean     x   x   .   .   x   x
    before    -   0   1   1   1   4        the last clean frame before, strictly; - is none
    after     1   4   4   4   5   -

They are found by plain scans, pixel by pixel, and nothing is learnt here.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

# Frames over which means are taken: those at rest lose their noise in the long one, those that move blur in it.
SHORT, LONG = 5, 15


class Candidates(NamedTuple):
    """Of every pixel of a video, in holes and outside."""

    here: Tensor
    """The picture as it came, and what lies around a hole in the same frame inside it: [B, C, T, H, W]."""
    before: Tensor
    """The nearest clean value before in time, [B, C, T, H, W]; `here` where there is none."""
    after: Tensor
    """The same, after."""
    short: Tensor
    """The mean of clean values over `SHORT` frames around, [B, C, T, H, W]; `here` where there is none."""
    long: Tensor
    """The same over `LONG` frames."""
    since: Tensor
    """Frames since then, float32 [B, 1, T, H, W]; 0 where there is none."""
    until: Tensor
    """Frames until the one after."""

    @property
    def others(self) -> tuple[Tensor, ...]:
        """All pictures but `here`."""
        return self.before, self.after, self.short, self.long


def candidates_of(video: Tensor, hole: Tensor) -> Candidates:
    """Video [B, C, T, H, W] and hole [B, 1, T, H, W], 1 where the video is not looked at."""
    clean = hole < 0.5
    here = fill_from_around(video * clean, clean.to(video.dtype))
    before, since = last_clean(video, clean)
    after, until = (each.flip(2) for each in last_clean(video.flip(2), clean.flip(2)))
    before = torch.where(since > 0, before, here)
    after = torch.where(until > 0, after, here)
    short, long = (clean_mean(video, clean, here, width) for width in (SHORT, LONG))
    return Candidates(here, before, after, short, long, since, until)


def last_clean(video: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest clean value strictly before each pixel, [B, C, T, H, W] (any value where there is none), and how many
    frames ago that was, float32 [B, 1, T, H, W], 0 where there is none."""
    times = torch.arange(video.shape[2], device=video.device).view(1, 1, -1, 1, 1)
    last = torch.where(clean, times, -1).cummax(2).values
    last = F.pad(last[:, :, :-1], (0, 0, 0, 0, 1, 0), value=-1)
    values = video.gather(2, last.clamp(min=0).expand_as(video))
    return values, torch.where(last >= 0, times - last, 0).float()


def clean_mean(video: Tensor, clean: Tensor, otherwise: Tensor, width: int) -> Tensor:
    """Means of clean values over `width` frames around each pixel, [B, C, T, H, W]; `otherwise` if there are none."""
    clean = clean.to(video.dtype)
    times = torch.arange(video.shape[2], device=video.device)
    start, stop = (times - width // 2).clamp(min=0), (times + width // 2 + 1).clamp(max=len(times))
    until = [F.pad(each.cumsum(2), (0, 0, 0, 0, 1, 0)) for each in (video * clean, clean)]
    sums, counts = (each[:, :, stop] - each[:, :, start] for each in until)
    return torch.where(counts > 0.5, sums / counts.clamp(min=1), otherwise)


def fill_from_around(video: Tensor, clean: Tensor) -> Tensor:
    """Video [B, C, T, H, W], 0 where `clean` [B, 1, T, H, W] is 0 -> the same with those pixels filled frame by frame.

    Means of clean pixels over blocks of 2x2, 4x4, ... fill what the smaller blocks leave empty, smoothly (push-pull,
    Gortler et al. 1996, sec. 3.4). A frame without a clean pixel becomes 0.
    """
    frames, weights = (rearrange(each, "b c t h w -> (b t) c h w") for each in (video, clean))
    levels = [(frames, weights)]
    while max(levels[-1][0].shape[2:]) > 1:
        sums, weights = (F.avg_pool2d(each, 2, ceil_mode=True, count_include_pad=False) for each in levels[-1])
        # The sums are of values times weights; a block counts as clean as soon as one of its pixels is.
        known = (weights > 0).to(weights.dtype)
        levels.append((sums / torch.where(weights > 0, weights, 1), known))
    filled = levels.pop()[0]
    for values, weights in reversed(levels):
        larger = F.interpolate(filled, scale_factor=2.0, mode="bilinear")[:, :, : values.shape[2], : values.shape[3]]
        filled = torch.where(weights > 0, values, larger)
    return rearrange(filled, "(b t) c h w -> b c t h w", b=video.shape[0])


def moved(video: Tensor, offsets: Tensor) -> Tensor:
    """Each pixel of video [B, C, T, H, W] taken from `offsets` [B, 2, T, H, W] pixels to the right and below, by
    bilinear interpolation; beyond the edges, the edge."""
    height, width = video.shape[3:]
    frames = rearrange(video, "b c t h w -> (b t) c h w")
    rows = (torch.arange(height, device=video.device, dtype=video.dtype) + 0.5) * (2 / height) - 1
    columns = (torch.arange(width, device=video.device, dtype=video.dtype) + 0.5) * (2 / width) - 1
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    shifts = rearrange(offsets, "b xy t h w -> (b t) h w xy") * offsets.new_tensor([2 / width, 2 / height])
    taken = F.grid_sample(frames, places + shifts, padding_mode="border", align_corners=False)
    return rearrange(taken, "(b t) c h w -> b c t h w", b=video.shape[0])
