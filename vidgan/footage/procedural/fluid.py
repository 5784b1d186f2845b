"""A small two-dimensional fluid on a periodic grid, after Stam, "Stable Fluids" (1999).

One step: forces -> no divergence -> everything is carried along by the velocity.
Fields are float32 [R, C]: row 0 is the lowest, column 0 the leftmost. Lengths are in frame heights, times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


def advected(fields: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """`fields` [F, R, C] carried along by `displacement` [2, R, C] (x, y; in cells), semi-Lagrangian, bilinear."""
    return _gathered(fields, displacement)[0]


def advected_sharply(fields: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """As `advected`, with the blur of one step there and back taken off: MacCormack, Selle et al. 2008.

    Values stay between those of the four cells that they came from, so nothing rings.
    """
    there, low, high = _gathered(fields, displacement, with_bounds=True)
    back = advected(there, -displacement)
    return np.clip(there + 0.5 * (fields - back), low, high)


def _gathered(
    fields: np.ndarray, displacement: np.ndarray, *, with_bounds: bool = False
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    rows, columns = fields.shape[1:]
    from_x = np.arange(columns, dtype=np.float32) - displacement[0]
    from_y = np.arange(rows, dtype=np.float32)[:, None] - displacement[1]
    left, low = np.floor(from_x), np.floor(from_y)
    share_x, share_y = from_x - left, from_y - low
    left, low = left.astype(np.int32) % columns, low.astype(np.int32) % rows
    right, high = (left + 1) % columns, (low + 1) % rows
    flat = fields.reshape(len(fields), -1)
    corners = [np.take(flat, row * columns + column, axis=1) for row in (low, high) for column in (left, right)]
    below = corners[0] + share_x * (corners[1] - corners[0])
    above = corners[2] + share_x * (corners[3] - corners[2])
    values = below + share_y * (above - below)
    if not with_bounds:
        return values, None, None
    lowest = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3]))
    highest = np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3]))
    return values, lowest, highest


@dataclass
class Fluid:
    """Velocity [2, R, C] (x, y; frame heights a second) and what it carries, `carried` [F, R, C].

    Towards the borders, where `keep` [R, C] falls below 1, motion fades to `ambient` [2, R, C] and what is
    carried fades to nothing: what leaves on one side does not come back on the other.
    `swirl` (1 / s) is the strength of vorticity confinement.
    """

    spacing: float
    velocity: np.ndarray
    carried: np.ndarray
    keep: np.ndarray
    ambient: np.ndarray
    swirl: float

    @cached_property
    def waves(self) -> tuple[np.ndarray, np.ndarray]:
        """Wave numbers in x [1, C/2+1] and in y [R, 1], radians a frame height; none at the Nyquist frequency."""
        rows, columns = self.keep.shape
        x = np.fft.rfftfreq(columns, self.spacing).astype(np.float32)
        y = np.fft.fftfreq(rows, self.spacing).astype(np.float32)
        # A derivative at the Nyquist frequency has no sign.
        x[columns // 2 + columns % 2 :] = 0.0
        if rows % 2 == 0:
            y[rows // 2] = 0.0
        return 2 * np.pi * x[None, :], 2 * np.pi * y[:, None]

    @cached_property
    def smoothing(self) -> np.ndarray:
        """What is kept of each wave [R, C/2+1]: all, but for the shortest, in which forces leave stripes."""
        rows, columns = self.keep.shape
        # In turns of the Nyquist frequency.
        fineness = 2.0 * np.maximum(np.fft.rfftfreq(columns)[None, :], np.abs(np.fft.fftfreq(rows))[:, None])
        return np.exp(-4.0 * fineness**6).astype(np.float32)

    def projected(self, velocity: np.ndarray) -> np.ndarray:
        """The nearest velocity without divergence: in Fourier space, its part across each wave (Stam 1999, sec. 3)."""
        wave_x, wave_y = self.waves
        x, y = np.fft.rfft2(velocity)
        along = (wave_x * x + wave_y * y) / np.maximum(wave_x**2 + wave_y**2, np.float32(1e-12))
        free = np.stack([x - wave_x * along, y - wave_y * along]) * self.smoothing
        return np.fft.irfft2(free, s=velocity.shape[1:])

    def divergence(self) -> np.ndarray:
        """Divergence [R, C] of the velocity, 1 / s."""
        wave_x, wave_y = self.waves
        x, y = np.fft.rfft2(self.velocity)
        return np.fft.irfft2(1j * (wave_x * x + wave_y * y), s=self.velocity.shape[1:])

    def confinement(self) -> np.ndarray:
        """The force [2, R, C] that feeds eddies as small as the grid (Fedkiw et al. 2001, eq. 11), per unit mass."""
        vorticity = _slope_x(self.velocity[1]) - _slope_y(self.velocity[0])
        strength = np.abs(vorticity)
        towards_x, towards_y = _slope_x(strength), _slope_y(strength)
        # Grid spacing times vorticity is the difference of velocity from cell to cell, which is what _slope gives.
        scale = self.swirl * vorticity / (np.sqrt(towards_x**2 + towards_y**2) + np.float32(1e-5))
        return np.stack([towards_y * scale, -towards_x * scale])

    def step(self, duration: float, force: np.ndarray) -> None:
        """Go on by `duration` seconds under `force` [2, R, C] per unit mass."""
        self.velocity = self.velocity + np.float32(duration) * (force + self.confinement())
        self.velocity = self.ambient + self.keep * (self.velocity - self.ambient)
        self.velocity = self.projected(self.velocity)
        displacement = self.velocity * np.float32(duration / self.spacing)
        self.carried = advected_sharply(self.carried, displacement) * self.keep
        self.velocity = advected(self.velocity, displacement)


def _slope_x(values: np.ndarray) -> np.ndarray:
    """Central difference to the right, per cell."""
    return 0.5 * (np.roll(values, -1, axis=1) - np.roll(values, 1, axis=1))


def _slope_y(values: np.ndarray) -> np.ndarray:
    """Central difference upwards, per cell."""
    return 0.5 * (np.roll(values, -1, axis=0) - np.roll(values, 1, axis=0))
