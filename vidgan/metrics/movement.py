"""How clips move: how fast it changes, how it flickers, how far it flows; and how far two sets are apart in each.

    spectrum   power of the differences from frame to frame at every temporal frequency (Parseval: it sums to the
               motion energy, the mean squared difference)
    flicker    change of the mean brightness from frame to frame, which moving things hardly cause
    flow       how far pixels move from frame to frame, by dense optical flow (Farneback 2003)

None of them looks at what is in the picture, and none at the direction of time: `two_sample.time_arrow_test` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from vidgan.clip import LUMA_WEIGHTS, to_uint8
from vidgan.errors import RequestError

# Optical flow is measured on pictures of this many rows, whatever the size of the clips.
FLOW_ROWS = 64

# Bins of the flow's histogram are half a pixel of these rows; the last one holds all that is faster than an eighth of
# the height a frame, about as far as the flow can follow.
FLOW_EDGES = np.arange(17) / 128

# Mean squared difference, in squared levels, that rounding to whole levels adds between two frames: 1/12 for each.
# Weaker differences mean nothing, and a frozen clip has this much instead of a logarithm of zero.
ROUNDING = 1 / 6


@dataclass(frozen=True)
class Movement:
    """How a set of clips moves, on average."""

    frequencies: np.ndarray
    """Cycles a frame, 0 to 1/2, float64 [K]."""
    power: np.ndarray
    """Mean squared difference from frame to frame at each frequency, in squared levels of 0..255, float64 [K]."""
    flicker_levels: float
    """Root mean square change of the mean brightness from frame to frame, in levels of 0..255."""
    flow: np.ndarray
    """Share of pixels by speed, in the bins of `FLOW_EDGES` (heights a frame, the last one open), float64 [16]."""
    num_clips: int

    @property
    def motion_energy(self) -> float:
        """Mean squared difference from frame to frame, in squared levels of 0..255."""
        return float(self.power.sum())

    @property
    def spectrum(self) -> np.ndarray:
        """Share of the power at each frequency; rounding, which is at all of them alike, is added. Sums to 1."""
        raised = self.power + ROUNDING * _weights(len(self.power), self.num_differences)
        return raised / raised.sum()

    @property
    def num_differences(self) -> int:
        """Pairs of successive frames in a clip."""
        return round(1 / self.frequencies[1]) if len(self.frequencies) > 1 else 1


@dataclass(frozen=True)
class MovementDistance:
    """Generated against real clips; 0 where they move alike."""

    energy_decibels: float
    """Motion energy of generated over real clips: below 0, they move too little."""
    spectrum_decibels: float
    """Mean distance of the spectra over all frequencies: which motion is slow and which fast, not how much."""
    flicker_levels: float
    """Flicker of generated clips beyond that of real ones, in levels of 0..255 a frame."""
    flow_heights: float
    """Earth mover's distance of the speeds: how much faster or slower pixels would have to be on average, in picture
    heights a frame."""


def describe_movement(batches: Iterable[np.ndarray | Tensor]) -> Movement:
    """Of all clips together, in the memory of one batch.

    A batch is uint8 [N, T, H, W, C] (frames) or a floating tensor [N, C, T, H, W] in -1..1 (video); T is the same in
    all of them. Raises `RequestError` if there is none, if clips are single frames, or if they differ in length.
    """
    num_clips, num_frames = 0, None
    power, flicker, flow = 0.0, 0.0, np.zeros(len(FLOW_EDGES) - 1)
    for frames in map(_frames, batches):
        if frames.shape[1] < 2 or num_frames not in (None, frames.shape[1]):
            raise RequestError(f"clips of {frames.shape[1]} frames (expected {num_frames or 'at least 2'})")
        num_frames = frames.shape[1]
        num_clips += len(frames)
        for clip in frames:
            power = power + difference_power(clip)
            grey = clip.astype(np.float32) @ _luma(clip.shape[-1])
            flicker += float(np.square(np.diff(grey.mean((1, 2), dtype=np.float64))).mean())
            flow += flow_histogram(grey)
    if num_frames is None:
        raise RequestError("no clips whose movement could be described")
    return Movement(
        frequencies=np.fft.rfftfreq(num_frames - 1),
        power=power / num_clips,
        flicker_levels=(flicker / num_clips) ** 0.5,
        flow=flow / num_clips,
        num_clips=num_clips,
    )


def compare_movement(real: Movement, generated: Movement) -> MovementDistance:
    """Raises `RequestError` for clips of two lengths, whose frequencies differ."""
    if len(real.power) != len(generated.power):
        raise RequestError("real and generated clips differ in length, and so in temporal frequencies")
    energies = (generated.motion_energy + ROUNDING) / (real.motion_energy + ROUNDING)
    return MovementDistance(
        energy_decibels=float(10 * np.log10(energies)),
        spectrum_decibels=float(np.abs(10 * np.log10(generated.spectrum / real.spectrum)).mean()),
        flicker_levels=generated.flicker_levels - real.flicker_levels,
        flow_heights=earth_movers_distance(real.flow, generated.flow, bin_width=FLOW_EDGES[1]),
    )


def difference_power(frames: np.ndarray) -> np.ndarray:
    """Power of the differences from frame to frame by temporal frequency, mean over pixels and channels.

    frames [T, H, W, C] 0..255 -> float64 [(T - 1) // 2 + 1] in squared levels; its sum is the mean squared difference.
    """
    differences = np.diff(frames.reshape(len(frames), -1).astype(np.float32), axis=0)
    num_differences = len(differences)
    waves = np.fft.rfft(differences, axis=0)
    power = np.square(np.abs(waves)).mean(1, dtype=np.float64) / num_differences**2
    return power * num_differences * _weights(len(power), num_differences)


def flow_histogram(grey: np.ndarray) -> np.ndarray:
    """Share of pixels by speed: [T, H, W] 0..255 -> float64 [16], the bins of `FLOW_EDGES`, summing to 1."""
    size = max(1, round(grey.shape[2] * FLOW_ROWS / grey.shape[1])), FLOW_ROWS
    method = cv2.INTER_AREA if grey.shape[1] >= FLOW_ROWS else cv2.INTER_LINEAR
    small = [cv2.resize(picture, size, interpolation=method).round().clip(0, 255).astype(np.uint8) for picture in grey]
    counts = np.zeros(len(FLOW_EDGES) - 1)
    for before, after in pairwise(small):
        flow = cv2.calcOpticalFlowFarneback(
            before, after, None, pyr_scale=0.5, levels=3, winsize=9, iterations=3, poly_n=5, poly_sigma=1.1, flags=0
        )
        heights = np.hypot(flow[..., 0], flow[..., 1]) / FLOW_ROWS
        counts += np.histogram(heights.clip(max=FLOW_EDGES[-1]), FLOW_EDGES)[0]
    return counts / counts.sum()


def earth_movers_distance(first: np.ndarray, second: np.ndarray, *, bin_width: float) -> float:
    """Of two histograms on a line that sum to 1: the area between their cumulative sums, in the unit of the bins."""
    return float(np.abs(np.cumsum(first - second)).sum() * bin_width)


def _weights(num_frequencies: int, num_samples: int) -> np.ndarray:
    """Share of white noise at each frequency of a real series; those within 0..1/2 stand for two."""
    weights = np.full(num_frequencies, 2.0)
    weights[0] = 1
    if num_samples % 2 == 0:
        weights[-1] = 1
    return weights / num_samples


def _frames(batch: np.ndarray | Tensor) -> np.ndarray:
    """uint8 [N, T, H, W, C] of either layout."""
    if batch.ndim != 5:
        raise RequestError(f"clips have {batch.ndim} axes (expected 5: n t h w c of uint8 or b c t h w of floats)")
    if isinstance(batch, Tensor):
        batch = batch if batch.dtype == torch.uint8 else rearrange(to_uint8(batch), "b c t h w -> b t h w c")
        return batch.cpu().numpy()
    if batch.dtype != np.uint8:
        raise RequestError(f"clips are an array of {batch.dtype} (expected uint8 frames, or a tensor of floats)")
    return batch


def _luma(channels: int) -> np.ndarray:
    return np.array(LUMA_WEIGHTS if channels == 3 else (1.0,), np.float32)
