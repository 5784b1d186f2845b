"""What a footage folder holds: every file ends in a shot or in a note with its reason.

Movies are decoded whole, because only their frames tell how many there are and when they are shown; stills are
opened for their size. What was found is remembered by paths, sizes and times, so a second scan is instant.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

from pydantic import ValidationError

from vidgan.errors import FootageError, MediaError
from vidgan.files import writable_folder, write_text
from vidgan.footage.cache import cache_folder
from vidgan.footage.shots import Note, Scan, Shot, class_of, note_on
from vidgan.media.movies import MovieHeader, read_header, read_movie
from vidgan.media.sequences import FrameSequence, find_sequences
from vidgan.media.stills import STILL_SUFFIXES, read_still_size
from vidgan.media.timestamps import num_frames_missing_at_end, rate_from_timestamps, split_at_gaps

_MOVIES = (
    ".264 .265 .3g2 .3gp .asf .avi .divx .dv .f4v .flv .gxf .h264 .h265 .hevc .ivf .m2ts .m2v .m4v .mjpeg .mjpg "
    ".mkv .mov .mp4 .mpeg .mpg .mts .mxf .nut .ogm .ogv .qt .ts .vob .webm .wmv .y4m"
)
_UNREAD = (
    ".ari .arx .avif .bmp .braw .cin .cr2 .cr3 .crm .dng .dpx .exr .gif .hdr .heic .jp2 .jxl .nev .psd .r3d .sgi "
    ".tga .tif .tiff .webp"
)
MOVIE_SUFFIXES, UNREAD_SUFFIXES = frozenset(_MOVIES.split()), frozenset(_UNREAD.split())

# Counted up whenever the same file would be scanned to another result.
SCAN_VERSION = 2

# Movies decoded side by side; FFmpeg splits each of them again over all cores.
NUM_WORKERS = min(4, os.cpu_count() or 1)


def scan_footage(root: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Scan:
    """Find every movie and frame sequence below `root`. `progress(done, total)` counts sources.

    Hidden files and folders are left out. Raises `FootageError` if the folder is missing, or holds nothing that
    could be footage; `RequestError` if the cache folder cannot be written.
    """
    root = Path(root)
    if not root.is_dir():
        found = "is a file" if root.exists() else "no such folder"
        raise FootageError(f"{root}: {found} (expected a folder with movies or frame sequences)")
    writable_folder(cache_folder() / "scans")
    files, notes = files_below(root)
    sequences, others = find_sequences(files)
    movies = [path for path in others if path.suffix.lower() in MOVIE_SUFFIXES]
    notes += notes_on_unread(others, root)
    if not (movies or sequences or notes):
        raise FootageError(
            f"{root}: no footage in this folder or below it: looked at {len(files)} files for movies "
            f"(.mp4 .mov .mkv .avi .mxf ...) and stills ({' '.join(STILL_SUFFIXES)})"
        )
    sources: list[Path | FrameSequence] = [*movies, *sequences]
    shots: list[Shot] = []
    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        for done, found in enumerate(pool.map(lambda source: scan_source(source, root), sources), start=1):
            shots += found.shots
            notes += found.notes
            if progress:
                progress(done, len(sources))
    return Scan(
        root=root,
        shots=tuple(sorted(shots, key=lambda shot: (shot.source, shot.first))),
        notes=tuple(sorted(notes, key=lambda note: note.source)),
    )


def files_below(root: Path) -> tuple[list[Path], list[Note]]:
    """Files below a folder in the order of their names, and a note on each folder that cannot be opened.

    Hidden ones are left out. Links to folders are followed, each folder once.
    """
    files: list[Path] = []
    errors: list[OSError] = []
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True, onerror=errors.append):
        real = Path(folder).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += (Path(folder) / name for name in sorted(names) if not name.startswith("."))
    return files, [
        Note(source=_relative(Path(error.filename), root), reason=f"the folder cannot be opened ({error.strerror})")
        for error in errors
    ]


def notes_on_unread(files: list[Path], root: Path) -> list[Note]:
    """One note for all files of a kind in a folder, if it is a kind of still or camera original we do not read."""
    kinds = Counter((path.parent, path.suffix) for path in files if path.suffix.lower() in UNREAD_SUFFIXES)
    return [
        Note(
            source=_relative(folder / f"*{suffix}", root),
            reason=f"not read yet: {count} {suffix[1:].upper()} {'file' if count == 1 else 'files'}",
        )
        for (folder, suffix), count in kinds.items()
    ]


def scan_source(source: Path | FrameSequence, root: Path) -> Scan:
    """Shots and notes of one movie or frame sequence, remembered from the last time if no file changed.

    A file that cannot even be opened is tried again each time: it may have been a matter of permissions.
    """
    files = [source] if isinstance(source, Path) else source.paths()
    try:
        stats = [file.stat() for file in files]
    except OSError as error:
        reason = f"cannot be opened ({error.strerror})"
        return Scan(root=root, shots=(), notes=(Note(source=_relative(Path(error.filename), root), reason=reason),))
    identity = [(str(file.resolve()), stat.st_size, stat.st_mtime_ns) for file, stat in zip(files, stats, strict=True)]
    names = [_relative(file, root) for file in files]
    key = hashlib.sha256(json.dumps([SCAN_VERSION, names, identity]).encode()).hexdigest()
    remembered = cache_folder() / "scans" / f"{key}.json"
    try:
        return Scan.model_validate_json(remembered.read_text(encoding="utf-8")).model_copy(update={"root": root})
    except (OSError, ValidationError):
        pass
    found = scan_movie(source, root) if isinstance(source, Path) else scan_stills(source, root)
    if found.shots:
        write_text(remembered, found.model_dump_json())
    return found


def scan_movie(path: Path, root: Path) -> Scan:
    """Decode a movie and split it into shots at its gaps. If decoding fails, the frames before are kept."""
    source = _relative(path, root)
    notes = []
    seconds: list[Fraction | None] = []
    try:
        header = read_header(path)
        seconds += (frame.seconds for frame in read_movie(path))
    except MediaError as error:
        notes.append(note_on(source, error, root))
    if not seconds:
        return Scan(root=root, shots=(), notes=tuple(notes))
    rate = rate_from_timestamps(seconds, header.rate)
    if rate is None:
        notes.append(Note(source=source, reason="its frame rate varies; convert it to a constant rate"))
        return Scan(root=root, shots=(), notes=tuple(notes))
    missing = num_frames_missing_at_end(seconds, rate, header.seconds)
    if missing and not notes:
        reason = f"its end is missing: about {missing} more frames were promised after {len(seconds)}"
        notes.append(Note(source=source, reason=reason))
    ranges = split_at_gaps(seconds, rate)
    about = _about_movie(header, num_gaps=len(ranges) - 1, rest_missing=bool(notes))
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
            class_name=class_of(source),
            notes=about,
        )
        for frames in ranges
    ]
    return Scan(root=root, shots=tuple(shots), notes=tuple(notes))


def _about_movie(header: MovieHeader, *, num_gaps: int, rest_missing: bool) -> tuple[str, ...]:
    """What is worth knowing of a movie's shots."""
    about = []
    if num_gaps:
        about.append(f"part of a movie with {num_gaps} {'gap' if num_gaps == 1 else 'gaps'} in time")
    if rest_missing:
        about.append("part of a movie that is damaged or cut off")
    if header.color.matrix is None:
        about.append(f"colours are untagged, read as {header.matrix}")
    if header.interlaced:
        about.append("interlaced, fields are not separated")
    return tuple(about)


