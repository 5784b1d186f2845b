"""Objectives and penalties against algebra."""

import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from vidgan.training.losses import OBJECTIVES, gradient_penalty

REAL = torch.tensor([-2.0, 0.0, 0.5, 3.0])
FAKE = torch.tensor([1.5, 0.0, -4.0, 0.25])


def log_probability(logits):
    return logsigmoid(logits)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_gives_one_value_a_clip(name):
    objective = OBJECTIVES[name]
    assert objective.discriminator(REAL, FAKE).shape == (4,)
    assert objective.generator(REAL, FAKE).shape == (4,)


def test_the_discriminator_of_both_classic_games_minimises_cross_entropy():
    expected = -log_probability(REAL) - log_probability(-FAKE)
    assert torch.allclose(OBJECTIVES["minimax"].discriminator(REAL, FAKE), expected)
    assert torch.allclose(OBJECTIVES["nonsaturating"].discriminator(REAL, FAKE), expected)


def test_at_equilibrium_the_discriminators_cross_entropy_is_log_four():
    zero = torch.zeros(1)
    assert OBJECTIVES["minimax"].discriminator(zero, zero).item() == pytest.approx(math.log(4))


def test_minimax_saturates_where_the_discriminator_is_sure_and_nonsaturating_does_not():
    gradients = {}
    for name in ("minimax", "nonsaturating"):
        fake = torch.tensor([-20.0], requires_grad=True)
        OBJECTIVES[name].generator(torch.zeros(1), fake).backward()
        gradients[name] = fake.grad.item()
    assert gradients["minimax"] == pytest.approx(0, abs=1e-6)
    assert gradients["nonsaturating"] == pytest.approx(-1, abs=1e-6)


def test_the_minimax_generator_minimises_what_the_discriminator_maximises():
    assert torch.allclose(OBJECTIVES["minimax"].generator(REAL, FAKE), log_probability(-FAKE))


def test_hinge_ignores_clips_beyond_its_margin():
    hinge = OBJECTIVES["hinge"]
    assert hinge.discriminator(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, -5.0])).tolist() == [0, 0]
    assert hinge.discriminator(torch.tensor([0.0]), torch.tensor([0.5])).tolist() == [2.5]
    assert hinge.generator(REAL, FAKE).tolist() == (-FAKE).tolist()


def test_the_relativistic_game_depends_on_the_difference_of_a_pair_alone():
    game = OBJECTIVES["relativistic"]
    assert torch.allclose(game.discriminator(REAL + 7, FAKE + 7), game.discriminator(REAL, FAKE))
    assert torch.allclose(game.generator(REAL, FAKE), game.discriminator(FAKE, REAL))
    assert torch.allclose(game.discriminator(REAL, FAKE), -log_probability(REAL - FAKE))
    assert game.generator_needs_real


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_better_fake_lowers_the_generators_loss_and_raises_the_discriminators(name):
    objective = OBJECTIVES[name]
    better = FAKE + 1
    assert (objective.generator(REAL, better) < objective.generator(REAL, FAKE)).all()
    assert (objective.discriminator(REAL, better) >= objective.discriminator(REAL, FAKE)).all()


def test_the_penalty_of_a_linear_discriminator_is_its_squared_weight_norm_at_every_clip():
    weight = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    video = torch.randn(6, 2, 3, 4, 5).requires_grad_()
    logits = (video * weight).sum((1, 2, 3, 4))
    assert torch.allclose(gradient_penalty(logits, video), weight.square().sum().expand(6), rtol=1e-5)


def test_the_penalty_of_a_quadratic_discriminator_is_that_of_each_clip_alone():
    video = torch.randn(3, 1, 2, 2, 2).requires_grad_()
    logits = 0.5 * video.square().sum((1, 2, 3, 4))  # its gradient is the clip itself
    assert torch.allclose(gradient_penalty(logits, video), video.square().sum((1, 2, 3, 4)))


def test_the_penalty_teaches_the_discriminator():
    weight = torch.ones(1, 2, 2, 2, requires_grad=True)
    video = torch.zeros(2, 1, 2, 2, 2, requires_grad=True)
    gradient_penalty((video * weight).sum((1, 2, 3, 4)), video).mean().backward()
    assert torch.allclose(weight.grad, 2 * weight)
