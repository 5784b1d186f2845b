"""Plates: footage that is changed in places and stays what it is everywhere else. A movie, a frame sequence or a still.

Frames are counted by index from 0. In a frame sequence, index i is frame number `first_number + i`, and a number
between the first and the last that has no file is a missing frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan.errors import MediaError, RequestError
from vidgan.media.formats import FORMATS, Format, format_for
from vidgan.media.movies import MovieHeader, read_header, read_movie
from vidgan.media.orientation import Orientation
from vidgan.media.plate_movies import format_of_movie, pixel_format_of, read_plate_movie
from vidgan.media.plate_stills import check_plate_still, check_read_as, read_plate_still
from vidgan.media.read_as import ReadAs
from vidgan.media.sequences import FrameSequence, find_stills, is_pattern, sequence_pattern
from vidgan.media.timestamps import rate_from_timestamps, split_at_gaps


@dataclass(frozen=True)
class Plates:
    """Frames of one source."""

    path: Path
    """The movie, or the pattern of the frame sequence, or the still."""
    sequence: FrameSequence | None
    """None for a movie."""
    num_frames: int
    """Missing ones included."""
    height: int
    width: int
    rate: Fraction | None
    """None for stills, and where it varies."""
    read_as: ReadAs
    color: str
    """What its colours are taken for, in words."""
    notes: tuple[str, ...] = ()
    in_light: bool = False
    """Whether pictures are made of light, of which they do not hold what is above the view's white."""

    @property
    def first_number(self) -> int:
        """Frame number of the first frame; 0 in movies."""
        return self.sequence.numbers[0] if self.sequence else 0

    @property
    def missing(self) -> list[int]:
        """Indices of missing frames, ascending."""
        return [number - self.first_number for number in self.sequence.missing()] if self.sequence else []

    @property
    def is_one_still(self) -> bool:
        """Whether this is one still under its own name."""
        return self.sequence is not None and not is_pattern(self.path)

    def file(self, index: int) -> Path:
        """The still of a frame, or, where it is missing, of the nearest one before it that is not."""
        number = self.first_number + index
        there = max(other for other in self.sequence.numbers if other <= number)
        return self.sequence.path(there)

    def pictures(self, start: int = 0) -> Iterator[np.ndarray | None]:
        """Yield float32 [H, W, 3] 0..1 of the frames from `start` on, None for missing ones.

        Stills as display-referred sRGB, movies in their own colours. Raises `MediaError` if one cannot be read or has
        another size than the first.
        """
        if self.sequence is None:
            yield from read_plate_movie(self.path, start=start)
            return
        missing = set(self.missing)
        for index in range(start, self.num_frames):
            if index in missing:
                yield None
                continue
            picture, _ = read_plate_still(self.file(index), self.read_as)
            if picture.shape[:2] != (self.height, self.width):
                raise MediaError(
                    f"{self.file(index)}: is {picture.shape[1]}x{picture.shape[0]} (width x height), the first frame "
                    f"{self.width}x{self.height}; repair them apart"
                )
            yield picture


def open_plates(input: str | Path, read_as: ReadAs = ReadAs()) -> Plates:
    """A movie, a folder or pattern of a frame sequence, or one still.

    A movie is decoded once to count its frames. Raises `MediaError` if it cannot be read, or is a movie that is turned,
    interlaced or of many sizes; `RequestError` for a folder without a frame sequence or with several, and where
    `read_as` asks for what has no effect.
    """
    path, sequence = Path(input), find_stills(input, with_gaps=True)
    if sequence:
        return _of_sequence(sequence.folder / sequence.pattern if path.is_dir() else path, sequence, read_as)
    if read_as != ReadAs():
        raise RequestError(
            f"{path}: movies are mended in their own colours; leave out --color-space, --exposure, --layer"
        )
    return _of_movie(path)


def _of_sequence(path: Path, sequence: FrameSequence, read_as: ReadAs) -> Plates:
    in_light = check_read_as(sequence.path(sequence.numbers[0]), read_as)
    picture, header = read_plate_still(sequence.path(sequence.numbers[0]), read_as)
    num_frames = sequence.numbers[-1] - sequence.numbers[0] + 1
    size = picture.shape[:2]
    return Plates(path, sequence, num_frames, *size, None, read_as, header.color_space, header.notes, in_light)


def _of_movie(path: Path) -> Plates:
    header = read_header(path)
    _check_movie(path, header)
    seconds = [frame.seconds for frame in read_movie(path, deinterlace=False)]
    rate = rate_from_timestamps(seconds, header.rate)
    if rate is not None and len(split_at_gaps(seconds, rate)) > 1:
        rate = None
    notes = ()
    if rate is None:
        notes = ("its frames come at no constant rate, and keep their timestamps",)
    words = f"{header.color.transfer or 'untagged'} in {header.color.primaries or 'untagged'} primaries"
    return Plates(path, None, len(seconds), header.height, header.width, rate, ReadAs(), words, notes)


def _check_movie(path: Path, header: MovieHeader) -> None:
    if header.orientation != Orientation():
        raise MediaError(f"{path}: is stored turned or mirrored; export it upright first (vidgan export)")
    if header.interlaced:
        raise MediaError(f"{path}: is interlaced; make its frames whole first (vidgan export)")


def plate_format(plates: Plates, output: Path, name: str | None = None) -> Format | None:
    """The format that a movie is written in: that of the source where the output's suffix allows it. None for stills.

    Raises `RequestError` if the output's name does not fit what is written, `MediaError` if it cannot hold the frames.
    """
    if plates.sequence is not None:
        if name is not None:
            raise RequestError(
                "--format is for movies; stills are written as what they are, or as OUTPUT's suffix says"
            )
        check_plate_still(plates.file(0), plate_target(plates, output).suffix.lower())
        return None
    if name is None and output.suffix.lower() in (".mov", ".mp4"):
        header = read_header(plates.path)
        own = format_of_movie(header.codec, pixel_format_of(plates.path))
        if own and output.suffix.lower() in FORMATS[own].suffixes:
            name = own
    chosen = format_for(output, name)
    if not output.suffix or chosen.kind != "movie":
        raise RequestError(f"{output}: the input is a movie; name the output .mov, .mp4 or .mkv (lossless)")
    return chosen


def plate_target(plates: Plates, output: Path) -> Path:
    """The file or pattern that is written: a folder means a pattern below it with the source's suffix.

    Raises `RequestError` if one still is asked for of many frames.
    """
    if plates.sequence is None or (plates.is_one_still and output.suffix and not is_pattern(output)):
        return output
    if output.suffix and not is_pattern(output):
        raise RequestError(
            f"{output}: is one file for {plates.num_frames} frames; write {output.stem}.####{output.suffix}"
        )
    if is_pattern(output):
        return sequence_pattern(output)
    return output / Path(plates.path).name if is_pattern(plates.path) else output / plates.path.name
