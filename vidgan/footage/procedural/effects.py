"""Effects elements from a small fluid simulation: rising smoke, lit from one side, and fire on a dark stage.

Each is `(random, view, times) -> light, piece by piece`. The fluid runs at its own pace, `STEP` seconds, and
frames are looked up between its states: what burns at second 1.5 does not depend on the rate it is filmed at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from vidgan.footage.procedural.canvas import View, cover, hue_colour, noise_at, periodic_noise, smoothstep
from vidgan.footage.procedural.fluid import Fluid

STEP = 1 / 48  # seconds

# Rows of the simulation across the frame: enough to roll, few enough to be quick.
FEWEST_ROWS, MOST_ROWS = 56, 160

# What is simulated around the frame, in frame heights; all but the innermost tenth of it swallows what comes in.
BELOW, ABOVE, BESIDE = 0.2, 0.3, 0.25

# Linear light that a flame emits over its temperature (0..1): soot glows dark red, orange, yellow, then white.
FLAME_TEMPERATURES = np.array([0.0, 0.1, 0.25, 0.42, 0.62, 0.82, 1.0])
FLAME_LIGHT = np.array([
    [0.0, 0.02, 0.16, 0.62, 1.1, 1.5, 1.8],
    [0.0, 0.001, 0.012, 0.11, 0.38, 0.85, 1.4],
    [0.0, 0.0, 0.001, 0.006, 0.035, 0.16, 0.6],
])  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """The grid of a simulation and where the frame lies on it."""

    view: View
    rows: int

    @classmethod
    def around(cls, view: View) -> Stage:
        """A stage as fine as the frame needs."""
        return cls(view, int(np.clip(round(0.55 * view.height), FEWEST_ROWS, MOST_ROWS)))

    @property
    def spacing(self) -> float:
        """Side of a cell, frame heights."""
        return 1.0 / self.rows

    @property
    def x(self) -> np.ndarray:
        """[1, C], frame heights to the right from the centre."""
        # Multiples of four: the Fourier transform likes them.
        columns = 4 * round(self.rows * (self.view.aspect + 2 * BESIDE) / 4)
        return ((np.arange(columns, dtype=np.float32) - 0.5 * (columns - 1)) * self.spacing)[None, :]

    @property
    def y(self) -> np.ndarray:
        """[R, 1], frame heights upwards from the lower edge of the frame."""
        rows = 4 * round(self.rows * (1 + BELOW + ABOVE) / 4)
        return ((np.arange(rows, dtype=np.float32) + 0.5) * self.spacing - BELOW)[:, None]

    def fluid(self, *, ambient: tuple[np.ndarray, float], swirl: float, num_carried: int) -> Fluid:
        """A fluid that carries nothing and blows at `ambient`, sideways [R, 1] and upwards, frame heights a second."""
        shape = (self.y.size, self.x.size)
        side = 0.5 * self.view.aspect + BESIDE
        inside = smoothstep(0.0, 0.8 * BESIDE, side - np.abs(self.x))
        inside = inside * smoothstep(-BELOW, -0.1 * BELOW, self.y) * smoothstep(1 + ABOVE, 1 + 0.2 * ABOVE, self.y)
        blowing = np.stack([np.broadcast_to(part, shape) for part in ambient]).astype(np.float32)
        # In a fifth of a second next to nothing is left at the border.
        keep = (0.8 + 0.2 * inside).astype(np.float32)
        carried = np.zeros((num_carried, *shape), dtype=np.float32)
        return Fluid(self.spacing, blowing.copy(), carried, keep, blowing, swirl)

    def seen(self, fields: np.ndarray) -> np.ndarray:
        """Fields [..., R, C] as the frame sees them, [..., H, W], interpolated bilinearly."""
        across = _between(self.x[0], self.view.x[0, 0])
        upwards = _between(self.y[:, 0], self.view.y[0, :, 0])
        return upwards @ fields @ across.T


def _between(grid: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Weights [N, G] that interpolate evenly spaced values at `grid` [G] linearly at `positions` [N]."""
    offsets = (positions[:, None] - grid[None, :]) / (grid[1] - grid[0])
    return np.maximum(1.0 - np.abs(offsets), 0.0).astype(np.float32)


