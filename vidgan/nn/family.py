"""What every family of networks offers: latents and a class in, video out; video and a class in, logits out.

Networks that mend take a damaged video in the place of latents.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

Window = tuple[int, int]
"""A half-open range (start, stop) of frames or of steps, counted from the take's first; it may begin below zero."""


class Generator(Protocol):
    """Makes any stretch of a take, or whole takes of one length."""

    content_dim: int
    """Numbers in the content latent z."""
    motion_dim: int
    """Numbers a step in the motion noise."""
    first_frames: int
    """How many frames a take can begin at before its kinds of frames repeat: 1 if all are made alike."""
    longest: int | None
    """Frames of the longest take; None for takes of any length."""

    def motion_window(self, first_frame: int, num_frames: int) -> Window:
        """Steps of motion noise, half-open, that decide this stretch of a take."""

    def __call__(self, z: Tensor, motion: Tensor, labels: Tensor, *, first_frame: int, num_frames: int) -> Tensor:
        """z [B, content_dim], white noise [B, motion_dim, steps] for exactly `motion_window`, labels int64 [B] ->
        video float32 [B, C, T, H, W], about -1..1."""


@runtime_checkable
class SteerableGenerator(Generator, Protocol):
    """Makes any stretch of a take from content and motion that are given over time: loops, walks, speeds, codes."""

    style_dim: int
    """Numbers in a style, which is what content and class become."""

    def style(self, z: Tensor, labels: Tensor) -> Tensor:
        """z [B, content_dim], labels int64 [B] -> style [B, style_dim]."""

    def style_window(self, first_frame: int, num_frames: int) -> Window:
        """Frames of the take, half-open, whose style decides this stretch of it."""

    def signal_window(self, first_frame: int, num_frames: int) -> Window:
        """Steps of the filtered noise, half-open, that decide this stretch of a take."""

    def draw(self, style: Tensor, signal: Tensor, *, first_frame: int, num_frames: int) -> Tensor:
        """Style [B, style_dim, frames] for exactly `style_window`, or [B, style_dim, 1], and signal [B, steps, ...] of
        `vidgan.nn.noise` for exactly `signal_window` -> video float32 [B, C, T, H, W], about -1..1."""


class Repairer(Protocol):
    """Fills holes in a clip, finds damage in it, takes noise off."""

    noise_dim: int
    """Channels of the noise that decides between alternatives."""
    multiple: int
    """Height and width of what it takes are multiples of this."""

    def __call__(self, video: Tensor, hole: Tensor, grain: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Video [B, C, T, H, W] about -1..1, hole [B, 1, T, H, W], 1 where pixels are to be made and 0 elsewhere (what
        `video` holds there is not looked at), grain [B], the standard deviation in voxels of -1..1 of the noise to take
        off (0: none), white noise [B, noise_dim, T, H // multiple, W // multiple] -> the whole mended video of the same
        shape (the caller puts it into the hole, or everywhere where grain is taken off), and logits [B, 1, T, H, W] of
        where a pixel is damaged (above zero: damaged).

        Noise of zeros gives what is expected, which is the nearest to the truth; T is any length."""


class Discriminator(Protocol):
    """Tells real clips from generated ones."""

    def __call__(self, video: Tensor, told: Tensor, frames: Tensor) -> Tensor:
        """Video [B, C, T, H, W] about -1..1, told int64 [B] (numbers of shots if networks are told them, else classes,
        see `vidgan.nn.conditions`), places 0..1 of frames [B, k] that a network for single frames looks at, if there
        is one -> logits float32 [B], or [B, K] of K networks; above zero means real."""
