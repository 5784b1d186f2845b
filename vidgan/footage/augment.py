"""Changes that keep a discriminator from learning few clips by heart (DiffAugment, Zhao et al. 2020).

Each is drawn once a clip and is the same for all its frames; real and generated clips meet the same
distribution, and gradients pass through. Draws come from the generator that is passed in, on the CPU.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from vidgan.config import AugmentConfig


def augment_video(video: Tensor, settings: AugmentConfig, draws: torch.Generator) -> Tensor:
    """Video [B, C, T, H, W] -1..1 -> the same shape and dtype, each clip changed by draws of its own.

    With all strengths 0 it is `video` itself. Colours may leave -1..1 and are not clamped, which would stop gradients.
    """
    if settings.color > 0:
        video = change_color(video, settings.color, draws)
    if settings.translation > 0:
        video = translate(video, settings.translation, draws)
    if settings.cutout > 0:
        video = cut_out(video, settings.cutout, draws)
    return video


def change_color(video: Tensor, strength: float, draws: torch.Generator) -> Tensor:
    """Brightness by up to +-strength, contrast and saturation by up to a factor 1 +- strength."""
    brightness, saturation, contrast = (
        rearrange(uniform(video, draws) * strength, "b -> b 1 1 1 1").to(video.dtype) for _ in range(3)
    )
    if video.shape[1] == 3:
        grey = video.mean(1, keepdim=True)
        video = grey + (video - grey) * (1 + saturation)
    mean = video.mean((1, 2, 3, 4), keepdim=True)
    return mean + (video - mean) * (1 + contrast) + brightness


def translate(video: Tensor, share: float, draws: torch.Generator) -> Tensor:
    """Shift each clip by whole pixels, up to `share` of the picture each way; what comes in repeats the edge."""
    height, width = video.shape[3:]
    down = (uniform(video, draws) * share * height).round().long()
    right = (uniform(video, draws) * share * width).round().long()
    rows = (torch.arange(height, device=video.device) - down[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width, device=video.device) - right[:, None]).clamp(0, width - 1)
    which = torch.arange(len(video), device=video.device)[:, None, None]
    moved = rearrange(video, "b c t h w -> b h w c t")[which, rows[:, :, None], columns[:, None, :]]
    return rearrange(moved, "b h w c t -> b c t h w").contiguous(memory_format=memory_format(video))


def cut_out(video: Tensor, share: float, draws: torch.Generator) -> Tensor:
    """Make a box of `share` of the picture's sides mid-grey (0), at a random place."""
    height, width = video.shape[3:]
    inside = []
    for size in (height, width):
        middle = (uniform(video, draws) + 1) / 2 * size
        inside.append((torch.arange(size, device=video.device) - middle[:, None]).abs() < share * size / 2)
    box = rearrange(inside[0], "b h -> b h 1") & rearrange(inside[1], "b w -> b 1 w")
    return torch.where(rearrange(box, "b h w -> b 1 1 h w"), video.new_zeros(()), video)


def mirror_clips(video: Tensor, draws: torch.Generator) -> Tensor:
    """Swap left and right of each clip with probability one half. For real clips alone."""
    mirrored = rearrange(uniform(video, draws) < 0, "b -> b 1 1 1 1")
    return torch.where(mirrored, video.flip(4), video)


def uniform(video: Tensor, draws: torch.Generator) -> Tensor:
    """One number -1..1 a clip, [B], on the video's device."""
    return (torch.rand(len(video), generator=draws) * 2 - 1).to(video.device)


def memory_format(video: Tensor) -> torch.memory_format:
    """How the video lies in memory: changes keep it, because the speed of convolutions hangs on it."""
    channels_last = video.is_contiguous(memory_format=torch.channels_last_3d) and not video.is_contiguous()
    return torch.channels_last_3d if channels_last else torch.contiguous_format
