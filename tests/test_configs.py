"""Every shipped config is loaded and trained for two updates; every command of the README is run."""

import os
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console
from typer.main import get_command

from vidgan.cli import app
from vidgan.commands.terminal import STOPPED
from vidgan.config_files import load_config
from vidgan.demo import CONFIG as DEMO_CONFIG
from vidgan.media.movie_writer import write_movie
from vidgan.run import run_training
from vidgan.sampling.render import render
from vidgan.sampling.take import seed_take
from vidgan.survey import look_at_footage
from vidgan.weights import load_generator, load_repairer

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def make_plates(folder, *, num_frames=40):
    """Two class folders with a movie each, of a gradient that moves."""
    ramp = np.linspace(0, 255, 96).astype(np.uint8)
    for class_name, direction in (("left", 1), ("right", -1)):
        (folder / class_name).mkdir(parents=True)
        frames = (np.tile(np.roll(ramp, direction * 3 * t)[None, :, None], (64, 1, 3)) for t in range(num_frames))
        write_movie(folder / class_name / "a.mp4", frames, rate=Fraction(24))


def make_images(footage):
    """IDX files of 100 pictures in 10 classes, the images gzipped."""
    pictures = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    footage.idx("made-images-idx3-ubyte.gz", pictures)
    footage.idx("made-labels-idx1-ubyte", np.arange(100, dtype=np.uint8) % 10)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_shipped_config_trains_two_updates_and_its_weights_can_be_loaded(path, footage, tmp_path):
    two_updates = 2 * load_config(path).train.batch_size / 1000
    config = load_config(path, [f"train.total_kclips={two_updates}", "train.sample_kclips=1000"])
    if config.data.kind == "idx":
        make_images(footage)
    else:
        make_plates(footage.root)
    console = Console(quiet=True)
    prepared = look_at_footage(footage.root, config.data, console).prepare("train")
    result = run_training(config, prepared, tmp_path / "run", console=console)
    assert result.finished
    data = config.data
    if config.repairs:
        assert load_repairer(tmp_path / "run").provenance.num_clips == 2 * config.train.batch_size
        return
    loaded = load_generator(tmp_path / "run")
    frame = next(render(loaded, seed_take(loaded, 1, 0, num_frames=1)))
    assert frame.shape == (data.height, data.width, data.channels)


def test_the_generator_that_travels_was_made_by_the_demos_recipe_and_is_small():
    loaded = load_generator("demo")
    same = {"train": {"total_kclips"}}
    assert loaded.provenance.config.model_dump(exclude=same) == DEMO_CONFIG.model_dump(exclude=same)
    assert loaded.path.stat().st_size <= 8_000_000


def readme_commands():
    """Command lines of the README's bash blocks, continued lines joined."""
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def shortened(command):
    """The same command for seconds instead of minutes; installing and testing are what runs this."""
    if "pip install" in command:
        return None
    words = shlex.split(command, comments=True)
    if words[:2] == ["vidgan", "demo"]:
        words += ["--minutes", "0.05", "--shots", "2"]
    if words[:2] == ["vidgan", "train"] and not {"--dry-run", "--show-damage"} & set(words):
        words += ["--time-budget", "3s"]
    if words[:2] == ["vidgan", "plan"]:
        words += ["train.batch_size=2"]
    if "tools/bench_train.py" in words:
        words += ["train.batch_size=2", "--seconds", "0.1"]
    if words[:2] == ["vidgan", "fetch-i3d"]:
        return None
    if words[:2] == ["vidgan", "evaluate"] and "--clips" not in words:
        words += ["--num-clips", "8"]
    if "tools/bench_quality.py" in words:
        words += ["--minutes", "0.05", "--points", "1", "--num-clips", "8", "--only", "half the channels"]
    if "tools/bench_export.py" in words:
        words += ["--frames", "2", "--turns", "1", "--height", "90", "--width", "160"]
    if "tools/bench_generate.py" in words:
        words += ["--sizes", "16x16", "--seconds", "0.1", "--long", "512"]
    if "tools/bench_loader.py" in words:
        words += ["--quick"]
    if "tools/make_footage.py" in words:
        words += ["--shots", "1"]
    return words


def test_the_files_for_clusters_are_valid_and_give_train_options_that_it_has():
    job = yaml.safe_load((ROOT / "configs" / "cluster" / "pytorchjob.yaml").read_text())
    (container,) = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    script = (ROOT / "configs" / "cluster" / "slurm.sbatch").read_text()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    in_script = re.search(r"-m -- (vidgan train .*?)&", script, flags=re.S).group(1)
    for words in (container["command"][container["command"].index("vidgan") :], shlex.split(in_script)):
        assert words[:2] == ["vidgan", "train"]
        options = {name for parameter in get_command(app).commands["train"].params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options
    assert {"name": "TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "value": "1"} in container["env"]
    assert "export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1" in script


def test_the_readmes_commands_do_what_it_says(tmp_path):
    for name in ("configs", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    make_plates(tmp_path / "plates", num_frames=80)  # enough clips to be judged by
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.S):
        result = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, f"{block}\n{result.stderr}"
    commands = [words for command in readme_commands() if (words := shortened(command))]
    assert len(commands) > 10
    for words in commands:
        result = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        expected = STOPPED if "--time-budget" in words or "status" in words else 0
        assert result.returncode == expected, f"{shlex.join(words)}\n{result.stdout}\n{result.stderr}"


def test_continuous_integration_runs_the_readmes_test_command():
    (command,) = (line for line in readme_commands() if "pytest" in line and "slow" not in line)
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
