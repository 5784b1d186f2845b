"""Signs of life of a game, from what an update has anyway: plain functions of logits, clips, gradients and weights.

Each costs a small part of an update; those that read all weights or clips are taken on some updates alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from vidgan.training.losses import Objective
from vidgan.training.processes import whole

# Clips are compared as thumbnails, so that grain is not taken for variety: 4 to 7 frames of so many rows and columns.
THUMBNAIL_FRAMES, THUMBNAIL_SIDE = 4, 16


def knowledge(objective: Objective, losses: Tensor, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """What a discriminator knows, by its losses and its logits of real and generated clips, all [B] or [B, K]: scalars.

    accuracy        share of pairs of a real and a generated clip that are in the right order, ties counting half: 0.5
                    where it cannot tell, 1 where it always can. The area under the ROC curve (Mann and Whitney 1947),
                    which unlike a threshold at 0 means the same for every loss
    relative_loss   its loss over that of logits that are all 0: below 1 where it knows something, above 1 where it is
                    surely wrong. Absent if theirs is 0, as wasserstein's is
    """
    real, fake = real.detach(), fake.detach()
    ones, others = repeat(real, "b ... -> b 1 ..."), repeat(fake, "b ... -> 1 b ...")
    found = {"accuracy": ((ones > others).float() + 0.5 * (ones == others).float()).mean()}
    silent = silent_loss(objective)
    return found | ({"relative_loss": losses.detach().mean() / silent} if silent > 0 else {})


def silent_loss(objective: Objective) -> float:
    """What a discriminator loses whose logits are all 0."""
    return objective.discriminator(torch.zeros(1), torch.zeros(1)).item()


def distances_within_classes(video: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Of all pairs of clips of one class: float32 [2, max(1, K)], by class their summed distance and their number.

    Video [B, C, T, H, W] -1..1, labels int64 [B], which count only if K = `num_classes` is above 0. The distance is the
    root mean square over the voxels of thumbnails.
    """
    labels = labels if num_classes else torch.zeros_like(labels)
    clips = rearrange(thumbnails(video.detach()), "b c t h w -> b (c t h w)")
    first, second = torch.triu_indices(len(clips), len(clips), 1, device=clips.device)
    alike = labels[first] == labels[second]
    distances = torch.cdist(clips, clips)[first, second] / clips.shape[1] ** 0.5
    sums = clips.new_zeros(2, max(1, num_classes))
    sums[0].index_add_(0, labels[first], distances * alike)
    sums[1].index_add_(0, labels[first], alike.to(clips.dtype))
    return sums


def thumbnails(video: Tensor) -> Tensor:
    """Video [B, C, T, H, W] -> some of its frames, made small, float32 [B, C, up to 7, up to 16, up to 16]."""
    video = video[:, :, :: max(1, video.shape[2] // THUMBNAIL_FRAMES)].float()
    sides = (min(side, THUMBNAIL_SIDE) for side in video.shape[3:])
    return F.adaptive_avg_pool3d(video, (video.shape[2], *sides))


def dead_share(network: nn.Module) -> float:
    """Share of the channels of all convolutions and linear layers whose gradient is exactly zero, 0..1."""
    alive = [
        (whole(layer.weight.grad).flatten(1) != 0).any(1)
        for layer in network.modules()
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd) and layer.weight.grad is not None
    ]
    return 1 - torch.cat(alive).float().mean().item() if alive else 0.0


def weight_drift(average: nn.Module, current: nn.Module) -> float:
    """How far the averaged weights are from the current ones: norm of the difference over the norm of the current."""
    weights = list(current.parameters())
    differences = torch._foreach_sub(list(average.parameters()), weights)
    size, distance = (
        torch.stack([whole(norm) for norm in torch._foreach_norm(tensors)]).norm() for tensors in (weights, differences)
    )
    return (distance / size).item()
