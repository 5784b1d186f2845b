"""Settings that change with the clips seen, and the defaults that follow from others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidgan.config import Config
from vidgan.config_values import Schedule
from vidgan.nn.conditions import shots_to_tell

# R1's weight for pictures of 32x32 pixels. Gradients of one clip are summed over its voxels, and the more of them the
# same change of the clip is spread over, the smaller their squares: so the weight grows with the pixels, as in the
# heuristic of StyleGAN2-ADA's "auto" recipe.
GAMMA_AT_32 = 3.0


def value_at(schedule: Schedule, num_clips: int) -> float:
    """What a schedule says after so many clips."""
    if isinstance(schedule, dict):
        moments = sorted(schedule)
        return float(np.interp(num_clips / 1000, moments, [schedule[moment] for moment in moments]))
    return float(schedule)


def settle_loss(config: Config, labels: Sequence[int]) -> Config:
    """The config with the loss that "auto" stands for where the classes of all shots are `labels`.

    Networks that are told the shots cannot lose one, and come further by the non-saturating loss; those that are not
    would show one look of each class by it, and the relativistic loss keeps several.
    """
    if config.train.loss != "auto":
        return config
    loss = "nonsaturating" if shots_to_tell(config, labels) else "relativistic"
    return config.model_copy(update={"train": config.train.model_copy(update={"loss": loss})})


def r1_gamma(config: Config) -> Schedule:
    """The weight that is set, or the default for the size of the pictures."""
    if config.train.r1_gamma is not None:
        return config.train.r1_gamma
    if config.train.lipschitz_lambda > 0:
        return 0.0
    return GAMMA_AT_32 * config.data.height * config.data.width / 32**2


def r2_gamma(config: Config) -> Schedule:
    """The weight that is set, or the default for the game."""
    if config.train.r2_gamma is not None:
        return config.train.r2_gamma
    return r1_gamma(config) if config.train.loss == "relativistic" else 0.0


def equalizes_lr(config: Config) -> bool:
    """Whether each layer has steps of its own size: as set, or the default of the family."""
    wanted = config.train.equalize_lr
    return config.model.family == "conv3d" if wanted is None else wanted
