"""Objectives and penalties against algebra."""

import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from vidgan.errors import ConfigError
from vidgan.training.losses import (
    OBJECTIVES,
    between,
    finite_difference_penalty,
    gradient_penalty,
    lipschitz_penalty,
    objective_of,
)

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


def test_an_unknown_loss_is_named_with_the_nearest():
    assert objective_of("hinge") is OBJECTIVES["hinge"]
    with pytest.raises(ConfigError, match=r'train\.loss is "wgan"'):
        objective_of("wgan")


def test_least_squares_pull_real_clips_to_one_and_generated_ones_to_zero():
    game = OBJECTIVES["leastsquares"]
    assert game.discriminator(torch.tensor([1.0, 3.0]), torch.tensor([0.0, -4.0])).tolist() == [0, 2 + 8]
    assert game.generator(REAL, torch.tensor([1.0, 4.0])).tolist() == [0, 4.5]


def test_the_wasserstein_game_is_a_difference_of_means():
    game = OBJECTIVES["wasserstein"]
    assert torch.equal(game.discriminator(REAL, FAKE), FAKE - REAL)
    assert torch.equal(game.generator(REAL, FAKE), -FAKE)


def test_the_relativistic_game_depends_on_the_difference_of_a_pair_alone():
    game = OBJECTIVES["relativistic"]
    assert torch.allclose(game.discriminator(REAL + 7, FAKE + 7), game.discriminator(REAL, FAKE))
    assert torch.allclose(game.generator(REAL, FAKE), game.discriminator(FAKE, REAL))
    assert torch.allclose(game.discriminator(REAL, FAKE), -log_probability(REAL - FAKE))
    assert game.generator_needs_real


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_better_fake_lowers_the_generators_loss_and_raises_the_discriminators(name):
    objective = OBJECTIVES[name]
    worse = torch.tensor([0.0, 0.1, 0.3, 0.5])  # where all games agree: least squares want no logit above one
    better = worse + 0.5
    assert (objective.generator(REAL, better) < objective.generator(REAL, worse)).all()
    assert (objective.discriminator(REAL, better) > objective.discriminator(REAL, worse)).all()


def test_the_penalty_of_a_linear_discriminator_is_its_squared_weight_norm_at_every_clip():
    weight = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    video = torch.randn(6, 2, 3, 4, 5).requires_grad_()
    logits = (video * weight).sum((1, 2, 3, 4))
    assert torch.allclose(gradient_penalty(logits, video), weight.square().sum().expand(6), rtol=1e-5)


def test_the_penalty_of_a_quadratic_discriminator_is_that_of_each_clip_alone():
    video = torch.randn(3, 1, 2, 2, 2).requires_grad_()
    logits = 0.5 * video.square().sum((1, 2, 3, 4))  # its gradient is the clip itself
    assert torch.allclose(gradient_penalty(logits, video), video.square().sum((1, 2, 3, 4)))


def test_the_penalties_of_two_logits_are_added():
    video = torch.randn(3, 1, 2, 2, 2).requires_grad_()
    logits = torch.stack([0.5 * video.square().sum((1, 2, 3, 4)), 3 * video[:, 0, 0, 0, 0]], 1)
    assert torch.allclose(gradient_penalty(logits, video), video.square().sum((1, 2, 3, 4)) + 9)
    norm = video.square().sum((1, 2, 3, 4)).sqrt()
    assert torch.allclose(lipschitz_penalty(logits, video), (norm - 1).square() + (3 - 1) ** 2)


def beside(logits_of, video, sigma, draws):
    noise = sigma * torch.randn(video.shape, generator=draws, dtype=video.dtype)
    return logits_of(video - noise), logits_of(video + noise)


@pytest.mark.parametrize("curvature", [0.0, 2.0])
def test_the_finite_difference_has_the_exact_penalty_as_its_mean_however_the_logit_bends(curvature):
    draws = torch.Generator().manual_seed(0)
    weight = torch.randn(1, 3, 4, 5, generator=draws)
    video = torch.randn(1, 1, 3, 4, 5, generator=draws).expand(20_000, -1, -1, -1, -1)

    def logits_of(video):
        return (video * weight).sum((1, 2, 3, 4)) + 0.5 * curvature * video.square().sum((1, 2, 3, 4))

    exact = (weight + curvature * video[0]).square().sum().item()
    found = finite_difference_penalty(*beside(logits_of, video, 0.5, draws), 0.5)
    assert found.mean().item() == pytest.approx(exact, rel=0.03)
    assert found.std().item() == pytest.approx(2**0.5 * exact, rel=0.1)


def test_the_finite_differences_of_two_logits_are_added():
    before, after = torch.randn(2, 5, 2)
    apart = [finite_difference_penalty(before[:, k], after[:, k], 0.1) for k in (0, 1)]
    assert torch.allclose(finite_difference_penalty(before, after, 0.1), apart[0] + apart[1])


def test_the_finite_difference_comes_to_the_double_backward_where_the_step_is_small():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = (
            torch.nn.Flatten(),
            torch.nn.Linear(16, 32),
            torch.nn.Tanh(),
            torch.nn.Linear(32, 1),
            torch.nn.Flatten(0),
        )
    network, draws = torch.nn.Sequential(*layers).double(), torch.Generator().manual_seed(1)
    clip = torch.randn(1, 1, 4, 2, 2, generator=draws, dtype=torch.float64)
    exact = gradient_penalty(network(video := clip.clone().requires_grad_()), video).item()
    many = clip.expand(50_000, -1, -1, -1, -1)
    found = {
        sigma: finite_difference_penalty(*beside(network, many, sigma, draws), sigma).mean().item()
        for sigma in (0.01, 3.0)
    }
    assert found[0.01] == pytest.approx(exact, rel=0.03)
    assert abs(found[3.0] - exact) > 0.1 * exact


def test_the_lipschitz_penalty_asks_for_a_slope_of_one():
    weight = torch.zeros(1, 2, 2, 2)
    weight[0, 0, 0, 0] = 1
    video = torch.randn(4, 1, 2, 2, 2).requires_grad_()
    for factor in (1, 0, 3):
        logits = factor * (video * weight).sum((1, 2, 3, 4))
        assert torch.allclose(lipschitz_penalty(logits, video), torch.full((4,), float((factor - 1) ** 2)), atol=1e-5)


def test_clips_between_lie_on_the_line_from_generated_to_real():
    real, fake = torch.ones(3, 1, 1, 2, 2), torch.zeros(3, 1, 1, 2, 2)
    shares = torch.tensor([0.0, 0.25, 1.0])
    assert torch.equal(between(real, fake, shares)[:, 0, 0, 0, 0], shares)


def test_the_penalty_teaches_the_discriminator():
    weight = torch.ones(1, 2, 2, 2, requires_grad=True)
    video = torch.zeros(2, 1, 2, 2, 2, requires_grad=True)
    gradient_penalty((video * weight).sum((1, 2, 3, 4)), video).mean().backward()
    assert torch.allclose(weight.grad, 2 * weight)
