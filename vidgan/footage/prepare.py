"""Frames at training size, made once: uint8 arrays on disk, memory-mapped, one file a shot.

A file's name is the hash of everything that decides its pixels, so a changed source or setting is never
answered with old frames, and what is there is never made again: preparing continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np

from vidgan.config import DataConfig
from vidgan.errors import FootageError, MediaError, VidganError
from vidgan.files import remove_abandoned, writable_folder
from vidgan.footage.cache import cache_folder
from vidgan.footage.select import SelectedShot, Selection, class_names_of, clip_positions, labels_of
from vidgan.footage.shots import Note, note_on
from vidgan.footage.workers import WorkerFailure, num_cores, run_in_workers
from vidgan.media.read_as import ReadAs

# Counted up whenever the same source and settings would be prepared to other pixels.
PREPARE_VERSION = 3

# Files below this are read, not mapped: a process may map 65,530 of them, and a folder may hold more stills.
SMALLEST_MAPPED_BYTES = 1 << 16


@dataclass(frozen=True)
class PreparedFootage:
    """Shots as memory-mapped frames, ready to be sampled."""

    frames: tuple[np.ndarray, ...]
    """One read-only array uint8 [T, H, W, C] a shot."""
    labels: tuple[int, ...]
    """Index into `class_names` a shot; 0 for an unconditional run."""
    class_names: tuple[str, ...]
    """Sorted; empty for an unconditional run."""
    rate: Fraction | None
    """Frames a second of all shots; None if they are images."""
    notes: tuple[Note, ...]
    """The selection's, and one on each shot that could not be read."""
    manifest_hash: str
    """SHA-256 over what decides the pixels and classes of all shots: a copy of the footage has the same."""

    @property
    def num_frames_total(self) -> int:
        """Frames of all shots."""
        return sum(len(shot) for shot in self.frames)

    def num_clips(self, num_frames: int, frame_stride: int) -> int:
        """Clips that begin at different frames."""
        return sum(clip_positions(len(shot), num_frames, frame_stride) for shot in self.frames)


def prepared_bytes(selection: Selection, data: DataConfig) -> int:
    """Size on disk of all prepared frames, those that are there already included."""
    return sum(len(chosen.frames) for chosen in selection.shots) * data.height * data.width * data.channels


def prepare_footage(
    selection: Selection, data: DataConfig, *, progress: Callable[[int, int], None] | None = None
) -> PreparedFootage:
    """Make the frames that are not there yet, on as many cores as that is worth, and map all of them.

    `progress(done, total)` counts frames to be made. A shot that cannot be read to its end is left out with a note.
    Stopped at any moment, the next call goes on; every file is whole or absent. Raises `FootageError` if the disk is
    too full, or if no shot could be read; `RequestError` if the cache folder cannot be written.
    """
    root = selection.scan.root
    folder = writable_folder(cache_folder() / "frames")
    remove_abandoned(folder)
    notes, paths = list(selection.notes), {}
    for chosen in selection.shots:
        try:
            paths[chosen] = folder / f"{content_key(chosen, root, data)}.npy"
        except OSError as error:
            reason = f"cannot be read any more ({error.strerror}); it was there when the footage was scanned"
            notes.append(Note(source=chosen.shot.source, reason=reason))
    missing = list({path: chosen for chosen, path in paths.items() if not path.exists()}.values())
    total = sum(len(chosen.frames) for chosen in missing)
    _check_free_space(folder, total * data.height * data.width * data.channels)

    try:
        errors = _write_missing(root, missing, paths, data, progress)
    finally:
        remove_abandoned(folder)  # what workers had begun that were stopped
    for chosen, error in errors.items():
        notes.append(note_on(chosen.shot.source, error, root))
        for twin in [twin for twin, path in paths.items() if path == paths[chosen] and twin is not chosen]:
            del paths[twin]
        del paths[chosen]
    if not paths:
        raise FootageError(f"{root}: no shot could be prepared ({notes[-1].source}: {notes[-1].reason})")
    class_names = class_names_of(list(paths), data)
    labels = labels_of(paths, class_names)
    return PreparedFootage(
        frames=tuple(_open_frames(path) for path in paths.values()),
        labels=labels,
        class_names=class_names,
        rate=selection.rate,
        notes=tuple(notes),
        manifest_hash=_hash([[_what_decides(chosen, data) for chosen in paths], labels]),
    )


