"""Several processes make the update that one would, and hold what one would."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from rich.console import Console
from tiny_runs import mending, newest, tiny, two_classes, two_updates, weights_of, with_penalties

from vidgan.errors import ConfigError, RequestError
from vidgan.nn.build import build_generator
from vidgan.run import run_training
from vidgan.training.processes import Processes, check_restarts, joined_processes
from vidgan.training.state import averaged_generator, contents_of, load_checkpoint, new_state

QUIET = Console(quiet=True)
CPU = torch.device("cpu")


def with_frames(config):
    return config.model_copy(update={"model": config.model.model_copy(update={"discriminator_frames": 2})})


def adapting(config):
    augment = config.augment.model_copy(update={"adapt_to": 0.0, "adapt_kclips": 0.02, "strength": 1.0})
    return config.model_copy(update={"augment": augment})


GAMES = {
    "exact penalties": with_penalties(),
    "finite differences": with_penalties(penalty="finite_difference"),
    "parts besides": with_penalties(accumulate=2),
    "relativistic": with_penalties(loss="relativistic"),
    "Wasserstein": with_penalties(loss="wasserstein", lipschitz_lambda=10.0, r1_gamma=0, r2_gamma=0),
    "two discriminators": with_frames(with_penalties()),
    "adaptive augmentation": adapting(with_penalties()),
    "mending": mending(with_penalties()),
}
SHARDED = with_penalties(penalty="finite_difference", shard=True)
SHARDED_MENDING = mending(SHARDED)


def as_one_of_two(rank, folder):
    """What each of two processes does for all tests below; the first writes down what they compare."""
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    pair, found = Processes(rank, 2), {}
    for name, config in (GAMES | {"sharded": SHARDED, "sharded mending": SHARDED_MENDING}).items():
        state, said = two_updates(config, pair)
        contents = contents_of(state, manifest_hash="")
        generator = averaged_generator(state, config, 2).state_dict()
        found[name] = contents, said, generator, None if config.train.shard else weights_of(state)
    torch.save(found, folder / f"found{rank}.pt")
    run_training(tiny(total_kclips=0.032), two_classes(), folder / "begun_by_two", console=QUIET, processes=pair)
    by_one, by_two = folder / "begun_by_one", folder / "begun_by_two_sharded"
    run_training(tiny(), two_classes(), by_one, console=QUIET, processes=pair)
    sharded = {"penalty": "finite_difference", "shard": True}
    run_training(tiny(total_kclips=0.032, **sharded), two_classes(), by_two, console=QUIET, processes=pair)
    run_training(tiny(**sharded), two_classes(), by_two, console=QUIET, processes=pair)
    (folder / f"agreed{rank}").write_text(f"{pair.same(rank)} {pair.same(7)} {pair.any(rank == 1)}")
    try:
        run_training(
            tiny(), two_classes(), folder / ("begun_by_two" if rank else "empty"), console=QUIET, processes=pair
        )
    except RequestError as error:
        (folder / f"refused{rank}").write_text(str(error))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """The folder that two processes left."""
    folder = tmp_path_factory.mktemp("two")
    run_training(tiny(total_kclips=0.032), two_classes(), folder / "begun_by_one", console=QUIET)
    torch.multiprocessing.spawn(as_one_of_two, (folder,), nprocs=2)
    return folder


@pytest.fixture(scope="module")
def of_one():
    return {name: two_updates(config) for name, config in GAMES.items()}


def assert_same_but_for_rounding(first, second, *, tolerance=1e-5):
    """Weights of checkpoints; Adam's first steps are signs, so a few weights of no gradient may differ."""
    for network in ("generator", "discriminator", "generator_ema"):
        assert first[network].keys() == second[network].keys()
        differences = [(first[network][name] - second[network][name]).abs().flatten() for name in first[network]]
        assert torch.cat(differences).quantile(0.99) < tolerance, network


@pytest.mark.parametrize("name", GAMES)
def test_two_processes_make_the_update_that_one_makes(name, of_two, of_one):
    contents, said, *_ = torch.load(of_two / "found0.pt", weights_only=True)[name]
    state, said_by_one = of_one[name]
    assert_same_but_for_rounding(contents, contents_of(state, manifest_hash=""))
    for figure in said.keys() - {"waiting", "accuracy"}:  # the latter is of pairs within one process' share
        assert said[figure] == pytest.approx(said_by_one[figure], rel=1e-3, abs=1e-4), figure


def test_both_hold_the_same_weights_and_say_the_same(of_two):
    first, second = (torch.load(of_two / f"found{rank}.pt", weights_only=True) for rank in (0, 1))
    for name in GAMES:
        (_, said, averaged, weights), (_, said_too, averaged_too, weights_too) = first[name], second[name]
        assert torch.equal(weights, weights_too)
        assert all(torch.equal(weight, averaged_too[key]) for key, weight in averaged.items())
        assert {**said, "waiting": 0} == {**said_too, "waiting": 0}


def test_a_sharded_model_makes_the_same_update_and_its_generator_and_checkpoint_are_whole(of_two, of_one, tmp_path):
    contents, _, generator, _ = torch.load(of_two / "found0.pt", weights_only=True)["sharded"]
    state, _ = of_one["finite differences"]
    assert_same_but_for_rounding(contents, contents_of(state, manifest_hash=""))
    build_generator(SHARDED, 2, two_classes().labels).load_state_dict(generator)
    assert all(torch.equal(weight, contents["generator_ema"][name]) for name, weight in generator.items())
    torch.save(contents, tmp_path / "checkpoint.pt")
    load_checkpoint(tmp_path / "checkpoint.pt", new_state(with_penalties(), 2, CPU, labels=two_classes().labels))


