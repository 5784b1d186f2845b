"""The nearest training clip of each of some clips: every start of every training shot, and its mirror image.

Clips are compared as small grey pictures, each with the mean 0 and the variance 1 over all its voxels, so that
neither brightness nor contrast makes a copy or hides one. Their distance is the mean squared difference, 2 - 2 r by
their correlation r: 0 for a copy, 2 for unrelated clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from vidgan.clip import LUMA_WEIGHTS, span
from vidgan.errors import RequestError

# Clips are compared at this many rows: what moves where, but neither grain nor compression.
ROWS = 16

# In squared levels: clips with less variance, at 16 rows, are taken to be flat rather than enlarged to noise.
FLAT_VARIANCE = 1.0

# Training clips that are compared at once.
BLOCK = 512


@dataclass(frozen=True)
class NearestClips:
    """For each of N clips, the nearest training clip."""

    distances: np.ndarray
    """Mean squared difference of standardised clips, float64 [N]: 0 for a copy, 2 for unrelated clips."""
    typical: np.ndarray
    """Mean distance to all training clips, float64 [N]."""
    shots: np.ndarray
    """Index of the training shot, int64 [N]."""
    starts: np.ndarray
    """Its frame at which the nearest clip begins, int64 [N]."""
    mirrored: np.ndarray
    """Whether the nearest clip is its mirror image, bool [N]."""

    @property
    def relative(self) -> np.ndarray:
        """Distance to the nearest over the mean to all, float64 [N] 0..1."""
        return self.distances / np.maximum(self.typical, np.finfo(np.float64).tiny)


@torch.inference_mode()
def nearest_training_clips(
    clips: np.ndarray, shots: Iterable[np.ndarray], *, frame_stride: int = 1, mirror: bool = True
) -> NearestClips:
    """For clips uint8 [N, T, H, W, C], in the memory of one shot at a time.

    A shot shorter than a clip has no clips. Raises `RequestError` if none is as long, or if their shapes differ.
    """
    queries = torch.stack([standardised(small_grey(clip)) for clip in clips])
    if mirror:
        queries = torch.cat([queries, queries.flip(3)])
    best = torch.full((len(queries),), torch.inf, dtype=torch.float64)
    shot_of_best, start_of_best = torch.zeros((2, len(queries)), dtype=torch.int64)
    total, count = torch.zeros(len(queries), dtype=torch.float64), 0
    for index, shot in enumerate(shots):
        frames = small_grey(shot)
        if frames.shape[1:] != queries.shape[2:]:
            raise RequestError(
                f"shot {index} is {tuple(frames.shape[1:])} at {ROWS} rows, clips are {tuple(queries.shape[2:])}"
            )
        for first, distances in _distances(queries, frames, frame_stride):
            nearest, start = distances.min(1)
            nearer = nearest < best
            best[nearer], shot_of_best[nearer], start_of_best[nearer] = nearest[nearer], index, first + start[nearer]
            total += distances.sum(1)
            count += distances.shape[1]
    if not count:
        raise RequestError(f"no training shot is as long as a clip of {clips.shape[1]} frames")
    num_sides = 2 if mirror else 1
    side = best.view(num_sides, -1).argmin(0)
    chosen = side * len(clips) + torch.arange(len(clips))
    return NearestClips(
        distances=best[chosen].numpy(),
        typical=(total.view(num_sides, -1).mean(0) / count).numpy(),
        shots=shot_of_best[chosen].numpy(),
        starts=start_of_best[chosen].numpy(),
        mirrored=side.bool().numpy(),
    )


def small_grey(frames: np.ndarray) -> Tensor:
    """frames uint8 [T, H, W, C] -> luma float32 [T, 16, w] in levels, averaged over areas, in proportion."""
    height, width, channels = frames.shape[1:]
    weights = torch.tensor(LUMA_WEIGHTS if channels == 3 else (1.0,))
    parts = [
        torch.tensor(np.ascontiguousarray(frames[first : first + BLOCK])) for first in range(0, len(frames), BLOCK)
    ]
    size = ROWS, max(1, round(width * ROWS / height))
    return torch.cat([F.interpolate((part.float() @ weights)[:, None], size, mode="area")[:, 0] for part in parts])


def standardised(clip: Tensor) -> Tensor:
    """[T, H, W] in levels -> mean 0 and variance 1 over all voxels, less for a clip that is flat."""
    variance, mean = torch.var_mean(clip, correction=0)
    return (clip - mean) / (variance + FLAT_VARIANCE).sqrt()


def _distances(queries: Tensor, frames: Tensor, stride: int) -> Iterator[tuple[int, Tensor]]:
    """(first start, distances float64 [N, starts]) of standardised clips [N, T, H, W] to those in [L, H, W] levels.

    The products of single frames are made once, and summed along diagonals to those of clips:

        frame      0  1  2  3          clip at 1:  c0 f1 + c1 f2
        clip  c0   .  x  .  .
              c1   .  .  x  .
    """
    num_frames, num_voxels = queries.shape[1], queries[0].numel()
    num_starts = len(frames) - span(num_frames, stride) + 1
    flat = rearrange(queries, "n t h w -> (n t) (h w)")
    own = queries.double().square().mean((1, 2, 3))
    for first in range(0, num_starts, BLOCK):
        starts = min(BLOCK, num_starts - first)
        # Queries have the mean 0, so that any level may be subtracted here; near the mean, sums are exact.
        part = rearrange(frames[first : first + starts + span(num_frames, stride) - 1] - 128, "l h w -> l (h w)")

        def summed(rows: Tensor, starts: int = starts) -> Tensor:
            """[..., T, L] -> [..., starts]: along diagonals."""
            shifts = [rows[..., t, t * stride : t * stride + starts] for t in range(num_frames)]
            return torch.stack(shifts).sum(0, dtype=torch.float64)

        products = summed((flat @ part.T).view(len(queries), num_frames, -1)) / num_voxels
        moments = torch.stack([part.double().sum(1), part.double().square().sum(1)])[:, None].expand(-1, num_frames, -1)
        mean, square = summed(moments) / num_voxels
        variance = (square - mean**2).clamp_min(0)
        scale = (variance + FLAT_VARIANCE).sqrt()
        yield first, (own[:, None] + (variance / scale**2) - 2 * products / scale).clamp_min(0)
