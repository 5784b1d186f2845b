"""Everything that changes during training, as one object, and the file that holds it.

Every random draw of an update is a pure function of (seed, num_clips), so no random state needs keeping.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidgan.config import Config
from vidgan.errors import WeightsError
from vidgan.files import written_beside
from vidgan.nn.build import build_discriminator, build_generator
from vidgan.training.collapse import Watch
from vidgan.training.losses import objective_of

CHECKPOINT_FORMAT = 4


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
    num_clips: int = 0
    """Real clips shown to the discriminator so far."""
    augment_strength: Tensor = field(default_factory=lambda: torch.zeros(()))
    """What `augment.adapt_to` has come to, 0 to 1."""
    num_rollbacks: int = 0
    """How often training went back to a checkpoint; each time both rates are halved."""
    trouble: str = ""
    """Why the last update was dropped; empty if it was not."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.generator.parameters()).device


def new_state(config: Config, num_classes: int, device: torch.device) -> TrainState:
    """The state at clip 0: weights drawn from `train.seed`, without touching torch's global random state.

    Raises `ConfigError` for an unknown family or loss, before anything is trained.
    """
    objective_of(config.train.loss)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        generator = build_generator(config, num_classes).to(device)
        discriminator = build_discriminator(config, num_classes).to(device)
    # The loop sets both rates before each step, by their schedules.
    return TrainState(
        generator=generator,
        discriminator=discriminator,
        generator_ema=copy.deepcopy(generator).eval().requires_grad_(False),
        generator_optimizer=torch.optim.Adam(generator.parameters()),
        discriminator_optimizer=torch.optim.Adam(discriminator.parameters()),
        watch=Watch(num_classes),
    )


_STATEFUL = ("generator", "discriminator", "generator_ema", "generator_optimizer", "discriminator_optimizer", "watch")


def save_checkpoint(path: str | Path, state: TrainState, *, manifest_hash: str) -> None:
    """Write the whole state, atomically, with the hash of the footage it was trained on. Raises OSError."""
    contents: dict[str, Any] = {name: getattr(state, name).state_dict() for name in _STATEFUL}
    contents |= {"format": CHECKPOINT_FORMAT, "num_clips": state.num_clips, "manifest_hash": manifest_hash}
    contents |= {"augment_strength": state.augment_strength, "num_rollbacks": state.num_rollbacks}
    with written_beside(path) as beside:
        try:
            torch.save(contents, beside)
        except RuntimeError as error:  # how torch says that the disk is full
            raise OSError(str(error).splitlines()[0]) from None


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
    try:
        for name in _STATEFUL:
            getattr(state, name).load_state_dict(contents[name])
        state.augment_strength, state.num_rollbacks = contents["augment_strength"], contents["num_rollbacks"]
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path}: made with another config ({reason}); train into a new --run folder") from None
    state.num_clips = contents["num_clips"]
    return contents["manifest_hash"]
