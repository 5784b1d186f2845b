"""What a review shows: the movies below a folder, each with what it or its sidecar says of how it was made.

A movie that browsers cannot play, or are slow to find frames in, is shown by a review copy, made once and kept in
`.review` beside the takes. Whatever could be footage and is not shown is listed with the reason.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidgan.errors import MediaError, RequestError
from vidgan.files import writable_folder
from vidgan.footage.folder import MOVIE_SUFFIXES, find_footage, relative
from vidgan.media.movies import MovieHeader, read_header, read_movie
from vidgan.media.review_copies import copy_size, needs_copy, write_review_copy
from vidgan.media.thumbnails import jpeg_thumbnail
from vidgan.media.timestamps import STANDARD_RATES, rate_from_timestamps
from vidgan.review.trace import Record, record_of

# Beside the takes: the folder with what the page needs and no one looks for.
HIDDEN_FOLDER = ".review"

# Sheets of all takes stand beside them and are none.
_SHEETS = {"contact_sheet"}

# How the record of a stringout calls it: picks in a row are no take.
STRINGOUT = "stringout"


class MadeBy(BaseModel):
    """The part of a take's description that a review shows. Every field may be missing."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    seed: int | None = None
    class_name: str | None = Field(None, alias="class")
    weights: str | None = None
    weights_sha256: str | None = None
    trained_kclips: float | None = None


