"""Frames between two others: both are moved along what moves from one to the other, as film is retimed.

one        at share 0.25         other
o . . .      . o . .            . . . . o        what is at o in one is there in the other: a flow of 4 pixels
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

# The shortest side of pictures in which motion is searched for.
LEAST_SIDE = 16
# Steps by which a flow seen from a frame is found as seen from a frame between.
STEPS = 5


def moved_between(one: Tensor, other: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures [N, C, H, W], -1..1, as each shows the moment that lies `share` [N, 1, H, W], 0..1, of the way from
    `one` to `other`: along the flow from one to the other and that back, half of each."""
    forwards, backwards = _flow(one, other), _flow(other, one)
    forwards, backwards = _seen_from(forwards, share), _seen_from(backwards, 1 - share)
    return (
        (moved(one, -share * forwards) + moved(one, share * backwards)) / 2,
        (moved(other, (1 - share) * forwards) + moved(other, (share - 1) * backwards)) / 2,
    )


def moved(pictures: Tensor, offsets: Tensor) -> Tensor:
    """Each pixel of pictures [N, C, H, W] taken from `offsets` [N, 2, H, W] pixels to the right and below, by bilinear
    interpolation; beyond the edges, the edge."""
    height, width = pictures.shape[2:]
    rows = (torch.arange(height, device=pictures.device, dtype=pictures.dtype) + 0.5) * (2 / height) - 1
    columns = (torch.arange(width, device=pictures.device, dtype=pictures.dtype) + 0.5) * (2 / width) - 1
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    shifts = rearrange(offsets, "n xy h w -> n h w xy") * offsets.new_tensor([2 / width, 2 / height])
    return F.grid_sample(pictures, places + shifts, padding_mode="border", align_corners=False)


def _flow(one: Tensor, other: Tensor) -> Tensor:
    """Where what is at each pixel of one picture is in the other, pixels to the right and below, [N, 2, H, W]: dense
    inverse search (Kroeger et al. 2016) of the pictures' greys. None in pictures smaller than `LEAST_SIDE`."""
    if min(one.shape[2:]) < LEAST_SIDE:
        return torch.zeros_like(one[:, :1]).repeat(1, 2, 1, 1)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    # All frames of one gap lie between the same two.
    pairs, which = np.unique(np.stack([_greys(one), _greys(other)], axis=1), axis=0, return_inverse=True)
    flows = np.stack([search.calc(*pair, None) for pair in pairs])[which.reshape(-1)]
    return rearrange(torch.from_numpy(flows).to(one), "n h w xy -> n xy h w")


def _greys(pictures: Tensor) -> np.ndarray:
    """uint8 [N, H, W]."""
    return ((pictures.mean(1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy(force=True)


def _seen_from(flow: Tensor, share: Tensor) -> Tensor:
    """A flow [N, 2, H, W] as the pixels have it that are at each place after `share` [N, 1, H, W] of their way."""
    seen = flow
    for _ in range(STEPS):
        seen = moved(flow, -share * seen)
    return seen
