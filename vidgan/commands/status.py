"""How a run stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import STOPPED


def status(run: Annotated[Path, typer.Argument(help="Folder of a run, of `vidgan train --run`")]) -> None:
    """Say how a run stands, without disturbing it. Exit code 0 if it is finished, 130 if it trains or can go on."""
    from vidgan.run_folder import PAGE_NAME
    from vidgan.status import facts_of, progress_of, read_status

    found = read_status(run)
    verdict = found.history.verdict
    lines = [
        (str(run), found.doing),
        ("done", progress_of(found)),
        ("state", found.state),
        *([("because", verdict.reason), ("try", verdict.advice)] if verdict.cause else []),
        *facts_of(found),
        *([("page", str(run / PAGE_NAME))] if (run / PAGE_NAME).is_file() else []),
        *(("warning", words) for words in found.warnings),
    ]
    width = max(len(name) for name, _ in lines[1:])
    typer.echo(f"{lines[0][0]}: {lines[0][1]}")
    for name, words in lines[1:]:
        typer.echo(f"{name:<{width}}  {words}")
    if not found.finished:
        raise typer.Exit(STOPPED)
