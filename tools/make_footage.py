"""Make procedural footage: figures, landscapes, smoke and fire, in one folder a class.

python tools/make_footage.py footage --height 64 --width 64 --rate 24 --frames 48 --shots 24 --seed 0
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vidgan.config import parse_rate
from vidgan.errors import RequestError, VidganError
from vidgan.footage.procedural import CLASSES, make_footage

app = typer.Typer(add_completion=False)


@app.command()
def main(
    folder: Annotated[str, typer.Argument(help="Where to write FOLDER/walk/walk_000.mp4 and so on")],
    height: Annotated[int, typer.Option(help="Rows, even")] = 64,
    width: Annotated[int, typer.Option(help="Columns, even")] = 64,
    rate: Annotated[str, typer.Option(help="Frames a second, exact: 24, 25, 24000/1001")] = "24",
    frames: Annotated[int, typer.Option(help="Frames a shot")] = 48,
    shots: Annotated[int, typer.Option(help="Shots a class")] = 24,
    seed: Annotated[int, typer.Option(help="Another seed is other footage")] = 0,
    classes: Annotated[str, typer.Option(help="Comma-separated")] = ",".join(CLASSES),
) -> None:
    """Fill FOLDER with shots; those that are there already are kept."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task("shots", total=None)

    def progress(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        paths = make_footage(
            folder,
            height=height,
            width=width,
            rate=_rate(rate),
            num_frames=frames,
            shots_per_class=shots,
            seed=seed,
            class_names=[name.strip() for name in classes.split(",")],
            progress=progress,
        )
    except VidganError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    finally:
        if bar.live.is_started:
            bar.stop()
    typer.echo(f"{folder}: {len(paths)} shots of {frames} frames, {width}x{height} at {rate} frames a second")


def _rate(text: str) -> Fraction:
    try:
        return parse_rate(text)
    except ValueError as error:
        raise RequestError(str(error)) from None


if __name__ == "__main__":
    app()
