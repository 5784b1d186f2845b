"""What a network that mends begins with, before it has learnt: how far to trust candidates, and where damage is."""

from __future__ import annotations

import torch
from torch import Tensor

from vidgan.nn.candidates import Candidates, along

# What candidates start from, as logarithms of weights: a clean pixel as it came, one with noise and its mean over time,
# what is added to a mean in a hole, and a candidate that does not exist. In a hole weights are 1 / squared error, to
# this power: on real and procedural footage 2 is 0.3 dB better than 1, which errors without correlation would ask for.
# Errors grow with the distance in frames.
CLEAN, NOISY, QUIET, MEAN, ABSENT = 2.0, -4.0, 0.0, -4.0, -60.0
SHARPNESS = 2.0
# The least squared error that is believed: of a level.
LEAST_ERROR = 1e-4
# The logit of a pixel that does not stand out. It is 0 where one does so far, of voxels -1..1, as a speck or in a line,
# and further where much around it stands out as well: so many times what is usual there.
UNDAMAGED, SPECK, LINE = -4.0, 0.25, 0.08
USUAL_SPECKS, USUAL_LINES = 8.0, 1.8


def start_weights(found: Candidates, hole: Tensor, grain: Tensor) -> Tensor:
    """Logarithms of the weights of here, before, after and mean, before anything is learnt: [B, 4, T, H, W]."""
    errors = found.error_around, found.error_over_time
    around, over_time = (-SHARPNESS * torch.log(error + LEAST_ERROR) for error in errors)
    neighbours = [
        torch.where(distance > 0, over_time - SHARPNESS * distance.clamp(min=1).log(), ABSENT)
        for distance in (found.since, found.until)
    ]
    in_hole = torch.cat([around, *neighbours, over_time + MEAN], dim=1)
    noisy = hole.new_tensor([NOISY, NOISY, NOISY, QUIET])
    clean = torch.where((grain > 0)[:, None], noisy, hole.new_tensor([CLEAN, 0, 0, ABSENT])).view(-1, 4, 1, 1, 1)
    absent = torch.cat([torch.ones_like(hole), found.since, found.until, torch.ones_like(hole)], dim=1) == 0
    return torch.where(hole > 0.5, in_hole, torch.where(absent, ABSENT, clean))


def start_logits(found: Candidates) -> Tensor:
    """Where damage is found before anything is learnt, [B, 1, T, H, W]: where a pixel stands out in time and beside
    others, as dust does, where a line does, and where a frame shows the one before again."""
    in_time, across, down = found.spikes.split(1, dim=1)
    speck = torch.minimum(in_time, torch.maximum(across, down))
    line = found.lines.amax(1, keepdim=True)
    share = torch.maximum(standing_out(speck, SPECK, USUAL_SPECKS), standing_out(line, LINE, USUAL_LINES)).clamp(max=2)
    return UNDAMAGED * (1 - share - 3 * found.repeats)  # a frame twice leaves no doubt anywhere in it


def standing_out(x: Tensor, least: float, times_usual: float) -> Tensor:
    """How far [B, 1, T, H, W] stands out from what is usual around it: 1 where it just does."""
    return x / (least + times_usual * along(along(x, 3), 4))
