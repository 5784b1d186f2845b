"""A seed is a take: the same pixels in any batch, at any length, in any stretch, whenever it is rendered."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgan.config_files import build_config
from vidgan.errors import RequestError
from vidgan.nn.build import build_generator
from vidgan.nn.noise import REACH, NoiseFilters
from vidgan.sampling import motion as motion_module
from vidgan.sampling.choose import parse_classes
from vidgan.sampling.latents import content_latent, motion_noise, parse_seeds, unit_normal
from vidgan.sampling.motion import filtered_noise
from vidgan.sampling.performance import Performance
from vidgan.sampling.render import draw, generate, render, render_takes
from vidgan.sampling.take import Look, Motion, Take, class_of_seed, seed_take
from vidgan.weights import LoadedGenerator, Provenance, load_generator

CLASSES = ("fire", "walk")
SHOTS = (0, 0, 1)


@cache
def generator_of(height=16, width=24, num_frames=8, channels=8):
    """Untrained, but with weights where training would find some; sizes need not be alike both ways.

    Its levels are modulated, so that a style which changes over time is heard at all of their rates.
    """
    config = build_config(
        {
            "data": {"height": height, "width": width, "num_frames": num_frames, "classes": "folders"},
            "model": {"generator_channels": channels, "max_channels": 2 * channels, "modulate": True},
        }
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = build_generator(config, len(CLASSES), SHOTS).eval().requires_grad_(False)
        for parameter in generator.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
    provenance = Provenance(config, None, CLASSES, manifest_hash="", num_clips=0, shots=SHOTS)
    return LoadedGenerator(generator, provenance, weights_hash="", path=Path("made.safetensors"))


@pytest.fixture(scope="module")
def loaded():
    return generator_of()


def take(loaded, seed, label=0, num_frames=8):
    return generate(loaded, [seed_take(loaded, seed, label, num_frames=num_frames)])[0]


def looks(*seeds):
    return tuple(Look(seed=seed, classes={"fire": 0.25, "walk": 0.75}) for seed in seeds)


SIZES = st.sampled_from([(16, 24, 8, 8), (18, 32, 16, 8), (25, 23, 16, 4), (40, 16, 4, 32)])


@st.composite
def takes(draw_one, period):
    """Takes of any kind: plain, looping, walking, slow and fast, held, truncated, longer than their loop."""
    num_frames = draw_one(st.integers(1, 40))
    return Take(
        looks=looks(*draw_one(st.lists(st.integers(0, 99), min_size=1, max_size=3))),
        motion=Motion(seed=draw_one(st.integers(0, 99))),
        num_frames=num_frames,
        loop=draw_one(st.none() | st.integers(1, 6).map(lambda periods: periods * period)),
        speed=draw_one(st.sampled_from([1.0, 0.5, 0.37, 2.0])),
        hold=draw_one(st.booleans()),
        ease=draw_one(st.sampled_from(["linear", "smooth"])),
        truncation=draw_one(st.sampled_from([1.0, 0.6])),
    )


def test_a_single_frame_is_made_to_the_bit_as_it_is_among_others():
    for loaded in (generator_of(), generator_of(25, 23, 16, 4), load_generator("demo")):
        performance = Performance(loaded, seed_take(loaded, 1, 0, num_frames=8))
        whole = draw([performance], 0, 8)
        for frame in range(8):
            assert torch.equal(draw([performance], frame, 1), whole[:, :, frame : frame + 1])


@settings(max_examples=40)
@given(data=st.data(), size=SIZES, stretch=st.integers(1, 24), first=st.integers(0, 39))
def test_a_take_in_stretches_equals_the_take_in_one_piece_wherever_rendering_begins(data, size, stretch, first):
    loaded = generator_of(*size)
    wanted = data.draw(takes(loaded.generator.first_frames))
    performance = Performance(loaded, wanted)
    whole = draw([performance], 0, wanted.num_frames)
    first = min(first, wanted.num_frames - 1)
    count = min(stretch, wanted.num_frames - first)
    assert torch.equal(draw([performance], first, count), whole[:, :, first : first + count])
    in_stretches = np.stack(list(render(loaded, wanted, first_frame=first, stretch=stretch)))
    levels = ((whole[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 3, 0).numpy()
    assert np.array_equal(in_stretches, levels[first:])


@settings(max_examples=15)
@given(data=st.data(), size=SIZES, stretch=st.integers(1, 60))
def test_a_take_is_the_same_alone_or_among_others(data, size, stretch):
    loaded = generator_of(*size)
    wanted = data.draw(st.lists(takes(loaded.generator.first_frames), min_size=2, max_size=5))
    together = generate(loaded, wanted, stretch=stretch)
    assert [len(frames) for frames in together] == [each.num_frames for each in wanted]
    for each, frames in zip(wanted, together, strict=True):
        assert np.array_equal(frames, np.stack(list(render(loaded, each))))


@settings(max_examples=15)
@given(data=st.data(), size=SIZES, rounds=st.integers(2, 3))
def test_frame_l_of_a_loop_is_frame_0_and_two_rounds_are_the_loop_twice(data, size, rounds):
    loaded = generator_of(*size)
    one = data.draw(takes(loaded.generator.first_frames).filter(lambda each: each.loop is not None))
    one = one.model_copy(update={"num_frames": one.loop})
    more = one.model_copy(update={"num_frames": rounds * one.loop})
    frames = generate(loaded, [one])[0]
    assert np.array_equal(generate(loaded, [more])[0], np.tile(frames, (rounds, 1, 1, 1)))


def test_a_loop_moves_and_its_seam_is_a_step_like_the_others(loaded):
    wanted = seed_take(loaded, 3, num_frames=48).model_copy(update={"loop": 48})
    frames = generate(loaded, [wanted])[0].astype(int)
    steps = np.abs(np.diff(np.concatenate([frames, frames[:1]]), axis=0)).mean((1, 2, 3))
    every = loaded.generator.first_frames
    assert steps[every - 1 :: every].min() > 0
    assert steps[-1] < 3 * np.median(steps[every - 1 :: every])


def test_the_whole_network_agrees_with_what_takes_are_drawn_by(loaded):
    generator = loaded.generator
    start, stop = generator.motion_window(0, 24)
    z, motion = content_latent(7, generator.content_dim)[None], motion_noise(7, generator.motion_dim, start, stop)[None]
    with torch.no_grad():
        video = generator(z, motion, torch.tensor([1]), num_frames=24)
    assert torch.equal(video, draw([Performance(loaded, seed_take(loaded, 7, 1, num_frames=24))], 0, 24))


def test_in_bfloat16_a_longer_take_begins_with_the_shorter_one_too(loaded):
    wanted = seed_take(loaded, 7, num_frames=21).model_copy(update={"precision": "bfloat16"})
    long = generate(loaded, [wanted], stretch=8)[0]
    short = generate(loaded, [wanted.model_copy(update={"num_frames": 11})] * 2, stretch=8)
    assert np.array_equal(short[0], long[:11])
    assert np.array_equal(short[1], long[:11])


def test_no_more_frames_are_held_than_a_stretch_has(loaded):
    wanted = [seed_take(loaded, seed, num_frames=5) for seed in range(7)] + [seed_take(loaded, 1, num_frames=50)]
    pieces = [len(frames) for _, frames in render_takes(loaded, wanted, stretch=16)]
    assert pieces == [5] * 7 + [16, 16, 16, 2]


def test_a_long_take_leaves_no_more_noise_in_memory_than_a_few_moments_need():
    for step in range(2000):
        filtered_noise(Motion(seed=1), 4, step)
    assert motion_module._seeded.cache_info().currsize < 100


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


@torch.no_grad()
def test_noise_filtered_at_one_moment_is_what_the_network_filters():
    signal = NoiseFilters().eval()(motion_noise(5, 3, -REACH, REACH + 4)[None])[0]  # of steps 0 to 3
    for step in range(4):
        alone = filtered_noise(Motion(seed=5), 3, step).astype(np.float32)
        assert np.array_equal(alone.ravel(), signal[step].numpy())


@pytest.mark.parametrize("period", [None, 1, 3, 40])
def test_filtered_noise_has_unit_variance_at_any_moment_and_in_the_shortest_loop(period):
    for time in (0.0, 0.25, 7.5):
        drawn = [filtered_noise(Motion(seed=seed), 16, time, period=period) for seed in range(60)]
        assert np.std(drawn, axis=(0, 1)) == pytest.approx(np.ones(4), abs=0.1)


def test_a_take_is_the_same_every_time_and_another_seed_is_another_take(loaded):
    assert np.array_equal(take(loaded, 7), take(loaded, 7))
    assert not np.array_equal(take(loaded, 7), take(loaded, 8))


def test_without_classes_a_seed_has_one_of_its_own(loaded):
    assert [class_of_seed(seed, loaded) for seed in (1, 2, 3)] == [1, 0, 1]


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