def _filmed(advance: Callable[[float], np.ndarray], times: np.ndarray, *, warm_up: float) -> np.ndarray:
    """States [T, ...] at `times` [T] of a simulation that has been running for `warm_up` seconds at second 0.

    `advance(seconds)` goes one `STEP` on, to `seconds`, and returns the state then.
    """
    for step in range(round(warm_up / STEP), 0, -1):
        advance(-step * STEP)
    before, after, num_steps = advance(0.0), advance(STEP), 1
    states = []
    for time in times:
        while time > num_steps * STEP:
            before, after, num_steps = after, advance((num_steps + 1) * STEP), num_steps + 1
        share = np.float32(time / STEP - (num_steps - 1))
        states.append(before + share * (after - before))
    return np.stack(states)


@dataclass(frozen=True)
class Flicker:
    """A source that never burns evenly: three lines of noise that slide along it."""

    knots: list[np.ndarray]
    fineness: float
    pace: float

    @classmethod
    def drawn(cls, random: np.random.Generator, *, fineness: float, pace: float) -> Flicker:
        """`fineness` in knots a frame height, `pace` in knots a second."""
        return cls([periodic_noise(random) for _ in range(3)], fineness, pace)

    def at(self, x: np.ndarray, seconds: float) -> np.ndarray:
        """Values about -1..1 at `x`, frame heights."""
        place, moment = self.fineness * x + 1000.0, self.pace * seconds
        sliding = noise_at(self.knots[0], place + moment) + noise_at(self.knots[1], 1.37 * place - 0.8 * moment)
        return sliding * (0.6 + 0.4 * noise_at(self.knots[2], np.array(moment)))


def _backdrop(
    random: np.random.Generator, view: View, *, hue: float, saturation: float, low: float, high: float
) -> np.ndarray:
    """Light [3, 1, H, W] of a plain wall: a gradient from `low` to `high` (display values), brightest off centre."""
    spot_x, spot_y = random.uniform(-0.4, 0.4) * view.aspect, random.uniform(0.3, 0.9)
    glow = np.exp(-((view.x - spot_x) ** 2 + (view.y - spot_y) ** 2) / 0.4)
    dark, bright = hue_colour(hue, saturation, low), hue_colour(hue, 0.8 * saturation, high)
    return dark[:, None, None, None] + (bright - dark)[:, None, None, None] * glow


