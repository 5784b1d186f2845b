"""Statistics of a run: `stats.jsonl`, one JSON object a line, and the same curves for TensorBoard."""

from __future__ import annotations

import json
from contextlib import suppress
from errno import ENOSPC
from math import isfinite
from os import strerror
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from vidgan.files import write_text

STATS_NAME = "stats.jsonl"

# What an evaluation during training measures is logged under names that begin so.
EVALUATED = "evaluate/"


class StatsLog:
    """Appends statistics; what an interrupted run wrote after its last checkpoint is taken back."""

    def __init__(self, folder: Path, *, num_clips: int) -> None:
        self._path = folder / STATS_NAME
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self._path, "".join(line for line in lines if _clips_of(line) <= num_clips))
        self._file = self._path.open("ab", buffering=0)
        self._cut_off = False
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=num_clips + 1)

    def write(self, num_clips: int, statistics: dict[str, float]) -> None:
        """One line and one point on each curve, at this many clips; values that are not finite are left out.

        Raises OSError if the disk is full. Later lines are whole again once there is room.
        """
        statistics = {name: value for name, value in statistics.items() if isfinite(value)}
        line = json.dumps({"num_clips": num_clips, **statistics}) + "\n"
        start, self._cut_off = "\n" if self._cut_off else "", True
        whole = (start + line).encode()
        if self._file.write(whole) < len(whole):
            raise OSError(ENOSPC, strerror(ENOSPC))
        self._cut_off = False
        for name, value in statistics.items():
            self._board.add_scalar(name, value, num_clips)

    def close(self) -> None:
        """Write out what is buffered, if there is room."""
        self._file.close()
        with suppress(OSError):
            self._board.close()


class NoLog:
    """Of a process that is not the first."""

    def write(self, num_clips: int, statistics: dict[str, float]) -> None:
        """Nothing: the first process has the same to say."""

    def close(self) -> None:
        """Nothing is open."""


def curves_of_run(run: str | Path) -> dict[str, tuple[tuple[float, float], ...]]:
    """(kclips, value) of each figure that was evaluated during training, at two moments or more."""
    path = Path(run) / STATS_NAME
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        if _clips_of(line) < float("inf"):
            point = json.loads(line)
            for name in point:
                if name.startswith(EVALUATED):
                    curves.setdefault(name.removeprefix(EVALUATED), []).append((point["num_clips"] / 1000, point[name]))
    return {name: tuple(points) for name, points in curves.items() if len(points) > 1}


def _clips_of(line: str) -> float:
    """`num_clips` of a line; infinite for one that was cut off."""
    try:
        return json.loads(line)["num_clips"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return float("inf")
