"""Frechet and kernel distances against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vidgan.errors import RequestError
from vidgan.metrics import kernel
from vidgan.metrics.frechet import (
    Moments,
    frechet_distance,
    frechet_distance_of_features,
    merged,
    moments,
    streamed_moments,
)
from vidgan.metrics.kernel import kernel_distance, polynomial_mmd

REAL = np.random.default_rng(0).normal(size=(60, 5)) @ np.random.default_rng(1).normal(size=(5, 5)) + 3


def gaussian(mean, covariance, count=1000):
    return Moments(count, np.array(mean, float), np.array(covariance, float) * (count - 1))


def rotation(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T


def test_gaussians_on_a_line_are_apart_by_their_means_and_deviations():
    apart = frechet_distance(gaussian([1], [[4]]), gaussian([4], [[25]]))
    assert apart.value == pytest.approx((1 - 4) ** 2 + (2 - 5) ** 2)


def test_gaussians_with_the_same_axes_are_apart_by_their_deviations_along_each():
    axes = rotation(4)
    real, generated = (axes @ np.diag(variances) @ axes.T for variances in ([1, 4, 9, 0.25], [4, 4, 1, 1]))
    apart = frechet_distance(gaussian(np.zeros(4), real), gaussian([0, 0, 0, 2], generated))
    assert apart.value == pytest.approx(4 + 1 + 0 + 4 + 0.25)


def test_the_trace_of_the_root_is_that_of_the_symmetric_form():
    real, generated = np.cov(REAL.T), np.cov(np.random.default_rng(2).normal(size=(5, 40)))
    trace = np.trace(root(root(real) @ generated @ root(real)))
    apart = frechet_distance(gaussian(np.zeros(5), real), gaussian(np.zeros(5), generated))
    assert apart.value == pytest.approx(np.trace(real) + np.trace(generated) - 2 * trace)


@pytest.mark.parametrize(
    "distance", [frechet_distance_of_features, lambda a, b: frechet_distance(moments(a), moments(b))]
)
@pytest.mark.parametrize("count", [4, 60])
def test_equal_sets_are_at_zero_and_a_shifted_one_at_its_squared_shift(distance, count):
    assert distance(REAL[:count], REAL[:count][::-1]).value == pytest.approx(0, abs=1e-10)
    shift = np.array([0, 1, 2, 0, -2])
    assert distance(REAL[:count], REAL[:count] + shift).value == pytest.approx(9)


def test_the_covariance_is_unbiased():
    assert np.allclose(moments(REAL).covariance, np.cov(REAL.T))
    two = np.array([[0.0], [2.0]])  # variance 2 over n - 1, 1 over n
    assert frechet_distance_of_features(two, two * 3).value == pytest.approx(4 + 2 * (3 - 1) ** 2)


@pytest.mark.parametrize(("num_real", "num_generated"), [(7, 9), (7, 50), (50, 9), (20, 50)])
def test_few_samples_and_their_covariance_give_the_same_distance_and_rank(num_real, num_generated):
    draws = np.random.default_rng(3)
    real, generated = draws.normal(size=(num_real, 20)), 2 * draws.normal(size=(num_generated, 20)) + 1
    by_features = frechet_distance_of_features(real, generated)
    by_covariance = frechet_distance(moments(real), moments(generated))
    assert by_features.value == pytest.approx(by_covariance.value, rel=1e-9)
    assert by_features.rank_real == by_covariance.rank_real == min(num_real - 1, 20)
    assert by_features.rank_generated == by_covariance.rank_generated == min(num_generated - 1, 20)


def test_the_rank_counts_the_directions_a_set_varies_in():
    draws = np.random.default_rng(4)
    flat = draws.normal(size=(300, 3)) @ draws.normal(size=(3, 8)) + 100
    apart = frechet_distance_of_features(flat, np.repeat(flat[:1], 10, axis=0))
    assert (apart.rank_real, apart.rank_generated) == (3, 0)
    assert frechet_distance(moments(flat), moments(flat)).rank_real == 3


def test_a_collapsed_generator_is_as_far_as_the_spread_it_lacks():
    collapsed = np.repeat(REAL.mean(0, keepdims=True), 30, axis=0)
    assert frechet_distance_of_features(REAL, collapsed).value == pytest.approx(np.trace(np.cov(REAL.T)))


def test_fewer_than_2048_on_either_side_is_a_small_sample():
    one = np.eye(1)
    assert not frechet_distance(gaussian([0], one, 2048), gaussian([0], one, 2048)).small_sample
    assert frechet_distance(gaussian([0], one, 2047), gaussian([0], one, 5000)).small_sample
    assert frechet_distance(gaussian([0], one, 5000), gaussian([0], one, 2047)).small_sample


@given(
    st.lists(
        arrays(float, st.tuples(st.integers(1, 6), st.just(3)), elements=st.floats(-1e3, 1e3, allow_subnormal=False)),
        min_size=1,
    )
)
@settings(max_examples=50)
def test_moments_of_batches_are_those_of_all_at_once_in_any_order(batches):
    whole, streamed = moments(np.concatenate(batches)), streamed_moments(batches[::-1])
    assert streamed.count == whole.count
    assert np.allclose(streamed.mean, whole.mean, atol=1e-9)
    assert np.allclose(streamed.scatter, whole.scatter, atol=1e-5)


def test_moments_do_not_cancel_far_from_the_origin():
    near = np.random.default_rng(5).normal(size=(1000, 2))
    far = streamed_moments(np.split(near + 1e8, 10))
    assert np.allclose(far.covariance, np.cov(near.T), atol=1e-6)


def test_features_of_float32_are_measured_in_float64():
    assert merged(moments(np.float32(REAL)), moments(np.float32(REAL))).scatter.dtype == np.float64


@pytest.mark.parametrize(
    ("real", "generated", "words"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), "2 features, generated ones 4"),
        (np.zeros((1, 2)), np.zeros((3, 2)), "1 real and 3 generated"),
        (np.zeros((3, 2)), np.array([[0, np.nan], [1, 1]]), "1 values that are not finite"),
        (np.zeros(3), np.zeros((3, 2)), "shape"),
    ],
)
def test_what_has_no_distance_is_refused_in_words(real, generated, words):
    with pytest.raises(RequestError, match=words):
        frechet_distance_of_features(real, generated)


def slow_mmd(real, generated):
    def k(x, y):
        return (x @ y / len(x) + 1) ** 3

    def own(part):
        return np.mean([k(x, y) for i, x in enumerate(part) for j, y in enumerate(part) if i != j])

    return own(real) + own(generated) - 2 * np.mean([k(x, y) for x in real for y in generated])


def test_the_kernel_distance_is_its_definition_whatever_the_block(monkeypatch):
    expected = slow_mmd(REAL[:9], REAL[20:27])
    assert polynomial_mmd(REAL[:9], REAL[20:27]) == pytest.approx(expected)
    monkeypatch.setattr(kernel, "BLOCK", 4)
    assert polynomial_mmd(REAL[:9], REAL[20:27]) == pytest.approx(expected)


def test_the_kernel_distance_of_two_pairs_of_points_is_worked_out_by_hand():
    # k(1, 1) = 8, k(1, 0) = 1, k(0, 0) = 1: within the first 8, within the second 1, across 1
    assert polynomial_mmd(np.ones((2, 1)), np.zeros((2, 1))) == pytest.approx(8 + 1 - 2)


def test_the_kernel_distance_is_unbiased_where_the_frechet_distance_is_not():
    draws = np.random.default_rng(6)
    pairs = [draws.normal(size=(2, 20, 10)) for _ in range(300)]
    values = [polynomial_mmd(*pair) for pair in pairs]
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))
    assert min(frechet_distance_of_features(*pair).value for pair in pairs) > 1


def test_the_spread_over_subsets_belongs_to_the_seed_and_shrinks_with_their_size():
    draws = np.random.default_rng(7)
    real, generated = draws.normal(size=(200, 4)), draws.normal(size=(300, 4)) + 0.5
    once = kernel_distance(real, generated, seed=1)
    assert once == kernel_distance(real, generated, seed=1)
    assert once.value == polynomial_mmd(real, generated)
    assert (once.subset_size, once.num_subsets) == (100, 100)
    assert once.subset_mean == pytest.approx(once.value, abs=4 * once.subset_deviation / 10)
    assert once.subset_deviation < kernel_distance(real, generated, seed=1, subset_size=20).subset_deviation
    assert once.subset_mean != kernel_distance(real, generated, seed=2).subset_mean


def test_a_subset_of_all_samples_has_each_of_them_once():
    all_of_them = kernel_distance(REAL[:12], REAL[30:42], seed=0, subset_size=12, num_subsets=5)
    assert all_of_them.subset_mean == pytest.approx(all_of_them.value)
    assert all_of_them.subset_deviation < 1e-9 * abs(all_of_them.value)


@pytest.mark.parametrize("size", [1, 11])
def test_subsets_larger_than_a_side_are_refused(size):
    with pytest.raises(RequestError, match="expected 2 to 10"):
        kernel_distance(REAL[:10], REAL, seed=0, subset_size=size)
