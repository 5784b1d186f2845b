"""From a config to its two networks."""

from __future__ import annotations

import torch
from torch import nn

from vidgan.config import Config
from vidgan.nn.discriminator import Discriminator
from vidgan.nn.generator import Generator
from vidgan.nn.levels import Level, plan_levels


def generator_levels(config: Config) -> tuple[Level, ...]:
    """The plan the generator walks up."""
    return _levels(config, config.model.generator_channels)


def discriminator_levels(config: Config) -> tuple[Level, ...]:
    """The plan the discriminator walks down."""
    return _levels(config, config.model.discriminator_channels)


def build_generator(config: Config, num_classes: int) -> Generator:
    """A generator with weights drawn from torch's global random state, in the fast memory layout."""
    network = Generator(
        generator_levels(config),
        height=config.data.height,
        width=config.data.width,
        channels=config.data.channels,
        content_dim=config.model.content_dim,
        motion_dim=config.model.motion_dim,
        num_classes=num_classes,
    )
    return network.to(memory_format=torch.channels_last_3d)


def build_discriminator(config: Config, num_classes: int) -> Discriminator:
    """A discriminator with weights drawn from torch's global random state, in the fast memory layout."""
    network = Discriminator(discriminator_levels(config), channels=config.data.channels, num_classes=num_classes)
    return network.to(memory_format=torch.channels_last_3d)


def num_parameters(network: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def _levels(config: Config, channels: int) -> tuple[Level, ...]:
    data = config.data
    return plan_levels(
        height=data.height,
        width=data.width,
        num_frames=data.num_frames,
        channels=channels,
        max_channels=config.model.max_channels,
    )
