"""What a repair changed, to look at: before, where, and after, on one picture, and beside each other as a movie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vidgan.errors import RequestError
from vidgan.media.levels import as_levels
from vidgan.media.plates import Plates, open_plates
from vidgan.media.stills import write_still
from vidgan.review.compare import Comparison, compared
from vidgan.review.export import export
from vidgan.review.holes import Holes
from vidgan.review.pictures import Pictures
from vidgan.review.repair_files import stem_of
from vidgan.review.repairs import Repaired
from vidgan.review.sheets import contact_sheet
from vidgan.sampling.windows import extent

# Columns of a sheet, and rows of pixels of its pictures.
COLUMNS, ROWS = 5, 144

# Pictures show a hole with so much around it, as a share of its longer side, and are at least so large.
_AROUND, _LEAST = 1.0, 48

_MARK = np.array([255, 64, 64], np.uint8)


def write_repair_sheet(results: Sequence[Repaired], output: Path) -> Path:
    """Write `out_sheet.png` beside `out.mov`, rows before, hole and after (one a seed), and return its path.

    The frames with the largest holes of equal parts of the time are shown, cut out around their holes.
    """
    first = results[0]
    moments = moments_of(first.holes, first.plates.num_frames)
    holes = _holes_at(first.holes, moments)
    before = _pictures_at(first.plates, moments)
    after = [_pictures_at(open_plates(result.target, first.plates.read_as), moments) for result in results]
    boxes = _boxes(holes, first.plates)
    rows, labels = [before], ["before"]
    if first.holes is not None:
        rows.append([_marked(picture, hole) for picture, hole in zip(before, holes, strict=True)])
        labels.append("hole")
    rows += after
    labels += ["after"] if len(after) == 1 else [f"after, {_seed_name(result)}" for result in results]
    tiles = [_tile(picture, box) for row in rows for picture, box in zip(row, boxes, strict=True)]
    numbers = [f"{first.plates.first_number + moment}" for moment in moments]
    sheet = contact_sheet(
        [tile[None] for tile in tiles], columns=len(moments), row_labels=labels, column_labels=numbers
    )
    path = output.with_name(f"{stem_of(output)}_sheet.png")
    write_still(path, sheet[0])
    return path


def write_comparison(results: Sequence[Repaired], path: Path, rate: Fraction | None) -> Path:
    """Write a movie of before beside after. Raises `RequestError` if plates have no rate and none is stated."""
    plates = results[0].plates
    if rate is None and plates.rate is None:
        raise RequestError(f"--compare {path}: {plates.path.name} has no rate; state it (--rate 24)")
    if len(results) > 3:
        raise RequestError(f"--compare {path}: shows up to three alternatives, not {len(results)}")
    opened = [plates, *(open_plates(result.target, plates.read_as) for result in results)]
    labels = ["before", *(["after"] if len(results) == 1 else [_seed_name(result) for result in results])]
    sides = [_as_pictures(each) for each in opened]
    pictures, made_by = compared(sides, Comparison("side"), labels=labels, rate=rate or plates.rate)
    return export(pictures, path, made_by=made_by).output


def moments_of(holes: Holes | None, num_frames: int) -> list[int]:
    """Up to `COLUMNS` indices: of each part of the time the frame with the largest hole, if there is one in it."""
    count = min(COLUMNS, num_frames)
    if holes is None or not any(holes.areas):
        return np.linspace(0, num_frames - 1, count).round().astype(int).tolist()
    damaged = np.flatnonzero(holes.areas)
    parts = np.array_split(damaged, min(COLUMNS, len(damaged)))
    return [int(part[np.argmax(np.array(holes.areas)[part])]) for part in parts]


def _holes_at(holes: Holes | None, moments: list[int]) -> list[np.ndarray | None]:
    if holes is None:
        return [None] * len(moments)
    return list(_at(holes.frames(), moments))


def _pictures_at(plates: Plates, moments: list[int]) -> list[np.ndarray]:
    """uint8 [H, W, 3]; missing ones are black."""
    return [_shown(picture, plates) for picture in _at(plates.pictures(), moments)]


def _shown(picture: np.ndarray | None, plates: Plates) -> np.ndarray:
    return np.zeros((plates.height, plates.width, 3), np.uint8) if picture is None else as_levels(picture, 255)


def _at(frames: Iterator, moments: list[int]) -> Iterator:
    wanted = set(moments)
    for index, frame in enumerate(frames):
        if index in wanted:
            yield frame
        if index == moments[-1]:
            return


def _as_pictures(plates: Plates) -> Pictures:
    return Pictures(
        plates.path.name,
        lambda: (_shown(picture, plates) for picture in plates.pictures()),
        plates.num_frames,
        rate=plates.rate,
        no_rate_because="a frame sequence has no rate",
    )


def _boxes(holes: list[np.ndarray | None], plates: Plates) -> list[tuple[int, int, int, int]]:
    """Top, left, height, width of what is shown of each frame; all of one size."""
    whole = (0, 0, plates.height, plates.width)
    if any(hole is None or not hole.any() for hole in holes):
        return [whole] * len(holes)
    boxes = [[extent(hole.any(axis)) for axis in (1, 0)] for hole in holes]
    longest = max(stop - start for box in boxes for start, stop in box)
    side = max(_LEAST, round(longest * (1 + 2 * _AROUND)))
    height, width = min(side, plates.height), min(round(side * 4 / 3), plates.width)
    return [
        (
            *(
                min(max((start + stop - size) // 2, 0), most - size)
                for (start, stop), size, most in zip(box, (height, width), (plates.height, plates.width), strict=True)
            ),
            height,
            width,
        )
        for box in boxes
    ]


def _marked(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.where(hole[..., None], picture // 2 + _MARK // 2, picture)


def _tile(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    top, left, height, width = box
    part = picture[top : top + height, left : left + width]
    size = max(1, round(width * ROWS / height)), ROWS
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if height > ROWS else cv2.INTER_NEAREST)


def _seed_name(result: Repaired) -> str:
    return "seed " + result.target.name.partition("_seed")[2][:4].lstrip("0")
