"""What a footage folder holds: every file ends in a shot or in a note with its reason.

Movies are decoded whole, because only their frames tell how many there are and when they are shown. What
was found in a file is remembered by its path, size and times, so a second scan of it is instant.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from vidgan.config import Rate
from vidgan.errors import FootageError, MediaError
from vidgan.files import writable_folder, write_text
from vidgan.media.movies import read_header, read_movie
from vidgan.media.sequences import FrameSequence, find_sequences
from vidgan.media.stills import STILL_SUFFIXES, read_still_size
from vidgan.media.timestamps import num_frames_missing_at_end, rate_from_timestamps, split_at_gaps

MOVIE_SUFFIXES = frozenset(
    ".3gp .avi .dv .flv .h264 .264 .hevc .m2ts .m2v .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf "  # noqa: SIM905
    ".ogv .ts .vob .webm .wmv .y4m".split()
)
UNREAD_SUFFIXES = frozenset(
    ".exr .dpx .cin .tif .tiff .bmp .tga .webp .gif .r3d .braw .ari .arx .dng".split()  # noqa: SIM905
)

# Counted up whenever the same file would be scanned to another result.
SCAN_VERSION = 1

PixelAspect = Annotated[Fraction, BeforeValidator(lambda value: Fraction(str(value))), PlainSerializer(str)]


class Shot(BaseModel):
    """An unbroken run of frames."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    source: str
    """Path below the footage folder; for a frame sequence its pattern, such as "dawn/shot.####.png"."""
    kind: Literal["movie", "stills"]
    first: int
    """Frame index of the first frame in a movie; frame number in a frame sequence."""
    num_frames: int
    rate: Rate | None
    """Frames a second; a frame sequence has none."""
    height: int
    width: int
    pixel_aspect: PixelAspect
    """Width of a pixel over its height."""
    codec: str
    class_name: str | None = Field(None, alias="class")
    """First folder below the footage folder; None for a file that lies in the footage folder itself."""
    notes: tuple[str, ...] = ()


class Note(BaseModel):
    """Why a file, or a part of it, is not used."""

    model_config = ConfigDict(frozen=True)

    source: str
    reason: str


class Scan(BaseModel):
    """All that was found below a footage folder."""

    root: Path
    shots: tuple[Shot, ...]
    notes: tuple[Note, ...]


Found = tuple[list[Shot], list[Note]]


