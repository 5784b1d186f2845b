"""What training will take is known before it begins, and running out of memory says what to lower."""

import json
import math
import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.commands.terminal import DOES_NOT_FIT
from vidgan.config_files import build_config
from vidgan.errors import ConfigError, TrainingError
from vidgan.media.movie_writer import write_movie
from vidgan.memory import (
    available_bytes,
    held_to_available_memory,
    is_out_of_memory,
    out_of_memory_in_words,
    peak_bytes,
    what_to_lower,
)
from vidgan.plan import Plan, disk_of_run, make_plan, plan_in_words, time_of_run
from vidgan.run import run_training
from vidgan.survey import FoundFootage, look_at_footage
from vidgan.training import rehearsal
from vidgan.training.batches import Told, cut_batch
from vidgan.training.draws import draw_update
from vidgan.training.loop import set_rates, train, update_discriminator, update_ema, update_generator
from vidgan.training.rehearsal import changes_that_need_less, needed_bytes, rehearse
from vidgan.training.schedules import settle_loss
from vidgan.training.state import new_state

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
QUIET = Console(quiet=True)
TINY = {
    "data": {"height": 16, "width": 16, "num_frames": 4},
    "model": {"generator_channels": 8, "discriminator_channels": 8, "max_channels": 8, "content_dim": 8},
    "train": {"total_kclips": 0.032, "batch_size": 8, "sample_kclips": 1000, "checkpoint_kclips": 0.008},
}
FOUND = FoundFootage((0,), 1, (), prepared_bytes=0, prepare=lambda split: None)
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")

GIGABYTE = 1_000_000_000


def tiny(*overrides):
    return build_config(TINY, list(overrides))


def tensors(*overrides):
    """Bytes of all tensors at the most."""
    return rehearse(tiny(*overrides), 0, CPU)[1]


@pytest.fixture
def without_framework(monkeypatch):
    """So small a run is told apart from a smaller one by its tensors alone."""
    monkeypatch.setattr("vidgan.training.rehearsal.FRAMEWORK_BYTES", 0)


@pytest.fixture
def plates(tmp_path):
    """A folder with one movie, of a gradient that moves."""
    ramp = np.linspace(0, 255, 24).astype(np.uint8)
    frames = (np.tile(np.roll(ramp, t)[None, :, None], (24, 1, 3)) for t in range(24))
    (tmp_path / "plates").mkdir()
    write_movie(tmp_path / "plates" / "a.mkv", frames, rate=Fraction(24))
    return tmp_path / "plates"


# What is predicted


@pytest.mark.parametrize(
    "overrides",
    [
        ("train.accumulate=4",),
        (
            "train.checkpoint_activations=true",
            "model.discriminator_frames=2",
            "train.penalty=finite_difference",
            "train.r2_gamma=1",
        ),
        ("model.family=dcgan3d", "train.lipschitz_lambda=10", "train.loss=relativistic"),
        ("model.family=recurrent", "augment.color=0.2", "augment.translation=0.1", "augment.adapt_to=0.6"),
    ],
)
def test_a_rehearsal_counts_the_tensors_that_real_updates_make(overrides):
    config = settle_loss(tiny("train.precision=float32", *overrides), ())
    state = new_state(config, 2, CPU)
    counter = rehearsal._TensorCounter(CPU)
    for network in (state.generator, state.discriminator, state.generator_ema):
        for tensor in (*network.parameters(), *network.buffers()):
            counter._count(tensor.untyped_storage())
    draws, labels = draw_update(config, state.generator, torch.Generator()), torch.zeros(8, dtype=torch.long)
    with counter:
        for num_clips in (8, 0):
            state.num_clips = num_clips
            frames = torch.zeros((8, 4, 16, 16, 3), dtype=torch.uint8)
            parts = cut_batch(frames, labels, Told(labels, labels), draws, config)
            del frames
            set_rates(state, config)
            _, fakes = update_discriminator(state, parts, config)
            update_generator(state, parts, fakes, config)
            update_ema(state, config)
            del parts, fakes
    state_bytes, most = rehearse(config, 2, CPU)
    assert most == pytest.approx(counter.peak_bytes, rel=0.05)
    assert state_bytes == pytest.approx(counter.live_bytes, rel=0.05)


def test_the_memory_predicted_grows_with_the_batch_and_shrinks_with_its_parts():
    of_4, of_8, of_16 = (tensors(f"train.batch_size={size}") for size in (4, 8, 16))
    assert of_16 - of_8 == pytest.approx(2 * (of_8 - of_4), rel=0.05)
    assert tensors("train.batch_size=16", "train.accumulate=4") < of_8


