"""Footage made on the spot: one movie a shot, one folder a class, every shot a pure function of its name and a seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from vidgan.errors import RequestError, did_you_mean
from vidgan.files import writable_folder
from vidgan.footage.procedural.canvas import View, halved, to_frames
from vidgan.footage.procedural.characters import jump, walk, wave
from vidgan.footage.procedural.effects import fire, smoke
from vidgan.footage.procedural.scenes import landscape
from vidgan.media.movie_writer import write_movie
from vidgan.media.movies import read_header

# The order is part of every shot's seed: append, never insert.
CLASSES = {"walk": walk, "wave": wave, "jump": jump, "landscape": landscape, "smoke": smoke, "fire": fire}

# Below this the figures lose their limbs; it is also the least that H.264 encoders are at ease with.
SMALLEST_SIDE = 16

# The pictures are small: a pool of single-threaded processes beats one process of many threads.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def render_shot(
    class_name: str, n: int, *, height: int, width: int, rate: Fraction, num_frames: int, seed: int
) -> np.ndarray:
    """Shot `n` of a class as frames uint8 [T, H, W, 3]; the same arguments give the same pixels.

    It is painted at twice the size and averaged in linear light, so that nothing flickers as it moves.
    Frame k is what is seen at second `k / rate`.
    Raises `RequestError` for an unknown class and for a size, rate or number that cannot be had.
    """
    _check(class_names=[class_name], height=height, width=width, rate=rate, num_frames=num_frames)
    random = np.random.default_rng([seed, list(CLASSES).index(class_name), n])
    times = np.arange(num_frames) * float(1 / Fraction(rate))
    pieces = CLASSES[class_name](random, View(2 * height, 2 * width), times)
    return np.concatenate([to_frames(halved(light)) for light in pieces])


def make_footage(
    folder: str | Path,
    *,
    height: int,
    width: int,
    rate: Fraction,
    num_frames: int,
    shots_per_class: int,
    seed: int = 0,
    class_names: Iterable[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write `folder/walk/walk_000.mp4` and so on, on all cores, and return the path of every shot in order.

    A shot that is there already is kept, so an interrupted call goes on where it stopped.
    `class_names` are keys of `CLASSES` (all if not given); `progress` is told `(done, total)` shots.

    Raises `RequestError` for an unknown class, for sizes that cannot be had, and for a folder that holds
    shots of another size, rate or length (another seed wants another folder too, which is not checked).
    """
    class_names = list(CLASSES if class_names is None else dict.fromkeys(class_names))
    rate = Fraction(rate)
    _check(class_names=class_names, height=height, width=width, rate=rate, num_frames=num_frames)
    if shots_per_class < 1:
        raise RequestError(f"shots_per_class is {shots_per_class} (expected 1 or more)")
    folder = writable_folder(folder)
    paths = {
        folder / class_name / f"{class_name}_{n:03d}.mp4": (class_name, n)
        for class_name in class_names
        for n in range(shots_per_class)
    }
    recipe = {"height": height, "width": width, "rate": rate, "num_frames": num_frames, "seed": seed}
    missing = [path for path in paths if not path.exists()]
    for path in paths:
        if path not in missing:
            _check_same_recipe(path, recipe)
    for class_name in class_names:
        writable_folder(folder / class_name)

    report = progress or (lambda done, total: None)
    done = len(paths) - len(missing)
    report(done, len(paths))
    for _ in _on_all_cores(partial(_write_shot, recipe=recipe), [(path, *paths[path]) for path in missing]):
        done += 1
        report(done, len(paths))
    return list(paths)


def _check(*, class_names: list[str], height: int, width: int, rate: Fraction, num_frames: int) -> None:
    for name in class_names:
        if name not in CLASSES:
            raise RequestError(f'there is no class "{name}"{did_you_mean(name, CLASSES)}')
    for name, side in {"height": height, "width": width}.items():
        if side < SMALLEST_SIDE or side % 2:
            raise RequestError(f"{name} is {side} (expected an even number from {SMALLEST_SIDE} up)")
    if rate <= 0:
        raise RequestError(f"rate is {rate} (expected frames a second above zero, such as 24 or 24000/1001)")
    if num_frames < 1:
        raise RequestError(f"num_frames is {num_frames} (expected 1 or more)")


def _described(recipe: dict) -> str:
    """What a movie says of itself, for example `48 frames, 64x64 at 24, seed 0`."""
    size = f"{recipe['width']}x{recipe['height']}"
    return f"{recipe['num_frames']} frames, {size} at {recipe['rate']}, seed {recipe['seed']}"


def _check_same_recipe(path: Path, recipe: dict) -> None:
    found = read_header(path)
    for name in ("height", "width", "rate", "num_frames"):
        if getattr(found, name) != recipe[name]:
            raise RequestError(
                f"{path} is there already and its {name} is {getattr(found, name)} (expected {recipe[name]}); "
                "choose another folder"
            )


def _write_shot(job: tuple[Path, str, int], *, recipe: dict) -> None:
    path, class_name, n = job
    frames = render_shot(class_name, n, **recipe)
    write_movie(path, frames, rate=recipe["rate"], crf=12, metadata={"vidgan_procedural": _described(recipe)})


def _on_all_cores(work: Callable, jobs: list) -> Iterator[None]:
    """Yield once for each job done; the first error ends it, and what is still queued is not begun."""
    num_workers = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(), len(jobs))
    if num_workers <= 1:
        for job in jobs:
            yield work(job)
        return
    # Spawned, not forked: the caller may hold threads and CUDA.
    with _environment(ONE_THREAD), ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(work, job) for job in jobs]):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes started inside: numpy reads them once, when it is imported."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
