"""Progress bars with rate and time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


@contextmanager
def show_progress(console: Console, doing: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with rate and time left; yields the `progress(done, total)` that moves it."""
    bar = Progress(
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        RatePerSecond(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class Pace:
    """How fast a run goes, and how long it still will. `clock` tells seconds, from which pauses are taken."""

    def __init__(self, clock: Callable[[], float], num_clips: int, total: float, max_seconds: float | None) -> None:
        self._clock, self._total, self._max_seconds = clock, total, max_seconds
        self._began, self._began_at, self._paused = clock(), num_clips, 0.0

    def clips_per_second(self, num_clips: int) -> float:
        """Since the start, at this clip."""
        return (num_clips - self._began_at) / (self._clock() - self._began - self._paused)

    def seconds_left(self, num_clips: int) -> float:
        """To the last clip, or to the end of the time there is."""
        left = (self._total - num_clips) / self.clips_per_second(num_clips)
        return max(0.0, left if self._max_seconds is None else min(left, self._max_seconds - self._seconds))

    @property
    def out_of_time(self) -> bool:
        """Whether as much time has gone as there was."""
        return self._max_seconds is not None and self._seconds >= self._max_seconds

    def paused(self, seconds: float) -> None:
        """So long nothing was trained."""
        self._paused += seconds

    def went_back(self, num_clips: int) -> None:
        """By so many clips, which were shown all the same."""
        self._began_at -= num_clips

    @property
    def _seconds(self) -> float:
        return self._clock() - self._began


def training_bar(console: Console) -> Progress:
    """The bar of a run, which may end by the clock: its task has fields `left` and `words`."""
    return Progress(
        TextColumn("{task.completed:.1f}/{task.total:g} kclips"),
        BarColumn(bar_width=10),
        TextColumn("{task.fields[left]} left"),
        TextColumn("{task.fields[words]}"),
        console=console,
    )


def hours_minutes_seconds(seconds: float) -> str:
    """Such as 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


class RatePerSecond(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Text such as "12.3/s"."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "")
