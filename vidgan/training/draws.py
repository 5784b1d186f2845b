"""Everything random of one update, drawn at once for its whole batch, so that any part of it can be computed alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vidgan.config import Config
from vidgan.footage.augment import Augmentation, draw_augmentation
from vidgan.nn.family import Generator, Repairer


@dataclass(frozen=True)
class Draws:
    """Of B clips. Real and generated clips of either side's step are augmented by draws of their own."""

    first_frame: int
    """Of the stretch that is generated: not always a take's first, so that no frame of a clip is always of one kind."""
    z: Tensor
    """float32 [B, content_dim]; [B, 0] for a network that mends."""
    motion: Tensor
    """float32 [B, motion_dim, steps], or the noise of a network that mends, [B, noise_dim, T, h, w]."""
    mirrored: Tensor
    """Whether left and right of the real clip are swapped, bool [B]."""
    real: Augmentation
    fake: Augmentation
    real_again: Augmentation
    """For the generator's step, as is the next."""
    fake_again: Augmentation
    frames: Tensor
    """Places in the clip 0..1 of the frames that are judged one by one, float32 [B, k]."""
    share: Tensor
    """Of the real clip in the clip between, float32 [B] 0..1."""
    noise_seeds: Tensor
    """One for each clip's noise in the finite-difference penalties, int64 [B]."""

    def part(self, clips: slice) -> Draws:
        """Of some clips of the batch."""
        return self.each(lambda tensor: tensor[clips])

    def each(self, change: Callable[[Tensor], Tensor]) -> Draws:
        """With every tensor changed alike."""
        changed = {
            name: value.each(change) if isinstance(value, Augmentation) else change(value)
            for name, value in vars(self).items()
            if name != "first_frame"
        }
        return replace(self, **changed)


def draws_of_update(config: Config, generator: Generator | Repairer, num_clips: int) -> Draws:
    """The draws of the update that begins at this clip: a pure function of the seed, the clock and the settings."""
    (state,) = np.random.SeedSequence([config.train.seed, num_clips]).generate_state(1, np.uint64)
    return draw_update(config, generator, torch.Generator().manual_seed(int(state) >> 1))


def draw_update(config: Config, generator: Generator | Repairer, draws: torch.Generator) -> Draws:
    """From torch's generator `draws`, on the CPU."""
    count = config.train.batch_size
    draw_latents = _draw_noise if config.repairs else _draw_take
    first_frame, z, motion = draw_latents(config, generator, draws)
    return Draws(
        first_frame=first_frame,
        z=z,
        motion=motion,
        mirrored=torch.rand(count, generator=draws) < 0.5,
        real=draw_augmentation(count, draws),
        fake=draw_augmentation(count, draws),
        real_again=draw_augmentation(count, draws),
        fake_again=draw_augmentation(count, draws),
        frames=torch.rand(count, max(1, config.model.discriminator_frames), generator=draws),
        share=torch.rand(count, generator=draws),
        noise_seeds=torch.randint(2**62, (count,), generator=draws),
    )


def _draw_take(config: Config, generator: Generator, draws: torch.Generator) -> tuple[int, Tensor, Tensor]:
    """What decides clips that are made."""
    count = config.train.batch_size
    first_frame = int(torch.randint(generator.first_frames, (), generator=draws))
    start, stop = generator.motion_window(first_frame, config.data.num_frames)
    z = torch.randn(count, generator.content_dim, generator=draws)
    return first_frame, z, torch.randn(count, generator.motion_dim, stop - start, generator=draws)


def _draw_noise(config: Config, repairer: Repairer, draws: torch.Generator) -> tuple[int, Tensor, Tensor]:
    """What decides between alternatives for clips that are mended."""
    data, count = config.data, config.train.batch_size
    sides = data.height // repairer.multiple, data.width // repairer.multiple
    return 0, torch.empty(count, 0), torch.randn(count, repairer.noise_dim, data.num_frames, *sides, generator=draws)


def noise_like(video: Tensor, seeds: Tensor) -> Tensor:
    """Unit normal noise of a video's shape [B, C, T, H, W], each clip's from its seed, int64 [B]."""
    clips = [torch.randn(video.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds.tolist()]
    return torch.stack(clips).to(video)
