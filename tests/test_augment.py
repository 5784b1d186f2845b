"""Augmentation: drawn once a clip, the same for all its frames, differentiable, owned by the generator passed in."""

import pytest
import torch

from vidgan.config import AugmentConfig
from vidgan.footage.augment import augment_video, change_color, cut_out, mirror_clips, translate

SETTINGS = {
    "color": AugmentConfig(color=0.5),
    "translation": AugmentConfig(translation=0.25),
    "cutout": AugmentConfig(cutout=0.5),
    "all": AugmentConfig(color=0.5, translation=0.25, cutout=0.5),
}


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def video(batch=4, channels=3, frames=3, height=12, width=20, seed=1):
    return torch.rand(batch, channels, frames, height, width, generator=draws(seed)) * 2 - 1


def still(batch=4, **sizes):
    """Clips whose frames are all the same."""
    return video(batch, frames=1, **sizes).repeat(1, 1, 5, 1, 1)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_frame_of_a_clip_is_changed_alike(name):
    changed = augment_video(still(), SETTINGS[name], draws())
    assert not torch.equal(changed, still())
    assert (changed == changed[:, :, :1]).all()


def test_every_frame_of_a_clip_is_mirrored_alike():
    mirrored = mirror_clips(still(), draws())
    assert (mirrored == mirrored[:, :, :1]).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_each_clip_has_draws_of_its_own(name):
    same = video(1).repeat(3, 1, 1, 1, 1)
    changed = augment_video(same, SETTINGS[name], draws())
    for i, j in [(0, 1), (1, 2), (0, 2)]:
        assert not torch.equal(changed[i], changed[j])


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_draws_make_the_same_change(name):
    torch.manual_seed(1)
    first = augment_video(video(), SETTINGS[name], draws(7))
    torch.manual_seed(2)
    assert torch.equal(first, augment_video(video(), SETTINGS[name], draws(7)))
    assert not torch.equal(first, augment_video(video(), SETTINGS[name], draws(8)))


def test_no_strength_is_the_video_itself_and_draws_nothing():
    clips, generator = video(), draws(3)
    assert augment_video(clips, AugmentConfig(), generator) is clips
    assert torch.equal(generator.get_state(), draws(3).get_state())


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("sizes", [{"channels": 1}, {"frames": 1}, {"height": 9, "width": 7}, {"batch": 1}])
def test_shapes_stay_as_they_are(name, sizes):
    changed = augment_video(video(**sizes), SETTINGS[name], draws())
    assert changed.shape == video(**sizes).shape
    assert changed.isfinite().all()


@pytest.mark.parametrize("name", SETTINGS)
def test_gradients_pass_through(name):
    clips = video(2, frames=2, height=8, width=8).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augment_video(x, SETTINGS[name], draws()), clips, fast_mode=True)
    augment_video(clips, SETTINGS[name], draws()).sum().backward()
    assert clips.grad.abs().sum() > 0


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_the_kind_of_number_stays_as_it_is(name, dtype):
    assert augment_video(video().to(dtype), SETTINGS[name], draws()).dtype == dtype


def test_brightness_stays_within_its_strength_both_ways():
    flat = torch.zeros(500, 3, 1, 8, 8)
    shift = change_color(flat, 0.4, draws())[:, 0, 0, 0, 0]
    assert shift.abs().max() <= 0.4
    assert shift.min() < -0.35
    assert shift.max() > 0.35
    assert abs(shift.mean()) < 0.05


def test_colour_changes_by_factors_around_one():
    clips = video(500, frames=1, height=8, width=8)
    changed = change_color(clips, 0.5, draws())
    contrast = changed.mean(1).flatten(1).std(1) / clips.mean(1).flatten(1).std(1)
    chroma = [(x - x.mean(1, keepdim=True)).flatten(1).std(1) for x in (clips, changed)]
    saturation = chroma[1] / chroma[0] / contrast
    for factor in (contrast, saturation):
        assert 0.499 < factor.min() < 0.55
        assert 1.45 < factor.max() < 1.501
        assert abs(factor.mean() - 1) < 0.05


def test_grey_stays_grey():
    grey = video(channels=1).repeat(1, 3, 1, 1, 1)
    changed = change_color(grey, 1.0, draws())
    assert torch.allclose(changed, changed[:, :1].expand_as(changed), atol=1e-6)


def test_a_shift_is_by_whole_pixels_and_repeats_the_edge():
    height, width = 12, 20
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows, columns, rows]).float()[None, :, None].repeat(300, 1, 2, 1, 1)
    moved = translate(places, 0.25, draws())
    seen = set()
    for clip in moved:
        down, right = (int(places[0, axis, 0, 6, 10] - clip[axis, 0, 6, 10]) for axis in (0, 1))
        assert torch.equal(clip[0, 0], (rows - down).clamp(0, height - 1).float())
        assert torch.equal(clip[1, 1], (columns - right).clamp(0, width - 1).float())
        seen.add((down, right))
    assert {down for down, _ in seen} == set(range(-3, 4))
    assert {right for _, right in seen} == set(range(-5, 6))


def test_a_cut_is_one_box_of_mid_grey_of_its_share():
    ones = torch.ones(400, 1, 2, 16, 32)
    cut = cut_out(ones, 0.5, draws())
    assert set(cut.unique().tolist()) == {0.0, 1.0}
    empty = cut[:, 0, 0] == 0
    rows, columns = empty.any(2), empty.any(1)
    assert torch.equal(empty, rows[:, :, None] & columns[:, None, :])
    assert (rows.sum(1).max(), columns.sum(1).max()) == (8, 16)
    assert empty.any(0).all()  # everywhere at some time
    inner = ~(rows[:, 0] | rows[:, -1] | columns[:, 0] | columns[:, -1])
    assert (empty[inner].float().mean((1, 2)) - 0.25).abs().max() < 0.05


def test_about_half_the_clips_are_mirrored_and_the_others_untouched():
    clips = video(400, frames=2, height=8, width=9)
    changed = mirror_clips(clips, draws())
    same = (changed == clips).all((1, 2, 3, 4))
    flipped = (changed == clips.flip(4)).all((1, 2, 3, 4))
    assert torch.equal(same, ~flipped)
    assert 160 < flipped.sum() < 240


@pytest.mark.parametrize("name", SETTINGS)
def test_a_change_keeps_how_the_video_lies_in_memory(name):
    layout = torch.channels_last_3d
    clips = video().contiguous(memory_format=layout)
    changed = augment_video(clips, SETTINGS[name], draws())
    assert changed.is_contiguous(memory_format=layout)
    assert torch.allclose(changed, augment_video(video(), SETTINGS[name], draws()), atol=1e-6)
    assert augment_video(video(), SETTINGS[name], draws()).is_contiguous()
