"""Preparing survives what happens at night: kill -9, a full disk, a moved folder, a crash of one worker."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_pictures import write_barcodes

from vidgan.config import DataConfig
from vidgan.footage import prepare as prepare_module
from vidgan.footage.prepare import prepare_footage
from vidgan.footage.scan import scan_footage
from vidgan.footage.select import select_shots

DATA = DataConfig(height=24, width=56, num_frames=4, leave_out=(), cuts="none", holdout=0)

PREPARE = """
import sys
from test_prepare import DATA, prepare
if len(sys.argv) > 2:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
from vidgan.errors import VidganError
try:
    prepare(sys.argv[1], lambda done, total: print(done, flush=True))
except VidganError as error:
    print(error)
"""


def prepare(root, progress=None):
    return prepare_footage(select_shots(scan_footage(root, DATA), DATA), DATA, progress=progress)


def selected(root, scan_seconds):
    """All shots, as if the scan of each had taken so long."""
    selection = select_shots(scan_footage(root, DATA), DATA)
    shots = [
        replace(each, shot=each.shot.model_copy(update={"scan_seconds": scan_seconds})) for each in selection.shots
    ]
    return replace(selection, shots=tuple(shots))


def start(root, *arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", PREPARE, str(root), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def movies(footage):
    """Four movies of 75 frames."""
    for name in "abcd":
        write_barcodes(footage.path(f"{name}.mp4"), "libx264", options={"crf": str(18 + ord(name) % 4)})
    return footage


def running(part):
    """Whether the process that writes a half-made file still runs."""
    try:
        os.kill(int(part.name.split(".")[-3].rpartition("-")[2]), 0)
    except ProcessLookupError:
        return False
    return True


def finished(cache):
    return {path.name: np.load(path) for path in (cache / "frames").glob("[!.]*.npy")}


def test_killed_at_any_moment_it_leaves_whole_shots_alone_and_goes_on(
    movies, in_this_process, cache, monkeypatch, tmp_path
):
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "undisturbed"))
    prepare(movies.root)
    expected = finished(tmp_path / "undisturbed")
    assert len(expected) == 4
    monkeypatch.setenv("VIDGAN_CACHE", str(cache))
    for num_frames in (20, 200):
        process = start(movies.root)
        while int(process.stdout.readline() or 300) < num_frames:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for name, frames in finished(cache).items():
            assert (frames == expected[name]).all()
    began = time.monotonic()
    while any(running(part) for part in (cache / "frames").glob(".*")) and time.monotonic() - began < 30:
        time.sleep(0.1)  # workers notice that they are orphans
    prepare(movies.root)
    assert {name: frames.tobytes() for name, frames in finished(cache).items()} == {
        name: frames.tobytes() for name, frames in expected.items()
    }
    assert not list((cache / "frames").glob(".*"))


def test_a_disk_that_fills_up_stops_it_with_a_clear_line_and_loses_nothing(movies, in_this_process, cache):
    scan_footage(movies.root, DATA)
    process = start(movies.root, 75 * 24 * 56 * 3 // 2)  # half a shot fits
    output, _ = process.communicate(timeout=60)
    assert f"{cache / 'frames'}: prepared frames cannot be written (File too large)" in output
    assert "Traceback" not in output
    assert list((cache / "frames").iterdir()) == []
    assert prepare(movies.root).num_frames_total == 300


def test_a_folder_that_was_moved_is_not_prepared_again(movies):
    first = prepare(movies.root)
    moved = movies.root.rename(movies.root.with_name("moved"))
    again = prepare(moved, lambda done, total: pytest.fail("frames were made again"))
    assert again.manifest_hash == first.manifest_hash


def test_a_copy_of_the_footage_is_the_same_footage(movies):
    first = prepare(movies.root)
    for path in movies.root.rglob("*.m*"):
        os.utime(path, ns=(10**18, 10**18))
    copied = prepare(movies.root)
    assert copied.manifest_hash == first.manifest_hash
    assert all((one == other).all() for one, other in zip(copied.frames, first.frames, strict=True))


def test_footage_of_other_classes_is_other_footage(movies):
    first = prepare(movies.root)
    name = next(path.name for path in movies.root.rglob("*.m*"))
    (movies.root / "class").mkdir()
    (movies.root / name).rename(movies.root / "class" / name)
    assert prepare(movies.root).manifest_hash != first.manifest_hash


def test_what_is_prepared_side_by_side_is_what_is_prepared_alone(movies, in_this_process, cache, tmp_path, monkeypatch):
    alone = prepare(movies.root).frames
    monkeypatch.undo()
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "other"))
    together = prepare_footage(selected(movies.root, scan_seconds=1), DATA).frames
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize(("scan_seconds", "workers"), [(0.001, 1), (0.4, 2), (0.7, 3), (60, 3)])
def test_a_worker_is_started_for_each_second_of_work_and_for_no_more_than_there_are_cores(
    movies, in_this_process, monkeypatch, scan_seconds, workers
):
    selection, asked = selected(movies.root, scan_seconds), []
    here = prepare_module.run_in_workers
    monkeypatch.setattr(prepare_module, "num_cores", lambda: 3)
    monkeypatch.setattr(
        prepare_module,
        "run_in_workers",
        lambda tasks, *, num_workers, on_progress: asked.append(num_workers) or here(tasks, on_progress=on_progress),
    )
    assert prepare_footage(selection, DATA).num_frames_total == 300
    assert asked == [workers]


def test_shots_of_one_movie_are_prepared_from_where_they_begin(footage):
    times = [*range(30), *range(60, 75), *range(100, 130)]
    write_barcodes(footage.path("a.mkv"), "libx264", times=times)
    prepared = prepare(footage.root)
    assert [len(frames) for frames in prepared.frames] == [30, 15, 30]
    whole = prepare_footage(select_shots(scan_footage(footage.root, DATA), DATA), DATA)
    assert whole.manifest_hash == prepared.manifest_hash