def test_penalties_a_second_discriminator_and_kept_activations_are_counted():
    usual = tensors()
    assert tensors("train.r1_gamma=0") < tensors("train.r2_gamma=0") < usual
    assert tensors("train.r1_gamma={0: 0, 10: 1}") == usual  # a penalty that comes later
    assert tensors("train.checkpoint_activations=true") < usual
    assert tensors("model.discriminator_frames=4") != usual


def test_a_rehearsal_of_any_size_takes_no_memory_and_draws_nothing():
    before, random = peak_bytes(CPU), torch.get_rng_state()
    needed = needed_bytes(tiny("data.height=1024", "data.width=1024", "data.num_frames=64"), 0, CPU)
    assert needed > 20 * GIGABYTE
    assert peak_bytes(CPU) - before < GIGABYTE
    assert torch.equal(torch.get_rng_state(), random)


def test_the_changes_named_need_less_and_the_parts_are_as_large_as_fit(without_framework):
    needed, in_two = (needed_bytes(tiny(f"train.accumulate={parts}"), 0, CPU) for parts in (1, 2))
    changes = changes_that_need_less(tiny(), 0, CPU, needed=needed, available=in_two)
    assert [change.overrides for change in changes] == [
        ("train.accumulate=2",),
        ("train.checkpoint_activations=true",),
        ("data.height=8", "data.width=8"),
        ("data.num_frames=2",),
    ]
    assert [change.same_update for change in changes] == [True, True, False, False]
    assert changes[0].needed_bytes == in_two
    assert all(change.needed_bytes < needed for change in changes)
    smaller, *_ = changes_that_need_less(tiny(), 0, CPU, needed=needed, available=in_two - 1)
    assert smaller.overrides == ("train.accumulate=4",)


def test_parts_of_a_family_that_normalises_over_clips_are_not_single_and_not_the_same_update(without_framework):
    config = tiny("model.family=dense")
    needed = needed_bytes(config, 0, CPU)
    changes = changes_that_need_less(config, 0, CPU, needed=2 * needed, available=0)
    assert not any(change.same_update for change in changes)
    assert changes[0].overrides == ("train.accumulate=4",)  # of 8 clips


# The plan


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """What `vidgan plan` printed for a small run, and its JSON."""
    folder = tmp_path_factory.mktemp("plan")
    (folder / "plates").mkdir()
    frames = np.random.default_rng(0).integers(0, 255, (24, 24, 24, 3)).astype(np.uint8)
    write_movie(folder / "plates" / "a.mkv", iter(frames), rate=Fraction(24))
    (folder / "tiny.yaml").write_text(json.dumps(TINY))
    arguments = ["plan", folder / "tiny.yaml", "train.keep_kclips=0.016", "--footage", folder / "plates"]
    result = CliRunner().invoke(app, list(map(str, [*arguments, "--json", folder / "plan.json"])))
    assert result.exit_code == 0, result.output
    return result.output, Plan.model_validate_json((folder / "plan.json").read_text())


def test_a_plan_measures_memory_near_what_it_predicts(planned):
    _, plan = planned
    assert plan.memory.measured == pytest.approx(plan.memory.predicted, rel=0.3)
    assert plan.fits
    assert not plan.changes


def test_a_plan_says_memory_speed_time_and_disk(planned):
    output, plan = planned
    for words in (
        "generator, ",
        "clips: 21 from 1 shots",
        f"about {plan.memory.predicted / 1e9:.2f} GB predicted, {plan.memory.measured / 1e9:.2f} GB measured",
        "speed, measured once: ",
        "time to 0.032 kclips: about 0:0",
        "disk for the run: about ",
        "it fits",
    ):
        assert words in output


def test_time_is_that_of_all_updates_sheets_and_checkpoints(planned):
    _, plan = planned
    measured = plan.measured
    config = build_config(plan.config.model_dump(), ["train.penalty_interval=4", "train.total_kclips=1.6"])
    config = build_config(config.model_dump(), ["train.sample_kclips=0.4", "train.keep_kclips=null"])
    update = 0.75 * measured.update_seconds + 0.25 * measured.penalty_update_seconds
    time = time_of_run(config, measured)
    assert time.clips_per_second == pytest.approx(8 / update)
    assert time.seconds == pytest.approx(200 * update + 5 * measured.sheet_seconds + 200 * measured.save_seconds)


