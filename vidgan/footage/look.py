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

# Pictures of different shots differ in this share of the bits of their perceptual hashes (measured: 0.34 to 0.56 at the
# cuts of an edited concert, below 0.17 where its codec jumps), or, for flat pictures whose hashes say little, by this
# many levels of 255 on average after the one is made as bright as the other.
_DIFFERENT_BITS, _DIFFERENT_LEVELS = 0.25, 24

# Frames after a cut, and before it, at which the pictures must still differ; longer than a flash.
_SETTLED = 3

# Frames of which a picture is kept: a detector may tell of a cut some frames later.
_REMEMBERED = 16

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


@dataclass(frozen=True)
class _Memory:
    """What is kept of a frame for as long as a cut may be found near it."""

    bits: np.ndarray
    """bool [8, 8], the perceptual hash."""
    tiny: np.ndarray
    """float [16, 16, 3]."""

    def differs(self, other: _Memory) -> bool:
        if np.count_nonzero(self.bits != other.bits) >= _DIFFERENT_BITS * self.bits.size:
            return True
        gain = (self.tiny * other.tiny).sum() / max((self.tiny * self.tiny).sum(), 1.0)
        return np.abs(gain * self.tiny - other.tiny).mean() >= _DIFFERENT_LEVELS


class FrameWatcher:
    """Looks at the frames of a source in their order; keeps 18 bytes of each."""

    def __init__(self, *, cuts: str, cut_threshold: float | None) -> None:
        """`cuts` is a detector's name or "none"; `cut_threshold` its threshold, None for the usual one."""
        self._new_detector = (lambda: None) if cuts == "none" else lambda: _DETECTORS[cuts](cut_threshold)
        self._detector = self._new_detector()
        self._start = 0
        self._cuts: list[int] = []
        self._candidates: list[int] = []
        self._recent: dict[int, _Memory] = {}
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
        self._is_frozen.append(int(position > self._start and _is_held(small, self._last)))
        self._digests += digest
        self._last = small
        if self._detector is not None:
            tiny = cv2.resize(small, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
            self._recent[position] = _Memory(HashDetector.hash_frame(small, 8, 2), tiny)
            self._recent.pop(position - _REMEMBERED, None)
            self._consider(self._detector.process_frame(FrameTimecode(position, _NOMINAL_RATE), small))

    def restart(self) -> None:
        """What comes next does not follow: a frame is missing, or pictures have another size."""
        self._finish()
        self._start = self.num_frames

    def result(self) -> Looks:
        """What was seen; call it once, at the end."""
        self._finish()
        return Looks(
            cuts=tuple(self._cuts),
            black=_stretches(self._is_black, whole_source=True),
            frozen=_stretches(self._is_frozen),
            digests=bytes(self._digests),
        )

    def _consider(self, cuts: list[FrameTimecode], *, at_end: bool = False) -> None:
        """Believe or dismiss the candidates that have settled, at the end all of them."""
        self._candidates = sorted({*self._candidates, *(cut.frame_num for cut in cuts)})
        last = self.num_frames - 1
        while self._candidates and (at_end or self._candidates[0] + _SETTLED <= last):
            cut = self._candidates.pop(0)
            pairs = ((cut - 1, min(cut + _SETTLED, last)), (max(cut - 1 - _SETTLED, self._start), cut))
            shot_start = max([self._start, *self._cuts[-1:]])
            if cut - shot_start >= _SHORTEST_SHOT and all(
                before in self._recent and self._recent[before].differs(self._recent[after]) for before, after in pairs
            ):
                self._cuts.append(cut)

    def _finish(self) -> None:
        if self._detector is not None and self.num_frames > self._start:
            timecode = FrameTimecode(self.num_frames - 1, _NOMINAL_RATE)
            self._consider(self._detector.post_process(timecode), at_end=True)
        self._detector = self._new_detector()
        self._recent.clear()


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
