"""Networks that are told which shot a clip is of: what belongs to which, what is learned, and when they are not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import save_file
from test_families import CPU, KINDS, WITH_ALL, ToyClips, made, side_and_direction, small
from tiny_runs import mending, tiny, two_classes

from vidgan.config_files import build_config
from vidgan.errors import WeightsError
from vidgan.footage.clips import ClipSampler
from vidgan.nn.conditions import BesideLatent, shots_of_latents, shots_to_tell
from vidgan.plan import make_plan, plan_in_words
from vidgan.run import run_training
from vidgan.sampling.latents import content_latent
from vidgan.sampling.render import generate
from vidgan.sampling.take import seed_take
from vidgan.survey import FoundFootage
from vidgan.training.batches import Batches
from vidgan.training.loop import train
from vidgan.training.processes import ALONE
from vidgan.training.schedules import settle_loss
from vidgan.training.state import new_state
from vidgan.weights import WEIGHTS_NAME, load_generator

QUIET = Console(quiet=True)


@given(
    shots=st.lists(st.integers(0, 2), min_size=1, max_size=12),
    size=st.floats(0.1, 10),
    seed=st.integers(0, 2**32),
)
def test_a_take_is_of_a_shot_of_its_class_whatever_the_size_of_its_latent(shots, size, seed):
    labels = torch.tensor(shots)
    z = torch.randn(len(labels), 12, generator=torch.Generator().manual_seed(seed))
    beside = BesideLatent(12, 3, shots)
    numbers, weights = shots_of_latents(z, labels, shots), beside.weights(z, labels)
    assert torch.equal(labels[numbers], labels)
    assert torch.equal(weights.argmax(1), numbers)
    assert torch.equal(beside.weights(size * z, labels).argmax(1), numbers)
    assert torch.allclose(weights.sum(1), torch.ones(len(labels)))
    assert not weights[beside.classes != labels[:, None]].any()


def test_every_shot_of_a_class_has_as_many_seeds_as_the_others():
    beside = BesideLatent(64, 2, (0, 1, 0, 1, 1))
    z = torch.stack([content_latent(seed, 64) for seed in range(3000)])
    counts = shots_of_latents(z, torch.ones(3000, dtype=torch.long), beside.classes.tolist()).bincount(minlength=5)
    assert counts.sum() == 3000
    assert counts[[0, 2]].sum() == 0
    assert counts[[1, 3, 4]].min() > 900


def test_a_class_without_shots_has_finite_weights():
    beside = BesideLatent(8, 3, (0, 0, 1))
    assert beside.weights(torch.randn(20, 8), torch.full((20,), 2)).isfinite().all()


def test_a_walk_from_one_shot_to_another_passes_from_look_to_look():
    beside, labels = BesideLatent(64, 0, (0,) * 12), torch.zeros(400, dtype=torch.long)
    start, stop = content_latent(1, 64), content_latent(2, 64)
    share = torch.linspace(0, 1, 400)[:, None]
    weights = beside.weights((1 - share) * start + share * stop, labels)
    assert weights[0].argmax() != weights[-1].argmax()
    assert (weights[1:] - weights[:-1]).abs().max() < 0.1


def test_shots_are_told_where_a_class_has_more_than_one_and_z_can_say_which():
    config = tiny()
    most = config.model.content_dim
    assert shots_to_tell(config, (0, 1, 1)) == (0, 1, 1)
    assert shots_to_tell(config, (0,) * most) == (0,) * most
    assert shots_to_tell(config, (0,) * (most + 1)) == ()
    assert shots_to_tell(config, (0, 1)) == ()
    assert shots_to_tell(mending(config), (0, 0)) == ()
    tree = config.model_dump(mode="json")
    for section, setting in (("model", {"tell_shots": False}), ("data", {"num_frames": 1})):
        assert shots_to_tell(build_config(tree | {section: tree[section] | setting}), (0, 0)) == ()


@pytest.mark.parametrize("told", [True, False])
def test_the_plan_says_whether_shots_are_told_and_counts_what_is_learned_of_them(told, tmp_path):
    config = build_config({"model": {"tell_shots": told}})
    found = FoundFootage((0, 0, 1), 9, ("a", "b"), prepared_bytes=0, prepare=lambda split: None)
    plan = make_plan(config, found, run=tmp_path, measured=False, console=QUIET)
    state = new_state(plan.config, 2, CPU, labels=(0, 0, 1))
    assert ("clips: 9 from 3 shots, which both networks tell apart\n" in plan_in_words(plan)) == told
    built = [sum(weight.numel() for weight in each.parameters()) for each in (state.generator, state.discriminator)]
    assert [plan.generator_parameters, plan.discriminator_parameters] == built


def test_the_plan_says_what_it_takes_to_tell_many_shots_apart(tmp_path):
    config = build_config({"model": {"content_dim": 4}})
    found = FoundFootage((0,) * 3 + (1,) * 5, 9, ("a", "b"), prepared_bytes=0, prepare=lambda split: None)
    plan = make_plan(config, found, run=tmp_path, measured=False, console=QUIET)
    assert "8 shots; networks would tell them apart if model.content_dim were 5, the most" in plan_in_words(plan)


def test_every_clip_goes_with_the_number_of_its_shot_at_any_stride():
    footage = two_classes(num_frames=20)
    clips = ClipSampler(footage, num_frames=4, frame_stride=1, seed=3, stride_factors=(1, 2))
    frames, labels = clips.batch(5, 200)
    for clip, label, shot in zip(frames.numpy(), labels, clips.shots(5, 200), strict=True):
        assert footage.labels[shot] == label
        whole = footage.frames[shot]
        assert any(
            np.array_equal(clip, whole[first : first + 4 * stride : stride])
            for stride in (1, 2)
            for first in range(len(whole) - 3 * stride)
        )


def test_the_discriminator_is_told_the_shots_of_real_and_of_generated_clips():
    footage, config = two_classes(), tiny(accumulate=2)
    state = new_state(config, 2, CPU, labels=footage.labels)
    clips = ClipSampler(footage, num_frames=4, frame_stride=1, seed=0)
    batches = Batches(clips, config, state.generator, CPU, ALONE, state.shots)
    for num_clips in (0, 8, 16):
        parts = batches.parts(num_clips)
        assert torch.equal(torch.cat([part.told.real for part in parts]), clips.shots(num_clips, 8))
        for part in parts:
            weights = state.generator.with_class.weights(part.draws.z, part.labels)
            assert torch.equal(part.told.fake, weights.argmax(1))
            assert torch.equal(torch.tensor(footage.labels)[part.told.fake], part.labels)
    batches.close()
    without = Batches(clips, config, state.generator, CPU, ALONE)
    assert all(torch.equal(told, part.labels) for part in without.parts(0) for told in part.told)
    without.close()


class TwoShots(ToyClips):
    """The toy without classes: one shot is bright on the left, the other on the right."""

    def batch(self, first, count):
        frames, labels = super().batch(first, count)
        return frames, torch.zeros_like(labels)

    def shots(self, first, count):
        return super().batch(first, count)[1]


class ShotsMixedUp(TwoShots):
    """Numbers that say nothing of the clips."""

    def shots(self, first, count):
        return torch.arange(first, first + count) // 2 % 2


def brightness_of_shots(kind, clips):
    """Mean share of brightness on the right, of takes of either shot."""
    settings = {"generator_lr": 1e-3, "discriminator_lr": 1e-3, "batch_size": 8, "total_kclips": 4.8}
    config = settle_loss(small(kind, num_frames=4, channels=1, **settings), (0, 0))
    state = new_state(config, 0, CPU, labels=(0, 0))
    for _ in train(state, clips, config):
        pass
    with torch.no_grad():
        video = made(state.generator_ema, torch.zeros(128, dtype=torch.long), 4)
    z = torch.randn(128, config.model.content_dim, generator=torch.Generator().manual_seed(0))
    shots = shots_of_latents(z, torch.zeros(128, dtype=torch.long), state.shots)
    right, _ = side_and_direction(video)
    return right[shots == 0].mean().item(), right[shots == 1].mean().item()


@pytest.mark.parametrize("kind", ["conv3d", pytest.param(WITH_ALL, marks=pytest.mark.slow)])
def test_takes_of_a_shot_look_like_it(kind):
    assert kind in KINDS
    left, right = brightness_of_shots(kind, TwoShots())
    assert left < 0.42
    assert right > 0.58


def test_networks_that_are_told_wrong_shots_do_not_learn_their_looks():
    left, right = brightness_of_shots("conv3d", ShotsMixedUp())
    assert right - left < 0.1


def test_weights_know_the_shots_and_those_of_before_have_none(tmp_path):
    for name, told in (("told", True), ("not", False)):
        config = tiny().model_dump(mode="json")
        config["model"]["tell_shots"] = told
        run_training(build_config(config), two_classes(), tmp_path / name, console=QUIET)
    assert load_generator(tmp_path / "told").provenance.shots == two_classes().labels
    weights, before = tmp_path / "not" / WEIGHTS_NAME, tmp_path / "before.safetensors"
    with safe_open(weights, framework="pt") as file:
        metadata = {name: value for name, value in file.metadata().items() if name != "shots"}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
    save_file(tensors, before, metadata)
    takes = [generate(loaded, [seed_take(loaded, 4)])[0] for loaded in map(load_generator, (weights, before))]
    assert np.array_equal(*takes)


def test_a_run_whose_footage_has_other_shots_by_now_says_so_and_what_to_do(tmp_path):
    run_training(tiny(total_kclips=0.032), two_classes(), tmp_path, console=QUIET)
    footage = two_classes()
    fewer = replace(footage, frames=footage.frames[:2], labels=footage.labels[:2])
    with pytest.raises(WeightsError, match=r"tell 3 shots apart, the footage has 0 .* put the footage back"):
        run_training(tiny(), fewer, tmp_path, console=QUIET)
