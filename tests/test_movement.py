"""Movement of clips whose motion is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgan.clip import frames_to_clip
from vidgan.errors import RequestError
from vidgan.metrics.motion import motion_energy
from vidgan.metrics.movement import (
    FLOW_EDGES,
    FLOW_ROWS,
    ROUNDING,
    compare_movement,
    describe_movement,
    difference_power,
    earth_movers_distance,
    flow_histogram,
)

DRAWS = np.random.default_rng(0)
NOISE = DRAWS.integers(0, 256, (3, 9, 8, 8, 3), np.uint8)


def texture(height, width):
    """Smooth enough for optical flow, and periodic: float32 [H, W] 0..255."""
    waves = np.fft.rfft2(np.random.default_rng(1).normal(size=(height, width)))
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    smooth = np.fft.irfft2(waves * np.exp(-((rows**2 + columns**2) * 200)), (height, width))
    return (127 + 50 * smooth / smooth.std()).clip(0, 255).astype(np.float32)


def panned(speed, num_frames=8, height=64, width=64):
    """frames uint8 [T, H, W, 1] that move to the right by `speed` pixels a frame."""
    return np.stack([np.roll(texture(height, width), speed * t, 1) for t in range(num_frames)])[..., None].astype(
        np.uint8
    )


MOVING = np.stack([panned(1), panned(2)])


@pytest.mark.parametrize("num_frames", [2, 3, 4, 9, 16])
def test_the_powers_sum_to_the_motion_energy(num_frames):
    frames = DRAWS.integers(0, 256, (num_frames, 6, 5, 3), np.uint8)
    energy = motion_energy(frames_to_clip(frames)[None]).item() * 127.5**2
    assert difference_power(frames).sum() == pytest.approx(energy, rel=1e-5)
    assert describe_movement([frames[None], frames[None]]).motion_energy == pytest.approx(energy, rel=1e-5)


@pytest.mark.parametrize("cycles", [1, 2, 3, 4])
def test_a_wave_has_its_power_at_its_frequency(cycles):
    wave = 100 + 80 * np.sin(2 * np.pi * cycles / 8 * np.arange(9) + 0.3)
    power = difference_power(np.broadcast_to(wave[:, None, None, None], (9, 2, 2, 1)))
    assert power.argmax() == cycles
    assert power[cycles] == pytest.approx(power.sum())


def test_a_steady_fade_has_its_power_at_frequency_zero():
    fade = np.arange(0, 90, 10, dtype=np.uint8)[None, :, None, None, None].repeat(4, 2).repeat(4, 3)
    moved = describe_movement([fade])
    assert moved.power[0] == pytest.approx(100)
    assert moved.motion_energy == pytest.approx(100)
    assert moved.flicker_levels == pytest.approx(10)


@pytest.mark.parametrize("num_frames", [2, 8, 9])
def test_a_frozen_clip_is_as_still_as_rounding_allows(num_frames):
    frozen = describe_movement([MOVING[:, :1].repeat(num_frames, 1)])
    assert frozen.motion_energy == frozen.flicker_levels == 0
    assert frozen.flow[0] == 1
    assert frozen.spectrum.sum() == pytest.approx(1)
    against = compare_movement(describe_movement([MOVING[:, :num_frames].repeat(9, 1)[:, :num_frames]]), frozen)
    assert against.energy_decibels <= 0
    real = describe_movement([NOISE[:, : min(num_frames, 9)]])
    expected = 10 * np.log10(ROUNDING / (real.motion_energy + ROUNDING))
    assert compare_movement(real, frozen).energy_decibels == pytest.approx(expected)


def test_differences_weaker_than_rounding_do_not_shape_the_spectrum():
    frozen = np.full((1, 9, 16, 16, 1), 90, np.uint8)
    trembling = frozen.copy()
    trembling[0, ::2, 0, 0] += 1
    assert compare_movement(describe_movement([frozen]), describe_movement([trembling])).spectrum_decibels < 0.5


def test_flicker_is_the_change_of_the_mean_and_not_of_the_picture():
    assert describe_movement([MOVING]).flicker_levels < 0.2
    swing = MOVING.astype(int) // 2 + 60 + 6 * (np.arange(8) % 2)[:, None, None, None]
    flickering = describe_movement([swing.astype(np.uint8)])
    assert flickering.flicker_levels == pytest.approx(6, rel=0.1)
    assert compare_movement(describe_movement([MOVING // 2 + 60]), flickering).flicker_levels == pytest.approx(
        6, rel=0.1
    )


@pytest.mark.parametrize(("speed", "height"), [(1, 64), (3, 64), (2, 128), (1, 32)])
def test_pixels_flow_as_fast_as_the_picture_is_panned(speed, height):
    share = flow_histogram(panned(speed, height=height, width=height)[..., 0].astype(np.float32))
    middle = (FLOW_EDGES[:-1] + FLOW_EDGES[1:]) / 2
    assert share.sum() == pytest.approx(1)
    assert share @ middle == pytest.approx(speed / height, abs=0.5 / FLOW_ROWS)


def test_wide_pictures_are_not_squeezed():
    share = flow_histogram(panned(4, height=64, width=256)[..., 0].astype(np.float32))
    assert share @ FLOW_EDGES[1:] == pytest.approx(4 / 64, abs=1 / FLOW_ROWS)


def test_what_is_faster_than_the_last_bin_is_counted_in_it(monkeypatch):
    fast = np.full((64, 64, 2), 30.0)
    monkeypatch.setattr("vidgan.metrics.movement.cv2.calcOpticalFlowFarneback", lambda *_, **__: fast)
    assert flow_histogram(panned(1)[..., 0].astype(np.float32)).tolist() == [0] * 15 + [1]


@given(st.integers(0, 15), st.integers(0, 15))
def test_moving_all_earth_by_some_bins_costs_those_bins(start, stop):
    line = np.eye(16)
    assert earth_movers_distance(line[start], line[stop], bin_width=0.25) == pytest.approx(abs(start - stop) / 4)


def test_a_faster_pan_is_further_by_the_difference_of_the_speeds():
    slow, fast = (describe_movement([panned(speed)[None]]) for speed in (1, 3))
    assert compare_movement(slow, fast).flow_heights == pytest.approx(2 / 64, abs=0.3 / 64)
    assert compare_movement(slow, fast).energy_decibels > 3


def test_equal_sets_are_at_zero():
    same = compare_movement(describe_movement([NOISE]), describe_movement([NOISE[::-1]]))
    assert (same.energy_decibels, same.spectrum_decibels, same.flow_heights) == pytest.approx((0, 0, 0), abs=1e-9)


def test_shuffled_frames_move_faster_and_reversed_ones_alike():
    real = describe_movement([MOVING])
    shuffled = compare_movement(real, describe_movement([MOVING[:, [3, 0, 6, 1, 5, 7, 2, 4]]]))
    assert shuffled.energy_decibels > 1
    assert shuffled.spectrum_decibels > 1
    backwards = compare_movement(real, describe_movement([MOVING[:, ::-1].copy()]))
    assert abs(backwards.energy_decibels) < 1e-6
    assert backwards.spectrum_decibels < 1e-6


def test_more_contrast_is_more_energy_but_the_same_spectrum():
    calm = (MOVING // 2 + 60).astype(np.uint8)
    against = compare_movement(describe_movement([calm]), describe_movement([MOVING]))
    assert against.energy_decibels == pytest.approx(20 * np.log10(2), abs=0.3)
    assert against.spectrum_decibels < 0.3


@settings(max_examples=10)
@given(st.integers(1, 2))
def test_clips_may_come_in_any_batches(cut):
    whole, parts = describe_movement([NOISE]), describe_movement(iter([NOISE[:cut], NOISE[cut:]]))
    assert np.allclose(whole.power, parts.power)
    assert np.allclose(whole.flow, parts.flow)
    assert whole.flicker_levels == pytest.approx(parts.flicker_levels)
    assert (whole.num_clips, parts.num_clips) == (3, 3)


def test_frames_and_video_are_described_alike():
    video = torch.stack([frames_to_clip(frames) for frames in NOISE])
    assert np.array_equal(describe_movement([video]).power, describe_movement([NOISE]).power)
    assert np.array_equal(describe_movement([video]).flow, describe_movement([torch.from_numpy(NOISE)]).flow)


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([], "no clips"),
        ([NOISE[:, :1]], "at least 2"),
        ([NOISE, NOISE[:, :5]], "5 frames .expected 9"),
        ([NOISE[0]], "4 axes"),
    ],
)
def test_clips_that_cannot_be_described_are_refused_in_words(batches, words):
    with pytest.raises(RequestError, match=words):
        describe_movement(batches)


def test_clips_of_two_lengths_are_not_compared():
    with pytest.raises(RequestError, match="length"):
        compare_movement(describe_movement([NOISE]), describe_movement([NOISE[:, :5]]))
