"""Copies that were planted are found where they came from, and clips of the same origin are not called copies."""

import math

import numpy as np
import pytest
import torch

from vidgan.errors import RequestError
from vidgan.metrics import nearest_clips
from vidgan.metrics.memorisation import chance_of_nearer, chance_of_so_many, judged, memorisation, share_below
from vidgan.metrics.nearest_clips import NearestClips, nearest_training_clips, small_grey, standardised

T = 6


def panned(draws, num_frames, rows=24):
    """frames uint8 [T, H, W, 1]: a smooth random picture that moves to the left or to the right."""
    waves = np.fft.rfft2(draws.normal(size=(rows, 64)))
    falloff = np.exp(-100 * (np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.rfftfreq(64) ** 2))
    picture = np.fft.irfft2(waves * falloff, (rows, 64))
    picture = 127 + 50 * picture / picture.std()
    speed = draws.choice([-2, -1, 1, 2])
    frames = np.stack([np.roll(picture, speed * t, 1)[:, :rows] for t in range(num_frames)])
    return frames.clip(0, 255).astype(np.uint8)[..., None]


def swung(draws, num_frames, rows=16):
    """frames uint8 [T, H, W, 1]: a bar that swings; nothing but its phase and its pace differ."""
    phase, pace = draws.uniform(0, 2 * np.pi), draws.uniform(0.2, 0.5)
    columns = np.arange(rows) - rows / 2
    bars = [np.clip(3 - abs(columns - 4 * np.sin(phase + pace * t)), 0, 1) for t in range(num_frames)]
    return np.repeat(30 + 180 * np.stack(bars)[:, None], rows, axis=1).astype(np.uint8)[..., None]


def footage(seed, make=panned, num_clips=40, num_heldout=20):
    """Training shots, held-out clips and generated ones, all of one origin."""
    draws = np.random.default_rng(seed)
    shots = [make(draws, int(draws.integers(T, 30))) for _ in range(12)]
    return shots, *(np.stack([make(draws, T) for _ in range(count)]) for count in (num_heldout, num_clips))


def copied(shots, places, noise=0.0, stride=1):
    """Clips uint8 [N, T, H, W, 1] from places (shot, start, mirrored), with noise in levels."""
    clips = [shots[shot][start : start + (T - 1) * stride + 1 : stride] for shot, start, _ in places]
    clips = np.stack([clip[:, :, ::-1] if place[2] else clip for clip, place in zip(clips, places, strict=True)])
    return (clips + np.random.default_rng(0).normal(0, noise, clips.shape)).round().clip(0, 255).astype(np.uint8)


SHOTS, HELDOUT, OTHERS = footage(0)
PLACES = [
    (shot, start, mirrored) for shot in range(12) for start in {0, len(SHOTS[shot]) - T} for mirrored in (False, True)
]


def found(nearest):
    return list(zip(nearest.shots.tolist(), nearest.starts.tolist(), nearest.mirrored.tolist(), strict=True))


@pytest.mark.parametrize("noise", [0, 2, 5])
@pytest.mark.parametrize("block", [1, 4, 512])
def test_a_copy_is_found_where_it_came_from_shifted_in_time_or_mirrored(noise, block, monkeypatch):
    monkeypatch.setattr(nearest_clips, "BLOCK", block)
    nearest = nearest_training_clips(copied(SHOTS, PLACES, noise), SHOTS)
    assert found(nearest) == PLACES
    assert nearest.distances.max() < (1e-5 if noise == 0 else 0.02)


def test_distances_are_those_of_standardised_clips_one_by_one():
    nearest = nearest_training_clips(OTHERS[:5], SHOTS)
    for index, clip in enumerate(OTHERS[:5]):
        table = []
        for shot in SHOTS:
            for start in range(len(shot) - T + 1):
                window = standardised(small_grey(shot[start : start + T]))
                table += [(standardised(small_grey(clip)) - side).square().mean() for side in (window, window.flip(2))]
        assert nearest.distances[index] == pytest.approx(float(min(table)), abs=1e-5)
        assert nearest.typical[index] == pytest.approx(float(np.mean(table)), abs=1e-5)


