"""Clips from prepared footage: item n is a pure function of (seed, n)."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from vidgan.clip import span
from vidgan.errors import RequestError
from vidgan.footage.prepare import PreparedFootage


class ClipSampler:
    """An endless stream of clips, each position of each shot equally likely. No clip crosses a shot's ends."""

    def __init__(self, footage: PreparedFootage, *, num_frames: int, frame_stride: int, seed: int) -> None:
        """Raises `RequestError` if a shot is shorter than a clip."""
        self.footage, self.num_frames, self.frame_stride, self.seed = footage, num_frames, frame_stride, seed
        positions = [len(shot) - span(num_frames, frame_stride) + 1 for shot in footage.frames]
        if min(positions) < 1:
            raise RequestError(
                f"the shortest shot has {min(map(len, footage.frames))} frames, "
                f"a clip spans {span(num_frames, frame_stride)}; select the footage for these clips"
            )
        self._stops = np.array(list(accumulate(positions)))

    @property
    def num_clips(self) -> int:
        """Clips that begin at different frames."""
        return int(self._stops[-1])

    def clip(self, n: int) -> tuple[np.ndarray, int]:
        """Frames uint8 [T, H, W, C] and label of item n of the stream."""
        return self.clip_at(int(np.random.default_rng([self.seed, n]).integers(self.num_clips)))

    def clip_at(self, position: int) -> tuple[np.ndarray, int]:
        """Frames uint8 [T, H, W, C] and label of one of the `num_clips` different clips."""
        shot = int(np.searchsorted(self._stops, position, side="right"))
        frames = self.footage.frames[shot]
        from_end = int(self._stops[shot]) - position  # 1 for the shot's last clip
        stop = len(frames) - from_end + 1
        start = stop - span(self.num_frames, self.frame_stride)
        return frames[start : stop : self.frame_stride], self.footage.labels[shot]

    def batch(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Frames uint8 [B, T, H, W, C] and labels int64 [B] of items first ... first + count."""
        clips, labels = zip(*(self.clip(n) for n in range(first, first + count)), strict=True)
        return torch.from_numpy(np.stack(clips)), torch.tensor(labels)
