"""Runs that take a second: two classes of small clips, and networks of a few thousand weights."""

import numpy as np
import torch

from vidgan.config_files import build_config
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.training.checkpoints import Checkpoints
from vidgan.training.loop import train
from vidgan.training.processes import ALONE
from vidgan.training.state import new_state


def tiny(**train_settings):
    settings = {"total_kclips": 0.064, "batch_size": 8, "penalty_interval": 2, "precision": "float32"}
    settings |= {"loss": "relativistic", "sample_kclips": 1000, "checkpoint_kclips": 1000} | train_settings
    return build_config(
        {
            "data": {"height": 16, "width": 16, "num_frames": 4, "classes": "folders"},
            "model": {"generator_channels": 8, "discriminator_channels": 8, "max_channels": 8, "content_dim": 8},
            "augment": {"color": 0.1, "translation": 0.1, "mirror": True},
            "train": settings,
        }
    )


def mending(config, **repair_settings):
    """The same for a network that mends clips."""
    tree = config.model_dump(mode="json", exclude_unset=True)
    return build_config(tree | {"model": tree["model"] | {"family": "repair"}, "repair": repair_settings})


def two_classes(num_frames=12, size=16):
    """Two shots of class 0, a square that moves right, bright on dark and dark on bright; class 1 is a clip that
    brightens."""
    moving = np.zeros((num_frames, size, size, 3), dtype=np.uint8)
    for t in range(num_frames):
        moving[t, 4:10, t % (size - 5) : t % (size - 5) + 5] = 255
    rising = np.repeat(np.linspace(40, 200, num_frames).astype(np.uint8), size * size * 3).reshape(moving.shape)
    return PreparedFootage(
        frames=(moving, rising, 255 - moving),
        labels=(0, 1, 0),
        class_names=("moving", "rising"),
        rate=None,
        notes=(),
        manifest_hash="0" * 64,
    )


def newest(run):
    """The contents of a run's newest checkpoint."""
    return torch.load(Checkpoints(run / "checkpoints", keep=1).paths()[-1], weights_only=True, map_location="cpu")


def two_updates(config, processes=ALONE):
    """The state after two updates of a `tiny` config, and what the last update said."""
    footage = two_classes(size=config.data.height)
    state = new_state(config, 2, torch.device("cpu"), processes, labels=footage.labels)
    clips = ClipSampler(footage, num_frames=4, frame_stride=1, seed=0)
    *_, last = train(state, clips, config, processes)
    return state, last


def weights_of(state):
    """Of both networks, in one vector."""
    networks = (state.generator, state.discriminator)
    return torch.cat([weight.detach().flatten() for network in networks for weight in network.parameters()])


def with_penalties(**train_settings):
    """Settings of two updates that compute every penalty."""
    return tiny(**{"total_kclips": 0.016, "r2_gamma": 0.1, "penalty_interval": 1} | train_settings)
