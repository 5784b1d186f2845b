"""Clips from weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import console


def generate(
    weights: Annotated[str, typer.Argument(help='A run folder, a weights file, or "demo"')],
    seeds: Annotated[str, typer.Option(help="Seeds, such as 1-8 or 3,17,42")] = "1-8",
    classes: Annotated[str | None, typer.Option(help='Classes, such as walk,fire, or "all"')] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Length of a take; default as trained")] = None,
    scale: Annotated[int, typer.Option(min=1, help="Enlarge by a whole factor, every pixel a square")] = 1,
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality of the MP4: 0 (best) to 51")] = 16,
    out: Annotated[Path, typer.Option(help="Folder for the files")] = Path("takes"),
) -> None:
    """Render takes from seeds: an MP4 and a JSON sidecar each, and a contact sheet of all."""
    from vidgan.progress import show_progress
    from vidgan.review.takes import choose_takes, write_takes
    from vidgan.sampling.latents import parse_seeds
    from vidgan.sampling.render import parse_classes
    from vidgan.weights import load_generator

    wanted = parse_seeds(seeds)
    loaded = load_generator(weights)
    labels = None if classes is None else parse_classes(classes, loaded.provenance)
    takes = choose_takes(loaded, wanted, labels)
    with show_progress(console, "rendering", "frames") as progress:
        files = write_takes(loaded, takes, out, num_frames=frames, scale=scale, crf=crf, progress=progress)
    typer.echo(f"{len(takes)} takes in {out}\ncontact sheet {files[-2]}, {files[-1].name}")
