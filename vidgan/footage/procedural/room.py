"""Where the figures perform: a softly lit wall and a floor in perspective, sliding past a moving camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidgan.footage.procedural.canvas import View, cover, hue_colour, smoothstep


@dataclass(frozen=True)
class Room:
    """A wall above `horizon` (frame heights) and a floor below it."""

    hue: float
    wall: np.ndarray
    floor: np.ndarray
    horizon: float
    panel_width: float
    panel_contrast: float
    lamp_x: float

    @classmethod
    def drawn(cls, random: np.random.Generator, *, lamp_x: float) -> Room:
        """A room at random, lit from the side `lamp_x` (-1..1)."""
        hue = random.choice([0.02, 0.08, 0.12, 0.3, 0.45, 0.53, 0.58, 0.62, 0.75, 0.92]) + random.uniform(-0.02, 0.02)
        warm = random.uniform(0.05, 0.1)
        return cls(
            hue=hue,
            wall=hue_colour(hue, random.uniform(0.15, 0.4), random.uniform(0.55, 0.85)),
            floor=hue_colour(warm, random.uniform(0.15, 0.5), random.uniform(0.35, 0.65)),
            horizon=random.uniform(0.17, 0.25),
            panel_width=random.uniform(0.5, 0.8),
            panel_contrast=random.uniform(0.12, 0.3),
            lamp_x=lamp_x,
        )

    def painted(self, view: View, *, scroll: np.ndarray, ground: float) -> np.ndarray:
        """light [C, T, H, W]; `scroll` [T] is how far the floor at height `ground` has slid to the left."""
        x, y = view.x, view.y
        slide = scroll.astype(np.float32)[:, None, None]
        glow = np.exp(-((x - 0.45 * self.lamp_x) ** 2 + (y - 0.75) ** 2) / 0.45)
        panels = self._stripes(x + 0.6 * slide, self.panel_width, view.pixel)
        wall_shade = (0.45 + 0.75 * glow) * (1.0 + self.panel_contrast * panels)
        wall_shade *= 1.0 - 0.35 * smoothstep(0.12, 0.0, y - self.horizon)

        # A point of the floor seen at height y is this much nearer (< 1) or further (> 1) than the figure's feet.
        depth = np.minimum((self.horizon - ground) / np.maximum(self.horizon - y, 0.012), 8.0)
        boards = self._stripes(depth * x + slide, 0.5 * self.panel_width, depth * view.pixel)
        floor_shade = (0.75 + 0.55 * glow) * (1.0 + 0.22 * boards) * (1.0 - 0.3 * smoothstep(1.5, 6.0, depth))

        light = self.wall[:, None, None, None] * wall_shade
        on_floor = np.clip(0.5 + (self.horizon - y) / view.pixel, 0.0, 1.0)
        cover(light, on_floor, self.floor[:, None, None, None] * floor_shade)
        return light

    @staticmethod
    def _stripes(across: np.ndarray, period: float, pixel: float | np.ndarray) -> np.ndarray:
        """Soft stripes -1..1; each harmonic fades out before it is finer than two pixels."""
        turn = (2.0 * np.pi / period) * across
        fundamental = np.sin(turn) * np.clip(2.0 - 6.0 * pixel / period, 0.0, 1.0)
        return fundamental + np.sin(3.0 * turn) / 3.0 * np.clip(2.0 - 18.0 * pixel / period, 0.0, 1.0)


def shadow(light: np.ndarray, view: View, centre: np.ndarray, *, reach: float, strength: np.ndarray) -> None:
    """Darken the floor in place by a soft ellipse at `centre` [T, 2]; `reach` in frame heights, `strength` [T] 0..1."""
    from_x = (view.x - centre[:, 0, None, None].astype(np.float32)) / reach
    from_y = (view.y - centre[:, 1, None, None].astype(np.float32)) / (0.22 * reach)
    light *= 1.0 - strength[:, None, None].astype(np.float32) * np.exp(-(from_x**2) - from_y**2)
