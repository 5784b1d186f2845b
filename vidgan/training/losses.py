"""The game's objectives and penalties: plain functions of logits, one value a clip.

An objective is two functions [B], [B] -> [B] of the logits of real and of generated clips, which the
discriminator and the generator minimise. None of them takes a mean or calls `backward()`.

    loss            discriminator minimises                  generator minimises
    minimax         -log D(x) - log(1 - D(G(z)))             log(1 - D(G(z)))
    nonsaturating   the same                                 -log D(G(z))
    hinge           max(0, 1 - l(x)) + max(0, 1 + l(G(z)))   -l(G(z))
    relativistic    -log sigmoid(l(x) - l(G(z)))             -log sigmoid(l(G(z)) - l(x))

where l is the logit and D = sigmoid(l). Goodfellow et al. 2014, eq. 1 and sec. 3; Lim and Ye 2017;
Jolicoeur-Martineau 2018 in the paired form of Huang et al. 2024 (R3GAN), which keeps the pairs of a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import reduce
from torch import Tensor

PairLoss = Callable[[Tensor, Tensor], Tensor]


def minimax_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))). Goodfellow et al. 2014, eq. 1."""
    return F.softplus(-real) + F.softplus(fake)


def minimax_generator(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 - D(G(z))): saturates where the discriminator is sure. Goodfellow et al. 2014, eq. 1."""
    return -F.softplus(fake)


def nonsaturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(G(z)). Goodfellow et al. 2014, sec. 3."""
    return F.softplus(-fake)


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - l(x)) + max(0, 1 + l(G(z))). Lim and Ye 2017, eq. 6."""
    return F.relu(1 - real) + F.relu(1 + fake)


def hinge_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-l(G(z)). Lim and Ye 2017, eq. 7."""
    return -fake


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(l(x) - l(G(z))), pair by pair. Huang et al. 2024, eq. 2."""
    return F.softplus(fake - real)


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(l(G(z)) - l(x)), pair by pair. Huang et al. 2024, eq. 2."""
    return F.softplus(real - fake)


@dataclass(frozen=True)
class Objective:
    """Both sides of one game."""

    discriminator: PairLoss
    generator: PairLoss
    generator_needs_real: bool = False
    """Whether the generator's side depends on the logits of real clips."""


OBJECTIVES = {
    "minimax": Objective(minimax_discriminator, minimax_generator),
    "nonsaturating": Objective(minimax_discriminator, nonsaturating_generator),
    "hinge": Objective(hinge_discriminator, hinge_generator),
    "relativistic": Objective(relativistic_discriminator, relativistic_generator, generator_needs_real=True),
}


def gradient_penalty(logits: Tensor, video: Tensor) -> Tensor:
    """Squared norm of the logit's gradient at each clip: [B], [B, C, T, H, W] -> [B].

    R1 at real clips, R2 at generated ones, before their weight gamma / 2. Mescheder et al. 2018, eq. 9.
    The sum runs over all voxels of one clip; `video` must require gradients and have led to `logits`.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), video, create_graph=True)
    return reduce(gradient.square(), "b c t h w -> b", "sum")