def test_a_clip_with_a_stride_is_found_among_clips_with_that_stride():
    places = [(shot, 1, False) for shot in range(12) if len(SHOTS[shot]) > 12]
    nearest = nearest_training_clips(copied(SHOTS, places, stride=2), SHOTS, frame_stride=2)
    assert found(nearest) == places
    assert nearest.distances.max() < 1e-5
    assert nearest_training_clips(copied(SHOTS, places, stride=2), SHOTS).distances.min() > 1e-3


def test_without_mirroring_a_mirrored_copy_is_no_copy():
    nearest = nearest_training_clips(copied(SHOTS, [(0, 2, True)]), SHOTS, mirror=False)
    assert nearest.distances[0] > 0.1
    assert not nearest.mirrored[0]


def test_neither_brightness_nor_contrast_hides_a_copy_or_makes_one():
    paler = (copied(SHOTS, PLACES) * 0.5 + 90).astype(np.uint8)
    assert found(nearest_training_clips(paler, SHOTS)) == PLACES
    assert nearest_training_clips(paler, SHOTS).distances.max() < 1e-3
    negative = 255 - copied(SHOTS, PLACES)
    assert nearest_training_clips(negative, SHOTS).distances.min() > 0.2


def test_a_copy_played_backwards_is_another_clip():
    backwards = copied(SHOTS, [(shot, 0, False) for shot in range(12)])[:, ::-1]
    assert nearest_training_clips(backwards, SHOTS).distances.min() > 0.01


def test_a_flat_clip_is_a_copy_of_nothing_that_is_not_flat():
    flat = np.full((1, T, 24, 24, 1), 90, np.uint8)
    assert nearest_training_clips(flat, SHOTS).relative[0] > 0.95
    assert nearest_training_clips(flat, [*SHOTS, flat[0]]).distances[0] == pytest.approx(0, abs=1e-9)


def test_colour_is_seen_as_grey_at_16_rows_in_proportion():
    frames = np.zeros((1, 32, 64, 3), np.uint8)
    frames[..., 0] = 100
    assert small_grey(frames).shape == (1, 16, 32)
    assert torch.allclose(small_grey(frames), torch.tensor(21.26))


@pytest.mark.parametrize("noise", [2, 5])
def test_a_generator_that_copies_is_named_by_a_hundredth_of_its_clips(noise):
    all_copies = memorisation(copied(SHOTS, PLACES, noise), HELDOUT, SHOTS)
    assert all_copies.copies == all_copies.nearer == 1
    assert all_copies.copier
    assert all_copies.nearer_p_value < 1e-4
    few = memorisation(np.concatenate([OTHERS, copied(SHOTS, PLACES[3:4], noise)]), HELDOUT, SHOTS)
    assert few.copies == pytest.approx(1 / 41)
    assert few.copier
    assert few.nearer_p_value > 0.01


def test_one_copy_in_more_than_a_hundred_clips_is_not_enough():
    shots, heldout, others = footage(1, num_clips=149)
    one = memorisation(np.concatenate([others, copied(shots, [(0, 0, False)])]), heldout, shots)
    assert one.copies == pytest.approx(1 / 150)
    assert not one.copier


def test_clips_of_the_same_origin_and_blurred_ones_are_no_copies():
    assert not memorisation(OTHERS, HELDOUT, SHOTS).copier
    blurred = (OTHERS + OTHERS[:, :, ::-1].astype(int) + OTHERS[..., ::-1, :] + 127) // 4
    averaged = np.stack([copied(SHOTS, PLACES[i : i + 5]).mean(0) for i in range(20)])
    for plain in (blurred, averaged):
        verdict = memorisation(plain.astype(np.uint8), HELDOUT, SHOTS)
        assert verdict.copies == 0
        assert not verdict.copier


