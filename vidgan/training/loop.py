"""The algorithm: alternating updates of discriminator and generator, one yield an update.

The loop knows nothing of files or progress bars: it yields statistics, and the caller logs, draws and saves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vidgan.clip import to_float
from vidgan.config import Config
from vidgan.footage.augment import augment_video, mirror_clips
from vidgan.nn.generator import Generator
from vidgan.training.losses import OBJECTIVES, gradient_penalty
from vidgan.training.state import TrainState

# The moving average forgets the first, worst generators sooner: its half-life is at most this share of
# the clips seen (StyleGAN2's ramp-up, Karras et al. 2020, twice as slow for runs this short).
EMA_RAMP_UP = 0.1


class Clips(Protocol):
    """Where real clips come from: item n is the same whenever it is asked for."""

    def batch(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Frames uint8 [B, T, H, W, C] and labels int64 [B] of items first ... first + count."""


def train(state: TrainState, clips: Clips, config: Config) -> Iterator[dict[str, float]]:
    """Update both networks until `train.total_kclips`; yields the statistics of each update.

    Update k is a pure function of the state and of (seed, clips seen), so a restored state goes on exactly.
    Keys: loss_discriminator, loss_generator, logit_real, logit_fake, and r1, r2 on updates that compute them.
    """
    device = next(state.generator.parameters()).device
    batch_size = config.train.batch_size
    while state.num_clips < config.train.total_kclips * 1000:
        draws = draws_of_update(config.train.seed, state.num_clips)
        frames, labels = clips.batch(state.num_clips, batch_size)
        real = real_video(frames.to(device), config, draws)
        labels = labels.to(device)
        statistics = update_discriminator(state, real, labels, config, draws)
        statistics |= update_generator(state, real, labels, config, draws)
        update_ema(state, config)
        state.num_clips += batch_size
        yield {name: float(value.detach()) for name, value in statistics.items()}


def draws_of_update(seed: int, num_clips: int) -> torch.Generator:
    """The random draws of the update that begins at this clip."""
    (state,) = np.random.SeedSequence([seed, num_clips]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state) >> 1)


def real_video(frames: Tensor, config: Config, draws: torch.Generator) -> Tensor:
    """frames uint8 [B, T, H, W, C] -> video [B, C, T, H, W] -1..1, mirrored at random if the config asks."""
    video = to_float(frames).permute(0, 4, 1, 2, 3)
    return mirror_clips(video, draws) if config.augment.mirror else video


def update_discriminator(
    state: TrainState, real: Tensor, labels: Tensor, config: Config, draws: torch.Generator
) -> dict[str, Tensor]:
    """One step of the discriminator on real and generated clips, with penalties when they are due."""
    settings = config.train
    penalties_due = (state.num_clips // settings.batch_size) % settings.penalty_interval == 0
    with torch.no_grad():
        fake = generate_batch(state.generator, labels, config, draws)
    real = augment_video(real, config.augment, draws).requires_grad_(penalties_due and settings.r1_gamma > 0)
    fake = augment_video(fake, config.augment, draws).requires_grad_(penalties_due and settings.r2_gamma > 0)
    with autocast(settings.precision, real.device):
        logits_real = state.discriminator(real, labels)
        logits_fake = state.discriminator(fake, labels)
    loss = OBJECTIVES[settings.loss].discriminator(logits_real, logits_fake).mean()
    statistics = {"loss_discriminator": loss, "logit_real": logits_real.mean(), "logit_fake": logits_fake.mean()}

    for name, gamma, logits, video in (
        ("r1", settings.r1_gamma, logits_real, real),
        ("r2", settings.r2_gamma, logits_fake, fake),
    ):
        if video.requires_grad:
            statistics[name] = gradient_penalty(logits, video).mean()
            loss = loss + 0.5 * gamma * settings.penalty_interval * statistics[name]
    step(state.discriminator_optimizer, loss)
    return statistics


def update_generator(
    state: TrainState, real: Tensor, labels: Tensor, config: Config, draws: torch.Generator
) -> dict[str, Tensor]:
    """One step of the generator against the discriminator as it now is."""
    objective = OBJECTIVES[config.train.loss]
    state.discriminator.requires_grad_(False)
    with autocast(config.train.precision, real.device):
        fake = augment_video(generate_batch(state.generator, labels, config, draws), config.augment, draws)
        logits_fake = state.discriminator(fake, labels)
        logits_real = logits_fake
        if objective.generator_needs_real:
            logits_real = state.discriminator(augment_video(real.detach(), config.augment, draws), labels)
    loss = objective.generator(logits_real, logits_fake).mean()
    step(state.generator_optimizer, loss)
    state.discriminator.requires_grad_(True)
    return {"loss_generator": loss}


def generate_batch(generator: Generator, labels: Tensor, config: Config, draws: torch.Generator) -> Tensor:
    """Fresh latents for these labels [B] -> video [B, C, T, H, W].

    The stretch starts at a random frame below the slowest level's step, so that no frame of a clip is
    always the first of its kind.
    """
    batch_size, num_frames = len(labels), config.data.num_frames
    first_frame = int(torch.randint(generator.levels[0].frame_step, (), generator=draws))
    start, stop = generator.motion_window(first_frame, num_frames)
    z = torch.randn(batch_size, generator.content_dim, generator=draws).to(labels.device)
    motion = torch.randn(batch_size, generator.motion_dim, stop - start, generator=draws).to(labels.device)
    with autocast(config.train.precision, labels.device):
        return generator(z, motion, labels, first_frame=first_frame, num_frames=num_frames)


def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One descent step."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


@torch.no_grad()
def update_ema(state: TrainState, config: Config) -> None:
    """Move the averaged generator towards the current one: half of the way in a half-life of clips."""
    halflife = min(config.train.ema_halflife_kclips * 1000, EMA_RAMP_UP * (state.num_clips + config.train.batch_size))
    keep = 0.5 ** (config.train.batch_size / halflife)
    averaged, current = list(state.generator_ema.parameters()), list(state.generator.parameters())
    torch._foreach_lerp_(averaged, current, 1 - keep)


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """bfloat16 autocast if asked for, or if "auto" and the processor or GPU multiplies bfloat16 natively."""
    native = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else cpu_has_bfloat16()
    wanted = precision == "bfloat16" or (precision == "auto" and native)
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def cpu_has_bfloat16() -> bool:
    """Whether this processor has AVX-512 or AMX instructions for bfloat16."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
