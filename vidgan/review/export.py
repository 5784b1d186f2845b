"""Any pictures in, any review format out: movies, frame sequences and frames in memory become MP4, MKV, GIF or stills.

    export("takes/dawn.####.png", "dawn.mp4", rate=Fraction(24000, 1001))
    export("dawn.mp4", "dawn.gif")
    export("dawn.mp4", "frames/")          frames/frames.1001.png, ...
    export(frames, "dawn.mp4", rate=Fraction(24))

Every frame of the input is written once, in order. Time is never guessed: a movie has its own rate, everything
else needs one. One frame is held at a time, except for GIF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan.errors import RequestError
from vidgan.media.movie_writer import MOVIE_SUFFIXES, write_movie
from vidgan.media.movies import read_header, read_movie
from vidgan.media.sequences import (
    FrameSequence,
    find_sequences,
    frame_sequence_from_pattern,
    is_pattern,
    write_frame_sequence,
)
from vidgan.media.stills import STILL_SUFFIXES, WRITTEN_STILL_SUFFIXES, read_still, write_gif
from vidgan.media.timestamps import num_frames_missing_at_end, rate_from_timestamps, split_at_gaps


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    output: Path
    num_frames: int
    rate: Fraction | None
    """Frames a second; None for stills, which have none."""
    notes: tuple[str, ...]
    """What the output cannot show of the input, one sentence each; empty if nothing."""


@dataclass(frozen=True)
class _Source:
    """Pictures to export, and what is known of their time and shape."""

    name: str
    frames: Callable[[], Iterator[np.ndarray]]
    num_frames: int
    rate: Fraction | None = None
    no_rate_because: str = ""
    pixel_aspect: Fraction = Fraction(1)
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def export(
    input: str | Path | np.ndarray,
    output: str | Path,
    *,
    rate: Fraction | None = None,
    crf: int = 16,
    overwrite: bool = False,
    metadata: dict[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ExportResult:
    """Write a movie, a frame sequence (its folder, pattern or one still) or frames uint8 [T, H, W, C] as `output`.

    The suffix of `output` chooses the format: .mp4, .mkv (lossless), .gif, or a frame sequence for a pattern such as
    `out/dawn.####.png` and for a folder (no suffix). `rate` retimes a movie, whose frames stay the same, and is
    required for everything else but stills. `crf` is the quality of an MP4, 0 (best) to 51. A movie or GIF is
    replaced; old frames of a sequence only with `overwrite`. `progress(done, total)` counts frames.

    Raises `MediaError` if the input cannot be read or the output cannot hold it; `RequestError` for a rate that is
    missing, numbers missing in a sequence, and an output that is not known or is the input.
    """
    output = Path(output)
    kind = _output_kind(output)
    source = _open_source(input)
    rate = rate or source.rate
    if kind != "stills" and rate is None:
        raise RequestError(f"{source.name}: {source.no_rate_because}; state it (--rate 24000/1001)")
    _check_not_input(source, output)
    notes = list(source.notes)
    if source.pixel_aspect != 1 and output.suffix.lower() != ".mp4":
        notes.append(f"pixels are {source.pixel_aspect} wide for 1 high, which {output.name} cannot say: seen squashed")
    frames = _counted(source, progress)
    if kind == "movie":
        pixel_aspect = source.pixel_aspect if output.suffix.lower() == ".mp4" else Fraction(1)
        num_frames = write_movie(output, frames, rate=rate, crf=crf, pixel_aspect=pixel_aspect, metadata=metadata)
    elif kind == "gif":
        num_frames = write_gif(output, frames, rate=rate)
    else:
        num_frames = len(write_frame_sequence(output, frames, overwrite=overwrite).numbers)
    return ExportResult(output, num_frames, None if kind == "stills" else rate, tuple(notes))


def _counted(source: _Source, progress: Callable[[int, int], None] | None) -> Iterator[np.ndarray]:
    for done, frame in enumerate(source.frames(), 1):
        yield frame
        if progress:
            progress(done, source.num_frames)


def _output_kind(output: Path) -> str:
    """ "movie", "gif" or "stills", from the name alone."""
    suffix = output.suffix.lower()
    if suffix in MOVIE_SUFFIXES:
        return "movie"
    if suffix == ".gif":
        return "gif"
    if is_pattern(output) or not suffix or output.is_dir():
        return "stills"
    if suffix in WRITTEN_STILL_SUFFIXES:
        raise RequestError(f"{output}: many frames do not fit one still; give {output.stem}.####{suffix} or a folder")
    raise RequestError(
        f"{output}: {suffix} is not a format we write (expected .mp4, .mkv, .gif, a pattern such as "
        f"{output.stem}.####.png, or a folder)"
    )


def _open_source(input: str | Path | np.ndarray) -> _Source:
    if isinstance(input, np.ndarray):
        if input.ndim != 4:
            raise RequestError(f"frames have shape {list(input.shape)} (expected [T, H, W, C])")
        return _Source("frames", lambda: iter(input), len(input), no_rate_because="frames in memory have no rate")
    path = Path(input)
    if is_pattern(path) and not path.exists():
        return _sequence_source(frame_sequence_from_pattern(path))
    if path.is_dir():
        return _sequence_source(_only_sequence(path))
    if path.suffix.lower() in STILL_SUFFIXES and path.is_file():
        return _sequence_source(find_sequences([path])[0][0])
    return _movie_source(path)


def _only_sequence(folder: Path) -> FrameSequence:
    visible = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    sequences, _ = find_sequences(visible)
    if not sequences:
        raise RequestError(f"{folder}: holds no frames ({' '.join(STILL_SUFFIXES)})")
    if len(sequences) > 1:
        names = ", ".join(sequence.pattern for sequence in sequences[:4])
        raise RequestError(f"{folder}: holds {len(sequences)} frame sequences ({names}); name one of them")
    return sequences[0]


def _sequence_source(sequence: FrameSequence) -> _Source:
    name = str(sequence.folder / sequence.pattern)
    if missing := sequence.missing():
        shown = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise RequestError(f"{name}: {len(missing)} frame numbers are missing ({shown}); render them again")
    return _Source(
        name,
        lambda: (read_still(path).rgb for path in sequence.paths()),
        len(sequence.numbers),
        no_rate_because="a frame sequence has no rate",
        files=tuple(sequence.paths()),
    )


def _movie_source(path: Path) -> _Source:
    """Decoded twice: for the timestamps, because headers lie about the rate, then for the pictures."""
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
    return _Source(
        str(path),
        lambda: (frame.rgb() for frame in read_movie(path)),
        len(seconds),
        rate=rate,
        no_rate_because="its frames come at no constant rate",
        pixel_aspect=header.pixel_aspect,
        notes=tuple(notes),
        files=(path,),
    )


def _check_not_input(source: _Source, output: Path) -> None:
    """Nobody's footage is replaced by a copy of itself."""
    inputs = {file.resolve() for file in source.files}
    if output.resolve() in inputs:
        raise RequestError(f"{output}: is the input; choose another name for the output")
    folder = output.parent if is_pattern(output) else output
    if _output_kind(output) == "stills" and folder.resolve() in {file.parent for file in inputs}:
        raise RequestError(f"{folder}: holds the input; choose another folder for the output")
