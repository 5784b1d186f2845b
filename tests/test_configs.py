"""Every shipped config is loaded and trained for two updates; the files for clusters are valid."""

import re
import shlex
import subprocess

import numpy as np
import pytest
import yaml
from readme import ROOT, make_plates
from rich.console import Console
from typer.main import get_command

from vidgan.cli import app
from vidgan.config_files import load_config
from vidgan.demo import CONFIG as DEMO_CONFIG
from vidgan.run import run_training
from vidgan.sampling.render import render
from vidgan.sampling.take import seed_take
from vidgan.survey import look_at_footage
from vidgan.training.schedules import settle_loss
from vidgan.weights import load_generator, load_repairer

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def make_images(footage):
    """IDX files of 100 pictures in 10 classes, the images gzipped."""
    pictures = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    footage.idx("made-images-idx3-ubyte.gz", pictures)
    footage.idx("made-labels-idx1-ubyte", np.arange(100, dtype=np.uint8) % 10)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_shipped_config_trains_two_updates_and_its_weights_can_be_loaded(path, footage, tmp_path):
    batch_size = min(load_config(path).train.batch_size, 8)  # what a GPU takes at once is too much for a test
    two_updates = [f"train.batch_size={batch_size}", f"train.total_kclips={2 * batch_size / 1000}"]
    config = load_config(path, [*two_updates, "train.sample_kclips=1000"])
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


def test_the_generator_that_travels_was_made_by_the_demos_recipe_modulated_at_one_rate_and_is_small():
    loaded = load_generator("demo")
    assert loaded.provenance.config.train.equalize_lr is False
    assert loaded.provenance.config.model.modulate
    recipe = settle_loss(DEMO_CONFIG, loaded.provenance.shots)
    same = {"train": {"total_kclips", "equalize_lr"}, "model": {"modulate"}}
    assert loaded.provenance.config.model_dump(exclude=same) == recipe.model_dump(exclude=same)
    assert loaded.path.stat().st_size <= 8_000_000


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
