"""Two discriminators of one clip: one judges single frames, the other what happens between them."""

from __future__ import annotations

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn

from vidgan.nn.layers import half_size


class FramesAndClip(nn.Module):
    """A network for single frames beside one for clips. Tulyakov et al. 2018 (MoCoGAN), Clark et al. 2019 (DVD-GAN).

    What a frame shows and how it moves are judged apart; with `halve`, motion is judged at half the height and width,
    which is where it is seen.
    """

    def __init__(self, of_frames: nn.Module, of_clips: nn.Module, *, halve: bool) -> None:
        super().__init__()
        self.of_frames, self.of_clips, self.halve = of_frames, of_clips, halve
        self.levels = of_clips.levels

    def forward(self, video: Tensor, told: Tensor, frames: Tensor) -> Tensor:
        """Video [B, C, T, H, W], told [B], places 0..1 of frames [B, k] -> logits [B, 2]: of frames, of clips."""
        count = frames.shape[1]
        chosen = (frames * video.shape[2]).long().clamp(max=video.shape[2] - 1)
        which = torch.arange(len(video), device=video.device)[:, None]
        pictures = rearrange(video.transpose(1, 2)[which, chosen], "b k c h w -> (b k) c 1 h w")
        pictures = pictures.contiguous(memory_format=torch.channels_last_3d)
        of_frames = self.of_frames(pictures, repeat(told, "b -> (b k)", k=count), frames)
        clip = half_size(video) if self.halve else video
        of_clips = self.of_clips(clip, told, frames)
        return torch.stack([reduce(of_frames, "(b k) -> b", "mean", k=count), of_clips], dim=1)
