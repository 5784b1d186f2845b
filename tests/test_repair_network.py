"""The network that mends: it begins as its candidates, is convolutional, and never looks into a hole."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgan.config_files import build_config
from vidgan.errors import ConfigError
from vidgan.nn.build import build_generator
from vidgan.nn.candidates import candidates_of, moved

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


def test_the_mean_over_time_loses_noise_where_nothing_moves_and_keeps_what_moves():
    truth = -0.5 * torch.ones(1, 3, 15, 24, 24)
    for time in range(15):
        truth[:, :, time, 4:14, time : time + 8] = 0.7
    noisy = truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    mean = candidates_of(noisy, torch.zeros(1, 1, 15, 24, 24), torch.tensor([0.1])).mean
    rests = (mean - truth)[:, :, :, 17:].std()
    assert rests < 0.045  # 0.1 / sqrt(8) where a clip ends, less within
    assert (mean - truth)[:, :, 3:12, 7:11].abs().mean() < 0.1


def in_the_hole(video, num_frames=9):
    """What a hole in the middle of a video becomes before anything is learnt, and what is true there."""
    hole = torch.zeros(1, 1, num_frames, 24, 24)
    hole[:, :, 4, 8:14, 8:14] = 1
    mended = mean_of(network(num_frames), video, hole)
    return mended[:, :, 4, 8:14, 8:14], video[:, :, 4, 8:14, 8:14]


def test_before_it_has_learnt_it_copies_through_time_where_nothing_moves():
    rests = torch.rand(1, 3, 1, 24, 24, generator=torch.Generator().manual_seed(0)).expand(1, 3, 9, 24, 24) * 2 - 1
    made, truth = in_the_hole(rests)
    assert (made - truth).abs().mean() < 0.1


def test_before_it_has_learnt_it_takes_what_lies_around_where_frames_differ():
    flickers = torch.linspace(-1, 1, 24).expand(1, 3, 9, 24, 24) * 0.5
    flickers = flickers + 0.4 * (torch.arange(9) % 2 * 2 - 1).view(1, 1, 9, 1, 1)
    made, truth = in_the_hole(flickers)
    assert (made - truth).abs().mean() < 0.1


def test_a_picture_moves_by_the_offsets_in_pixels():
    video = some_video()
    offsets = torch.zeros(1, 2, 6, 16, 16)
    torch.testing.assert_close(moved(video, offsets), video)
    offsets[:, 0], offsets[:, 1] = 3, -2
    torch.testing.assert_close(moved(video, offsets)[..., 2:, :-3], video[..., :-2, 3:])


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


def test_noise_of_zeros_is_the_mean_of_the_alternatives():
    repairer, video = network(), some_video()
    hole = torch.ones(1, 1, 6, 16, 16)
    mean = mean_of(repairer, video, hole)
    there, back = (repairer(video, hole, torch.zeros(1), noise_for(video, scale=sign))[0] for sign in (1, -1))
    torch.testing.assert_close((there + back) / 2, mean, atol=1e-5, rtol=0)


def test_where_it_doubts_less_alternatives_differ_less():
    repairer, video = network(), some_video()
    hole = torch.ones(1, 1, 6, 16, 16)
    given = (video, hole, torch.zeros(1), noise_for(video))
    mended = repairer(*given, in_parts=True)
    sure = mended._replace(log_doubt=mended.log_doubt - 3)
    assert (sure.video - sure.mean).abs().mean() < 0.1 * (mended.video - mended.mean).abs().mean()


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