def test_the_disk_predicted_is_what_a_run_takes(planned, plates, tmp_path):
    _, plan = planned
    prepared = look_at_footage(plates, plan.config.data, QUIET).prepare("train")
    run_training(plan.config, prepared, tmp_path / "run", console=QUIET)

    def size(pattern):
        return sum(path.stat().st_size for path in (tmp_path / "run").glob(pattern))

    disk = plan.disk
    # The newest of those that are kept for good is among the newest, and none is being written.
    assert size("checkpoints/*") == pytest.approx(disk.checkpoints - 2 * plan.measured.checkpoint_bytes, rel=0.01)
    assert size("generator.safetensors") + size("generators/*") == pytest.approx(disk.generators, rel=0.01)
    assert len(list((tmp_path / "run/samples").glob("*[0-9]_clips.mp4"))) == disk.sheets / plan.measured.sheet_bytes
    assert size("samples/*") < 2 * disk.sheets


def test_a_disk_budget_bounds_the_checkpoints(planned, tmp_path):
    _, plan = planned
    one = plan.measured.checkpoint_bytes
    config = build_config(
        plan.config.model_dump(), ["train.total_kclips=10", f"train.disk_budget_gb={2.5 * one / 1e9}"]
    )
    assert disk_of_run(config, plan.measured, tmp_path).checkpoints == pytest.approx(3.5 * one, rel=0.01)


def test_what_does_not_fit_is_not_tried_and_is_exit_code_1_with_what_to_change(
    without_framework, plates, tmp_path, monkeypatch
):
    least = needed_bytes(tiny("train.accumulate=4"), 0, CPU)
    monkeypatch.setattr("vidgan.plan.available_bytes", lambda device: least)
    monkeypatch.setattr("vidgan.plan.NOT_TRIED", 1.0)
    (tmp_path / "tiny.yaml").write_text(json.dumps(TINY))
    result = CliRunner().invoke(app, ["plan", str(tmp_path / "tiny.yaml"), "--footage", str(plates)])
    assert result.exit_code == DOES_NOT_FIT
    assert "not measured (it would not fit)" in result.output
    assert f"  train.accumulate=4 needs {least / 1e9:.2f} GB: fits; the same update, in more time" in result.output


def test_a_measurement_that_runs_out_of_memory_does_not_fit(without_framework, tmp_path, monkeypatch):
    def measure(*args, **kwargs):
        raise TrainingError("out of memory")

    monkeypatch.setattr("vidgan.plan.measure", measure)
    plan = make_plan(tiny(), FOUND, run=tmp_path, measured=True, console=QUIET)
    assert not plan.fits
    assert "not measured (out of memory)" in plan_in_words(plan)
    assert plan.changes


def test_a_full_disk_is_said(planned):
    _, plan = planned
    plan = plan.model_copy(update={"fits": False, "disk": plan.disk.model_copy(update={"available": 1})})
    assert "it does not fit on the disk: lower train.keep_checkpoints" in plan_in_words(plan)


# Running out of memory

