"""A take with its generator: what the network is given for any stretch of it."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from vidgan.sampling.capabilities import check_take, is_steerable
from vidgan.sampling.directions import direction_vectors
from vidgan.sampling.latents import content_latent, motion_noise
from vidgan.sampling.looks import NUM_FAST, LookPath, look_vector
from vidgan.sampling.motion import filtered_noise
from vidgan.sampling.take import Take
from vidgan.weights import LoadedGenerator


class Performance:
    """A take of a generator; every number is a pure function of a frame or step, so that stretches are alike.

    Raises `RequestError` if this generator cannot make such a take.
    """

    def __init__(self, loaded: LoadedGenerator, take: Take) -> None:
        check_take(loaded, take)
        self.take, self.generator = take, loaded.generator
        self.device = next(loaded.generator.parameters()).device
        self.steerable = is_steerable(loaded.generator)
        self.exact = self.steerable and take.precision == "float32" and self.device.type == "cpu"
        """Whether a frame is the same to the bit whatever is computed with it."""
        names = loaded.provenance.class_names
        self.label = names.index(next(iter(take.looks[0].classes))) if take.looks[0].classes else 0
        if self.steerable:
            looks = np.stack([look_vector(loaded, look, take.truncation) for look in take.looks])
            self.shift = np.zeros(looks.shape[1])
            """What directions add to each look."""
            for number, amount in take.directions:
                self.shift += amount * direction_vectors(loaded)[number - 1]
            self.path = LookPath(take, looks + self.shift, self.generator.style_dim)

    def steered(self, first_frame: int, num_frames: int) -> tuple[Tensor, Tensor]:
        """Style [style_dim, frames or 1] and signal [steps, ...] for `SteerableGenerator.draw`."""
        style = self.path.style(*self.generator.style_window(first_frame, num_frames))
        rows = [self._signal(step) for step in range(*self.generator.signal_window(first_frame, num_frames))]
        return style, torch.from_numpy(np.stack(rows).astype(np.float32))

    def _signal(self, step: int) -> np.ndarray:
        """One step's filtered noise, float64 [motion_dim * 4], so that it is rounded once."""
        take, frames_a_step = self.take, self.generator.first_frames
        if take.loop is None:
            time, noise_period = step * take.speed, None
        else:  # one round goes through a whole number of steps of noise, the nearest to what the speed asks for
            period = take.loop // frames_a_step
            noise_period = max(1, round(period * take.speed))
            time = step % period * noise_period / period
        signal = filtered_noise(take.motion, self.generator.motion_dim, time, period=noise_period)
        if take.hold:
            signal[:, NUM_FAST:] = self.path.slow_part(step * frames_a_step)
        elif take.directions:
            signal[:, NUM_FAST:] += self.shift[self.generator.style_dim :].reshape(signal[:, NUM_FAST:].shape)
        return rearrange(signal, "d s -> (d s)")

    def latents(self, first_frame: int, num_frames: int) -> tuple[Tensor, Tensor]:
        """z [content_dim] and noise [motion_dim, steps] for any other `Generator`."""
        z = content_latent(self.take.looks[0].seed, self.generator.content_dim)
        steps = self.generator.motion_window(first_frame, num_frames)
        return z, motion_noise(self.take.motion.seed, self.generator.motion_dim, *steps)
