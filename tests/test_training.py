"""The loop learns, and a run that was interrupted goes on as if nothing had happened."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from io import StringIO
from itertools import pairwise

import numpy as np
import pytest
import torch
from rich.console import Console
from tiny_runs import tiny, two_classes, two_updates, weights_of, with_penalties

from vidgan.config import AugmentConfig, Config, EvaluateConfig
from vidgan.config_files import build_config, load_config
from vidgan.errors import ConfigError, RequestError, TrainingError, WeightsError
from vidgan.footage.clips import ClipSampler
from vidgan.metrics.during_training import is_better
from vidgan.nn.build import build_discriminator, build_generator
from vidgan.run import run_training
from vidgan.training import loop
from vidgan.training.batches import Batches
from vidgan.training.checkpoints import Checkpoints
from vidgan.training.draws import draw_update
from vidgan.training.lock import locked
from vidgan.training.log import curves_of_run
from vidgan.training.loop import (
    adapt_strength,
    augment_strength,
    autocast,
    set_rates,
    train,
    update_ema,
    update_generator,
)
from vidgan.training.losses import OBJECTIVES, Objective
from vidgan.training.processes import ALONE
from vidgan.training.schedules import equalizes_lr, r1_gamma, r2_gamma, settle_loss, value_at
from vidgan.training.state import contents_of, load_checkpoint, new_state, save_checkpoint
from vidgan.weights import load_generator

CPU = torch.device("cpu")
QUIET = Console(quiet=True)


class SameClip:
    """A stream of one clip: all its clips are `level`, so a generator has one thing to learn."""

    def __init__(self, level, config):
        data = config.data
        self.frames = torch.full((data.num_frames, data.height, data.width, data.channels), level, dtype=torch.uint8)

    def batch(self, first, count):
        return self.frames.expand(count, *self.frames.shape).clone(), torch.zeros(count, dtype=torch.long)


def generated(generator, config):
    """A batch of clips of class 0."""
    draws = draw_update(config, generator, torch.Generator().manual_seed(3))
    labels = torch.zeros(len(draws.z), dtype=torch.long)
    num_frames = config.data.num_frames
    return generator(draws.z, draws.motion, labels, first_frame=draws.first_frame, num_frames=num_frames)


def newest(run):
    return Checkpoints(run / "checkpoints", keep=1).paths()[-1]


def losses_of(run):
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    names = ("num_clips", "loss_discriminator", "loss_generator", "logit_real", "logit_fake", "r1")
    return [{name: line[name] for name in names if name in line} for line in lines if "loss_generator" in line]


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_every_objective_teaches_a_generator_the_brightness_of_one_clip(loss):
    config = tiny(loss=loss, total_kclips=1.2, generator_lr=2e-3, discriminator_lr=2e-3, r2_gamma=0.1, batch_size=8)
    config = config.model_copy(update={"augment": config.augment.model_copy(update={"color": 0.0})})
    state = new_state(config, 1, CPU)
    for statistics in train(state, SameClip(204, config), config):
        assert all(math.isfinite(value) for value in statistics.values())
    with torch.no_grad():
        made = generated(state.generator_ema, config)
    # Where minimax starts saturated it learns slower, so the bar is the right side of grey.
    assert made.mean() > (0.1 if loss == "minimax" else 0.35)


def test_a_run_interrupted_twice_has_the_losses_and_weights_of_one_that_was_not(tmp_path):
    footage, config = two_classes(), tiny(r2_gamma=0.05)
    run_training(config, footage, tmp_path / "whole", console=QUIET)
    for kclips in (0.016, 0.048, 0.064):
        part = config.model_copy(update={"train": config.train.model_copy(update={"total_kclips": kclips})})
        torch.randn(5)  # the global random state must not matter
        result = run_training(part, footage, tmp_path / "parts", console=QUIET)
    assert result.finished
    assert losses_of(tmp_path / "parts") == losses_of(tmp_path / "whole")
    whole, parts = (torch.load(newest(tmp_path / name), weights_only=True) for name in ("whole", "parts"))
    for name, tensor in whole["generator_ema"].items():
        assert torch.equal(tensor, parts["generator_ema"][name])


def test_ctrl_c_saves_between_two_updates_and_the_same_call_goes_on(tmp_path, monkeypatch):
    footage, config = two_classes(), tiny()
    from vidgan.training import loop

    calls = []

    def interrupting(state, settings):
        update_ema(state, settings)
        calls.append(state.num_clips)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "update_ema", interrupting)
    result = run_training(config, footage, tmp_path / "run", console=QUIET)
    assert not result.finished
    assert result.num_clips == 24
    monkeypatch.undo()
    assert run_training(config, footage, tmp_path / "run", console=QUIET).finished
    run_training(config, footage, tmp_path / "whole", console=QUIET)
    assert losses_of(tmp_path / "run") == losses_of(tmp_path / "whole")


def test_lines_logged_after_the_last_checkpoint_are_taken_back(tmp_path):
    footage, config = two_classes(), tiny()
    run_training(config, footage, tmp_path, console=QUIET)
    with (tmp_path / "stats.jsonl").open("a") as file:
        file.write('{"num_clips": 999999, "loss_generator": 1.0}\n{"num_cl')
    longer = config.model_copy(update={"train": config.train.model_copy(update={"total_kclips": 0.08})})
    run_training(longer, footage, tmp_path, console=QUIET)
    assert [line["num_clips"] for line in losses_of(tmp_path)] == list(range(8, 88, 8))


def test_a_run_leaves_config_checkpoint_weights_sheets_and_curves(tmp_path):
    result = run_training(tiny(), two_classes(), tmp_path, console=QUIET)
    assert load_config(tmp_path / "config.yaml") == tiny()
    assert {path.name for path in tmp_path.iterdir()} == {
        ".lock",
        "status.html",
        "config.yaml",
        "checkpoints",
        "generator.safetensors",
        "samples",
        "stats.jsonl",
        "tensorboard",
    }
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        f"{clips}_clips{kind}"
        for clips in ("000000000", "000000064")
        for kind in (".mp4", ".png", "_real.mp4", "_real.png")
    ]
    assert result.newest_sheet.name == "000000064_clips.mp4"
    last = json.loads((tmp_path / "stats.jsonl").read_text().splitlines()[-1])
    assert {"motion_generated", "motion_real", "variety_generated", "variety_real", "clips_per_second"} <= set(last)


def test_figures_measured_along_the_way_are_logged_as_curves_and_change_no_update(tmp_path):
    footage, config = two_classes(), tiny()
    measured = config.model_copy(update={"evaluate": EvaluateConfig(every_kclips=0.024, num_clips=8)})
    run_training(config, footage, tmp_path / "without", console=QUIET)
    run_training(measured, footage, tmp_path / "with", console=QUIET)
    assert losses_of(tmp_path / "with") == losses_of(tmp_path / "without")
    assert curves_of_run(tmp_path / "without") == {}
    curves = curves_of_run(tmp_path / "with")
    assert {"motion_energy_decibels", "motion_flow_heights", "coverage", "frame_frechet", "seconds"} <= set(curves)
    assert all([kclips for kclips, _ in points] == [0.024, 0.048] for points in curves.values())
    assert all(math.isfinite(value) for points in curves.values() for _, value in points)


def test_other_settings_on_the_same_run_are_refused_with_the_difference(tmp_path):
    run_training(tiny(), two_classes(), tmp_path, console=QUIET)
    with pytest.raises(ConfigError, match=r"train\.generator_lr was 0\.0005, is 0\.1\); set what it was begun with"):
        run_training(tiny(generator_lr=0.1), two_classes(), tmp_path, console=QUIET)


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_gone_on_from(tmp_path):
    config, said = tiny(checkpoint_kclips=0.016), Console(file=StringIO(), width=400)
    run_training(config, two_classes(), tmp_path / "whole", console=QUIET)
    run_training(config, two_classes(), tmp_path / "run", console=QUIET)
    damaged = newest(tmp_path / "run")
    damaged.write_bytes(damaged.read_bytes()[:5000])
    run_training(config, two_classes(), tmp_path / "run", console=said)
    assert f"passed over: {damaged}: not a checkpoint, or a damaged one" in said.file.getvalue()
    assert "going on from" in said.file.getvalue()
    assert "000000048_clips.pt at 0.0 kclips" in said.file.getvalue()
    assert losses_of(tmp_path / "run") == losses_of(tmp_path / "whole")


def test_a_run_that_goes_on_says_when_its_footage_is_not_what_it_was(tmp_path):
    run_training(tiny(total_kclips=0.008), two_classes(), tmp_path, console=QUIET)
    for manifest_hash, warns in [("0" * 64, False), ("1" * 64, True)]:
        said = Console(file=StringIO(), width=400)
        footage = replace(two_classes(), manifest_hash=manifest_hash)
        run_training(tiny(total_kclips=0.016), footage, tmp_path, console=said)
        assert ("the footage has changed since this run began" in said.file.getvalue()) == warns


def test_without_a_whole_checkpoint_nothing_is_begun_anew(tmp_path):
    run_training(tiny(), two_classes(), tmp_path, console=QUIET)
    newest(tmp_path).write_bytes(b"")
    with pytest.raises(WeightsError, match="no checkpoint is whole; train into a new --run folder"):
        run_training(tiny(), two_classes(), tmp_path, console=QUIET)


def test_the_newest_checkpoints_stay_and_one_for_every_so_many_clips(tmp_path):
    config = tiny(total_kclips=0.16, checkpoint_kclips=0.008, keep_checkpoints=3, keep_kclips=0.05)
    run_training(config, two_classes(), tmp_path, console=QUIET)
    names = [path.name for path in sorted((tmp_path / "checkpoints").iterdir())]
    assert names == [f"{clips:09d}_clips.pt" for clips in (56, 104, 144, 152, 160)]
    kept = [path.name for path in sorted((tmp_path / "generators").iterdir())]
    assert kept == [f"{clips:09d}_clips.safetensors" for clips in (56, 104, 152)]


def test_above_the_disk_budget_the_oldest_go_and_the_newest_stays(tmp_path):
    state, budget = new_state(tiny(), 2, CPU), None
    for num_clips in (8, 16, 24, 32):
        state.num_clips = num_clips
        path = Checkpoints(tmp_path, keep=4, every_kclips=0.008, budget_gb=budget).save(
            contents_of(state, manifest_hash="")
        )
        budget = 2.5 * path.stat().st_size / 1e9
    assert [path.name for path in Checkpoints(tmp_path, keep=4).paths()] == ["000000024_clips.pt", "000000032_clips.pt"]
    Checkpoints(tmp_path, keep=4, budget_gb=1e-9).save(contents_of(state, manifest_hash=""))
    assert [path.name for path in Checkpoints(tmp_path, keep=4).paths()] == ["000000032_clips.pt"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("file write failed")])
def test_a_full_disk_is_said_and_training_goes_on_with_what_was_saved_before_whole(tmp_path, monkeypatch, error):
    config, said = tiny(checkpoint_kclips=0.016), Console(file=StringIO(), width=400)
    save, calls = torch.save, []

    def filling_up(contents, path):
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half of it")
            raise error
        save(contents, path)

    monkeypatch.setattr(torch, "save", filling_up)
    assert run_training(config, two_classes(), tmp_path, console=said).finished
    assert f"{tmp_path}: cannot save at 0.0 kclips" in said.file.getvalue()
    assert "make room: training goes on" in said.file.getvalue()
    names = [path.name for path in sorted((tmp_path / "checkpoints").iterdir())]
    assert names == ["000000048_clips.pt", "000000064_clips.pt"]


def poisoned(monkeypatch, is_bad):
    """A game whose loss is not a number in the updates for which `is_bad`(how many there were) is true."""
    updates = []

    def discriminator(real, fake):
        if not real.requires_grad:  # somebody asks what the loss is like
            return OBJECTIVES["nonsaturating"].discriminator(real, fake)
        updates.append(len(updates))
        return OBJECTIVES["nonsaturating"].discriminator(real, fake) * (math.nan if is_bad(updates[-1]) else 1.0)

    monkeypatch.setitem(OBJECTIVES, "poisoned", Objective(discriminator, OBJECTIVES["nonsaturating"].generator))
    return updates


def test_an_update_that_is_not_finite_is_dropped_counted_and_changes_no_weight(monkeypatch, tmp_path):
    poisoned(monkeypatch, lambda update: update == 3)
    config = tiny(loss="poisoned", checkpoint_kclips=0.008, keep_checkpoints=8)
    assert run_training(config, two_classes(), tmp_path, console=QUIET).finished
    lines = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert [line["dropped"] for line in lines if "dropped" in line] == [0, 0, 0, 1, 0, 0, 0, 0]
    before, after, later = (
        torch.load(tmp_path / "checkpoints" / f"{clips:09d}_clips.pt", weights_only=True) for clips in (24, 32, 40)
    )
    for name in ("generator", "discriminator", "generator_ema"):
        assert all(torch.equal(weight, after[name][key]) for key, weight in before[name].items())
        assert any(not torch.equal(weight, later[name][key]) for key, weight in after[name].items())


def test_after_many_in_a_row_training_goes_back_with_half_the_rates_and_says_which_batch_it_was(monkeypatch, tmp_path):
    updates = poisoned(monkeypatch, lambda update: 5 <= update < 8)
    config = tiny(loss="poisoned", checkpoint_kclips=0.016, most_dropped=3, total_kclips=0.08)
    said = Console(file=StringIO(), width=400)
    assert run_training(config, two_classes(), tmp_path, console=said).finished
    assert "3 updates in a row were dropped (discriminator, gradient of " in said.file.getvalue()
    assert "going back to 0.0 kclips with half the rates" in said.file.getvalue()
    assert len(updates) == 8 + 4  # back at 64 clips to 48, and from there to 80
    diagnosis = json.loads((tmp_path / "diagnosis" / "000000056_clips.json").read_text())
    assert "values are not finite" in diagnosis["reason"]
    batch = np.load(tmp_path / "diagnosis" / diagnosis["batch"])
    assert batch["frames"].shape == (8, 4, 16, 16, 3)
    assert torch.load(newest(tmp_path), weights_only=True)["num_rollbacks"] == 1
    lines = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert [line["num_clips"] for line in lines] == list(range(0, 88, 8))


def test_a_run_whose_numbers_stay_infinite_stops_with_the_reason(monkeypatch, tmp_path):
    poisoned(monkeypatch, lambda update: update > 2)
    config = tiny(loss="poisoned", most_dropped=2, most_rollbacks=2, total_kclips=1)
    with pytest.raises(TrainingError, match=r"it went back 2 times already: lower train\.generator_lr"):
        run_training(config, two_classes(), tmp_path, console=QUIET)
    assert len(list((tmp_path / "diagnosis").glob("*.json"))) >= 1
    # Started again, it has gone back as often.
    assert torch.load(newest(tmp_path), weights_only=True)["num_rollbacks"] == 2
    said = Console(file=StringIO(), width=400)
    with pytest.raises(TrainingError, match="it went back 2 times already"):
        run_training(config, two_classes(), tmp_path, console=said)
    assert "half the rates" not in said.file.getvalue()


def test_each_time_training_went_back_halves_both_rates():
    config, state = tiny(generator_lr=8e-4, equalize_lr=False), new_state(tiny(equalize_lr=False), 2, CPU)
    state.num_rollbacks = 2
    set_rates(state, config)
    assert [group["lr"] for group in state.generator_optimizer.param_groups] == pytest.approx([2e-4])


def first_step_of(config, network, layer):
    """How far the first update moves the weights of a layer; Adam's first step is its rate."""
    state = new_state(config, 2, CPU)
    before = {name: value.clone() for name, value in getattr(state, network).named_parameters()}
    next(train(state, ClipSampler(two_classes(), num_frames=4, frame_stride=1, seed=0), config))
    after = dict(getattr(state, network).named_parameters())
    return (after[layer] - before[layer]).abs().max().item()