def _write_missing(
    root: Path,
    missing: list[SelectedShot],
    paths: dict[SelectedShot, Path],
    data: DataConfig,
    progress: Callable[[int, int], None] | None,
) -> dict[SelectedShot, MediaError | str]:
    """Write shots in worker processes; returns why some could not be written."""
    from vidgan.footage.prepare_shots import prepare_shots  # brings torch, which a scan does without

    groups = [tuple(group) for _, group in groupby(missing, key=_reading_pass)]
    total, done = sum(len(chosen.frames) for chosen in missing), [0] * len(groups)
    errors: dict[SelectedShot, MediaError | str] = {}

    def report(task: int, num_frames: int) -> None:
        done[task] = num_frames
        if progress:
            progress(sum(done), total)

    num_threads = max(2, num_cores() // max(1, len(groups)))
    tasks = [(prepare_shots, (root, group, [paths[chosen] for chosen in group], data, num_threads)) for group in groups]
    num_workers = min(num_cores(), _worth_starting(missing))
    with closing(run_in_workers(tasks, num_workers=num_workers, on_progress=report)) as results:
        for task, result in results:
            if isinstance(result, VidganError):  # of the cache folder or a setting: the next shot would meet it, too
                raise result
            report(task, sum(len(chosen.frames) for chosen in groups[task]))
            for place, chosen in enumerate(groups[task]):
                error = result.reason if isinstance(result, WorkerFailure) else result[place]
                if error is not None and not paths[chosen].exists():
                    errors[chosen] = error
    return errors


def _worth_starting(missing: list[SelectedShot]) -> int:
    """How many workers have a second's work each, if it takes as long as the scan did: one takes three to start."""
    return max(1, math.ceil(sum(chosen.shot.scan_seconds for chosen in missing)))


def content_key(chosen: SelectedShot, root: Path, data: DataConfig) -> str:
    """SHA-256 of everything that decides a prepared shot's pixels, and of its files' sizes and times: what was replaced
    after the scan is not taken for what was scanned. Where it lies does not count.

    Raises OSError if it is gone.
    """
    shot = chosen.shot
    numbers = range(shot.first, shot.first + (shot.num_frames if shot.padding else 1))
    stats = [(root / shot.file(number)).stat() for number in numbers]
    return _hash([_what_decides(chosen, data), [(stat.st_size, stat.st_mtime_ns) for stat in stats]])


def _what_decides(chosen: SelectedShot, data: DataConfig) -> list[object]:
    """Everything that decides a prepared shot's pixels, as its scan found it."""
    shot = chosen.shot
    found = [shot.content_hash, shot.first, shot.bit_depth, shot.color.model_dump(), str(shot.pixel_aspect)]
    timing = [chosen.frames, chosen.blends and [str(blend) for blend in chosen.blends]]
    pixels = data.model_dump(include={"height", "width", "channels", "fit"})
    read_as = [astuple(ReadAs.stated(data, shot.source)), os.environ.get("OCIO")]
    return [PREPARE_VERSION, found, timing, pixels, read_as]


def _hash(what: object) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _reading_pass(chosen: SelectedShot) -> tuple[str, int]:
    """Shots with the same answer are read in one go: those that can only be reached by counting through their movie."""
    shot = chosen.shot
    return shot.source, shot.first if shot.kind == "stills" or shot.start is not None else 0


def _open_frames(path: Path) -> np.ndarray:
    """Read-only uint8 [T, H, W, C]."""
    frames = np.load(path, mmap_mode="r" if path.stat().st_size >= SMALLEST_MAPPED_BYTES else None)
    frames.flags.writeable = False
    return frames.view(np.ndarray)  # still mapped; slicing a numpy.memmap costs as much as copying a small clip


def _check_free_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise FootageError(
            f"{folder}: prepared frames need {num_bytes / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "make room, choose another place with $VIDGAN_CACHE, or lower data.height and data.width"
        )
