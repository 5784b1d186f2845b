"""The weights file: what goes in comes out, and nothing in it is ever executed."""

import json
import os
import pickle
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from safetensors.torch import load_file, save_file

from vidgan.config_files import build_config
from vidgan.errors import WeightsError
from vidgan.nn.build import build_generator
from vidgan.weights import Provenance, load_generator, save_generator


def provenance(size=16):
    config = build_config(
        {
            "data": {"height": size, "width": size, "num_frames": 4, "classes": "folders"},
            "model": {"generator_channels": 8, "max_channels": 8},
        }
    )
    return Provenance(config, Fraction(24000, 1001), ("fire", "walk"), manifest_hash="ab" * 32, num_clips=1234)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "generator.safetensors"
    save_generator(path, build_generator(provenance().config, 2), provenance())
    return path


def test_a_generator_comes_back_with_all_that_it_was_made_from(tmp_path):
    generator = build_generator(provenance().config, 2)
    path = tmp_path / "generator.safetensors"
    save_generator(path, generator, provenance())
    loaded = load_generator(path)
    assert loaded.provenance == provenance()
    assert len(loaded.weights_hash) == 64
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, loaded.generator.state_dict()[name])
    assert load_generator(tmp_path).weights_hash == loaded.weights_hash  # the run folder means its weights


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trap-was-sprung",))


@pytest.mark.parametrize(
    "write", [lambda path: path.write_bytes(pickle.dumps(Trap())), lambda path: torch.save(Trap(), path)]
)
def test_a_pickle_is_refused_by_name_and_its_code_does_not_run(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "generator.safetensors"
    write(path)
    with pytest.raises(WeightsError, match=r"generator\.safetensors: is a pickle .* can run code .* is refused"):
        load_generator(path)
    assert not (tmp_path / "trap-was-sprung").exists()


def test_a_text_file_is_called_one(tmp_path):
    (tmp_path / "notes.txt").write_text("lens 35 mm\n")
    with pytest.raises(WeightsError, match=r"notes\.txt: is a text file, not weights"):
        load_generator(tmp_path / "notes.txt")


def test_a_damaged_file_and_an_empty_one_are_called_damaged(weights):
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="is damaged, or no safetensors file"):
        load_generator(weights)
    weights.write_bytes(b"")
    with pytest.raises(WeightsError, match="is damaged, or no safetensors file"):
        load_generator(weights)


def test_weights_of_another_size_name_the_tensor_and_both_sizes(weights, tmp_path):
    tensors = load_file(weights)
    save_generator(weights, build_generator(provenance(32).config, 2), provenance(32))
    other = load_generator(weights)
    assert other.provenance.config.data.height == 32
    _rewrite(weights, tensors)
    with pytest.raises(WeightsError, match=r"weights of another size: \S+ is .* \(expected .*\)"):
        load_generator(weights)


@pytest.mark.parametrize(
    ("name", "value"), [("shots", '["a"]'), ("shots", "3"), ("class_names", "3"), ("num_clips", "x")]
)
def test_damaged_metadata_is_called_so(weights, name, value):
    _rewrite(weights, load_file(weights), **{name: value})
    with pytest.raises(WeightsError, match="its metadata is damaged"):
        load_generator(weights)


def test_weights_of_before_levels_could_be_unmodulated_are_modulated(weights):
    config = provenance().config
    modulated = config.model_copy(update={"model": config.model.model_copy(update={"modulate": True})})
    generator, settings = build_generator(modulated, 2), config.model_dump(mode="json")
    save_generator(weights, generator, replace(provenance(), config=modulated))
    del settings["model"]["modulate"]
    _rewrite(weights, load_file(weights), config=json.dumps(settings))
    loaded = load_generator(weights)
    assert loaded.provenance.config == modulated
    assert loaded.generator.state_dict().keys() > build_generator(config, 2).state_dict().keys()


def _rewrite(path, tensors, **changes):
    """Other tensors under the metadata of `path`, with changes."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata=metadata | changes)


def test_safetensors_of_another_kind_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="safetensors of another kind"):
        load_generator(tmp_path / "other.safetensors")


def test_a_missing_file_and_a_run_without_weights_are_told_apart(tmp_path):
    with pytest.raises(WeightsError, match="no such file or run folder"):
        load_generator(tmp_path / "absent")
    with pytest.raises(WeightsError, match=r"holds no generator\.safetensors yet"):
        load_generator(tmp_path)


def test_a_folder_called_demo_that_is_no_run_does_not_hide_the_generator_that_travels(tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_generator("demo").path.name == "demo.safetensors"
