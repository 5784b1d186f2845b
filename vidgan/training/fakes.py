"""What the discriminator is shown beside real clips, and what its maker minimises beside the game.

Clips made from noise have the game alone. Mended clips have a truth, which is known because we did the damage: their
maker is also taught to come near it, to know how near it comes, and to find damage that it was not told of.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from einops import reduce
from torch import Tensor

from vidgan.config import Config
from vidgan.nn.family import Generator
from vidgan.nn.repair import Mended, RepairNetwork
from vidgan.training.batches import Part

# Damage is rare: what is overlooked counts as so many false alarms.
OVERLOOKED = 10.0


@dataclass(frozen=True)
class Fake:
    """Made by a generator, its graph kept."""

    video: Tensor
    """[B, C, T, H, W] about -1..1."""
    losses: dict[str, Tensor] = field(default_factory=dict)
    """What the generator minimises beside the game, by the names of statistics; weighted scalars."""


def generate(generator: Generator, part: Part, config: Config) -> Fake:
    """The clips of a part's latents and labels."""
    draws = part.draws
    return Fake(
        generator(draws.z, draws.motion, part.labels, first_frame=draws.first_frame, num_frames=config.data.num_frames)
    )


def mend(generator: RepairNetwork, part: Part, config: Config) -> Fake:
    """A part's damaged clips, mended where they were damaged and left as they are elsewhere."""
    damaged, settings = part.damaged, config.repair
    mended = generator(damaged.video, damaged.hole, damaged.grain, part.draws.motion, in_parts=True)
    video = torch.lerp(damaged.video, mended.video, damaged.made)
    losses = {
        "loss_reconstruction": settings.reconstruction * distance_from_truth(mended, part.real, damaged.made).mean(),
        "loss_doubt": doubt_loss(mended, part.real, damaged.hole).mean(),
        "loss_detection": settings.detection * detection_loss(mended.logits, damaged.found, damaged.hole).mean(),
    }
    return Fake(video, losses)


def distance_from_truth(mended: Mended, real: Tensor, made: Tensor) -> Tensor:
    """Mean absolute difference of what is expected from the truth, [B, C, T, H, W], where `made` is 1: [B]."""
    return mean_where((mended.mean - real).abs(), made)


def doubt_loss(mended: Mended, real: Tensor, hole: Tensor) -> Tensor:
    """-log likelihood of that difference in the hole, under a Laplace distribution of the width that the network
    expects, which is all that this teaches (Kendall and Gal 2017, eq. 5, with an absolute difference): [B]."""
    distance = (mended.mean - real).abs().detach()
    return mean_where(distance * (-mended.log_doubt).exp() + mended.log_doubt, hole)


def detection_loss(logits: Tensor, found: Tensor, hole: Tensor) -> Tensor:
    """Cross-entropy of where damage is, outside of the hole, where there is something to look at: [B]."""
    weight = torch.full_like(logits, OVERLOOKED)
    entropy = F.binary_cross_entropy_with_logits(logits, found, reduction="none", pos_weight=weight)
    return mean_where(entropy, 1 - hole)


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values [B, C, T, H, W] over a clip's pixels where `mask` [B, 1, T, H, W] is 1; 0 where it is 0: [B]."""
    sums = reduce(values * mask, "b c t h w -> b", "sum")
    return sums / (reduce(mask, "b 1 t h w -> b", "sum").clamp(min=1) * values.shape[1])