def test_a_sharded_network_that_mends_makes_the_same_update(of_two):
    contents, *_ = torch.load(of_two / "found0.pt", weights_only=True)["sharded mending"]
    state, _ = two_updates(mending(with_penalties(penalty="finite_difference")))
    assert_same_but_for_rounding(contents, contents_of(state, manifest_hash=""))


@pytest.mark.parametrize("begun", ["begun_by_one", "begun_by_two", "begun_by_two_sharded"])
def test_a_run_goes_on_with_another_number_of_processes(begun, of_two, tmp_path):
    settings = {"penalty": "finite_difference"} if begun.endswith("sharded") else {}
    if begun == "begun_by_two":
        run_training(tiny(), two_classes(), of_two / begun, console=QUIET)
    run_training(tiny(**settings), two_classes(), tmp_path, console=QUIET)
    assert newest(of_two / begun)["num_clips"] == 64
    assert_same_but_for_rounding(newest(of_two / begun), newest(tmp_path), tolerance=1e-4)
    lines = [json.loads(line) for line in (of_two / begun / "stats.jsonl").read_text().splitlines()]
    assert [line["num_clips"] for line in lines] == list(range(0, 72, 8))  # logged once


def test_processes_agree(of_two):
    assert [(of_two / f"agreed{rank}").read_text() for rank in (0, 1)] == ["False True True"] * 2


def test_a_run_folder_that_machines_do_not_share_is_refused(of_two):
    for rank, kclips in ((0, "0.0"), (1, "0.0")):
        words = f"this one: up to {kclips} kclips); --run needs a folder that all machines share"
        assert words in (of_two / f"refused{rank}").read_text()


@pytest.mark.parametrize(("count", "accumulate"), [(3, 1), (4, 4)])
def test_a_batch_that_cannot_be_shared_is_refused_with_what_would_do(count, accumulate, tmp_path):
    needed = f"make it a multiple of {count * accumulate}"
    with pytest.raises(ConfigError, match=rf"train\.batch_size 8 cannot be shared by {count} processes.*{needed}"):
        run_training(tiny(accumulate=accumulate), two_classes(), tmp_path, console=QUIET, processes=Processes(0, count))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shard": True}, "set penalty=finite_difference and lipschitz_lambda=0"),
        ({"shard": True, "penalty": "finite_difference", "compile": True}, "shard and compile do not go together"),
    ],
)
def test_what_sharding_cannot_do_is_said(settings, words):
    with pytest.raises(ConfigError, match=words):
        tiny(**settings)


def test_torchrun_that_could_not_start_processes_again_is_refused_with_what_to_set():
    check_restarts({"TORCHELASTIC_MAX_RESTARTS": "3", "TORCHELASTIC_USE_AGENT_STORE": "False"})
    check_restarts({"TORCHELASTIC_MAX_RESTARTS": "0", "TORCHELASTIC_USE_AGENT_STORE": "True"})
    with pytest.raises(RequestError, match="set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in the environment of torchrun"):
        check_restarts({"TORCHELASTIC_MAX_RESTARTS": "3", "TORCHELASTIC_USE_AGENT_STORE": "True"})


def test_more_processes_than_gpus_are_refused_with_what_to_set(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name, value in (("RANK", "1"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    words = "process 2 of this machine has no GPU, of which there are 1; make it --nproc-per-node 1"
    with pytest.raises(RequestError, match=words), joined_processes():
        pass


CONFIG = """
data: {height: 16, width: 16, num_frames: 4, rate: 24, leave_out: []}
model: {generator_channels: 8, discriminator_channels: 8, max_channels: 8}
train: {total_kclips: 0.8, batch_size: 8, precision: float32, sample_kclips: 1000, checkpoint_kclips: 0.08}
"""


def test_a_process_that_is_killed_is_started_again_by_torchrun_and_nothing_is_lost(footage, tmp_path):
    footage.stills("plate.%04d.png", range(1001, 1025), height=16, width=16)
    (tmp_path / "config.yaml").write_text(CONFIG)

    def start(run, *options):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *options]
        command += ["-m", "--", "vidgan", "train", str(tmp_path / "config.yaml")]
        command += ["--footage", str(footage.root), "--run", str(run)]
        log = (tmp_path / f"{run.name}.log").open("w")
        environment = os.environ | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    process = start(tmp_path / "killed", "--max-restarts=1", "--monitor-interval=0.1")
    checkpoints = tmp_path / "killed" / "checkpoints"
    while not list(checkpoints.glob("0*.pt")):
        assert process.poll() is None, (tmp_path / "killed.log").read_text()
        time.sleep(0.05)
    os.kill(json.loads((tmp_path / "killed" / ".owner.json").read_text())["process"], signal.SIGKILL)
    assert process.wait(timeout=120) == 0, (tmp_path / "killed.log").read_text()
    log = Path(tmp_path / "killed.log").read_text()
    assert "going on from" in log
    assert log.count("finished at 0.8 kclips") == 1
    assert start(tmp_path / "whole").wait(timeout=120) == 0
    killed, whole = newest(tmp_path / "killed"), newest(tmp_path / "whole")
    assert all(torch.equal(weight, killed["generator_ema"][name]) for name, weight in whole["generator_ema"].items())
