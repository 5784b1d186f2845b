"""Clips from prepared footage: item n is a pure function of (seed, n)."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from vidgan.clip import span
from vidgan.errors import RequestError
from vidgan.footage.prepare import PreparedFootage
from vidgan.footage.select import clip_positions


class ClipSampler:
    """An endless stream of clips, each position of each shot equally likely. No clip crosses a shot's ends."""

    def __init__(self, footage: PreparedFootage, *, num_frames: int, frame_stride: int, seed: int) -> None:
        """Raises `RequestError` if a shot is shorter than a clip."""
        self.footage, self.num_frames, self.frame_stride, self.seed = footage, num_frames, frame_stride, seed
        shortest, needed = min(map(len, footage.frames)), span(num_frames, frame_stride)
        if shortest < needed:
            raise RequestError(
                f"the shortest shot has {shortest} frames, a clip spans {needed}; select the shots again"
            )
        positions = [clip_positions(len(shot), num_frames, frame_stride) for shot in footage.frames]
        self._first_positions = np.array([0, *accumulate(positions)])

    @property
    def num_clips(self) -> int:
        """Clips that begin at different frames."""
        return int(self._first_positions[-1])

    def clip(self, n: int) -> tuple[np.ndarray, int]:
        """Frames uint8 [T, H, W, C] and label of item n of the stream."""
        return self.clip_at(int(np.random.default_rng([self.seed, n]).integers(self.num_clips)))

    def clip_at(self, position: int) -> tuple[np.ndarray, int]:
        """Frames uint8 [T, H, W, C] (a view of the prepared ones) and label of one of the `num_clips` clips."""
        shot = int(np.searchsorted(self._first_positions, position, side="right")) - 1
        start = position - int(self._first_positions[shot])
        stop = start + span(self.num_frames, self.frame_stride)
        return self.footage.frames[shot][start : stop : self.frame_stride], self.footage.labels[shot]

    def batch(self, first: int, count: int, *, step: int = 1) -> tuple[Tensor, Tensor]:
        """Frames uint8 [B, T, H, W, C] and labels int64 [B] of the `count` items first, first + step, ...

        Process r of w takes `batch(start + r, count, step=w)`, and together they take what one would.
        """
        clips, labels = zip(*(self.clip(first + step * k) for k in range(count)), strict=True)
        return torch.from_numpy(np.stack(clips)), torch.tensor(labels)
