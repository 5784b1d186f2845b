"""Files for people who look at clips."""

from __future__ import annotations

from typing import Annotated

import typer

from vidgan.commands.terminal import console, exact_rate


def export(
    input: Annotated[str, typer.Argument(help="A movie, a folder of frames, or a pattern such as shot.####.png")],
    output: Annotated[str, typer.Argument(help="name.mp4, name.mkv, name.gif, name.####.png or a folder")],
    rate: Annotated[str | None, typer.Option(help="Frames a second, exact: 24, 25, 24000/1001")] = None,
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality of an MP4: 0 (best) to 51")] = 16,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace old frames of the same name")] = False,
) -> None:
    """Write every frame of INPUT once, in order, as OUTPUT: a review MP4, a GIF or a frame sequence."""
    from vidgan.progress import show_progress
    from vidgan.review import export as exporting

    exact = exact_rate(rate)
    with show_progress(console, "exporting", "frames") as progress:
        result = exporting.export(input, output, rate=exact, crf=crf, overwrite=overwrite, progress=progress)
    at_rate = f" at {result.rate} frames/s" if result.rate else ""
    typer.echo(f"{result.output}: {result.num_frames} frames{at_rate}")
    for note in result.notes:
        typer.echo(f"note: {note}")
