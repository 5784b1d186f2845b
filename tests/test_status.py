"""A run tells how it stands, on the terminal and on a page, and looking at it disturbs nothing."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from datetime import datetime

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from vidgan import run_output
from vidgan.cli import app
from vidgan.config_files import build_config
from vidgan.errors import RequestError
from vidgan.footage.prepare import PreparedFootage
from vidgan.review.status_page import MOST_POINTS, StatusPage, write_status_page
from vidgan.run import run_training
from vidgan.status import read_status, write_page
from vidgan.training import history
from vidgan.training.history import read_history
from vidgan.training.lock import OWNER_NAME, locked, owner_of

QUIET = Console(quiet=True)


def config(total_kclips=0.032, **train):
    train = {"batch_size": 8, "precision": "float32", "sample_kclips": 0.016, "checkpoint_kclips": 0.016} | train
    model = {"family": "dense", "generator_channels": 4, "discriminator_channels": 4, "max_channels": 8}
    data = {"height": 16, "width": 16, "num_frames": 2, "classes": "folders"}
    return build_config({"data": data, "model": model, "train": train | {"total_kclips": total_kclips}})


def footage():
    frames = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    return PreparedFootage(
        frames=(frames,), labels=(0,), class_names=("<fire>",), rate=None, notes=(), manifest_hash="0" * 64
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first & <best>"
    run_training(config(), footage(), folder, console=QUIET)
    return folder


def status_of(run):
    result = CliRunner().invoke(app, ["status", str(run)])
    return result.exit_code, result.output


def logged(run, *lines, **train):
    """A run folder that holds settings and a log."""
    from vidgan.run_folder import RunFolder

    run.mkdir(exist_ok=True)
    RunFolder(run, config(**{"total_kclips": 100} | train)).begin()
    (run / "stats.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return run


def owned(run, *, process=None, host=None, since=None):
    since = since or datetime.now().isoformat(" ", "seconds")
    owner = {"host": host or socket.gethostname(), "process": process or os.getpid(), "since": since}
    (run / OWNER_NAME).write_text(json.dumps(owner))


def test_a_finished_run_says_what_it_is_and_where_everything_is_with_exit_code_0(finished):
    code, said = status_of(finished)
    assert code == 0
    assert said.startswith(f"{finished}: finished\n")
    for words in (
        "done          0.0 of 0.032 kclips, ",
        "state         healthy",
        "recipe        dense, relativistic, 16x16, 2 frames",
        "process       none; last logged 0:00:",
        f"checkpoint    {finished}/checkpoints/000000032_clips.pt (0:00:",
        f"weights       {finished}/generator.safetensors (0:00:",
        f"newest sheet  {finished}/samples/000000032_clips.mp4",
        f"page          {finished}/status.html",
    ):
        assert words in said
    assert " left" not in said


def test_a_run_that_can_go_on_says_how_long_it_takes_with_exit_code_130(tmp_path):
    run = logged(
        tmp_path / "run",
        {"num_clips": 0, "variety_real": 0.5},
        {"num_clips": 40_000, "clips_per_second": 20.0, "state": "healthy"},
    )
    code, said = status_of(run)
    assert code == 130
    assert f"{run}: stopped; the same command goes on" in said
    assert "40.0 of 100 kclips, 20.0 clips/s, 0:50:00 left" in said
    assert "checkpoint    none yet" in said


def test_a_run_that_has_not_begun_is_no_mistake(tmp_path):
    code, said = status_of(logged(tmp_path / "run"))
    assert code == 130
    assert "0.0 of 100 kclips" in said
    assert "not known before the first update" in said


def test_a_collapse_is_told_with_its_reason_its_advice_and_what_was_said_last(tmp_path):
    told = {"state": "collapsed", "cause": "it has lost", "reason": "by far", "advice": "change it"}
    run = logged(
        tmp_path / "run",
        {"num_clips": 8, "state": "healthy"},
        {"num_clips": 16} | told,
        {"num_clips": 24, "state": "collapsed"},
    )
    warnings = [{"time": f"2026-11-21 18:00:0{k}", "num_clips": k, "words": f"warning {k}"} for k in range(9)]
    (run / "warnings.jsonl").write_text("\n".join(map(json.dumps, warnings)) + '\n{"time": "2026')
    _, said = status_of(run)
    assert "state         collapsed: it has lost" in said
    assert "because       by far" in said
    assert "try           change it" in said
    assert re.findall("warning       2026-11-21 18:00:0.: warning (.)", said) == ["5", "6", "7", "8"]
    assert read_history(run).states == [(0.008, "healthy"), (0.016, "collapsed")]


def test_no_run_is_a_mistake_in_one_line_that_names_the_runs_there_are(tmp_path):
    code, said = status_of(tmp_path / "absent")
    assert (code, len(said.splitlines())) == (2, 1)
    assert "absent: no run in this folder (expected a folder of `vidgan train --run`)" in said
    for name in ("second", "first"):
        logged(tmp_path / name)
    with pytest.raises(RequestError, match="there are first, second in it"):
        read_status(tmp_path)


def test_who_trains_is_told_and_looking_takes_no_lock_and_changes_no_file(tmp_path):
    run = logged(tmp_path / "run", {"num_clips": 8, "clips_per_second": 2.0})
    with locked(run):
        with (run / "stats.jsonl").open("a") as file:
            file.write('{"num_clips": 16, "loss_gen')  # half written
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(run.iterdir())}
        code, said = status_of(run)
        assert code == 130
        assert f"{run}: training" in said
        assert f"process {os.getpid()} on {socket.gethostname()} (since 20" in said
        assert "0.0 of 100 kclips, 2.0 clips/s" in said
        assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(run.iterdir())} == before
    assert owner_of(run) is None
    assert read_status(run).owner is None


def test_a_process_that_was_killed_or_whose_number_is_another_ones_now_does_not_train(tmp_path):
    run = logged(tmp_path / "run", {"num_clips": 8})
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    owned(run, process=ended.pid)
    assert read_status(run).owner is None
    owned(run, since="2020-01-01 00:00:00")  # this process began later
    assert read_status(run).owner is None
    owned(run)
    assert read_status(run).owner.process == os.getpid()
    (run / OWNER_NAME).write_text("{}")
    assert read_status(run).owner is None


def test_a_process_of_another_machine_is_believed_as_long_as_it_logs(tmp_path):
    run = logged(tmp_path / "run", {"num_clips": 8})
    owned(run, process=1, host="elsewhere")
    assert read_status(run).owner.host == "elsewhere"
    long_ago = time.time() - 3600
    os.utime(run / "stats.jsonl", (long_ago, long_ago))
    assert read_status(run).owner is None


def test_of_a_long_log_what_is_rare_and_what_is_newest_is_read_in_full(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "MOST_LINES", 50)
    points = [{"num_clips": 8 * n, "loss_generator": n, "state": "healthy"} for n in range(1, 1000)]
    points[500] |= {"evaluate/fvd": 7.0}
    points[707] |= {"variety_real": 0.5}
    run = logged(tmp_path / "run", *points)
    found = read_history(run)
    assert 40 < len(found.curves["loss_generator"]) < 120
    assert found.curves["evaluate/fvd"] == [(points[500]["num_clips"] / 1000, 7.0)]
    assert len(found.curves["variety_real"]) == 1
    assert found.last == points[-1]
    assert found.verdict.state == "healthy"


def test_a_run_writes_its_page_at_the_start_with_each_sheet_and_at_its_end(tmp_path, monkeypatch):
    seen = []

    def watching(folder, *, ended=False):
        write_page(folder, ended=ended)
        seen.append((read_status(folder).num_clips, ended))

    monkeypatch.setattr(run_output, "write_page", watching)
    run_training(config(0.04), footage(), tmp_path, console=QUIET)
    assert seen == [(0, False), (16, False), (32, False), (40, True)]
    assert "finished" in (tmp_path / "status.html").read_text()


def test_the_page_needs_nothing_beside_it_reloads_itself_and_shows_what_there_is(finished):
    page = (finished / "status.html").read_text()
    assert '<meta http-equiv="refresh" content="60">' in page
    assert '<meta name="viewport"' in page
    assert "first &amp; &lt;best&gt;" in page
    assert "<best>" not in page
    assert set(re.findall(r'(?:src|href)="([a-z]+:[a-z0-9/]+)', page)) == {"data:video/mp4"}
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert '<span class="state healthy">healthy</span> finished' in page
    for words in ("000000032_clips.mp4", ">loss<", ">logits<", "<polyline", "recipe", 'data-expected="0"'):
        assert words in page


def points_of(page, title):
    (plot,) = re.findall(f'aria-label="{title}">(.*?)</svg>', page, flags=re.S)
    return [[tuple(map(float, xy.split(","))) for xy in line.split()] for line in re.findall(r'points="(.*?)"', plot)]


def test_curves_are_drawn_from_their_least_to_their_largest_value_without_single_outliers(tmp_path):
    steady = [(n / 10, float(n // 500)) for n in range(1000)]
    steady[100] = (10.0, 1e9)
    page = StatusPage(
        name="run",
        doing="training",
        state="warning",
        words=("<because>",),
        share_done=0.25,
        progress="",
        facts=(),
        warnings=("<careful>",),
        plots={"steps": {"one": steady, "two": [(0.0, 0.5), (99.9, 0.5)]}, "empty": {"none": []}},
        states=[(0.0, "healthy"), (75.0, "warning"), (100.0, "warning")],
        sheet=None,
        expected_seconds=600,
    )
    write_status_page(tmp_path / "page.html", page)
    text = (tmp_path / "page.html").read_text()
    one, two = points_of(text, "steps")
    assert len(one) == MOST_POINTS
    bottom, top = max(y for _, y in one), min(y for _, y in one)
    assert [y for _, y in two] == [(bottom + top) / 2] * 2
    assert one[0][1] == bottom
    assert one[-1][1] == top
    assert "empty" not in text
    assert "width: 25.00%" in text
    assert "&lt;because&gt;" in text
    assert "&lt;careful&gt;" in text
    assert 'class="healthy" style="flex: 75.000"' in text
    assert 'class="warning" style="flex: 25.000"' in text


def test_a_page_that_cannot_be_written_ends_no_training(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vidgan.status.write_status_page", full)
    assert run_training(config(0.016), footage(), tmp_path, console=QUIET).finished
    assert not (tmp_path / "status.html").exists()
