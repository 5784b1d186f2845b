"""What was picked, as a list that leaves the review: `write_picks` by the suffix of the file.

.otio   OpenTimelineIO: picks one after another, media linked
.edl    CMX 3600
.csv    a row a pick, for people and scripts
.mp4    a stringout: the picks played one after another, each named
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vidgan.errors import RequestError
from vidgan.files import writable_folder, write_text
from vidgan.review.choices import Choices
from vidgan.review.gallery import Gallery, ReviewedMovie

PICKS_SUFFIXES = (".otio", ".edl", ".csv", ".mp4")


@dataclass(frozen=True)
class Pick:
    """A take that was picked, and which of its frames."""

    take: ReviewedMovie
    start: int
    stop: int
    """Frame indices, half-open: [start, stop)."""
    stars: int | None
    note: str

    @property
    def num_frames(self) -> int:
        """Frames that are used."""
        return self.stop - self.start


def picks_of(gallery: Gallery, choices: Choices) -> list[Pick]:
    """The picked takes in the order of the gallery. Marks outside a take, or the wrong way round, count as not set."""
    picks = []
    for take in gallery.takes:
        if choices.value(take.key, "decision") != "picked":
            continue
        first, last = choices.value(take.key, "in"), choices.value(take.key, "out")
        start = 0 if first is None or first >= take.num_frames else first
        stop = take.num_frames if last is None or last >= take.num_frames or last < start else last + 1
        stars, note = choices.value(take.key, "stars"), choices.value(take.key, "note")
        picks.append(Pick(take, start, stop, stars, note or ""))
    return picks


def write_picks(path: str | Path, picks: Sequence[Pick], *, progress: Callable[[int, int], None] | None = None) -> None:
    """Write picks in the format that the suffix of `path` names.

    `progress(done, total)` counts frames of a stringout.

    Raises `RequestError` if nothing is picked, for an unknown suffix, where the format cannot hold the picks, and if
    the file cannot be written or a library is missing.
    """
    path = Path(path)
    suffix = picks_suffix(path)
    if not picks:
        raise RequestError(f"{path}: nothing is picked yet; pick takes in the review (key P) first")
    if path.resolve() in {pick.take.path.resolve() for pick in picks}:
        raise RequestError(f"{path}: is one of the takes; choose another name")
    writable_folder(path.parent)
    try:
        if suffix == ".mp4":
            from vidgan.review.stringout import write_stringout

            write_stringout(path, picks, progress=progress)
        elif suffix == ".csv":
            write_text(path, csv_text(picks))
        else:
            from vidgan.review.timelines import edl_text, otio_text

            write_text(path, edl_text(picks, path.stem) if suffix == ".edl" else otio_text(picks, path.stem))
    except OSError as error:
        raise RequestError(f"{path}: cannot be written ({error.strerror})") from None


def picks_suffix(path: Path) -> str:
    """The format of a file of picks, one of `PICKS_SUFFIXES`. Raises `RequestError` for any other."""
    suffix = path.suffix.lower()
    if suffix not in PICKS_SUFFIXES:
        raise RequestError(f"{path}: picks cannot be written as {suffix!r} (expected {', '.join(PICKS_SUFFIXES)})")
    return suffix


def one_rate(picks: Sequence[Pick], format: str) -> Fraction:
    """The rate of all picks. Raises `RequestError` if they have several, which `format` cannot hold."""
    rates = sorted({pick.take.rate for pick in picks})
    if len(rates) > 1:
        found = ", ".join(f"{rate} ({sum(pick.take.rate == rate for pick in picks)} picks)" for rate in rates)
        raise RequestError(f"{format} has one rate, and the picks have {len(rates)}: {found}; write .otio or .csv")
    return rates[0]


def facts(pick: Pick) -> dict[str, str | int | float | None]:
    """What a pick is and what made it, for tables and timelines. Frames are counted from 1, as the page shows them."""
    take, made = pick.take, pick.take.made
    return {
        "take": take.key,
        "class": made.class_name,
        "seed": made.seed,
        "stars": pick.stars,
        "note": pick.note,
        "first_frame": pick.start + 1,
        "last_frame": pick.stop,
        "num_frames": pick.num_frames,
        "rate": str(take.rate),
        "width": take.width,
        "height": take.height,
        "weights": made.weights,
        "weights_sha256": made.weights_sha256,
        "trained_kclips": made.trained_kclips,
    }


def csv_text(picks: Sequence[Pick]) -> str:
    """A header, then a row a pick."""
    text = io.StringIO()
    table = csv.DictWriter(text, [*facts(picks[0]), "file"], lineterminator="\n")
    table.writeheader()
    table.writerows(facts(pick) | {"file": str(pick.take.path.resolve())} for pick in picks)
    return text.getvalue()
