"""Stretches: frames that a network sees at once, and how what it makes of them is joined over time.

Where two stretches overlap, each counts by a frame's distance from its own end, so that one goes over into the other in
a straight line:

    frames      0 1 2 3 4 5 6 7 8 9 10 11
    first       1 2 3 4 4 3 2 1                counts so much; where it is alone, that is all
    second              1 2 3 4 4 3 2  1
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from einops import rearrange
from torch import Tensor


@dataclass(frozen=True, eq=False)
class View:
    """A frame as it is mended."""

    picture: np.ndarray
    """float32 [H, W, 3] 0..1; what it holds in the hole is not looked at."""
    hole: np.ndarray
    """bool [H, W]."""


class Part(NamedTuple):
    """What was made of a part of the picture in all frames of a stretch."""

    top: int
    left: int
    video: Tensor
    """float32 [C, T, h, w]."""


def stretches_of(num_frames: int, length: int) -> list[range]:
    """Frames seen together: `length` at once, or all there are; neighbours share a quarter of them.

    Where they lie depends on nothing but these numbers, so that work that was interrupted goes on the same.
    """
    if num_frames <= length:
        return [range(num_frames)]
    shared = max(1, length // 4) if length > 1 else 0
    starts = [*range(0, num_frames - length, length - shared), num_frames - length]
    return [range(start, start + length) for start in starts]


def stretches_around(gaps: list[range], num_frames: int, length: int) -> list[range]:
    """One stretch of `length` a gap, or all frames, with as many frames before the gap as after it where they exist."""
    length = min(length, num_frames)
    middles = [(gap.start + gap.stop - length) // 2 for gap in gaps]
    starts = dict.fromkeys(min(max(start, 0), num_frames - length) for start in middles)
    return [range(start, start + length) for start in starts]


def runs_of(indices: list[int]) -> list[range]:
    """Consecutive indices, ascending, as half-open ranges.   [3, 4, 8] -> [3, 5), [8, 9)"""
    runs: list[range] = []
    for index in indices:
        if runs and runs[-1].stop == index:
            runs[-1] = range(runs[-1].start, index + 1)
        else:
            runs.append(range(index, index + 1))
    return runs


def weight_in_time(stretch: range, frame: int) -> int:
    """How much a stretch counts at one of its frames."""
    return min(frame - stretch.start + 1, stretch.stop - frame)


def in_stretches(
    views: Iterator[View],
    stretches: Sequence[range],
    num_frames: int,
    make: Callable[[Sequence[View], int], Part],
    *,
    first: int = 0,
    wanted: Callable[[View], bool] = lambda view: bool(view.hole.any()),
) -> Iterator[tuple[View, np.ndarray | None]]:
    """Yield each frame from index `first` on with what `make` made of it, float32 [H, W, C]; None where nothing did.

    `views` begin at `first_needed`. `make` is given the views of a stretch and the index of its first; it is called
    only where a view is `wanted`, and results of stretches are joined by `weight_in_time`. No more than a stretch of
    views and of results is held.
    """
    held: deque[View] = deque()
    made: dict[int, list[tuple[int, int, int, Tensor]]] = defaultdict(list)
    waiting = deque(stretch for stretch in stretches if stretch.stop > first)
    start = first_needed(stretches, first)
    for frame in range(start, num_frames):
        while waiting and waiting[0].start <= frame:
            stretch = waiting.popleft()
            while frame + len(held) < stretch.stop:
                held.append(next(views))
            seen = [held[index - frame] for index in stretch]
            if any(wanted(view) for view in seen):
                top, left, video = make(seen, stretch.start)
                for place, index in enumerate(stretch):
                    if index >= first and wanted(held[index - frame]):
                        made[index].append((weight_in_time(stretch, index), top, left, video[:, place]))
        if not held:
            held.append(next(views))
        view = held.popleft()
        if frame >= first:
            yield view, _joined(made.pop(frame), *view.hole.shape) if frame in made else None


def _joined(parts: list[tuple[int, int, int, Tensor]], height: int, width: int) -> np.ndarray:
    """Parts of one frame, (weight, top, left, float32 [C, h, w]) -> float32 [H, W, C], 0 where there is none."""
    total = np.zeros((height, width, parts[0][3].shape[0]), np.float32)
    counted = np.zeros((height, width, 1), np.float32)
    for weight, top, left, part in parts:
        place = slice(top, top + part.shape[1]), slice(left, left + part.shape[2])
        total[place] += weight * rearrange(part, "c h w -> h w c").numpy()
        counted[place] += weight
    return total / np.maximum(counted, 1)


def first_needed(stretches: Sequence[range], first: int) -> int:
    """The first frame that decides frame `first`, or comes with it."""
    return min([first, *(stretch.start for stretch in stretches if stretch.start <= first < stretch.stop)])
