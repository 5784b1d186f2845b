"""Finding out what a generator can be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import console, fitted
from vidgan.sampling import DEFAULT_UPDATES


def directions(
    weights: Annotated[str, typer.Argument(help='A run folder, a weights file, or "demo"')],
    seeds: Annotated[str, typer.Option(help="Seeds whose looks are changed")] = "1-4",
    mix: Annotated[str | None, typer.Option("--class", help="One class, or a mix: walk:0.7,wave:0.3")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures")] = Path("directions"),
) -> None:
    """List the directions in which looks can be changed, with a strip of pictures for each."""
    from vidgan.progress import show_progress
    from vidgan.review.direction_strips import write_direction_strips
    from vidgan.sampling.choose import Choice, choose_takes, parse_mix
    from vidgan.sampling.latents import parse_seeds
    from vidgan.weights import load_generator

    wanted = parse_seeds(seeds)
    loaded = load_generator(weights)
    classes = None if mix is None else parse_mix(mix, loaded.provenance)
    takes = [named.take for named in choose_takes(loaded, Choice(seeds=wanted, mix=classes))]
    with show_progress(console, "rendering", "directions") as progress:
        table, path = write_direction_strips(loaded, takes, out, progress=progress)
    console.print(table)
    typer.echo(f"{path}; use them as --direction 3:+2.0")


def invert(
    weights: Annotated[str, typer.Argument(help='A run folder, a weights file, or "demo"')],
    input: Annotated[str, typer.Argument(help="A movie, a still, or a pattern such as shot.####.png")],
    mix: Annotated[str | None, typer.Option("--class", help="Its class, or a mix; default: the nearest")] = None,
    fit: Annotated[str, typer.Option(help="How another shape is fitted: crop or letterbox, never squashed")] = "crop",
    first: Annotated[int, typer.Option(min=0, help="Frame to begin with, at the rate of the weights")] = 0,
    frames: Annotated[int | None, typer.Option(min=1, help="How many frames; default: all")] = None,
    updates: Annotated[int, typer.Option(min=1, help="Steps of the search for every 48 frames")] = DEFAULT_UPDATES,
    out: Annotated[Path, typer.Option(help="Folder for take.json and the side-by-side")] = Path("inverted"),
) -> None:
    """Find the take nearest to a clip or a picture of your own: take.json, which `generate --take` goes on from."""
    from vidgan.footage.read_clip import read_clip
    from vidgan.processor import set_up_processor
    from vidgan.progress import show_progress
    from vidgan.review.inversion import write_inversion
    from vidgan.sampling.choose import parse_mix
    from vidgan.sampling.invert import invert as find
    from vidgan.weights import load_generator

    set_up_processor()
    loaded = load_generator(weights)
    classes = None if mix is None else parse_mix(mix, loaded.provenance)
    data = fitted(loaded.provenance.config.data, fit)
    clip = read_clip(input, data, loaded.provenance.rate, first=first, num_frames=frames)
    with show_progress(console, "searching", "updates") as progress:
        found = find(loaded, clip, classes=classes, updates=updates, progress=progress)
    path, *_, sheet = write_inversion(loaded, found, clip, out, source=input)
    moves = "" if found.motion_ratio is None else f", {found.motion_ratio:.0%} of its motion"
    typer.echo(f"{path}: {len(clip)} frames, {found.error_levels:.1f} levels off{moves}\nside by side {sheet}")


def export_model(
    weights: Annotated[str, typer.Argument(help='A run folder, a weights file, or "demo"')],
    output: Annotated[Path, typer.Argument(help="name.onnx or name.pt2")],
) -> None:
    """Write the generator as a program for other tools, and say how far it is from the generator."""
    from vidgan.sampling.portable import export_model as export
    from vidgan.weights import load_generator

    with console.status("tracing"):
        written = export(load_generator(weights), output)
    typer.echo(f"{written.path}: within {written.max_difference:.1e} of the generator, of values -1..1")
