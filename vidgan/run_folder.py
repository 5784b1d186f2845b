"""The folder of a run: what is in it, and what may be written there.

RUN/config.yaml               the settings, defaults included
RUN/checkpoints/              everything that changes; training goes on from the newest
RUN/generator.safetensors     the averaged generator, for `vidgan generate`
RUN/generators/               earlier ones, if `train.keep_kclips` is set
RUN/best.safetensors          the best so far, if `evaluate.best_by` is set
RUN/samples/                  sheets of generated and of real clips
RUN/stats.jsonl, tensorboard/ the curves
RUN/status.html               all of it at a glance; see `vidgan.status`
RUN/warnings.jsonl            what was said that did not end training, line by line
RUN/diagnosis/                updates that were not finite, and collapses
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from vidgan.config import Config
from vidgan.config_files import config_to_yaml, load_config
from vidgan.errors import ConfigError
from vidgan.files import writable_folder, write_text
from vidgan.training.checkpoints import Checkpoints
from vidgan.weights import WEIGHTS_NAME, Provenance, save_generator

CONFIG_NAME, BEST_NAME, PAGE_NAME = "config.yaml", "best.safetensors", "status.html"

# Settings that may differ when a run goes on.
CHANGEABLE = {
    "train.total_kclips",
    "train.accumulate",
    "train.checkpoint_activations",
    "train.sample_kclips",
    "train.checkpoint_kclips",
    "train.keep_checkpoints",
    "train.keep_kclips",
    "train.disk_budget_gb",
    "train.on_collapse",
    "evaluate.every_kclips",
    "evaluate.num_clips",
    "evaluate.best_by",
}


@dataclass(frozen=True)
class RunFolder:
    """One run's files."""

    path: Path
    config: Config

    def begin(self) -> None:
        """Write the config of a new run; in an old one, raise `ConfigError` if it differs where it must not."""
        path = self.path / CONFIG_NAME
        if path.exists():
            before, now = _flat(load_config(path)), _flat(self.config)
            changed = [name for name in now if name not in CHANGEABLE and before[name] != now[name]]
            if changed:
                differences = ", ".join(f"{name} was {before[name]}, is {now[name]}" for name in changed)
                raise ConfigError(
                    f"{self.path}: this run was begun with other settings ({differences}); set what it was begun with, "
                    "or choose a new --run folder"
                )
        write_text(path, config_to_yaml(self.config))
        for left_over in self.path.rglob(".*.part*"):  # by a process that was killed while it wrote
            left_over.unlink(missing_ok=True)

    @property
    def checkpoints(self) -> Checkpoints:
        """As many as the settings say are kept."""
        train = self.config.train
        return Checkpoints(self.path / "checkpoints", train.keep_checkpoints, train.keep_kclips, train.disk_budget_gb)

    @property
    def weights(self) -> Path:
        """The newest generator."""
        return self.path / WEIGHTS_NAME

    def save(self, contents: dict[str, Any], generator: nn.Module, provenance: Provenance) -> None:
        """A checkpoint of what `contents_of` a state returns, and the averaged generator.

        The latter under names of its own, too, if it is to be kept or is the best so far. Raises OSError or
        SafetensorError if the disk is full; what was saved before is whole then.
        """
        self.checkpoints.save(contents)
        save_generator(self.weights, generator, provenance)
        if self.is_due(provenance.num_clips, self.config.train.keep_kclips):
            kept = writable_folder(self.path / "generators") / f"{provenance.num_clips:09d}_clips.safetensors"
            save_generator(kept, generator, provenance)
        if contents["best_num_clips"] == provenance.num_clips > 0:
            save_generator(self.path / BEST_NAME, generator, provenance)

    def is_due(self, num_clips: int, every_kclips: float | None) -> bool:
        """Whether the last update crossed a multiple of `every_kclips`; never if that is None."""
        if every_kclips is None:
            return False
        every = every_kclips * 1000
        return num_clips // every > (num_clips - self.config.train.batch_size) // every


def _flat(config: Config) -> dict[str, object]:
    tree = config.model_dump(mode="json")
    return {f"{section}.{name}": value for section, fields in tree.items() for name, value in fields.items()}
