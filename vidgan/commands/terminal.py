"""What all commands share: the terminal, exit codes, and a user's mistake as one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from vidgan.errors import RequestError, VidganError

# Exit codes beside 0: a folder without usable footage; a plan that does not fit; a mistake of the user's; a run that
# was stopped and can go on.
NOTHING_USABLE, DOES_NOT_FIT, MISTAKE, STOPPED = 1, 1, 2, 130

if TYPE_CHECKING:
    from vidgan.config import DataConfig

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
    from vidgan.config_values import parse_rate

    try:
        return None if text is None else parse_rate(text)
    except ValueError as error:
        raise RequestError(f"--rate: {error}") from None


def fitted(data: DataConfig, fit: str) -> DataConfig:
    """The settings of a generator's clips with `--fit` for pictures of another shape. Raises `RequestError`."""
    if fit not in ("crop", "letterbox"):
        raise RequestError(f'--fit: "{fit}" is unknown (expected crop or letterbox)')
    return data.model_copy(update={"fit": fit})


def seconds_of(text: str) -> float:
    """`--time-budget` in seconds: "8h", "90m", "45s" or "1h30m". Raises `RequestError` in words."""
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text.strip())
    if not match or not any(match.groups()):
        raise RequestError(
            f'--time-budget: "{text}" is not a time (expected hours, minutes or seconds: 8h, 1h30m, 45s)'
        )
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds
