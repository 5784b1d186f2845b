"""Pixels averaged with others that look alike: less noise, and what moves stays sharp."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from vidgan.nn.patches import boxed, squared_error

# Frames each way over which a pixel is averaged with itself, and where there is noise steps each way with others: of a
# pixel, or of two where the noise is soft, because what lies side by side has the same.
REACH_FRAMES, REACH_STEPS = 7, 3
# The correlation of noise from pixel to pixel above which it is soft, as film grain is.
SOFT = 0.4
# Squared differences that are noise, in squared standard deviations of it, white and soft; where none is said, it is
# taken to be of a level.
WHITE_TOLERANCE, SOFT_TOLERANCE, ONE_LEVEL = 0.75, 1.5, 1 / 127.5


class Noise(NamedTuple):
    """What two pictures of the same differ by, of each clip: [B]."""

    variance: Tensor
    tolerance: Tensor


def mean_of_alike(video: Tensor, known: Tensor, here: Tensor, grain: Tensor) -> Tensor:
    """Means of pixels whose patches differ by no more than noise does: non-local means (Buades et al. 2005) over the
    same place in `REACH_FRAMES` each way and, where there is noise, over `REACH_STEPS` each way in the same frame.

    In holes, plain means of what is clean there in time; where nothing is, `here`. Videos are 0 where they are not
    `known`.
    """
    soft = is_soft(video, known, grain)
    noise = Noise(grain.clamp(min=ONE_LEVEL).square(), torch.where(soft, SOFT_TOLERANCE, WHITE_TOLERANCE))
    sums, weights = video.clone(), known.clone()
    for frames in range(1, min(REACH_FRAMES + 1, video.shape[2])):
        _add_alike(sums, weights, video, known, noise, (frames, 0, 0))
    for step, clips in ((1, ~soft & (grain > 0)), (2, soft)):
        if any_of(clips):
            parts = [each[clips] for each in (sums, weights, video, known)]
            those = Noise(*(each[clips] for each in noise))
            for down, right in product(range(REACH_STEPS + 1), range(-REACH_STEPS, REACH_STEPS + 1)):
                if (down, right) > (0, 0):
                    _add_alike(*parts, those, (0, step * down, step * right))
            sums[clips], weights[clips] = parts[:2]
    return torch.where(weights > 0, sums / weights.clamp(min=1e-3), here)


def is_soft(video: Tensor, known: Tensor, grain: Tensor) -> Tensor:
    """Whether noise of standard deviation `grain` [B] is soft, bool [B]: by how what changes from frame to frame, and
    no more than noise would, is correlated from column to column."""
    change = video[:, :, 1:] - video[:, :, :-1]
    most = 3 * (2 * grain.square()).sqrt().view(-1, 1, 1, 1, 1)
    is_noise = known[:, :, 1:] * known[:, :, :-1] * (change.abs() < most).all(1, keepdim=True)
    change = change * is_noise
    pairs = (change[..., 1:] * change[..., :-1]).sum((1, 2, 3, 4))
    squares = (change[..., 1:].square() * is_noise[..., :-1]).sum((1, 2, 3, 4))
    return pairs > SOFT * squares


def any_of(what: Tensor) -> bool:
    """Whether any of it is true; nothing is where there are no values, as when memory is predicted."""
    return not isinstance(what, FakeTensor) and bool(what.any())


def _add_alike(
    sums: Tensor, weights: Tensor, video: Tensor, known: Tensor, noise: Noise, shift: tuple[int, int, int]
) -> None:
    """Add to each pixel's sum and weight the pixels that lie `shift` (frames, rows, columns) on and back, by how alike
    their patches are."""
    variance, tolerance = (each.view(-1, 1, 1, 1, 1) for each in noise)
    early, late = _overlap(video, shift), _overlap(video, tuple(-step for step in shift))
    both = known[early] * known[late]
    difference = boxed(squared_error(video[early], video[late]) * both) / boxed(both).clamp(min=1e-3)
    alike = torch.exp(-(difference - 2 * variance).clamp(min=0) / (tolerance * variance))
    in_hole = float(shift[0] > 0)
    for here_is, there_is in ((early, late), (late, early)):
        weight = torch.where(known[here_is] > 0, alike, in_hole) * known[there_is]
        sums[here_is] += weight * video[there_is]
        weights[here_is] += weight


def _overlap(video: Tensor, shift: tuple[int, int, int]) -> tuple:
    """The part of a video whose pixels have another `shift` (frames, rows, columns) further on."""
    sizes = zip(shift, video.shape[2:], strict=True)
    return ..., *(slice(max(0, -step), size - max(0, step)) for step, size in sizes)
