"""Clips from weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import console, fitted

# From here on a take's memory is given back while it is rendered: slower, and the same for any length.
LONG_FRAMES = 2048

BEGINS_AGAIN = "begins again; one with frame sequences goes on (--format png, exr ...)"


def generate(
    weights: Annotated[str, typer.Argument(help='A run folder, a weights file, or "demo"')],
    seeds: Annotated[str | None, typer.Option(help="Seeds, such as 1-8 or 3,17,42; default 1-8")] = None,
    classes: Annotated[str | None, typer.Option(help='Classes, such as walk,fire, or "all"')] = None,
    mix: Annotated[str | None, typer.Option("--class", help="One class, or a mix: walk:0.7,wave:0.3")] = None,
    content: Annotated[str | None, typer.Option(help="Seeds of the look alone")] = None,
    motion: Annotated[str | None, typer.Option(help="Seeds of the motion alone")] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Every --content with every --motion, on one sheet")] = False,
    walk: Annotated[str | None, typer.Option(help="Let the look walk through these seeds in each take")] = None,
    ease: Annotated[str | None, typer.Option(help="How a walk goes: linear, or smooth")] = None,
    hold: Annotated[
        bool | None, typer.Option("--hold/--drift", help="Keep the look over the take, or let its slow part drift")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Length of a take; default as trained")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="After --frames frames the take begins again, exactly")] = False,
    speed: Annotated[float | None, typer.Option(help="Speed of the motion: 0.5 is half as fast")] = None,
    truncation: Annotated[float | None, typer.Option(help="0 is the mean look, 1 as trained, above 1 beyond")] = None,
    direction: Annotated[list[str] | None, typer.Option(help="Change the look: 3:+2.0, see `directions`")] = None,
    sweep: Annotated[str | None, typer.Option(help="Numbered variants: truncation=0.4:1.0:5")] = None,
    take: Annotated[list[Path] | None, typer.Option(help="Start from a take file or a take's sidecar")] = None,
    first_frame: Annotated[Path | None, typer.Option(help="Begin takes with this picture, or one near it")] = None,
    fit: Annotated[str, typer.Option(help="How a first frame of another shape is fitted: crop or letterbox")] = "crop",
    precision: Annotated[str | None, typer.Option(help="float32, or bfloat16 for drafts")] = None,
    format: Annotated[
        str,
        typer.Option(
            help="A name as for `export`, or a suffix: mp4 hevc av1 mov (ProRes) dnxhr_hq mkv (lossless) gif webp; "
            "png png16 tiff16 exr dpx jpeg are frame sequences, which go on after an interruption"
        ),
    ] = "mp4",
    scale: Annotated[int, typer.Option(min=1, help="Enlarge by a whole factor, every pixel a square")] = 1,
    crf: Annotated[
        int | None, typer.Option(min=0, help="Quality of H.264, HEVC (to 51), AV1 (to 63): 0 is best")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace frame sequences of other takes")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the files")] = Path("takes"),
) -> None:
    """Render takes: a movie or frame sequence and a JSON sidecar each, and a contact sheet of all."""
    from vidgan.footage.read_clip import read_clip
    from vidgan.media.formats import format_named
    from vidgan.processor import set_up_processor
    from vidgan.progress import show_progress
    from vidgan.review.takes import write_takes
    from vidgan.sampling.choose import Choice, choose_takes, parse_classes, parse_directions, parse_mix, parse_sweep
    from vidgan.sampling.invert import go_on, invert
    from vidgan.sampling.latents import parse_seeds
    from vidgan.sampling.take import load_take
    from vidgan.weights import load_generator

    goes_on = format_named(format).kind == "stills"
    wanted = {"--seeds": seeds, "--content": content, "--motion": motion, "--walk": walk}
    numbers = {name: None if text is None else parse_seeds(text, name) for name, text in wanted.items()}
    loaded = load_generator(weights)
    settings = {
        "num_frames": frames,
        "ease": ease,
        "speed": speed,
        "truncation": truncation,
        "directions": parse_directions(direction) if direction else None,
        "precision": precision,
    }
    choice = Choice(
        seeds=numbers["--seeds"],
        labels=None if classes is None else parse_classes(classes, loaded.provenance),
        mix=None if mix is None else parse_mix(mix, loaded.provenance),
        content=numbers["--content"],
        motion=numbers["--motion"],
        grid=grid,
        walk=numbers["--walk"],
        sweep=None if sweep is None else parse_sweep(sweep),
        loop=loop,
        hold=hold,
        settings={name: value for name, value in settings.items() if value is not None},
    )
    begun = [load_take(path, loaded) for path in take or []]
    if first_frame is not None:
        picture = read_clip(first_frame, fitted(loaded.provenance.config.data, fit), None, num_frames=1)
        with show_progress(console, "finding the first frame", "updates") as progress:
            found = invert(loaded, picture, classes=choice.mix, progress=progress)
        typer.echo(f"the first frame is {found.error_levels:.1f} levels off {first_frame}")
        begun.append(go_on(found.take, loaded))
        choice = replace(choice, mix=None)
    takes = choose_takes(loaded, choice, begun)
    longest = max(each.take.num_frames for each in takes)
    set_up_processor(keep_memory=longest < LONG_FRAMES)
    if longest >= LONG_FRAMES and not goes_on:
        typer.echo(f"if it is stopped, the same command {BEGINS_AGAIN}")
    try:
        with show_progress(console, "rendering", "frames") as progress:
            files = write_takes(
                loaded, takes, out, scale=scale, crf=crf, format=format, overwrite=overwrite, progress=progress
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the same command {'goes on from here' if goes_on else BEGINS_AGAIN}") from None
    typer.echo(f"{len(takes)} takes in {out}\ncontact sheet {files[-2]}, {files[-1].name}")
