"""The game's objectives and penalties: plain functions of logits, one value a clip.

An objective is two functions of the logits of real and of generated clips, of one shape and elementwise, which the
discriminator and the generator minimise. None of them takes a mean or calls `backward()`.

    loss            discriminator minimises                  generator minimises
    minimax         -log D(x) - log(1 - D(G(z)))             log(1 - D(G(z)))
    nonsaturating   the same                                 -log D(G(z))
    hinge           max(0, 1 - l(x)) + max(0, 1 + l(G(z)))   -l(G(z))
    leastsquares    ((l(x) - 1)^2 + l(G(z))^2) / 2           (l(G(z)) - 1)^2 / 2
    wasserstein     l(G(z)) - l(x)                           -l(G(z))
    relativistic    -log sigmoid(l(x) - l(G(z)))             -log sigmoid(l(G(z)) - l(x))

where l is the logit and D = sigmoid(l). Goodfellow et al. 2014, eq. 1 and sec. 3; Lim and Ye 2017; Mao et al. 2017;
Gulrajani et al. 2017, which needs the penalty below; Jolicoeur-Martineau 2018 in the paired form of Huang et al. 2024
(R3GAN), which keeps the pairs of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor

from vidgan.errors import ConfigError, did_you_mean

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


def leastsquares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """((l(x) - 1)^2 + l(G(z))^2) / 2. Mao et al. 2017, eq. 9."""
    return 0.5 * ((real - 1).square() + fake.square())


def leastsquares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """(l(G(z)) - 1)^2 / 2. Mao et al. 2017, eq. 9."""
    return 0.5 * (fake - 1).square()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """l(G(z)) - l(x), without a lower bound unless there is a penalty. Gulrajani et al. 2017, eq. 3."""
    return fake - real


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
    "leastsquares": Objective(leastsquares_discriminator, leastsquares_generator),
    "wasserstein": Objective(wasserstein_discriminator, hinge_generator),
    "relativistic": Objective(relativistic_discriminator, relativistic_generator, generator_needs_real=True),
}


def objective_of(name: str) -> Objective:
    """The game of this name. Raises `ConfigError` for an unknown one."""
    if name not in OBJECTIVES:
        raise ConfigError(f'train.loss is "{name}"{did_you_mean(name, OBJECTIVES)}')
    return OBJECTIVES[name]


def gradient_penalty(logits: Tensor, video: Tensor) -> Tensor:
    """Squared norm of the logits' gradient at each clip: [B] or [B, K], [B, C, T, H, W] -> [B]; K norms are added.

    R1 at real clips, R2 at generated ones, before their weight gamma / 2. Mescheder et al. 2018, eq. 9.
    The sum runs over all voxels of one clip; `video` must require gradients and have led to `logits`.
    """
    return sum(reduce(gradient.square(), "b c t h w -> b", "sum") for gradient in _gradients(logits, video))


def finite_difference_penalty(logits_before: Tensor, logits_after: Tensor, sigma: float) -> Tensor:
    """The same without a second derivative: [B] or [B, K] -> [B], of logits at clips minus and plus sigma n.

    ((l(x + sigma n) - l(x - sigma n)) / (2 sigma))^2, for unit normal n, is (gradient . n)^2 up to terms in sigma^2,
    and its mean over n the squared norm: exactly so for linear and quadratic discriminators. One draw a clip has the
    spread of a chi-squared variable, sqrt(2) times its mean. The one-sided difference l(x + sigma n) - l(x) will not
    do: noise is easily seen, so that curvature, not slope, decides it, and slopes along other directions go free.
    """
    squares = ((logits_after - logits_before) / (2 * sigma)).square()
    return squares if squares.ndim == 1 else reduce(squares, "b k -> b", "sum")


def lipschitz_penalty(logits: Tensor, video: Tensor) -> Tensor:
    """(norm of the gradient - 1)^2 at each clip, [B] or [B, K], [B, C, T, H, W] -> [B], before its weight lambda.

    At clips between real and generated ones, see `between`. Gulrajani et al. 2017, eq. 3.
    """
    norms = [
        reduce(gradient.square(), "b c t h w -> b", "sum").add(1e-12).sqrt() for gradient in _gradients(logits, video)
    ]
    return sum((norm - 1).square() for norm in norms)


def between(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Clips a share [B] 0..1 of the way from generated to real ones, [B, C, T, H, W]."""
    return torch.lerp(fake, real, rearrange(share, "b -> b 1 1 1 1"))


def _gradients(logits: Tensor, video: Tensor) -> Iterator[Tensor]:
    """Of each of K logits a clip, [B, C, T, H, W], ready to be differentiated again."""
    for column in logits.reshape(len(logits), -1).unbind(1):
        yield torch.autograd.grad(column.sum(), video, create_graph=True)[0]