@dataclass(frozen=True)
class ReviewedMovie:
    """A take, or a movie of the footage that takes are held against."""

    key: str
    """Its path below the folder, with slashes: what choices are filed under."""
    path: Path
    shown: Path
    """What the browser plays: the movie itself, or its review copy."""
    rate: Fraction
    num_frames: int
    height: int
    width: int
    """Pixels of the movie itself."""
    shape: tuple[int, int]
    """(height, width) that it is shown at, in square pixels."""
    poster: bytes
    """The first frame, a JPEG."""
    made: MadeBy

    @property
    def name(self) -> str:
        """Without folder and suffix."""
        return self.path.stem

    @property
    def address(self) -> str:
        """Letters and digits that stand for the movie in a web address, whatever its name holds."""
        return sha256(str(self.path).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Gallery:
    """All that one review shows."""

    folder: Path
    takes: tuple[ReviewedMovie, ...]
    footage: tuple[ReviewedMovie, ...]
    notes: tuple[str, ...]
    """What was found and is not shown, with the reason."""


def open_gallery(
    folder: str | Path, footage: str | Path | None = None, *, progress: Callable[[int, int], None] | None = None
) -> Gallery:
    """Find the takes below `folder`, in the order class, seed, name; and the movies below `footage`.

    `progress(done, total)` counts frames of the review copies that are made. Raises `FootageError` if a folder is
    missing, `RequestError` if there is no movie below `folder` or if nothing can be written there.
    """
    folder = Path(folder)
    found, notes = _movies_below(folder)
    compared, more_notes = ([], []) if footage is None else _movies_below(Path(footage))
    if not found:
        raise RequestError(f"{folder}: no takes in this folder or below it (expected movies, from vidgan generate)")
    copies = writable_folder(folder / HIDDEN_FOLDER)
    takes = _with_copies([_looked_at(path, folder, copies, notes) for path in found], notes, progress)
    if not takes:
        raise RequestError(f"{folder}: none of the movies can be shown; the first: {notes[0]}")
    takes.sort(key=lambda take: (take.made.class_name or "", take.made.seed is None, take.made.seed or 0, take.key))
    others = _with_copies(
        [_looked_at(path, Path(footage), copies, more_notes) for path in compared], more_notes, progress
    )
    return Gallery(folder, tuple(takes), tuple(others), (*notes, *more_notes))


def _movies_below(folder: Path) -> tuple[list[Path], list[str]]:
    files, notes = find_footage(folder)
    movies = [path for path in files if path.suffix.lower() in MOVIE_SUFFIXES and path.stem not in _SHEETS]
    num_stills = sum(path.suffix.lower() not in MOVIE_SUFFIXES and path.stem not in _SHEETS for path in files)
    said = [f"{folder / note.source}: {note.reason}" for note in notes]
    if num_stills:
        said.append(f"{folder}: {num_stills} stills are not shown; export frame sequences as MP4 first (vidgan export)")
    return movies, said


def _looked_at(path: Path, root: Path, copies: Path, notes: list[str]) -> ReviewedMovie | None:
    """None if it cannot be shown, which is noted, and for a stringout, which is no take."""
    record = record_of([path])
    if record.delivery and record.delivery.get("format") == STRINGOUT:
        return None
    made = _made_by(record, path, notes)
    try:
        header = read_header(path)
        num_frames, rate = _counted(path, header)
        first = next(read_movie(path, stop=1)).rgb()
    except MediaError as error:
        notes.insert(0, str(error))
        return None
    key = relative(path, root)
    shown, shape = path, (header.height, round(header.width * header.pixel_aspect))
    if needs_copy(path, header, num_frames):
        shown, shape = _copy_of(path, key, copies), copy_size(header.height, header.width, header.pixel_aspect)
    return ReviewedMovie(
        key=key,
        path=path,
        shown=shown,
        rate=rate,
        num_frames=num_frames,
        height=header.height,
        width=header.width,
        shape=shape,
        poster=jpeg_thumbnail(first, pixel_aspect=header.pixel_aspect),
        made=made,
    )


def _counted(path: Path, header: MovieHeader) -> tuple[int, Fraction]:
    """Frames and rate: from the header if all it says agrees and no average can look so, else from decoding all."""
    if header.rate in STANDARD_RATES and header.seconds and header.seconds * header.rate == header.num_frames:
        return header.num_frames, header.rate
    seconds = [frame.seconds for frame in read_movie(path)]
    rate = rate_from_timestamps(seconds, header.rate)
    if rate is None:
        raise MediaError(f"{path}: its frames come at no constant rate; write it at one (vidgan export --rate 24)")
    return len(seconds), rate


def _copy_of(path: Path, key: str, copies: Path) -> Path:
    """Where the review copy of a movie, as the file is now, is kept."""
    stat = path.stat()
    which, when = (sha256(text.encode()).hexdigest()[:10] for text in (key, f"{stat.st_size} {stat.st_mtime_ns}"))
    return copies / f"{path.stem}.{which}.{when}.mp4"


def _with_copies(
    movies: Sequence[ReviewedMovie | None], notes: list[str], progress: Callable[[int, int], None] | None
) -> list[ReviewedMovie]:
    """The movies that can be shown, after the review copies that are not there yet have been made."""
    shown = [movie for movie in movies if movie is not None]
    missing = [movie for movie in shown if not movie.shown.exists()]
    total, done = sum(movie.num_frames for movie in missing), 0

    def pictures(movie: ReviewedMovie) -> Iterator[np.ndarray]:
        nonlocal done
        for frame in read_movie(movie.path):
            yield frame.rgb()
            done += 1
            if progress:
                progress(done, total)

    for movie in missing:
        for older in movie.shown.parent.glob(f"{glob.escape(movie.shown.name.rsplit('.', 2)[0])}.*.mp4"):
            older.unlink()  # of the same movie, as it was before
        try:
            write_review_copy(movie.shown, pictures(movie), rate=movie.rate, shape=movie.shape)
        except MediaError as error:
            notes.insert(0, str(error))
            shown.remove(movie)
    return [_as_counted(movie) for movie in shown]


def _as_counted(movie: ReviewedMovie) -> ReviewedMovie:
    """With the number of frames that its copy turned out to have; the header of the movie may have lied."""
    return movie if movie.shown == movie.path else replace(movie, num_frames=read_header(movie.shown).num_frames)


def _made_by(record: Record, path: Path, notes: list[str]) -> MadeBy:
    """Of the one take in a movie, by its record, or by a sidecar of any making."""
    if len(record.made_by) > 1:
        return MadeBy()
    source = path if record.made_by else path.with_suffix(".json")
    try:
        if record.made_by:
            return MadeBy.model_validate(record.made_by[0])
        return MadeBy.model_validate_json(source.read_bytes())
    except FileNotFoundError:
        return MadeBy()
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        says = "what it says of its take" if record.made_by else "is not a take's sidecar and"
        notes.append(f"{source}: {says} is ignored ({reason})")
        return MadeBy()


def movies_of(gallery: Gallery) -> Iterable[ReviewedMovie]:
    """Takes, then footage."""
    return (*gallery.takes, *gallery.footage)