WAYS = {
    "Python": MemoryError(),
    "torch on a CPU": RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    "torch on a GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_running_out_of_memory_is_known(way):
    assert is_out_of_memory(WAYS[way])
    assert not is_out_of_memory(RuntimeError("a bug"))


def test_out_of_memory_says_what_was_needed_and_what_to_lower_with_numbers(without_framework, tmp_path, monkeypatch):
    in_two_parts = needed_bytes(tiny("train.accumulate=2"), 0, CPU)
    monkeypatch.setattr("vidgan.memory.available_bytes", lambda device: in_two_parts)
    with pytest.raises(TrainingError) as error, out_of_memory_in_words(tiny(), 0, CPU, run=tmp_path):
        raise WAYS["torch on a CPU"]
    words = str(error.value)
    assert words.startswith(f"{tmp_path}: out of memory: 8 clips at once of 16x16 and 4 frames need about 0.0")
    assert "predicted to fit, and the same command with it goes on: train.accumulate=2 needs 0.0" in words
    assert len(words.splitlines()) == 1


def test_where_no_setting_helps_the_machine_is_named(planned, tmp_path):
    _, plan = planned
    words = "no setting needs much less: make memory free, or take a larger machine"
    assert what_to_lower(tiny(), 0, CPU, GIGABYTE // 10).endswith(words)
    assert f"it does not fit in memory; {words}" in plan_in_words(plan.model_copy(update={"fits": False}))


def test_other_errors_keep_their_traceback(tmp_path):
    with pytest.raises(RuntimeError, match="a bug"), out_of_memory_in_words(tiny(), 0, CPU, run=tmp_path):
        raise RuntimeError("a bug")


def test_nothing_saved_is_lost_and_the_run_goes_on_in_parts(plates, tmp_path, monkeypatch):
    config = tiny()
    prepared = look_at_footage(plates, config.data, QUIET).prepare("train")

    def fails_at_clip_24(state, *others):
        for statistics in train(state, *others):
            yield statistics
            if state.num_clips == 24:
                raise MemoryError

    monkeypatch.setattr("vidgan.memory.what_to_lower", lambda *args: "all of it")
    with monkeypatch.context() as broken:
        broken.setattr("vidgan.run.train", fails_at_clip_24)
        with pytest.raises(TrainingError, match="out of memory: all of it"):
            run_training(config, prepared, tmp_path / "run", console=QUIET)
    names = [path.name for path in sorted((tmp_path / "run/checkpoints").iterdir())]
    assert names == ["000000016_clips.pt", "000000024_clips.pt"]
    result = run_training(tiny("train.accumulate=4"), prepared, tmp_path / "run", console=QUIET)
    assert result.finished
    clips = [json.loads(line)["num_clips"] for line in (tmp_path / "run/stats.jsonl").read_text().splitlines()]
    assert clips == [0, 8, 16, 24, 32]
    with pytest.raises(ConfigError, match=r"train\.seed was 0, is 1"):
        run_training(tiny("train.seed=1"), prepared, tmp_path / "run", console=QUIET)


@ON_LINUX
def test_train_in_too_little_memory_ends_in_one_line(plates, tmp_path):
    model = {"generator_channels": 32, "discriminator_channels": 32}
    (tmp_path / "tiny.yaml").write_text(json.dumps({"data": {"num_frames": 16}, "model": model}))
    command = ["train", tmp_path / "tiny.yaml", "train.batch_size=62", "--footage", plates, "--run", tmp_path / "run"]

    def limited():
        resource.setrlimit(resource.RLIMIT_DATA, (2 * GIGABYTE, 2 * GIGABYTE))

    result = subprocess.run(
        [sys.executable, "-m", "vidgan", *map(str, command)],
        capture_output=True,
        text=True,
        preexec_fn=limited,
    )
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith(
        f"error: {tmp_path / 'run'}: out of memory: 62 clips at once of 64x64 and 16 frames"
    )
    assert len(result.stderr.splitlines()) == 1
    assert "the same command with it goes on: train.accumulate=31" in result.stderr


@ON_LINUX
def test_asking_for_more_than_there_is_fails_instead_of_being_killed(monkeypatch):
    monkeypatch.setattr("vidgan.memory.available_bytes", lambda device: GIGABYTE // 10 + own_bytes())
    with held_to_available_memory(CPU), pytest.raises(RuntimeError, match="can't allocate memory"):
        torch.empty(8 * GIGABYTE, dtype=torch.uint8)
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY


def own_bytes():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


@ON_LINUX
def test_limits_set_for_a_process_bound_what_is_available():
    free = available_bytes(CPU)
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/status").read_text().split("VmSize:")[1].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (taken + GIGABYTE, before[1]))
    try:
        assert own_bytes() < available_bytes(CPU) < own_bytes() + 1.1 * GIGABYTE < free
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_control_group_bounds_what_is_available(tmp_path, monkeypatch):
    free = available_bytes(CPU)
    (tmp_path / "most").write_text(f"{3 * GIGABYTE}\n")
    (tmp_path / "taken").write_text(f"{2 * GIGABYTE}\n")
    monkeypatch.setattr("vidgan.memory.CONTROL_GROUPS", ((str(tmp_path / "most"), str(tmp_path / "taken")),))
    assert available_bytes(CPU) == pytest.approx(own_bytes() + GIGABYTE, rel=0.01)
    (tmp_path / "most").write_text("max\n")
    assert math.isclose(available_bytes(CPU), free, rel_tol=0.5)


@ON_LINUX
def test_a_limit_that_was_there_before_is_never_raised(monkeypatch):
    limits = []
    monkeypatch.setattr("vidgan.memory.available_bytes", lambda device: 64 * GIGABYTE)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (GIGABYTE, GIGABYTE))
    monkeypatch.setattr(resource, "setrlimit", lambda which, both: limits.append(both))
    with held_to_available_memory(CPU):
        pass
    assert limits == [(GIGABYTE, GIGABYTE), (GIGABYTE, GIGABYTE)]
