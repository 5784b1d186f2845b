"""What a footage folder holds: every file ends in a shot or in a note with its reason.

Sources (movies and frame sequences) are decoded whole, because only their frames tell how many there are, when they are
shown and where the cuts lie; each in a worker process, so that what breaks a decoder costs one file. What was found is
remembered by paths, sizes, times and settings, so a second scan of unchanged files is instant.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator
from pathlib import Path

from vidgan.config import DataConfig
from vidgan.errors import ConfigError, MediaError
from vidgan.files import writable_folder, write_text
from vidgan.footage.cache import cache_folder
from vidgan.footage.folder import find_footage, relative
from vidgan.footage.scan_movie import scan_movie
from vidgan.footage.scan_stills import scan_stills
from vidgan.footage.shots import Note, Scan, Shot, is_held_out, note_on
from vidgan.footage.workers import WorkerFailure, num_cores, run_in_workers
from vidgan.media.sequences import FrameSequence, find_sequences

# Counted up whenever the same file would be scanned to another result.
SCAN_VERSION = 4

# Settings that decide what a scan of one source finds.
_DECISIVE = {"cuts", "cut_threshold", "leave_out", "color_space", "view", "layer", "exposure", "background"}


def scan_footage(
    root: str | Path, data: DataConfig | None = None, *, progress: Callable[[float, float], None] | None = None
) -> Scan:
    """Find every movie and frame sequence below `root`. `progress(done, total)` counts megabytes.

    Hidden files and folders are left out. Raises `FootageError` if the folder is missing, or holds nothing that
    could be footage; `ConfigError` if a setting cannot be used (an unknown colour space, for one); `RequestError`
    if the cache folder cannot be written.
    """
    root, data = Path(root), data or DataConfig()
    files, notes = find_footage(root)
    folder = writable_folder(cache_folder() / "scans")
    sources: list[FrameSequence | Path] = [source for kind in find_sequences(files) for source in kind]
    remembered_at = [folder / f"{_scan_key(source, root, data)}.json" for source in sources]
    scans = [_remembered(path) for path in remembered_at]
    missing = [index for index, scan in enumerate(scans) if scan is None]
    megabytes = [sum(map(_size, _files_of(sources[index]))) / 1e6 for index in missing]
    done = [0.0] * len(missing)

    def report(task: int, share: float) -> None:
        done[task] = share * megabytes[task]
        if progress:
            progress(sum(done), sum(megabytes))

    # FFmpeg reports damaged pictures only when it decodes on two threads or more.
    num_threads = max(2, num_cores() // max(1, len(missing)))
    tasks = [(scan_source, (sources[index], root, data, num_threads)) for index in missing]
    for task, found in run_in_workers(tasks, on_progress=report):
        index = missing[task]
        report(task, 1.0)
        if isinstance(found, ConfigError):
            raise found
        if isinstance(found, Scan):
            write_text(remembered_at[index], found.model_dump_json())
        else:
            found = Scan(shots=(), notes=(_note_on_failure(sources[index], found, root),))
        scans[index] = found

    shots = sorted((shot for scan in scans for shot in scan.shots), key=lambda shot: (shot.source, shot.first))
    if "duplicate" in data.leave_out:
        shots, duplicates = without_duplicates(shots)
        notes += duplicates
    notes += [note for scan in scans for note in scan.notes]
    return Scan(
        root=root,
        shots=tuple(with_split(shot, data.holdout) for shot in shots),
        notes=tuple(sorted(notes, key=lambda note: (note.source, note.reason))),
    )


def scan_source(
    source: Path | FrameSequence, root: Path, data: DataConfig, num_threads: int
) -> Generator[float, None, Scan]:
    """Shots and notes of one movie or frame sequence; yields the share that is done, 0 to 1."""
    if isinstance(source, FrameSequence):
        return (yield from scan_stills(source, root, data))
    return (yield from scan_movie(source, root, data, num_threads))


def without_duplicates(shots: list[Shot]) -> tuple[list[Shot], list[Note]]:
    """The first of all shots that are equal frame for frame, and notes on the others."""
    first_of: dict[tuple[str, int], Shot] = {}
    notes = []
    for shot in shots:
        first = first_of.setdefault((shot.content_hash, shot.num_frames), shot)
        if first is not shot:
            what = f"its {shot.num_frames} frames from {shot.first} are" if shot.num_frames > 1 else "is"
            reason = f"{what} the same as {first.source} from {first.first}, left out as a duplicate"
            notes.append(Note(source=shot.source, reason=reason))
    return list(first_of.values()), notes


def with_split(shot: Shot, holdout: float) -> Shot:
    """The shot with its side, which its content hash decides."""
    return shot.model_copy(update={"split": "holdout" if is_held_out(shot.content_hash, holdout) else "train"})


def _files_of(source: FrameSequence | Path) -> list[Path]:
    return [source] if isinstance(source, Path) else source.paths()


def _scan_key(source: FrameSequence | Path, root: Path, data: DataConfig) -> str:
    """SHA-256 of all that decides what a scan of a source finds."""
    files = _files_of(source)
    settings = data.model_dump(mode="json", include=_DECISIVE)
    about = [SCAN_VERSION, settings, os.environ.get("OCIO")]
    decisive = [about, [relative(file, root) for file in files], [_state(file) for file in files]]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def _state(file: Path) -> tuple[str, int, int, bool] | None:
    """What tells a file from a changed one, that it may be read included; None if it is gone."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return str(file.resolve()), stat.st_size, stat.st_mtime_ns, os.access(file, os.R_OK)


def _size(file: Path) -> int:
    state = _state(file)
    return 0 if state is None else state[1]


def _remembered(path: Path) -> Scan | None:
    """What the last scan wrote; None if there is none, or it is damaged."""
    try:
        return Scan.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _note_on_failure(source: FrameSequence | Path, failure: MediaError | WorkerFailure, root: Path) -> Note:
    name = relative(source if isinstance(source, Path) else source.folder / source.pattern, root)
    if isinstance(failure, WorkerFailure):
        return Note(source=name, reason=failure.reason)
    return note_on(name, failure, root)
