"""Seams of loops and of stretches: a jump is seen, a clean one is a step like all others."""

import numpy as np
import pytest

from vidgan.errors import RequestError
from vidgan.metrics.seams import loop_seam, stretch_seam


def turning(seed, num_frames, period):
    """A wave that comes back after `period` frames, uint8 [T, 16, 16, 1]."""
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    place = 2 * np.pi * (np.arange(16) / 16 + np.arange(num_frames)[:, None, None] / period) + phase
    return np.repeat(127 + 100 * np.sin(place), 16, 1).round().astype(np.uint8)[..., None]


def test_a_loop_that_closes_has_a_seam_like_any_step():
    found = loop_seam([turning(seed, 24, 24) for seed in range(6)], seed=0)
    assert found.low <= found.ratio <= found.high
    assert found.ratio == pytest.approx(1, abs=0.05)
    assert found.num_seams == 6


def test_a_loop_that_does_not_close_jumps():
    assert loop_seam([turning(seed, 17, 24) for seed in range(6)], seed=0).low > 2


def test_a_first_frame_repeated_at_the_end_stops_for_a_moment():
    assert loop_seam([turning(seed, 25, 24) for seed in range(6)], seed=0).high < 0.5


def test_stretches_that_do_not_fit_are_seen():
    smooth = [turning(seed, 32, 24) for seed in range(6)]
    assert stretch_seam(smooth, 8, seed=0).ratio == pytest.approx(1, abs=0.05)
    broken = [np.concatenate([take[:8], take[12:20], take[22:]]) for take in smooth]
    found = stretch_seam(broken, 8, seed=0)
    assert found.low > 1.5
    assert found.num_seams == 6 * 3


def test_steps_that_are_larger_every_few_frames_are_no_seam_of_stretches_that_hold_whole_periods():
    juddering = [np.repeat(turning(seed, 8, 24), 4, 0) for seed in range(6)]
    assert stretch_seam(juddering, 16, seed=0).low > 1.5
    assert stretch_seam(juddering, 16, period=4, seed=0).ratio == pytest.approx(1, abs=0.1)
    with pytest.raises(RequestError, match="16 frames are not whole periods of 5"):
        stretch_seam(juddering, 16, period=5, seed=0)


def test_what_has_no_seam_is_refused_in_words():
    with pytest.raises(RequestError, match="16 frames has no seam between stretches of 16"):
        stretch_seam([turning(0, 16, 24)], 16, seed=0)
    with pytest.raises(RequestError, match="1 take with seams"):
        loop_seam([turning(0, 16, 24)], seed=0)
