"""Damage that a network learns to mend: a function of (seed, n), where it says it is, and of the strength it says."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgan.config import RepairConfig
from vidgan.config_files import build_config
from vidgan.errors import ConfigError
from vidgan.footage.damage import damage_batch, damage_clips, kind_of

KINDS = list(RepairConfig().kinds)
HOLES = ("box", "strokes", "text", "missing")
NOISE = ("grain", "sensor")


def clips(count=4, num_frames=8, size=24, channels=3):
    """Each pixel of each frame of another level, mid-grey on average, so that what has changed can be seen."""
    levels = torch.arange(count * num_frames * size * size * channels) * 37 % 101 + 77
    return levels.view(count, num_frames, size, size, channels).to(torch.uint8)


def only(kind, **more):
    return RepairConfig(kinds={kind: 1}, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_a_function_of_seed_and_number_alone(kind):
    frames, settings = clips(6), only(kind)
    whole, again = (damage_batch(frames, 10, settings, seed=3) for _ in range(2))
    np.random.default_rng().random(5)
    alone = damage_batch(frames[4:5], 14, settings, seed=3)
    for name in ("frames", "hole", "found", "grain"):
        assert torch.equal(getattr(whole, name), getattr(again, name))
        assert torch.equal(getattr(whole, name)[4:5], getattr(alone, name))
    other = damage_batch(frames, 10, settings, seed=4)
    assert not all(torch.equal(getattr(whole, name), getattr(other, name)) for name in ("frames", "hole"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("num_frames", "size", "channels"), [(1, 8, 1), (2, 16, 3), (16, 40, 3)])
def test_every_kind_damages_clips_of_any_length_and_leaves_the_truth_alone(kind, num_frames, size, channels):
    frames = clips(8, num_frames, size, channels)
    before = frames.clone()
    damaged = damage_batch(frames, 0, only(kind), seed=0)
    assert torch.equal(frames, before)
    assert damaged.frames.shape == frames.shape
    assert damaged.hole.shape == damaged.found.shape == frames.shape[:4]
    marked = (damaged.hole | damaged.found).flatten(1).any(1) | (damaged.grain > 0)
    assert marked.float().mean() >= 0.5  # a repeated frame of a still is none


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NOISE])
def test_nothing_has_changed_but_where_it_is_said(kind):
    frames = clips(12)
    damaged = damage_batch(frames, 0, only(kind), seed=1)
    changed = (damaged.frames.int() - frames.int()).abs().amax(-1) >= 6  # fainter marks are not to be found
    assert not (changed & ~(damaged.hole | damaged.found)).any()
    assert not (damaged.hole & damaged.found).any()
    assert not damaged.grain.any()


@pytest.mark.parametrize("kind", HOLES)
def test_holes_are_given_and_never_to_be_found(kind):
    damaged = damage_batch(clips(12), 0, only(kind), seed=1)
    assert damaged.hole.any()
    assert not damaged.found.any()


@pytest.mark.parametrize("kind", ["repeated", "scratches", "dust", "dropouts"])
def test_of_damage_to_be_found_a_share_is_given(kind):
    frames = clips(200, size=16)
    shares = {}
    for given_share in (0.0, 0.5, 1.0):
        damaged = damage_batch(frames, 0, only(kind, given=given_share), seed=1)
        shares[given_share] = damaged.hole.sum().item() / (damaged.hole | damaged.found).sum().item()
    assert shares[0.0] == 0
    assert shares[0.5] == pytest.approx(0.5, abs=0.12)
    assert shares[1.0] == 1


@pytest.mark.parametrize("kind", NOISE)
def test_noise_has_the_standard_deviation_that_is_said(kind):
    frames = torch.full((6, 8, 32, 32, 3), 128, dtype=torch.uint8)
    damaged = damage_batch(frames, 0, only(kind, most_noise=0.2), seed=2)
    deviations = (damaged.frames.float() - 128).flatten(1).std(1) / 127.5
    torch.testing.assert_close(deviations, damaged.grain, rtol=0.03, atol=0.003)
    colors = damaged.frames.float().flatten(0, 3).T
    correlation = torch.corrcoef(colors)[0, 1]
    assert correlation > 0.99 if kind == "grain" else abs(correlation) < 0.05


def test_a_missing_frame_shows_the_one_before_and_gaps_are_as_long_as_is_said():
    frames = clips(40, num_frames=12, size=8)
    damaged = damage_batch(frames, 0, only("missing", longest_gap=2), seed=0)
    gone = damaged.hole.flatten(2).all(2)
    assert torch.equal(gone, damaged.hole.flatten(2).any(2))
    assert not gone[:, 0].any()
    assert not gone[:, -1].any()
    for clip, time in gone.nonzero().tolist():
        assert torch.equal(damaged.frames[clip, time], damaged.frames[clip, time - 1])
    assert 1 <= gone.sum(1).float().mean() <= 4


def test_repeated_frames_of_a_still_picture_are_no_damage():
    frames = clips(8, num_frames=1).expand(8, 10, 24, 24, 3).contiguous()
    damaged = damage_batch(frames, 0, only("repeated", given=0.0), seed=0)
    assert not damaged.found.any()


def test_boxes_and_strokes_move():
    for kind in ("box", "strokes"):
        holes = damage_batch(clips(30), 0, only(kind), seed=0).hole
        moves = [(hole[1:] != hole[:-1]).any() for hole in holes]
        assert 0.3 < np.mean(moves) <= 1


@settings(max_examples=20, deadline=None)
@given(largest=st.floats(0.05, 1.0), seed=st.integers(0, 1000))
def test_no_box_is_larger_than_is_said(largest, seed):
    hole = damage_clips(clips(1), ["box"], 0, only("box", largest_hole=largest), seed).hole[0]
    for frame in hole:
        rows, columns = frame.any(1).sum(), frame.any(0).sum()
        assert max(rows, columns) <= max(2, round(largest * 24))


def test_kinds_come_in_their_shares():
    settings = RepairConfig(kinds={"box": 3, "dust": 1, "text": 0})
    kinds = [kind_of(settings, 0, n) for n in range(400)]
    assert kinds.count("text") == 0
    assert kinds.count("box") == pytest.approx(300, abs=40)


def test_damage_without_any_share_and_unknown_kinds_are_refused_in_words():
    with pytest.raises(ConfigError, match="all shares are 0"):
        build_config({"repair": {"kinds": {"box": 0}}})
    with pytest.raises(ConfigError, match=r"repair\.kinds"):
        build_config({"repair": {"kinds": {"rain": 1}}})
