"""Planted collapses end in their state, with advice; sound games of the same length stay healthy."""

import json
import math
import re
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from torch import nn

from vidgan.config_files import build_config
from vidgan.errors import TrainingError
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.run import run_training
from vidgan.training import collapse, loop
from vidgan.training.advice import verdict_of
from vidgan.training.checkpoints import Checkpoints
from vidgan.training.collapse import Sign, Watch, gap_limits
from vidgan.training.loop import train
from vidgan.training.losses import OBJECTIVES
from vidgan.training.state import contents_of, load_checkpoint, new_state, save_checkpoint
from vidgan.training.vitals import dead_share, distances_within_classes, knowledge, weight_drift

CPU = torch.device("cpu")
QUIET = Console(quiet=True)
NAMES = ("moving", "rising")


def game(updates, family="dense", modulate=False, **settings):
    """Settings of a small game of images; its networks are those of a digit generator."""
    train_settings = {"batch_size": 8, "total_kclips": updates * 8 / 1000, "precision": "float32", "r1_gamma": 1.0}
    train_settings |= {"loss": "nonsaturating", "sample_kclips": 1000, "checkpoint_kclips": 1000} | settings
    model = {"family": family, "content_dim": 8, "generator_channels": 4, "discriminator_channels": 4}
    return build_config(
        {
            "data": {"height": 16, "width": 16, "num_frames": 1, "classes": "folders"},
            "model": model | {"max_channels": 8, "modulate": modulate},
            "train": train_settings,
        }
    )


def footage(num_frames=12, size=16):
    """Class 0 is a bright square that moves right; class 1 a flat picture that brightens."""
    moving = np.zeros((num_frames, size, size, 3), np.uint8)
    for t in range(num_frames):
        moving[t, 4:10, t % (size - 5) : t % (size - 5) + 5] = 255
    rising = np.repeat(np.linspace(40, 200, num_frames).astype(np.uint8), size * size * 3).reshape(moving.shape)
    return PreparedFootage(
        frames=(moving, rising), labels=(0, 1), class_names=NAMES, rate=None, notes=(), manifest_hash="0" * 64
    )


def one_repeated_clip(num_frames=12, size=16):
    return PreparedFootage(
        frames=(np.full((num_frames, size, size, 3), 204, np.uint8),),
        labels=(0,),
        class_names=("grey",),
        rate=None,
        notes=(),
        manifest_hash="0" * 64,
    )


def play(config, shots=None):
    """The state and the verdict after all updates."""
    shots = shots or footage()
    state = new_state(config, len(shots.class_names), CPU)
    for _ in train(state, ClipSampler(shots, num_frames=1, frame_stride=1, seed=0), config):
        pass
    return state, verdict_of(state.watch, config, state.num_clips, shots.class_names)


@pytest.fixture
def early(monkeypatch):
    """Verdicts after a few updates, so that a game can collapse in a second."""
    for name, value in (("LOOK_INTERVAL", 2), ("HALFLIFE", 4), ("FIRST_VERDICT", 20)):
        monkeypatch.setattr(collapse, name, value)


def test_a_sound_game_stays_healthy():
    state, verdict = play(game(220))
    assert verdict.state == "healthy"
    assert str(verdict) == "healthy"
    figures = state.watch.figures()
    assert 0.5 < figures["accuracy"] < 1
    assert 0.1 < figures["variety"] < 2
    assert 0 < figures["drift"] < 0.3


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_a_sound_game_stays_healthy_under_every_loss_and_a_hundredfold_rate_is_a_collapse(early, loss):
    assert play(game(40, loss=loss))[1].state == "healthy"
    assert play(game(40, loss=loss, discriminator_lr=0.05))[1].state == "collapsed"


def test_a_discriminator_with_a_hundred_times_the_rate_is_a_collapse():
    _, verdict = play(game(220, discriminator_lr=0.05))
    assert verdict.in_short == "collapsed: the discriminator overshoots"
    assert "lower train.discriminator_lr from 0.05 to that of the generator, 0.0005" in verdict.advice


