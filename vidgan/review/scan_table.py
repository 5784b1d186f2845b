"""What a scan found, as a table to read and as figures for the whole folder."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from rich import box
from rich.table import Table

from vidgan.config import DataConfig
from vidgan.errors import FootageError
from vidgan.footage.prepare import prepared_bytes
from vidgan.footage.select import select_shots
from vidgan.footage.shots import Scan, Shot
from vidgan.footage.workers import num_cores


@dataclass(frozen=True)
class ScanTotals:
    """A folder in figures, for clips of one length and stride."""

    num_shots: int
    seconds: Fraction
    """Of all shots that have a rate."""
    num_clips: dict[str, int]
    """Clips that begin at different frames, by split."""
    prepared_bytes: int
    prepare_seconds: float
    """About how long preparing takes here; what has been prepared already is not taken off."""

    def in_words(self, data: DataConfig) -> str:
        """Three lines."""
        clips = ", ".join(f"{count} for {split}" for split, count in self.num_clips.items())
        return (
            f"{self.num_shots} shots, {float(self.seconds) / 60:.1f} minutes\n"
            f"clips of {data.num_frames} frames, stride {data.frame_stride}: {clips}\n"
            f"prepared at {data.width}x{data.height} (width x height): {self.prepared_bytes / 1e6:.1f} MB, "
            f"in about {self.prepare_seconds:.0f} s"
        )


def scan_totals(scan: Scan, data: DataConfig) -> ScanTotals:
    """Add a scan up. A folder that cannot be used for a split has no clips for it."""
    num_clips, num_bytes, seconds = {}, 0, 0.0
    for split in ("train", "holdout"):
        try:
            selection = select_shots(scan, data, split=split)
        except FootageError:
            num_clips[split] = 0
            continue
        num_clips[split] = selection.num_clips(data)
        if split == "train":
            num_bytes = prepared_bytes(selection, data)
            seconds = sum(chosen.shot.scan_seconds for chosen in selection.shots)
    return ScanTotals(
        num_shots=len(scan.shots),
        seconds=sum((shot.seconds or Fraction(0) for shot in scan.shots), Fraction(0)),
        num_clips=num_clips,
        prepared_bytes=num_bytes,
        prepare_seconds=seconds / num_cores(),
    )


def scan_table(scan: Scan) -> Table:
    """A row for each shot, then what is worth knowing of it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("shot", overflow="fold")
    for name in ("first", "frames", "of", "rate", "size", "pixel", "seconds", "bits"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("codec", "colour", "class", "split"):
        table.add_column(name, no_wrap=True)
    table.add_column("notes", overflow="fold")
    for shot in scan.shots:
        table.add_row(shot.source, *shot_facts(shot), "; ".join(shot.notes))
    return table


def shot_facts(shot: Shot) -> tuple[str, ...]:
    """First frame, frames, frames of the source, rate, size, pixel, seconds, bits, codec, colour, class, split."""
    claimed = "" if shot.source_frames_header is None else f" (header {shot.source_frames_header})"
    rate = "varies" if shot.timestamps is not None else str(shot.rate or "none")
    return (
        str(shot.first),
        str(shot.num_frames),
        f"{shot.source_frames_counted}{claimed}",
        rate,
        f"{shot.width}x{shot.height}",
        str(shot.pixel_aspect),
        "" if shot.seconds is None else f"{float(shot.seconds):.2f}",
        str(shot.bit_depth),
        shot.codec,
        shot.color.in_words(),
        shot.class_name or "",
        shot.split,
    )
