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

    def fluid(self, *, ambient_x: np.ndarray, swirl: float, num_carried: int) -> Fluid:
        """A fluid that blows sideways at `ambient_x` [R, 1], frame heights a second, and carries nothing yet."""
        shape = (self.y.size, self.x.size)
        side = 0.5 * self.view.aspect + BESIDE
        inside = smoothstep(0.0, 0.8 * BESIDE, side - np.abs(self.x))
        inside = inside * smoothstep(-BELOW, -0.1 * BELOW, self.y) * smoothstep(1 + ABOVE, 1 + 0.2 * ABOVE, self.y)
        ambient = np.stack([np.broadcast_to(ambient_x, shape), np.zeros(shape)]).astype(np.float32)
        # In a fifth of a second next to nothing is left at the border.
        keep = (0.8 + 0.2 * inside).astype(np.float32)
        carried = np.zeros((num_carried, *shape), dtype=np.float32)
        return Fluid(self.spacing, ambient.copy(), carried, keep, ambient, swirl)

    def seen(self, fields: np.ndarray) -> np.ndarray:
        """Fields [..., R, C] as the frame sees them, [..., H, W], interpolated bilinearly."""
        across = _between(self.x[0], self.view.x[0, 0])
        upwards = _between(self.y[:, 0], self.view.y[0, :, 0])
        return upwards @ fields @ across.T


