"""What a pixel may be taken from, and how far to trust it: nothing is learnt here, and every rule is a plain one.

    time      0   1   2   3   4   5
    clean     x   x   .   .   x   x
    before    -   0   1   1   1   4        the last clean frame before, strictly; - is none
    after     1   4   4   4   5   -

A clean pixel has a before and an after, too. So it is known there how wrong a picture made from both would be, and how
wrong one made from the pixels around; what is found at clean pixels is believed of the hole that they surround.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor

# Frames each way over which a pixel is averaged with itself.
REACH_FRAMES = 7
# Rows and columns of the patches by which frames are compared, and of the surroundings by which a pixel is guessed.
PATCH = 5
# Pixels between one and those beside it that it is compared with: a scratch is thinner.
BESIDE = 3
# Squared differences that are noise, in squared standard deviations of it, and where none is said of one level.
TOLERANCE, ONE_LEVEL = 0.5, 1 / 127.5
# Steps of smoothing on each level of a fill: towards the picture whose every pixel is the mean of those around it.
SMOOTHING_STEPS = 4


class Candidates(NamedTuple):
    """Of every pixel of a video, in holes and outside. Pictures are [B, C, T, H, W], all else [B, 1, T, H, W]."""

    here: Tensor
    """The picture as it came, and in a hole what lies around it in the same frame; in a frame that is all hole,
    `before` and `after` mixed by their distance, and 0 where there are none either."""
    before: Tensor
    """The nearest clean value before in time; `here` where there is none."""
    after: Tensor
    """The same, after."""
    mean: Tensor
    """A clean pixel averaged over the frames in which it looks the same; in a hole, over all that are clean."""
    since: Tensor
    """Frames since the one before; 0 where there is none."""
    until: Tensor
    """Frames until the one after."""
    error_around: Tensor
    """Squared error to expect of what lies around."""
    error_over_time: Tensor
    """Squared error to expect of neighbours one frame away."""
    spikes: Tensor
    """How far a clean pixel stands out from both its neighbours on a line, as `spike` says: in time, across columns,
    and down rows, [B, 3, T, H, W]; in holes, of `here`."""


def candidates_of(video: Tensor, hole: Tensor, grain: Tensor) -> Candidates:
    """Video [B, C, T, H, W], hole [B, 1, T, H, W], 1 where the video is not looked at, grain [B]."""
    clean = hole < 0.5
    video = torch.where(clean, video, 0)  # whatever is in the hole, not a number included
    known = clean.to(video.dtype)
    before, since = last_clean(video, clean)
    after, until = (each.flip(2) for each in last_clean(video.flip(2), clean.flip(2)))
    between = mixed_by_distance(before, after, since, until)
    errors = torch.cat([squared_error(around(video, known), video), squared_error(between, video)], dim=1) * known
    errors = boxed(errors) / boxed(known).clamp(min=1e-3) * known
    filled = fill_from_around(torch.cat([video, errors], dim=1), known)
    here, error_around, error_over_time = filled.split([video.shape[1], 1, 1], dim=1)
    empty = ~clean.any(4, keepdim=True).any(3, keepdim=True)
    here = torch.where(empty, between, here)
    before, after = torch.where(since > 0, before, here), torch.where(until > 0, after, here)
    # At a clip's ends there is one neighbour in time, which has to do for both.
    ends = torch.where(since > 0, before, after), torch.where(until > 0, after, before)
    return Candidates(
        here=here,
        before=before,
        after=after,
        mean=mean_over_time(video, known, here, grain),
        since=since,
        until=until,
        error_around=error_around,
        error_over_time=error_over_time,
        spikes=torch.cat([spike(here, *ends), spike(here, *beside(here, 4)), spike(here, *beside(here, 3))], dim=1),
    )


def last_clean(video: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest clean value strictly before each pixel, [B, C, T, H, W] (0 where there is none), and how many frames
    ago that was, float32 [B, 1, T, H, W], 0 where there is none."""
    times = torch.arange(video.shape[2], device=video.device).view(1, 1, -1, 1, 1)
    last = torch.where(clean, times, -1).cummax(2).values
    last = F.pad(last[:, :, :-1], (0, 0, 0, 0, 1, 0), value=-1)
    values = video.gather(2, last.clamp(min=0).expand_as(video))
    return torch.where(last >= 0, values, 0), torch.where(last >= 0, times - last, 0).float()


def mixed_by_distance(before: Tensor, after: Tensor, since: Tensor, until: Tensor) -> Tensor:
    """Linear interpolation over a gap; of the one there is where the other is missing, 0 where both are."""
    shares = [torch.where(distance > 0, 1 / distance.clamp(min=1), 0) for distance in (since, until)]
    return (before * shares[0] + after * shares[1]) / (shares[0] + shares[1]).clamp(min=1e-6)


