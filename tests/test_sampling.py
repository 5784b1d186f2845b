"""A seed is a take: the same pixels in any batch, at any length, whenever it is rendered."""

import numpy as np
import pytest
import torch

from vidgan.config_files import build_config
from vidgan.errors import RequestError
from vidgan.nn.build import build_generator
from vidgan.sampling.latents import content_latent, motion_noise, parse_seeds, unit_normal
from vidgan.sampling.render import class_of_seed, parse_classes, render_take
from vidgan.weights import LoadedGenerator, Provenance


@pytest.fixture(scope="module")
def loaded():
    config = build_config(
        {
            "data": {"height": 16, "width": 24, "num_frames": 8, "classes": "folders"},
            "model": {"generator_channels": 8, "max_channels": 8},
        }
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = build_generator(config, 2).eval()
    provenance = Provenance(config, rate=None, class_names=("fire", "walk"), manifest_hash="", num_clips=0)
    return LoadedGenerator(generator, provenance, weights_hash="", path=None)


def take(loaded, seed, label=0, num_frames=8):
    return np.stack(list(render_take(loaded, seed, label, num_frames)))


def test_latents_are_what_they_were_when_this_was_written():
    # Guards against a library changing its random stream: every take ever approved would change with it.
    expected = [0.09770063, 0.84052134, -1.41962361]
    assert content_latent(7, 3).tolist() == pytest.approx(expected, rel=1e-6)


def test_latents_are_unit_normal_and_differ_from_seed_to_seed():
    numbers = unit_normal([3, 0], 100_000)
    assert abs(numbers.mean()) < 0.01
    assert numbers.std() == pytest.approx(1, abs=0.01)
    assert abs(np.corrcoef(numbers, unit_normal([4, 0], 100_000))[0, 1]) < 0.01


def test_a_step_of_motion_noise_is_the_same_in_every_window_even_before_frame_0():
    whole = motion_noise(5, 4, -20, 30)
    assert torch.equal(motion_noise(5, 4, -3, 12), whole[:, 17:32])


def test_a_take_is_the_same_every_time_and_another_seed_is_another_take(loaded):
    assert np.array_equal(take(loaded, 7), take(loaded, 7))
    assert not np.array_equal(take(loaded, 7), take(loaded, 8))


def test_a_longer_take_begins_with_the_shorter_one_to_the_pixel(loaded):
    long = take(loaded, 7, num_frames=21)
    assert long.shape == (21, 16, 24, 3)
    for num_frames in (1, 8, 13):
        assert np.array_equal(take(loaded, 7, num_frames=num_frames), long[:num_frames])


def test_the_seam_between_two_stretches_is_that_of_a_clip_made_in_one_piece(loaded):
    generator = loaded.generator
    start, stop = generator.motion_window(0, 24)
    with torch.no_grad():
        video = generator(
            content_latent(7, generator.content_dim)[None],
            motion_noise(7, generator.motion_dim, start, stop)[None],
            torch.tensor([0]),
            num_frames=24,
        )
    whole = ((video[0].permute(1, 2, 3, 0) + 1) * 127.5).clamp(0, 255).numpy()
    assert np.abs(take(loaded, 7, num_frames=24) - whole).max() <= 0.5 + 1e-2


def test_without_classes_a_seed_has_one_of_its_own(loaded):
    assert [class_of_seed(seed, loaded.provenance) for seed in (1, 2, 3)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "seeds"), [("1-4", [1, 2, 3, 4]), ("7", [7]), ("3,17,42", [3, 17, 42]), ("5, 1-2", [5, 1, 2])]
)
def test_seeds_are_read_in_the_order_given(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8-1", "8-1 runs backwards \\(did you mean 1-8\\?\\)"),
        ("one", '"one" is not a seed'),
        ("", "is not a seed"),
        ("-3", "is not a seed"),
        ("99999999999", "too large"),
    ],
)
def test_what_is_no_seed_is_refused_in_words(text, words):
    with pytest.raises(RequestError, match=words):
        parse_seeds(text)


def test_classes_are_read_by_name_and_an_unknown_one_names_the_nearest(loaded):
    assert parse_classes("walk, fire", loaded.provenance) == [1, 0]
    assert parse_classes("all", loaded.provenance) == [0, 1]
    with pytest.raises(RequestError, match='unknown class "wlak" \\(did you mean "walk"\\?\\)'):
        parse_classes("wlak", loaded.provenance)
