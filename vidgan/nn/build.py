"""From a config to its two networks.

A family is a module with `build_generator(config, num_classes, shots)` and `build_discriminator(config, num_classes,
shots)`, whose networks do what `vidgan.nn.family` says; it is known by its line in `FAMILIES`. `shots` is the class of
each shot that the networks are told apart, see `vidgan.nn.conditions`; empty if none. Its `OPTIONS`, if it has any, are
the settings of `OPTIONS` below that it heeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidgan.config import REPAIR, Config
from vidgan.errors import ConfigError, did_you_mean
from vidgan.nn import conv3d, dcgan3d, dense, recurrent, repair

FAMILIES = {
    "conv3d": conv3d,
    "recurrent": recurrent,
    "dcgan3d": dcgan3d,
    "dense": dense,
    REPAIR: repair,
}

# Settings that are off unless they are set, and that not every family heeds.
OPTIONS = ("model.modulate", "model.discriminator_frames", "train.checkpoint_activations", "train.equalize_lr")


def build_generator(config: Config, num_classes: int, shots: Sequence[int] = ()) -> nn.Module:
    """A generator with weights drawn from torch's global random state, in the fast memory layout.

    Raises `ConfigError` for an unknown family, or a setting that it would not heed.
    """
    return _in_fast_layout(_family(config).build_generator(config, num_classes, shots))


def build_discriminator(config: Config, num_classes: int, shots: Sequence[int] = ()) -> nn.Module:
    """A discriminator with weights drawn from torch's global random state, in the fast memory layout.

    Raises `ConfigError` for an unknown family, or a setting that it would not heed.
    """
    return _in_fast_layout(_family(config).build_discriminator(config, num_classes, shots))


def num_parameters(network: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def normalises_batches(network: nn.Module) -> bool:
    """Whether what it makes of a clip depends on the others of its batch, or of its part of one."""
    return any(isinstance(layer, _BatchNorm) for layer in network.modules())


def heeds(config: Config, option: str) -> bool:
    """Whether the family heeds one of `OPTIONS`. Raises `ConfigError` for an unknown family."""
    return option in getattr(_named(config.model.family), "OPTIONS", ())


def _family(config: Config) -> ModuleType:
    for option in OPTIONS:
        section, field = option.split(".")
        if getattr(getattr(config, section), field) and not heeds(config, option):
            raise ConfigError(f"{option} means nothing to model.family={config.model.family}; leave it out")
    return _named(config.model.family)


def _named(name: str) -> ModuleType:
    if name not in FAMILIES:
        raise ConfigError(f'model.family is "{name}"{did_you_mean(name, FAMILIES)}')
    return FAMILIES[name]


def _in_fast_layout(network: nn.Module) -> nn.Module:
    """Convolutions with channels last, in two and in three dimensions."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d):
            layer.to(memory_format=torch.channels_last_3d)
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.to(memory_format=torch.channels_last)
    return network
