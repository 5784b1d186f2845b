"""What is seen in the frames of a source: cuts, black and frozen stretches, and what tells one shot from another.

Cuts are found in `vidgan.footage.cuts`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np

from vidgan.footage.cuts import CutFinder
from vidgan.media.digest import DIGEST_BYTES

# Longer side of the pictures that are looked at: enough to tell shots apart, and quick.
SMALL_SIDE = 160

# Fewer frames in a row are not worth parting a shot for: a blink of black, an animation that holds its drawings.
_SHORTEST_STRETCH = 12

# A frame is black if all but this share of its pixels have a luma below the level. Much stricter than FFmpeg's
# blackdetect (2 %, level 25), which would take a night with one lit window for black.
_LIT_SHARE, _LIT_LEVEL = 0.002, 16

# A frame is frozen if its pixels differ from the last ones by less than this on average and nowhere by more, in levels
# of 255: what H.264 does to a picture that is held (measured up to CRF 34). FFmpeg's freezedetect takes 0.255 on
# average (-60 dB) and no most, and so slow smoke for nothing; 0.05 and 3 would still take a person who breathes.
_FROZEN_MEAN, _FROZEN_MOST = 0.02, 2


@dataclass(frozen=True)
class Looks:
    """What was seen. Positions count the frames seen, from 0; stretches are half-open."""

    cuts: tuple[int, ...]
    """Positions of the first frame of a new shot."""
    black: tuple[range, ...]
    frozen: tuple[range, ...]
    """Frames that repeat the one before; the first of them all is not among these."""
    digests: bytes
    """16 bytes a frame, see `vidgan.media.digest`."""


class FrameWatcher:
    """Looks at the frames of a source in their order; keeps 18 bytes of each."""

    def __init__(self, *, cuts: str, cut_threshold: float | None) -> None:
        """`cuts` is a detector's name or "none"; `cut_threshold` its threshold, None for the usual one."""
        cv2.setNumThreads(1)  # pictures are small, and there is a worker for each core
        self._new_finder = lambda: CutFinder(cuts, cut_threshold)
        self._finder = self._new_finder()
        self._start = 0
        self._cuts: list[int] = []
        self._digests, self._is_black, self._is_frozen = bytearray(), bytearray(), bytearray()
        self._last: np.ndarray | None = None

    @property
    def num_frames(self) -> int:
        """Frames seen so far."""
        return len(self._is_black)

    def see(self, small: np.ndarray, digest: bytes) -> None:
        """The next frame: uint8 [h, w, 3] in the order blue, green, red, about `SMALL_SIDE` long, and its digest."""
        position = self.num_frames
        luma = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        self._is_black.append(int(np.count_nonzero(luma >= _LIT_LEVEL) <= _LIT_SHARE * luma.size))
        held = position > self._start and _is_held(small, self._last)
        self._is_frozen.append(int(held))
        self._digests += digest
        self._last = small
        self._finder.see(position, small, repeats=held)

    def restart(self) -> None:
        """What comes next does not follow: a frame is missing, or pictures have another size."""
        self._cuts += self._finder.finish()
        self._finder = self._new_finder()
        self._start = self.num_frames

    def result(self) -> Looks:
        """What was seen; call it once, at the end."""
        self.restart()
        return Looks(
            cuts=tuple(self._cuts),
            black=_stretches(self._is_black, whole_source=True),
            frozen=_stretches(self._is_frozen),
            digests=bytes(self._digests),
        )


def _is_held(small: np.ndarray, last: np.ndarray) -> bool:
    mean = cv2.norm(small, last, cv2.NORM_L1) / small.size
    return mean < _FROZEN_MEAN and cv2.norm(small, last, cv2.NORM_INF) <= _FROZEN_MOST


def _stretches(flags: bytearray, *, whole_source: bool = False) -> tuple[range, ...]:
    """Runs of set flags that are long enough; a run over all of a source always is, with `whole_source`."""
    found, position = [], 0
    for flag, run in groupby(flags):
        length = sum(1 for _ in run)
        if flag and (length >= _SHORTEST_STRETCH or (whole_source and length == len(flags))):
            found.append(range(position, position + length))
        position += length
    return tuple(found)


def small_still(picture: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] red, green, blue -> what `FrameWatcher.see` takes."""
    height, width = picture.shape[:2]
    scale = max(1, max(height, width) / SMALL_SIDE)
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    return cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)


def content_hash(digests: bytes, start: int, stop: int) -> str:
    """SHA-256 in hex of frames [start, stop)."""
    return hashlib.sha256(digests[DIGEST_BYTES * start : DIGEST_BYTES * stop]).hexdigest()
