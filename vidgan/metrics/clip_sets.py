"""The clips that an evaluation compares: of footage, of a generator, and of a folder that somebody else made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidgan.clip import span
from vidgan.errors import RequestError
from vidgan.footage.prepare import PreparedFootage
from vidgan.sampling.render import render_takes
from vidgan.sampling.take import class_of_seed, seed_take
from vidgan.weights import LoadedGenerator


@dataclass(frozen=True)
class ClipSet:
    """Clips of one size and length, uint8 [T, H, W, C] each: views of mapped files, so that many cost no memory."""

    clips: tuple[np.ndarray, ...]
    labels: np.ndarray
    """int64 [N], index of the class; 0 without classes."""
    shots: np.ndarray
    """int64 [N], which clips come from one shot, or one take."""
    content: str
    """SHA-256 of all that decides the clips; empty if nobody will ask for them again."""

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def some(self, count: int, seed: int) -> np.ndarray:
        """Positions of at most `count` clips, drawn without replacement, ascending."""
        return np.sort(np.random.default_rng(seed).permutation(len(self))[:count])

    def limited(self, count: int, seed: int) -> ClipSet:
        """At most `count` of these clips, drawn without replacement."""
        if len(self) <= count:
            return self
        chosen = self.some(count, seed)
        return ClipSet(
            clips=tuple(self.clips[position] for position in chosen),
            labels=self.labels[chosen],
            shots=self.shots[chosen],
            content=_hash(self.content, count, seed),
        )

    def array(self, positions: np.ndarray) -> np.ndarray:
        """uint8 [N, T, H, W, C] in memory."""
        return np.stack([self.clips[position] for position in positions])


def clips_of_footage(footage: PreparedFootage, num_frames: int, frame_stride: int) -> ClipSet:
    """All clips that do not overlap, shot by shot from its first frame."""
    length = span(num_frames, frame_stride)
    places = [
        (shot, start)
        for shot, frames in enumerate(footage.frames)
        for start in range(0, len(frames) - length + 1, length)
    ]
    return ClipSet(
        clips=tuple(footage.frames[shot][start : start + length : frame_stride] for shot, start in places),
        labels=np.array([footage.labels[shot] for shot, _ in places], np.int64),
        shots=np.array([shot for shot, _ in places], np.int64),
        content=_hash(footage.manifest_hash, num_frames, frame_stride),
    )


def together(first: ClipSet, second: ClipSet) -> ClipSet:
    """The clips of both, in this order; their shots are different ones."""
    offset = int(first.shots.max()) + 1 if len(first) else 0
    return ClipSet(
        clips=first.clips + second.clips,
        labels=np.concatenate([first.labels, second.labels]),
        shots=np.concatenate([first.shots, second.shots + offset]),
        content=_hash(first.content, second.content),
    )


def clips_of_generator(
    loaded: LoadedGenerator, count: int, num_frames: int, file: Path, *, progress: Callable[[], None] | None = None
) -> ClipSet:
    """Takes of seeds 1, 2, ... `count`, each in the class it belongs to, rendered into a mapped file."""
    data = loaded.provenance.config.data
    shape = (count, num_frames, data.height, data.width, data.channels)
    frames = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
    labels = np.array([class_of_seed(seed, loaded) for seed in range(1, count + 1)], np.int64)
    takes = [seed_take(loaded, seed, num_frames=num_frames) for seed in range(1, count + 1)]
    filled = [0] * count
    for take, piece in render_takes(loaded, takes):
        frames[take, filled[take] : filled[take] + len(piece)] = piece
        filled[take] += len(piece)
        if progress and filled[take] == num_frames:
            progress()
    frames.flush()
    content = _hash(loaded.weights_hash, count, num_frames) if loaded.weights_hash else ""
    return ClipSet(tuple(frames), labels, np.arange(count), content)


def same_classes(generated: tuple[str, ...], real: tuple[str, ...], labels: np.ndarray) -> np.ndarray:
    """Labels of generated clips as indices into the classes of the footage. Raises `RequestError` if they differ."""
    if set(generated) != set(real):
        raise RequestError(
            f"the clips have the classes {', '.join(generated) or 'none'}, the footage {', '.join(real) or 'none'}; "
            "evaluate with footage of the same classes, or with data.classes=none"
        )
    return np.array([real.index(generated[label]) if real else 0 for label in labels], np.int64)


def _hash(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
