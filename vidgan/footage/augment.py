"""Changes that keep a discriminator from learning few clips by heart (DiffAugment, Zhao et al. 2020).

Each is drawn once a clip and is the same for all its frames; real and generated clips meet the same
distribution, and gradients pass through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from einops import rearrange
from torch import Tensor

from vidgan.config import AugmentConfig


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for each clip of a batch, float32 [B] -1..1 each, before any strength."""

    brightness: Tensor
    saturation: Tensor
    contrast: Tensor
    down: Tensor
    right: Tensor
    cut_row: Tensor
    cut_column: Tensor

    def each(self, change: Callable[[Tensor], Tensor]) -> Augmentation:
        """With every tensor changed alike."""
        return Augmentation(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


def draw_augmentation(count: int, draws: torch.Generator) -> Augmentation:
    """For `count` clips; the same number of draws whatever the settings are."""
    return Augmentation(*(torch.rand(len(fields(Augmentation)), count, generator=draws) * 2 - 1))


def augment_video(video: Tensor, settings: AugmentConfig, drawn: Augmentation, strength: float = 1.0) -> Tensor:
    """Video [B, C, T, H, W] -1..1 -> the same shape and dtype, each clip changed by what was drawn for it.

    With all strengths 0 it is `video` itself. Colours may leave -1..1 and are not clamped, which would stop gradients.
    `strength` multiplies all settings.
    """
    if strength * settings.color > 0:
        video = change_color(video, strength * settings.color, drawn)
    if strength * settings.translation > 0:
        video = translate(video, strength * settings.translation, drawn)
    if strength * settings.cutout > 0:
        video = cut_out(video, strength * settings.cutout, drawn)
    return video


def change_color(video: Tensor, strength: float, drawn: Augmentation) -> Tensor:
    """Brightness by up to +-strength, contrast and saturation by up to a factor 1 +- strength."""
    brightness, saturation, contrast = (
        rearrange(each * strength, "b -> b 1 1 1 1").to(video.dtype)
        for each in (drawn.brightness, drawn.saturation, drawn.contrast)
    )
    if video.shape[1] == 3:
        grey = video.mean(1, keepdim=True)
        video = grey + (video - grey) * (1 + saturation)
    mean = video.mean((1, 2, 3, 4), keepdim=True)
    return mean + (video - mean) * (1 + contrast) + brightness


def translate(video: Tensor, share: float, drawn: Augmentation) -> Tensor:
    """Shift each clip by whole pixels, up to `share` of the picture each way; what comes in repeats the edge."""
    height, width = video.shape[3:]
    down = (drawn.down * share * height).round().long()
    right = (drawn.right * share * width).round().long()
    rows = (torch.arange(height, device=video.device) - down[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width, device=video.device) - right[:, None]).clamp(0, width - 1)
    which = torch.arange(len(video), device=video.device)[:, None, None]
    moved = rearrange(video, "b c t h w -> b h w c t")[which, rows[:, :, None], columns[:, None, :]]
    return rearrange(moved, "b h w c t -> b c t h w").contiguous(memory_format=memory_format(video))


def cut_out(video: Tensor, share: float, drawn: Augmentation) -> Tensor:
    """Make a box of `share` of the picture's sides mid-grey (0), anywhere."""
    height, width = video.shape[3:]
    inside = []
    for size, place in ((height, drawn.cut_row), (width, drawn.cut_column)):
        middle = (place + 1) / 2 * size
        inside.append((torch.arange(size, device=video.device) - middle[:, None]).abs() < share * size / 2)
    box = rearrange(inside[0], "b h -> b h 1") & rearrange(inside[1], "b w -> b 1 w")
    return torch.where(rearrange(box, "b h w -> b 1 1 h w"), video.new_zeros(()), video)


def mirror_clips(video: Tensor, chosen: Tensor) -> Tensor:
    """Swap left and right of the clips for which `chosen`, bool [B], is true. For real clips alone."""
    return torch.where(rearrange(chosen, "b -> b 1 1 1 1"), video.flip(4), video)


def memory_format(video: Tensor) -> torch.memory_format:
    """How the video lies in memory: changes keep it, because the speed of convolutions hangs on it."""
    channels_last = video.is_contiguous(memory_format=torch.channels_last_3d) and not video.is_contiguous()
    return torch.channels_last_3d if channels_last else torch.contiguous_format
