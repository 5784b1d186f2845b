"""Everything that changes during training, as one object, and the file that holds it.

Every random draw of an update is a pure function of (seed, num_clips), so no random state needs keeping.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from vidgan.config import Config
from vidgan.errors import ConfigError, WeightsError
from vidgan.files import written_beside
from vidgan.nn.build import build_discriminator, build_generator, normalises_batches
from vidgan.nn.conditions import shots_to_tell
from vidgan.training.collapse import Watch
from vidgan.training.losses import objective_of
from vidgan.training.processes import ALONE, Processes
from vidgan.training.schedules import equalizes_lr

CHECKPOINT_FORMAT = 8

# Weights that take in so many numbers have steps of the rates that are set.
EQUAL_AT = 800


class DamagedCheckpoint(WeightsError):
    """The file is not whole, or holds anything but data: an earlier one may be."""


@dataclass
class TrainState:
    """Both networks, the generator's moving average, both optimisers, and the clock."""

    generator: nn.Module
    """A `vidgan.nn.family.Generator`, as is its average."""
    discriminator: nn.Module
    generator_ema: nn.Module
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    watch: Watch
    """Whether the game has collapsed."""
    shots: tuple[int, ...] = ()
    """The class of each shot that both networks are told apart; empty if none."""
    num_clips: int = 0
    """Real clips shown to the discriminator so far."""
    augment_strength: Tensor = field(default_factory=lambda: torch.zeros(()))
    """What `augment.adapt_to` has come to, 0 to 1."""
    num_rollbacks: int = 0
    """How often training went back to a checkpoint; each time both rates are halved."""
    best_by: str | None = None
    """The figure of an evaluation that the best is chosen by."""
    best_figure: float | None = None
    """The best so far."""
    best_num_clips: int = 0
    """When it was measured."""
    trouble: str = ""
    """Why the last update was dropped; empty if it was not."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.generator.parameters()).device


def new_state(
    config: Config,
    num_classes: int,
    device: torch.device,
    processes: Processes = ALONE,
    *,
    labels: Sequence[int] = (),
) -> TrainState:
    """The state at clip 0: weights drawn from `train.seed`, without touching torch's global random state.

    `labels` are the classes of all shots, which both networks tell apart where `shots_to_tell` says so.
    With `train.shard` each process holds its part of it. Raises `ConfigError` for an unknown family or loss, and for
    single clips to a family that normalises over several, before anything is trained.
    """
    settings = config.train
    objective_of(settings.loss)
    shots = shots_to_tell(config, labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        generator = build_generator(config, num_classes, shots).to(device)
        discriminator = build_discriminator(config, num_classes, shots).to(device)
    if settings.batch_size // (processes.count * settings.accumulate) < 2 and normalises_batches(generator):
        raise ConfigError(
            f"model.family={config.model.family} normalises over the clips that are computed together, and "
            f"train.batch_size {settings.batch_size} in {processes.count * settings.accumulate} parts leaves one; "
            "make it larger, or train.accumulate smaller"
        )
    generator_ema = copy.deepcopy(generator).eval().requires_grad_(False)
    if settings.shard:
        for network in (generator, discriminator, generator_ema):
            processes.shard(network)
    # The loop sets both rates before each step, by their schedules.
    return TrainState(
        generator=generator,
        discriminator=discriminator,
        generator_ema=generator_ema,
        generator_optimizer=optimizer_of(generator, config),
        discriminator_optimizer=optimizer_of(discriminator, config),
        watch=Watch(num_classes),
        shots=shots,
    )


def optimizer_of(network: nn.Module, config: Config) -> torch.optim.Adam:
    """Adam in one kernel, where the network has numbers, with a group of parameters for each `step_scale`."""
    has_numbers = next(network.parameters()).device.type != "meta"
    equalizes, groups = equalizes_lr(config), {}
    for path, parameter in network.named_parameters():
        layer, _, name = path.rpartition(".")
        scale = step_scale(network.get_submodule(layer), name) if equalizes else 1.0
        groups.setdefault(scale, []).append(parameter)
    return torch.optim.Adam(
        [{"params": parameters, "step_scale": scale} for scale, parameters in groups.items()], fused=has_numbers
    )


def step_scale(layer: nn.Module, name: str) -> float:
    """What a parameter's steps are multiplied with: for weights sqrt(`EQUAL_AT` / numbers that they take in), as the
    standard deviation goes that He et al. 2015 have them begin with; 1 for all others.

    Adam's steps are of one size for all. As a share of the weights they would be several times as large in layers that
    take in thousands of numbers as in those that take in a few.
    """
    if name != "weight" or not isinstance(layer, nn.Conv3d | nn.Linear):
        return 1.0
    return (EQUAL_AT / prod(layer.weight.shape[1:])) ** 0.5


_NETWORKS = ("generator", "discriminator", "generator_ema")
_OPTIMIZED = ("generator", "discriminator")
_VALUES = ("num_clips", "augment_strength", "num_rollbacks", "best_by", "best_figure", "best_num_clips")

# Tensors by name, whole and on the CPU, however they are spread over processes.
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def averaged_generator(state: TrainState, config: Config, num_classes: int) -> nn.Module:
    """The averaged generator, whole, to make clips with; all processes must ask if it is sharded."""
    if not config.train.shard:
        return state.generator_ema
    tensors = get_model_state_dict(state.generator_ema, options=_WHOLE)
    generator = build_generator(config, num_classes, state.shots)
    if tensors:  # of all processes, the first is given them
        generator.load_state_dict(tensors)
    return generator.to(state.device).eval().requires_grad_(False)


def contents_of(state: TrainState, *, manifest_hash: str) -> dict[str, Any]:
    """All that a checkpoint holds, the same for any number of processes; all of them must ask if it is sharded."""
    contents: dict[str, Any] = {name: get_model_state_dict(getattr(state, name), options=_WHOLE) for name in _NETWORKS}
    for name in _OPTIMIZED:
        optimizer = getattr(state, f"{name}_optimizer")
        contents[f"{name}_optimizer"] = get_optimizer_state_dict(getattr(state, name), optimizer, options=_WHOLE)
    contents |= {name: getattr(state, name) for name in _VALUES}
    contents |= {"watch": state.watch.state_dict(), "shots": list(state.shots)}
    return contents | {"format": CHECKPOINT_FORMAT, "manifest_hash": manifest_hash}


def save_checkpoint(path: str | Path, contents: dict[str, Any]) -> None:
    """Write what `contents_of` a state returns, atomically. Raises OSError."""
    with written_beside(path) as beside:
        try:
            torch.save(contents, beside)
        except RuntimeError:  # how torch says that the disk is full, among other things
            free = shutil.disk_usage(beside.parent).free
            raise OSError(f"the checkpoint was not written whole; {free / 1e6:.1f} MB are free") from None


def load_checkpoint(path: str | Path, state: TrainState) -> str:
    """Fill `state` from a file without running code from it; returns the hash of the footage it was trained on.

    Raises `DamagedCheckpoint` for a damaged file or one that holds anything but data, `WeightsError` for one of another
    config.
    """
    path = Path(path)
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or unsafe file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedCheckpoint(f"{path}: not a checkpoint, or a damaged one ({reason})") from None
    if not isinstance(contents, dict) or contents.get("format") != CHECKPOINT_FORMAT:
        found = contents.get("format") if isinstance(contents, dict) else type(contents).__name__
        raise WeightsError(f"{path}: checkpoint format {found} (expected {CHECKPOINT_FORMAT})")
    if tuple(contents["shots"]) != state.shots:
        raise WeightsError(
            f"{path}: its networks tell {len(contents['shots'])} shots apart, the footage has {len(state.shots)} to "
            "tell, or as many of other classes; put the footage back as it was, or train into a new --run folder "
            "(model.tell_shots=false lets footage change)"
        )
    try:
        for name in _NETWORKS:
            set_model_state_dict(getattr(state, name), contents[name], options=_WHOLE)
        for name in _OPTIMIZED:
            optimizer = getattr(state, f"{name}_optimizer")
            set_optimizer_state_dict(getattr(state, name), optimizer, contents[f"{name}_optimizer"], options=_WHOLE)
        for name in _VALUES:
            setattr(state, name, contents[name])
        state.watch.load_state_dict(contents["watch"])
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path}: made with another config ({reason}); train into a new --run folder") from None
    return contents["manifest_hash"]