def smoke(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """Smoke that rises, rolls and drifts in the wind, lit from one side, before a plain coloured backdrop."""
    stage = Stage.around(view)
    wind = random.uniform(-0.3, 0.3)
    source_x = random.uniform(-0.2, 0.2) * view.aspect - 0.35 * wind
    source_y = random.uniform(-0.04, 0.08)
    source_width = random.uniform(0.06, 0.15)
    lift = random.uniform(2.5, 4.5)
    fineness, pace = random.uniform(6.0, 11.0), random.uniform(3.0, 6.0)
    swirl, thinning = random.uniform(3.0, 7.0), random.uniform(0.25, 0.6)
    warm_up = random.uniform(2.0, 2.8)
    lamp = np.array([random.choice([-1.0, 1.0]) * random.uniform(0.5, 0.9), random.uniform(0.4, 0.8)])
    albedo, backdrop = _smoke_colours(random, view)
    thickness = random.uniform(2.5, 5.0)

    def slice_of_plume() -> np.ndarray:
        flicker = Flicker.drawn(random, fineness=fineness, pace=pace)
        gusts = periodic_noise(random)
        ambient = wind * smoothstep(0.0, 0.8, stage.y), 0.12
        fluid = stage.fluid(ambient=ambient, swirl=swirl, num_carried=2)

        def advance(seconds: float) -> np.ndarray:
            uneven = flicker.at(stage.x, seconds)
            across = np.exp(-(((stage.x - source_x - 0.25 * source_width * uneven) / source_width) ** 2))
            source = across * np.exp(-(((stage.y - source_y) / 0.045) ** 2)) * np.maximum(0.75 + 0.5 * uneven, 0.0)
            heat, density = fluid.carried
            sideways = 2.0 * uneven * source + 0.5 * noise_at(gusts, np.array(1.2 * seconds)) * density
            fluid.step(STEP, np.stack([sideways, lift * heat]))
            heat, density = fluid.carried
            heat *= np.float32(np.exp(-0.6 * STEP))
            density *= np.float32(np.exp(-thinning * STEP))
            fluid.carried += (14.0 * STEP * source * np.maximum(1.0 - fluid.carried, 0.0)).astype(np.float32)
            return density.copy()

        return _filmed(advance, times, warm_up=warm_up)

    # The depth of a plume, in two slices: what is in front drifts across what is behind.
    density = slice_of_plume() + slice_of_plume()
    shade = _shade(density, stage, lamp, thickness)
    first = 0
    for moments in view.chunks(times):
        here = slice(first, first + len(moments))
        opacity = 1.0 - np.exp(-thickness * np.maximum(stage.seen(density[here]), 0.0))
        light = np.repeat(backdrop, len(moments), axis=1).astype(np.float32)
        cover(light, opacity, albedo[:, None, None, None] * stage.seen(shade[here]))
        first += len(moments)
        yield light


def _smoke_colours(random: np.random.Generator, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Smoke colour [3] and backdrop [3, 1, H, W] that stand apart: pale or coloured on dark, dark on pale."""
    hue = random.uniform(0.0, 1.0)
    kind = random.choice(["pale", "pale", "coloured", "dark"])
    if kind == "dark":
        albedo = hue_colour(random.uniform(0.0, 0.12), random.uniform(0.0, 0.25), random.uniform(0.22, 0.36))
        hue = random.choice([0.08, 0.12, 0.55, 0.6])
        return albedo, _backdrop(random, view, hue=hue, saturation=0.25, low=0.6, high=random.uniform(0.8, 0.95))
    if kind == "coloured":
        albedo = hue_colour(hue + random.uniform(0.35, 0.65), random.uniform(0.5, 0.8), random.uniform(0.85, 1.0))
    else:
        albedo = hue_colour(random.choice([0.08, 0.6]), random.uniform(0.0, 0.12), random.uniform(0.85, 1.0))
    saturation = random.uniform(0.2, 0.6)
    return albedo, _backdrop(random, view, hue=hue, saturation=saturation, low=0.06, high=random.uniform(0.2, 0.45))


def _shade(density: np.ndarray, stage: Stage, lamp: np.ndarray, thickness: float) -> np.ndarray:
    """How bright smoke of `density` [T, R, C] is under a lamp in the direction `lamp` [2], about 0.15..1.2.

    Two parts: what reaches it through the smoke on the way from the lamp (Beer-Lambert), and the slope of
    its front, where thicker smoke bulges towards the camera.
    """
    on_the_way = np.zeros_like(density)
    cells = lamp / np.linalg.norm(lamp) * stage.rows
    for near, far in ((0.02, 0.05), (0.05, 0.1), (0.1, 0.18), (0.18, 0.3)):
        column, row = np.rint(cells * 0.5 * (near + far)).astype(int)
        on_the_way += (far - near) * np.roll(density, (-row, -column), axis=(1, 2))
    reached = np.exp(-1.2 * thickness * on_the_way)
    bulge = np.sqrt(np.maximum(density, 0.0) + 0.003)
    slope_x = np.roll(bulge, -1, axis=2) - np.roll(bulge, 1, axis=2)
    slope_y = np.roll(bulge, -1, axis=1) - np.roll(bulge, 1, axis=1)
    facing = -(lamp[0] * slope_x + lamp[1] * slope_y) * (0.03 / stage.spacing)
    facing = facing / np.sqrt(1.0 + facing * facing)
    return (0.16 + reached * (0.62 + 0.42 * facing)).astype(np.float32)


def fire(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """Flames from a bed on a dark stage: tongues that rise, lick, tear off and go out; the floor glows with them."""
    stage = Stage.around(view)
    wind = random.uniform(-0.3, 0.3)
    source_x = random.uniform(-0.15, 0.15) * view.aspect - 0.2 * wind
    source_y = random.uniform(0.05, 0.12)
    source_width = random.uniform(0.1, 0.3) * min(1.0, view.aspect)
    lift = random.uniform(5.0, 8.0)
    cooling = random.uniform(0.9, 1.6)
    fineness, pace = random.uniform(7.0, 13.0), random.uniform(5.0, 9.0)
    swirl, draught = random.uniform(6.0, 11.0), random.uniform(0.3, 0.5)
    exposure, hotness = random.uniform(0.7, 1.0), random.uniform(0.85, 1.1)
    backdrop = _backdrop(
        random, view, hue=random.uniform(0.0, 1.0), saturation=0.4, low=0.03, high=random.uniform(0.05, 0.14)
    )

    def slice_of_flame() -> np.ndarray:
        flicker = Flicker.drawn(random, fineness=fineness, pace=pace)
        gusts = periodic_noise(random)
        ambient = wind * smoothstep(0.0, 0.6, stage.y), draught
        fluid = stage.fluid(ambient=ambient, swirl=swirl, num_carried=1)
        width = source_width * random.uniform(0.7, 1.0)
        bed = smoothstep(width * 1.3, width * 0.5, np.abs(stage.x - source_x))
        bed = bed * np.exp(-(((stage.y - source_y) / 0.03) ** 2))

        def advance(seconds: float) -> np.ndarray:
            uneven = flicker.at(stage.x, seconds)
            heat = fluid.carried[0]
            sideways = 5.0 * uneven * bed + 1.2 * noise_at(gusts, np.array(2.0 * seconds)) * heat
            # The air around a fire is drawn in from all sides; in a flat world only this keeps tongues from
            # unrolling into mushrooms.
            sideways = sideways - 1.5 * (fluid.velocity[0] - fluid.ambient[0])
            fluid.step(STEP, np.stack([sideways, lift * heat]))
            heat = fluid.carried[0]
            # Hot gas radiates fast (Fedkiw et al. 2001, sec. 5: the fourth power); the rest gives flames an end.
            heat -= np.float32(STEP) * (np.float32(cooling) * np.sqrt(heat) + np.float32(1.2) * heat**4)
            np.maximum(heat, 0.0, out=heat)
            np.maximum(heat, bed * np.clip(0.6 + 0.7 * uneven, 0.0, 1.0), out=heat)
            return heat.copy()

        return _filmed(advance, times, warm_up=2.0)

    slices = [slice_of_flame(), slice_of_flame()]
    floor = np.exp(-(((view.x - source_x) / (0.25 + source_width)) ** 2) - ((view.y - source_y + 0.03) / 0.08) ** 2)
    air = np.exp(-((view.x - source_x) ** 2 + (view.y - source_y - 0.25) ** 2) / 0.12)
    spill = (0.3 * floor + 0.05 * air) * np.array([1.0, 0.27, 0.05], dtype=np.float32)[:, None, None, None]
    first = 0
    for moments in view.chunks(times):
        light = np.repeat(backdrop, len(moments), axis=1)
        for heat in slices:
            seen = hotness * stage.seen(heat[first : first + len(moments)])
            flame = np.stack([np.interp(seen, FLAME_TEMPERATURES, channel) for channel in FLAME_LIGHT]).astype(
                np.float32
            )
            light += exposure * flame
            # As much light as the whole flame gives falls on the floor and hangs in the air.
            light += spill * (6.0 * view.aspect * flame[0].mean(axis=(1, 2)))[:, None, None]
        first += len(moments)
        yield light
