"""Footage that ships as code: six classes of shots, drawn and simulated, for demos, tests and first runs.

    walk, wave, jump    characters   an articulated figure in a room
    landscape           scenes       ridges, trees and water under a moving camera
    smoke, fire         effects      elements from a fluid simulation

Shot n of a class is a pure function of (seed, class, n); motion is in seconds, so any rate films the same event.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan.errors import RequestError, did_you_mean
from vidgan.files import writable_folder
from vidgan.footage.procedural.canvas import View, to_frames
from vidgan.footage.procedural.characters import jump, walk, wave
from vidgan.footage.procedural.effects import fire, smoke
from vidgan.footage.procedural.scenes import landscape
from vidgan.media.movie_writer import write_movie

__all__ = ["CLASSES", "make_footage", "shot_frames"]

# The order is part of every shot's seed: append, never insert.
CLASSES = {"walk": walk, "wave": wave, "jump": jump, "landscape": landscape, "smoke": smoke, "fire": fire}


def shot_frames(
    name: str, shot: int, *, height: int, width: int, rate: Fraction, num_frames: int, seed: int
) -> Iterator[np.ndarray]:
    """The frames, uint8 [H, W, 3], of shot number `shot` of the class `name`, one by one.

    `rate` in frames a second. Any size and aspect ratio; the same `seed` gives the same frames.
    """
    if name not in CLASSES:
        raise RequestError(f'there is no procedural class "{name}"{did_you_mean(name, CLASSES)}')
    if min(height, width, num_frames) < 1 or rate <= 0 or min(shot, seed) < 0:
        raise RequestError(
            f"height {height}, width {width}, num_frames {num_frames}, rate {rate}, shot {shot}, seed {seed} "
            "(expected sizes, frames and rate above zero, shot and seed at least zero)"
        )
    random = np.random.default_rng([seed, list(CLASSES).index(name), shot])
    times = np.array([float(index / Fraction(rate)) for index in range(num_frames)])
    return _frame_by_frame(CLASSES[name](random, View(height, width), times))


def _frame_by_frame(pieces: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for light in pieces:
        yield from to_frames(light)


def make_footage(
    folder: str | Path,
    *,
    height: int,
    width: int,
    rate: Fraction,
    num_frames: int,
    shots_per_class: int,
    seed: int,
    classes: Sequence[str] = tuple(CLASSES),
    progress: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Write `folder/<class>/000.mp4`, `001.mp4`, ... and return their paths, class by class.

    `height` and `width` in pixels (even, as H.264 wants them), `rate` in frames a second. A shot whose file is there
    already is kept, so an interrupted run goes on where it stopped; for other settings choose another folder.
    `progress` is called with each path as its shot is done. Raises `RequestError` for settings that cannot be had.
    """
    folder = Path(folder)
    shots = [(name, shot) for name in classes for shot in range(shots_per_class)]
    settings = {"height": height, "width": width, "rate": Fraction(rate), "num_frames": num_frames, "seed": seed}

    def make(name: str, shot: int) -> Path:
        path = folder / name / f"{shot:03d}.mp4"
        frames = shot_frames(name, shot, **settings)
        if not path.exists():
            comment = f"vidgan procedural footage, not a photograph: class {name}, shot {shot}, seed {seed}"
            write_movie(path, frames, rate=settings["rate"], metadata={"comment": comment})
        return path

    for name in classes:
        shot_frames(name, 0, **settings)
        writable_folder(folder / name)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(make, name, shot) for name, shot in shots]
        try:
            for future in as_completed(futures):
                path = future.result()
                if progress is not None:
                    progress(path)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]
