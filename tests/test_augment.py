"""Augmentation: drawn once a clip, the same for all its frames, differentiable, owned by the generator passed in."""

import pytest
import torch

from vidgan.config import AugmentConfig
from vidgan.footage import augment
from vidgan.footage.augment import draw_augmentation, mirror_clips

SETTINGS = {
    "color": AugmentConfig(color=0.5),
    "translation": AugmentConfig(translation=0.25),
    "cutout": AugmentConfig(cutout=0.5),
    "all": AugmentConfig(color=0.5, translation=0.25, cutout=0.5),
}


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(clips, seed=0):
    return draw_augmentation(len(clips), draws(seed))


def augment_video(clips, settings, seed=0):
    return augment.augment_video(clips, settings, drawn(clips, seed))


def video(batch=4, channels=3, frames=3, height=12, width=20, seed=1):
    return torch.rand(batch, channels, frames, height, width, generator=draws(seed)) * 2 - 1


def still(batch=4, **sizes):
    """Clips whose frames are all the same."""
    return video(batch, frames=1, **sizes).repeat(1, 1, 5, 1, 1)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_frame_of_a_clip_is_changed_alike(name):
    changed = augment_video(still(), SETTINGS[name])
    assert not torch.equal(changed, still())
    assert (changed == changed[:, :, :1]).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_each_clip_has_draws_of_its_own(name):
    same = video(1).repeat(3, 1, 1, 1, 1)
    changed = augment_video(same, SETTINGS[name])
    for i, j in [(0, 1), (1, 2), (0, 2)]:
        assert not torch.equal(changed[i], changed[j])


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_draws_make_the_same_change(name):
    torch.manual_seed(1)
    first = augment_video(video(), SETTINGS[name], 7)
    torch.manual_seed(2)
    assert torch.equal(first, augment_video(video(), SETTINGS[name], 7))
    assert not torch.equal(first, augment_video(video(), SETTINGS[name], 8))


def test_no_strength_is_the_video_itself():
    clips = video()
    assert augment_video(clips, AugmentConfig()) is clips
    assert augment.augment_video(clips, SETTINGS["all"], drawn(clips), strength=0) is clips


@pytest.mark.parametrize("name", SETTINGS)
def test_half_the_strength_is_half_the_setting(name):
    half = AugmentConfig(**{key: value / 2 for key, value in SETTINGS[name].model_dump(exclude_defaults=True).items()})
    halved = augment.augment_video(video(), SETTINGS[name], drawn(video()), strength=0.5)
    assert torch.equal(halved, augment_video(video(), half))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_part_of_a_batch_is_changed_as_it_is_in_the_whole(name):
    clips = video(4)
    part = augment.augment_video(clips[1:3], SETTINGS[name], drawn(clips).each(lambda tensor: tensor[1:3]))
    assert torch.allclose(part, augment_video(clips, SETTINGS[name])[1:3], atol=1e-6)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("sizes", [{"channels": 1}, {"frames": 1}, {"height": 9, "width": 7}, {"batch": 1}])
def test_shapes_stay_as_they_are(name, sizes):
    changed = augment_video(video(**sizes), SETTINGS[name])
    assert changed.shape == video(**sizes).shape
    assert changed.isfinite().all()


@pytest.mark.parametrize("name", SETTINGS)
def test_gradients_pass_through(name):
    clips = video(2, frames=2, height=8, width=8).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augment_video(x, SETTINGS[name]), clips, fast_mode=True)
    augment_video(clips, SETTINGS[name]).sum().backward()
    assert clips.grad.abs().sum() > 0


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_the_kind_of_number_stays_as_it_is(name, dtype):
    assert augment_video(video().to(dtype), SETTINGS[name]).dtype == dtype


def test_brightness_stays_within_its_strength_both_ways():
    flat = torch.zeros(500, 3, 1, 8, 8)
    shift = augment.change_color(flat, 0.4, drawn(flat))[:, 0, 0, 0, 0]
    assert shift.abs().max() <= 0.4
    assert shift.min() < -0.35
    assert shift.max() > 0.35
    assert abs(shift.mean()) < 0.05


def test_colour_changes_by_factors_around_one():
    clips = video(500, frames=1, height=8, width=8)
    changed = augment.change_color(clips, 0.5, drawn(clips))
    contrast = changed.mean(1).flatten(1).std(1) / clips.mean(1).flatten(1).std(1)
    chroma = [(x - x.mean(1, keepdim=True)).flatten(1).std(1) for x in (clips, changed)]
    saturation = chroma[1] / chroma[0] / contrast
    for factor in (contrast, saturation):
        assert 0.499 < factor.min() < 0.55
        assert 1.45 < factor.max() < 1.501
        assert abs(factor.mean() - 1) < 0.05


def test_grey_stays_grey():
    grey = video(channels=1).repeat(1, 3, 1, 1, 1)
    changed = augment.change_color(grey, 1.0, drawn(grey))
    assert torch.allclose(changed, changed[:, :1].expand_as(changed), atol=1e-6)


def test_a_shift_is_by_whole_pixels_and_repeats_the_edge():
    height, width = 12, 20
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows, columns, rows]).float()[None, :, None].repeat(300, 1, 2, 1, 1)
    moved = augment.translate(places, 0.25, drawn(places))
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
    cut = augment.cut_out(ones, 0.5, drawn(ones))
    assert set(cut.unique().tolist()) == {0.0, 1.0}
    empty = cut[:, 0, 0] == 0
    rows, columns = empty.any(2), empty.any(1)
    assert torch.equal(empty, rows[:, :, None] & columns[:, None, :])
    assert (rows.sum(1).max(), columns.sum(1).max()) == (8, 16)
    assert empty.any(0).all()  # everywhere at some time
    inner = ~(rows[:, 0] | rows[:, -1] | columns[:, 0] | columns[:, -1])
    assert (empty[inner].float().mean((1, 2)) - 0.25).abs().max() < 0.05


def test_clips_are_mirrored_where_asked_and_the_others_untouched():
    clips = video(3, frames=2, height=8, width=9)
    changed = mirror_clips(clips, torch.tensor([True, False, True]))
    assert torch.equal(changed[1], clips[1])
    assert torch.equal(changed[::2], clips[::2].flip(4))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_change_keeps_how_the_video_lies_in_memory(name):
    layout = torch.channels_last_3d
    clips = video().contiguous(memory_format=layout)
    changed = augment_video(clips, SETTINGS[name])
    assert changed.is_contiguous(memory_format=layout)
    assert torch.allclose(changed, augment_video(video(), SETTINGS[name]), atol=1e-6)
    assert augment_video(video(), SETTINGS[name]).is_contiguous()