def test_of_footage_so_plain_that_all_clips_resemble_each_other_no_one_is_called_a_copier():
    verdicts = [memorisation(clips, heldout, shots) for shots, heldout, clips in (footage(s, swung) for s in range(8))]
    assert any(verdict.copies for verdict in verdicts)
    assert not any(verdict.copier for verdict in verdicts)


@pytest.mark.slow
@pytest.mark.parametrize("make", [panned, swung])
@pytest.mark.parametrize("num_heldout", [10, 40])
def test_of_a_hundred_innocent_generators_hardly_one_is_accused(make, num_heldout):
    verdicts = []
    for seed in range(100):
        shots, heldout, clips = footage(seed, make, 100, num_heldout)
        verdicts.append(memorisation(clips, heldout, shots))
    assert sum(verdict.copier for verdict in verdicts) <= 4
    assert sum(verdict.nearer_p_value < 0.05 for verdict in verdicts) <= 12


def at(distances):
    distances = np.asarray(distances, float)
    return NearestClips(distances, np.ones_like(distances), *np.zeros((2, len(distances)), int), distances < 0)


def test_the_threshold_is_the_nearest_hundredth_of_held_out_clips():
    assert judged(at([0.15, 0.5]), at(np.linspace(0.2, 1, 199))).threshold == pytest.approx(0.2)
    sorted_by_chance = np.random.default_rng(0).permutation(np.arange(1, 301)) / 300
    verdict = judged(at([0.009, 0.009, 0.001, 0.5]), at(sorted_by_chance))
    assert verdict.threshold == pytest.approx(3 / 300)
    assert (verdict.nearer, verdict.copies) == (0.75, 0.25)
    assert verdict.expected_nearer == pytest.approx(3 / 301)


def test_a_generator_that_clings_to_its_footage_without_copying_is_no_copier():
    clinging = judged(at(np.full(50, 0.3)), at(np.linspace(0.6, 0.7, 40)))
    assert clinging.nearer == 1
    assert clinging.nearer_p_value < 1e-4
    assert clinging.copies_p_value < 1e-4
    assert (clinging.copies, clinging.copier) == (0, False)


def test_one_of_two_is_nearer_by_chance_as_often_as_lots_are_drawn():
    assert chance_of_nearer(1, 1, 1, 1) == pytest.approx(1 / 2)
    assert chance_of_nearer(2, 2, 4, 1) == pytest.approx(2 / 6 * 1 / 5)
    assert chance_of_nearer(1, 1, 3, 2) == pytest.approx(2 / 4)  # among four in a row it is first or second
    assert chance_of_nearer(0, 5, 5, 1) == 1


@pytest.mark.parametrize("power", [0.5, 2, 6])
def test_the_tail_of_held_out_distances_is_a_power(power):
    sample = (np.arange(1, 2001) / 2000) ** (1 / power)  # the share below x is x^power
    assert math.log(share_below(0.1, sample)) == pytest.approx(power * math.log(0.1), rel=0.05)
    assert share_below(0.1, sample) > 0.1**power
    assert share_below(9.0, sample) == 1


def test_chances_of_rare_tries_are_binomial():
    assert chance_of_so_many(1, 3, 0.5) == pytest.approx(7 / 8)
    assert chance_of_so_many(2, 3, 0.5) == pytest.approx(4 / 8)
    assert (chance_of_so_many(1, 3, 0.0), chance_of_so_many(3, 3, 1.0)) == (0, 1)
    assert chance_of_so_many(500, 50_000, 0.01) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: memorisation(OTHERS, HELDOUT[:3], SHOTS), "40 generated and 3 held-out"),
        (lambda: memorisation(OTHERS, HELDOUT[:, :5], SHOTS), "generated clips are .6, 24"),
        (lambda: nearest_training_clips(OTHERS, [shot[: T - 1] for shot in SHOTS]), "no training shot is as long"),
        (lambda: nearest_training_clips(OTHERS, [np.zeros((9, 24, 48, 1), np.uint8)]), "shot 0 is .16, 32"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_words(wrong, words):
    with pytest.raises(RequestError, match=words):
        wrong()
