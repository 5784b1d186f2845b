"""A small incompressible fluid on a periodic grid: Stam, "Stable Fluids" (1999), with vorticity confinement
(Fedkiw, Stam and Jensen, "Visual Simulation of Smoke", 2001).

Fields are float32 [F, R, C]; row 0 is the lowest. Lengths are in frame heights, velocities in frame heights a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Grid:
    """A box around the frame, with margins in which fluid can leave and calm down before it would come round again.

        +-------------------+   TOP
        |    +---------+    |
        |    |  frame  |    |   SIDE of it to the left and to the right
        |    +---------+    |
        +-------------------+   BOTTOM
    """

    cells_per_height: int
    aspect: float

    TOP = 0.25
    BOTTOM = 0.15
    SIDE = 0.2

    @property
    def cell(self) -> float:
        """Side of a cell."""
        return 1.0 / self.cells_per_height

    @cached_property
    def rows(self) -> int:
        """Even, as are the columns: the transforms are quick then."""
        return 2 * round((1.0 + self.TOP + self.BOTTOM) * self.cells_per_height / 2)

    @cached_property
    def columns(self) -> int:
        """Cells across the box."""
        return 2 * round((self.aspect + 2 * self.SIDE) * self.cells_per_height / 2)

    @cached_property
    def x(self) -> np.ndarray:
        """[1, C], to the right from the centre of the frame."""
        return ((np.arange(self.columns, dtype=np.float32) + 0.5 - self.columns / 2) * self.cell)[None, :]

    @cached_property
    def y(self) -> np.ndarray:
        """[R, 1], upwards from the lower edge of the frame."""
        return ((np.arange(self.rows, dtype=np.float32) + 0.5) * self.cell - self.BOTTOM)[:, None]

    @cached_property
    def calm(self) -> np.ndarray:
        """[R, C]: 0 in the frame, rising to 1 at the edge of the box."""
        right = (np.abs(self.x) - self.aspect / 2) / self.SIDE
        above, below = (self.y - 1.0) / self.TOP, -self.y / self.BOTTOM
        return np.clip(np.maximum(np.maximum(above, below), right), 0.0, 1.0) ** 2

    @cached_property
    def _wave_numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Across [1, K], up [R, 1], and 1 / squared length [R, K]; the highest has no sign, so it has no slope."""
        across = 2j * np.pi * np.fft.rfftfreq(self.columns)[None, :]
        up = 2j * np.pi * np.fft.fftfreq(self.rows)[:, None]
        across[:, -1], up[self.rows // 2] = 0.0, 0.0
        squared = across**2 + up**2
        squared[squared == 0] = 1.0
        return across.astype(np.complex64), up.astype(np.complex64), (1.0 / squared).real.astype(np.float32)

    @cached_property
    def _smooth(self) -> np.ndarray:
        """[R, K]: 1 for all but the finest waves. Confinement feeds those, and they would comb every edge."""
        across, up = np.fft.rfftfreq(self.columns)[None, :], np.fft.fftfreq(self.rows)[:, None]
        return np.exp(-((np.sqrt(across**2 + up**2) / 0.3) ** 4)).astype(np.float32)

    def divergence(self, velocity: np.ndarray) -> np.ndarray:
        """Spectral divergence [R, C] of velocity [2, R, C] (across, up), per cell."""
        across, up, _ = self._wave_numbers
        transform = np.fft.rfft2(velocity)
        return np.fft.irfft2(across * transform[0] + up * transform[1], s=velocity.shape[1:])

    def projected(self, velocity: np.ndarray) -> np.ndarray:
        """Velocity [2, R, C] without divergence (Helmholtz: the gradient of the pressure taken away), and smooth."""
        across, up, inverse = self._wave_numbers
        transform = np.fft.rfft2(velocity) * self._smooth
        pressure = (across * transform[0] + up * transform[1]) * inverse
        transform[0] -= across * pressure
        transform[1] -= up * pressure
        return np.fft.irfft2(transform, s=velocity.shape[1:]).astype(np.float32)

    def advected(self, fields: np.ndarray, velocity: np.ndarray, seconds: float) -> np.ndarray:
        """`fields` [F, R, C] carried along for `seconds`: each cell looks back where it came from (bilinear)."""
        back_column = np.arange(self.columns, dtype=np.float32) - velocity[0] * np.float32(seconds / self.cell)
        back_row = np.arange(self.rows, dtype=np.float32)[:, None] - velocity[1] * np.float32(seconds / self.cell)
        column, row = np.floor(back_column), np.floor(back_row)
        right, up = back_column - column, back_row - row
        column, row = column.astype(np.intp) % self.columns, row.astype(np.intp) % self.rows
        next_column, row, next_row = (column + 1) % self.columns, row * self.columns, (row + 1) % self.rows * self.columns
        flat = fields.reshape(len(fields), -1)
        low = np.take(flat, row + column, axis=1)
        low += right * (np.take(flat, row + next_column, axis=1) - low)
        high = np.take(flat, next_row + column, axis=1)
        high += right * (np.take(flat, next_row + next_column, axis=1) - high)
        return low + up * (high - low)

    def confinement(self, velocity: np.ndarray) -> np.ndarray:
        """A force [2, R, C] towards the centres of eddies that gives back what the grid smooths away."""
        curl = _slope(velocity[1], 1) - _slope(velocity[0], 0)
        strength = np.abs(curl)
        towards_x, towards_y = _slope(strength, 1), _slope(strength, 0)
        length = np.sqrt(towards_x**2 + towards_y**2) + np.float32(1e-4)
        return np.stack([towards_y * curl / length, -towards_x * curl / length])


def _slope(field: np.ndarray, axis: int) -> np.ndarray:
    """Central difference per cell, periodic."""
    return 0.5 * (np.roll(field, -1, axis) - np.roll(field, 1, axis))


class Turbulence:
    """A restless force without divergence: the curl of a few travelling waves of random direction."""

    def __init__(self, random: np.random.Generator, grid: Grid, *, num_waves: int = 8, strength: float):
        """`strength` in frame heights per second squared."""
        direction = random.uniform(0.0, 2 * np.pi, num_waves)
        self.rates = random.uniform(2.0, 7.0, num_waves)
        waves = []
        for angle, number in zip(direction, 2 * np.pi * random.uniform(1.5, 5.0, num_waves), strict=True):
            phase = number * (np.cos(angle) * grid.x + np.sin(angle) * grid.y) + random.uniform(0.0, 2 * np.pi)
            for wave in (np.sin(phase), np.cos(phase)):
                waves.append(np.stack([-np.sin(angle) * wave, np.cos(angle) * wave]))
        self.waves = (strength / np.sqrt(num_waves) * np.stack(waves)).astype(np.float32)

    def at(self, seconds: float) -> np.ndarray:
        """The force [2, R, C] at a moment."""
        turn = self.rates * seconds
        weights = np.stack([np.cos(turn), np.sin(turn)], axis=-1).ravel().astype(np.float32)
        return np.einsum("n,nfrc->frc", weights, self.waves)
