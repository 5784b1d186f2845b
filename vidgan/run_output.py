"""What a run writes and says while it trains. A full disk is said and survived; only the first process does either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from safetensors import SafetensorError
from torch import nn

from vidgan.errors import MediaError
from vidgan.footage.clips import ClipSampler
from vidgan.run_folder import RunFolder
from vidgan.samples import draw_samples
from vidgan.status import write_page
from vidgan.training.advice import Verdict
from vidgan.training.log import UNKNOWN, StatsLog, note_warning
from vidgan.training.trouble import write_diagnosis
from vidgan.weights import Provenance


class RunOutput:
    """Of one process. Where `writes` is false, nothing is written."""

    def __init__(self, folder: RunFolder, console: Console, *, writes: bool) -> None:
        self.folder, self.console, self.writes = folder, console, writes
        self.newest_sheet = folder.path / "samples"
        self._log: StatsLog | None = None
        self._failing: set[str] = set()

    def open_log(self, num_clips: int) -> None:
        """Statistics from this clip on; what was logged beyond it is taken back."""
        self.close_log()
        if self.writes:
            self._log = StatsLog(self.folder.path, num_clips=num_clips)

    def close_log(self) -> None:
        """Write out what is buffered."""
        if self._log:
            self._log.close()

    def log(self, num_clips: int, statistics: dict[str, float], verdict: Verdict = UNKNOWN) -> None:
        """One line of statistics."""
        if self._log:
            with self.full_disk_survived("log", num_clips):
                self._log.write(num_clips, statistics, verdict)

    def write_page(self, *, ended: bool = False) -> None:
        """How the run stands, for a browser."""
        if self.writes:
            write_page(self.folder.path, ended=ended)

    def save(self, contents: dict[str, Any], generator: nn.Module, provenance: Provenance) -> None:
        """A checkpoint and the averaged generator, as `RunFolder.save` does."""
        if self.writes:
            with self.full_disk_survived("save", provenance.num_clips):
                self.folder.save(contents, generator, provenance)

    def draw_sheets(self, generator: nn.Module, clips: ClipSampler, provenance: Provenance) -> dict[str, float]:
        """Sheets of takes and of real clips; their statistics."""
        statistics: dict[str, float] = {}
        if self.writes:
            with self.full_disk_survived("write sheets", provenance.num_clips):
                self.newest_sheet, statistics = draw_samples(self.folder.path / "samples", generator, clips, provenance)
        return statistics

    def diagnose(self, num_clips: int, reason: str, statistics: dict[str, float], clips: ClipSampler) -> Path:
        """What is known of the update that ended at this clip; returns where it is written down."""
        path, batch_size = self.folder.path / "diagnosis", self.folder.config.train.batch_size
        if self.writes:
            frames, labels = clips.batch(num_clips - batch_size, batch_size)
            with self.full_disk_survived("write a diagnosis", num_clips):
                path = write_diagnosis(
                    path,
                    num_clips=num_clips - batch_size,
                    reason=reason,
                    statistics=statistics,
                    frames=frames.numpy(),
                    labels=labels.numpy(),
                )
        return path

    def warn(self, words: str, num_clips: int) -> None:
        """Something that does not end training, in one line."""
        self.console.print(words, style="yellow", highlight=False, markup=False, soft_wrap=True)
        if self.writes:
            note_warning(self.folder.path, num_clips, words)

    @contextmanager
    def full_disk_survived(self, what: str, num_clips: int) -> Iterator[None]:
        """What cannot be written is said, once in a row, and does not end training."""
        try:
            yield
        except (OSError, MediaError, SafetensorError) as error:
            if what not in self._failing:
                self.warn(
                    f"{self.folder.path}: cannot {what} at {num_clips / 1000:.1f} kclips ({error}); make room: "
                    "training goes on, and what was saved before is whole",
                    num_clips,
                )
            self._failing.add(what)
        else:
            self._failing.discard(what)
