"""Pictures from wherever they are: a movie, a frame sequence, a still, frames in memory, or a part of any of these.

Time is never guessed: a movie has its own rate, everything else needs one. One frame is held at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from vidgan.errors import RequestError
from vidgan.media.movies import read_header, read_movie
from vidgan.media.sequences import (
    FrameSequence,
    find_sequences,
    frame_sequence_from_pattern,
    is_pattern,
    only_sequence,
)
from vidgan.media.stills import STILL_SUFFIXES, read_still
from vidgan.media.timestamps import num_frames_missing_at_end, rate_from_timestamps, split_at_gaps


@dataclass(frozen=True)
class Pictures:
    """Frames that can be gone through any number of times, and what is known of their time and shape."""

    name: str
    frames: Callable[[], Iterator[np.ndarray]]
    """[H, W, C], uint8 or 0..1 in floating point, one after another."""
    num_frames: int
    rate: Fraction | None = None
    no_rate_because: str = ""
    pixel_aspect: Fraction = Fraction(1)
    notes: tuple[str, ...] = ()
    """What is missing of them, one sentence each."""
    files: tuple[Path, ...] = ()
    first_number: int = 0
    """Frame number of the first in a frame sequence; 0 elsewhere, where frames are counted by index."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """All frames from the first."""
        return self.frames()


def open_pictures(input: str | Path | np.ndarray | Sequence[np.ndarray] | Pictures, *, deep: bool = False) -> Pictures:
    """Pictures of a movie, a folder or pattern of a frame sequence, one still, or frames [T, H, W, C] in memory.

    With `deep`, what files hold beyond 8 bits comes as float32 0..1 instead of uint8. A movie is decoded once for its
    timestamps, because headers lie about the rate. Raises `MediaError` if it cannot be read, `RequestError` for numbers
    missing in a sequence and a folder that holds none or several.
    """
    if isinstance(input, Pictures):
        return input
    if isinstance(input, np.ndarray) and input.ndim != 4:
        raise RequestError(f"frames have shape {list(input.shape)} (expected [T, H, W, C])")
    if not isinstance(input, str | Path):
        return Pictures("frames", lambda: iter(input), len(input), no_rate_because="frames in memory have no rate")
    path = Path(input)
    if is_pattern(path) and not path.exists():
        return _of_sequence(frame_sequence_from_pattern(path), deep)
    if path.is_dir():
        return _of_sequence(only_sequence(path), deep)
    if path.suffix.lower() in STILL_SUFFIXES and path.is_file():
        return _of_sequence(find_sequences([path])[0][0], deep)
    return _of_movie(path, deep)


def _of_sequence(sequence: FrameSequence, deep: bool) -> Pictures:
    name = str(sequence.folder / sequence.pattern)
    if missing := sequence.missing():
        shown = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise RequestError(f"{name}: {len(missing)} frame numbers are missing ({shown}); render them again")
    return Pictures(
        name,
        lambda: (read_still(path, deep=deep).rgb for path in sequence.paths()),
        len(sequence.numbers),
        no_rate_because="a frame sequence has no rate",
        files=tuple(sequence.paths()),
        first_number=sequence.numbers[0],
    )


def _of_movie(path: Path, deep: bool) -> Pictures:
    header = read_header(path)
    seconds = [frame.seconds for frame in read_movie(path)]
    rate = rate_from_timestamps(seconds, header.rate)
    notes = []
    if rate is not None:
        num_gaps = len(split_at_gaps(seconds, rate)) - 1
        if num_gaps:
            notes.append(f"the timestamps of {path.name} have gaps, which are closed up: {num_gaps}")
        num_missing = num_frames_missing_at_end(seconds, rate, header.seconds)
        if num_missing:
            notes.append(f"{path.name} is cut off: {num_missing} frames that its header promises are missing")
    return Pictures(
        str(path),
        lambda: (frame.rgb(deep=deep) for frame in read_movie(path)),
        len(seconds),
        rate=rate,
        no_rate_because="its frames come at no constant rate",
        pixel_aspect=header.pixel_aspect,
        notes=tuple(notes),
        files=(path,),
    )


@dataclass(frozen=True)
class Cut:
    """Which frames leave, and how many more before and after them."""

    first: int | None = None
    """Frame number in a frame sequence, frame index (from 0) elsewhere; None: the first."""
    last: int | None = None
    """The last one that leaves; None: the last there is."""
    handles: int = 0

    def of(self, pictures: Pictures) -> Pictures:
        """The cut with its handles; where the pictures end too early, their first or last frame stands, and it is told.

        Raises `RequestError` for frames that are not there.
        """
        lowest, highest = pictures.first_number, pictures.first_number + pictures.num_frames - 1
        first = lowest if self.first is None else self.first
        last = highest if self.last is None else self.last
        if not lowest <= first <= last <= highest:
            raise RequestError(f"{pictures.name}: frames {first}-{last} are asked for, it holds {lowest}-{highest}")
        if self.handles < 0:
            raise RequestError(f"handles are {self.handles} (expected a number of frames)")
        before, after = max(lowest - (first - self.handles), 0), max(last + self.handles - highest, 0)
        start, stop = first - self.handles + before - lowest, last + self.handles - after - lowest + 1
        if (start, stop, before, after) == (0, pictures.num_frames, 0, 0):
            return pictures

        def frames() -> Iterator[np.ndarray]:
            frame = None
            for index, frame in enumerate(islice(pictures, start, stop)):
                for _ in range(before if index == 0 else 0):
                    yield frame
                yield frame
            for _ in range(after):
                yield frame

        held = []
        if before or after:
            held = [f"handles: the first frame stands for {before} more, the last for {after}, for want of others"]
        return replace(
            pictures,
            frames=frames,
            num_frames=stop - start + before + after,
            notes=(*pictures.notes, *held),
        )


def parse_range(text: str) -> tuple[int, int]:
    """ "1009-1056" as first and last. Raises `RequestError` in words."""
    first, dash, last = text.partition("-")
    if not (dash and first.strip().isdigit() and last.strip().isdigit()):
        raise RequestError(f'--range "{text}" is none (expected first and last frame, such as 1009-1056)')
    return int(first), int(last)
