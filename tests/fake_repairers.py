"""Networks that mend, without learning: their answers can be told in the pixels."""

from pathlib import Path

import torch
from torch import nn

from vidgan.config_files import build_config
from vidgan.weights import LoadedRepairer, Provenance

GREY = 0.2
"""What `Grey` makes of everything, -1..1."""
DAMAGED = 0.9
"""Above this, -1..1, a pixel is damaged."""


class Grey(nn.Module):
    """Fills with one grey, or with the noise on it; takes a level of noise for each level that is asked of it."""

    noise_dim, multiple = 2, 8

    def forward(self, video, hole, grain, noise):
        assert video.shape[3] % 8 == 0
        assert video.shape[4] % 8 == 0
        assert noise.shape == (1, 2, video.shape[2], video.shape[3] // 8, video.shape[4] // 8)
        noise = noise[:, :1].repeat_interleave(8, 3).repeat_interleave(8, 4)
        made = torch.where(hole > 0, GREY + 0.1 * noise, video - grain)
        return made.expand_as(video), (video.mean(1, keepdim=True) - DAMAGED) * 100


class MeanOfWindow(Grey):
    """Fills with the mean of all that is clean in what it sees: another value in each window and stretch."""

    def forward(self, video, hole, grain, noise):
        clean = 1 - hole
        mean = (video * clean).sum((2, 3, 4), keepdim=True) / clean.sum((2, 3, 4), keepdim=True).clamp(min=1)
        return torch.where(hole > 0, mean, video), video.mean(1, keepdim=True)


def loaded(network=None, *, size=16, num_frames=4):
    config = build_config(
        {"data": {"height": size, "width": size, "num_frames": num_frames}, "model": {"family": "repair"}}
    )
    provenance = Provenance(config, None, (), "0" * 64, 1000)
    return LoadedRepairer((network or Grey()).eval(), provenance, "1" * 64, Path("fake.safetensors"))
