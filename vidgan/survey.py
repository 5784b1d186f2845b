"""Looking at a footage folder: what `vidgan scan` prints, and what a run says before it trains."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console

from vidgan.config import Config, DataConfig
from vidgan.files import writable_folder, write_text
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
    """Print a scan as a table, and write it as JSON and as a page if asked to; returns whether anything is usable."""
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


def look_at_footage(folder: str | Path, config: Config, console: Console) -> Selection:
    """Scan a folder and choose its shots, with progress; says what was found and what was set aside."""
    selection = select_shots(scan_with_progress(folder, config.data, console), config.data)
    print_selection(folder, selection, config.data, console)
    return selection


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
    for about, count in Counter(about for chosen in selection.shots for about in chosen.shot.notes).items():
        console.print(f"  {count} of {len(selection.shots)} shots: {about}", highlight=False, markup=False, style="dim")
    print_notes(selection.notes, selection, console)


def print_notes(notes: tuple[Note, ...], selection: Selection, console: Console) -> None:
    """Say which sources are not used, or only in part, and why."""
    used = {chosen.shot.source for chosen in selection.shots}
    for note in notes:
        how = "used in part" if note.source in used else "not used"
        console.print(f"  {how}: {note.source}: {note.reason}", highlight=False, markup=False, style="yellow")


def prepare_with_progress(selection: Selection, config: Config, console: Console) -> PreparedFootage:
    """Make the training frames that are missing, with progress; says first how large all of them are."""
    size = prepared_bytes(selection, config.data)
    data = config.data
    console.print(f"frames at {data.width}x{data.height}: {size / 1e6:.1f} MB when prepared", highlight=False)
    with show_progress(console, "preparing", "frames") as progress:
        footage = prepare_footage(selection, data, progress=progress)
    print_notes(footage.notes[len(selection.notes) :], selection, console)
    return footage
