"""What a footage folder holds: every file ends in a shot or in a note with its reason.

Movies are decoded whole, because only their frames tell how many there are and when they are shown; stills are
opened for their size. What was found is remembered by paths, sizes and times, so a second scan is instant.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

from vidgan.errors import MediaError
from vidgan.files import writable_folder, write_text
from vidgan.footage.cache import cache_folder
from vidgan.footage.folder import find_footage, relative
from vidgan.footage.shots import Note, Scan, Shot, class_of, note_on
from vidgan.media.movies import MovieHeader, read_header, read_movie
from vidgan.media.sequences import FrameSequence, find_sequences
from vidgan.media.stills import read_still_size
from vidgan.media.timestamps import num_frames_missing_at_end, rate_from_timestamps, split_at_gaps

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
    files, notes = find_footage(root)
    writable_folder(cache_folder() / "scans")
    sources: list[FrameSequence | Path] = [source for kind in find_sequences(files) for source in kind]
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


def scan_source(source: Path | FrameSequence, root: Path) -> Scan:
    """Shots and notes of one movie or frame sequence, remembered from the last time if no file changed."""
    files = [source] if isinstance(source, Path) else source.paths()
    decisive = [SCAN_VERSION, [relative(file, root) for file in files], [_state(file) for file in files]]
    key = hashlib.sha256(json.dumps(decisive).encode()).hexdigest()
    remembered = cache_folder() / "scans" / f"{key}.json"
    try:
        return Scan.model_validate_json(remembered.read_text(encoding="utf-8")).model_copy(update={"root": root})
    except (OSError, ValueError):  # not there, or damaged
        pass
    found = scan_movie(source, root) if isinstance(source, Path) else scan_stills(source, root)
    write_text(remembered, found.model_dump_json())
    return found


def _state(file: Path) -> tuple[str, int, int, bool] | None:
    """What tells a file from a changed one, that it may be read included; None if it is gone."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return str(file.resolve()), stat.st_size, stat.st_mtime_ns, os.access(file, os.R_OK)


def scan_movie(path: Path, root: Path) -> Scan:
    """Decode a movie and split it into shots at its gaps. If decoding fails, the frames before are kept."""
    source = relative(path, root)
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
    source = relative(sequence.folder / sequence.pattern, root)
    notes, sizes = [], {}
    for number, path in zip(sequence.numbers, sequence.paths(), strict=True):
        try:
            sizes[number] = read_still_size(path)
        except MediaError as error:
            notes.append(note_on(relative(path, root), error, root))
    runs = runs_of_one_size(sizes)
    about = [f"{len(sequence.missing())} frame numbers are missing"] if sequence.missing() else []
    if len(set(sizes.values())) > 1:
        about.append("part of a frame sequence of more than one size")
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
            notes=tuple(about),
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
