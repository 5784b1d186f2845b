"""Cuts are found to the frame, and nothing else is taken for one."""

import sys

import cv2
import numpy as np
import pytest

from vidgan.errors import RequestError
from vidgan.footage.cuts import LEAST_FRAMES_BETWEEN_CUTS, CutFinder
from vidgan.footage.look import FrameWatcher

HEIGHT, WIDTH = 90, 160


def scene(seed):
    """A still picture larger than a frame, [H, W, 3]: clouds and boxes of its own."""
    draws = np.random.default_rng(seed)
    coarse = [draws.random((size, 2 * size, 3)) / size for size in (5, 12, 40)]
    picture = sum(cv2.resize(layer, (5 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC) for layer in coarse)
    picture = (picture - picture.min()) / np.ptp(picture) * 255
    for _ in range(30):
        top, left = draws.integers(0, 2 * HEIGHT - 40), draws.integers(0, 5 * WIDTH - 60)
        picture[top : top + 40, left : left + draws.integers(20, 60)] = 255 * draws.random(3)
    return picture


def shot(seed, num_frames, *, step=1, hold=1, grain=2.0):
    """A camera that moves `step` pixels a picture; each picture is held for `hold` frames, grain and all."""
    picture, draws = scene(seed), np.random.default_rng([seed, 1])
    frames = []
    for index in range(num_frames):
        if index % hold == 0:
            view = picture[30 : 30 + HEIGHT, step * (index // hold) :][:, :WIDTH]
            frames.append(levels(view + draws.normal(0, grain, view.shape)))
        else:
            frames.append(frames[-1])
    return frames


def levels(picture):
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def flat(colour, num_frames=20):
    return num_frames * [np.full((HEIGHT, WIDTH, 3), colour, np.uint8)]


def dissolve(one, other, num_frames):
    """The last frames of `one` and the first of `other` mixed; the middle is at len(one) - num_frames / 2."""
    weights = np.arange(1, num_frames + 1) / (num_frames + 1)
    pairs = zip(weights, one[-num_frames:], other, strict=False)
    return one[:-num_frames] + [levels(a * (1 - w) + b * w) for w, a, b in pairs] + other[num_frames:]


def cuts(frames, method="adaptive", threshold=None):
    watcher = FrameWatcher(cuts=method, cut_threshold=threshold)
    for frame in frames:
        watcher.see(frame, bytes(16))
    return watcher.result().cuts


# What is a cut


@pytest.mark.parametrize("method", ["adaptive", "content", "hash"])
def test_a_cut_is_the_first_frame_of_the_new_shot(method):
    assert cuts(shot(1, 30) + shot(2, 25) + shot(3, 40), method) == (30, 55)


def test_pictures_of_one_colour_are_cut_though_no_brighter():
    assert cuts(flat((255, 0, 0)) + flat((0, 0, 255)) + flat((0, 255, 0))) == (20, 40)


def test_stills_held_for_long_are_cut():
    assert cuts([shot(seed, 1)[0] for seed in range(4) for _ in range(15)]) == (15, 30, 45)


def test_grainy_pictures_of_64_pixels_are_cut():
    frames = [cv2.resize(frame, (64, 64)) for frame in shot(1, 30, grain=20) + shot(2, 30, grain=20)]
    assert cuts(frames) == (30,)


def test_a_night_is_cut():
    frames = [levels(frame * 0.15) for frame in shot(1, 30) + shot(2, 30)]
    assert cuts(frames) == (30,)


@pytest.mark.parametrize("num_frames", [12, 18, 24])
def test_a_dissolve_is_cut_near_its_middle(num_frames):
    (cut,) = cuts(dissolve(shot(1, 60), shot(2, 60), num_frames))
    assert abs(cut - (60 - num_frames / 2)) <= 4


def test_a_cut_three_frames_before_the_end_is_found():
    assert cuts(shot(1, 30) + shot(2, 3)) == (30,)


# What is none


@pytest.mark.parametrize("step", [0, 1, 3, 9])
def test_a_camera_that_moves_makes_no_cut(step):
    assert cuts(shot(4, 60, step=step)) == ()


@pytest.mark.parametrize("hold", [2, 3, 4])
def test_animation_that_holds_its_pictures_makes_no_cut(hold):
    assert cuts(shot(4, 72, step=8, hold=hold)) == ()


@pytest.mark.parametrize("step", [0, 4])
@pytest.mark.parametrize("num_frames", [1, 2, 3])
@pytest.mark.parametrize("method", ["adaptive", "content", "hash"])
def test_a_flash_makes_no_cut(method, num_frames, step):
    frames = shot(5, 60, step=step)
    for index in range(30, 30 + num_frames):
        frames[index] = levels(frames[index] * 0.3 + 178)
    assert cuts(frames, method) == ()


@pytest.mark.parametrize("num_frames", [1, 2, 3])
@pytest.mark.parametrize("method", ["adaptive", "content", "hash"])
def test_a_few_foreign_frames_make_no_cut(method, num_frames):
    frames = shot(5, 60)
    frames[30 : 30 + num_frames] = shot(6, num_frames)
    assert cuts(frames, method) == ()


@pytest.mark.parametrize("period", [1, 2, 3, 4, 6, 8])
def test_strobing_light_makes_no_cut(period):
    frames = [levels(frame * (0.9 if index // period % 2 else 0.35)) for index, frame in enumerate(shot(6, 64))]
    assert cuts(frames) == ()


def test_a_lamp_that_is_switched_on_makes_no_cut():
    frames = shot(6, 60)
    assert cuts([levels(frame * 0.3) for frame in frames[:30]] + frames[30:]) == ()


def test_fades_and_changes_of_exposure_make_no_cut():
    for gains in (
        np.linspace(0, 1, 72),
        np.linspace(1, 0, 72),
        np.clip(np.arange(72) / 16, 0, 1),
        np.geomspace(1, 3, 72),
    ):
        assert cuts([levels(frame * gain * 0.5) for frame, gain in zip(shot(7, 72), gains, strict=True)]) == ()


@pytest.mark.parametrize("dark", [0.0, 0.3])
def test_a_shot_that_fades_in_once_makes_no_dissolve(dark):
    draws = np.random.default_rng(0)
    gains = dark + (1 - dark) * np.clip((np.arange(120) - 48) / 24, 0, 1)
    frames = zip(shot(7, 120, step=0), gains, strict=True)
    assert cuts([levels(frame * gain + draws.normal(3, 2, frame.shape)) for frame, gain in frames]) == ()


def test_soft_shapes_that_pass_make_no_dissolve():
    soft = cv2.GaussianBlur(scene(8), (0, 0), 25)
    soft = (soft - soft.min()) / np.ptp(soft) * 255
    for step in (1, 2, 3):
        assert cuts([levels(soft[30 : 30 + HEIGHT, step * index :][:, :WIDTH]) for index in range(120)]) == ()


def test_hues_that_jump_in_the_dark_make_no_cut():
    draws, dark = np.random.default_rng(0), [levels(frame * 0.1) for frame in shot(9, 90, step=0)]
    for index in range(90):
        if index % 30 == 0:
            error = draws.integers(-3, 4, dark[0].shape)
        dark[index] = levels(dark[index] + error)
    assert cuts(dark) == ()


# How it is asked


def test_none_finds_nothing():
    assert cuts(shot(1, 30) + shot(2, 30), "none") == ()


def test_the_threshold_is_used():
    frames = shot(1, 30, step=6) + shot(2, 30, step=6)
    for method, low, high in (("adaptive", 2.0, 60.0), ("content", 15.0, 150.0), ("hash", 0.2, 0.99)):
        assert 30 in cuts(frames, method, low)
        assert cuts(frames, method, high) == ()


@pytest.mark.parametrize(("method", "threshold"), [("fancy", None), ("adaptive", 0.0), ("hash", -1.0)])
def test_what_makes_no_sense_is_refused(method, threshold):
    with pytest.raises(RequestError, match="expected"):
        FrameWatcher(cuts=method, cut_threshold=threshold)


def test_of_cuts_too_near_the_first_is_kept():
    near, far = LEAST_FRAMES_BETWEEN_CUTS - 1, LEAST_FRAMES_BETWEEN_CUTS
    assert cuts(shot(1, 30) + shot(2, near) + shot(3, 30)) == (30,)
    assert cuts(shot(1, 30) + shot(2, far) + shot(3, 30)) == (30, 30 + far)


def test_nothing_is_compared_across_a_restart_and_positions_go_on():
    watcher = FrameWatcher(cuts="adaptive", cut_threshold=None)
    for run in (shot(1, 30), shot(2, 30) + shot(3, 30)):
        for frame in run:
            watcher.see(frame, bytes(16))
        watcher.restart()
    assert watcher.result().cuts == (60,)


def test_a_restart_allows_another_size():
    watcher = FrameWatcher(cuts="adaptive", cut_threshold=None)
    for size in ((64, 64), (120, 80)):
        for frame in shot(1, 20):
            watcher.see(cv2.resize(frame, size), bytes(16))
        watcher.restart()
    assert watcher.result().cuts == ()


def test_memory_does_not_grow_with_the_frames():
    def held(value, seen):
        if id(value) in seen:
            return 0
        seen.add(id(value))
        parts = list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []
        if isinstance(value, list | tuple | set) or type(value).__name__ == "deque":
            parts += list(value)
        return sys.getsizeof(value) + sum(held(part, seen) for part in parts)

    for method in ("adaptive", "content", "histogram", "hash"):
        finder, frames, sizes = CutFinder(method, None), shot(1, 60), []
        for index in range(600):
            finder.see(index, frames[index % 60 if index // 60 % 2 else 59 - index % 60], repeats=False)
            if index in (119, 599):
                sizes.append(held(finder, set()))
        assert sizes[1] <= sizes[0] + 2000


def test_real_single_shots_have_no_cut(shared):
    from vidgan.media.movies import read_movie

    folder = shared / "footage"
    for name in ("elements/fire/flame.mp4", "people/help.mkv", "actions/jack/p03.mp4"):
        if not (folder / name).exists():
            pytest.skip(f"needs footage/{name} of ../shared")
        assert cuts([frame.small(160) for frame in read_movie(folder / name)]) == ()
