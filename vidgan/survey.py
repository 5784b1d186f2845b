"""Looking at a footage folder: what `vidgan scan` prints, and what a run says before it trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from vidgan.config import DataConfig
from vidgan.errors import FootageError, RequestError
from vidgan.files import writable_folder, write_text
from vidgan.footage.idx import prepare_images, read_idx
from vidgan.footage.prepare import PreparedFootage, prepare_footage, prepared_bytes
from vidgan.footage.scan import scan_footage
from vidgan.footage.select import Selection, select_shots
from vidgan.footage.shots import Note, Scan
from vidgan.footage.thumbnails import thumbnails
from vidgan.progress import show_progress
from vidgan.review.scan_page import write_scan_page
from vidgan.review.scan_table import scan_table, scan_totals

# Columns of a table that is written to a file or a pipe, where nothing should be folded.
TABLE_WIDTH = 250

Split = Literal["train", "holdout"]


@dataclass(frozen=True)
class FoundFootage:
    """What a run would train on, and how to get the frames of either split."""

    labels: tuple[int, ...]
    """The class of each shot; 0 where there are none."""
    num_clips: int
    """Clips that begin at different frames."""
    class_names: tuple[str, ...]
    prepared_bytes: int
    """Of the frames at training size on the disk; 0 if none are written."""
    prepare: Callable[[Split], PreparedFootage]
    """Makes the frames that are not there yet, with progress. Raises `FootageError` if the split has no shot."""

    def held_out(self) -> PreparedFootage | None:
        """Frames of what is set aside for evaluation; None if nothing is, or none of it can be read."""
        try:
            return self.prepare("holdout")
        except FootageError:
            return None


def look_at_footage(folder: str | Path, data: DataConfig, console: Console) -> FoundFootage:
    """Find out what a folder holds, as `data.kind` says it is to be read; prints what is used and what is not."""
    return _look_at_images(folder, data, console) if data.kind == "idx" else _look_at_shots(folder, data, console)


def _look_at_shots(folder: str | Path, data: DataConfig, console: Console) -> FoundFootage:
    scan = scan_with_progress(folder, data, console)
    selection = select_shots(scan, data)
    print_selection(folder, selection, data, console)

    def prepare(split: Split) -> PreparedFootage:
        chosen = selection if split == "train" else select_shots(scan, data, split=split)
        return prepare_with_progress(chosen, data, console)

    return FoundFootage(
        selection.labels,
        selection.num_clips(data),
        selection.class_names,
        prepared_bytes(selection, data),
        prepare,
    )


def _look_at_images(path: str | Path, data: DataConfig, console: Console) -> FoundFootage:
    images = read_idx(Path(path), data)
    train = prepare_images(images, data)
    classes = f", {len(train.class_names)} classes: {', '.join(train.class_names)}" if train.class_names else ""
    console.print(f"{path}: {len(train.frames)} images{classes}", highlight=False, markup=False, soft_wrap=True)
    if images.held_out.any():
        console.print(f"  {images.held_out.sum()} more images are set aside for evaluation (data.holdout)", style="dim")
    for note in images.notes:
        console.print(f"  not used: {note.source}: {note.reason}", highlight=False, markup=False, style="yellow")
    return FoundFootage(
        train.labels,
        train.num_clips(data.num_frames, data.frame_stride),
        train.class_names,
        0,
        lambda split: train if split == "train" else prepare_images(images, data, split=split),
    )


def scan_with_progress(folder: str | Path, data: DataConfig, console: Console) -> Scan:
    """Scan a folder, with progress in megabytes."""
    with show_progress(console, "scanning", "MB") as progress:
        return scan_footage(folder, data, progress=progress)


def report_scan(
    folder: str | Path,
    data: DataConfig,
    *,
    console: Console,
    json: Path | None = None,
    html: Path | None = None,
) -> bool:
    """Print a scan as a table, and write it as JSON and as a page if asked to; returns whether anything is usable.

    Of IDX files, one line says what they hold. Raises `RequestError` if a file is asked for about these.
    """
    if data.kind == "idx":
        if json or html:
            raise RequestError("--json and --html list shots of movies and stills (data.kind is idx); leave them out")
        look_at_footage(folder, data, console)
        return True
    for path in filter(None, (json, html)):
        writable_folder(path.resolve().parent)
    scan = scan_with_progress(folder, data, console)
    wide = console if console.is_terminal else Console(file=console.file, width=TABLE_WIDTH)
    wide.print(scan_table(scan), highlight=False, markup=False)
    for note in scan.notes:
        wide.print(f"{note.source}: {note.reason}", highlight=False, markup=False, soft_wrap=True)
    totals = scan_totals(scan, data)
    console.print(totals.in_words(data), highlight=False, soft_wrap=True)
    if json:
        write_text(json, scan.model_dump_json(indent=1))
        console.print(f"{json}", highlight=False, soft_wrap=True)
    if html:
        with show_progress(console, "thumbnails", "shots") as progress:
            pictures = thumbnails(scan, data, progress=progress)
        write_scan_page(html, scan, totals.in_words(data), pictures)
        console.print(f"{html}", highlight=False, soft_wrap=True)
    return any(totals.num_clips.values())


def print_selection(folder: str | Path, selection: Selection, data: DataConfig, console: Console) -> None:
    """Say what was found, how shots are changed to fit, what was set aside, and what is not used."""
    at_rate = f" at {selection.rate} frames/s" if selection.rate else ""
    console.print(
        f"{folder}: {len(selection.shots)} shots{at_rate}, {selection.num_clips(data)} clips"
        + (f", classes {', '.join(selection.class_names)}" if selection.class_names else ""),
        highlight=False,
    )
    if selection.num_set_aside:
        console.print(
            f"  {selection.num_set_aside} more shots are set aside for evaluation (data.holdout)", style="dim"
        )
    size = prepared_bytes(selection, data) / 1e6
    console.print(f"  frames at {data.width}x{data.height}: {size:.1f} MB when prepared", highlight=False, style="dim")
    for about, count in Counter(about for chosen in selection.shots for about in chosen.shot.notes).items():
        console.print(f"  {count} of {len(selection.shots)} shots: {about}", highlight=False, markup=False, style="dim")
    print_notes(selection.notes, selection, console)


def print_notes(notes: tuple[Note, ...], selection: Selection, console: Console) -> None:
    """Say which sources are not used, or only in part, and why."""
    used = {chosen.shot.source for chosen in selection.shots}
    for note in notes:
        how = "used in part" if note.source in used else "not used"
        console.print(f"  {how}: {note.source}: {note.reason}", highlight=False, markup=False, style="yellow")


def prepare_with_progress(selection: Selection, data: DataConfig, console: Console) -> PreparedFootage:
    """Make the training frames that are missing, with progress."""
    with show_progress(console, "preparing", "frames") as progress:
        footage = prepare_footage(selection, data, progress=progress)
    print_notes(footage.notes[len(selection.notes) :], selection, console)
    return footage