def scan_stills(sequence: FrameSequence, root: Path) -> Scan:
    """One shot for each run of stills of one size without a missing number; a still that cannot be read ends a run."""
    source = _relative(sequence.folder / sequence.pattern, root)
    notes, sizes = [], {}
    for number, path in zip(sequence.numbers, sequence.paths(), strict=True):
        try:
            sizes[number] = read_still_size(path)
        except MediaError as error:
            notes.append(note_on(_relative(path, root), error, root))
    runs = runs_of_one_size(sizes)
    shots = [
        Shot(
            source=source,
            kind="stills",
            first=numbers[0],
            num_frames=len(numbers),
            rate=None,
            height=sizes[numbers[0]][0],
            width=sizes[numbers[0]][1],
            pixel_aspect=Fraction(1),
            codec=sequence.suffix.rpartition(".")[2].lower(),
            padding=sequence.padding,
            class_name=class_of(source),
            notes=("part of a frame sequence with missing numbers or more than one size",) if len(runs) > 1 else (),
        )
        for numbers in runs
    ]
    return Scan(root=root, shots=tuple(shots), notes=tuple(notes))


def runs_of_one_size(sizes: dict[int, tuple[int, int]]) -> list[Sequence[int]]:
    """Consecutive frame numbers of one size.   {1: a, 2: a, 4: a, 5: b} -> [1, 2], [4], [5]"""
    runs: list[list[int]] = []
    for number in sorted(sizes):
        if runs and runs[-1][-1] == number - 1 and sizes[number - 1] == sizes[number]:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