@pytest.mark.parametrize(("network", "layer"), [("generator", "blocks.0.conv2"), ("discriminator", "last")])
def test_a_layers_steps_are_in_proportion_to_what_its_weights_begin_as(network, layer):
    config = tiny(generator_lr=1e-3, discriminator_lr=1e-3)
    weight = getattr(new_state(config, 2, CPU), network).get_submodule(layer).weight
    begins = (2 / weight[0].numel()) ** 0.5
    assert first_step_of(config, network, f"{layer}.weight") == pytest.approx(1e-3 * begins / 0.05, rel=1e-2)
    assert first_step_of(config, network, f"{layer}.bias") == pytest.approx(1e-3, rel=1e-2)
    same = config.model_copy(update={"train": config.train.model_copy(update={"equalize_lr": False})})
    assert first_step_of(same, network, f"{layer}.weight") == pytest.approx(1e-3, rel=1e-2)


def test_steps_are_equalized_in_conv3d_unless_not_wanted_and_in_repair_if_asked_for():
    for family, equalizes in {"conv3d": True, "dcgan3d": False, "repair": False}.items():
        assert equalizes_lr(Config(model={"family": family})) == equalizes
    assert equalizes_lr(Config(model={"family": "repair"}, train={"equalize_lr": True}))
    assert not equalizes_lr(Config(model={"family": "conv3d"}, train={"equalize_lr": False}))


