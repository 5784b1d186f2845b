"""What is seen in the frames of a source: cuts, black and frozen stretches, and what tells one shot from another.

Cuts are found by PySceneDetect's detectors, and believed if the pictures before and after differ: a flash, a flicker
and the jump in quality at a keyframe of a codec come back to what they left.

    frames    a a a a a F a a a   b b b b b
    detector            ^ ^       ^
    believed                      ^
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector, HashDetector, HistogramDetector

from vidgan.media.digest import DIGEST_BYTES

# Longer side of the pictures that are looked at: enough to tell shots apart, and quick.
SMALL_SIDE = 160

# Thresholds, each in its detector's own measure, where the user states none.
_DETECTORS = {
    "adaptive": lambda threshold: AdaptiveDetector(adaptive_threshold=threshold or 2.5, min_scene_len=1),
    "content": lambda threshold: ContentDetector(threshold=threshold or 27.0, min_scene_len=1),
    "histogram": lambda threshold: HistogramDetector(threshold=threshold or 0.05, min_scene_len=1),
    "hash": lambda threshold: HashDetector(threshold=threshold or 0.35, min_scene_len=1),
}

# Of the bits of two perceptual hashes, the share that differs between pictures of different shots. Measured: 0.34 to
# 0.56 at the cuts of an edited concert, below 0.17 where its codec jumps.
_DIFFERENT = 0.25

# Frames after a cut, and before it, at which the pictures must still differ; longer than a flash.
_SETTLED = 3

# A cut sooner after another is a part of it, such as the two ends of a whip pan or of a damaged frame.
_SHORTEST_SHOT = 8

# Fewer frames in a row are not worth parting a shot for: a blink of black, an animation that holds its drawings.
_SHORTEST_STRETCH = 12

# A frame is black if all but this share of its pixels have a luma below the level. Much stricter than FFmpeg's
# blackdetect (2 %, level 25), which would take a night with one lit window for black.
_LIT_SHARE, _LIT_LEVEL = 0.002, 16

# A frame is frozen if its pixels differ from the last ones by less than this on average and nowhere by more, in levels
# of 255: what a codec does to a picture that is held. FFmpeg's freezedetect takes 0.255 on average (-60 dB) and no
# most, and so slow smoke, and a bird in a wide sky, for nothing.
_FROZEN_MEAN, _FROZEN_MOST = 0.05, 3

# Any rate: detectors are told frames, and count in frames.
_NOMINAL_RATE = 24.0


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
    """Looks at the frames of a source in their order; keeps about 30 bytes of each."""

    def __init__(self, *, cuts: str, cut_threshold: float | None) -> None:
        """`cuts` is a detector's name or "none"; `cut_threshold` its threshold, None for the usual one."""
        self._new_detector = (lambda: None) if cuts == "none" else lambda: _DETECTORS[cuts](cut_threshold)
        self._detector = self._new_detector()
        self._candidates: list[int] = []
        self._starts = [0]
        self._digests, self._hashes = bytearray(), bytearray()
        self._is_black, self._is_frozen = bytearray(), bytearray()
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
        self._is_frozen.append(int(position > self._starts[-1] and _is_held(small, self._last)))
        self._digests += digest
        self._last = small
        if self._detector is not None:
            self._hashes += np.packbits(HashDetector.hash_frame(small, 8, 2)).tobytes()
            self._believe_later(self._detector.process_frame(FrameTimecode(position, _NOMINAL_RATE), small))

    def restart(self) -> None:
        """What comes next does not follow: a frame is missing, or pictures have another size."""
        self._finish()
        self._starts.append(self.num_frames)

    def result(self) -> Looks:
        """What was seen; call it once, at the end."""
        self._finish()
        cuts: list[int] = []
        for cut in sorted(set(self._candidates)):
            start = max([*cuts, *(start for start in self._starts if start <= cut)])
            if cut - start >= _SHORTEST_SHOT and self._differs_around(cut):
                cuts.append(cut)
        return Looks(
            cuts=tuple(cuts),
            black=_stretches(self._is_black, whole_source=True),
            frozen=_stretches(self._is_frozen),
            digests=bytes(self._digests),
        )

    def _finish(self) -> None:
        if self._detector is not None and self.num_frames:
            self._believe_later(self._detector.post_process(FrameTimecode(self.num_frames - 1, _NOMINAL_RATE)))
        self._detector = self._new_detector()

    def _believe_later(self, cuts: list[FrameTimecode]) -> None:
        self._candidates += [cut.frame_num for cut in cuts]

    def _differs_around(self, cut: int) -> bool:
        """Whether the frames next to a cut differ from those a little way on its other side."""
        start = max(start for start in self._starts if start <= cut)
        stop = min([self.num_frames, *(start for start in self._starts if start > cut)])
        pairs = ((cut - 1, min(cut + _SETTLED, stop - 1)), (max(cut - 1 - _SETTLED, start), cut))
        return all(self._difference(before, after) >= _DIFFERENT for before, after in pairs)

    def _difference(self, one: int, other: int) -> float:
        """Share of the bits of two frames' perceptual hashes that differ."""
        first, second = (int.from_bytes(self._hashes[8 * index : 8 * index + 8]) for index in (one, other))
        return (first ^ second).bit_count() / 64


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
