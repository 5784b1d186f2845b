"""Landscapes: ridges behind ridges under a sky, trees in front, perhaps a lake, seen from a moving camera.

`(random, view, times) -> light, piece by piece`, like the performances.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vidgan.footage.procedural.canvas import (
    Capsule,
    View,
    cover,
    noise_at,
    paint_limb,
    periodic_noise,
    smoothstep,
    to_light,
)

NUM_KNOTS = 256  # of every noise; after so many it repeats
WORLD = 16.0  # frame heights after which the trees repeat
TREE_PARALLAX = 1.25  # how much faster than the camera the foreground slides


@dataclass(frozen=True)
class Hour:
    """Display colours of an hour of the day; `sun_height` is 0..1 from the horizon to the upper edge."""

    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    cloud: tuple[float, float, float]
    sun_height: float
    sun: tuple[float, float, float]
    ground: tuple[float, float, float]


HOURS = {
    "dawn": Hour((.33, .42, .66), (.98, .76, .66), (1.0, .84, .80), .12, (1.0, .93, .80), (.24, .30, .34)),
    "noon": Hour((.20, .46, .82), (.74, .87, .96), (1.0, 1.0, 1.0), .68, (1.0, 1.0, .92), (.22, .38, .19)),
    "golden": Hour((.36, .48, .66), (.99, .80, .48), (1.0, .88, .66), .28, (1.0, .95, .72), (.36, .29, .14)),
    "dusk": Hour((.17, .15, .38), (.96, .46, .34), (.86, .42, .48), .07, (1.0, .70, .42), (.14, .12, .20)),
    "night": Hour((.04, .06, .16), (.19, .26, .42), (.22, .27, .40), .62, (.95, .96, .90), (.05, .08, .11)),
}  # fmt: skip


@dataclass(frozen=True)
class Ridge:
    """One range of hills: its line, how far away it is (0 at the trees, 1 in the haze), and its colour."""

    base: float
    relief: float
    wavelength: float
    sharpness: float
    distance: float
    colour: np.ndarray
    knots: np.ndarray

    def line(self, across: np.ndarray, pixel: float) -> np.ndarray:
        """Height of the crest at world positions `across`: octaves of noise, none finer than four pixels."""
        total, amplitude, wavelength = np.zeros_like(across), 1.0, self.wavelength
        while amplitude > 0.05 and wavelength > 4 * pixel:
            octave = noise_at(self.knots, across / wavelength + 31.7 * amplitude)
            # Folded noise has sharp crests like rock; plain noise is round like hills.
            total += amplitude * (self.sharpness * (1.0 - 2.0 * np.abs(octave)) + (1.0 - self.sharpness) * octave)
            amplitude, wavelength = 0.48 * amplitude, 0.5 * wavelength
        return self.base + self.relief * total


@dataclass(frozen=True)
class Tree:
    """A conifer or a round tree at world position `across`, rooted at height `root`."""

    across: float
    root: float
    height: float
    is_conifer: bool
    colour: np.ndarray


def landscape(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """A pan to the left or to the right, at a steady speed that eases gently."""
    hour = HOURS[random.choice(list(HOURS), p=[0.2, 0.25, 0.25, 0.17, 0.13])]
    horizon = random.uniform(0.3, 0.42)
    sky = _Sky.drawn(random, hour, horizon=horizon, aspect=view.aspect)
    ridges = _drawn_ridges(random, hour, horizon=horizon)
    trees = _drawn_trees(random, hour)
    soil, knots = 0.8 * to_light(hour.ground), periodic_noise(random, num_knots=NUM_KNOTS)
    meadow = Ridge(base=0.07, relief=0.02, wavelength=0.5, sharpness=0.0, distance=0.0, colour=soil, knots=knots)
    has_lake = bool(random.random() < 0.4)
    shore = random.uniform(0.24, 0.3)
    speed = random.choice([-1.0, 1.0]) * random.uniform(0.25, 0.6)
    ease, ease_phase = random.uniform(0.1, 0.3), random.uniform(0.0, 2 * np.pi)

    for moments in view.chunks(times):
        # The integral of speed * (1 + ease * cos): never still, never backwards.
        camera = speed * (moments + ease * 1.5 * np.sin(moments / 1.5 + ease_phase))
        if has_lake:
            light = _with_lake(view, sky, ridges, camera, moments, shore=shore)
        else:
            light = _vista(view.x, view.y, view.pixel, sky, ridges, camera, moments)
        across = view.x + (TREE_PARALLAX * camera)[:, None, None].astype(np.float32)
        cover(light, np.clip(0.5 + (meadow.line(across, view.pixel) - view.y) / view.pixel, 0.0, 1.0), meadow.colour)
        for tree in trees:
            _paint_tree(light, view, tree, camera, lamp=sky.lamp)
        yield light.astype(np.float32)


@dataclass(frozen=True)
class _Sky:
    hour: Hour
    horizon: float
    sun_x: float
    cloud_cover: float
    wind: float
    knots: np.ndarray
    is_night: bool

    @classmethod
    def drawn(cls, random: np.random.Generator, hour: Hour, *, horizon: float, aspect: float) -> _Sky:
        return cls(
            hour=hour,
            horizon=horizon,
            sun_x=random.uniform(-0.4, 0.4) * aspect,
            cloud_cover=random.uniform(0.1, 0.55),
            wind=random.uniform(-0.02, 0.02),
            knots=random.uniform(-1.0, 1.0, (64, NUM_KNOTS)).astype(np.float32),
            is_night=hour is HOURS["night"],
        )

    @property
    def lamp(self) -> np.ndarray:
        """Direction to the sun, unit vector [3]."""
        lamp = np.array([np.sign(self.sun_x) * 0.7, 0.3 + 0.6 * self.hour.sun_height, 0.4], dtype=np.float32)
        return lamp / np.linalg.norm(lamp)

    def painted(self, x: np.ndarray, y: np.ndarray, pixel: float, camera: np.ndarray, times: np.ndarray) -> np.ndarray:
        """light [C, T, H, W] at points `x`, `y` (broadcastable to [T, H, W])."""
        zenith, haze, cloud, sun = map(to_light, (self.hour.zenith, self.hour.horizon, self.hour.cloud, self.hour.sun))
        elevation = np.clip((y - self.horizon) / (1.0 - self.horizon), 0.0, 1.0)
        shape = np.broadcast_shapes(x.shape, y.shape, (len(times), 1, 1))
        fall = np.sqrt(elevation)
        light = haze[:, None, None, None] + (zenith - haze)[:, None, None, None] * np.broadcast_to(fall, shape)
        sun_y = self.horizon + self.hour.sun_height * (1.0 - self.horizon)
        sun_x = self.sun_x - 0.04 * camera[:, None, None].astype(np.float32)
        away = np.sqrt((x - sun_x) ** 2 + (y - sun_y) ** 2)
        glow = (0.25 if self.is_night else 0.55) * np.exp(-away / 0.16)
        cover(light, glow, sun)
        radius = 0.045 if self.is_night else 0.06
        cover(light, np.clip(0.5 + (radius - away) / (1.5 * pixel), 0.0, 1.0), np.minimum(sun * 1.1, 1.0))
        drift = 0.1 * camera + self.wind * times
        clouds = self._clouds(x + drift[:, None, None].astype(np.float32), elevation, pixel)
        cover(light, 0.85 * clouds, cloud)
        return light

    def _clouds(self, across: np.ndarray, elevation: np.ndarray, pixel: float) -> np.ndarray:
        """Coverage 0..1: noise stretched along the horizon, and more so near it."""
        total, amplitude, size = np.float32(0.0), 1.0, 0.3
        for octave in range(4):
            if size < 4 * pixel:
                break
            up = elevation * 0.9 / size + octave
            total = total + amplitude * _plane_noise(self.knots, across / size + 7.3 * octave, up)
            amplitude, size = 0.5 * amplitude, 0.5 * size
        return smoothstep(0.45 - self.cloud_cover, 1.15 - self.cloud_cover, total) * smoothstep(0.02, 0.3, elevation)


def _plane_noise(knots: np.ndarray, across: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Cubic-eased noise -1..1 in the plane; `knots` [rows, columns] wrap."""
    row = np.floor(up)
    fraction = (up - row).astype(np.float32)
    fraction = fraction * fraction * (3.0 - 2.0 * fraction)
    row = row.astype(np.int64) % len(knots)
    column = np.floor(across)
    beside = (across - column).astype(np.float32)
    beside = beside * beside * (3.0 - 2.0 * beside)
    column = column.astype(np.int64) % knots.shape[1]
    row_after, column_after = (row + 1) % len(knots), (column + 1) % knots.shape[1]
    low = knots[row, column] + beside * (knots[row, column_after] - knots[row, column])
    high = knots[row_after, column] + beside * (knots[row_after, column_after] - knots[row_after, column])
    return low + fraction * (high - low)


