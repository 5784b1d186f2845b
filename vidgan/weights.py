"""The file a network travels in: safetensors, with everything needed to use it as metadata. Never code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from vidgan import __version__
from vidgan.config import Config
from vidgan.config_files import build_config
from vidgan.errors import ConfigError, WeightsError
from vidgan.files import written_beside
from vidgan.nn.build import build_generator

# By what the networks do.
WEIGHTS_FORMAT, REPAIR_FORMAT = "vidgan-generator-1", "vidgan-repairer-1"
WEIGHTS_NAME = "generator.safetensors"

# A generator trained on the built-in procedural footage travels with the package; its name on the command line.
DEMO_NAME = "demo"


@dataclass(frozen=True)
class Provenance:
    """What a generator was made from."""

    config: Config
    rate: Fraction | None
    """Frames a second of the clips it makes; None for images."""
    class_names: tuple[str, ...]
    """Empty for an unconditional generator."""
    manifest_hash: str
    """SHA-256 over the footage it was trained on."""
    num_clips: int
    """Real clips shown in training."""
    shots: tuple[int, ...] = ()
    """The class of each shot of that footage that the networks were told apart; empty if none."""

    def facts(self) -> dict[str, object]:
        """What the records of everything made with it say of it."""
        return {
            "vidgan_version": __version__,
            "footage_manifest_sha256": self.manifest_hash,
            "trained_kclips": self.num_clips / 1000,
            "config": self.config.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator ready to make clips, with what it was made from."""

    generator: nn.Module
    """A `vidgan.nn.family.Generator`."""
    provenance: Provenance
    weights_hash: str
    """SHA-256 of the file."""
    path: Path


@dataclass(frozen=True)
class LoadedRepairer:
    """A network ready to mend clips, with what it was made from."""

    repairer: nn.Module
    """A `vidgan.nn.family.Repairer`."""
    provenance: Provenance
    weights_hash: str
    """SHA-256 of the file."""
    path: Path


def save_generator(path: str | Path, generator: nn.Module, provenance: Provenance) -> None:
    """Write the weights, float32, and their provenance; atomic. A network that mends is told apart by its format."""
    tensors = {name: tensor.detach().float().cpu().contiguous() for name, tensor in generator.state_dict().items()}
    metadata = {
        "format": REPAIR_FORMAT if provenance.config.repairs else WEIGHTS_FORMAT,
        "vidgan_version": __version__,
        "config": provenance.config.model_dump_json(),
        "rate": "" if provenance.rate is None else str(provenance.rate),
        "class_names": json.dumps(provenance.class_names),
        "footage_manifest_hash": provenance.manifest_hash,
        "num_clips": str(provenance.num_clips),
        "shots": json.dumps(provenance.shots),
    }
    with written_beside(path) as beside:
        save_file(tensors, beside, metadata=metadata)


def load_generator(run_or_weights: str | Path, device: torch.device | str = "cpu") -> LoadedGenerator:
    """Load a run folder's generator, a weights file, or "demo", the one that travels with the package.

    Raises `WeightsError` naming the file, what it is and what was expected. Nothing in the file is executed.
    """
    path = find_weights(run_or_weights)
    network, provenance = _load(path, WEIGHTS_FORMAT)
    return LoadedGenerator(network.to(device), provenance, weights_hash=_hash_of(path), path=path)


def load_repairer(run_or_weights: str | Path, device: torch.device | str = "cpu") -> LoadedRepairer:
    """Load the network of a run that learnt to mend (`model.family: repair`), or a weights file of one.

    Raises `WeightsError` as `load_generator` does.
    """
    path = find_weights(run_or_weights)
    network, provenance = _load(path, REPAIR_FORMAT)
    return LoadedRepairer(network.to(device), provenance, weights_hash=_hash_of(path), path=path)


def check_format(metadata: dict[str, str], expected: tuple[str, ...], path: Path) -> None:
    """Raise `WeightsError` unless the weights are of one of the expected formats."""
    found = metadata.get("format", "none stated")
    if found in expected:
        return
    if found == WEIGHTS_FORMAT:
        raise WeightsError(
            f"{path}: makes clips; `vidgan repair` needs weights of model.family=repair, which mend them"
        )
    if found == REPAIR_FORMAT:
        raise WeightsError(f"{path}: mends damaged clips, for `vidgan repair`; weights that make clips were expected")
    raise WeightsError(f"{path}: safetensors of another kind (format {found}, expected {' or '.join(expected)})")


def _load(path: Path, expected: str) -> tuple[nn.Module, Provenance]:
    """A network of the expected format, for use."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118, not a dict
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: {_what_it_is(path)} (expected {WEIGHTS_NAME}, as a run writes it)") from error
    check_format(metadata, (expected,), path)
    try:
        provenance = Provenance(
            config=build_config(_settings(metadata["config"]), source=f"{path}, its config"),
            rate=Fraction(metadata["rate"]) if metadata["rate"] else None,
            class_names=tuple(json.loads(metadata["class_names"])),
            manifest_hash=metadata["footage_manifest_hash"],
            num_clips=int(metadata["num_clips"]),
            shots=tuple(map(int, json.loads(metadata.get("shots", "[]")))),  # weights of earlier versions have none
        )
    except (KeyError, ValueError, TypeError, ConfigError) as error:
        raise WeightsError(f"{path}: its metadata is damaged ({error})") from None
    network = build_generator(provenance.config, len(provenance.class_names), provenance.shots)
    check_tensors(tensors, network, path)
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False), provenance


def _settings(text: str) -> dict[str, Any]:
    """What a config says; those of earlier versions do not say that conv3d's levels are modulated, as they all were."""
    settings = json.loads(text)
    if settings["model"]["family"] == "conv3d":
        settings["model"].setdefault("modulate", True)
    return settings


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_tensors(tensors: dict[str, torch.Tensor], generator: nn.Module, path: Path) -> None:
    """Raise `WeightsError` naming the first tensor that is missing, unknown or of another size."""
    expected = {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise WeightsError(
                f"{path}: weights of another size: {name} is {found.get(name, 'missing')} "
                f"(expected {expected.get(name, 'none')})"
            )


def find_weights(run_or_weights: str | Path) -> Path:
    """The weights file that a run folder, a path or "demo" means. Raises `WeightsError` if there is none."""
    path = Path(run_or_weights)
    named = path.is_file() or (path / WEIGHTS_NAME).is_file()
    if str(run_or_weights) == DEMO_NAME and not named:
        return Path(str(files("vidgan") / "demo.safetensors"))
    if path.is_dir():
        weights = path / WEIGHTS_NAME
        if not weights.is_file():
            raise WeightsError(f"{path}: holds no {WEIGHTS_NAME} yet (expected a run folder of `vidgan train`)")
        return weights
    if not path.is_file():
        raise WeightsError(f'{path}: no such file or run folder (give one that `vidgan train` made, or "{DEMO_NAME}")')
    return path


def _what_it_is(path: Path) -> str:
    """In words, from a file's first bytes."""
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith((b"PK", b"\x80")):
        return "is a pickle (.pt, .pth, .ckpt), which can run code when it is loaded, and is refused"
    if start and all(byte >= 32 or byte in b"\t\r\n" for byte in start):
        return "is a text file, not weights"
    return "is damaged, or no safetensors file"