def test_without_its_penalty_a_fast_discriminator_wins_and_with_it_the_game_is_sound():
    rates = {"generator_lr": 1e-4, "discriminator_lr": 2e-3, "penalty_interval": 4}
    assert play(game(220, **rates))[1].state == "healthy"
    _, verdict = play(game(220, **rates | {"r1_gamma": 0}))
    assert verdict.in_short == "warning: the discriminator has won"
    assert "logits of real and generated clips are 1" in verdict.reason
    assert "switch the penalty on: leave train.r1_gamma unset" in verdict.advice


def test_footage_that_is_one_clip_is_said_to_be():
    _, verdict = play(game(220), one_repeated_clip())
    assert verdict.in_short == "warning: the footage is one clip"
    assert verdict.advice == "add footage, or train on longer shots"


def repeating(monkeypatch, labels, after):
    """The generator makes one clip for each of these classes from that update on, whatever its latents are."""
    generate, calls = loop.generate, []

    def repeat_itself(generator, part, config):
        fake = generate(generator, part, config)
        calls.append(1)
        if len(calls) <= after:
            return fake
        same = torch.tensor([label in labels for label in part.labels.tolist()])
        return replace(fake, video=torch.where(same[:, None, None, None, None], 0.001 * fake.video, fake.video))

    monkeypatch.setattr(loop, "generate", repeat_itself)


@pytest.mark.parametrize("labels", [(0, 1), (1,), (0,)])
def test_a_generator_that_repeats_one_clip_is_a_collapse_and_the_class_is_named(early, monkeypatch, labels):
    repeating(monkeypatch, labels, after=30)
    _, verdict = play(game(70))
    assert verdict.state == "collapsed"
    assert verdict.cause in {f"generated clips of class {NAMES[label]} repeat themselves" for label in labels}
    assert re.match(r"they vary by 0\.\d% of what real ones do", verdict.reason)
    assert "raise train.batch_size from 8 to 16" in verdict.advice
    assert "set train.loss=relativistic, and leave train.r2_gamma unset" in verdict.advice


def test_the_class_that_is_named_is_the_one_whose_figure_is_given():
    watch = Watch(2)
    for label, generated in ((0, 0.075), (1, 0.001)):
        watch.sums |= {f"pairs/{side}{label}": 8 * value for side, value in (("real", 1.0), ("fake", generated))}
        watch.sums |= {f"pairs/count{label}": 8.0}
    watch.updates, watch.suspicion = 1000, Sign("variety", 1, 0)
    verdict = verdict_of(watch, game(100), 0, NAMES)
    assert verdict.cause == "generated clips of class moving repeat themselves"
    assert verdict.reason == "they vary by 7.5% of what real ones do"


def test_once_the_generator_repeats_the_one_clip_of_its_footage_the_game_has_collapsed(early, monkeypatch):
    repeating(monkeypatch, (0,), after=30)
    _, verdict = play(game(70), one_repeated_clip())
    assert verdict.in_short == "collapsed: the footage is one clip"
    assert verdict.reason == "real clips are all alike, and generated ones as well"


def test_looks_fall_between_penalties_so_that_these_hide_no_dead_gradient():
    config, watch = game(100), Watch(2)
    state = new_state(config, 2, CPU)
    looks = [update for update in range(96) if watch.is_due(update * 8, config)]
    assert len(looks) == 6
    for update in looks:
        state.num_clips = update * 8
        assert loop.gammas_due(state, config) == {}


def test_a_generator_that_has_never_been_varied_is_given_time(early, monkeypatch):
    repeating(monkeypatch, (0, 1), after=0)
    state, verdict = play(game(60))
    assert state.watch.figures()["variety"] < 0.03
    assert verdict.state == "healthy"
    monkeypatch.setattr(collapse, "UPDATES_TO_VARY", 50)
    assert play(game(60))[1].state == "collapsed"


def watched(**figures):
    """A watch that has seen these figures often."""
    watch = Watch(0)
    watch._see(figures, updates=1)
    return watch


