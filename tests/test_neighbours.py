"""Density, coverage and variety on sets small enough to work out by hand."""

import numpy as np
import pytest

from vidgan.errors import RequestError
from vidgan.metrics import neighbours
from vidgan.metrics.neighbours import expected_coverage, mean_pairwise_distance, nearest_neighbours, neighbourhoods

DRAWS = np.random.default_rng(0)
LINE = np.array([[0.0], [1.0], [2.0], [3.0]])


@pytest.mark.parametrize("block", [1, 3, 512])
def test_on_a_line_the_balls_can_be_counted(block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    found = neighbourhoods(LINE, np.array([[0.5], [10.0], [10.5]]), k=1)
    # Real balls have radius 1; 0.5 lies in those of 0 and 1. Generated balls: 9.5 around 0.5, 0.5 around the others.
    assert found.density == pytest.approx(2 / 3)
    assert found.coverage == 2 / 4
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == 1
    assert (found.k, found.num_real, found.num_generated) == (1, 4, 3)


def test_the_radius_reaches_to_the_k_th_other():
    wider = neighbourhoods(LINE, np.array([[-1.5], [-1.9], [-2.0]]), k=2)
    assert wider.precision == 1  # the ball of 0 reaches to 2, and -2
    assert wider.coverage == 1 / 4
    assert wider.density == pytest.approx(3 / (2 * 3))


def test_every_generated_clip_has_a_ball_of_its_own():
    assert neighbourhoods(LINE, np.array([[0.0], [0.1], [50.0], [90.0]]), k=1).recall == 1 / 4


def test_copies_lie_in_balls_of_no_size():
    twins = np.repeat(LINE, 2, axis=0)
    assert neighbourhoods(twins, LINE, k=1).precision == 1
    assert neighbourhoods(twins, LINE, k=1).coverage == 1


def test_sets_of_one_origin_have_density_one_and_the_coverage_of_the_closed_form():
    found = [neighbourhoods(*np.split(DRAWS.normal(size=(90, 3)), [30]), k=3) for _ in range(60)]
    deviation = np.std([one.coverage for one in found]) / 60**0.5
    assert found[0].expected_coverage == expected_coverage(30, 60, 3)
    assert np.mean([one.coverage for one in found]) == pytest.approx(expected_coverage(30, 60, 3), abs=4 * deviation)
    assert np.mean([one.density for one in found]) == pytest.approx(1, abs=0.1)


def test_with_one_neighbour_and_equal_counts_coverage_is_expected_at_about_a_half():
    assert expected_coverage(100, 100, 1) == pytest.approx(1 - 99 / 199)


def test_a_generator_that_makes_one_kind_of_two_is_dense_but_covers_half():
    kinds = np.concatenate([DRAWS.normal(size=(100, 4)), DRAWS.normal(size=(100, 4)) + 20])
    collapsed = neighbourhoods(kinds, DRAWS.normal(size=(200, 4)))
    assert collapsed.coverage < 0.55
    assert collapsed.recall < 0.55
    assert collapsed.density > 0.7
    assert collapsed.precision > 0.8


def test_a_generator_that_repeats_one_clip_covers_next_to_nothing():
    real = DRAWS.normal(size=(200, 4))
    assert neighbourhoods(real, np.repeat(real[:1], 200, axis=0)).coverage < 0.1


def test_an_outlier_among_real_clips_spoils_precision_but_not_density():
    real = DRAWS.normal(size=(200, 2))
    real[0] = 1000.0
    bad = DRAWS.normal(size=(200, 2)) + 500
    assert neighbourhoods(real, bad).precision == 1
    assert neighbourhoods(real, bad).density <= 0.2
    assert neighbourhoods(real, bad).coverage <= 0.005


@pytest.mark.parametrize("block", [2, 512])
def test_neighbours_come_nearest_first(block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    queries, references = DRAWS.normal(size=(7, 3)), DRAWS.normal(size=(20, 3))
    table = np.linalg.norm(queries[:, None] - references, axis=2)
    distances, indices = nearest_neighbours(queries, references, 4)
    assert (indices == table.argsort(1)[:, :4]).all()
    assert np.allclose(distances, np.sort(table, 1)[:, :4])


def test_variety_is_measured_within_groups_and_none_for_a_lonely_clip():
    features = np.array([[0.0], [3.0], [100.0], [100.0], [7.0]])
    assert mean_pairwise_distance(features, np.array([0, 0, 1, 1, 5])) == {0: 3.0, 1: 0.0, 5: None}
    three = mean_pairwise_distance(np.array([[0.0], [1.0], [3.0]]), np.zeros(3, int))
    assert three[0] == pytest.approx((1 + 2 + 3) / 3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: neighbourhoods(LINE, LINE, k=4), "more than k"),
        (lambda: neighbourhoods(LINE, np.zeros((9, 2)), k=1), "1 features, the other 2"),
        (lambda: nearest_neighbours(LINE, LINE, 5), "expected 1 to 4"),
        (lambda: nearest_neighbours(LINE + np.inf, LINE), "finite"),
        (lambda: mean_pairwise_distance(LINE, np.zeros(3, int)), "one for each of 4"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_words(wrong, words):
    with pytest.raises(RequestError, match=words):
        wrong()
