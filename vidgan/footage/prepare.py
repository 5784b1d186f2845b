"""Frames at training size, made once: uint8 arrays on disk, memory-mapped, one file a shot.

A file's name is the hash of everything that decides its pixels, so a changed source or setting is never
answered with old frames, and what is there is never made again: preparing continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np

from vidgan.config import DataConfig
from vidgan.errors import FootageError, MediaError
from vidgan.files import writable_folder, written_beside
from vidgan.footage.cache import cache_folder
from vidgan.footage.fit import fit_frames
from vidgan.footage.select import SelectedShot, Selection, class_names_of, clip_positions
from vidgan.footage.shots import Note, note_on
from vidgan.media.movies import read_movie
from vidgan.media.stills import read_still

# Counted up whenever the same source and settings would be prepared to other pixels.
PREPARE_VERSION = 2

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
    """SHA-256 over what decides the pixels of all shots."""

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
    """Make the frames that are not there yet and map all of them. `progress(done, total)` counts frames to be made.

    A shot that cannot be read to its end is left out with a note. Raises `FootageError` if the disk is too full, or
    if no shot could be read; `RequestError` if the cache folder cannot be written.
    """
    root = selection.scan.root
    folder = writable_folder(cache_folder() / "frames")
    _remove_abandoned(folder)
    notes, paths = list(selection.notes), {}
    for chosen in selection.shots:
        try:
            paths[chosen] = folder / f"{content_key(chosen, root, data)}.npy"
        except OSError as error:
            reason = f"cannot be read any more ({error.strerror}); it was there when the footage was scanned"
            notes.append(Note(source=chosen.shot.source, reason=reason))
    missing = [chosen for chosen in paths if not paths[chosen].exists()]
    total, done = sum(len(chosen.frames) for chosen in missing), 0
    _check_free_space(folder, total * data.height * data.width * data.channels)

    for _, group in groupby(missing, key=_reading_pass):
        shots = list(group)
        pictures = _read_stills(root, shots[0]) if shots[0].shot.kind == "stills" else _read_movie(root, shots)
        for place, chosen in enumerate(shots):
            try:
                for written in _write_frames(paths[chosen], chosen, pictures, data):
                    if progress:
                        progress(done + written, total)
            except MediaError as error:  # of a movie, the later shots cannot be read either
                for failed in shots[place:]:
                    notes.append(note_on(failed.shot.source, error, root))
                    del paths[failed]
                done += sum(len(failed.frames) for failed in shots[place:])
                break
            done += len(chosen.frames)
    if not paths:
        raise FootageError(f"{root}: no shot could be prepared ({notes[-1].source}: {notes[-1].reason})")
    class_names = class_names_of(list(paths), data)
    return PreparedFootage(
        frames=tuple(_open_frames(path) for path in paths.values()),
        labels=tuple(class_names.index(chosen.shot.class_name) if class_names else 0 for chosen in paths),
        class_names=class_names,
        rate=selection.rate,
        notes=tuple(notes),
        manifest_hash=hashlib.sha256("\n".join(path.stem for path in paths.values()).encode()).hexdigest(),
    )


def content_key(chosen: SelectedShot, root: Path, data: DataConfig) -> str:
    """SHA-256 of everything that decides a prepared shot's pixels. Raises OSError if a file is gone."""
    shot = chosen.shot
    numbers = range(shot.first, shot.first + (shot.num_frames if shot.padding else 1))
    files = [root / shot.file(number) for number in numbers]
    identity = [(str(file.resolve()), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]
    pixels = data.model_dump(include={"height", "width", "channels", "fit"})
    decisive = [PREPARE_VERSION, identity, shot.first, chosen.frames, str(shot.pixel_aspect), pixels]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def _reading_pass(chosen: SelectedShot) -> tuple[str, int]:
    """Shots with the same answer are read in one go: all of a movie, each run of a frame sequence for itself."""
    return chosen.shot.source, chosen.shot.first if chosen.shot.kind == "stills" else 0


def _read_movie(root: Path, shots: list[SelectedShot]) -> Iterator[tuple[int, np.ndarray]]:
    """(frame index, uint8 [H, W, 3]) of each frame that one of the shots needs, once."""
    wanted = {chosen.shot.first + position for chosen in shots for position in chosen.frames}
    for frame in read_movie(root / shots[0].shot.source, stop=max(wanted) + 1):
        if frame.index in wanted:
            yield frame.index, frame.rgb()


def _read_stills(root: Path, chosen: SelectedShot) -> Iterator[tuple[int, np.ndarray]]:
    """(frame number, uint8 [H, W, 3]) of each frame of a shot."""
    for position in chosen.frames:
        number = chosen.shot.first + position
        yield number, read_still(root / chosen.shot.file(number))


def _write_frames(
    path: Path, chosen: SelectedShot, pictures: Iterator[tuple[int, np.ndarray]], data: DataConfig
) -> Iterator[int]:
    """Write this shot's frames, whole or not at all; yields how many there are so far.

    Written as a stream and not through a memory map, because a full disk kills a process that writes to one.
    """
    shape = (len(chosen.frames), data.height, data.width, data.channels)
    number, fitted = None, b""
    try:
        with written_beside(path) as beside, beside.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for written, position in enumerate(chosen.frames, start=1):
                while number != chosen.shot.first + position:
                    number, picture = next(pictures, (None, None))
                    if picture is None:
                        raise MediaError(f"ends before frame {chosen.shot.first + position}; it changed since the scan")
                    fitted = fit_frames(picture[None], chosen.shot.pixel_aspect, data).tobytes()
                file.write(fitted)
                yield written
    except OSError as error:
        raise FootageError(f"{path.parent}: prepared frames cannot be written ({error.strerror})") from None


def _open_frames(path: Path) -> np.ndarray:
    """Read-only uint8 [T, H, W, C]."""
    frames = np.load(path, mmap_mode="r" if path.stat().st_size >= SMALLEST_MAPPED_BYTES else None)
    frames.flags.writeable = False
    return frames


def _check_free_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise FootageError(
            f"{folder}: prepared frames need {num_bytes / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "make room, choose another place with $VIDGAN_CACHE, or lower data.height and data.width"
        )


def _remove_abandoned(folder: Path) -> None:
    """Delete half-made files of processes that no longer run."""
    for path in folder.glob(".*.part.npy"):
        process = path.name.split(".")[-3]
        if process.isdigit() and not _is_running(int(process)):
            path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
