"""The installed `vidgan` command, from a folder of footage to a review MP4, and what it says to mistakes."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.commands.terminal import STOPPED
from vidgan.media.movie_writer import write_movie
from vidgan.media.movies import read_header, read_movie

ROOT = Path(__file__).parents[1]
VIDGAN = str(Path(sys.executable).with_name("vidgan"))
TINY = ["data.height=16", "data.width=16", "data.num_frames=4", "model.generator_channels=8"]
TINY += ["model.discriminator_channels=8", "model.max_channels=8", "train.batch_size=4", "train.total_kclips=0.012"]


def vidgan(*arguments, **options):
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.run([VIDGAN, *map(str, arguments)], capture_output=True, text=True, env=environment, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A footage folder with one bad file, and a run trained on it by the installed command."""
    folder = tmp_path_factory.mktemp("cli")
    random = np.random.default_rng(0)
    for class_name in ("fire", "walk"):
        (folder / "footage" / class_name).mkdir(parents=True)
        frames = random.integers(0, 255, (10, 24, 24, 3)).astype(np.uint8)
        write_movie(folder / "footage" / class_name / "a.mkv", iter(frames), rate=Fraction(24000, 1001))
    (folder / "footage" / "walk" / "broken.mp4").write_text("not a movie")
    (folder / "notes.txt").write_text("not weights")
    result = vidgan(
        "train", ROOT / "configs/clip64.yaml", *TINY, "--footage", folder / "footage", "--run", folder / "run"
    )
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def test_training_says_what_was_found_what_was_not_used_and_where_the_results_are(trained):
    folder, output = trained
    assert "2 shots at 24000/1001 frames/s, 14 clips, classes fire, walk" in output
    assert "not used: walk/broken.mp4: is not a movie" in output
    assert "MB when prepared" in output
    assert "finished at 0.0 kclips" in output
    assert str(folder / "run" / "generator.safetensors") in output