def mean_over_time(video: Tensor, known: Tensor, here: Tensor, grain: Tensor) -> Tensor:
    """Means over `REACH_FRAMES` each way of frames whose patch around a pixel differs by no more than noise does, as of
    non-local means (Buades et al. 2005, without a search in space); in holes, plain means of what is clean there.

    Videos are 0 where they are not `known`; where nothing is, `here`.
    """
    noise = 2 * grain.clamp(min=ONE_LEVEL).square().view(-1, 1, 1, 1, 1)
    sums, weights = video.clone(), known.clone()
    num_frames = video.shape[2]
    for step in range(1, min(REACH_FRAMES + 1, num_frames)):
        early, late = slice(0, num_frames - step), slice(step, num_frames)
        both = known[:, :, early] * known[:, :, late]
        difference = squared_error(video[:, :, early], video[:, :, late]) * both
        difference = boxed(difference) / boxed(both).clamp(min=1e-3)
        alike = torch.exp(-(difference - noise).clamp(min=0) / (TOLERANCE * noise / 2))
        for here_is, there_is in ((early, late), (late, early)):
            weight = torch.where(known[:, :, here_is] > 0, alike, 1) * known[:, :, there_is]
            sums[:, :, here_is] += weight * video[:, :, there_is]
            weights[:, :, here_is] += weight
    return torch.where(weights > 0, sums / weights.clamp(min=1e-3), here)


def spike(here: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """How far a pixel stands out from both of its neighbours on a line: the smaller difference where both have the same
    sign, else 0; its mean over channels [B, 1, T, H, W]. Kokaram 1998, sec. 6.2 (SDIp), in time."""
    steps = here - one, here - other
    both = torch.minimum(*(step.abs() for step in steps)) * steps[0].sign()
    return reduce(torch.where(steps[0] * steps[1] > 0, both, 0), "b c t h w -> b 1 t h w", "mean").abs()


def beside(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """A picture's pixels `BESIDE` further on either side along rows (3) or columns (4); at the edges, the edge's."""
    places = torch.arange(x.shape[axis], device=x.device)
    return tuple(x.index_select(axis, (places + step).clamp(0, len(places) - 1)) for step in (-BESIDE, BESIDE))


def squared_error(one: Tensor, other: Tensor) -> Tensor:
    """Mean over channels of squared differences: [B, C, T, H, W] twice -> [B, 1, T, H, W]."""
    return reduce((one - other).square(), "b c t h w -> b 1 t h w", "mean")


def boxed(x: Tensor) -> Tensor:
    """The mean over a patch around each pixel of each frame, zeros beyond the edges: the same shape."""
    return summed(x, PATCH) / PATCH**2


def summed(x: Tensor, size: int) -> Tensor:
    """The sum over `size` rows and columns, an odd number, around each pixel of [..., H, W], zeros beyond the edges."""
    height, width = x.shape[-2:]
    x = F.pad(x, (size // 2,) * 4)
    # Pictures shifted and added, down rows and then across columns: several times faster than a pooling.
    rows = sum(x[..., shift : shift + height, :] for shift in range(size))
    return sum(rows[..., shift : shift + width] for shift in range(size))


def around(video: Tensor, known: Tensor) -> Tensor:
    """The mean of the known pixels in a patch around each pixel, without itself; 0 where there are none."""
    number = PATCH**2
    counts = (number * boxed(known) - known).round()
    return (number * boxed(video) - video) / counts.clamp(min=1)


def fill_from_around(video: Tensor, known: Tensor) -> Tensor:
    """Video [B, C, T, H, W], 0 where `known` [B, 1, T, H, W] is 0 -> the same with those pixels filled frame by frame.

    Means of known pixels over blocks of 2x2, 4x4, ... fill what smaller blocks leave empty (push-pull, Gortler et al.
    1996, sec. 3.4), and on each level are smoothed. A frame without a known pixel becomes 0.
    """
    frames, weights = (rearrange(each, "b c t h w -> (b t) c h w") for each in (video, known))
    levels = [(frames, weights)]
    while max(levels[-1][0].shape[2:]) > 1:
        sums, weights = (F.avg_pool2d(each, 2, ceil_mode=True, count_include_pad=False) for each in levels[-1])
        found = (weights > 0).to(weights.dtype)
        levels.append((sums / torch.where(weights > 0, weights, 1), found))
    filled = levels.pop()[0]
    for values, weights in reversed(levels):
        filled = F.interpolate(filled, scale_factor=2.0, mode="bilinear")[:, :, : values.shape[2], : values.shape[3]]
        filled = torch.where(weights > 0, values, filled)
        neighbours = summed(torch.ones_like(weights[:1]), 3)
        for _ in range(SMOOTHING_STEPS):
            filled = torch.where(weights > 0, values, summed(filled, 3) / neighbours)
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
