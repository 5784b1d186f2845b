"""Frames at training size, made once: uint8 arrays on disk, memory-mapped, one file a shot.

A file's name is the hash of everything that decides its pixels, so a changed source or setting is never
answered with old frames, and what is there is never made again: preparing continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from vidgan.clip import LUMA_WEIGHTS, span
from vidgan.config import DataConfig
from vidgan.errors import FootageError, MediaError
from vidgan.files import writable_folder, written_beside
from vidgan.footage.scan import Note, Shot, cache_folder
from vidgan.footage.select import SelectedShot, Selection
from vidgan.media.movies import read_movie
from vidgan.media.stills import read_still

# Counted up whenever the same source and settings would be prepared to other pixels.
PREPARE_VERSION = 1

# Frames resized in one call.
BATCH_FRAMES = 16

# Frame index or number, and how to read its picture: uint8 [H, W, 3].
Source = Iterator[tuple[int, Callable[[], np.ndarray]]]


@dataclass(frozen=True)
class PreparedFootage:
    """Shots as memory-mapped frames, ready to be sampled."""

    frames: tuple[np.ndarray, ...]
    """One read-only array uint8 [T, H, W, C] a shot."""
    labels: tuple[int, ...]
    """Index into `class_names` a shot; 0 for an unconditional run."""
    class_names: tuple[str, ...]
    rate: Fraction | None
    notes: tuple[Note, ...]
    manifest_hash: str
    """SHA-256 over what decides the pixels of all shots."""

    def num_clips(self, num_frames: int, frame_stride: int) -> int:
        """Clips that begin at different frames."""
        return sum(len(shot) - span(num_frames, frame_stride) + 1 for shot in self.frames)


def prepared_bytes(selection: Selection, data: DataConfig) -> int:
    """Size on disk of all prepared frames."""
    num_frames = sum(len(chosen.frames) for chosen in selection.shots)
    return num_frames * data.height * data.width * data.channels


def prepare_footage(
    selection: Selection, data: DataConfig, *, progress: Callable[[int, int], None] | None = None
) -> PreparedFootage:
    """Make the frames that are not there yet and map all of them. `progress(done, total)` counts frames.

    A shot that cannot be read to its end is left out with a note. Raises `FootageError` if the disk is too
    full, or if no shot could be read.
    """
    folder = writable_folder(cache_folder() / "frames")
    _remove_abandoned(folder)
    notes = list(selection.notes)
    paths = {}
    for chosen in selection.shots:
        try:
            paths[chosen] = folder / f"{_key(chosen, selection, data)}.npy"
        except OSError as error:
            notes.append(Note(source=chosen.shot.source, reason=f"cannot be read any more ({error.strerror})"))
    missing = [chosen for chosen in paths if not paths[chosen].exists()]
    _check_free_space(folder, sum(len(chosen.frames) for chosen in missing) * data.height * data.width * data.channels)

    total, done = sum(len(chosen.frames) for chosen in missing), 0
    failed = set()
    for _, group in groupby(missing, key=lambda chosen: chosen.shot.source):
        shots = list(group)
        source = _read_source(selection.scan.root, shots)
        for chosen in shots:
            try:
                _write_frames(paths[chosen], chosen, source, data)
            except MediaError as error:
                notes.append(Note(source=chosen.shot.source, reason=str(error)))
                failed.add(chosen)
            done += len(chosen.frames)
            if progress:
                progress(done, total)
    usable = [chosen for chosen in paths if chosen not in failed]
    if not usable:
        raise FootageError(f"{selection.scan.root}: no shot could be prepared ({notes[-1].source}: {notes[-1].reason})")
    return PreparedFootage(
        frames=tuple(np.load(paths[chosen], mmap_mode="r") for chosen in usable),
        labels=tuple(
            selection.class_names.index(chosen.shot.class_name) if selection.class_names else 0 for chosen in usable
        ),
        class_names=selection.class_names,
        rate=selection.rate,
        notes=tuple(notes),
        manifest_hash=hashlib.sha256("\n".join(paths[chosen].stem for chosen in usable).encode()).hexdigest(),
    )


def fit_frames(frames: np.ndarray, pixel_aspect: Fraction, data: DataConfig) -> np.ndarray:
    """uint8 [T, H, W, 3] -> uint8 [T, height, width, channels] of the config, in its shape and never squashed.

    "crop" scales until the picture covers the frame and cuts what stands out, evenly; "letterbox" scales
    until all of it fits and leaves the rest black. Pixels that are not square become so.
    """
    rows, columns = frames.shape[1:3]
    shown_width = columns * pixel_aspect
    choose = max if data.fit == "crop" else min
    scale = choose(Fraction(data.height, rows), data.width / shown_width)
    size = [max(1, round(rows * scale)), max(1, round(shown_width * scale))]
    pictures = rearrange(torch.from_numpy(np.ascontiguousarray(frames)), "t h w c -> t c h w")
    pictures = transforms.resize(pictures, size, interpolation=InterpolationMode.BICUBIC, antialias=True)
    pictures = transforms.center_crop(pictures, [data.height, data.width])  # pads with black where it is larger
    if data.channels == 1:
        luma = torch.einsum("t c h w, c -> t h w", pictures.float(), torch.tensor(LUMA_WEIGHTS))
        pictures = luma.round().to(torch.uint8)[:, None]
    return rearrange(pictures, "t c h w -> t h w c").numpy()


def _write_frames(path: Path, chosen: SelectedShot, source: Source, data: DataConfig) -> None:
    """Take this shot's frames from its source and write them, whole or not at all."""
    shape = (len(chosen.frames), data.height, data.width, data.channels)
    with written_beside(path) as beside:
        prepared = np.lib.format.open_memmap(beside, mode="w+", dtype=np.uint8, shape=shape)
        written, batch = 0, []
        for picture in _pictures(chosen, source):
            batch.append(picture)
            if len(batch) == BATCH_FRAMES or written + len(batch) == len(chosen.frames):
                prepared[written : written + len(batch)] = fit_frames(np.stack(batch), chosen.shot.pixel_aspect, data)
                written += len(batch)
                batch = []
        prepared.flush()


