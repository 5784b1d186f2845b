"""recurrent: a GRU over time drives a decoder that draws one frame after the other.

The idea of MoCoGAN (Tulyakov et al. 2018): sequence to sequence, a code for what stays and a code for what moves; one
discriminator for a random frame, one for the clip. A baseline: frame n follows from all before, so that a stretch is
made by going through the noise from the take's first frame, and nothing loops.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from vidgan.config import Config
from vidgan.nn.conditions import BesideLatent
from vidgan.nn.dcgan3d import StridedDiscriminator, drawn_narrowly, levels_of
from vidgan.nn.family import Window
from vidgan.nn.frames import FramesAndClip
from vidgan.nn.levels import Level

OPTIONS = ("model.discriminator_frames",)

# Numbers in the recurrent state, from which a frame's motion code is read.
STATE_DIM = 64


def build_generator(config: Config, num_classes: int, shots: Sequence[int]) -> RecurrentGenerator:
    """A generator of clips of any length, from their first frame."""
    return RecurrentGenerator(levels_of(config, config.model.generator_channels), config, num_classes, shots)


def build_discriminator(config: Config, num_classes: int, shots: Sequence[int]) -> nn.Module:
    """One network for clips; for more than one frame, one for single frames beside it."""
    frame = config.model_copy(update={"data": config.data.model_copy(update={"num_frames": 1})})
    of_frames, of_clips = (
        StridedDiscriminator(
            levels_of(each, config.model.discriminator_channels),
            channels=config.data.channels,
            num_classes=num_classes,
            shots=shots,
            halve_rate=False,
        )
        for each in (frame, config)
    )
    return of_frames if config.data.num_frames == 1 else FramesAndClip(of_frames, of_clips, halve=False)


class RecurrentGenerator(nn.Module):
    """Motion noise -> GRU -> a motion code a frame; with z and the class -> transposed 2-D convolutions -> frames.

    The state begins at what the noise of the step before the first frame says: from one place for all, it learned to
    count frames and to move all takes alike.
    """

    first_frames = 1
    longest = None

    def __init__(self, levels: Sequence[Level], config: Config, num_classes: int, shots: Sequence[int]) -> None:
        super().__init__()
        data, model = config.data, config.model
        self.levels = tuple(levels)
        self.height, self.width, self.num_frames = data.height, data.width, data.num_frames
        self.content_dim, self.motion_dim = model.content_dim, model.motion_dim
        self.with_class = BesideLatent(model.content_dim, num_classes, shots)
        self.recurrent = nn.GRU(model.motion_dim, STATE_DIM, batch_first=True)
        self.start = nn.Linear(model.motion_dim, STATE_DIM)
        first = self.levels[0]
        self.input = nn.Linear(self.with_class.dim + STATE_DIM, first.channels * first.height * first.width)
        channels = [level.channels for level in self.levels]
        self.norms = nn.ModuleList(nn.BatchNorm2d(each) for each in channels)
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, 2, 1)
            for before, after in zip(channels, [*channels[1:], data.channels], strict=True)
        )
        for each in (self.input, self.norms, self.enlarge):
            each.apply(drawn_narrowly)

    def motion_window(self, first_frame: int, num_frames: int) -> Window:
        """All steps from the one before the take's first frame: the state has a memory."""
        return -1, first_frame + num_frames

    def forward(
        self, z: Tensor, motion: Tensor, labels: Tensor, *, first_frame: int = 0, num_frames: int | None = None
    ) -> Tensor:
        """z [B, content_dim], motion [B, motion_dim, 1 + first_frame + T], labels [B] -> video [B, C, T, H, W]."""
        num_frames = self.num_frames if num_frames is None else num_frames
        with torch.autocast(z.device.type, enabled=False):
            start = rearrange(self.start(motion[:, :, 0]), "b d -> 1 b d")
            states, _ = self.recurrent(rearrange(motion[:, :, 1:], "b d t -> b t d").contiguous(), start)
        states = states[:, first_frame:]
        content = repeat(self.with_class(z, labels), "b d -> b t d", t=num_frames)
        x = self.input(rearrange(torch.cat([content, states], dim=2), "b t d -> (b t) d"))
        first = self.levels[0]
        x = rearrange(x, "n (h w c) -> n c h w", h=first.height, w=first.width)
        sizes = [*((level.height, level.width) for level in self.levels[1:]), (self.height, self.width)]
        for norm, enlarge, (height, width) in zip(self.norms, self.enlarge, sizes, strict=True):
            x = enlarge(norm(x).relu())[:, :, :height, :width]
        return rearrange(x.tanh().float(), "(b t) c h w -> b c t h w", t=num_frames)
