"""A run that is killed, or whose disk fills up, or whose clock jumps, ends as one to which nothing happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from io import StringIO
from pathlib import Path

import imageio.v3 as imageio
import pytest
import torch
from rich.console import Console
from tiny_runs import tiny, two_classes

from vidgan.errors import RequestError
from vidgan.run import run_training
from vidgan.training import loop
from vidgan.training.checkpoints import Checkpoints
from vidgan.training.log import StatsLog
from vidgan.training.loop import update_ema
from vidgan.weights import load_generator

QUIET = Console(quiet=True)

# The test imports torch once; each process to be killed is a fork of that and trains at once.
TRAIN = """
import os, signal, sys
from tiny_runs import tiny, two_classes
from rich.console import Console
from vidgan.run import run_training
footage = two_classes()
for line in sys.stdin:
    run, kclips = line.split()
    child = os.fork()
    if child == 0:
        config = tiny(checkpoint_kclips=0.016, sample_kclips=0.2, keep_kclips=0.4, total_kclips=float(kclips))
        run_training(config, footage, run, console=Console(quiet=True))
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Trainer:
    """Trains in forks of one process."""

    def __init__(self):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRAIN], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(self, run, kclips, kill_after=None):
        """Returns the exit code; -9 if it was killed so many seconds after its start."""
        self.process.stdin.write(f"{run} {kclips}\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        return int(self.process.stdout.readline())


def assert_every_file_is_whole(run):
    """Whatever stands under its final name can be read; only the log's last line may be cut off."""
    for path in Checkpoints(run / "checkpoints", keep=1).paths():
        torch.load(path, weights_only=True)
    for path in [*run.glob("*.safetensors"), *run.glob("generators/*.safetensors")]:
        if not path.name.startswith("."):
            load_generator(path)
    for path in [*run.glob("samples/*.png"), *run.glob("samples/*.mp4")]:
        if not path.name.startswith("."):
            assert imageio.imread(path, plugin="pillow" if path.suffix == ".png" else "pyav").size
    for line in (run / "stats.jsonl").read_text().splitlines()[:-1] if (run / "stats.jsonl").exists() else ():
        json.loads(line)


def killed_many_times(tmp_path, kills, kclips):
    """How many kills hit a run that was training, before it is let finish; it must end as if there had been none."""
    trainer, draws, hits = Trainer(), random.Random(0), 0
    assert trainer.train(tmp_path / "whole", kclips) == 0
    for _ in range(kills):
        hits += trainer.train(tmp_path / "killed", kclips, kill_after=draws.uniform(0.0, 1.0)) == -signal.SIGKILL
        assert_every_file_is_whole(tmp_path / "killed")
    assert trainer.train(tmp_path / "killed", kclips) == 0
    trainer.process.communicate()
    assert_every_file_is_whole(tmp_path / "killed")
    contents = {}
    for name in ("whole", "killed"):
        run = tmp_path / name
        contents[name] = torch.load(Checkpoints(run / "checkpoints", keep=1).paths()[-1], weights_only=True)
        assert not list(run.rglob(".*.part*"))
    assert contents["whole"]["num_clips"] == kclips * 1000
    for network in ("generator", "discriminator", "generator_ema"):
        for key, weight in contents["whole"][network].items():
            assert torch.equal(weight, contents["killed"][network][key])
    whole, killed = ((tmp_path / name / "stats.jsonl").read_text().splitlines() for name in ("whole", "killed"))
    assert [json.loads(line)["num_clips"] for line in whole] == [json.loads(line)["num_clips"] for line in killed]
    return hits


def test_killed_a_few_times_a_run_ends_with_the_weights_of_one_that_was_not(tmp_path):
    assert killed_many_times(tmp_path, kills=4, kclips=0.4) >= 2


@pytest.mark.slow
def test_killed_fifty_times_a_run_ends_with_the_weights_of_one_that_was_not(tmp_path):
    hits = killed_many_times(tmp_path, kills=50, kclips=8)
    print(f"{hits} of 50 kills hit a run that was training")
    assert hits >= 45


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path):
    """With zeros, until nothing more fits on the disk."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_on_a_disk_that_fills_up_training_goes_on_and_what_was_saved_is_whole(small_disk, monkeypatch):
    said, filler, run = Console(file=StringIO(), width=400), small_disk / "filler", small_disk / "run"
    config, updates = tiny(checkpoint_kclips=0.016, sample_kclips=0.016, keep_kclips=0.016), []

    def filling_up(state, settings):
        update_ema(state, settings)
        updates.append(state.num_clips)
        if len(updates) == 5:
            fill(filler)

    monkeypatch.setattr(loop, "update_ema", filling_up)
    assert run_training(config, two_classes(), run, console=said).finished
    assert f"{run}: cannot save at 0.0 kclips (the checkpoint was not written whole; 0.0 MB are free)" in (
        said.file.getvalue()
    )
    assert f"{run}: cannot write sheets at 0.0 kclips" in said.file.getvalue()
    assert "make room: training goes on, and what was saved before is whole" in said.file.getvalue()
    assert len(updates) == 8
    assert_every_file_is_whole(run)
    assert Checkpoints(run / "checkpoints", keep=1).newest_num_clips == 32
    filler.unlink()
    assert run_training(config, two_classes(), run, console=QUIET).finished
    assert len(updates) == 8 + 4
    assert_every_file_is_whole(run)
    lines = [json.loads(line)["num_clips"] for line in (run / "stats.jsonl").read_text().splitlines()]
    assert lines == list(range(0, 72, 8))


def test_a_log_whose_disk_was_full_goes_on_with_whole_lines(small_disk):
    log, statistics = StatsLog(small_disk, num_clips=0), {f"figure {index}": 0.25 for index in range(200)}
    log.write(8, statistics)
    fill(small_disk / "filler")
    with suppress(OSError):  # the page that was begun still takes some
        log.write(16, statistics)
    with pytest.raises(OSError, match="No space left on device"):
        log.write(24, statistics)
    (small_disk / "filler").unlink()
    log.write(800, statistics)
    log.close()
    lines = (small_disk / "stats.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {"num_clips": 8, **statistics}
    assert json.loads(lines[-1]) == {"num_clips": 800, **statistics}


def full(self, data):
    raise OSError(28, "No space left on device")


def logged_for_a_while(log):
    for _ in range(100):
        log.write(16, {"loss": 2.0})
        time.sleep(0.1)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_curves_that_a_full_disk_ended_go_on_in_another_file_without_a_traceback(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.summary.writer.record_writer import RecordWriter

    log = StatsLog(tmp_path, num_clips=0)
    log.write(8, {"loss": 1.0})
    with monkeypatch.context() as disk:
        disk.setattr(RecordWriter, "write", full)
        with pytest.raises(OSError, match="No space left on device"):  # met by the thread, and said a little later
            logged_for_a_while(log)
    log.write(24, {"loss": 3.0})
    log.close()
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert board.Scalars("loss")[-1].step == 24


def test_a_run_cannot_begin_on_a_full_disk_and_says_so(small_disk):
    fill(small_disk / "filler")
    with pytest.raises(
        RequestError,
        match=r"cannot write (files )?there \(No space left on device\); (make room|choose another folder)",
    ):
        run_training(tiny(), two_classes(), small_disk / "run", console=QUIET)


def test_a_run_folder_that_became_read_only_is_named_before_anything_is_trained(tmp_path, monkeypatch):
    run_training(tiny(total_kclips=0.032), two_classes(), tmp_path, console=QUIET)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    def read_only(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    with pytest.raises(RequestError, match=r"cannot write files there \(Permission denied\); choose another folder"):
        run_training(tiny(), two_classes(), tmp_path, console=QUIET)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_clock_that_jumps_back_changes_nothing(tmp_path, monkeypatch):
    config = tiny(checkpoint_kclips=0.016, keep_checkpoints=2)
    run_training(config, two_classes(), tmp_path / "whole", console=QUIET)
    now = [2e9]

    def jumping():
        now[0] -= 3600.0
        return now[0]

    monkeypatch.setattr(time, "time", jumping)
    for kclips in (0.024, 0.064):
        part = config.model_copy(update={"train": config.train.model_copy(update={"total_kclips": kclips})})
        run_training(part, two_classes(), tmp_path / "jumping", console=QUIET)
    monkeypatch.undo()
    whole, jumped = (
        torch.load(Checkpoints(tmp_path / name / "checkpoints", keep=1).paths()[-1], weights_only=True)
        for name in ("whole", "jumping")
    )
    assert jumped["num_clips"] == 64
    assert all(torch.equal(weight, jumped["generator"][key]) for key, weight in whole["generator"].items())
