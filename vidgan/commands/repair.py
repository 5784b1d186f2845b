"""Damaged footage given back whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import console


def repair(
    weights: Annotated[str, typer.Argument(help="A run folder or a weights file of model.family=repair")],
    input: Annotated[str, typer.Argument(help="A movie, a folder or pattern such as shot.####.exr, or a still")],
    output: Annotated[str, typer.Argument(help="The same kind: .mov .mp4 .mkv, a pattern, a folder, or a still")],
    mask: Annotated[
        str | None, typer.Option(help="White where pixels are to be made: a sequence, a movie, or one still for all")
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(help='x,y,width,height; moving: "1001:10,20,64,64 1050:40,20,64,64"; may be repeated'),
    ] = None,
    missing: Annotated[
        str | None, typer.Option(help="Frames to make: gaps (numbers that are missing), or numbers: 1004,1010-1012")
    ] = None,
    find: Annotated[
        bool, typer.Option("--find", help="Find dust and scratches; the masks are written beside the output")
    ] = False,
    degrain: Annotated[
        float | None, typer.Option(help="Take off noise of this standard deviation, in levels of 8 bits")
    ] = None,
    regrain: Annotated[float, typer.Option(min=0, help="Put grain on what is made, in levels of 8 bits")] = 0.0,
    grow: Annotated[int, typer.Option(min=0, help="Widen holes by so many pixels")] = 0,
    seeds: Annotated[str | None, typer.Option(help="Alternatives, such as 1-4; default: what is expected")] = None,
    format: Annotated[
        str | None, typer.Option(help="Of a movie, as for `export`; default: what the input is, if the suffix allows")
    ] = None,
    color_space: Annotated[str | None, typer.Option(help="What stills are, where files do not say: ACEScg")] = None,
    exposure: Annotated[float, typer.Option(help="Stops, for the network's eyes: -2 leaves room for highlights")] = 0.0,
    layer: Annotated[str | None, typer.Option(help="Layer of layered EXR; default: the main picture")] = None,
    compare: Annotated[Path | None, typer.Option(help="Write a movie of before beside after: compare.mp4")] = None,
    rate: Annotated[str | None, typer.Option(help="Frames a second of --compare, for frame sequences")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists")] = False,
) -> None:
    """Mend INPUT and write it as OUTPUT: fill holes, make missing frames, find dust and scratches, take off grain.

    What is not mended stays as it is. Stopped at any moment, the same command goes on with a frame sequence.
    """
    from vidgan.commands.terminal import exact_rate
    from vidgan.errors import RequestError
    from vidgan.media.read_as import ReadAs
    from vidgan.processor import set_up_processor
    from vidgan.progress import show_progress
    from vidgan.review.repair_files import with_seed
    from vidgan.review.repair_request import Wanted
    from vidgan.review.repair_sheet import write_comparison, write_repair_sheet
    from vidgan.review.repairs import Repair, check_not_finished
    from vidgan.sampling.latents import parse_seeds
    from vidgan.weights import load_repairer

    if rate is not None and compare is None:
        raise RequestError("--rate is that of --compare; leave it out")
    set_up_processor(keep_memory=False)
    wanted = Wanted(mask, tuple(box or ()), missing, find, degrain, regrain, grow)
    names = [(Path(output), wanted)]
    if seeds is not None:
        names = [(with_seed(Path(output), seed), replace(wanted, seed=seed)) for seed in parse_seeds(seeds)]
    loaded, read_as = load_repairer(weights), ReadAs(color_space, exposure, layer=layer)
    jobs = [
        Repair(loaded, input, path, each, format=format, read_as=read_as, overwrite=overwrite) for path, each in names
    ]
    check_not_finished(jobs)
    results = []
    for number, job in enumerate(jobs, 1):
        doing = "repairing" if len(jobs) == 1 else f"repairing {number}/{len(jobs)}"
        with show_progress(console, doing, "frames") as progress:
            results.append(job.write(progress))
    for result in results:
        found = f"\nmasks {result.masks}: correct them and repair again with --mask" if result.masks else ""
        typer.echo(f"{result.target}: {result.plates.num_frames} frames{found}")
    typer.echo(f"before and after {write_repair_sheet(results, Path(output))}")
    if compare is not None:
        typer.echo(f"beside each other {write_comparison(results, compare, exact_rate(rate))}")
    for note in dict.fromkeys(note for result in results for note in result.notes):
        typer.echo(f"note: {note}")
