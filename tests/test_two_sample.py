"""Small classifiers: right about what was planted, at chance where there is nothing, the same for the same seed."""

import math

import numpy as np
import pytest
import torch

from vidgan.errors import RequestError
from vidgan.metrics.small_network import balanced_batches, logits_of, small_video, train_small
from vidgan.metrics.two_sample import (
    Accuracy,
    TimeArrow,
    chance_of,
    class_accuracy,
    halves,
    time_arrow_test,
    two_sample_test,
    wilson,
)

FEW = 40


def features(seed, count, shift=0.0, size=8):
    return np.random.default_rng(seed).normal(size=(count, size)) + shift


def discs(seed, count, *, growing=True, noise=3.0, rows=16, num_frames=6):
    """Clips uint8 [N, T, H, W, 1]: a bright disc anywhere that grows, or shrinks."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :rows]
    centre = draws.uniform(4, rows - 4, (count, 2, 1, 1, 1))
    radius = np.linspace(1, 5, num_frames)[:: 1 if growing else -1] * draws.uniform(0.7, 1.2, (count, 1))
    inside = np.clip(radius[:, :, None, None] - np.hypot(y - centre[:, 0], x - centre[:, 1]) + 0.5, 0, 1)
    clips = 60 + 150 * inside + draws.normal(0, noise, inside.shape)
    return clips.round().clip(0, 255).astype(np.uint8)[..., None]


# Chance


@pytest.mark.parametrize(("right", "of"), [(0, 10), (3, 10), (50, 100), (100, 100), (17.5, 40)])
def test_the_interval_ends_where_the_share_found_is_two_deviations_away(right, of):
    accuracy = wilson(right, of)
    assert accuracy.value == right / of
    for end in (accuracy.low, accuracy.high):
        if 0 < end < 1:
            assert abs(end - right / of) == pytest.approx(1.95996 * math.sqrt(end * (1 - end) / of), rel=1e-4)
    assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1


def test_the_p_value_of_coins_is_exact():
    assert chance_of(0, 10) == 1
    assert chance_of(10, 10) == 2**-10
    assert chance_of(2, 3) == 0.5
    assert chance_of(1100, 2000) == pytest.approx(0.5 * math.erfc((1100 - 0.5 - 1000) / math.sqrt(1000)), rel=0.02)
    assert chance_of(5000, 5000) == 0


# The network


def test_small_video_is_the_mean_of_areas_in_proportion():
    frames = np.zeros((2, 3, 64, 96, 3), np.uint8)
    frames[:, :, ::2] = 100
    frames.flags.writeable = False
    video = small_video(frames[:, ::-1])
    assert video.shape == (2, 3, 3, 32, 48)
    assert torch.allclose(video, torch.tensor(50 / 127.5 - 1))
    assert small_video(np.zeros((2, 1, 8, 8, 1), np.uint8)).shape == (2, 1, 1, 8, 8)


def test_every_class_is_shown_as_often_and_every_clip_of_it():
    labels = torch.tensor([0] * 90 + [3] * 6)
    shown = torch.cat(list(balanced_batches(labels, seed=0, count=9, size=20)))
    counts = torch.bincount(shown, minlength=96)
    assert (labels[shown] == 0).sum() == 90
    assert set(counts[:90].tolist()) == {1}
    assert set(counts[90:].tolist()) == {15}


def test_the_same_seed_learns_the_same_and_leaves_other_draws_alone():
    video, labels = small_video(discs(0, 12)), torch.arange(12) % 2
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, third = (train_small(video, labels, num_outputs=2, seed=seed, updates=3) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(logits_of(first, video), logits_of(second, video))
    assert not torch.equal(logits_of(first, video), logits_of(third, video))
    untrained = [train_small(video, labels, num_outputs=2, seed=seed, updates=0) for seed in (1, 2)]
    assert not torch.equal(*(logits_of(network, video) for network in untrained))


@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (2, 16, 8, 3), (16, 64, 40, 3)])
def test_clips_of_any_length_and_size_are_learnt(shape):
    video = small_video(np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8))
    network = train_small(video, torch.tensor([0, 1, 2, 0]), num_outputs=3, seed=0, updates=1)
    assert logits_of(network, video).shape == (4, 3)


# Two samples


def test_two_halves_of_one_set_are_told_apart_no_more_often_than_the_p_value_says():
    found = [two_sample_test(features(seed, 40), features(99 + seed, 60), seed=seed, updates=15) for seed in range(40)]
    values = [one.accuracy.value for one in found]
    assert np.mean(values) == pytest.approx(0.5, abs=4 * np.std(values) / math.sqrt(40))
    assert sum(one.p_value < 0.05 for one in found) <= 4
    assert sum(one.accuracy.low > 0.5 for one in found) <= 4


def test_the_interval_counts_the_answers_of_one_half_of_equal_sides():
    test = two_sample_test(features(0, 40), features(1, 61), seed=0, updates=1)
    assert (test.num_clips, test.accuracy.num_test) == (40, 40)


def test_a_shifted_set_is_told_apart_and_the_test_belongs_to_its_seed():
    real, generated = features(0, 60), features(1, 200, shift=0.7)
    test = two_sample_test(real, generated, seed=3, updates=FEW)
    assert test.accuracy.low > 0.6
    assert test.p_value < 1e-4
    assert test == two_sample_test(torch.from_numpy(real), torch.from_numpy(generated), seed=3, updates=FEW)
    assert test != two_sample_test(real, generated, seed=4, updates=FEW)


def test_a_collapsed_generator_is_told_apart_although_its_mean_is_right():
    collapsed = np.zeros((60, 8)) + features(2, 60) * 0.1
    assert two_sample_test(features(0, 60), collapsed, seed=0, updates=FEW).p_value < 0.01


def test_clips_that_are_frozen_are_told_apart():
    frozen = discs(1, 24)[:, 3:4].repeat(6, 1)
    assert two_sample_test(discs(0, 24), frozen, seed=0, updates=FEW).p_value < 0.01


def test_shots_that_fall_into_both_halves_are_recognised_and_grouped_ones_are_not():
    shots = np.arange(64) // 8  # eight clips of each shot are next to the same
    real = features(0, 8, size=32)[shots] + features(1, 64, size=32) * 0.05
    generated = features(2, 64, size=32)
    apart = two_sample_test(real, generated, seed=0, updates=FEW)
    grouped = two_sample_test(real, generated, seed=0, updates=FEW, real_groups=shots)
    assert apart.accuracy.value > 0.7
    assert grouped.accuracy.value < apart.accuracy.value - 0.1


def test_halves_are_even_and_never_cut_a_group():
    draws = np.random.default_rng(0)
    assert sorted(torch.bincount(halves(11, draws)).tolist()) == [5, 6]
    groups = np.repeat(np.arange(6), 4)
    half = halves(24, draws, groups)
    assert torch.bincount(half).tolist() == [12, 12]
    assert all(len(set(half[groups == group].tolist())) == 1 for group in range(6))
    with pytest.raises(RequestError, match="1 group"):
        halves(5, draws, np.zeros(5))


# The arrow of time


def test_reversed_clips_play_backwards_and_frozen_ones_have_no_arrow():
    real, heldout = discs(0, 32), discs(1, 32)
    forwards = time_arrow_test(real, heldout, discs(2, 40), seed=0, updates=FEW)
    assert forwards.has_arrow
    assert forwards.generated.low > 0.5
    assert "have an arrow" in forwards.in_words
    backwards = time_arrow_test(real, heldout, discs(2, 40)[:, ::-1], seed=0, updates=FEW)
    assert backwards.generated.value == pytest.approx(1 - forwards.generated.value)
    assert "play backwards" in backwards.in_words
    frozen = time_arrow_test(real, heldout, discs(2, 40)[:, :1].repeat(6, 1), seed=0, updates=FEW)
    assert frozen.generated.value == 0.5
    assert "no arrow of time" in frozen.in_words


def test_footage_that_looks_the_same_backwards_has_no_arrow():
    both = np.concatenate([discs(0, 16), discs(1, 16, growing=False)])
    heldout = np.concatenate([discs(2, 16), discs(3, 16, growing=False)])
    found = time_arrow_test(both, heldout, discs(4, 16), seed=0, updates=FEW)
    assert not found.has_arrow
    assert found.in_words.startswith("the footage has no arrow")


def test_an_arrow_is_only_seen_where_chance_is_left_behind():
    sure, unsure = Accuracy(0.9, 0.8, 1.0, 30), Accuracy(0.6, 0.5, 0.7, 90)
    assert TimeArrow(real=sure, generated=unsure).has_arrow
    assert not TimeArrow(real=unsure, generated=sure).has_arrow


# Classes


def test_swapped_classes_are_seen_in_the_confusion():
    clips = np.concatenate([discs(0, 24), discs(1, 24, growing=False)])
    heldout = np.concatenate([discs(2, 20), discs(3, 10, growing=False)])
    labels, heldout_labels = np.repeat([0, 1], 24), np.repeat([0, 1], [20, 10])
    found = class_accuracy(
        clips, labels, heldout, heldout_labels, heldout, 1 - heldout_labels, num_classes=2, seed=0, updates=FEW
    )
    assert found.real.low > 0.6
    assert found.generated.value == pytest.approx(1 - found.real.value)
    assert found.real_confusion.sum(1).tolist() == [20, 10]
    assert found.generated_confusion.sum(1).tolist() == [10, 20]
    assert np.array_equal(found.generated_confusion, found.real_confusion[::-1])


def test_rows_are_what_was_asked_and_columns_what_was_recognised():
    middle = np.array([[0.0, 0], [9, 0], [0, 9]])
    labels = np.repeat([0, 1, 2], 20)
    real = middle[labels] + features(0, 60, size=2)
    found = class_accuracy(
        real, labels, real, labels, middle[[1, 1, 2]], np.array([0, 1, 2]), num_classes=3, seed=0, updates=150
    )
    assert found.real.value == 1
    assert found.generated_confusion.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert found.generated.num_test == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: small_video(np.zeros((1, 2, 8, 4, 3), np.uint8)), "4x8 .expected at least 8x8"),
        (lambda: small_video(np.zeros((1, 2, 8, 8, 3), np.float32)), "float32"),
        (lambda: wilson(0, 0), "no clips"),
        (
            lambda: class_accuracy(*[features(0, 4), np.array([0, 1, 2, 5])] * 3, num_classes=3, seed=0, updates=1),
            "0 to 2",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_in_words(wrong, words):
    with pytest.raises(RequestError, match=words):
        wrong()


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 10, 100])
def test_the_error_rate_over_many_seeds_is_no_more_than_stated(size):
    found = [
        two_sample_test(features(seed, 60, size=size), features(10_000 + seed, 60, size=size), seed=seed, updates=60)
        for seed in range(200)
    ]
    assert sum(one.p_value < 0.05 for one in found) <= 10
