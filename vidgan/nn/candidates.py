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

from vidgan.nn.alike import any_of, mean_of_alike
from vidgan.nn.motion import moved_between
from vidgan.nn.patches import boxed, squared_error, summed

# Rows and columns of what lies around a clean pixel that is guessed.
SURROUNDINGS = 3
# Pixels between one and those beside it that it is compared with, as a speck and as part of a line, which are thinner.
BESIDE, BESIDE_LINE = 3, 2
# Pixels of a line by which scratches and lost lines are told from what the footage shows, and the most that one of them
# counts for, of voxels -1..1: a speck makes no line.
LINE, MOST_OF_PIXEL = 15, 0.2
# A frame is the one before again if it differs by less than this share of what those do that are so many frames around.
REPEATED, FRAMES_AROUND = 0.05, 7
# The depth in a hole beyond which the error of a fill no longer grows, and the power of the depth by which it does.
MOST_DEPTH, GROWTH = 16.0, 1.5
# Steps of smoothing on each level of a fill: towards the picture whose every pixel is the mean of the four beside it.
SMOOTHING_STEPS = 8


class Candidates(NamedTuple):
    """Of every pixel of a video, in holes and outside. Pictures are [B, C, T, H, W], all else [B, 1, T, H, W]."""

    here: Tensor
    """The picture as it came, and in a hole what lies around it in the same frame; in a frame that is all hole,
    `before` and `after` mixed by their distance, and 0 where there are none either."""
    before: Tensor
    """The nearest clean value before in time, in a frame that is all hole moved along the motion across the gap;
    `here` where there is none."""
    after: Tensor
    """The same, after."""
    mean: Tensor
    """A clean pixel averaged over the frames in which it looks the same, and where there is grain over pixels nearby
    that look like it; in a hole, over all frames in which it is clean."""
    since: Tensor
    """Frames since the one before; 0 where there is none."""
    until: Tensor
    """Frames until the one after."""
    error_around: Tensor
    """Squared error to expect of what lies around."""
    error_over_time: Tensor
    """Squared error to expect of neighbours one frame away; in a frame that is all hole, where nothing is known of it,
    1, for `here` has them already."""
    spikes: Tensor
    """How far a clean pixel stands out from both its neighbours on a line, as `spike` says: in time, across columns,
    and down rows, [B, 3, T, H, W]; in holes, of `here`."""
    lines: Tensor
    """How far a line stands out that is as long as `LINE` around the pixel: down the frame, as a scratch does, and
    across it in one frame alone, as a lost line does, [B, 2, T, H, W]."""
    repeats: Tensor
    """Whether a frame shows the one before again, in footage that moves: 1, else 0."""


def candidates_of(video: Tensor, hole: Tensor, grain: Tensor) -> Candidates:
    """Video [B, C, T, H, W], hole [B, 1, T, H, W], 1 where the video is not looked at, grain [B]."""
    clean = hole < 0.5
    video = torch.where(clean, video, 0)  # whatever is in the hole, not a number included
    known = clean.to(video.dtype)
    before, since = last_clean(video, clean)
    after, until = (each.flip(2) for each in last_clean(video.flip(2), clean.flip(2)))
    empty = ~clean.any(4, keepdim=True).any(3, keepdim=True)
    before, after = along_motion(before, after, since, until, empty)
    between = mixed_by_distance(before, after, since, until)
    errors = torch.cat([squared_error(around(video, known), video), squared_error(between, video)], dim=1) * known
    errors = boxed(errors) / boxed(known).clamp(min=1e-3) * known
    filled = fill_from_around(torch.cat([video, errors], dim=1), known)
    here, error_around, error_over_time = filled.split([video.shape[1], 1, 1], dim=1)
    error_around = error_around * depth(clean) ** GROWTH
    here, error_over_time = torch.where(empty, between, here), torch.where(empty, 1, error_over_time)
    before, after = torch.where(since > 0, before, here), torch.where(until > 0, after, here)
    # At a clip's ends there is one neighbour in time, which has to do for both.
    ends = torch.where(since > 0, before, after), torch.where(until > 0, after, before)
    in_time = spike(here, *ends)
    across, down = (spike(here, *beside(here, axis, BESIDE)) for axis in (4, 3))
    of_scratch, of_row = (spike(here, *beside(here, axis, BESIDE_LINE)) for axis in (4, 3))
    of_lost_line = torch.minimum(in_time, of_row)
    return Candidates(
        here=here,
        before=before,
        after=after,
        mean=mean_of_alike(video, known, here, grain),
        since=since,
        until=until,
        error_around=error_around,
        error_over_time=error_over_time,
        spikes=torch.cat([in_time, across, down], dim=1),
        lines=torch.cat(
            [along(each.clamp(max=MOST_OF_PIXEL), axis) for each, axis in ((of_scratch, 3), (of_lost_line, 4))], dim=1
        ),
        repeats=repeats(here).expand_as(hole),
    )