def _drawn_ridges(random: np.random.Generator, hour: Hour, *, horizon: float) -> list[Ridge]:
    """From the farthest to the nearest: higher and hazier at the back, rounder and darker in front."""
    count = int(random.integers(3, 5))
    rocky = random.uniform(0.5, 1.0)
    peak = random.uniform(0.1, 0.2)
    haze, ground = to_light(hour.horizon), to_light(hour.ground)
    tint = to_light((0.45, 0.5, 0.62)) * (0.25 if hour is HOURS["night"] else 0.8)
    ridges = []
    for order in range(count):
        nearness = (order + 0.5) / count
        distance = 1.0 - nearness
        rock = tint + (ground - tint) * nearness
        ridges.append(
            Ridge(
                base=horizon + 0.13 - 0.34 * nearness + 0.02 * random.uniform(-1.0, 1.0),
                relief=peak * (1.0 - 0.72 * nearness),
                wavelength=random.uniform(0.3, 0.5),
                sharpness=rocky * distance,
                distance=distance,
                colour=rock + (haze - rock) * 0.6 * distance**1.3,
                knots=periodic_noise(random, num_knots=NUM_KNOTS),
            )
        )
    return ridges


def _drawn_trees(random: np.random.Generator, hour: Hour) -> list[Tree]:
    """Trees along `WORLD`, which then repeats."""
    conifers = random.random() < 0.55
    ground = to_light(hour.ground)
    leaf = ground * random.uniform(0.55, 1.0) * np.array([random.uniform(0.7, 1.3), 1.0, random.uniform(0.6, 0.9)])
    spacing = random.uniform(0.35, 0.7)
    return [
        Tree(
            across=(place + random.uniform(-0.35, 0.35)) * spacing,
            root=random.uniform(-0.02, 0.07),
            height=random.uniform(0.2, 0.42),
            is_conifer=bool(conifers),
            colour=(leaf * random.uniform(0.75, 1.2)).astype(np.float32),
        )
        for place in range(int(WORLD / spacing))
    ]


