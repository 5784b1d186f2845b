"""The network that mends: it begins as its candidates, is convolutional, and never looks into a hole."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgan.config_files import build_config
from vidgan.errors import ConfigError
from vidgan.nn.alike import is_soft
from vidgan.nn.build import build_generator
from vidgan.nn.candidates import candidates_of, depth
from vidgan.nn.motion import LEAST_SIDE, moved, moved_between

NO_GRAIN = torch.zeros(1)


def network(num_frames=6, **data):
    data = {"height": 16, "width": 16, "num_frames": num_frames, "channels": 3} | data
    config = build_config({"data": data, "model": {"family": "repair", "generator_channels": 8, "max_channels": 16}})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_generator(config, 0).eval().requires_grad_(False)


def noise_for(video, seed=0, scale=1.0):
    shape = (len(video), 8, video.shape[2], video.shape[3] // 8, video.shape[4] // 8)
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def mean_of(repairer, video, hole, grain=0.0):
    return repairer(video, hole, torch.full((len(video),), grain), noise_for(video, scale=0.0))[0]


def some_video(count=1, num_frames=6, height=16, width=16):
    draws = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, num_frames, height, width, generator=draws) * 2 - 1


@settings(max_examples=40, deadline=None)
@given(clean=st.lists(st.booleans(), min_size=1, max_size=9))
def test_the_nearest_clean_pixels_are_those_that_a_search_finds(clean):
    num_frames = len(clean)
    video = torch.arange(1.0, num_frames + 1).view(1, 1, -1, 1, 1).expand(1, 1, num_frames, 4, 4)
    hole = torch.tensor([0.0 if each else 1.0 for each in clean]).view(1, 1, -1, 1, 1).expand(1, 1, num_frames, 4, 4)
    found = candidates_of(video, hole, NO_GRAIN)
    for time in range(num_frames):
        before = [other for other in range(time) if clean[other]]
        after = [other for other in range(time + 1, num_frames) if clean[other]]
        here = found.here[0, 0, time, 0, 0]
        nearest = [times[end] + 1 for times, end in ((before, -1), (after, 0)) if times]
        if clean[time] or not nearest:
            assert here == (time + 1 if clean[time] else 0)
        else:
            assert here.item() == pytest.approx(time + 1 if len(nearest) == 2 else nearest[0])
        assert found.before[0, 0, time, 0, 0] == (before[-1] + 1 if before else here)
        assert found.after[0, 0, time, 0, 0] == (after[0] + 1 if after else here)
        assert found.since[0, 0, time, 0, 0] == (time - before[-1] if before else 0)
        assert found.until[0, 0, time, 0, 0] == (after[0] - time if after else 0)


def test_a_hole_is_filled_smoothly_from_around_it():
    ramp = torch.linspace(-1, 1, 32).expand(1, 1, 1, 32, 32)
    hole = torch.zeros(1, 1, 1, 32, 32)
    hole[..., 10:18, 12:20] = 1
    filled = candidates_of(ramp * (1 - hole) + 9 * hole, hole, NO_GRAIN).here
    assert (filled - ramp).abs().max() < 0.05
    assert torch.equal(filled[hole == 0], ramp[hole == 0])


def test_a_small_hole_is_filled_as_a_stretched_film_would():
    places = torch.linspace(-1, 1, 32)
    saddle = (places[:, None] * places).view(1, 1, 1, 32, 32)
    hole = torch.zeros(1, 1, 1, 32, 32)
    hole[..., 4:7, 20:23] = 1
    assert (candidates_of(saddle, hole, NO_GRAIN).here - saddle).abs().max() < 0.005


def test_the_depth_in_a_hole_is_half_the_harmonic_mean_of_the_distances_to_what_is_clean():
    clean = torch.ones(1, 1, 2, 16, 16, dtype=torch.bool)
    clean[:, :, 0, 2:11, 4:13] = False
    clean[:, :, 0, 14, 1:3] = False
    deep = depth(clean)[0, 0]
    assert deep[0, 6, 8].item() == pytest.approx(2.5)
    assert deep[0, 14, 1].item() == pytest.approx(2 / (1 + 1 + 1 + 1 / 2))
    assert (deep[1] == 1).all()
    torch.testing.assert_close(depth(clean.transpose(3, 4))[0, 0], deep.transpose(1, 2))
    assert depth(torch.zeros_like(clean)).max() == 16


def found_in(video):
    """Where damage is found in a video before anything is learnt, bool [T, H, W]."""
    nothing = torch.zeros_like(video[:, :1])
    return network(len(video[0, 0]))(video, nothing, torch.zeros(1), noise_for(video))[1][0, 0] > 0


def some_footage(num_frames=12):
    """Soft shapes that drift, float32 [1, 3, T, 48, 48]."""
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    frames = [torch.sin(rows / 7 + time / 3) * torch.cos(columns / 9 - time / 4) for time in range(num_frames)]
    return 0.5 * torch.stack(frames).expand(1, 3, num_frames, 48, 48).clone()


def test_before_it_has_learnt_it_finds_specks_scratches_and_lost_lines_and_nothing_else():
    video, damaged = some_footage(), torch.zeros(12, 48, 48, dtype=torch.bool)
    assert not found_in(video).any()
    damaged[3, 10:12, 30:32] = True  # a speck
    damaged[:, 4:44, 20] = True  # a scratch, in all frames
    damaged[7, 35, :] = True  # a lost line, in one
    found = found_in(torch.where(damaged, 0.95, video))
    assert found[damaged].float().mean() > 0.9
    assert found[~damaged].float().mean() < 0.01


def test_before_it_has_learnt_it_finds_frames_that_show_the_one_before_again_and_no_others():
    video = some_footage()
    video[:, :, 5], video[:, :, 9] = video[:, :, 4], video[:, :, 8]
    assert [time for time, frame in enumerate(found_in(video)) if frame.float().mean() > 0.5] == [5, 9]
    assert not found_in(video[:, :, :1].expand_as(video)).any()  # footage in which nothing moves


def test_the_mean_over_time_loses_noise_where_nothing_moves_and_keeps_what_moves():
    truth = -0.5 * torch.ones(1, 3, 15, 24, 24)
    for time in range(15):
        truth[:, :, time, 4:14, time : time + 8] = 0.7
    noisy = truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    mean = candidates_of(noisy, torch.zeros(1, 1, 15, 24, 24), torch.tensor([0.1])).mean
    rests = (mean - truth)[:, :, :, 17:].std()
    assert rests < 0.045  # 0.1 / sqrt(8) where a clip ends, less within
    assert (mean - truth)[:, :, 3:12, 7:11].abs().mean() < 0.1


def test_where_there_is_grain_a_pixel_is_averaged_with_those_nearby_that_look_alike():
    truth = torch.where(torch.arange(32) < 16, -0.5, 0.5).expand(1, 3, 1, 32, 32)
    noisy = truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    nothing = torch.zeros(1, 1, 1, 32, 32)
    assert (candidates_of(noisy, nothing, torch.tensor([0.1])).mean - truth).std() < 0.035
    assert torch.equal(candidates_of(noisy, nothing, NO_GRAIN).mean, noisy)


def test_soft_grain_is_told_from_white_noise_and_averaged_with_what_has_another():
    draws = torch.Generator().manual_seed(0)
    truth = torch.linspace(-0.5, 0.5, 32).expand(2, 3, 4, 32, 32)
    white, soft = torch.randn(2, 1, 3, 4, 34, 34, generator=draws)
    soft = F.avg_pool3d(soft, (1, 3, 3), stride=1) * 3  # sums of nine
    noise = 0.1 * torch.cat([white[..., 1:-1, 1:-1], soft])
    nothing, grain = torch.zeros(2, 1, 4, 32, 32), torch.tensor([0.1, 0.1])
    assert is_soft(truth + noise, nothing + 1, grain).tolist() == [False, True]
    mean = candidates_of(truth + noise, nothing, grain).mean
    assert (mean - truth)[0].std() < 0.03
    assert (mean - truth)[1].std() < 0.05
    assert not is_soft(truth, nothing + 1, 0 * grain).any()


def in_the_hole(video, num_frames=9, mender=None):
    """What a hole in the middle of a video becomes, of itself before anything is learnt, and what is true there."""
    hole = torch.zeros(1, 1, num_frames, 24, 24)
    hole[:, :, 4, 8:14, 8:14] = 1
    mended = mean_of(mender or network(num_frames), video, hole)
    return mended[:, :, 4, 8:14, 8:14], video[:, :, 4, 8:14, 8:14]


def test_before_it_has_learnt_it_copies_through_time_where_nothing_moves():
    rests = torch.rand(1, 3, 1, 24, 24, generator=torch.Generator().manual_seed(0)).expand(1, 3, 9, 24, 24) * 2 - 1
    made, truth = in_the_hole(rests)
    assert (made - truth).abs().mean() < 0.1


def flickering():
    """A ramp whose brightness jumps from frame to frame."""
    ramp = torch.linspace(-1, 1, 24).expand(1, 3, 9, 24, 24) * 0.5
    return ramp + 0.4 * (torch.arange(9) % 2 * 2 - 1).view(1, 1, 9, 1, 1)


def test_before_it_has_learnt_it_takes_what_lies_around_where_frames_differ():
    made, truth = in_the_hole(flickering())
    assert (made - truth).abs().mean() < 0.1


def test_what_it_has_learnt_does_not_overrule_what_clean_pixels_show():
    mender = network(9)
    with torch.no_grad():
        mender.to_pixels.bias.view(4, -1)[:, 1:3] += 100  # copy through time, whatever comes
    made, truth = in_the_hole(flickering(), mender=mender)
    assert (made - truth).abs().mean() < 0.15


def test_a_picture_moves_by_the_offsets_in_pixels():
    picture = some_video()[:, :, 0]
    offsets = torch.zeros(1, 2, 16, 16)
    torch.testing.assert_close(moved(picture, offsets), picture)
    offsets[:, 0], offsets[:, 1] = 3, -2
    torch.testing.assert_close(moved(picture, offsets)[..., 2:, :-3], picture[..., :-2, 3:])


def panned(num_frames, step, side=48):
    """A smooth picture that moves `step` pixels a frame to the left."""
    picture = torch.rand(1, 3, side // 12, side // 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    picture = F.interpolate(picture, scale_factor=12, mode="bicubic").clamp(-1, 1)
    return torch.stack([picture[..., index * step : index * step + side] for index in range(num_frames)], dim=2)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_between_two_pictures_each_shows_what_moves_where_it_then_is(share):
    video = panned(5, 2)
    truth = video[:, :, int(4 * share)]
    made = moved_between(video[:, :, 0], video[:, :, 4], torch.full((1, 1, 48, 48), share))
    for each, plain in zip(made, (video[:, :, 0], video[:, :, 4]), strict=True):
        inside = (..., slice(10, -10), slice(10, -10))
        assert (each - truth)[inside].abs().mean() < 0.2 * (plain - truth)[inside].abs().mean()


def test_pictures_too_small_to_search_stay_where_they_are():
    one, other = panned(2, 3, side=LEAST_SIDE - 4).unbind(2)
    made = moved_between(one, other, torch.full((1, 1, *one.shape[2:]), 0.5))
    torch.testing.assert_close(made, (one, other))


@pytest.mark.parametrize("rows", [48, 42], ids=["whole frames", "frames beside what no frame shows"])
def test_before_it_has_learnt_it_moves_frames_into_a_gap_along_the_motion(rows):
    video = panned(9, 2)
    hole = torch.zeros(1, 1, 9, 48, 48)
    hole[:, :, 3:6], hole[..., rows:, :] = 1, 1
    mended = mean_of(network(9), video * (1 - hole), hole)
    middle = (..., slice(3, 6), slice(12, -12), slice(12, -12))
    blended = torch.stack([torch.lerp(video[:, :, 2], video[:, :, 6], share) for share in (0.25, 0.5, 0.75)], dim=2)
    error, of_blending = (mended - video)[middle], (blended - video[:, :, 3:6])[middle[:1] + middle[2:]]
    assert error.abs().mean() < 0.5 * of_blending.abs().mean()


def test_before_it_has_learnt_it_mixes_the_nearest_clean_frames_by_their_distance():
    video = torch.linspace(-0.8, 0.8, 9).view(1, 1, 9, 1, 1).expand(1, 3, 9, 16, 16)
    hole = torch.zeros(1, 1, 9, 16, 16)
    hole[:, :, 3:6] = 1
    mended = mean_of(network(9), torch.where(hole > 0, 7.0, video), hole)
    assert (mended - video)[:, :, 3:6].abs().max() < 0.08
    still = mean_of(network(9), video, torch.zeros_like(hole))
    assert (still - video).abs().max() < 0.25  # a clean pixel is for the most part what it was


def test_what_a_hole_holds_is_not_looked_at():
    repairer, video = network(), some_video(2)
    hole = torch.zeros(2, 1, 6, 16, 16)
    hole[:, :, 1:4, 4:12, 4:12] = 1
    other = torch.where(hole > 0, torch.nan, video)
    for one, two in zip(
        repairer(video, hole, torch.zeros(2), noise_for(video)),
        repairer(other, hole, torch.zeros(2), noise_for(video)),
        strict=True,
    ):
        assert torch.equal(one, two)


def test_noise_decides_in_holes_and_nowhere_else():
    repairer, video = network(), some_video()
    hole = torch.zeros(1, 1, 6, 16, 16)
    hole[..., 4:12, 4:12] = 1
    one, two = (repairer(video, hole, torch.zeros(1), noise_for(video, seed))[0] for seed in (1, 2))
    inside = hole.expand_as(one) > 0
    assert (one - two)[inside].abs().mean() > 0.01
    assert torch.equal(one[~inside], two[~inside])


def test_noise_of_zeros_is_what_the_network_expects():
    repairer, video = network(), some_video()
    hole = torch.ones(1, 1, 6, 16, 16)
    mended = repairer(video, hole, torch.zeros(1), noise_for(video, scale=0), in_parts=True)
    assert torch.equal(mended.video, mended.mean)


def test_before_it_has_learnt_alternatives_show_what_candidates_show_and_nothing_else():
    repairer, video = network(), some_video()
    hole = torch.zeros(1, 1, 6, 16, 16)
    hole[:, :, 1:4, 4:12, 4:12] = 1
    found = candidates_of(video, hole, NO_GRAIN)
    pictures = torch.stack([found.here, found.before, found.after, found.mean])
    for seed in range(4):
        made = repairer(video, hole, NO_GRAIN, noise_for(video, seed, scale=3.0))[0]
        assert (made - pictures.amax(0)).amax() < 0.2
        assert (pictures.amin(0) - made).amax() < 0.2


def test_where_candidates_agree_alternatives_do():
    rests = torch.rand(1, 3, 1, 24, 24, generator=torch.Generator().manual_seed(0)).expand(1, 3, 9, 24, 24) * 2 - 1
    repairer, hole = network(9), torch.zeros(1, 1, 9, 24, 24)
    hole[:, :, 4] = 1
    one, two = (repairer(rests, hole, NO_GRAIN, noise_for(rests, seed), in_parts=True).chosen for seed in (1, 2))
    assert (one - two).abs().amax() < 1e-4


def test_where_it_doubts_less_noise_adds_less():
    repairer, video = network(), some_video()
    hole = torch.ones(1, 1, 6, 16, 16)
    mended = repairer(video, hole, torch.zeros(1), noise_for(video), in_parts=True)
    added, sure = mended.video - mended.chosen, mended._replace(log_doubt=mended.log_doubt - 3)
    assert (sure.video - sure.chosen - sure.mean).abs().mean() < 0.1 * (added - mended.mean).abs().mean()


@pytest.mark.parametrize(("num_frames", "height", "width"), [(1, 8, 8), (3, 24, 40), (17, 16, 64)])
def test_clips_of_any_length_and_any_size_that_is_a_multiple_are_mended(num_frames, height, width):
    repairer, video = network(), some_video(1, num_frames, height, width)
    hole = torch.zeros(1, 1, num_frames, height, width)
    hole[..., 2:6, 2:6] = 1
    mended, logits = repairer(video, hole, torch.zeros(1), noise_for(video))
    assert mended.shape == video.shape
    assert logits.shape == hole.shape
    assert mended.isfinite().all()


@pytest.mark.parametrize("full", [False, True])
def test_a_clip_that_is_all_hole_and_one_without_are_mended_without_infinities(full):
    video = some_video()
    mended, logits = network()(video, torch.full((1, 1, 6, 16, 16), float(full)), torch.zeros(1), noise_for(video))
    assert mended.isfinite().all()
    assert logits.isfinite().all()


def test_clips_are_mended_alike_alone_or_among_others():
    repairer, video = network(), some_video(3)
    hole = (torch.rand(3, 1, 6, 16, 16, generator=torch.Generator().manual_seed(2)) < 0.3).float()
    grain, noise = torch.tensor([0.0, 0.2, 0.0]), noise_for(video)
    together = repairer(video, hole, grain, noise)
    alone = repairer(video[1:2], hole[1:2], grain[1:2], noise[1:2])
    for one, two in zip(together, alone, strict=True):
        torch.testing.assert_close(one[1:2], two, atol=1e-5, rtol=0)


def test_far_from_a_pixel_nothing_decides_about_it():
    repairer = network(40)
    video = some_video(1, 40)
    hole = torch.zeros(1, 1, 40, 16, 16)
    other = video.clone()
    other[:, :, 0] = 0
    one, two = (mean_of(repairer, each, hole) for each in (video, other))
    assert (one - two)[:, :, 0].abs().max() > 0.01
    torch.testing.assert_close(one[:, :, 30:], two[:, :, 30:], atol=1e-5, rtol=0)


def test_sides_that_are_no_multiples_are_refused_in_words():
    with pytest.raises(ConfigError, match=r"data.height is 36: networks that mend need multiples of 8"):
        build_config({"data": {"height": 36}, "model": {"family": "repair"}})
