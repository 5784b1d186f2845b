"""Statistics of a run: `stats.jsonl`, one JSON object a line, and the same curves for TensorBoard."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from errno import ENOSPC
from math import isfinite
from os import strerror
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from vidgan.files import write_text
from vidgan.training.advice import Verdict
from vidgan.training.collapse import STATES, WATCHED

STATS_NAME = "stats.jsonl"

WARNINGS_NAME = "warnings.jsonl"

# Before the first update.
UNKNOWN = Verdict("")

# What an evaluation during training measures is logged under names that begin so.
EVALUATED = "evaluate/"


class StatsLog:
    """Appends statistics; what an interrupted run wrote after its last checkpoint is taken back."""

    def __init__(self, folder: Path, *, num_clips: int) -> None:
        self._path = folder / STATS_NAME
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self._path, "".join(line for line in lines if 0 < num_clips >= _clips_of(line)))
        self._file = self._path.open("ab", buffering=0)
        self._cut_off = False
        self._said = UNKNOWN
        self._folder = str(folder / "tensorboard")
        self._board: SummaryWriter | None = SummaryWriter(self._folder, purge_step=num_clips + 1)
        self._excepthook = threading.excepthook
        threading.excepthook = _without_full_disks(self._excepthook)

    def write(self, num_clips: int, statistics: dict[str, float], verdict: Verdict = UNKNOWN) -> None:
        """One line and one point on each curve, at this many clips; values that are not finite are left out.

        Of a verdict, its state is on every line, and the rest where it is new. Raises OSError if the disk is full;
        later lines are whole again once there is room.
        """
        statistics = {name: value for name, value in statistics.items() if isfinite(value)}
        words = {"state": verdict.state} if verdict.state else {}
        is_new = (verdict.state, verdict.cause) != (self._said.state, self._said.cause)
        if is_new:
            self._said = verdict
            words = {name: value for name, value in asdict(verdict).items() if value}
        self._append(json.dumps({"num_clips": num_clips, **statistics, **words}) + "\n")
        if verdict.state:
            statistics = {**statistics, f"{WATCHED}state": STATES.index(verdict.state)}
        try:
            self._draw(num_clips, statistics, str(verdict) if is_new else "")
        except OSError:
            self._board = None  # its thread has ended; the next one begins another file
            raise

    def _draw(self, num_clips: int, statistics: dict[str, float], words: str) -> None:
        self._board = self._board or SummaryWriter(self._folder)
        if words:
            self._board.add_text("watch", words, num_clips)
        for name, value in statistics.items():
            self._board.add_scalar(name, value, num_clips)

    def _append(self, line: str) -> None:
        start, self._cut_off = "\n" if self._cut_off else "", True
        whole = (start + line).encode()
        if self._file.write(whole) < len(whole):
            raise OSError(ENOSPC, strerror(ENOSPC))
        self._cut_off = False

    def close(self) -> None:
        """Write out what is buffered, if there is room."""
        self._file.close()
        if self._board:
            with suppress(OSError):
                self._board.close()
        threading.excepthook = self._excepthook


def _without_full_disks(report: Callable[[threading.ExceptHookArgs], None]) -> Callable:
    """Reports what ended a thread, unless it is TensorBoard's that could not write: `StatsLog.write` says so."""

    def report_others(args: threading.ExceptHookArgs) -> None:
        of_tensorboard = type(args.thread).__module__.startswith("tensorboard.")
        if not (of_tensorboard and issubclass(args.exc_type, OSError)):
            report(args)

    return report_others


def note_warning(folder: Path, num_clips: int, words: str) -> None:
    """Keep what was said to whoever looks at the terminal, with the time; on a full disk it was said there alone."""
    said = {"time": datetime.now().isoformat(" ", "seconds"), "num_clips": num_clips, "words": words}
    with suppress(OSError), (folder / WARNINGS_NAME).open("a", encoding="utf-8") as file:
        file.write(json.dumps(said) + "\n")


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