def last_clean(video: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest clean value strictly before each pixel, [B, C, T, H, W] (0 where there is none), and how many frames
    ago that was, float32 [B, 1, T, H, W], 0 where there is none."""
    times, last = last_true(clean, 2)
    last = F.pad(last[:, :, :-1], (0, 0, 0, 0, 1, 0), value=-1)
    values = video.gather(2, last.clamp(min=0).expand_as(video))
    return torch.where(last >= 0, values, 0), torch.where(last >= 0, times - last, 0).float()


def last_true(what: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Places along an axis of bool [B, 1, T, H, W], and at each the last one so far that is true, -1 where none is."""
    places = torch.arange(what.shape[axis], device=what.device).view(-1, *(1,) * (4 - axis))
    return places, torch.where(what, places, -1).cummax(axis).values


def along_motion(before: Tensor, after: Tensor, since: Tensor, until: Tensor, empty: Tensor) -> tuple[Tensor, Tensor]:
    """Values before and after as they come, but in frames that are `empty` [B, 1, T, 1, 1] and have both anywhere moved
    to their time. Pixels that have one or none, beyond a plate's edge or in a hole that stays, are filled from around
    for the search, and mean nothing afterwards."""
    both = (since > 0) & (until > 0)
    gaps = rearrange(empty & both.any(4, keepdim=True).any(3, keepdim=True), "b 1 t 1 1 -> b t")
    if not any_of(gaps):
        return before, after
    frames = [rearrange(each, "b c t h w -> b t c h w") for each in (before, after, since, until)]
    one, other, since, until = (each[gaps] for each in frames)
    both = (since > 0) & (until > 0)
    share = filled_stills(torch.where(both, since / (since + until).clamp(min=1), 0), both)
    moved = moved_between(filled_stills(one, since > 0), filled_stills(other, until > 0), share)
    results = [each.index_put((gaps,), made) for each, made in zip(frames[:2], moved, strict=True)]
    return tuple(rearrange(each, "b t c h w -> b c t h w") for each in results)


def mixed_by_distance(before: Tensor, after: Tensor, since: Tensor, until: Tensor) -> Tensor:
    """Linear interpolation over a gap; of the one there is where the other is missing, 0 where both are."""
    shares = [torch.where(distance > 0, 1 / distance.clamp(min=1), 0) for distance in (since, until)]
    return (before * shares[0] + after * shares[1]) / (shares[0] + shares[1]).clamp(min=1e-6)


def spike(here: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """How far a pixel stands out from both of its neighbours on a line: the smaller difference where both have the same
    sign, else 0; its mean over channels [B, 1, T, H, W]. Kokaram 1998, sec. 6.2 (SDIp), in time."""
    steps = here - one, here - other
    smaller = torch.minimum(*(step.abs() for step in steps))
    return reduce(torch.where(steps[0] * steps[1] > 0, smaller, 0), "b c t h w -> b 1 t h w", "mean")


def along(x: Tensor, axis: int) -> Tensor:
    """The mean over `LINE` pixels of a column (3) or row (4) around each of [B, 1, T, H, W], less beyond the edges."""
    kernel = (LINE, 1) if axis == 3 else (1, LINE)
    frames = rearrange(x, "b 1 t h w -> (b t) 1 h w")
    padding = kernel[0] // 2, kernel[1] // 2
    means = F.avg_pool2d(frames, kernel, stride=1, padding=padding, count_include_pad=False)
    return rearrange(means, "(b t) 1 h w -> b 1 t h w", b=x.shape[0])


def repeats(video: Tensor) -> Tensor:
    """1 for frames that differ from the one before by less than `REPEATED` of the median of such steps within
    `FRAMES_AROUND` each way, else 0: [B, C, T, H, W] -> [B, 1, T, 1, 1]."""
    steps = reduce((video[:, :, 1:] - video[:, :, :-1]).abs(), "b c t h w -> b t", "mean")
    steps = F.pad(steps, (1, 0), value=torch.nan)  # there is none before the first frame
    around = F.pad(steps, (FRAMES_AROUND, FRAMES_AROUND), value=torch.nan).unfold(1, 2 * FRAMES_AROUND + 1, 1)
    # The lower median; `nanmedian` is not the same each time on a GPU.
    alike = steps < REPEATED * around.nanquantile(0.5, 2, interpolation="lower")
    return rearrange(alike.to(video.dtype), "b t -> b 1 t 1 1")


def beside(x: Tensor, axis: int, pixels: int) -> tuple[Tensor, Tensor]:
    """A picture's pixels so much further on either side along rows (3) or columns (4); at the edges, the edge's."""
    places = torch.arange(x.shape[axis], device=x.device)
    return tuple(x.index_select(axis, (places + step).clamp(0, len(places) - 1)) for step in (-pixels, pixels))


def around(video: Tensor, known: Tensor) -> Tensor:
    """The mean of the known pixels beside each pixel, without itself; 0 where there are none."""
    counts = (summed(known, SURROUNDINGS) - known).round()
    return (summed(video, SURROUNDINGS) - video) / counts.clamp(min=1)


def depth(clean: Tensor) -> Tensor:
    """How deep in a hole each pixel lies: half the harmonic mean of its distances to the next clean pixels to its left
    and right, above and below; at most `MOST_DEPTH`, and 1 where it is clean. bool [B, 1, T, H, W] -> float32.

    Of a random walk between two known values the variance is before * after / (before + after), a Brownian bridge's,
    and two walks that cross share it as resistors do. The squared errors of fills of real footage grow a little faster.
    """
    nearness = torch.zeros(clean.shape, device=clean.device)
    for axis in (3, 4):
        for known, back in ((clean, False), (clean.flip(axis), True)):
            places, last = last_true(known, axis)
            near = torch.where(last >= 0, 1 / (places - last).clamp(min=1), 0)
            nearness += near.flip(axis) if back else near
    return torch.where(clean, 1, 2 / nearness.clamp(min=2 / MOST_DEPTH))


def mean_of_four(x: Tensor) -> Tensor:
    """The mean of the pixels left, right, above and below each pixel of [N, C, H, W]; beyond the edges, the edge."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return (x[..., 1:-1, :-2] + x[..., 1:-1, 2:] + x[..., :-2, 1:-1] + x[..., 2:, 1:-1]) / 4


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
        for _ in range(SMOOTHING_STEPS):
            filled = torch.where(weights > 0, values, mean_of_four(filled))
    return rearrange(filled, "(b t) c h w -> b c t h w", b=video.shape[0])


def filled_stills(pictures: Tensor, known: Tensor) -> Tensor:
    """Pictures [N, C, H, W], 0 where not `known` [N, 1, H, W], filled each by itself as a video's frames are."""
    stills, known = (rearrange(each, "n c h w -> n c 1 h w") for each in (pictures, known.to(pictures.dtype)))
    return rearrange(fill_from_around(stills, known), "n c 1 h w -> n c h w")
