"""Make the procedural footage that the demo trains on.

python tools/make_footage.py FOLDER --height 64 --width 64 --rate 24 --frames 48 --shots 24 --seed 0
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from vidgan.errors import RequestError, VidganError
from vidgan.footage.procedural import CLASSES, make_footage


def main(
    folder: Annotated[Path, typer.Argument(help="Where the class folders go.")],
    height: Annotated[int, typer.Option(help="Pixels, even.")] = 64,
    width: Annotated[int, typer.Option(help="Pixels, even.")] = 64,
    rate: Annotated[str, typer.Option(help="Frames a second, exact: 24 or 24000/1001.")] = "24",
    frames: Annotated[int, typer.Option(help="Frames in a shot.")] = 48,
    shots: Annotated[int, typer.Option(help="Shots in a class.")] = 24,
    seed: Annotated[int, typer.Option(help="The same seed makes the same footage.")] = 0,
    classes: Annotated[str, typer.Option(help="Which classes, with commas between.")] = ",".join(CLASSES),
) -> None:
    """Make procedural footage: characters, landscapes, smoke and fire, as MP4 in class folders."""
    names = classes.split(",")
    try:
        with Progress() as bar:
            task = bar.add_task("footage", total=len(names) * shots)
            make_footage(
                folder,
                height=height,
                width=width,
                rate=_exact_rate(rate),
                num_frames=frames,
                shots_per_class=shots,
                seed=seed,
                classes=names,
                progress=lambda path: bar.advance(task),
            )
    except VidganError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _exact_rate(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise RequestError(f'rate is "{text}" (expected frames a second, such as 24 or 24000/1001)') from None


if __name__ == "__main__":
    typer.run(main)