def test_dead_gradients_and_an_average_left_behind_are_seen_and_advised_on():
    config = game(100, loss="minimax")
    for figures, words in (
        ({"dead_generator": 0.95}, "collapsed: the generator no longer learns: 95% of its channels have no gradient"),
        ({"dead_discriminator": 0.6}, "warning: the discriminator no longer learns: 60% of its channels"),
        ({"drift": 0.5}, "warning: the generator runs in circles: its weights are 50% of their size away"),
    ):
        watch = watched(log_gap=0.0, accuracy=0.9, dead_generator=0.0, dead_discriminator=0.0, drift=0.0)
        watch._see(figures, updates=10_000)
        watch.updates, watch.suspicion = 1000, watch._worst(list(watch._signs(watch.figures(), config)))
        verdict = str(verdict_of(watch, config, 0))
        assert verdict.startswith(words)
        assert ("set train.loss=nonsaturating" in verdict) == ("dead" in next(iter(figures)))


def test_one_wild_update_among_hundreds_changes_no_state():
    watch, config = watched(dead_generator=0.0, dead_discriminator=0.0, drift=0.1), game(100)
    usual = {"logit_real": 2.0, "logit_fake": -1.0, "accuracy": 0.9, "relative_loss": 0.4}
    wild = {"logit_real": 1e6, "logit_fake": -1e6, "accuracy": 0.0, "relative_loss": 1e6}
    for update in range(400):
        watch.observe(wild if update == 390 else usual, SimpleNamespace(trouble="", num_clips=8 * update), config)
    assert list(watch._signs(watch.figures(), config)) == []
    assert watch.figures()["gap"] == pytest.approx(3, rel=0.5)


def test_an_update_that_was_dropped_is_not_taken_in():
    watch, unknown = Watch(0), {"logit_real": math.nan, "dropped": 1.0}
    dropped = SimpleNamespace(trouble="gradient of ...", num_clips=8)
    assert watch.observe(unknown | {"pairs/real0": 1.0}, dropped, game(100)).keys() == unknown.keys()
    assert (watch.updates, watch.sums) == (0, {})


def test_a_state_is_left_only_some_way_back_from_its_limit():
    watch = Watch(0)
    watch.updates = 1000
    above, near, back = 15.1, 14.0, 11.9
    seen = []
    for figure in (near, above, near, back, near):
        watch.suspicion = next(watch._sign("gap", figure, collapse.GAP_LIMITS), None)
        seen.append(watch.state)
    assert seen == ["healthy", "warning", "warning", "healthy", "healthy"]


def test_a_loss_without_a_bound_may_part_logits_by_no_more_than_clips_are_apart():
    assert gap_limits(game(100)) == (15, 40)
    assert gap_limits(game(100, loss="wasserstein", lipschitz_lambda=10.0))[0] == pytest.approx(2 * 768**0.5)


def test_accuracy_and_relative_loss_say_what_a_discriminator_knows():
    def known(real, fake, name="nonsaturating"):
        real, fake = torch.tensor(real), torch.tensor(fake)
        losses = OBJECTIVES[name].discriminator(real, fake)
        return {key: value.item() for key, value in knowledge(OBJECTIVES[name], losses, real, fake).items()}

    assert known([2.0, 3.0], [-1.0, 1.0])["accuracy"] == 1
    assert known([2.0, 0.0], [1.0, 1.0])["accuracy"] == 0.5
    assert known([1.0, 1.0], [1.0, 1.0])["accuracy"] == 0.5
    assert known([[2.0, 0.0]], [[1.0, 1.0]])["accuracy"] == 0.5  # each of two networks has its own logits
    assert known([0.0], [0.0])["relative_loss"] == pytest.approx(1)
    assert known([-3.0], [3.0])["relative_loss"] == pytest.approx(3.0486 / math.log(2), rel=1e-3)
    assert "relative_loss" not in known([1.0], [0.0], "wasserstein")


