"""How much memory training needs, measured on a batch of two clips and scaled."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidgan.config import Config
from vidgan.training.loop import autocast

# Weights, gradients and Adam's two means, float32; the generator's moving average has weights alone.
BYTES_PER_PARAMETER = 16
BYTES_PER_AVERAGED_PARAMETER = 4

PROBE_CLIPS = 2


def training_bytes(config: Config, generator: nn.Module, discriminator: nn.Module) -> int:
    """Bytes of both networks' state and of all that the discriminator's step keeps for backward passes.

    An estimate from below: the framework, workspaces and the penalty's second backward pass come on top.
    """
    start, stop = generator.motion_window(0, config.data.num_frames)
    z = torch.zeros(PROBE_CLIPS, generator.content_dim)
    motion = torch.zeros(PROBE_CLIPS, generator.motion_dim, stop - start)
    labels = torch.zeros(PROBE_CLIPS, dtype=torch.long)
    frames = torch.zeros(PROBE_CLIPS, max(1, config.model.discriminator_frames))
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with (
        autocast(config.train.precision, z.device),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        video = generator(z, motion, labels, first_frame=0, num_frames=config.data.num_frames)
        for _ in ("real", "generated"):
            discriminator(video.detach().clone(), labels, frames)
    weights = [list(network.parameters()) for network in (generator, discriminator)]
    of_weights = {weight.untyped_storage().data_ptr() for network in weights for weight in network}
    per_batch = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in of_weights)
    sizes = [sum(weight.numel() for weight in network) for network in weights]
    state = sum(sizes) * BYTES_PER_PARAMETER + sizes[0] * BYTES_PER_AVERAGED_PARAMETER
    return state + per_batch * config.train.batch_size // config.train.accumulate // PROBE_CLIPS