def cache_folder() -> Path:
    """Where scans and prepared frames are kept: `$VIDGAN_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("VIDGAN_CACHE") or platformdirs.user_cache_path("vidgan"))


def scan_footage(root: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Scan:
    """Find every movie and frame sequence below `root`. `progress(done, total)` counts sources.

    Raises `FootageError` if the folder is missing, or holds nothing that could be footage.
    """
    root = Path(root)
    if not root.is_dir():
        found = "is a file" if root.exists() else "no such folder"
        raise FootageError(f"{root}: {found} (expected a folder with movies or frame sequences)")
    files = list(_files_below(root))
    sequences, others = find_sequences(path for path in files if _is_text(path))
    movies = [path for path in others if path.suffix.lower() in MOVIE_SUFFIXES]
    notes = [
        Note(source=_relative(path, root), reason=f"{path.suffix.lower()[1:].upper()} files are not read yet")
        for path in others
        if path.suffix.lower() in UNREAD_SUFFIXES
    ]
    notes += [
        Note(source=ascii(_relative(path, root)), reason="its name is not UTF-8; rename it")
        for path in files
        if not _is_text(path)
    ]
    if not (movies or sequences or notes):
        raise FootageError(
            f"{root}: no footage in this folder or below it: looked at {len(files)} files for movies "
            f"(.mp4 .mov .mkv .avi .mxf ...) and stills ({' '.join(sorted(STILL_SUFFIXES))})"
        )
    tasks: list[tuple[Callable[..., Found], Path | FrameSequence]] = [(scan_movie, movie) for movie in movies]
    tasks += [(scan_sequence, sequence) for sequence in sequences]
    shots: list[Shot] = []
    with ThreadPoolExecutor() as pool:
        for done, (found_shots, found_notes) in enumerate(pool.map(lambda task: task[0](task[1], root), tasks), 1):
            shots += found_shots
            notes += found_notes
            if progress:
                progress(done, len(tasks))
    return Scan(
        root=root,
        shots=tuple(sorted(shots, key=lambda shot: (shot.source, shot.first))),
        notes=tuple(sorted(notes, key=lambda note: note.source)),
    )


def scan_movie(path: Path, root: Path) -> Found:
    """Decode a movie and split it into shots at its gaps; remembered from the last time if it did not change."""
    source = _relative(path, root)
    try:
        stat = path.stat()
    except OSError as error:
        return [], [Note(source=source, reason=f"cannot be read ({error.strerror})")]
    # The source, because two links to one file may lie in different classes; the time of the last change of
    # rights (ctime), because a file that could not be read may be readable now.
    decisive = [SCAN_VERSION, source, str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    key = hashlib.sha256(json.dumps(decisive).encode()).hexdigest()
    remembered = cache_folder() / "scans" / f"{key}.json"
    try:
        found = Scan.model_validate_json(remembered.read_text(encoding="utf-8"))
        return list(found.shots), list(found.notes)
    except (OSError, ValueError):
        pass
    shots, notes = _decode_movie(path, root)
    writable_folder(remembered.parent)
    write_text(remembered, Scan(root=root, shots=tuple(shots), notes=tuple(notes)).model_dump_json())
    return shots, notes


def _decode_movie(path: Path, root: Path) -> Found:
    source = _relative(path, root)

    def note(reason: str | MediaError) -> Note:
        return Note(source=source, reason=str(reason).removeprefix(f"{path}: "))

    try:
        header = read_header(path)
    except MediaError as error:
        return [], [note(error)]
    seconds: list[Fraction | None] = []
    notes: list[Note] = []
    try:
        seconds += (frame.seconds for frame in read_movie(path))
    except MediaError as error:
        notes.append(note(error))
    if not seconds:
        return [], notes
    rate = rate_from_timestamps(seconds, header.rate)
    if rate is None:
        return [], [*notes, note("its frame rate varies; convert it to a constant rate")]
    missing = num_frames_missing_at_end(seconds, rate, header.seconds)
    if missing and not notes:
        notes.append(note(f"its end is missing: about {missing} more frames were promised after {len(seconds)}"))
    ranges = split_at_gaps(seconds, rate)
    about = []
    if len(ranges) > 1:
        about.append(f"part of a movie with {len(ranges) - 1} gaps in time")
    if header.color.matrix is None:
        about.append(f"colours are untagged, read as {header.matrix}")
    if header.interlaced:
        about.append("interlaced, fields are not separated")
    shots = [
        Shot(
            source=source,
            kind="movie",
            first=frames.start,
            num_frames=len(frames),
            rate=rate,
            height=header.height,
            width=header.width,
            pixel_aspect=header.pixel_aspect,
            codec=header.codec,
            class_name=_class_name(source),
            notes=tuple(about),
        )
        for frames in ranges
    ]
    return shots, notes


def scan_sequence(sequence: FrameSequence, root: Path) -> Found:
    """One shot for each run of a frame sequence without a missing number. Only the first still of a run is opened."""
    source = _relative(sequence.folder / sequence.pattern, root)
    shots, notes = [], []
    for numbers in sequence.runs():
        path = sequence.path(numbers[0])
        try:
            height, width = read_still_size(path)
        except MediaError as error:
            notes.append(Note(source=source, reason=f"frame {numbers[0]}: {str(error).removeprefix(f'{path}: ')}"))
            continue
        shots.append(
            Shot(
                source=source,
                kind="stills",
                first=numbers[0],
                num_frames=len(numbers),
                rate=None,
                height=height,
                width=width,
                pixel_aspect=Fraction(1),
                codec=sequence.suffix[1:].lower(),
                class_name=_class_name(source),
                notes=(f"{len(sequence.missing())} frame numbers are missing",) if sequence.missing() else (),
            )
        )
    return shots, notes


def _files_below(root: Path) -> Iterator[Path]:
    """Files below a folder in the order of their names, hidden ones left out; folder links are followed once."""
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _is_text(path: Path) -> bool:
    """Whether a path can be stored and shown; the names of some old files cannot."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _class_name(source: str) -> str | None:
    folder, slash, _ = source.partition("/")
    return folder if slash else None
