"""Elements: smoke and fire, simulated, seen by a camera that stands still.

`(random, view, times) -> light, frame by frame`. The fluid moves in steps of a fixed number of seconds whatever the
rate; a frame between two steps is reached by one shorter step, so second 1.5 looks the same at any rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from vidgan.footage.procedural.canvas import View, cover, hue_colour, noise_at, periodic_noise, smoothstep
from vidgan.footage.procedural.fluid import Grid, Turbulence

STEP_SECONDS = 1 / 48
FEWEST_CELLS = 64  # per frame height; fewer than this and there are no eddies left to see

# What burns: fields [3, R, C], carried by the velocity fields [2, R, C].
State = tuple[np.ndarray, np.ndarray]
Step = Callable[[State, float, float], State]


def _moments(step: Step, state: State, times: np.ndarray, *, warm_up_seconds: float) -> Iterator[np.ndarray]:
    """The scalar fields at each of `times`; the plume already stands at time 0."""
    num_steps = -round(warm_up_seconds / STEP_SECONDS)
    for time in times.tolist():
        while (num_steps + 1) * STEP_SECONDS <= time + 1e-9:
            state = step(state, num_steps * STEP_SECONDS, STEP_SECONDS)
            num_steps += 1
        rest = time - num_steps * STEP_SECONDS
        yield step(state, num_steps * STEP_SECONDS, rest)[0] if rest > 1e-9 else state[0]


def _grid(view: View) -> Grid:
    return Grid(max(FEWEST_CELLS, view.height), view.aspect)


def _seen(fields: np.ndarray, grid: Grid, view: View) -> np.ndarray:
    """Fields [F, R, C] at the pixels of the frame, [F, H, W]: bilinear."""
    row = (view.y[0] + grid.BOTTOM) / grid.cell - 0.5
    column = view.x[0] / grid.cell + grid.columns / 2 - 0.5
    low_row, low_column = np.floor(row).astype(int), np.floor(column).astype(int)
    up, right = (row - low_row).astype(np.float32), (column - low_column).astype(np.float32)
    low = fields[:, low_row, low_column] * (1 - right) + fields[:, low_row, low_column + 1] * right
    high = fields[:, low_row + 1, low_column] * (1 - right) + fields[:, low_row + 1, low_column + 1] * right
    return low * (1 - up) + high * up


class _Burner:
    """Where the heat comes in: a soft, flickering strip near the lower edge."""

    def __init__(self, random: np.random.Generator, grid: Grid, *, centre: float, reach: float, top: float, thickness: float):
        self.knots = periodic_noise(random)
        self.across = grid.x / reach
        self.grain = grid.x / (0.35 * reach) + random.uniform(0.0, 99.0)
        self.centre, self.reach, self.flicker = centre, reach, random.uniform(2.5, 5.0)
        self.strip = np.exp(-(((grid.y - top) / thickness) ** 2)).astype(np.float32)

    def at(self, seconds: float) -> np.ndarray:
        """How much comes in, 0..1, [R, C]."""
        wander = 0.25 * noise_at(self.knots, np.array([1.3 * seconds + 80.0], np.float32))
        profile = np.exp(-((self.across - self.centre / self.reach - wander) ** 4))
        noise = noise_at(self.knots, self.grain + self.flicker * seconds) + noise_at(self.knots, self.grain * 2.1 - 7.0 * seconds)
        return (self.strip * profile * np.clip(0.65 + 0.5 * noise, 0.0, 1.3)).astype(np.float32)


def smoke(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """A rising plume of smoke, white to black, lit from one side."""
    grid = _grid(view)
    narrow = min(1.0, view.aspect)
    burner = _Burner(
        random, grid, centre=random.uniform(-0.2, 0.2) * narrow, reach=random.uniform(0.07, 0.2) * narrow, top=-0.02, thickness=0.04
    )
    turbulence = Turbulence(random, grid, strength=random.uniform(0.6, 1.6))
    buoyancy = random.uniform(2.6, 4.2)
    wind = random.uniform(-0.28, 0.28)
    gust = random.uniform(0.3, 0.8)
    curl = random.uniform(0.2, 0.4) * 64 * grid.cell
    fading = random.uniform(0.12, 0.35)
    thickness = random.uniform(5.0, 11.0)
    scene = _SmokeScene(random, view)

    def step(state: State, seconds: float, duration: float) -> State:
        scalars, velocity = state
        inflow = burner.at(seconds)
        scalars = scalars + inflow * np.float32(9.0 * duration)
        density, heat = scalars
        force = turbulence.at(seconds) * (0.15 + np.minimum(density, 1.0)) + curl / grid.cell * grid.confinement(velocity)
        force[1] += buoyancy * heat
        velocity = (velocity + duration * force) * np.exp(-duration * (0.3 + 8.0 * grid.calm))
        velocity = grid.projected(velocity)
        breeze = wind * (1.0 + gust * math.sin(1.1 * seconds)) * smoothstep(-0.1, 0.6, grid.y)
        carrier = np.stack([velocity[0] + breeze, velocity[1]])
        fields = grid.advected(np.concatenate([scalars, velocity]), carrier, duration)
        decay = np.stack([fading + 8.0 * grid.calm, 0.9 + 8.0 * grid.calm])
        return fields[:2] * np.exp(-duration * decay), fields[2:]

    still = np.zeros((2, grid.rows, grid.columns), np.float32)
    for scalars in _moments(step, (still, still), times, warm_up_seconds=3.0):
        yield scene.painted(_seen(scalars[:1], grid, view)[0] * thickness)


class _SmokeScene:
    """Backdrop, lamp, and the colour of the smoke."""

    def __init__(self, random: np.random.Generator, view: View):
        self.view = view
        bright = bool(random.random() < 0.4)
        hue = random.choice([0.55, 0.58, 0.6, 0.08, 0.11] if bright else [0.58, 0.64, 0.7, 0.48, 0.04, 0.95])
        saturation = random.uniform(0.2, 0.45) if bright else random.uniform(0.3, 0.6)
        top = hue_colour(hue, saturation, random.uniform(0.55, 0.75) if bright else random.uniform(0.05, 0.2))
        low = hue_colour(hue + 0.06, 0.7 * saturation, random.uniform(0.75, 0.92) if bright else random.uniform(0.2, 0.38))
        fall = smoothstep(0.0, 1.0, view.y)
        vignette = 1.0 - 0.25 * (view.x / max(view.aspect, 1.0)) ** 2
        self.backdrop = (low[:, None, None, None] + (top - low)[:, None, None, None] * fall) * vignette
        # Against a bright sky smoke is dark or grey, against a dark one light: either way it can be seen.
        grey = random.uniform(0.25, 0.5) if bright else random.uniform(0.7, 0.95)
        self.albedo = hue_colour(random.choice([0.08, 0.6]), random.uniform(0.0, 0.15), grey)
        self.lamp_side = int(random.choice([-1, 1]))
        self.lamp = hue_colour(0.1, random.uniform(0.0, 0.35), 1.0)
        self.sky = hue_colour(hue, 0.4, 0.62)

    def painted(self, depth: np.ndarray) -> np.ndarray:
        """light [C, 1, H, W]; `depth` [H, W] is the optical depth towards the camera, per frame height across."""
        reached = np.exp(-1.8 * self._shadow(depth))
        shade = (self.sky * 0.45)[:, None, None] + (1.15 * self.lamp)[:, None, None] * reached
        light = self.backdrop.copy()
        cover(light, (1.0 - np.exp(-depth))[None], (self.albedo[:, None, None] * shade)[:, None])
        return light

    def _shadow(self, depth: np.ndarray) -> np.ndarray:
        """Optical depth [H, W] between the lamp, high on one side, and each point of the smoke.

        Row by row from the top, a row's shadow falls on the next one, one pixel to the side and a little blurred.
        """
        shadow = np.zeros_like(depth)
        column = np.pad(depth[:, :: self.lamp_side] * self.view.pixel, ((0, 0), (2, 0)))
        fallen = np.zeros(column.shape[1], depth.dtype)
        for row in range(len(depth)):
            shadow[row] = fallen[2:]
            lit = fallen + column[row]
            fallen = 0.25 * lit
            fallen[1:] += 0.5 * lit[:-1]
            fallen[2:] += 0.25 * lit[:-2]
        return shadow[:, :: self.lamp_side]


def fire(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """Flames from the lower edge, with soot above them, before a dark backdrop that they light."""
    grid = _grid(view)
    narrow = min(1.0, view.aspect)
    centre, reach = random.uniform(-0.18, 0.18) * narrow, random.uniform(0.18, 0.38) * narrow
    burner = _Burner(random, grid, centre=centre, reach=reach, top=0.0, thickness=0.07)
    turbulence = Turbulence(random, grid, strength=random.uniform(2.0, 4.0))
    buoyancy = random.uniform(6.0, 9.0)
    wind = random.uniform(-0.3, 0.3)
    curl = random.uniform(0.3, 0.6) * 64 * grid.cell
    cooling = random.uniform(0.85, 1.5)
    backdrop_hue, backdrop_value = random.choice([0.6, 0.64, 0.7, 0.04, 0.5]), random.uniform(0.06, 0.26)
    night = hue_colour(backdrop_hue, 0.6, backdrop_value)[:, None, None, None] * (0.5 + 0.9 * (1.0 - view.y))
    glow_shape = np.exp(-((view.x - centre) ** 2 + (view.y - 0.25) ** 2) / 0.22)

    def step(state: State, seconds: float, duration: float) -> State:
        scalars, velocity = state
        inflow = burner.at(seconds)
        heat, soot = scalars
        heat = heat + (np.maximum(heat, inflow) - heat) * (1.0 - math.exp(-30.0 * duration))
        soot = soot + duration * 1.2 * heat * (1.0 - heat)
        force = turbulence.at(seconds) * (0.1 + heat) + curl / grid.cell * grid.confinement(velocity)
        force[1] += buoyancy * heat
        velocity = (velocity + duration * force) * np.exp(-duration * (0.8 + 8.0 * grid.calm))
        velocity = grid.projected(velocity)
        carrier = np.stack([velocity[0] + wind * smoothstep(-0.1, 0.6, grid.y), velocity[1]])
        fields = grid.advected(np.concatenate([np.stack([heat, soot]), velocity]), carrier, duration)
        fields[0] = np.maximum(fields[0] - duration * cooling * (0.25 + fields[0] ** 2), 0.0)
        fields[1] *= np.exp(-duration * (0.5 + 8.0 * grid.calm))
        return fields[:2], fields[2:]

    still = np.zeros((2, grid.rows, grid.columns), np.float32)
    for scalars in _moments(step, (still, still), times, warm_up_seconds=2.0):
        heat, soot = _seen(scalars, grid, view)
        power = float(heat.mean())
        light = night + (0.6 * power * glow_shape) * np.array([1.0, 0.32, 0.09], np.float32)[:, None, None, None]
        lit_soot = (0.02 + 0.35 * power * glow_shape) * np.array([1.0, 0.5, 0.3], np.float32)[:, None, None, None]
        cover(light, (1.0 - np.exp(-2.5 * soot))[None], lit_soot)
        yield light + _flame(heat)[:, None]


def _flame(heat: np.ndarray) -> np.ndarray:
    """Light [C, H, W] of glowing gas: dark red, orange, yellow, white as `heat` goes from 0 to 1.

    Red grows first and green and blue follow, as along the black body's curve; film saturates them in turn.
    """
    heat = np.clip(heat, 0.0, 1.3)
    exposure = np.stack([4.2 * heat**1.7, 2.2 * heat**2.7, 1.1 * heat**4.5])
    return 1.0 - np.exp(-exposure)
