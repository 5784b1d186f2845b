"""Where plates are to be mended, as people say it: masks, boxes that move, frames that are missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path

import cv2
import numpy as np

from vidgan.errors import RequestError
from vidgan.media.digest import digest
from vidgan.media.levels import as_levels
from vidgan.media.plates import Plates
from vidgan.review.pictures import open_pictures

# Masks are white in the hole; what is brighter than this, 0 to 255, is white.
_HALF = 127


@dataclass(frozen=True)
class Holes:
    """A hole for each frame of some plates."""

    frames: Callable[[], Iterator[np.ndarray]]
    """bool [H, W], one after another; True where pixels are to be made."""
    areas: tuple[int, ...]
    """Pixels of each."""
    digest: str
    """Equal for holes that are all equal."""

    def from_frame(self, start: int) -> Iterator[np.ndarray]:
        """Those of the frames from index `start` on."""
        return islice(self.frames(), start, None)


def counted(
    frames: Callable[[], Iterator[np.ndarray]], plates: Plates, said: str, *, may_be_empty: bool = False
) -> Holes:
    """Go through the holes once. Raises `RequestError` if none has a pixel, or all have all of them."""
    areas, digests = [], []
    for hole in frames():
        areas.append(int(hole.sum()))
        digests.append(np.frombuffer(digest([np.packbits(hole)]), np.uint8))
    if not any(areas) and not may_be_empty:
        raise RequestError(f"{said}: is empty in all {len(areas)} frames, so there is nothing to repair")
    if all(area == plates.height * plates.width for area in areas):
        raise RequestError(f"{said}: covers every pixel of every frame, so there is nothing to repair from")
    return Holes(frames, tuple(areas), digest(digests).hex())


def holes_of_mask(mask: str | Path, plates: Plates, *, grow: int = 0, may_be_empty: bool = False) -> Holes:
    """From a mask a frame (a sequence or a movie), or one still for all frames: white where pixels are to be made.

    `grow` widens the white by so many pixels. Raises `RequestError` for another size, rate or length than the plates',
    and for masks that are empty or cover everything.
    """
    pictures = open_pictures(mask)
    first = next(iter(pictures))
    if first.shape[:2] != (plates.height, plates.width):
        raise RequestError(
            f"{mask}: masks are {first.shape[1]}x{first.shape[0]}, {plates.path.name} is "
            f"{plates.width}x{plates.height} (width x height); make them of the same size"
        )
    if None not in (pictures.rate, plates.rate) and pictures.rate != plates.rate:
        raise RequestError(
            f"{mask}: masks have {pictures.rate} frames a second, {plates.path.name} has {plates.rate}; make them of "
            "the same rate"
        )
    if pictures.num_frames not in (1, plates.num_frames):
        raise RequestError(
            f"{mask}: {pictures.num_frames} masks for {plates.num_frames} frames of {plates.path.name} (expected as "
            "many, or one for all)"
        )

    def frames() -> Iterator[np.ndarray]:
        for picture in pictures if pictures.num_frames == plates.num_frames else repeat(first, plates.num_frames):
            yield _grown(as_levels(picture, 255).max(-1) > _HALF, grow)

    return counted(frames, plates, str(mask), may_be_empty=may_be_empty)


def _grown(hole: np.ndarray, pixels: int) -> np.ndarray:
    if not pixels:
        return hole
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(hole.astype(np.uint8), disc) > 0


def holes_of_boxes(boxes: list[str], plates: Plates, *, grow: int = 0) -> Holes:
    """From boxes "x,y,width,height", or with key frames "1001:10,20,64,64 1050:40,20,64,64", straight lines between.

    Before its first key frame and after its last a box stands still. Raises `RequestError` for what is no box, a key
    frame that the plates do not have, and boxes that lie beside the picture or cover everything.
    """
    keyed = [_parse_box(text, plates) for text in boxes]

    def frames() -> Iterator[np.ndarray]:
        for index in range(plates.num_frames):
            hole = np.zeros((plates.height, plates.width), bool)
            for keys in keyed:
                places = sorted(keys)
                values = np.array([keys[place] for place in places], float)
                left, top, width, height = (
                    int(np.floor(np.interp(index, places, column) + 0.5)) for column in values.T
                )
                hole[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True
            yield _grown(hole, grow)

    return counted(frames, plates, f"--box {' '.join(boxes)}")


def _parse_box(text: str, plates: Plates) -> dict[int, tuple[int, ...]]:
    """Boxes by frame index."""
    keys = {}
    for part in text.split():
        match = re.fullmatch(r"(?:(\d+):)?(-?\d+),(-?\d+),(\d+),(\d+)", part)
        if match is None:
            raise RequestError(
                f'--box "{part}" is no box (expected x,y,width,height, or with key frames '
                "1001:10,20,64,64 1050:40,20,64,64)"
            )
        if match[1] is None and len(text.split()) > 1:
            raise RequestError(f'--box "{part}": say at which frame, such as {plates.first_number}:{part}')
        number = plates.first_number if match[1] is None else int(match[1])
        keys[_index_of(number, plates, "--box")] = tuple(map(int, match.groups()[1:]))
    if not keys:
        raise RequestError("--box is empty (expected x,y,width,height)")
    return keys


def _index_of(number: int, plates: Plates, option: str) -> int:
    last = plates.first_number + plates.num_frames - 1
    if not plates.first_number <= number <= last:
        raise RequestError(
            f"{option}: there is no frame {number}; {plates.path.name} has {plates.first_number} to {last}"
        )
    return number - plates.first_number


def parse_missing(text: str, plates: Plates) -> list[int]:
    """Indices of frames to be made anew: "gaps" for the numbers that a sequence lacks, or numbers "1004,1010-1012",
    to which those are added.

    Raises `RequestError` for frames that there are not, and a sequence without gaps.
    """
    indices = set(plates.missing)
    if text == "gaps":
        if not indices:
            raise RequestError(
                f"--missing gaps: no frame number is missing in {plates.path.name}; name frames: 1004,1010-1012"
            )
        return sorted(indices)
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise RequestError(
                f'--missing "{part.strip()}" is no frame (expected gaps, or numbers such as 1004,1010-1012)'
            )
        first, last = (_index_of(int(number), plates, "--missing") for number in (match[1], match[2] or match[1]))
        indices |= set(range(first, last + 1))
    return sorted(indices)


def holes_of_frames(indices: list[int], plates: Plates) -> Holes:
    """Whole frames. Raises `RequestError` if these are all."""
    chosen = set(indices)

    def frames() -> Iterator[np.ndarray]:
        for index in range(plates.num_frames):
            yield np.full((plates.height, plates.width), index in chosen)

    return counted(frames, plates, "--missing")
