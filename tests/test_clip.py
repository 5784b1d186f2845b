"""One alphabet: layouts, ranges, the span, and conversions that lose nothing."""

import numpy as np
import pytest
import torch

from vidgan.clip import LUMA_WEIGHTS, check_video, clip_to_frames, frames_to_clip, span, to_float, to_uint8
from vidgan.errors import RequestError

LEVELS = torch.arange(256, dtype=torch.uint8)


def test_all_256_levels_come_back_as_they_were():
    frames = LEVELS.reshape(4, 8, 8, 1).repeat(1, 1, 1, 3).numpy()
    assert (clip_to_frames(frames_to_clip(frames)) == frames).all()
    assert torch.equal(to_uint8(to_float(LEVELS)), LEVELS)


def test_black_is_minus_one_and_white_is_one():
    values = to_float(LEVELS)
    assert (values[0], values[255], values.dtype) == (-1, 1, torch.float32)
    assert torch.allclose(values.diff(), torch.tensor(1 / 127.5))


def test_between_two_levels_the_nearer_one_is_taken():
    values = to_float(LEVELS).double()
    step = 1 / 127.5
    assert torch.equal(to_uint8(values + 0.45 * step), LEVELS)
    assert torch.equal(to_uint8(values - 0.45 * step), LEVELS)
    assert torch.equal(to_uint8(values[:-1] + 0.55 * step), LEVELS[1:])


def test_values_outside_are_clamped_and_do_not_wrap():
    assert to_uint8(torch.tensor([-7.0, -1.01, 1.01, 7.0, float("inf")])).tolist() == [0, 0, 255, 255, 255]


def test_levels_are_exact_in_half_precision_of_the_network():
    flat = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.bfloat16, requires_grad=True)
    assert to_uint8(flat).tolist() == [0, 128, 255]


def test_each_axis_goes_to_its_place():
    frames = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
    clip = frames_to_clip(frames)
    assert clip.shape == (3, 5, 6, 7)
    assert clip[2, 4, 1, 3] == to_float(torch.tensor(frames[4, 1, 3, 2]))
    back = clip_to_frames(clip)
    assert (back.dtype, back.shape) == (np.uint8, frames.shape)
    assert (back == frames).all()


def test_a_span_counts_the_first_and_the_last_frame():
    assert [span(4, 3), span(16, 1), span(1, 5), span(2, 5)] == [10, 16, 1, 6]
    for num_frames in range(1, 6):
        for frame_stride in range(1, 5):
            assert len(range(span(num_frames, frame_stride))[::frame_stride]) == num_frames
            assert len(range(span(num_frames, frame_stride) - 1)[::frame_stride]) == num_frames - 1


def test_luma_weights_leave_white_white():
    assert sum(LUMA_WEIGHTS) == pytest.approx(1)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 4, 8, 36, 64), "video [b c t h w] has c=4 (expected 3)"),
        ((2, 3, 9, 36, 64), "video [b c t h w] has t=9 (expected 8)"),
        ((2, 3, 8, 64, 36), "video [b c t h w] has h=64 (expected 36)"),
        ((2, 3, 8, 36, 63), "video [b c t h w] has w=63 (expected 64)"),
        ((3, 8, 36, 64), "video has 4 axes (3, 8, 36, 64) (expected 5: b c t h w)"),
    ],
)
def test_a_video_of_another_shape_is_refused_in_words(shape, words):
    with pytest.raises(RequestError) as error:
        check_video(torch.zeros(shape), channels=3, height=36, width=64, num_frames=8)
    assert str(error.value) == words


def test_a_video_may_be_of_any_length_unless_one_is_asked_for():
    check_video(torch.zeros(2, 3, 8, 36, 64), channels=3, height=36, width=64, num_frames=8)
    check_video(torch.zeros(1, 1, 77, 9, 8), channels=1, height=9, width=8)
