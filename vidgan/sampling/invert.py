"""From a clip, or a single picture, to the take nearest to it: which look, and which noise over time, make it?

The look and the noise are found by gradient descent through the generator. Looks are searched in units of their
standard deviation, and both are held near where the generator has learnt (unit normal), so that what is found can be
continued, looped, slowed down and steered like any take. Beside the pictures their steps are compared, because a mean
of all that could have happened looks right in each frame and stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from math import cos, pi

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

from vidgan.clip import frames_to_clip
from vidgan.errors import RequestError
from vidgan.nn.noise import NOISE_WIDTHS, REACH
from vidgan.sampling import DEFAULT_UPDATES
from vidgan.sampling.capabilities import is_steerable
from vidgan.sampling.latents import motion_noise
from vidgan.sampling.looks import NUM_FAST, deviation_of_looks, look_vector
from vidgan.sampling.render import generate
from vidgan.sampling.take import Look, Motion, Take
from vidgan.weights import LoadedGenerator

# Takes of a class that the search begins among.
NUM_STARTS = 32

# Steps of noise before the first that the clip's frames are made from which still matter, through the filters.
STEPS_BEFORE = 4

# Frames that gradients are computed for at once.
FRAMES_AT_ONCE = 48

# What counts beside pictures that are alike: steps that are, as much motion, and numbers in their range.
STEP_WEIGHT, ENERGY_WEIGHT, PRIOR_WEIGHT = 4.0, 0.1, 0.002

LEARNING_RATE = 0.08

# Updates in each class before one is chosen.
TRIAL_UPDATES = 25


@dataclass(frozen=True, eq=False)
class Inversion:
    """The take nearest to a clip, and how near it is."""

    take: Take
    frames: np.ndarray
    """uint8 [T, H, W, C]: the take, rendered."""
    error_levels: float
    """Root mean square difference from the clip, of levels 0..255."""
    motion_ratio: float | None
    """Mean squared step from frame to frame over that of the clip; None for a picture, or if the clip stands still."""


def invert(
    loaded: LoadedGenerator,
    frames: np.ndarray,
    *,
    classes: dict[str, float] | None = None,
    updates: int = DEFAULT_UPDATES,
    progress: Callable[[int, int], None] | None = None,
) -> Inversion:
    """The take nearest to frames uint8 [T, H, W, C] of the generator's size, in one class if it is said.

    `updates` for every 48 frames; `progress(done, total)` counts them. The same every time on one machine. Raises
    `RequestError` for a family that cannot be inverted, and frames of another size.
    """
    generator, data = loaded.generator, loaded.provenance.config.data
    if not is_steerable(generator):
        raise RequestError(f"{loaded.path}: the family {loaded.provenance.config.model.family} cannot be inverted")
    if frames.ndim != 4 or frames.shape[1:] != (data.height, data.width, data.channels):
        size = f"{data.height}, {data.width}, {data.channels}"
        raise RequestError(f"frames to invert have shape {list(frames.shape)} (expected [T, {size}])")
    groups = [classes] if classes is not None else [{name: 1.0} for name in loaded.provenance.class_names] or [{}]
    clip = frames_to_clip(frames)
    searches = [_Search(loaded, _nearest_of_many(loaded, frames, shares), clip) for shares in groups]
    trials = TRIAL_UPDATES if len(searches) > 1 else 0
    total, done = len(searches) * trials + updates * len(searches[0].stretches), iter(count(1))

    def tell() -> None:
        if progress:
            progress(next(done), total)

    losses = [search.descend(trials, tell) for search in searches]
    search = searches[int(np.argmin(losses))]
    search.descend(updates * len(search.stretches), tell)
    take = search.take()
    return _judged(take, generate(loaded, [take])[0], frames)


def go_on(take: Take, loaded: LoadedGenerator) -> Take:
    """A take that was found for one picture, as long as trained: what comes after it is seeded noise."""
    return take.model_copy(update={"num_frames": max(take.num_frames, loaded.provenance.config.data.num_frames)})


def _nearest_of_many(loaded: LoadedGenerator, frames: np.ndarray, classes: dict[str, float]) -> Take:
    """The take of a seed, in one class, whose first frames are nearest to those of the clip."""
    num_frames = min(len(frames), 8)
    takes = [
        Take(looks=(Look(seed=seed, classes=classes),), motion=Motion(seed=seed), num_frames=num_frames, hold=True)
        for seed in range(NUM_STARTS)
    ]
    wanted = frames[:num_frames].astype(np.float32)
    distances = [np.square(found - wanted).mean() for found in generate(loaded, takes)]
    return takes[int(np.argmin(distances))]


class _Search:
    """What is looked for, and how far it is from the clip."""

    def __init__(self, loaded: LoadedGenerator, start: Take, clip: Tensor) -> None:
        self.generator, self.start = loaded.generator, start
        self.device = next(self.generator.parameters()).device
        self.clip = clip.to(self.device)
        num_frames = clip.shape[1]
        self.stretches = [
            (first, min(FRAMES_AT_ONCE, num_frames - first)) for first in range(0, num_frames, FRAMES_AT_ONCE)
        ]
        self.scale = torch.from_numpy(deviation_of_looks(loaded)).float().to(self.device)
        mean = look_vector(loaded, start.looks[0], truncation=0.0)
        deviation = look_vector(loaded, start.looks[0]) - mean
        units = np.linalg.lstsq(self.scale.cpu().double().numpy(), deviation, rcond=1e-6)[0]
        self.mean = torch.from_numpy(mean).float().to(self.device)
        self.units = torch.from_numpy(units).float().to(self.device).requires_grad_()
        """The look: how many standard deviations it is from the mean of its class, each way."""
        self.first_step = self.generator.signal_window(0, num_frames)[0] - STEPS_BEFORE
        last_step = (num_frames - 1) // self.generator.first_frames + 2
        codes = motion_noise(start.motion.seed, self.generator.motion_dim, self.first_step, last_step)
        self.codes = codes.to(self.device).requires_grad_()
        """The noise of all steps that make the clip, [motion_dim, steps]."""
        self.draws = torch.Generator().manual_seed(0)

    def descend(self, updates: int, tell: Callable[[], None]) -> float:
        """Go downhill so many times, ever more slowly, and return the mean loss of the last few steps."""
        optimizer = torch.optim.Adam([self.units, self.codes], lr=LEARNING_RATE, betas=(0.9, 0.99))
        losses = []
        for update in range(updates):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (0.51 + 0.49 * cos(pi * update / updates))
            optimizer.zero_grad()
            loss = self.loss(update)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            tell()
        return float(np.mean(losses[-5:])) if losses else 0.0

    def loss(self, update: int) -> Tensor:
        """Of one stretch of the clip."""
        first, num_frames = self.stretches[update % len(self.stretches)]
        look = self.mean + self.scale @ self.units
        style_dim = self.generator.style_dim
        signal = self._signal(*self.generator.signal_window(first, num_frames), slow=look[style_dim:])
        style = rearrange(look[:style_dim], "d -> 1 d 1")
        made = self.generator.draw(style, signal, first_frame=first, num_frames=num_frames)[0]
        wanted = self.clip[:, first : first + num_frames]
        loss = _distance(made, wanted) + PRIOR_WEIGHT * (_unusual(self.units) + _unusual(self.codes))
        if num_frames > 1:
            steps, wanted_steps = made.diff(dim=1), wanted.diff(dim=1)
            energies = steps.square().mean() + 1e-5, wanted_steps.square().mean() + 1e-5
            loss = loss + STEP_WEIGHT * F.mse_loss(steps, wanted_steps)
            loss = loss + ENERGY_WEIGHT * (energies[0] / energies[1]).log().square()
        return loss

    def _signal(self, start: int, stop: int, *, slow: Tensor) -> Tensor:
        """[1, stop - start, motion_dim * 4]: the codes, filtered, and the slow part of the look.

        Noise after the last code is other noise every time, so that what is found does not rest on it.
        """
        filters, motion_dim = self.generator.filters, self.generator.motion_dim
        begin, end = self.first_step - REACH, max(stop + REACH, self._last_step)
        before = motion_noise(self.start.motion.seed, motion_dim, begin, self.first_step).to(self.device)
        after = torch.randn(motion_dim, end - self._last_step, generator=self.draws).to(self.device)
        noise = torch.cat([before, self.codes, after], dim=1)[None, :, start - REACH - begin : stop + REACH - begin]
        signal = rearrange(filters(noise), "1 n (d s) -> 1 n d s", s=len(NOISE_WIDTHS))
        slow = repeat(slow, "(d s) -> 1 n d s", n=signal.shape[1], s=len(NOISE_WIDTHS) - NUM_FAST)
        return rearrange(torch.cat([signal[..., :NUM_FAST], slow], dim=3), "1 n d s -> 1 n (d s)")

    @property
    def _last_step(self) -> int:
        return self.first_step + self.codes.shape[1]

    @torch.no_grad()
    def take(self) -> Take:
        """What has been found."""
        look = (self.mean + self.scale @ self.units).double().tolist()
        codes = tuple(tuple(step) for step in self.codes.T.double().tolist())
        return Take(
            looks=(self.start.looks[0].model_copy(update={"code": tuple(look)}),),
            motion=Motion(seed=self.start.motion.seed, first_step=self.first_step, codes=codes),
            num_frames=self.clip.shape[1],
            hold=True,
        )


def _distance(made: Tensor, wanted: Tensor) -> Tensor:
    """Of pictures [C, T, H, W], as they are and at half and a quarter of their size."""
    total = F.mse_loss(made, wanted)
    for _ in range(2):
        made, wanted = (F.avg_pool2d(rearrange(each, "c t h w -> t c h w"), 2) for each in (made, wanted))
        made, wanted = (rearrange(each, "t c h w -> c t h w") for each in (made, wanted))
        total = total + F.mse_loss(made, wanted)
    return total


def _unusual(numbers: Tensor) -> Tensor:
    """How far numbers are from unit normal ones: by their mean square, and each beyond three deviations."""
    return (numbers.square().mean() - 1).clamp(min=0).square() + (numbers.abs() - 3).clamp(min=0).square().mean()


def _judged(take: Take, made: np.ndarray, wanted: np.ndarray) -> Inversion:
    made_float, wanted_float = made.astype(np.float64), wanted.astype(np.float64)
    error = float(np.square(made_float - wanted_float).mean() ** 0.5)
    ratio = None
    if len(wanted) > 1 and (energy := np.square(np.diff(wanted_float, axis=0)).mean()) > 0:
        ratio = float(np.square(np.diff(made_float, axis=0)).mean() / energy)
    return Inversion(take, made, error, ratio)
