"""First, middle and last frame of shots, small: to see at a glance what a folder holds. Reads in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

from vidgan.config import DataConfig
from vidgan.errors import MediaError
from vidgan.footage.pictures import read_pictures
from vidgan.footage.shots import Scan, Shot
from vidgan.footage.workers import run_in_workers
from vidgan.media.thumbnails import jpeg_thumbnail


def thumbnails(
    scan: Scan, data: DataConfig, *, progress: Callable[[int, int], None] | None = None
) -> list[tuple[bytes, ...]]:
    """JPEGs of each shot in the order of the scan; none for a shot that cannot be read any more."""
    found: list[tuple[bytes, ...]] = [()] * len(scan.shots)
    tasks = [(shot_thumbnails, (scan.root, shot, data)) for shot in scan.shots]
    for done, (index, result) in enumerate(run_in_workers(tasks), start=1):
        found[index] = result if isinstance(result, tuple) else ()
        if progress:
            progress(done, len(tasks))
    return found


def shot_thumbnails(root: Path, shot: Shot, data: DataConfig) -> Generator[int, None, tuple[bytes, ...]]:
    """JPEGs of the first, the middle and the last frame; those that can be read. Yields how many there are."""
    found = []
    for position in sorted({0, shot.num_frames // 2, shot.num_frames - 1}):
        try:
            _, picture = next(read_pictures(root, shot, [shot.first + position], data))
        except (MediaError, StopIteration):
            break
        found.append(jpeg_thumbnail(picture, pixel_aspect=shot.pixel_aspect))
        yield len(found)
    return tuple(found)
