"""Export a movie or frame sequence as MP4 (or MKV, GIF, stills).

python tools/export_mp4.py takes/dawn.####.png dawn.mp4 --rate 24000/1001
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import typer

from vidgan.config import parse_rate
from vidgan.errors import RequestError, VidganError
from vidgan.review.export import export

app = typer.Typer(add_completion=False)


@app.command()
def main(
    input: Annotated[str, typer.Argument(help="A movie, a folder of frames, or a pattern such as shot.####.png")],
    output: Annotated[str, typer.Argument(help="name.mp4, name.mkv, name.gif, name.####.png or a folder")],
    rate: Annotated[str | None, typer.Option(help="Frames a second, exact: 24, 25, 24000/1001")] = None,
    crf: Annotated[int, typer.Option(help="Quality of an MP4: 0 (best) to 51")] = 16,
    overwrite: Annotated[bool, typer.Option(help="Replace old frames of the same name")] = False,
) -> None:
    """Write every frame of INPUT once, in order, as OUTPUT."""
    try:
        result = export(input, output, rate=_rate(rate), crf=crf, overwrite=overwrite)
    except VidganError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    at_rate = f" at {result.rate} frames a second" if result.rate else ""
    typer.echo(f"{result.output}: {result.num_frames} frames{at_rate}")
    for note in result.notes:
        typer.echo(f"note: {note}")


def _rate(text: str | None) -> Fraction | None:
    try:
        return None if text is None else parse_rate(text)
    except ValueError as error:
        raise RequestError(str(error)) from None


if __name__ == "__main__":
    app()
