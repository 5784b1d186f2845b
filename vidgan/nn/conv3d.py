"""conv3d, the default family: 3-D convolutions where the picture is small, residual blocks, temporal noise."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vidgan.config import Config, DataConfig
from vidgan.nn.discriminator import SpatiotemporalDiscriminator
from vidgan.nn.frames import FramesAndClip
from vidgan.nn.generator import ConvolutionalGenerator
from vidgan.nn.levels import levels_of_clip

OPTIONS = ("model.modulate", "model.discriminator_frames", "train.checkpoint_activations", "train.equalize_lr")


def build_generator(config: Config, num_classes: int, shots: Sequence[int]) -> ConvolutionalGenerator:
    """A generator of clips of any length."""
    return ConvolutionalGenerator(
        levels_of_clip(config.data, config.model, config.model.generator_channels),
        height=config.data.height,
        width=config.data.width,
        channels=config.data.channels,
        content_dim=config.model.content_dim,
        motion_dim=config.model.motion_dim,
        num_classes=num_classes,
        shots=shots,
        modulate=config.model.modulate,
        checkpoint_activations=config.train.checkpoint_activations,
    )


def build_discriminator(config: Config, num_classes: int, shots: Sequence[int]) -> nn.Module:
    """One spatiotemporal network; or one for the clip at half size beside one for frames."""
    data, model = config.data, config.model
    if not model.discriminator_frames:
        return _discriminator(data, config, num_classes, shots)
    frame = data.model_copy(update={"num_frames": 1})
    half = data.model_copy(update={"height": -(-data.height // 2), "width": -(-data.width // 2)})
    networks = (_discriminator(each, config, num_classes, shots) for each in (frame, half))
    return FramesAndClip(*networks, halve=True)


def _discriminator(
    data: DataConfig, config: Config, num_classes: int, shots: Sequence[int]
) -> SpatiotemporalDiscriminator:
    levels = levels_of_clip(data, config.model, config.model.discriminator_channels)
    return SpatiotemporalDiscriminator(levels, channels=data.channels, num_classes=num_classes, shots=shots)