@given(st.lists(st.integers(0, 2), min_size=2, max_size=8), st.integers(0, 2**31))
def test_distances_are_those_of_all_pairs_within_a_class(labels, seed):
    video = torch.rand(len(labels), 3, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    sums, counts = distances_within_classes(video, torch.tensor(labels), 3)
    for label in range(3):
        clips = [clip for clip, found in zip(video, labels, strict=True) if found == label]
        pairs = [(a, b) for index, a in enumerate(clips) for b in clips[:index]]
        assert counts[label] == len(pairs)
        expected = sum((a - b).square().mean().sqrt().item() for a, b in pairs)
        assert sums[label].item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert distances_within_classes(video, torch.tensor(labels), 0)[1].tolist() == [math.comb(len(labels), 2)]


def test_grain_is_not_taken_for_variety():
    same = torch.zeros(6, 3, 4, 64, 64)
    grainy = same + 0.2 * torch.randn(same.shape, generator=torch.Generator().manual_seed(0))
    sums, counts = distances_within_classes(grainy, torch.zeros(6, dtype=torch.long), 0)
    assert sums / counts < 0.1  # 0.28 by the voxel


def test_channels_without_a_gradient_and_the_way_to_the_average_are_measured():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[0].bias.copy_(torch.tensor([1.0, 1.0, -9.0, -9.0]))  # two channels that are never active
        network[2].weight.fill_(1.0)
    network(torch.ones(5, 3)).sum().backward()
    assert dead_share(network) == pytest.approx(2 / 5)
    average = nn.Linear(3, 1, bias=False)
    current = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        average.weight.copy_(torch.tensor([[0.0, 0.0, 5.0]]))
        current.weight.copy_(torch.tensor([[3.0, 4.0, 5.0]]))
    assert weight_drift(average, current) == pytest.approx(5 / 50**0.5)


def test_what_was_seen_is_part_of_the_checkpoint(tmp_path):
    state, _ = play(game(60))
    state.watch.suspicion = Sign("variety", 2, 1)
    state.watch.updates = 1000
    save_checkpoint(tmp_path / "checkpoint.pt", contents_of(state, manifest_hash=""))
    again = new_state(game(60), 2, CPU)
    load_checkpoint(tmp_path / "checkpoint.pt", again)
    assert vars(again.watch) == vars(state.watch)
    assert again.watch.varied
    assert again.watch.state == "collapsed"


def lines_of(run):
    return [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]


def test_an_interrupted_run_is_judged_as_one_that_was_not(tmp_path):
    config = game(60)
    run_training(config, footage(), tmp_path / "whole", console=QUIET)
    for updates in (13, 24, 41, 60):  # in the middle of a look's interval, and at a look
        part = game(updates)
        assert run_training(part, footage(), tmp_path / "parts", console=QUIET).finished

    def seen(run):
        return [
            {name: value for name, value in line.items() if name.startswith("watch/") or name in ("accuracy", "state")}
            for line in lines_of(run)
            if "loss_generator" in line
        ]

    assert seen(tmp_path / "parts") == seen(tmp_path / "whole")
    assert sum("watch/variety" in line for line in seen(tmp_path / "whole")) == 4


def test_a_change_of_state_is_one_line_and_is_on_record(early, tmp_path):
    said = Console(file=StringIO(), width=1000)
    config = game(40, discriminator_lr=0.05)
    assert run_training(config, footage(), tmp_path, console=said).finished
    changes = [line for line in said.file.getvalue().splitlines() if "kclips: collapsed: " in line]
    assert len(changes) == 1
    assert "0.2 kclips: collapsed: the discriminator runs away: its logits of real and generated clips" in changes[0]
    assert "Try: lower train.discriminator_lr from 0.05" in changes[0]
    lines = [line for line in lines_of(tmp_path) if "state" in line]
    assert [line["state"] for line in lines][:19] == ["healthy"] * 19
    assert lines[-1]["state"] == "collapsed"
    (record,) = [line for line in lines if "advice" in line]
    assert record["cause"] == "the discriminator runs away"
    assert json.loads((tmp_path / "warnings.jsonl").read_text().splitlines()[-1])["words"] in changes[0]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.value for event in board.Scalars("watch/state")][-1] == 2
    assert "watch/text_summary" in board.Tags()["tensors"]


def test_a_collapse_stops_the_run_if_asked_with_the_reason_and_what_to_change(early, tmp_path):
    config = game(40, discriminator_lr=0.05, on_collapse="stop")
    with pytest.raises(TrainingError) as stopped:
        run_training(config, footage(), tmp_path, console=QUIET)
    words = str(stopped.value)
    assert words.startswith(f"{tmp_path}: stopped at 0.2 kclips: collapsed: the discriminator runs away, its logits of")
    assert "lower train.discriminator_lr from 0.05 to that of the generator, 0.0005" in words
    assert words.endswith("in a new --run folder")
    assert len(words.splitlines()) == 1
    (diagnosis,) = (tmp_path / "diagnosis").glob("*.json")
    assert str(diagnosis) in words
    assert "runs away" in json.loads(diagnosis.read_text())["reason"]
    assert lines_of(tmp_path)[-1]["state"] == "collapsed"


