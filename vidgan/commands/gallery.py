"""Choosing among takes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import console


def review(
    folder: Annotated[Path, typer.Argument(help="Folder with takes: movies, with or without sidecars")],
    footage: Annotated[Path | None, typer.Option(help="Folder with movies to hold takes against")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the page to browsers here, and save choices")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of --serve; 0 takes any that is free")] = 0,
    choices: Annotated[Path | None, typer.Option(help="Add the choices that a page without --serve downloaded")] = None,
    export: Annotated[list[Path] | None, typer.Option(help="Write the picks: name.otio, .edl, .csv or .mp4")] = None,
) -> None:
    """Make review.html beside the takes: a page that plays all of them in sync, to compare and to choose from."""
    from vidgan.errors import RequestError
    from vidgan.progress import show_progress
    from vidgan.review.choices import ChoicesFile, read_choices
    from vidgan.review.gallery import open_gallery
    from vidgan.review.gallery_page import write_gallery_page
    from vidgan.review.picks import picks_of, picks_suffix, write_picks

    for path in export or []:
        picks_suffix(path)
    with show_progress(console, "review copies", "frames") as progress:
        gallery = open_gallery(folder, footage, progress=progress)
    saved = ChoicesFile(folder)
    if choices:
        downloaded = read_choices(choices)
        unknown = sorted(set(downloaded.takes) - {take.key for take in gallery.takes})
        if unknown:
            raise RequestError(f"{choices}: chooses among other takes ({unknown[0]} is not in {folder})")
        saved.merge(downloaded)
    page = write_gallery_page(gallery, saved.read())
    typer.echo(f"{page}: {len(gallery.takes)} takes")
    for note in gallery.notes:
        typer.echo(f"not shown: {note}")
    picks = picks_of(gallery, saved.read())
    for path in export or []:
        with show_progress(console, path.name, "frames") as progress:
            write_picks(path, picks, progress=progress)
        typer.echo(f"{path}: {len(picks)} picks")
    if serve:
        from vidgan.review.server import ReviewServer

        with ReviewServer(gallery, port=port) as server, suppress(KeyboardInterrupt):
            typer.echo(f"open {server.address}\nchoices are saved in {saved.path}; Ctrl-C stops")
            server.serve_forever()
