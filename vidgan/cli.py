"""The `vidgan` command: its subcommands by name. A user's mistake is one line and exit code 2."""

from __future__ import annotations

from typing import Annotated

import typer

from vidgan import __version__
from vidgan.commands import footage, gallery, judging, repair, review, status, steering, takes, training
from vidgan.commands.terminal import mistakes_in_one_line

# In the order of `vidgan --help`.
COMMANDS = {
    "scan": footage.scan,
    "prepare": footage.prepare,
    "plan": training.plan,
    "train": training.train,
    "status": status.status,
    "generate": takes.generate,
    "directions": steering.directions,
    "invert": steering.invert,
    "repair": repair.repair,
    "evaluate": judging.evaluate,
    "fetch-i3d": judging.fetch_i3d,
    "export": review.export,
    "compare": review.compare,
    "info": review.info,
    "review": gallery.review,
    "export-model": steering.export_model,
    "demo": training.demo,
}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Video GANs for film: train on your own footage, render short clips from noise.",
)


def print_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"vidgan {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=print_version, is_eager=True)] = False,
) -> None:
    """Options before a subcommand."""


for name, command in COMMANDS.items():
    app.command(name=name)(mistakes_in_one_line(command))


def main() -> None:
    """Entry point of the `vidgan` command."""
    app(prog_name="vidgan")
