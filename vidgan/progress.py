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
