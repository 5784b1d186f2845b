"""What a folder holds, and its frames at training size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import NOTHING_USABLE, console


def scan(
    folder: Annotated[Path, typer.Argument(help="Folder with movies and frame sequences")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as data.num_frames=32")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file; its data section counts")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all that was found to this file")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with thumbnails to this file")] = None,
    no_cuts: Annotated[bool, typer.Option("--no-cuts", help="Do not look for cuts in movies")] = False,
) -> None:
    """Say what a folder holds: a row for every shot, a reason for everything else. Exit code 1 if nothing is usable."""
    from vidgan.config_files import build_config, load_config
    from vidgan.survey import report_scan

    overrides = [*(overrides or []), *(["data.cuts=none"] if no_cuts else [])]
    settings = load_config(config, overrides) if config else build_config({}, overrides)
    if not report_scan(folder, settings.data, console=console, json=json, html=html):
        raise typer.Exit(NOTHING_USABLE)


def prepare(
    folder: Annotated[Path, typer.Argument(help="Folder with movies and frame sequences")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as data.height=96")] = None,
    config: Annotated[Path, typer.Option(help="A YAML file, such as configs/clip64.yaml")] = ...,
) -> None:
    """Make the training frames of a folder, as `train` would. Stopped at any moment, the same command goes on."""
    from vidgan.config_files import load_config
    from vidgan.survey import look_at_footage

    settings = load_config(config, overrides)
    prepared = look_at_footage(folder, settings.data, console).prepare("train")
    typer.echo(f"{len(prepared.frames)} shots, {prepared.num_frames_total} frames are ready")