def test_after_a_collapse_training_goes_back_to_before_it_with_half_the_rates(early, tmp_path, monkeypatch):
    broken = []

    def breaks(state, config):
        if state.num_clips == 208 and not broken:  # once
            broken.append(state.num_clips)
            with torch.no_grad():
                for weight in state.discriminator.parameters():
                    weight.mul_(-30)
        set_rates(state, config)

    set_rates, remove_after, removed = loop.set_rates, Checkpoints.remove_after, []
    monkeypatch.setattr(loop, "set_rates", breaks)
    monkeypatch.setattr(
        Checkpoints, "remove_after", lambda self, clips: (removed.append(clips), remove_after(self, clips))
    )
    said = Console(file=StringIO(), width=1000)
    config = game(60, on_collapse="rollback", checkpoint_kclips=0.016, keep_checkpoints=1)
    assert run_training(config, footage(), tmp_path, console=said).finished
    assert broken
    assert removed == [208]
    assert "; see " in said.file.getvalue()
    assert "going back to 0.2 kclips with half the rates" in said.file.getvalue()
    newest = Checkpoints(tmp_path / "checkpoints", keep=1).paths()[-1]
    assert torch.load(newest, weights_only=True)["num_rollbacks"] == 1
    assert lines_of(tmp_path)[-1]["state"] == "healthy"
    assert [line["num_clips"] for line in lines_of(tmp_path)] == list(range(0, 488, 8))


def test_a_run_that_collapses_again_and_again_stops(early, tmp_path):
    said = Console(file=StringIO(), width=1000)
    config = game(60, discriminator_lr=1.0, on_collapse="rollback", most_rollbacks=2, checkpoint_kclips=0.04)
    with pytest.raises(TrainingError, match=r"it went back 2 times already: lower train\.discriminator_lr from 1"):
        run_training(config, footage(), tmp_path, console=said)
    # Not to the checkpoints that were made while nothing had been said yet of what was seen already.
    assert said.file.getvalue().count("going back to 0.0 kclips with half the rates") == 2


def test_the_newest_healthy_checkpoint_stays_and_those_of_a_collapse_go(tmp_path):
    state = new_state(game(10), 2, CPU)
    kept = Checkpoints(tmp_path, keep=2, budget_gb=1e-9)
    for num_clips in (8, 16, 24, 32, 40):
        state.num_clips = num_clips
        state.watch.healthy_at = min(num_clips, 20)
        kept.save(contents_of(state, manifest_hash=""))
    assert [path.name[:9] for path in kept.paths()] == ["000000016", "000000040"]
    assert kept.restore(state, at_most=20).path.name == "000000016_clips.pt"
    kept.remove_after(state.num_clips)
    assert [path.name[:9] for path in kept.paths()] == ["000000016"]


SLOW_GENERATOR = {"generator_lr": 5e-5, "discriminator_lr": 4e-3}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modulate", "settings", "shots", "state", "cause"),
    [
        (False, {}, footage, "healthy", ""),
        (False, {"discriminator_lr": 0.1}, footage, "collapsed", "the discriminator overshoots"),
        (False, SLOW_GENERATOR, footage, "healthy", ""),
        (False, SLOW_GENERATOR | {"r1_gamma": 0}, footage, "collapsed", "the discriminator has won"),
        (True, SLOW_GENERATOR | {"r1_gamma": 0}, footage, "warning", "the discriminator has won"),
        (False, {}, one_repeated_clip, "warning", "the footage is one clip"),
        (True, {}, one_repeated_clip, "collapsed", "the footage is one clip"),
    ],
)
def test_planted_collapses_of_the_default_family_end_in_their_state(modulate, settings, shots, state, cause):
    _, verdict = play(game(1000, family="conv3d", modulate=modulate, penalty_interval=4, **settings), shots())
    assert (verdict.state, verdict.cause) == (state, cause)
