"""The shapes of damage: where a clip is damaged, and what is seen there.

Each function takes what it draws from numpy's generator `draws`, and never a number from anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

Shape = tuple[int, int, int]
"""Frames, rows, columns."""

LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.-"))


class Marks:
    """Several things that damage a clip, each a mask of its own: of one speck of dust, of one scratch."""

    def __init__(self, shape: Shape) -> None:
        self.which = np.zeros(shape, np.uint16)
        """Which mark a pixel belongs to, from 1; 0 for none."""
        self._count = 0

    def __len__(self) -> int:
        """Number of things."""
        return self._count

    def add(self, frames: slice | int, mask: np.ndarray) -> None:
        """One more, in these frames: bool [..., H, W]."""
        self._count += 1
        self.which[frames] = np.where(mask, self._count, self.which[frames])

    def any_of(self, marks: Iterable[int]) -> np.ndarray:
        """Where one of these is, bool [T, H, W]."""
        return np.isin(self.which, [mark + 1 for mark in marks])


def path(num_frames: int, speed: float, draws: np.random.Generator) -> np.ndarray:
    """A way that begins at 0 and bends slowly: float [T, 2], by at most about `speed` a frame; often it rests."""
    if draws.random() < 0.3:
        return np.zeros((num_frames, 2))
    velocity = draws.uniform(-speed, speed, 2) + np.cumsum(draws.normal(0, speed / 8, (num_frames, 2)), axis=0)
    return np.cumsum(velocity, axis=0)


def moving_box(shape: Shape, largest: float, draws: np.random.Generator) -> np.ndarray:
    """A box that moves, in all frames or in a stretch of them: bool [T, H, W]."""
    num_frames, height, width = shape
    sides = np.array([height, width]) * draws.uniform(min(0.1, largest), largest, 2)
    sides = np.maximum(sides.round().astype(int), 2)
    start = draws.uniform(0, 1, 2) * (np.array([height, width]) - sides)
    hole = np.zeros(shape, bool)
    frames = stretch(num_frames, draws)
    corners = start + path(num_frames, 0.03 * min(height, width), draws)
    corners = np.clip(corners.round().astype(int), 0, np.array([height, width]) - sides)
    for frame in frames:
        row, column = corners[frame]
        hole[frame, row : row + sides[0], column : column + sides[1]] = True
    return hole


def moving_strokes(shape: Shape, draws: np.random.Generator) -> np.ndarray:
    """Free strokes, as of a brush over a wire or a rig, that move: bool [T, H, W]."""
    num_frames, height, width = shape
    side = min(height, width)
    hole = np.zeros(shape, np.uint8)
    for _ in range(draws.integers(1, 4)):
        turns = np.cumsum(draws.normal(0, 0.6, draws.integers(2, 6))) + draws.uniform(0, 2 * np.pi)
        steps = draws.uniform(0.1, 0.35, len(turns))[:, None] * side
        ways = np.stack([np.cos(turns), np.sin(turns)], axis=1) * steps
        points = draws.uniform(0, 1, 2) * [width, height] + np.cumsum(np.vstack([[0, 0], ways]), axis=0)
        thickness = int(max(1, round(draws.uniform(0.015, 0.12) * side)))
        shifts = path(num_frames, 0.03 * side, draws)
        for frame in stretch(num_frames, draws):
            line = np.rint(points + shifts[frame]).astype(np.int32)
            cv2.polylines(hole[frame], [line], False, 1, thickness)
    return hole.astype(bool)


def some_frames(num_frames: int, longest: int, draws: np.random.Generator) -> np.ndarray:
    """One or two gaps of up to `longest` frames: bool [T]; of a clip of three frames or more, never its ends."""
    gone = np.zeros(num_frames, bool)
    first, stop = (1, num_frames - 1) if num_frames > 2 else (0, num_frames)
    for _ in range(draws.integers(1, 3)):
        length = draws.integers(1, longest + 1)
        begin = draws.integers(first, stop)
        gone[begin : min(begin + length, stop)] = True
    return gone


def stretch(num_frames: int, draws: np.random.Generator) -> range:
    """All frames half of the time, else some in a row."""
    if draws.random() < 0.5:
        return range(num_frames)
    first, last = np.sort(draws.integers(0, num_frames, 2))
    return range(int(first), int(last) + 1)


def paint_text(clip: np.ndarray, draws: np.random.Generator) -> tuple[np.ndarray, Marks]:
    """Letters burnt in, a line or two, at rest: the clip uint8 [T, H, W, C] with them, and where they are."""
    height, width = clip.shape[1:3]
    canvas = np.zeros((height, width), np.uint8)
    for _ in range(draws.integers(1, 3)):
        words = "".join(draws.choice(LETTERS, draws.integers(3, 10)))
        scale = draws.uniform(0.2, 0.6) * height / 64
        font = int(draws.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX]))
        at = (int(draws.uniform(-0.1, 0.6) * width), int(draws.uniform(0.15, 1.0) * height))
        thickness = int(max(1, round(draws.uniform(0.7, 2.0) * height / 64)))
        cv2.putText(canvas, words, at, font, scale, 1, thickness)
    if not canvas.any():
        canvas[height // 2, width // 4 : width // 2] = 1
    marks = Marks(clip.shape[:3])
    marks.add(slice(None), np.broadcast_to(canvas.astype(bool), clip.shape[:3]))
    return painted(clip, marks.which > 0, draws.integers(0, 256, clip.shape[3]), draws.uniform(0.7, 1)), marks


def paint_scratches(clip: np.ndarray, draws: np.random.Generator) -> tuple[np.ndarray, Marks]:
    """Lines along the film, bright or dark, for some frames each, trembling: as `paint_text`."""
    num_frames, height, width = clip.shape[:3]
    result, marks = clip.copy(), Marks(clip.shape[:3])
    for _ in range(draws.integers(1, 5)):
        thickness = int(max(1, round(draws.choice([1, 1, 1, 2]) * width / 64)))
        column, top, bottom = draws.uniform(0, width - thickness), 0, height
        if draws.random() < 0.5:
            top, bottom = np.sort(draws.integers(0, height + 1, 2))
        mask = np.zeros(clip.shape[:3], bool)
        drift = np.cumsum(draws.normal(0, 0.3, num_frames)) * draws.choice([0, 1])
        for frame in stretch(num_frames, draws):
            left = int(np.clip(round(column + drift[frame]), 0, width - thickness))
            mask[frame, top:bottom, left : left + thickness] = True
        marks.add(slice(None), mask)
        result = painted(result, mask, _mark_level(draws), draws.uniform(0.5, 1))
    return result, marks


def paint_dust(clip: np.ndarray, draws: np.random.Generator) -> tuple[np.ndarray, Marks]:
    """Specks and hairs, each in one frame: as `paint_text`."""
    num_frames, height, width = clip.shape[:3]
    result, marks = clip.copy(), Marks(clip.shape[:3])
    for _ in range(draws.integers(1, max(2, 1 + 2 * num_frames))):
        frame, side = int(draws.integers(num_frames)), min(height, width)
        mask = np.zeros((height, width), np.uint8)
        at = (int(draws.integers(width)), int(draws.integers(height)))
        if draws.random() < 0.7:
            axes = tuple(int(max(0, round(draws.uniform(0.2, 2.5) * side / 64))) for _ in range(2))
            cv2.ellipse(mask, at, axes, draws.uniform(0, 180), 0, 360, 1, -1)
        else:
            turns = np.cumsum(draws.normal(0, 0.5, 4)) + draws.uniform(0, 2 * np.pi)
            ways = np.stack([np.cos(turns), np.sin(turns)], axis=1) * draws.uniform(0.02, 0.08) * side
            points = np.rint(at + np.cumsum(np.vstack([[0, 0], ways]), axis=0)).astype(np.int32)
            cv2.polylines(mask, [points], False, 1, 1)
        marks.add(frame, mask.astype(bool))
        result[frame] = painted(result[frame], mask > 0, _mark_level(draws), draws.uniform(0.6, 1))
    return result, marks


def paint_dropouts(clip: np.ndarray, draws: np.random.Generator) -> tuple[np.ndarray, Marks]:
    """Parts of lines lost in one frame each: streaks of one level, of noise, or of the line above. As `paint_text`."""
    num_frames, height, width, channels = clip.shape
    result, marks = clip.copy(), Marks(clip.shape[:3])
    for _ in range(draws.integers(1, max(2, num_frames))):
        frame, rows = int(draws.integers(num_frames)), int(max(1, round(draws.integers(1, 3) * height / 64)))
        row = int(draws.integers(0, height - rows))
        left, right = np.sort(draws.integers(0, width, 2))
        right = min(width, max(right, left + width // 8))
        mask = np.zeros((height, width), bool)
        mask[row : row + rows, left:right] = True
        how = draws.integers(3)
        if how == 0:
            streak = np.full((rows, right - left, channels), draws.integers(0, 256), np.uint8)
        elif how == 1:
            streak = draws.integers(0, 256, (rows, right - left, channels), np.uint8)
        else:
            shift = int(draws.integers(1, max(2, width // 2)))
            streak = np.roll(result[frame, row : row + rows], shift, axis=1)[:, left:right]
        result[frame, row : row + rows, left:right] = streak
        marks.add(frame, mask)
    return result, marks


def painted(clip: np.ndarray, mask: np.ndarray, level: np.ndarray | int, opacity: float) -> np.ndarray:
    """A clip uint8 [..., H, W, C] with `level` laid over it where mask [..., H, W] is set."""
    mixed = np.rint((1 - opacity) * clip[mask] + opacity * np.asarray(level)).astype(np.uint8)
    result = clip.copy()
    result[mask] = mixed
    return result


def _mark_level(draws: np.random.Generator) -> int:
    """Bright or dark."""
    return int(draws.integers(200, 256) if draws.random() < 0.6 else draws.integers(0, 50))