def _vista(
    x: np.ndarray, y: np.ndarray, pixel: float, sky: _Sky, ridges: list[Ridge], camera: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """Sky and ridges, light [C, T, H, W], at points `x`, `y`."""
    light = sky.painted(x, y, pixel, camera, times)
    haze = to_light(sky.hour.horizon)[:, None, None, None]
    for ridge in ridges:
        parallax = 0.9 * (1.0 - ridge.distance) ** 1.4 + 0.08
        across = x + (parallax * camera)[:, None, None].astype(np.float32)
        crest = ridge.line(across, pixel)
        below = crest - y
        # Spurs run down from the crest at a slant away from the sun, and their sunny sides are bright.
        slant = across + 0.7 * np.sign(sky.sun_x) * np.maximum(below, 0.0)
        lit_side = noise_at(ridge.knots[::-1], slant / max(0.3 * ridge.wavelength, 6 * pixel))
        shade = 1.0 + (0.1 + 0.2 * ridge.distance) * lit_side * np.exp(-np.maximum(below, 0.0) / 0.2)
        colour = ridge.colour[:, None, None, None] * shade
        # Mist lies in the valleys.
        colour = colour + (haze - colour) * (0.45 * ridge.distance * smoothstep(0.0, 0.25, below))
        cover(light, np.clip(0.5 + below / pixel, 0.0, 1.0), colour)
    return light


def _with_lake(
    view: View, sky: _Sky, ridges: list[Ridge], camera: np.ndarray, times: np.ndarray, *, shore: float
) -> np.ndarray:
    """The vista above `shore`, and below it the vista mirrored in water with ripples."""
    depth = np.maximum(shore - view.y, 0.0)
    moments = times[:, None, None].astype(np.float32)
    ripple = np.sin(depth * 90.0 / (0.3 + 3.0 * depth) + 2.2 * moments + 3.0 * np.sin(2.5 * view.x + 0.7 * moments))
    below = (depth > 0).astype(np.float32)
    mirrored = np.where(view.y < shore, 2.0 * shore - view.y, view.y)
    mirrored = mirrored + 0.012 * below * ripple * smoothstep(0.0, 0.1, depth)
    light = _vista(view.x, mirrored, view.pixel, sky, ridges, camera, times)
    water = to_light(sky.hour.zenith) * 0.5
    at_lake = np.clip(0.5 + (shore - view.y) / view.pixel, 0.0, 1.0)
    cover(light, at_lake * (0.28 + 0.08 * ripple), water)
    bank = np.exp(-(((view.y - shore) / 0.006) ** 2))
    cover(light, 0.6 * bank, to_light(sky.hour.ground) * 0.5)
    return light


def _paint_tree(light: np.ndarray, view: View, tree: Tree, camera: np.ndarray, *, lamp: np.ndarray) -> None:
    """The tree where the camera sees it; it passes faster than any ridge."""
    x = (tree.across - TREE_PARALLAX * camera + WORLD / 2) % WORLD - WORLD / 2
    if np.abs(x).min() > view.aspect / 2 + tree.height:
        return

    def point(across: float, up: float) -> np.ndarray:
        return np.stack([x + across * tree.height, np.full_like(x, tree.root + up * tree.height)], axis=-1)

    def paint(colour: np.ndarray, *limbs: tuple[tuple[float, float], tuple[float, float], float, float]) -> None:
        capsules = [
            Capsule(point(*start), point(*end), tree.height * first, tree.height * second)
            for start, end, first, second in limbs
        ]
        paint_limb(light, view, capsules, colour, lamp=lamp, blend=0.03 * tree.height)

    bark = 0.5 * tree.colour * np.array([1.3, 0.9, 0.8], dtype=np.float32)
    paint(bark, ((0.0, -0.6), (0.0, 0.3), 0.045, 0.035))
    if tree.is_conifer:
        for up, width in ((0.16, 0.2), (0.4, 0.16), (0.64, 0.11)):
            paint(tree.colour, ((0.0, up + 0.05), (0.0, up + 0.34), width, 0.01))
    else:
        paint(
            tree.colour,
            ((-0.16, 0.5), (0.1, 0.48), 0.17, 0.18),
            ((-0.06, 0.74), (0.06, 0.72), 0.22, 0.2),
            ((0.2, 0.58), (0.2, 0.62), 0.15, 0.15),
        )
