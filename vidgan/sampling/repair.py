"""Mending plates of any size and length: what is damaged is cut out with its surroundings, mended, and joined again.

A stretch of frames is seen at once, and in it windows around the holes, at the plate's own pixels. A hole whose middle
the network could not see the surroundings of, neither in the picture nor at another time, is mended at half the size
first (and at a quarter, ...); of that, only its middle stays.

    hole       . . . # # # # # # # # # . . .
    deep       . . . . . . # # # . . . . . .       mended at half the size, then known
    the rest   . . . # # # . . . # # # . . .       mended at the plate's own pixels

Every number is a pure function of the frames of a stretch, the seed and the place, so that work that was interrupted
goes on the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from vidgan.nn.family import Repairer
from vidgan.sampling.latents import unit_normal
from vidgan.sampling.stretches import Part, View
from vidgan.sampling.windows import Window, extent, windows_over

# A pixel is damaged whose logit is above the first, and so are all that are above the second and connected to it in its
# frame, as edges are followed by Canny (1986): the faint parts of what is found are found, too.
SURE, LIKELY = 0.0, -1.5

# What noise is drawn for, beside a take's content and motion.
_ALTERNATIVE, _GRAIN = 2, 3


class Mender:
    """A network with the sizes it was trained at, and what is asked of it."""

    def __init__(
        self, repairer: Repairer, *, height: int, width: int, seed: int | None = None, grain: float = 0.0
    ) -> None:
        """`seed` None is what the network expects; `grain` is the noise to take off, a standard deviation of
        voxels -1..1."""
        self.repairer, self.seed, self.grain = repairer, seed, grain
        side = min(height, width)
        # A hole of half the side it was trained at is seen with its surroundings from everywhere in it.
        self.reach, self.margin, self.core = side // 4, side // 2, 2 * side

    @torch.inference_mode()
    def fill(self, views: Sequence[View], first_frame: int) -> Part:
        """Holes filled: float32 [3, T, h, w] 0..1 of all that holes lie in. `first_frame` is the first view's index."""
        hole = np.any([view.hole for view in views], axis=0)
        if not hole.any():
            return Part(0, 0, torch.zeros(3, len(views), 0, 0))
        top, bottom, left, right = self._surroundings(hole)
        video, holes = _tensors(views, (slice(top, bottom), slice(left, right)))
        return Part(top, left, (self._filled(video, holes, _Place(first_frame, top, left, *hole.shape)) + 1) / 2)

    @torch.inference_mode()
    def denoise(self, views: Sequence[View], first_frame: int) -> Part:
        """Without its noise: float32 [3, T, H, W] 0..1."""
        return Part(0, 0, (self._everywhere(views, first_frame)[:-1] + 1) / 2)

    @torch.inference_mode()
    def find(self, views: Sequence[View], first_frame: int) -> Part:
        """How sure it is that a pixel is damaged: logits float32 [1, T, H, W]."""
        return Part(0, 0, self._everywhere(views, first_frame)[-1:])

    def _everywhere(self, views: Sequence[View], first_frame: int) -> Tensor:
        video, hole = _tensors(views)
        where = np.ones(views[0].hole.shape, bool)
        return self._over_windows(video, hole, where, _Place(first_frame, 0, 0, *where.shape))

    def _surroundings(self, hole: np.ndarray) -> tuple[int, int, int, int]:
        """Top, bottom, left, right of a hole bool [H, W] with all that can count in mending it, at any scale."""
        box = [extent(hole.any(axis)) for axis in (1, 0)]
        longest = max(stop - start for start, stop in box)
        scale = 1
        while longest > 2 * self.reach * scale:
            scale *= 2
        step, edges = self.repairer.multiple * scale, []
        for (start, stop), size in zip(box, hole.shape, strict=True):
            start, stop = start - self.margin * scale, stop + self.margin * scale
            edges += [max(0, start // step * step), min(size, -(-stop // step) * step)]
        return tuple(edges)

    def _filled(self, video: Tensor, hole: Tensor, place: _Place) -> Tensor:
        """Video [C, T, H, W] with hole [1, T, H, W] 0 or 1 -> the same, the hole filled."""
        deep = deep_in(hole, self.reach)
        if deep.any() and min(video.shape[2:]) >= 4 * self.repairer.multiple:
            smaller = self._filled(*halved(video, hole), place.halved())
            video, hole = torch.where(deep, doubled(smaller, *video.shape[2:]), video), hole * ~deep
        where = (hole.amax((0, 1)) > 0).numpy()
        if not where.any():
            return video
        return torch.where(hole > 0, self._over_windows(video, hole, where, place)[:-1], video)

    def _over_windows(self, video: Tensor, hole: Tensor, where: np.ndarray, place: _Place) -> Tensor:
        """What the network makes, and its logits, [C + 1, T, H, W], at all pixels of `where` bool [H, W]."""
        height, width = where.shape
        total = torch.zeros(video.shape[0] + 1, *video.shape[1:])
        counted = torch.zeros(height, width)
        for window in windows_over(where, step=self.repairer.multiple, core=self.core, margin=self.margin):
            made = self._in_window(video, hole, window, place)
            weights = torch.from_numpy(window.weights(height, width, self.margin))
            rows, columns = weights.shape
            inside = slice(window.top, window.top + rows), slice(window.left, window.left + columns)
            total[..., *inside] += made[..., :rows, :columns] * weights
            counted[inside] += weights
        return total / counted.clamp(min=1e-6)

    def _in_window(self, video: Tensor, hole: Tensor, window: Window, place: _Place) -> Tensor:
        """[C + 1, T, h, w]; beyond the picture's edge there is a hole."""
        inside = (..., slice(window.top, window.bottom), slice(window.left, window.right))
        video, hole = video[inside], hole[inside]
        beyond = (0, window.right - window.left - video.shape[3], 0, window.bottom - window.top - video.shape[2])
        video, hole = F.pad(video, beyond), F.pad(hole, beyond, value=1.0)
        noise = self._noise(window, place, video.shape[1])
        made, logits = self.repairer(video[None], hole[None], torch.tensor([self.grain]), noise[None])
        return torch.cat([made[0], logits[0]]).float()

    def _noise(self, window: Window, place: _Place, num_frames: int) -> Tensor:
        """[noise_dim, T, h, w]: the same at the same place of the same frame, whatever is mended with it."""
        step, channels = self.repairer.multiple, self.repairer.noise_dim
        rows = slice((place.top + window.top) // step, (place.top + window.bottom) // step)
        columns = slice((place.left + window.left) // step, (place.left + window.right) // step)
        shape = channels, -(-place.height // step), -(-place.width // step)
        if self.seed is None:
            return torch.zeros(channels, num_frames, rows.stop - rows.start, columns.stop - columns.start)
        frames = range(place.first_frame, place.first_frame + num_frames)
        grids = [_white([self.seed, _ALTERNATIVE, place.level, frame], shape) for frame in frames]
        return torch.from_numpy(np.stack([grid[:, rows, columns] for grid in grids], 1))


@dataclass(frozen=True)
class _Place:
    """Where a part of a stretch lies in its plates, in pixels of its level."""

    first_frame: int
    top: int
    left: int
    height: int
    """Of the whole plate."""
    width: int
    level: int = 0

    def halved(self) -> _Place:
        """At half the size."""
        size = -(-self.height // 2), -(-self.width // 2)
        return _Place(self.first_frame, self.top // 2, self.left // 2, *size, self.level + 1)


@lru_cache(maxsize=64)
def _white_by_key(key: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    return unit_normal(list(key), int(np.prod(shape))).reshape(shape)


def _white(key: list[int], shape: tuple[int, ...]) -> np.ndarray:
    """White noise float32 of a shape, a pure function of both; the latest are kept, for windows share them."""
    return _white_by_key(tuple(key), shape)


def _tensors(views: Sequence[View], place: tuple[slice, ...] = (slice(None),)) -> tuple[Tensor, Tensor]:
    """Video float32 [3, T, H, W] -1..1, 0 in holes, and hole float32 [1, T, H, W], of a place in the picture."""
    hole = torch.from_numpy(np.stack([view.hole[place] for view in views]))[None].float()
    video = torch.from_numpy(np.stack([view.picture[place] for view in views]))
    video = rearrange(video, "t h w c -> c t h w") * 2 - 1
    return torch.where(hole > 0, 0.0, video), hole


def damage_in(logits: np.ndarray) -> np.ndarray:
    """bool [H, W]: what `Mender.find` has found in a frame by its logits float [H, W]."""
    likely = (logits > LIKELY).astype(np.uint8)
    _, parts = cv2.connectedComponents(likely, connectivity=8)
    return np.isin(parts, np.unique(parts[logits > SURE]))


def deep_in(hole: Tensor, reach: int) -> Tensor:
    """bool [1, T, H, W]: pixels of a hole with no clean one within `reach` pixels in their frame, nor at their place in
    another frame. Beyond the picture nothing is clean."""
    always = hole.amin(1, keepdim=True) > 0
    if not always.any():
        return torch.zeros_like(hole, dtype=torch.bool)
    near = rearrange(1 - hole, "1 t h w -> t 1 h w")
    for kernel in ((2 * reach + 1, 1), (1, 2 * reach + 1)):
        near = F.max_pool2d(near, kernel, stride=1, padding=(kernel[0] // 2, kernel[1] // 2))
    return (rearrange(near, "t 1 h w -> 1 t h w") == 0) & always


def halved(video: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """At half the size: means of clean pixels, and a hole where none of four is clean."""
    clean = 1 - hole
    odd = (0, video.shape[3] % 2, 0, video.shape[2] % 2)
    sums, counts = (F.avg_pool2d(F.pad(each, odd), 2) for each in (video * clean, clean))
    return sums / torch.where(counts > 0, counts, 1), (counts == 0).float()


def doubled(video: Tensor, height: int, width: int) -> Tensor:
    """[C, T, h, w] at twice the size, cut to [C, T, height, width]."""
    frames = rearrange(video, "c t h w -> t c h w")
    frames = F.interpolate(frames, scale_factor=2, mode="bilinear")[:, :, :height, :width]
    return rearrange(frames, "t c h w -> c t h w")


def with_grain(picture: np.ndarray, strength: float, *, seed: int, frame: int) -> np.ndarray:
    """A picture float32 [H, W, 3] 0..1 with soft grain of this standard deviation, decided by seed and frame."""
    height, width, channels = picture.shape
    white = unit_normal([seed, _GRAIN, frame], height * width * channels).reshape(height, width, channels)
    taps = np.array([0.25, 0.5, 0.25], np.float32)  # a binomial filter: grain is wider than a pixel
    soft = cv2.sepFilter2D(white, -1, taps, taps, borderType=cv2.BORDER_REFLECT) / np.square(taps).sum()
    return picture + strength * soft
