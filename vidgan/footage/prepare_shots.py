"""The frames of one movie or frame sequence at training size, written as they are read. Runs in a worker process."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import torch

from vidgan.config import DataConfig
from vidgan.errors import FootageError, MediaError
from vidgan.files import written_beside
from vidgan.footage.fit import fit_frames
from vidgan.footage.pictures import read_pictures
from vidgan.footage.select import SelectedShot

Pictures = Iterator[tuple[int, np.ndarray]]
"""(frame index or number, uint8 [H, W, 3]), ascending."""


def prepare_shots(
    root: Path, shots: tuple[SelectedShot, ...], paths: list[Path], data: DataConfig, num_threads: int
) -> Generator[int, None, list[MediaError | None]]:
    """Write one .npy for each of some shots of one source, each whole or not at all.

    Yields how many frames are written so far and returns, for each shot, what was wrong with it. Raises
    `FootageError` if the disk is full.
    """
    torch.set_num_threads(1)  # there is a worker for each core
    wanted = {chosen.shot.first + position for chosen in shots for position in _needed(chosen)}
    pictures = read_pictures(root, shots[0].shot, wanted, data, num_threads=num_threads)
    errors: list[MediaError | None] = [None] * len(shots)
    done = 0
    for place, (chosen, path) in enumerate(zip(shots, paths, strict=True)):
        try:
            for written in _write_frames(path, chosen, pictures, data):
                yield done + written
        except MediaError as error:  # of a movie, the later shots cannot be read either
            errors[place:] = [error] * len(shots[place:])
            break
        done += len(chosen.frames)
    return errors


def _needed(chosen: SelectedShot) -> set[int]:
    """Positions in the shot of the frames that it is made from."""
    blended = {frame + 1 for frame, blend in zip(chosen.frames, chosen.blends or (), strict=False) if blend}
    return {*chosen.frames} | blended


def _write_frames(path: Path, chosen: SelectedShot, pictures: Pictures, data: DataConfig) -> Iterator[int]:
    """Write this shot's frames, whole or not at all; yields how many there are so far.

    Written as a stream and not through a memory map, because a full disk kills a process that writes to one.
    """
    shape = (len(chosen.frames), data.height, data.width, data.channels)
    fitted = _Fitted(chosen, pictures, data)
    try:
        with written_beside(path) as beside, beside.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for written, position in enumerate(chosen.frames, start=1):
                frame = fitted.at(position)
                blend = chosen.blends[written - 1] if chosen.blends else 0
                if blend:
                    frame = _mixed(frame, fitted.at(position + 1), float(blend))
                file.write(frame.tobytes())
                yield written
    except OSError as error:
        raise FootageError(f"{path.parent}: prepared frames cannot be written ({error.strerror})") from None


class _Fitted:
    """Frames of a shot at training size, by position; the newest two are kept."""

    def __init__(self, chosen: SelectedShot, pictures: Pictures, data: DataConfig) -> None:
        self.shot, self.pictures, self.data = chosen.shot, pictures, data
        self.kept: dict[int, np.ndarray] = {}

    def at(self, position: int) -> np.ndarray:
        """uint8 [H, W, C]. Raises `MediaError` if the source ends before."""
        while position not in self.kept:
            number, picture = next(self.pictures, (None, None))
            if picture is None:
                raise MediaError(f"ends before frame {self.shot.first + position}; it changed since the scan")
            self.kept[number - self.shot.first] = fit_frames(picture[None], self.shot.pixel_aspect, self.data)[0]
            for old in sorted(self.kept)[:-2]:
                del self.kept[old]
        return self.kept[position]


def _mixed(earlier: np.ndarray, later: np.ndarray, share: float) -> np.ndarray:
    """uint8 frames, mixed as they are on a screen and rounded; `share` is the later one's."""
    return np.rint(earlier * (1 - share) + later * share).astype(np.uint8)