def _between(grid: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Weights [N, G] that interpolate evenly spaced values at `grid` [G] linearly at `positions` [N]."""
    offsets = (positions[:, None] - grid[None, :]) / (grid[1] - grid[0])
    return np.maximum(1.0 - np.abs(offsets), 0.0).astype(np.float32)


def _filmed(advance: Callable[[float], np.ndarray], times: np.ndarray) -> np.ndarray:
    """States [T, ...] at `times` [T] of a simulation; `advance(seconds)` goes one `STEP` on and returns its state."""
    before, after, num_steps = advance(0.0), advance(STEP), 1
    states = []
    for time in times:
        while time > num_steps * STEP:
            before, after, num_steps = after, advance(num_steps * STEP), num_steps + 1
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


def _backdrop(random: np.random.Generator, view: View, *, hue: float, low: float, high: float) -> np.ndarray:
    """Light [3, 1, H, W] of a plain wall: a gradient from `low` to `high` (display values), brightest off centre."""
    saturation = random.uniform(0.15, 0.6)
    spot_x, spot_y = random.uniform(-0.4, 0.4) * view.aspect, random.uniform(0.3, 0.9)
    glow = np.exp(-((view.x - spot_x) ** 2 + (view.y - spot_y) ** 2) / 0.4)
    dark, bright = hue_colour(hue, saturation, low), hue_colour(hue, 0.8 * saturation, high)
    return dark[:, None, None, None] + (bright - dark)[:, None, None, None] * glow


def smoke(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """Smoke that rises, rolls and drifts in the wind, lit from one side, before a plain coloured backdrop."""
    stage = Stage.around(view)
    wind = random.uniform(-0.3, 0.3)
    source_x = random.uniform(-0.2, 0.2) * view.aspect - 0.35 * wind
    source_y = random.uniform(0.0, 0.1)
    source_width = random.uniform(0.05, 0.12)
    lift = random.uniform(2.5, 4.5)
    flicker = Flicker.drawn(random, fineness=random.uniform(7.0, 12.0), pace=random.uniform(3.0, 6.0))
    gusts = periodic_noise(random)
    fluid = stage.fluid(
        ambient_x=wind * smoothstep(0.0, 0.8, stage.y), swirl=random.uniform(4.0, 9.0), num_carried=2
    )
    thinning = random.uniform(0.1, 0.35)
    lamp = np.array([random.choice([-1.0, 1.0]) * random.uniform(0.5, 0.9), random.uniform(0.4, 0.8)])
    hue, albedo, backdrop = _smoke_colours(random, view)
    thickness = random.uniform(5.0, 9.0)

    def advance(seconds: float) -> np.ndarray:
        uneven = flicker.at(stage.x, seconds)
        across = np.exp(-(((stage.x - source_x - 0.25 * source_width * uneven) / source_width) ** 2))
        source = across * np.exp(-(((stage.y - source_y) / 0.045) ** 2)) * (0.75 + 0.5 * uneven)
        heat, density = fluid.carried
        sideways = 1.5 * uneven * source + 0.25 * noise_at(gusts, np.array(1.2 * seconds)) * density
        fluid.step(STEP, np.stack([sideways, lift * heat]).astype(np.float32))
        heat, density = fluid.carried
        heat *= np.float32(np.exp(-0.5 * STEP))
        density *= np.float32(np.exp(-thinning * STEP))
        fluid.carried += np.float32(14.0 * STEP) * np.maximum(source, 0.0) * np.maximum(1.0 - fluid.carried, 0.0)
        return fluid.carried[1].copy()

    for seconds in np.arange(-random.uniform(1.8, 2.6), -STEP, STEP):
        advance(seconds)
    density = _filmed(advance, times)
    shade = _shade(density, stage, lamp, thickness)
    first = 0
    for moments in view.chunks(times):
        here = slice(first, first + len(moments))
        opacity = 1.0 - np.exp(-thickness * np.maximum(stage.seen(density[here]), 0.0))
        light = np.repeat(backdrop, len(moments), axis=1).astype(np.float32)
        cover(light, opacity, albedo[:, None, None, None] * stage.seen(shade[here]))
        first += len(moments)
        yield light


def _smoke_colours(random: np.random.Generator, view: View) -> tuple[float, np.ndarray, np.ndarray]:
    """Hue, smoke colour [3] and backdrop [3, 1, H, W] that stand apart: pale on dark, coloured on dark, dark on pale."""
    hue = random.uniform(0.0, 1.0)
    kind = random.choice(["pale", "pale", "coloured", "dark"])
    if kind == "dark":
        albedo = hue_colour(random.uniform(0.0, 0.12), random.uniform(0.0, 0.25), random.uniform(0.25, 0.4))
        return hue, albedo, _backdrop(random, view, hue=hue, low=0.6, high=random.uniform(0.8, 0.95))
    if kind == "coloured":
        albedo = hue_colour(hue + random.uniform(0.35, 0.65), random.uniform(0.5, 0.8), random.uniform(0.85, 1.0))
    else:
        albedo = hue_colour(random.choice([0.08, 0.6]), random.uniform(0.0, 0.12), random.uniform(0.85, 1.0))
    return hue, albedo, _backdrop(random, view, hue=hue, low=0.06, high=random.uniform(0.2, 0.45))


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
    """Flames from a bed on a dark stage: tongues that rise, lick, tear off and go out."""
    stage = Stage.around(view)
    wind = random.uniform(-0.35, 0.35)
    source_x = random.uniform(-0.15, 0.15) * view.aspect - 0.2 * wind
    source_y = random.uniform(0.04, 0.1)
    source_width = random.uniform(0.12, 0.3) * min(1.0, view.aspect)
    lift = random.uniform(5.0, 8.0)
    cooling = random.uniform(0.7, 1.1)
    flicker = Flicker.drawn(random, fineness=random.uniform(8.0, 14.0), pace=random.uniform(6.0, 10.0))
    gusts = periodic_noise(random)
    fluid = stage.fluid(
        ambient_x=wind * smoothstep(0.0, 0.6, stage.y), swirl=random.uniform(6.0, 12.0), num_carried=1
    )
    exposure = random.uniform(0.85, 1.15)
    backdrop = _backdrop(random, view, hue=random.uniform(0.0, 1.0), low=0.03, high=random.uniform(0.06, 0.16))

    def advance(seconds: float) -> np.ndarray:
        uneven = flicker.at(stage.x, seconds)
        across = smoothstep(source_width * 1.25, source_width * 0.6, np.abs(stage.x - source_x))
        bed = across * np.exp(-(((stage.y - source_y) / 0.03) ** 2))
        burning = bed * np.clip(0.55 + 0.9 * uneven, 0.0, 1.0)
        heat = fluid.carried[0]
        sideways = 6.0 * uneven * bed + 1.2 * noise_at(gusts, np.array(2.0 * seconds)) * heat
        fluid.step(STEP, np.stack([sideways, lift * heat]).astype(np.float32))
        heat = fluid.carried[0]
        # Hot gas radiates fast (Fedkiw et al. 2001, sec. 5: the fourth power); the rest gives flames an end.
        heat -= np.float32(STEP) * (np.float32(cooling) * np.sqrt(heat) * 0.8 + 1.2 * heat**4)
        np.maximum(heat, 0.0, out=heat)
        np.maximum(heat, burning, out=heat)
        return heat.copy()

    for seconds in np.arange(-random.uniform(1.2, 1.8), -STEP, STEP):
        advance(seconds)
    heat = _filmed(advance, times)
    first = 0
    for moments in view.chunks(times):
        seen = exposure * stage.seen(heat[first : first + len(moments)])
        glow = np.stack([np.interp(seen, FLAME_TEMPERATURES, channel) for channel in FLAME_LIGHT])
        first += len(moments)
        yield (backdrop + glow).astype(np.float32)
