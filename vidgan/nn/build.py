"""From a config to its two networks.

A family is a module with `build_generator(config, num_classes, shots)` and `build_discriminator(config, num_classes,
shots)`, whose networks do what `vidgan.nn.family` says; it is known by its line in `FAMILIES`. `shots` is the class of
each shot that the networks are told apart, see `vidgan.nn.conditions`; empty if none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

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


def build_generator(config: Config, num_classes: int, shots: Sequence[int] = ()) -> nn.Module:
    """A generator with weights drawn from torch's global random state, in the fast memory layout.

    Raises `ConfigError` for an unknown family.
    """
    return _in_fast_layout(_family(config).build_generator(config, num_classes, shots))


def build_discriminator(config: Config, num_classes: int, shots: Sequence[int] = ()) -> nn.Module:
    """A discriminator with weights drawn from torch's global random state, in the fast memory layout.

    Raises `ConfigError` for an unknown family.
    """
    return _in_fast_layout(_family(config).build_discriminator(config, num_classes, shots))


def num_parameters(network: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def _family(config: Config) -> object:
    name = config.model.family
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