def test_a_second_run_in_one_folder_is_refused_with_the_first_ones_name(tmp_path):
    with locked(tmp_path):
        with pytest.raises(RequestError, match=rf"process {os.getpid()} on .* is training there; wait for it or stop"):
            run_training(tiny(), two_classes(), tmp_path, console=QUIET)
        assert not (tmp_path / "config.yaml").exists()
    assert run_training(tiny(), two_classes(), tmp_path, console=QUIET).finished


def test_a_run_that_was_killed_leaves_its_folder_free(tmp_path):
    code = f"""
from pathlib import Path
from vidgan.training.lock import locked
with locked(Path({str(tmp_path)!r})):
    print("held", flush=True)
    input()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(RequestError, match=f"process {process.pid} on"), locked(tmp_path):
        pass
    process.kill()
    process.communicate()
    with locked(tmp_path):
        pass


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trap-was-sprung",))


def test_a_checkpoint_that_holds_code_is_refused_and_the_code_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 4, "trap": Trap()}, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.pt", new_state(tiny(), 2, CPU))
    assert not (tmp_path / "trap-was-sprung").exists()


def test_a_checkpoint_of_another_size_is_refused_in_one_sentence(tmp_path):
    save_checkpoint(tmp_path / "checkpoint.pt", contents_of(new_state(tiny(), 3, CPU), manifest_hash=""))
    with pytest.raises(WeightsError, match="made with another config"):
        load_checkpoint(tmp_path / "checkpoint.pt", new_state(tiny(), 2, CPU))


def test_a_run_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot write files there"):
        run_training(tiny(), two_classes(), tmp_path / "file" / "run", console=QUIET)


def test_two_new_states_of_one_seed_are_equal_and_of_two_seeds_differ():
    first, again, other = (new_state(tiny(seed=seed), 2, CPU).generator.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not torch.equal(first["input.weight"], other["input.weight"])


MEMORY_SAVERS = {
    "a batch in four parts": {"accumulate": 4},
    "activations computed twice": {"checkpoint_activations": True},
}


@pytest.mark.parametrize("penalty", ["exact", "finite_difference"])
@pytest.mark.parametrize("name", MEMORY_SAVERS)
def test_what_saves_memory_makes_the_same_update(name, penalty):
    usual, said = two_updates(with_penalties(penalty=penalty))
    other, said_too = two_updates(with_penalties(penalty=penalty, **MEMORY_SAVERS[name]))
    # Adam's first steps are the signs of gradients, so a rounding error counts fully where a gradient is nearly zero.
    assert (weights_of(usual) - weights_of(other)).abs().quantile(0.99) < 1e-5
    assert said_too["loss_generator"] == pytest.approx(said["loss_generator"], abs=1e-4)
    assert said_too["r1"] == pytest.approx(said["r1"], rel=1e-3)


def test_a_family_that_normalises_over_clips_is_not_given_them_one_by_one():
    config = tiny(batch_size=4, accumulate=4)
    config = config.model_copy(update={"model": config.model.model_copy(update={"family": "dense"})})
    with pytest.raises(ConfigError, match="dense normalises over the clips that are computed together"):
        new_state(config, 2, CPU)
    assert new_state(tiny(batch_size=4, accumulate=4), 2, CPU)


def test_the_real_clips_of_a_batch_ask_for_no_gradient_after_a_penalty(monkeypatch):
    seen = []

    def watched(state, parts, fakes, config, processes=ALONE):
        seen.append([(part.real.requires_grad, part.real.grad) for part in parts])
        return update_generator(state, parts, fakes, config, processes)

    monkeypatch.setattr(loop, "update_generator", watched)
    config = with_penalties().model_copy(update={"augment": AugmentConfig()})  # which changes no clip
    _, said = two_updates(config)
    assert "r1" in said
    assert seen == [[(False, None)]] * 2


def test_every_setting_of_the_game_changes_the_update():
    usual, _ = two_updates(with_penalties())
    for settings in (
        {"penalty": "finite_difference"},
        {"lipschitz_lambda": 10.0},
        {"loss": "leastsquares"},
        {"adam_beta2": 0.9},
        {"generator_lr": {0: 1e-4, 0.016: 1e-3}},
        {"r1_gamma": 3.0},
    ):
        other, _ = two_updates(with_penalties(**settings))
        assert (weights_of(usual) - weights_of(other)).abs().max() > 1e-6, settings


@pytest.mark.slow
def test_a_compiled_run_is_the_same_but_for_rounding():
    usual, said = two_updates(with_penalties())
    compiled, said_too = two_updates(with_penalties(compile=True))
    assert (weights_of(usual) - weights_of(compiled)).abs().quantile(0.99) < 1e-5
    assert said_too["loss_generator"] == pytest.approx(said["loss_generator"], abs=1e-4)


def test_schedules_are_straight_lines_between_kclips_and_level_outside():
    schedule = {0: 1.0, 10: 3.0, 20: 0.0}
    values = [value_at(schedule, num_clips) for num_clips in (0, 5000, 10_000, 15_000, 99_000)]
    assert values == [1.0, 2.0, 3.0, 1.5, 0.0]
    assert value_at({10: 2.0}, 0) == 2.0
    assert value_at(0.25, 7) == 0.25


def test_the_default_penalty_grows_with_the_pixels_and_leaves_the_place_to_a_lipschitz_penalty():
    assert r1_gamma(build_config({"data": {"height": 32, "width": 32}})) == pytest.approx(3)
    assert r1_gamma(build_config({"data": {"height": 64, "width": 128}})) == pytest.approx(24)
    assert r1_gamma(build_config({"train": {"r1_gamma": 0.7}})) == 0.7
    assert r1_gamma(build_config({"train": {"lipschitz_lambda": 10}})) == 0


def test_the_relativistic_game_has_both_penalties_alike_and_others_the_first():
    assert r2_gamma(build_config({"train": {"loss": "relativistic", "r1_gamma": 0.7}})) == 0.7
    assert r2_gamma(build_config({"train": {"loss": "relativistic", "r1_gamma": 0.7, "r2_gamma": 0.0}})) == 0
    assert r2_gamma(build_config({"train": {"loss": "hinge"}})) == 0


@pytest.mark.parametrize(
    ("labels", "overrides", "expected"),
    [
        ((0, 0, 1), [], "nonsaturating"),
        ((0, 1), [], "relativistic"),  # a shot for each class: nothing to tell
        ((0,) * 9, [], "relativistic"),  # more than content_dim
        ((0, 0, 1), ["model.tell_shots=false"], "relativistic"),
        ((0, 0, 1), ["data.num_frames=1"], "relativistic"),
        ((0, 0, 1), ["train.loss=hinge"], "hinge"),
    ],
)
def test_left_to_it_the_loss_is_relativistic_unless_networks_are_told_the_shots(labels, overrides, expected):
    config = build_config({"model": {"content_dim": 8}}, overrides)
    assert settle_loss(config, labels).train.loss == expected
    assert settle_loss(settle_loss(config, labels), (0, 1)).train.loss == expected  # once settled it stays


def test_a_run_keeps_the_loss_it_was_left_to_choose(tmp_path):
    config = tiny(loss="auto", total_kclips=0.016)
    run_training(config, two_classes(), tmp_path / "run", console=QUIET)
    kept = load_config(tmp_path / "run" / "config.yaml")
    assert kept.train.loss == "nonsaturating"
    assert load_generator(tmp_path / "run").provenance.config == kept
    for going_on in (config, kept):
        assert run_training(going_on, two_classes(), tmp_path / "run", console=QUIET).finished


def test_augmentation_adapts_to_how_well_real_clips_are_known():
    config = tiny(total_kclips=0.08)
    adaptive = config.augment.model_copy(update={"adapt_to": 0.6, "adapt_kclips": 0.16, "strength": 0.5})
    config = config.model_copy(update={"augment": adaptive})
    state = new_state(config, 2, CPU)
    for known, expected in ((0.8, 0.05), (0.8, 0.1), (0.5, 0.05), (0.59, 0.0), (-1.0, 0.0)):
        assert adapt_strength(state, torch.tensor(known), config).item() == pytest.approx(expected, abs=1e-6)
    for _ in range(30):
        adapt_strength(state, torch.tensor(1.0), config)
    assert state.augment_strength == 1
    assert augment_strength(state, config) == 0.5
    state.augment_strength = torch.tensor(0.5)
    clips = ClipSampler(two_classes(), num_frames=4, frame_stride=1, seed=0)
    strengths = [0.5, *(statistics["augment_strength"] for statistics in train(state, clips, config))]
    assert len(strengths) == 1 + 10
    assert all(abs(after - before) == pytest.approx(0.05) or after == 1 for before, after in pairwise(strengths))


def test_the_adaptive_strength_is_part_of_the_checkpoint(tmp_path):
    state = new_state(tiny(), 2, CPU)
    state.augment_strength = torch.tensor(0.35)
    save_checkpoint(tmp_path / "checkpoint.pt", contents_of(state, manifest_hash=""))
    again = new_state(tiny(), 2, CPU)
    load_checkpoint(tmp_path / "checkpoint.pt", again)
    assert again.augment_strength == state.augment_strength


def test_real_clips_are_shown_at_several_strides_if_asked():
    frames = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2)
    footage = replace(two_classes(), frames=(frames,), labels=(0,))
    sampler = ClipSampler(footage, num_frames=4, frame_stride=1, seed=0, stride_factors=(1, 3))
    assert sampler.num_clips == 17 + 11
    video, _ = sampler.batch(0, 400)
    steps = video[:, 1:, 0, 0, 0].int() - video[:, :-1, 0, 0, 0].int()
    assert set(map(tuple, steps.tolist())) == {(1, 1, 1), (3, 3, 3)}
    assert 0.3 < (steps[:, 0] == 3).float().mean() < 0.5
    with pytest.raises(RequestError, match="no shot is long enough for a clip at strides"):
        ClipSampler(footage, num_frames=4, frame_stride=1, seed=0, stride_factors=(9,))


def test_the_moving_average_goes_half_of_the_way_in_a_half_life():
    config = tiny(batch_size=8, ema_halflife_kclips=0.008)
    state = new_state(config, 0, CPU)
    state.num_clips = 10_000  # far beyond the ramp-up
    with torch.no_grad():
        for averaged, current in zip(state.generator_ema.parameters(), state.generator.parameters(), strict=True):
            averaged.fill_(0.0)
            current.fill_(1.0)
    update_ema(state, config)
    assert all(torch.allclose(weight, torch.tensor(0.5)) for weight in state.generator_ema.parameters())


def test_bfloat16_gives_nearly_the_logits_of_float32():
    config = tiny()
    generator, discriminator = build_generator(config, 0), build_discriminator(config, 0)
    logits = {}
    for precision in ("float32", "bfloat16"):
        settings = config.model_copy(update={"train": config.train.model_copy(update={"precision": precision})})
        with torch.no_grad(), autocast(precision, CPU):
            video = generated(generator, settings)
            logits[precision] = discriminator(video, torch.zeros(len(video), dtype=torch.long), None)
    assert logits["bfloat16"].dtype == torch.float32
    assert torch.allclose(logits["bfloat16"], logits["float32"], atol=0.05)


def test_the_checkpoint_with_the_best_figure_stays_and_its_generator_is_kept_beside(tmp_path, monkeypatch):
    figures = iter([3.0, 1.0, 2.0, 5.0])
    monkeypatch.setattr(
        "vidgan.metrics.during_training.RunningEvaluation.figures",
        lambda self, loaded: {"frame_frechet": next(figures), "seconds": 0.0},
    )
    config = tiny(checkpoint_kclips=0.008, keep_checkpoints=1)
    config = config.model_copy(
        update={"evaluate": EvaluateConfig(every_kclips=0.016, num_clips=8, best_by="frame_frechet")}
    )
    run_training(config, two_classes(), tmp_path, console=QUIET)
    names = [path.name for path in Checkpoints(tmp_path / "checkpoints", keep=1).paths()]
    assert names == ["000000032_clips.pt", "000000064_clips.pt"]
    assert load_generator(tmp_path / "best.safetensors").provenance.num_clips == 32
    state = new_state(config, 2, CPU, labels=two_classes().labels)
    load_checkpoint(newest(tmp_path), state)
    assert (state.best_figure, state.best_num_clips) == (1.0, 32)


def test_a_run_that_goes_on_by_another_figure_finds_the_best_by_that_one(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "vidgan.metrics.during_training.RunningEvaluation.figures",
        lambda self, loaded: {"frame_frechet": 3.0, "coverage": 0.9, "seconds": 0.0},
    )
    for kclips, best_by in ((0.016, "frame_frechet"), (0.032, "coverage"), (0.048, "coverage")):
        evaluate = EvaluateConfig(every_kclips=0.016, num_clips=8, best_by=best_by)
        config = tiny(total_kclips=kclips).model_copy(update={"evaluate": evaluate})
        run_training(config, two_classes(), tmp_path, console=QUIET)
    assert load_generator(tmp_path / "best.safetensors").provenance.num_clips == 32
    contents = torch.load(newest(tmp_path), weights_only=True)
    assert (contents["best_by"], contents["best_figure"], contents["best_num_clips"]) == ("coverage", 0.9, 32)


@pytest.mark.parametrize(
    ("figure", "value", "best", "better"),
    [
        ("fvd", 10.0, None, True),
        ("fvd", 10.0, 11.0, True),
        ("fvd", 12.0, 11.0, False),
        ("coverage", 0.4, 0.3, True),
        ("coverage", 0.2, 0.3, False),
        ("density", None, 0.3, False),
    ],
)
def test_a_distance_is_better_when_smaller_and_coverage_when_larger(figure, value, best, better):
    assert is_better(figure, {} if value is None else {figure: value}, best) == better


def test_what_is_kept_as_best_must_be_measured():
    with pytest.raises(ConfigError, match=r"best_by: nothing is measured during training; set evaluate\.every_kclips"):
        build_config({"evaluate": {"best_by": "fvd"}})


def test_clips_made_ahead_are_those_that_would_be_made_when_asked_for():
    config, clips = tiny(), ClipSampler(two_classes(), num_frames=4, frame_stride=1, seed=0)
    generator = new_state(config, 2, CPU).generator
    with closing(Batches(clips, config, generator, CPU, ALONE)) as ahead:
        for num_clips in (0, 8, 16, 400, 408, 0):  # forwards, a jump, and back again
            with closing(Batches(clips, config, generator, CPU, ALONE)) as fresh:
                (part,), (other,) = ahead.parts(num_clips), fresh.parts(num_clips)
            assert torch.equal(part.real, other.real)
            assert torch.equal(part.draws.z, other.draws.z)
            assert torch.equal(part.labels, clips.batch(num_clips, 8)[1])


def test_the_share_of_time_spent_waiting_for_clips_is_logged_and_grows_with_slow_footage(tmp_path):
    class Slow(SameClip):
        seconds = 0.0

        def batch(self, first, count):
            time.sleep(self.seconds)
            return super().batch(first, count)

    def share_of_waiting():
        began, clips = time.perf_counter(), Slow(100, config)
        said = list(train(new_state(config, 1, CPU), clips, config))
        Slow.seconds = 2 * (time.perf_counter() - began) / len(said)  # the next time, twice as long as an update
        return sum(statistics["waiting"] for statistics in said[1:]) / len(said[1:])

    config = tiny()
    assert 0 <= share_of_waiting() < share_of_waiting() < 1
    run_training(config, two_classes(), tmp_path, console=QUIET)
    assert "waiting" in json.loads((tmp_path / "stats.jsonl").read_text().splitlines()[-1])


def test_what_a_killed_writer_left_is_removed_by_the_next_run(tmp_path):
    run_training(tiny(total_kclips=0.032), two_classes(), tmp_path, console=QUIET)
    left_over = tmp_path / "checkpoints" / ".000000040_clips.4711.part.pt"
    left_over.write_bytes(b"half of it")
    run_training(tiny(), two_classes(), tmp_path, console=QUIET)
    assert not left_over.exists()


def test_a_deterministic_run_refuses_what_may_differ_and_trains_every_family(tmp_path):
    try:
        for family in ("conv3d", "recurrent", "dcgan3d", "dense"):
            config = tiny(deterministic=True, total_kclips=0.016)
            config = config.model_copy(update={"model": config.model.model_copy(update={"family": family})})
            assert run_training(config, two_classes(), tmp_path / family, console=QUIET).finished
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
