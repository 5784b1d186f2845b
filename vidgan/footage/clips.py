"""Clips from prepared footage: item n is a pure function of (seed, n)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from vidgan.clip import span
from vidgan.errors import RequestError
from vidgan.footage.prepare import PreparedFootage
from vidgan.footage.select import clip_positions


class ClipSampler:
    """An endless stream of clips, each position of each shot at each stride equally likely. None crosses a shot's ends.

    The strides are `frame_stride` times each of `stride_factors`.
    """

    def __init__(
        self,
        footage: PreparedFootage,
        *,
        num_frames: int,
        frame_stride: int,
        seed: int,
        stride_factors: Sequence[int] = (1,),
    ) -> None:
        """Raises `RequestError` if a shot is shorter than a clip at `frame_stride`; longer strides use longer shots."""
        self.footage, self.num_frames, self.frame_stride, self.seed = footage, num_frames, frame_stride, seed
        shortest, needed = min(map(len, footage.frames)), span(num_frames, frame_stride)
        if shortest < needed:
            raise RequestError(
                f"the shortest shot has {shortest} frames, a clip spans {needed}; select the shots again"
            )
        self._strides = [frame_stride * factor for factor in stride_factors]
        blocks = [(stride, shot) for stride in self._strides for shot in footage.frames]
        positions = [clip_positions(len(shot), num_frames, stride) for stride, shot in blocks]
        self._first_positions = np.array([0, *accumulate(positions)])
        if not self.num_clips:
            raise RequestError(f"no shot is long enough for a clip at strides {self._strides} (augment.frame_strides)")
        self._labels = np.array(footage.labels, np.int64)
        self._philox = np.random.Philox(key=seed)  # to make one costs more than the draws of a batch
        self._philox_state = self._philox.state
        self._one_at_a_time = Lock()

    @property
    def num_clips(self) -> int:
        """Clips that begin at different frames."""
        return int(self._first_positions[-1])

    def positions(self, first: int, count: int) -> np.ndarray:
        """Which of the `num_clips` clips are items first, first + 1, ... of the stream, int64 [count].

        Item n is drawn by counter n of Philox (Salmon et al. 2011) under the seed's key: four 64-bit numbers a
        counter, of which the first counts.
        """
        counter = np.array([first, 0, 0, 0], np.uint64)
        with self._one_at_a_time:
            self._philox.state = self._philox_state | {"state": self._philox_state["state"] | {"counter": counter}}
            draws = self._philox.random_raw(4 * count)[::4]
        return ((draws >> 11) * (self.num_clips / 2**53)).astype(np.int64)

    def clip(self, n: int) -> tuple[np.ndarray, int]:
        """Frames uint8 [T, H, W, C] and label of item n of the stream."""
        return self.clip_at(int(self.positions(n, 1)[0]))

    def clip_at(self, position: int) -> tuple[np.ndarray, int]:
        """Frames uint8 [T, H, W, C] (a view of the prepared ones) and label of one of the `num_clips` clips."""
        block, start = map(int, self._blocks_and_starts(position))
        shot, stride = self._shot_and_stride(block)
        frames = self.footage.frames[shot][start : start + span(self.num_frames, stride) : stride]
        return frames, self.footage.labels[shot]

    def _shot_and_stride(self, block: int) -> tuple[int, int]:
        """All shots at the first stride come before those at the second."""
        factor, shot = divmod(block, len(self.footage.frames))
        return shot, self._strides[factor]

    def batch(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Frames uint8 [B, T, H, W, C] and labels int64 [B] of the `count` items first, first + 1, ...

        Costs little more than copying the frames; several threads may ask at once.
        """
        blocks, starts = self._blocks_and_starts(self.positions(first, count))
        frames = self.footage.frames
        video = np.empty((count, self.num_frames, *frames[0].shape[1:]), np.uint8)
        for clip, block, start in zip(video, blocks.tolist(), starts.tolist(), strict=True):
            shot, stride = self._shot_and_stride(block)
            clip[...] = frames[shot][start : start + span(self.num_frames, stride) : stride]
        return torch.from_numpy(video), torch.from_numpy(self._labels[blocks % len(frames)])

    def shots(self, first: int, count: int) -> Tensor:
        """Which shots of the footage those items are of, int64 [B]."""
        return torch.from_numpy(self._blocks_and_starts(self.positions(first, count))[0] % len(self.footage.frames))

    def _blocks_and_starts(self, positions: int | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each of the `num_clips` clips asked for: its shot at its stride, and the frame that it begins at."""
        blocks = np.searchsorted(self._first_positions, positions, side="right") - 1
        return blocks, positions - self._first_positions[blocks]
