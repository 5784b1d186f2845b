"""The checkpoints of a run: which are kept, and which one training goes on from.

FOLDER/000050000_clips.pt     everything that changes in training, after so many clips
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidgan.errors import WeightsError
from vidgan.files import writable_folder
from vidgan.training.state import DamagedCheckpoint, TrainState, load_checkpoint, save_checkpoint

SUFFIX = "_clips.pt"


@dataclass(frozen=True)
class Restored:
    """Where training goes on from."""

    path: Path
    manifest_hash: str
    """Of the footage it was trained on."""
    damaged: tuple[str, ...]
    """What was wrong with newer ones, in words."""


@dataclass(frozen=True)
class Checkpoints:
    """The newest few, and one for every so many clips seen, of one run."""

    folder: Path
    keep: int
    """How many of the newest are kept."""
    every_kclips: float | None = None
    """Thousands of clips of which the first checkpoint after each multiple is kept, too."""
    budget_gb: float | None = None
    """Size above which the oldest go, those kept for good as well; never the newest, nor the best."""

    def paths(self) -> list[Path]:
        """Oldest first."""
        found = (path for path in self.folder.glob(f"*{SUFFIX}") if path.name.removesuffix(SUFFIX).isdigit())
        return sorted(found, key=_num_clips)

    @property
    def newest_num_clips(self) -> int:
        """Clips seen at the newest one; 0 if there is none."""
        paths = self.paths()
        return _num_clips(paths[-1]) if paths else 0

    def save(self, contents: dict[str, Any]) -> Path:
        """Write what `contents_of` a state returns, and only then remove those that need not be kept.

        Raises OSError if the disk is full.
        """
        path = writable_folder(self.folder) / f"{contents['num_clips']:09d}{SUFFIX}"
        save_checkpoint(path, contents)
        for old in self._not_kept(contents["best_num_clips"]):
            old.unlink(missing_ok=True)
        return path

    def restore(self, state: TrainState) -> Restored | None:
        """Fill `state` from the newest whole checkpoint; None if the run has none.

        Raises `WeightsError` if all of them are damaged, or if they were made with another config.
        """
        damaged: list[str] = []
        for path in reversed(self.paths()):
            try:
                return Restored(path, load_checkpoint(path, state), tuple(damaged))
            except DamagedCheckpoint as error:
                damaged.append(str(error))
        if damaged:
            raise WeightsError(f"{'; '.join(damaged)}: no checkpoint is whole; train into a new --run folder")
        return None

    def _not_kept(self, best_num_clips: int) -> Iterator[Path]:
        paths = self.paths()
        newest, older = paths[-self.keep :], paths[: -self.keep]
        for_good, last_multiple = [], 0
        for path in older:
            multiple = 0 if self.every_kclips is None else int(_num_clips(path) // (self.every_kclips * 1000))
            if multiple > last_multiple or _num_clips(path) == best_num_clips:
                for_good.append(path)
                last_multiple = multiple
            else:
                yield path
        if self.budget_gb is not None:
            kept = [*for_good, *newest]
            size = sum(path.stat().st_size for path in kept)
            for path in kept[:-1]:
                if size > self.budget_gb * 1e9 and _num_clips(path) != best_num_clips:
                    size -= path.stat().st_size
                    yield path


def _num_clips(path: Path) -> int:
    return int(path.name.removesuffix(SUFFIX))
