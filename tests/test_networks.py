"""The plan of levels, and what the default generator is made of; what all families do is in test_families.py."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgan.config_files import build_config
from vidgan.nn.build import build_discriminator, build_generator
from vidgan.nn.discriminator import PixelsAndChanges
from vidgan.nn.generator import at_twice_the_rate, slower
from vidgan.nn.layers import FullSizeConvolution, downsample_time, fold_pixels, unfold_pixels, upsample_space
from vidgan.nn.levels import plan_levels, print_levels
from vidgan.nn.noise import NoiseFilters


def small(height=16, width=16, num_frames=8, channels=3, **model):
    model = {"generator_channels": 8, "discriminator_channels": 8, "max_channels": 8, "content_dim": 6} | model
    data = {"height": height, "width": width, "num_frames": num_frames, "channels": channels}
    return build_config({"data": data, "model": {"motion_dim": 3, **model}})


def latents(generator, batch_size, first_frame, num_frames, seed=0):
    draws = torch.Generator().manual_seed(seed)
    start, stop = generator.motion_window(first_frame, num_frames)
    z = torch.randn(batch_size, generator.content_dim, generator=draws)
    return z, torch.randn(batch_size, generator.motion_dim, stop - start, generator=draws)


def test_a_plan_for_64x64_clips_of_16_frames_is_the_one_in_the_docstring():
    levels = plan_levels(height=64, width=64, num_frames=16, channels=16, max_channels=128)
    assert [(level.frames, level.height, level.channels, level.temporal) for level in levels] == [
        (4, 4, 128, True),
        (8, 8, 64, True),
        (16, 16, 32, True),
        (16, 32, 16, False),
    ]
    assert "    2      16         16 x 16        32  3x3x3" in print_levels(levels)


@given(height=st.integers(8, 70), width=st.integers(8, 120), num_frames=st.integers(1, 40), channels=st.integers(1, 64))
def test_every_plan_ends_at_half_the_picture_and_only_ever_doubles(height, width, num_frames, channels):
    levels = plan_levels(height=height, width=width, num_frames=num_frames, channels=channels, max_channels=64)
    assert (levels[-1].height, levels[-1].width) == (-(-height // 2), -(-width // 2))
    assert levels[-1].frame_step == 1
    assert levels[-1].frames == num_frames
    for smaller, larger in pairwise(levels):
        assert 2 * smaller.height - larger.height in (0, 1)
        assert 2 * smaller.width - larger.width in (0, 1)
        assert smaller.frame_step in (larger.frame_step, 2 * larger.frame_step)
        assert smaller.temporal or not larger.temporal  # temporal kernels are where the picture is small
        assert smaller.channels >= larger.channels
    assert num_frames > 1 or not any(level.temporal for level in levels)


def test_what_is_learned_of_a_place_is_seen_there_in_every_take_and_frame_and_nowhere_else():
    generator = build_generator(small(32, 32, 6), 0)
    z, motion = latents(generator, 3, 0, 6)
    labels = torch.zeros(3, dtype=torch.long)
    before = generator(z, motion, labels)
    with torch.no_grad():
        generator.blocks[-1].place[:, :, 4, 10] = 50  # of 16x16: rows 8 and 9, columns 20 and 21 of the picture
    changed = (generator(z, motion, labels) - before).abs().amax(1)
    assert changed[:, :, 8:10, 20:22].amin() > 0.01
    changed[:, :, 4:14, 16:26] = 0
    assert changed.amax() == 0


@settings(max_examples=20)
@given(first=st.integers(-9, 40), length=st.integers(1, 12), height=st.sampled_from([16, 20, 48]))
def test_any_stretch_of_a_take_is_the_same_as_in_the_whole_take(first, length, height):
    generator = build_generator(small(height, 24, 16), 0)
    draws = torch.Generator().manual_seed(1)
    whole_start, whole_stop = generator.motion_window(-9, 70)
    z = torch.randn(1, generator.content_dim, generator=draws)
    motion = torch.randn(1, generator.motion_dim, whole_stop - whole_start, generator=draws)
    labels = torch.zeros(1, dtype=torch.long)
    whole = generator(z, motion, labels, first_frame=-9, num_frames=70)
    start, stop = generator.motion_window(first, length)
    part = generator(
        z, motion[:, :, start - whole_start : stop - whole_start], labels, first_frame=first, num_frames=length
    )
    assert torch.allclose(part, whole[:, :, first + 9 : first + 9 + length], atol=1e-5)


def test_frames_far_from_a_step_of_motion_noise_do_not_depend_on_it():
    generator = build_generator(small(num_frames=16), 0)
    z, motion = latents(generator, 1, 0, 200)
    labels = torch.zeros(1, dtype=torch.long)
    before = generator(z, motion, labels, num_frames=200)
    motion[:, :, -1] += 3.0
    changed = (generator(z, motion, labels, num_frames=200) - before).abs().amax((0, 1, 3, 4)) > 0
    assert changed[-1]
    assert not changed[:100].any()


def test_noise_at_every_speed_has_unit_variance():
    signal = NoiseFilters()(torch.randn(1, 2, 20_000, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(signal.var(1), torch.ones(1, 8), atol=0.1)
    steps = (signal[:, 1:] - signal[:, :-1]).square().mean(1)[0]
    assert (steps[1:4] < steps[0:3]).all()  # each filter is slower than the one before


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (8, 11), (7, 5)])
def test_folding_pixels_is_undone_exactly(size):
    video = torch.randn(2, 3, 4, *size)
    assert torch.equal(unfold_pixels(fold_pixels(video), *size), video)


@pytest.mark.parametrize("size", [(8, 8), (7, 11)])
def test_pixels_and_changes_are_convolved_as_if_they_lay_side_by_side(size):
    layer = PixelsAndChanges(3, 5).double()
    torch.nn.init.normal_(layer.bias)
    video = torch.randn(2, 3, 4, *size, dtype=torch.double)
    beside = fold_pixels(torch.cat([video, video - video.mean(2, keepdim=True)], dim=1))
    expected = torch.nn.functional.conv3d(beside, layer.weight, layer.bias, padding=(0, 1, 1))
    assert torch.allclose(layer(video), expected)


def test_the_discriminator_sees_beside_each_pixel_how_far_it_is_from_its_mean_over_the_clip():
    discriminator = build_discriminator(small(), num_classes=0)
    still = torch.randn(2, 3, 1, 16, 16).expand(-1, -1, 8, -1, -1)
    moving = torch.randn(2, 3, 8, 16, 16)

    def logits():
        with torch.no_grad():
            return [discriminator(video, torch.zeros(2).long(), torch.zeros(2, 0)) for video in (still, moving)]

    seen = logits()
    with torch.no_grad():
        rearrange(discriminator.from_picture.weight, "o (fold both c) 1 k l -> both o fold c k l", both=2, c=3)[1] = 0
    still_alike, moving_alike = (torch.allclose(*pair) for pair in zip(seen, logits(), strict=True))
    assert still_alike
    assert not moving_alike
    assert build_discriminator(small(num_frames=1), num_classes=0).from_picture.in_channels == 4 * 3


def test_a_convolution_on_folded_pixels_is_the_one_at_full_size():
    layer = FullSizeConvolution(5, 3)
    torch.nn.init.normal_(layer.bias)
    video = torch.randn(2, 5, 4, 12, 14)
    folded = unfold_pixels(layer(fold_pixels(video)), 12, 14)
    torch.testing.assert_close(folded, F.conv3d(video, layer.weight, layer.bias, padding=(0, 1, 1)))


def test_a_convolution_that_grows_pictures_is_the_one_of_pictures_interpolated_to_full_size():
    layer = FullSizeConvolution(5, 3, grows=True)
    small = torch.randn(2, 5, 4, 6, 7)
    grown = unfold_pixels(layer(small), 12, 14)
    interpolated = F.conv3d(upsample_space(small, 12, 14, mode="bilinear"), layer.weight, padding=(0, 1, 1))
    torch.testing.assert_close(grown[..., 2:-2, 2:-2], interpolated[..., 2:-2, 2:-2])


def test_halving_the_rate_takes_means_of_pairs_and_keeps_a_last_odd_frame():
    ramp = torch.arange(5.0).reshape(1, 1, 5, 1, 1)
    assert downsample_time(ramp).flatten().tolist() == [0.5, 2.5, 4.0]


def test_a_rate_is_doubled_without_judder():
    slow = torch.arange(-2.0, 6).view(1, 1, 8, 1, 1).expand(2, 3, 8, 4, 4)  # frame j is j, the first is frame -2
    window = (-3, 9)
    assert slower(window) == (-2, 5)
    fast = at_twice_the_rate(slow[:, :, :7], -2, window)
    assert torch.equal(fast[0, 0, :, 0, 0], (torch.arange(*window) - 0.5) / 2)


def test_what_stays_the_same_begins_about_as_strong_as_what_moves():
    generator = build_generator(build_config({}), 4)
    style = generator.style(torch.randn(256, 64), torch.arange(256) % 4)
    assert 0.5 < style.var(0).mean() < 2.5
