"""Damage made to clean clips, so that a network can learn to mend them: item n is a pure function of (seed, n).

    given (in the hole)         box and strokes, which move; text, burnt in; missing frames
    given, or to be found       repeated frames; scratches over frames; dust of one frame; drop-outs of lines
    noise, to be taken off      grain, soft and of the luma; sensor noise, white and of each colour

Where the hole is, nobody looks at the pixels. Damage outside of the hole is what the network has to find.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from torch import Tensor

from vidgan.config import DamageKind, RepairConfig
from vidgan.footage.damage_shapes import (
    moving_box,
    moving_strokes,
    paint_dropouts,
    paint_dust,
    paint_scratches,
    paint_text,
    some_frames,
)

# Film grain is blurred by so many pixels (standard deviation), and strongest at middle levels.
GRAIN_WIDTH = 0.7
# Damage is to be found where it is seen: where it changes a pixel by so many levels, or a frame by so many on average.
SEEN_LEVELS, SEEN_ON_AVERAGE = 6, 0.25


@dataclass(frozen=True)
class Damaged:
    """A batch of damaged clips. Frames lie as footage does, [B, T, H, W, C]."""

    frames: Tensor
    """uint8 [B, T, H, W, C]."""
    hole: Tensor
    """Whether a pixel is to be made, and the network is told so, bool [B, T, H, W]."""
    found: Tensor
    """Whether a pixel is damaged and the network is not told, bool [B, T, H, W]."""
    grain: Tensor
    """Standard deviation, in voxels of -1..1, of the noise that is to be taken off, float32 [B]; 0 for none."""

    def each(self, change: Callable[[Tensor], Tensor]) -> Damaged:
        """With every tensor changed alike."""
        return Damaged(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


def damage_batch(frames: Tensor, first: int, settings: RepairConfig, seed: int) -> Damaged:
    """Damage items first, first + 1, ... of a stream of clips, frames uint8 [B, T, H, W, C], which stay as they are."""
    kinds = [kind_of(settings, seed, first + index) for index in range(len(frames))]
    return damage_clips(frames, kinds, first, settings, seed)


def damage_clips(frames: Tensor, kinds: Sequence[DamageKind], first: int, settings: RepairConfig, seed: int) -> Damaged:
    """The same with kinds of damage that are stated, one a clip."""
    clips = [
        damage_clip(clip, kind, settings, np.random.default_rng([seed, first + index]))
        for index, (clip, kind) in enumerate(zip(frames.numpy(), kinds, strict=True))
    ]
    damaged, hole, found = (torch.from_numpy(np.stack(each)) for each in list(zip(*clips, strict=True))[:3])
    return Damaged(damaged, hole, found, torch.tensor([clip[3] for clip in clips], dtype=torch.float32))


def kind_of(settings: RepairConfig, seed: int, n: int) -> DamageKind:
    """Which kind of damage item n has."""
    kinds, shares = list(settings.kinds), np.array(list(settings.kinds.values()))
    return kinds[np.random.default_rng([seed, n, 1]).choice(len(kinds), p=shares / shares.sum())]


def damage_clip(
    clip: np.ndarray, kind: DamageKind, settings: RepairConfig, draws: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """One clip uint8 [T, H, W, C] -> as the fields of `Damaged`, of one clip."""
    nothing = np.zeros(clip.shape[:3], bool)
    if kind in ("grain", "sensor"):
        strength = draws.uniform(0.02, settings.most_noise)
        return add_noise(clip, strength, soft=kind == "grain", draws=draws), nothing, nothing, strength
    if kind == "box":
        return clip, moving_box(clip.shape[:3], settings.largest_hole, draws), nothing, 0.0
    if kind == "strokes":
        return clip, moving_strokes(clip.shape[:3], draws), nothing, 0.0
    if kind == "text":
        painted, marks = paint_text(clip, draws)
        return painted, marks.any_of(range(len(marks))), nothing, 0.0
    if kind in ("missing", "repeated"):
        gone = some_frames(len(clip), settings.longest_gap, draws)
        return _without_frames(clip, gone, given=kind == "missing" or draws.random() < settings.given)
    paint = {"scratches": paint_scratches, "dust": paint_dust, "dropouts": paint_dropouts}[kind]
    painted, marks = paint(clip, draws)
    # All are given, or none, or each by chance: as a person corrects what was found.
    share = draws.choice([0.0, settings.given, 1.0], p=_shares_of_given(settings.given))
    given = [index for index in range(len(marks)) if draws.random() < share]
    hole = marks.any_of(given)
    seen = np.abs(painted.astype(np.int16) - clip).max(-1) >= SEEN_LEVELS
    return painted, hole, seen & ~hole, 0.0


def _shares_of_given(given: float) -> list[float]:
    """Of clips where nothing is given, something, and all, so that `given` of all damage is."""
    return [(1 - given) * 2 / 3, 1 / 3, given * 2 / 3]


def _without_frames(
    clip: np.ndarray, gone: np.ndarray, *, given: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The frame before each of those that are gone, bool [T], shown again in its place."""
    damaged, missing, nothing = clip.copy(), np.zeros(clip.shape[:3], bool), np.zeros(clip.shape[:3], bool)
    for frame in np.flatnonzero(gone):
        damaged[frame] = damaged[max(frame - 1, 0)]
        seen = np.abs(damaged[frame].astype(np.int16) - clip[frame]).mean() > SEEN_ON_AVERAGE
        missing[frame] = given or seen
    return (damaged, missing, nothing, 0.0) if given else (damaged, nothing, missing, 0.0)


def add_noise(clip: np.ndarray, strength: float, *, soft: bool, draws: np.random.Generator) -> np.ndarray:
    """A clip uint8 [T, H, W, C] with noise of standard deviation `strength`, of voxels -1..1, rounded and clipped.

    Soft noise, of film, is one for all colours, blurred, and weaker in shadows and highlights; white noise, of a
    sensor, is one of its own for each.
    """
    num_frames, height, width, channels = clip.shape
    noise = draws.standard_normal((num_frames, height, width, 1 if soft else channels), np.float32)
    level = clip.astype(np.float32) / 255
    if soft:
        noise = np.stack([cv2.GaussianBlur(frame, (0, 0), GRAIN_WIDTH) for frame in noise])[..., None]
        noise = noise * np.sqrt(0.2 + 3.2 * level * (1 - level))
    noise *= strength * 127.5 / max(float(noise.std()), 1e-6)
    return np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8)
