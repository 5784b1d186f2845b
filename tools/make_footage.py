"""Make procedural footage: figures, landscapes, smoke and fire, in one folder a class.

python tools/make_footage.py footage --height 64 --width 64 --rate 24 --frames 48 --shots 24 --seed 0
"""

from __future__ import annotations

from typing import Annotated

import typer

from vidgan.commands.terminal import console, exact_rate, mistakes_in_one_line
from vidgan.footage.procedural import CLASSES, make_footage
from vidgan.progress import show_progress


@mistakes_in_one_line
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
    recipe = {"height": height, "width": width, "rate": exact_rate(rate), "num_frames": frames, "seed": seed}
    class_names = [name.strip() for name in classes.split(",")]
    with show_progress(console, "making footage", "shots") as progress:
        paths = make_footage(folder, **recipe, shots_per_class=shots, class_names=class_names, progress=progress)
    typer.echo(f"{folder}: {len(paths)} shots of {frames} frames, {width}x{height} at {rate} frames a second")


if __name__ == "__main__":
    typer.run(main)
