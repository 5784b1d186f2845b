"""Painting in linear light: pixel centres, anti-aliased coverage, rounded limbs, smooth noise, colours.

Pictures are `light`, float32 [C, T, H, W], linear, 0..1: averaging and covering are only right in linear light.
Lengths are in frame heights: x grows to the right from the centre, y grows upwards from the lower edge.

    y=1 +-----------+
        |           |      x from -aspect/2 to aspect/2
    y=0 +-----0-----+
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from einops import rearrange, reduce

# Pixels painted at once: few enough to stay in a processor's cache, many enough to hide the interpreter.
CHUNK_PIXELS = 65_536


@dataclass(frozen=True)
class View:
    """The pixel centres of a frame, in frame heights."""

    height: int
    width: int

    @property
    def pixel(self) -> float:
        """Side of a pixel."""
        return 1.0 / self.height

    @property
    def aspect(self) -> float:
        """Width in frame heights."""
        return self.width / self.height

    @cached_property
    def x(self) -> np.ndarray:
        """[1, 1, W], to the right from the centre."""
        return ((np.arange(self.width, dtype=np.float32) + 0.5 - self.width / 2) / self.height)[None, None, :]

    @cached_property
    def y(self) -> np.ndarray:
        """[1, H, 1], upwards from the lower edge; row 0 is the top."""
        return (1.0 - (np.arange(self.height, dtype=np.float32) + 0.5) / self.height)[None, :, None]

    def chunks(self, times: np.ndarray) -> Iterator[np.ndarray]:
        """`times` [T] in pieces that are painted at once."""
        length = max(1, CHUNK_PIXELS // (self.height * self.width))
        for start in range(0, len(times), length):
            yield times[start : start + length]


def to_light(display: Sequence[float] | np.ndarray) -> np.ndarray:
    """Display values 0..1 -> linear light 0..1 (IEC 61966-2-1, the sRGB curve)."""
    display = np.asarray(display, dtype=np.float32)
    return np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_frames(light: np.ndarray) -> np.ndarray:
    """light [C, T, H, W] -> frames uint8 [T, H, W, C], the inverse of `to_light`, rounded."""
    light = np.clip(light, 0.0, 1.0)
    display = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
    return np.ascontiguousarray(rearrange(np.rint(display * 255).astype(np.uint8), "c t h w -> t h w c"))


def halved(light: np.ndarray) -> np.ndarray:
    """light [C, T, 2H, 2W] -> [C, T, H, W] by area average."""
    return reduce(light, "c t (h 2) (w 2) -> c t h w", "mean")


def hue_colour(hue: float, saturation: float, value: float) -> np.ndarray:
    """Linear light [3] of a display colour; hue in turns (0 red, 1/3 green, 2/3 blue)."""
    ramp = np.abs((hue * 6.0 + np.array([0.0, 4.0, 2.0])) % 6.0 - 3.0) - 1.0
    return to_light(value * (1.0 - saturation * (1.0 - np.clip(ramp, 0.0, 1.0))))


def smoothstep(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 at or before `low`, 1 at or after `high`, a cubic between."""
    fraction = np.clip((values - low) / (high - low), 0.0, 1.0)
    return fraction * fraction * (3.0 - 2.0 * fraction)


def cover(light: np.ndarray, coverage: np.ndarray, colour: np.ndarray) -> None:
    """Lay `colour` ([C] or broadcastable to [C, T, H, W]) over `light` in place where `coverage` [T, H, W] is 1."""
    colour = np.asarray(colour, dtype=np.float32)
    if colour.ndim == 1:
        colour = colour[:, None, None, None]
    light += coverage * (colour - light)


def periodic_noise(random: np.random.Generator, *, num_knots: int = 256) -> np.ndarray:
    """Knots [N] of a smooth random line, uniform -1..1, for `noise_at`."""
    return random.uniform(-1.0, 1.0, num_knots).astype(np.float32)


def noise_at(knots: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """A cubic-eased line through `knots` [N] at `positions` (any shape; one knot a unit, wraps after N)."""
    cell = np.floor(positions)
    fraction = (positions - cell).astype(np.float32)
    fraction = fraction * fraction * (3.0 - 2.0 * fraction)
    index = cell.astype(np.int64) % len(knots)
    left, right = knots[index], knots[(index + 1) % len(knots)]
    return left + fraction * (right - left)


@dataclass(frozen=True)
class Capsule:
    """A limb: a line from `start` to `end` (each [T, 2], frame heights) with a radius at either end."""

    start: np.ndarray
    end: np.ndarray
    start_radius: float
    end_radius: float


def paint_limb(
    light: np.ndarray, view: View, capsules: Sequence[Capsule], colour: np.ndarray, *, lamp: np.ndarray, blend: float
) -> None:
    """Paint the smooth union of `capsules` in place as a round, matt body lit from `lamp` (unit vector [3]).

    Signed distance gives both the anti-aliased edge and the surface normal; `blend` (frame heights) rounds
    the creases where two capsules meet. Only the rectangle that the body can touch is computed.
    """
    reach = max(max(capsule.start_radius, capsule.end_radius) for capsule in capsules) + blend + 2 * view.pixel
    points = np.concatenate([point for capsule in capsules for point in (capsule.start, capsule.end)])
    left, low = points.min(axis=0) - reach
    right, high = points.max(axis=0) + reach
    columns = slice(*np.searchsorted(view.x[0, 0], [left, right]))
    rows = slice(*np.searchsorted(-view.y[0, :, 0], [-high, -low]))
    x, y = view.x[:, :, columns], view.y[:, rows, :]
    if x.size == 0 or y.size == 0:
        return

    distance, across, up = _capsule(capsules[0], x, y)
    for capsule in capsules[1:]:
        other_distance, other_across, other_up = _capsule(capsule, x, y)
        share = np.clip(0.5 + 0.5 * (distance - other_distance) / blend, 0.0, 1.0)
        distance += share * (other_distance - distance) - blend * share * (1.0 - share)
        across += share * (other_across - across)
        up += share * (other_up - up)
    towards = np.sqrt(np.maximum(1.0 - across * across - up * up, 0.0))
    # Half-Lambert: the side away from the lamp keeps its form instead of going black.
    shade = 0.5 + 0.5 * (lamp[0] * across + lamp[1] * up + lamp[2] * towards)
    shade = 0.25 + 0.9 * shade * shade
    coverage = np.clip(0.5 - distance / view.pixel, 0.0, 1.0)
    cover(light[:, :, rows, columns], coverage, colour[:, None, None, None] * shade)


def _capsule(capsule: Capsule, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signed distance to a tapered capsule, and the part of its surface normal in x and in y, each [T, H, W]."""
    start = capsule.start.astype(np.float32)
    line = capsule.end.astype(np.float32) - start
    from_x = x - start[:, 0, None, None]
    from_y = y - start[:, 1, None, None]
    line_x, line_y = line[:, 0, None, None], line[:, 1, None, None]
    length_squared = line_x * line_x + line_y * line_y + np.float32(1e-9)
    along = np.clip((from_x * line_x + from_y * line_y) / length_squared, 0.0, 1.0)
    off_x = from_x - along * line_x
    off_y = from_y - along * line_y
    radius = np.float32(capsule.start_radius) + along * np.float32(capsule.end_radius - capsule.start_radius)
    length = np.sqrt(off_x * off_x + off_y * off_y)
    # Outside the edge the normal is the edge's own: a pixel half covered is lit like the edge.
    scale = 1.0 / np.maximum(np.maximum(length, radius), np.float32(1e-6))
    return length - radius, off_x * scale, off_y * scale
