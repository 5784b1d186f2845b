"""Takes as files: a movie or a frame sequence a take, a contact sheet of all, and a sidecar that makes each again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np

from vidgan.config import DataConfig
from vidgan.errors import RequestError
from vidgan.files import writable_folder
from vidgan.media.movie_writer import write_movie
from vidgan.media.stills import write_still
from vidgan.review.sheets import contact_sheet, grid_columns, strip_sheet
from vidgan.review.take_files import STILL_RATE, TakeFiles
from vidgan.sampling.choose import NamedTake
from vidgan.sampling.names import class_name
from vidgan.sampling.render import render_takes
from vidgan.weights import LoadedGenerator

# More takes than this do not fit a sheet that one can look at; nor do longer takes fit memory.
MAX_SHEET_TAKES = 64
MAX_SHEET_FRAMES = 240

FORMATS = ("mp4", "mkv", "png")


def write_takes(
    loaded: LoadedGenerator,
    takes: Sequence[NamedTake],
    folder: str | Path,
    *,
    scale: int = 1,
    crf: int = 16,
    format: str = "mp4",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Render takes into `folder` and return the files made, the contact sheet last.

    Each take is a movie at the rate the generator was trained at ("mp4" for review, "mkv" lossless) or a frame sequence
    ("png") in a folder of its own, with a JSON sidecar that is also a take file; `scale` enlarges it by a whole factor.
    A frame sequence that an interruption left unfinished is gone on with. `progress(done, total)` counts frames.

    Raises `RequestError` for a size that H.264 cannot hold, a folder that cannot be written, a take that this generator
    cannot make, and for frames of another take, which only `overwrite` replaces.
    """
    if format not in FORMATS:
        raise RequestError(f'"{format}" is no format for takes (known: {", ".join(FORMATS)})')
    data = loaded.provenance.config.data
    if format == "mp4":
        check_size(data, scale)
    folder = writable_folder(folder)
    files = [TakeFiles(loaded, each, folder, scale=scale, crf=crf, format=format) for each in takes]
    for each in files:
        each.look_what_is_there(overwrite=overwrite)
    starts = [each.num_there for each in files]
    pieces = render_takes(loaded, [each.take for each in takes], first_frames=starts)
    done, total = sum(starts), sum(each.take.num_frames for each in takes)
    for_sheet: list[np.ndarray] = []

    def counted(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        nonlocal done
        for frame in frames:
            yield frame
            done += 1
            if progress:
                progress(done, total)

    for index, of_take in groupby(pieces, key=lambda piece: piece[0]):
        num_kept = MAX_SHEET_FRAMES if index < MAX_SHEET_TAKES else 0
        kept = files[index].write(counted(frame for _, frames in of_take for frame in frames), num_kept)
        for_sheet += [kept] if num_kept else []
    sheets = _write_sheet_of(takes[: len(for_sheet)], for_sheet, folder / "contact_sheet", loaded.provenance.rate)
    return [*(each.path for each in files), *sheets]


def _write_sheet_of(
    takes: Sequence[NamedTake], frames: Sequence[np.ndarray], stem: Path, rate: Fraction | None
) -> list[Path]:
    """A sheet with rows and columns if the takes say theirs, else one with a row a class."""
    shortest = min(len(each) for each in frames)
    frames = [each[:shortest] for each in frames]
    columns = list(dict.fromkeys(take.column for take in takes))
    rows = list(dict.fromkeys(take.row for take in takes))
    if all(columns) and len(columns) * len(rows) == len(takes):
        return write_grid(stem, frames, rows=rows, columns=columns, rate=rate)
    names = [take.name for take in takes]
    return write_sheets(stem, frames, names=names, classes=[class_name(take.take) for take in takes], rate=rate)


def write_grid(
    stem: Path, frames: Sequence[np.ndarray], *, rows: Sequence[str], columns: Sequence[str], rate: Fraction | None
) -> list[Path]:
    """Write clips uint8 [T, H, W, C], row by row, playing on one sheet, `stem`.mp4, and its middle as `stem`.png."""
    sheet = contact_sheet(frames, columns=len(columns), row_labels=rows, column_labels=columns)
    movie, still = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f"{stem.name}.png")
    write_movie(movie, iter(sheet), rate=rate or STILL_RATE)
    write_still(still, sheet[len(sheet) // 2])
    return [movie, still]


def write_sheets(
    stem: Path, frames: Sequence[np.ndarray], *, names: Sequence[str], classes: Sequence[str], rate: Fraction | None
) -> list[Path]:
    """Write clips uint8 [T, H, W, C] playing on one sheet as `stem`.mp4, and laid out over time as `stem`.png.

    `names` stand left of the rows of the PNG. On the MP4 each class has a row of its own, with its name, if
    `classes`, one a clip and "" for none, come in groups of equal size.
    """
    groups = [(name, len(list(group))) for name, group in groupby(classes)]
    by_class = "" not in classes and len({count for _, count in groups}) == 1
    columns = groups[0][1] if by_class else grid_columns(len(frames))
    row_labels = [name for name, _ in groups] if by_class else []
    movie, still = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f"{stem.name}.png")
    write_movie(movie, iter(contact_sheet(frames, columns=columns, row_labels=row_labels)), rate=rate or STILL_RATE)
    write_strip(still, frames, names=names)
    return [movie, still]


def write_strip(path: Path, frames: Sequence[np.ndarray], *, names: Sequence[str]) -> None:
    """Write clips uint8 [T, H, W, C] laid out over time, one a row, with their names left of them."""
    write_still(path, strip_sheet(frames, row_labels=names))


def check_size(data: DataConfig, scale: int) -> None:
    """Raise `RequestError` unless clips of this size, enlarged, are even both ways."""
    height, width = data.height * scale, data.width * scale
    if height % 2 or width % 2:
        raise RequestError(
            f"takes are {width}x{height} (width x height) and H.264 needs even sizes; enlarge them with --scale 2"
        )
