"""Runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vidgan.commands.terminal import STOPPED, console, seconds_of


def train(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/clip64.yaml")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as train.seed=1")] = None,
    footage: Annotated[Path, typer.Option(help="Folder with movies and frame sequences, or with IDX files")] = ...,
    run: Annotated[Path, typer.Option(help="Folder of the run; the same one goes on where it stopped")] = Path(
        "runs/run"
    ),
    time_budget: Annotated[str | None, typer.Option(help="Save and stop after this time, such as 8h or 1h30m")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop")] = False,
) -> None:
    """Train a generator on a folder of footage. Ctrl-C saves, exit code 130; the same command goes on.

    Under torchrun all processes train together. A run that was stopped leaves with 0 there, not to be started again.
    """
    from vidgan.config_files import load_config
    from vidgan.run import describe_plan, run_training
    from vidgan.survey import look_at_footage
    from vidgan.training.processes import joined_processes, one_by_one, under_torchrun

    settings = load_config(config, overrides)
    max_seconds = None if time_budget is None else seconds_of(time_budget)
    if dry_run:
        typer.echo(describe_plan(settings, look_at_footage(footage, settings.data, console)))
        return
    with joined_processes() as processes:
        own_console = console if processes.first else Console(quiet=True)
        with one_by_one():
            prepared = look_at_footage(footage, settings.data, own_console).prepare("train")
        result = run_training(
            settings, prepared, run, console=own_console, max_seconds=max_seconds, processes=processes
        )
    if processes.first:
        typer.echo(f"{'finished' if result.finished else 'stopped'} at {result.num_clips / 1000:.1f} kclips")
        typer.echo(f"weights       {result.weights}\nnewest sheet  {result.newest_sheet}")
        if not result.finished:
            typer.echo("the same command goes on")
    if not result.finished and not under_torchrun():
        raise typer.Exit(STOPPED)


def demo(
    minutes: Annotated[float, typer.Option(min=0.05, help="Time to train")] = 4.0,
    out: Annotated[Path, typer.Option(help="Folder for footage, run and takes")] = Path("vidgan-demo"),
    shots: Annotated[int, typer.Option(min=1, help="Shots of footage to make of each class")] = 32,
) -> None:
    """Make footage, train on it, render takes: the whole path in about six minutes on two cores."""
    from vidgan.demo import run_demo

    run_demo(out, minutes=minutes, shots_per_class=shots, console=console)