def _pictures(chosen: SelectedShot, source: Source) -> Iterator[np.ndarray]:
    """The shot's frames at the run's rate, uint8 [H, W, 3]; one that is wanted twice is read once."""
    shot, found, picture = chosen.shot, None, None
    for number in (shot.first + position for position in chosen.frames):
        if number != found:
            found, read = next((frame for frame in source if frame[0] >= number), (None, None))
            if found != number:
                raise MediaError(f"frame {number}, which the scan has seen, is not there any more")
            picture = read()
            height, width = picture.shape[:2]
            if (height, width) != (shot.height, shot.width):
                raise MediaError(
                    f"frame {number} is {width}x{height}, those before are {shot.width}x{shot.height} (width x height)"
                )
        yield picture


def _read_source(root: Path, shots: list[SelectedShot]) -> Source:
    """The frames of some shots of one source, in order. A still that cannot be read does not end the others."""
    shot = shots[0].shot
    if shot.kind == "movie":
        stop = max(chosen.shot.first + chosen.shot.num_frames for chosen in shots)
        for frame in read_movie(root / shot.source, stop=stop):
            yield frame.index, frame.rgb
    else:
        for chosen in shots:
            for number, path in _still_paths(root, chosen.shot):
                yield number, partial(read_still, path)


def _still_paths(root: Path, shot: Shot) -> list[tuple[int, Path]]:
    """Frame number and file of every still of a shot: the last `#`s of its pattern stand for the digits."""
    path = root / shot.source
    pattern = re.fullmatch(r"(.*?)(#+)([^#]*)", path.name)
    if pattern is None or path.exists():  # a still without a number, whose name may hold a "#" of its own
        return [(shot.first, path)]
    prefix, digits, suffix = pattern.groups()
    numbers = range(shot.first, shot.first + shot.num_frames)
    return [(number, path.with_name(f"{prefix}{number:0{len(digits)}d}{suffix}")) for number in numbers]


def _key(chosen: SelectedShot, selection: Selection, data: DataConfig) -> str:
    """SHA-256 of everything that decides a prepared shot's pixels."""
    root, shot = selection.scan.root, chosen.shot
    files = [root / shot.source] if shot.kind == "movie" else [path for _, path in _still_paths(root, shot)]
    identity = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    pixels = data.model_dump(include={"height", "width", "channels", "fit"})
    decisive = [PREPARE_VERSION, identity, shot.first, chosen.frames, str(shot.pixel_aspect), pixels]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


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
