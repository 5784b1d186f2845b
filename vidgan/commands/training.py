"""Runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from vidgan.commands.terminal import DOES_NOT_FIT, STOPPED, console, seconds_of
from vidgan.errors import RequestError

if TYPE_CHECKING:
    from vidgan.config import Config


def train(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/clip64.yaml")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as train.seed=1")] = None,
    footage: Annotated[Path, typer.Option(help="Folder with movies and frame sequences, or with IDX files")] = ...,
    run: Annotated[Path, typer.Option(help="Folder of the run; the same one goes on where it stopped")] = Path(
        "runs/run"
    ),
    time_budget: Annotated[str | None, typer.Option(help="Save and stop after this time, such as 8h or 1h30m")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop")] = False,
    show_damage: Annotated[
        Path | None, typer.Option(help="Write a picture of each kind of damage to mend to this PNG, and stop")
    ] = None,
) -> None:
    """Train a generator on a folder of footage, or a network that mends it (configs/repair64.yaml).

    Ctrl-C saves, exit code 130; the same command goes on.
    Under torchrun all processes train together. A run that was stopped leaves with 0 there, not to be started again.
    """
    from vidgan.config_files import load_config
    from vidgan.plan import make_plan, plan_in_words
    from vidgan.run import run_training
    from vidgan.survey import look_at_footage
    from vidgan.training.processes import joined_processes, one_by_one, under_torchrun

    settings = load_config(config, overrides)
    if show_damage:
        _show_damage(settings, footage, show_damage)
        return
    max_seconds = None if time_budget is None else seconds_of(time_budget)
    if dry_run:
        found = look_at_footage(footage, settings.data, console)
        typer.echo(plan_in_words(make_plan(settings, found, run=run, measured=False, console=console)))
        return
    with joined_processes() as processes:
        own_console = console if processes.first else Console(quiet=True)
        with one_by_one():
            found = look_at_footage(footage, settings.data, own_console)
            prepared = found.prepare("train")
            heldout = found.held_out() if settings.repairs else None
        result = run_training(
            settings,
            prepared,
            run,
            console=own_console,
            heldout=heldout,
            max_seconds=max_seconds,
            processes=processes,
        )
    if processes.first:
        typer.echo(f"{'finished' if result.finished else 'stopped'} at {result.num_clips / 1000:.1f} kclips")
        typer.echo(f"weights       {result.weights}\nnewest sheet  {result.newest_sheet}")
        if not result.finished:
            typer.echo("the same command goes on")
    if not result.finished and not under_torchrun():
        raise typer.Exit(STOPPED)


def _show_damage(settings: Config, footage: Path, picture: Path) -> None:
    """What `--show-damage` writes. Raises `RequestError` for a config without damage."""
    from vidgan.samples import draw_damage
    from vidgan.survey import look_at_footage

    if not settings.repairs:
        raise RequestError("--show-damage: this config makes clips and mends none; set model.family=repair")
    found = look_at_footage(footage, settings.data, console)
    draw_damage(picture, found.held_out() or found.prepare("train"), settings)
    typer.echo(picture)


def plan(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/clip64.yaml")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as train.accumulate=4")] = None,
    footage: Annotated[Path, typer.Option(help="Folder with movies and frame sequences, or with IDX files")] = ...,
    run: Annotated[Path, typer.Option(help="Folder of the run: its disk is what files must fit on")] = Path("runs/run"),
    json: Annotated[Path | None, typer.Option(help="Write the plan to this file")] = None,
) -> None:
    """Measure what training takes here: memory, time, disk. Exit code 1 if it does not fit, with what to change."""
    from vidgan.config_files import load_config
    from vidgan.files import writable_folder, write_text
    from vidgan.plan import make_plan, plan_in_words
    from vidgan.survey import look_at_footage

    settings = load_config(config, overrides)
    if json:
        writable_folder(json.resolve().parent)
    found = look_at_footage(footage, settings.data, console)
    made = make_plan(settings, found, run=run, measured=True, console=console)
    typer.echo(plan_in_words(made))
    if json:
        write_text(json, made.model_dump_json(indent=1))
    if not made.fits:
        raise typer.Exit(DOES_NOT_FIT)


def demo(
    minutes: Annotated[float, typer.Option(min=0.05, help="Time to train")] = 4.0,
    out: Annotated[Path, typer.Option(help="Folder for footage, run and takes")] = Path("vidgan-demo"),
    shots: Annotated[int, typer.Option(min=1, help="Shots of footage to make of each class")] = 32,
) -> None:
    """Make footage, train on it, render takes: the whole path in about six minutes on two cores."""
    from vidgan.demo import run_demo

    run_demo(out, minutes=minutes, shots_per_class=shots, console=console)
