"""Two cheap figures that show a generator which stands still or repeats itself."""

from __future__ import annotations

import torch
from einops import rearrange, reduce
from torch import Tensor


def motion_energy(video: Tensor) -> Tensor:
    """Mean squared difference from frame to frame: [B, C, T, H, W] -1..1 -> [B]; 0 for a frozen clip or an image."""
    if video.shape[2] == 1:
        return video.new_zeros(len(video))
    return reduce((video[:, :, 1:] - video[:, :, :-1]).square(), "b c t h w -> b", "mean")


def variety(video: Tensor) -> Tensor:
    """Mean distance between two different clips, root mean square over voxels: [B, C, T, H, W] -1..1 -> scalar.

    0 if all clips are the same. Needs at least two clips.
    """
    voxels = rearrange(video, "b c t h w -> b (c t h w)")
    return torch.pdist(voxels).mean() / voxels.shape[1] ** 0.5