def test_ctrl_c_saves_says_that_the_same_command_goes_on_and_it_does(trained, tmp_path):
    folder, _ = trained
    command = ["train", ROOT / "configs/clip64.yaml", *TINY[:-1], "--footage", folder / "footage"]
    command += ["--run", tmp_path / "run"]
    stats = tmp_path / "run" / "stats.jsonl"
    process = subprocess.Popen([VIDGAN, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (stats.exists() and len(stats.read_text().splitlines()) > 3):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "the same command goes on" in output
    assert list((tmp_path / "run" / "checkpoints").glob("*_clips.pt"))
    again = vidgan(*command, "--time-budget", "0.05s")
    assert again.returncode == 130, again.stderr
    assert "the same command goes on" in again.stdout
    assert "going on from" in again.stdout
    clips = [json.loads(line)["num_clips"] for line in stats.read_text().splitlines()]
    assert clips == sorted(set(clips))


def test_takes_are_movies_with_the_rate_of_the_footage(trained, tmp_path):
    folder, _ = trained
    result = vidgan("generate", folder / "run", "--seeds", "1-2", "--classes", "all", "--frames", 6, "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    names = [f"{name}_seed000{seed}.mp4" for name in ("fire", "walk") for seed in (1, 2)]
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == sorted([*names, "contact_sheet.mp4"])
    header = read_header(tmp_path / names[0])
    assert (header.rate, header.num_frames) == (Fraction(24000, 1001), 6)
    assert json.loads((tmp_path / "fire_seed0001.json").read_text())["class"] == "fire"


def test_a_dry_run_prints_settings_levels_parameters_clips_and_memory_and_trains_nothing(trained, tmp_path):
    folder, _ = trained
    result = vidgan(
        *("train", ROOT / "configs/clip64.yaml", *TINY, "--dry-run"),
        *("--footage", folder / "footage", "--run", tmp_path / "run"),
    )
    assert result.returncode == 0, result.stderr
    for words in ("num_frames: 4", "generator, ", "discriminator, ", "3x3x3", "clips: 14 from 2 shots", "memory for"):
        assert words in result.stdout
    assert not (tmp_path / "run").exists()


def test_export_and_the_tool_of_that_name_write_the_same_movie(trained, tmp_path):
    folder, _ = trained
    source = folder / "footage" / "fire" / "a.mkv"
    settings = ["--rate", "25", "--shot", "dawn"]
    result = vidgan("export", source, tmp_path / "one.mkv", *settings)
    assert result.returncode == 0, result.stderr
    assert "one.mkv: 10 frames at 25 frames/s" in result.stdout
    tool = [sys.executable, str(ROOT / "tools/export_mp4.py"), str(source), str(tmp_path / "two.mkv"), *settings]
    assert subprocess.run(tool, capture_output=True).returncode == 0
    # Lossless: x264 looks at memory beside the last columns of widths that are no multiple of 16.
    one, two = (np.stack([frame.rgb() for frame in read_movie(tmp_path / name)]) for name in ("one.mkv", "two.mkv"))
    assert (one == two).all()


def test_the_demo_goes_the_whole_way_and_prints_what_to_try_next(tmp_path):
    result = vidgan("demo", "--minutes", "0.05", "--out", tmp_path / "demo", "--shots", "2")
    assert result.returncode == 0, result.stderr
    assert "Next:" in result.stdout
    demo = tmp_path / "demo"
    assert len(list((demo / "footage").glob("*/*.mp4"))) == 12
    assert (demo / "run" / "generator.safetensors").is_file()
    assert len(list((demo / "takes").glob("*_seed*.mp4"))) == 48
    assert (demo / "takes" / "contact_sheet.png").is_file()


def test_the_generator_that_travels_with_the_package_makes_takes_at_once(tmp_path):
    result = vidgan("generate", "demo", "--seeds", "1", "--classes", "all", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.glob("*_seed0001.mp4"))) == 6


@pytest.mark.parametrize(
    ("format", "frames", "said_before", "said_after"),
    [
        (
            "mp4",
            8,
            "",
            "stopped: the same command begins again; one with frame sequences goes on (--format png, exr ...)",
        ),
        ("mov", 2048, "if it is stopped, the same command begins again; ", "stopped: the same command begins again; "),
        ("exr", 2048, "", "stopped: the same command goes on from here"),
    ],
)
def test_whoever_stops_rendering_is_told_what_the_same_command_will_do(
    format, frames, said_before, said_after, tmp_path, monkeypatch
):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("vidgan.review.takes.render_takes", stopped)
    words = ["generate", "demo", "--seeds", "1", "--frames", frames, "--format", format, "--out", tmp_path]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == STOPPED
    assert result.stdout.startswith(said_before)
    assert bool(result.stdout.strip()) == bool(said_before)
    assert result.stderr.startswith(said_after)
    assert result.stderr.count("\n") == 1


def mistakes(folder, tmp_path):
    """Name -> (arguments, words of the one line)."""
    train = ["train", ROOT / "configs/clip64.yaml"]
    generate = ["generate", folder / "run", "--out", tmp_path / "out"]
    footage = ["--footage", folder / "footage"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "weights.pt").write_bytes(pickle.dumps({"weights": [1.0]}))
    odd = np.zeros((3, 15, 17, 3), dtype=np.uint8)
    write_movie(tmp_path / "odd.mkv", iter(odd), rate=Fraction(24))
    other = shutil.copytree(folder / "run", tmp_path / "other")
    for name in ("config.yaml", "stats.jsonl"):
        (other / name).unlink()
    return {
        "a wrong key": ([*train, "data.heigth=32", *footage], 'unknown setting "data.heigth" (did you mean "height"?)'),
        "a missing folder": ([*train, "--footage", tmp_path / "absent"], "absent: no such folder"),
        "a folder without footage": ([*train, "--footage", tmp_path / "empty"], "no footage in this folder"),
        "weights of another size": (
            [*train, *TINY, "model.max_channels=12", *footage, "--run", other],
            "made with another config",
        ),
        "a text file as weights": (["generate", folder / "notes.txt"], "is a text file, not weights"),
        "a pickle as weights": (["generate", tmp_path / "weights.pt"], "is a pickle"),
        "seeds backwards": ([*generate, "--seeds", "8-1"], "8-1 runs backwards (did you mean 1-8?)"),
        "an unknown class": ([*generate, "--classes", "wlak"], 'unknown class "wlak" (did you mean "walk"?)'),
        "an unknown direction": ([*generate, "--direction", "99:1"], "direction 99 is unknown"),
        "a sweep of nothing": ([*generate, "--sweep", "size=1:2:3"], '"size" cannot be swept'),
        "a take that is no take": ([*generate, "--take", folder / "notes.txt"], "cannot be read as a take"),
        "a format that is none": ([*generate, "--format", "avi"], '--format "avi" is not known'),
        "a first frame that is none": ([*generate, "--first-frame", folder / "notes.txt"], "notes.txt"),
        "a fit that is none": (["invert", folder / "run", tmp_path / "odd.mkv", "--fit", "squash"], "--fit"),
        "an odd size": (["export", tmp_path / "odd.mkv", tmp_path / "odd.mp4"], "H.264 needs even sizes"),
        "a folder that cannot be written": ([*generate[:2], "--out", tmp_path / "file" / "out"], "cannot write files"),
        "a rate that is none": (["export", tmp_path / "odd.mkv", "x.gif", "--rate", "fast"], "is not a rate"),
        "a missing config": (["train", tmp_path / "absent.yaml", *footage], "cannot be read"),
        "a time budget that is none": ([*train, "--time-budget", "soon", *footage], '"soon" is not a time'),
        "an override without a value": ([*train, "train.seed", *footage], "is not an override"),
    }


def test_every_mistake_is_one_clear_line_and_exit_code_2(trained, tmp_path):
    folder, _ = trained
    for name, (arguments, words) in mistakes(folder, tmp_path).items():
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == 2, f"{name}: {result.stdout}{result.stderr}"
        assert words in result.stderr, f"{name}: {result.stderr}"
        assert result.stderr.startswith("error: "), f"{name}: {result.stderr}"
        assert len(result.stderr.splitlines()) == 1, f"{name}: {result.stderr}"
