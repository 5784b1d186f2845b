"""What is seen in frames: cuts to the frame, black and frozen stretches, and what must not be taken for them."""

import sys

import cv2
import numpy as np
import pytest

from vidgan.config import DataConfig
from vidgan.footage.look import FrameWatcher, content_hash, small_still
from vidgan.footage.parts import kept_parts
from vidgan.footage.scan import scan_footage
from vidgan.media.digest import digest

HEIGHT, WIDTH = 90, 160


def scene(seed, *, dark=1.0):
    """A still picture larger than a frame, uint8 [H, W, 3]: clouds and boxes of its own."""
    draws = np.random.default_rng(seed)
    coarse = [draws.random((size, 2 * size, 3)) / size for size in (3, 9, 30)]
    picture = sum(cv2.resize(layer, (4 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC) for layer in coarse)
    picture = (picture - picture.min()) / np.ptp(picture) * draws.uniform(0.4, 1, 3)
    for _ in range(8):
        top, left = draws.integers(0, 2 * HEIGHT - 40), draws.integers(0, 4 * WIDTH - 60)
        picture[top : top + 40, left : left + draws.integers(20, 60)] = draws.random(3)
    return picture * 255 * dark


def shot(seed, num_frames, *, speed=1, noise=2.0, dark=1.0):
    """A camera that moves sideways over a scene, with grain."""
    picture, draws = scene(seed, dark=dark), np.random.default_rng([seed, 1])
    views = [picture[20 : 20 + HEIGHT, speed * index :][:, :WIDTH] for index in range(num_frames)]
    return [np.clip(view + draws.normal(0, noise, view.shape), 0, 255).astype(np.uint8) for view in views]


def look(frames, *, cuts="adaptive", cut_threshold=None):
    watcher = FrameWatcher(cuts=cuts, cut_threshold=cut_threshold)
    for frame in frames:
        watcher.see(frame, digest([frame]))
    return watcher.result()


@pytest.mark.parametrize("method", ["adaptive", "content", "histogram", "hash"])
def test_a_cut_is_found_at_the_first_frame_of_the_new_shot(method):
    frames = shot(1, 30) + shot(2, 25) + shot(3, 40)
    assert look(frames, cuts=method).cuts == (30, 55)


def test_none_finds_no_cut():
    assert look(shot(1, 30) + shot(2, 25), cuts="none").cuts == ()


def test_a_higher_threshold_finds_fewer_cuts():
    frames = shot(1, 30) + shot(2, 25)
    assert look(frames, cuts="content", cut_threshold=20).cuts == (30,)
    assert look(frames, cuts="content", cut_threshold=200).cuts == ()


@pytest.mark.parametrize("speed", [0, 2, 6])
def test_a_moving_camera_is_no_cut(speed):
    assert look(shot(4, 60, speed=speed)).cuts == ()


@pytest.mark.parametrize("method", ["adaptive", "content", "hash"])
@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_a_flash_is_no_cut(method, num_frames):
    frames = shot(5, 60)
    for index in range(30, 30 + num_frames):
        frames[index] = (frames[index] * 0.3 + 178).astype(np.uint8)
    assert look(frames, cuts=method).cuts == ()


def test_a_flicker_is_no_cut():
    frames = [(frame * (1.0 if index // 4 % 2 else 0.35)).astype(np.uint8) for index, frame in enumerate(shot(6, 64))]
    assert look(frames).cuts == ()


def test_grain_is_no_cut():
    assert look(shot(7, 60, noise=25)).cuts == ()


def test_a_jump_in_quality_at_a_keyframe_is_no_cut():
    draws, frames = np.random.default_rng(0), shot(8, 90, speed=0, noise=0)
    for group in range(0, 90, 30):
        error = draws.normal(0, 12, frames[0].shape)
        for index in range(group, group + 30):
            frames[index] = np.clip(frames[index] + error, 0, 255).astype(np.uint8)
    assert look(frames).cuts == ()


def test_a_shot_is_never_shorter_than_eight_frames():
    cuts = look(shot(1, 30) + shot(2, 4) + shot(3, 30)).cuts
    assert len(cuts) == 1
    assert cuts[0] in (30, 34)


def test_nothing_is_compared_across_a_restart():
    watcher = FrameWatcher(cuts="adaptive", cut_threshold=None)
    for frame in shot(1, 30):
        watcher.see(frame, digest([frame]))
    watcher.restart()
    for frame in shot(2, 30) + shot(3, 30):
        watcher.see(frame, digest([frame]))
    assert watcher.result().cuts == (60,)


def test_a_long_black_stretch_is_marked_and_a_blink_is_not():
    black = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)]
    frames = shot(1, 20) + 15 * black + shot(1, 20) + 5 * black + shot(1, 20)
    assert look(frames).black == (range(20, 35),)


def test_compression_noise_does_not_hide_black():
    draws = np.random.default_rng(0)
    black = [draws.integers(0, 12, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(20)]
    assert look(black).black == (range(20),)


def test_a_source_that_is_black_altogether_is_marked_however_short():
    assert look(3 * [np.zeros((HEIGHT, WIDTH, 3), np.uint8)]).black == (range(3),)


def test_a_night_with_one_lit_window_is_not_black():
    night = np.full((HEIGHT, WIDTH, 3), 6, np.uint8)
    night[40:46, 70:76] = 120
    assert look(20 * [night]).black == ()


def test_a_held_picture_is_frozen_after_its_first_frame():
    frames = shot(1, 20)
    looks = look(frames + 20 * [frames[-1]] + shot(2, 20))
    assert looks.frozen == (range(20, 40),)


def test_a_held_picture_with_coding_noise_is_frozen():
    picture = shot(1, 1)[0]
    frames = []
    for index in range(30):
        held = picture.copy()
        held[index::40, ::7] ^= 1
        frames.append(held)
    assert look(frames).frozen == (range(1, 30),)


def test_a_small_thing_that_moves_is_not_frozen():
    frames = []
    for index in range(30):
        sky = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
        sky[20:22, 2 * index : 2 * index + 2] = 90
        frames.append(sky)
    assert look(frames).frozen == ()


def test_a_slow_fade_is_not_frozen():
    frames = [np.full((HEIGHT, WIDTH, 3), 60 + index // 2, np.uint8) for index in range(60)]
    assert look(frames).frozen == ()


def test_an_animation_that_holds_each_drawing_for_three_frames_is_not_frozen():
    drawings = shot(9, 12, speed=3)
    assert look([drawing for drawing in drawings for _ in range(3)]).frozen == ()


def test_one_frame_is_neither_frozen_nor_cut():
    looks = look(shot(1, 1))
    assert (looks.cuts, looks.black, looks.frozen) == ((), (), ())


def test_what_is_left_out_parts_a_shot_and_is_told():
    black = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)]
    looks = look(shot(1, 20) + 12 * black + shot(1, 20) + shot(2, 20))
    parts, reasons = kept_parts([range(60), range(60, 72)], looks, DataConfig())
    assert parts == [range(20), range(32, 52), range(52, 60), range(60, 72)]
    assert reasons == ["12 frames are black (20 to 31), left out"]
    parts, reasons = kept_parts([range(72)], looks, DataConfig(leave_out=()))
    assert (parts[0], reasons) == (range(52), []) or len(parts) > 1


def test_the_content_hash_is_of_the_frames_alone():
    one, other = look(shot(1, 30)), look(shot(2, 5) + shot(1, 30))
    assert content_hash(one.digests, 0, 30) == content_hash(other.digests, 5, 35)
    assert content_hash(one.digests, 0, 30) != content_hash(one.digests, 0, 29)


def test_what_is_kept_of_a_frame_is_a_few_bytes():
    watcher, frame = FrameWatcher(cuts="adaptive", cut_threshold=None), shot(1, 1)[0]
    for _ in range(2000):
        watcher.see(frame, digest([frame]))
    kept = sum(sys.getsizeof(value) for value in vars(watcher).values() if isinstance(value, bytearray | list))
    assert kept / 2000 < 40


def test_a_small_still_has_the_shape_of_the_picture_and_swaps_red_and_blue():
    picture = np.zeros((300, 640, 3), np.uint8)
    picture[..., 0] = 200
    small = small_still(picture)
    assert small.shape == (75, 160, 3)
    assert small[0, 0].tolist() == [0, 0, 200]
    assert small_still(picture[:1, :1]).shape == (1, 1, 3)


def test_the_cuts_of_a_concert_are_found(shared):
    folder = shared / "footage" / "shots"
    if not (folder / "concert_multishot.mp4").exists():
        pytest.skip("needs footage/shots of ../shared")
    known = (182, 242, 364, 394, 484, 551, 705, 740, 863, 922, 958, 1023, 1118, 1161, 1187, 1299, 1368, 1431)
    shots = [shot for shot in scan_footage(folder).shots if "concert" in shot.source]
    cuts = [shot.first for shot in shots[1:]]
    found = [cut for cut in known if any(abs(cut - first) <= 3 for first in cuts)]
    false = [first for first in cuts if all(abs(cut - first) > 3 for cut in known)]
    assert len(found) >= 14
    assert len(false) <= 4
    assert [shot.num_frames for shot in scan_footage(folder).shots if "dog" in shot.source] == [289]
