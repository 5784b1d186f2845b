"""Frame sequences: numbered stills in a folder, such as `shot.1001.png` to `shot.1100.png`.

Numbers are listed here and never guessed: FFmpeg stops without a word at the first missing one. Names are parsed
by fileseq; one `#` is one digit, so `shot.####.png` has four and `shot.#.png` is not padded (1, 2, 10).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from fileseq import PAD_STYLE_HASH1, FileSeqException, FileSequence

from vidgan.errors import MediaError, RequestError
from vidgan.files import hidden_folder, on_disk, writable_folder
from vidgan.media.formats import FORMATS, format_for, suffixes_of
from vidgan.media.levels import as_rgb
from vidgan.media.still_writer import StillLabels, encode_still
from vidgan.media.stills import STILL_SUFFIXES, WRITTEN_STILL_SUFFIXES, write_still

# The number that a sequence begins with unless it is told otherwise, as is the custom.
FIRST_NUMBER = 1001


@dataclass(frozen=True)
class FrameSequence:
    """Stills that share a name but for the frame number. A still without a number is a sequence of one frame."""

    folder: Path
    prefix: str
    padding: int
    """Digits a number is padded to; 0 where the name holds no number."""
    suffix: str
    numbers: tuple[int, ...]
    """Frame numbers that exist, ascending."""

    @property
    def pattern(self) -> str:
        """The name with one `#` a digit, such as "shot.####.png"."""
        return f"{self.prefix}{'#' * self.padding}{self.suffix}"

    def path(self, number: int) -> Path:
        """The file of a frame number."""
        digits = f"{number:0{self.padding}d}" if self.padding else ""
        return self.folder / f"{self.prefix}{digits}{self.suffix}"

    def paths(self) -> list[Path]:
        """All files in the order of their numbers."""
        return [self.path(number) for number in self.numbers]

    def runs(self) -> list[tuple[int, ...]]:
        """Consecutive numbers; a missing number ends a run.   (1, 2, 4, 5) -> [(1, 2), (4, 5)]"""
        breaks = [i for i in range(1, len(self.numbers)) if self.numbers[i] != self.numbers[i - 1] + 1]
        return [self.numbers[i:j] for i, j in zip([0, *breaks], [*breaks, len(self.numbers)], strict=True)]

    def missing(self) -> list[int]:
        """Numbers between the first and the last that do not exist."""
        return sorted(set(range(self.numbers[0], self.numbers[-1] + 1)) - set(self.numbers))


def find_sequences(paths: Iterable[Path]) -> tuple[list[FrameSequence], list[Path]]:
    """Sort files into frame sequences and the rest. Only names count; nothing is opened.

    Returns the sequences by folder and name, and the paths that are no stills we read, in their order.
    """
    names_by_folder, leftovers = defaultdict(list), []
    for path in paths:
        if path.suffix.lower() in STILL_SUFFIXES:
            names_by_folder[path.parent].append(path.name)
        else:
            leftovers.append(path)
    sequences = []
    for folder, names in names_by_folder.items():
        for found in FileSequence.yield_sequences_in_list(names, pad_style=PAD_STYLE_HASH1):
            sequences += _from_fileseq(folder, found, set(names))
    return sorted(sequences, key=lambda sequence: (sequence.folder, sequence.pattern)), leftovers


def _from_fileseq(folder: Path, found: FileSequence, names: set[str]) -> list[FrameSequence]:
    """fileseq takes "take-0002" for frame -2, which would play backwards: here a dash belongs to the name."""
    prefix, suffix, padding = found.basename(), found.extension(), found.zfill()
    if found.frameSet() is None:
        return [FrameSequence(folder, prefix, 0, suffix, numbers=(0,))]
    numbers = sorted(found.frameSet())
    dashed_zero = 0 in numbers and f"{prefix}{0:0{padding}d}{suffix}" not in names  # "take-0000" loses its sign
    after_dash = sorted(-number for number in numbers if number < 0 or (number == 0 and dashed_zero))
    plain = [number for number in numbers if number > 0 or (number == 0 and not dashed_zero)]
    sequences = []
    if plain:
        sequences.append(FrameSequence(folder, prefix, padding, suffix, tuple(plain)))
    if after_dash:
        sequences.append(FrameSequence(folder, f"{prefix}-", max(padding - 1, 1), suffix, tuple(after_dash)))
    return sequences


def is_pattern(text: str | Path) -> bool:
    """Whether a name stands for many files: `shot.####.png`, `shot.@@@.png`, `shot.%04d.png`."""
    return re.search(r"[#@]|%\d*d", Path(text).name) is not None


def frame_sequence_from_pattern(text: str | Path) -> FrameSequence:
    """The frames on disk that fit a pattern, such as "dir/shot.####.png" or "dir/shot.%04d.png".

    Raises `RequestError` if the text is no pattern, `MediaError` if no file fits.
    """
    folder, prefix, padding, suffix = parse_pattern(text)
    fits = re.compile(re.escape(prefix) + r"(\d+)" + re.escape(suffix))
    found = [match[1] for path in _listed(folder) if (match := fits.fullmatch(path.name))]
    numbers = {int(digits) for digits in found if digits == f"{int(digits):0{padding}d}"}
    if not numbers:
        raise MediaError(f"{text}: no file has such a name; check the folder and the number of digits")
    return FrameSequence(folder, prefix, padding, suffix, tuple(sorted(numbers)))


def find_stills(source: str | Path, *, with_gaps: bool = False) -> FrameSequence | None:
    """The frame sequence that a pattern, a folder or a still stands for; None for a movie.

    Raises `RequestError` for a folder that holds no sequence or several, and for missing numbers unless they may be
    missing (`with_gaps`); `MediaError` if no file fits a pattern.
    """
    path = Path(source)
    if is_pattern(path) and not path.exists():
        sequence = frame_sequence_from_pattern(path)
    elif path.is_dir():
        sequence = only_sequence(path)
    elif path.suffix.lower() in STILL_SUFFIXES and path.is_file():
        sequence = find_sequences([path])[0][0]
    else:
        return None
    if not with_gaps and (missing := sequence.missing()):
        shown = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        name = sequence.folder / sequence.pattern
        raise RequestError(f"{name}: {len(missing)} frame numbers are missing ({shown}); render them again")
    return sequence


def only_sequence(folder: Path) -> FrameSequence:
    """The one frame sequence that a folder holds. Raises `RequestError` if it holds none or several."""
    visible = [path for path in _listed(folder) if path.is_file() and not path.name.startswith(".")]
    sequences, others = find_sequences(visible)
    movies = [path.name for path in others if path.suffix.lower() in suffixes_of("movie")]
    if movies and not any(sequence.padding for sequence in sequences):
        raise RequestError(f"{folder}: holds movies ({', '.join(movies[:4])}) and no frame sequence; name one of them")
    if not sequences:
        raise RequestError(f"{folder}: holds no frames ({' '.join(STILL_SUFFIXES)})")
    if len(sequences) > 1:
        names = ", ".join(sequence.pattern for sequence in sequences[:4])
        raise RequestError(f"{folder}: holds {len(sequences)} frame sequences ({names}); name one of them")
    return sequences[0]


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def parse_pattern(text: str | Path) -> tuple[Path, str, int, str]:
    """Folder, prefix, padding and suffix of a pattern."""
    path = Path(text)
    try:
        parsed = FileSequence(path.name, pad_style=PAD_STYLE_HASH1) if is_pattern(text) else None
    except FileSeqException:
        parsed = None
    if parsed is None or parsed.frameSet() is not None or parsed.zfill() < 1:
        raise RequestError(f"{text}: is not a pattern of names (expected one such as shot.####.png or shot.%04d.png)")
    return path.parent, parsed.basename(), parsed.zfill(), parsed.extension()


def sequence_pattern(target: str | Path, suffix: str = ".png") -> Path:
    """The pattern that a target means: itself, or `takes/dawn/dawn.####.png` for the folder `takes/dawn`.

    Raises `RequestError` if the text is no pattern.
    """
    target = Path(target)
    pattern = target if is_pattern(target) else target / f"{target.resolve().name}.####{suffix}"
    parse_pattern(pattern)
    return pattern


def write_frame_sequence(
    target: str | Path,
    frames: Iterable[np.ndarray],
    *,
    first_number: int = FIRST_NUMBER,
    format: str | None = None,
    labels: StillLabels = StillLabels(),
    overwrite: bool = False,
) -> FrameSequence:
    """Write frames [H, W, 3] or [H, W, 1], as `write_still` takes them, and return what was written.

    `target` is a pattern, or a folder: `takes/dawn` holds `dawn.1001.png` and so on. All frames are written into a
    hidden folder and moved to their names at the end: a sequence that was interrupted is not there at all. Old frames
    of that name are never mixed with new ones: they are refused, or removed with `overwrite`. The timecode of `labels`
    is that of the first frame.

    Raises `RequestError` if the folder cannot be written or holds such frames, `MediaError` if there are no frames or
    one cannot be written.
    """
    suffix = FORMATS[format].suffixes[0] if format in FORMATS else ".png"
    pattern = sequence_pattern(target, suffix)
    folder, prefix, padding, suffix = parse_pattern(pattern)
    if suffix.lower() not in WRITTEN_STILL_SUFFIXES:
        known = ", ".join(WRITTEN_STILL_SUFFIXES)
        raise RequestError(f"{pattern}: stills cannot be written as {suffix or 'this'} (expected {known})")
    chosen = format_for(pattern, format)
    writable_folder(folder)
    old = _existing(pattern)
    if old and not overwrite:
        raise RequestError(f"{pattern}: {len(old)} frames of that name exist; remove them or choose another name")
    with hidden_folder(folder, f"{prefix}{suffix}") as hidden:
        staged = FrameSequence(hidden, prefix, padding, suffix, ())
        numbers = []
        for number, frame in enumerate(frames, start=first_number):
            own = labels if labels.timecode is None else replace(labels, timecode=labels.timecode.plus(len(numbers)))
            try:
                encode_still(staged.path(number), as_rgb(frame), chosen, own)
                on_disk(staged.path(number))
            except OSError as error:
                final = replace(staged, folder=folder).path(number)
                raise MediaError(f"{final}: cannot be written ({error.strerror or error})") from None
            numbers.append(number)
        if not numbers:
            raise MediaError(f"{pattern}: there are no frames to write")
        written = FrameSequence(folder, prefix, padding, suffix, tuple(numbers))
        for path in set(old) - set(written.paths()):
            path.unlink()
        for number in numbers:
            staged.path(number).replace(written.path(number))
    return written


def continue_frame_sequence(
    pattern: Path,
    frames: Iterable[np.ndarray],
    *,
    num_there: int,
    format: str | None = None,
    labels: StillLabels = StillLabels(),
) -> FrameSequence:
    """Write frames, as `write_still` takes them, after the `num_there` that are there, and return the whole sequence.

    Numbers begin with `FIRST_NUMBER`. Each frame gets its name as soon as it is whole, so that a sequence which was
    interrupted can be gone on with. Frames of that name which are none of these are removed.

    Raises `RequestError` if the folder cannot be written, `MediaError` if there are no frames or one cannot be written.
    """
    folder, prefix, padding, suffix = parse_pattern(pattern)
    writable_folder(folder)
    sequence = FrameSequence(folder, prefix, padding, suffix, ())
    numbers = list(range(FIRST_NUMBER, FIRST_NUMBER + num_there))
    for path in set(_existing(pattern)) - {sequence.path(number) for number in numbers}:
        path.unlink()
    for number, frame in enumerate(frames, start=FIRST_NUMBER + num_there):
        write_still(sequence.path(number), frame, format=format, labels=labels)
        numbers.append(number)
    if not numbers:
        raise MediaError(f"{pattern}: there are no frames to write")
    return replace(sequence, numbers=tuple(numbers))


def _existing(pattern: Path) -> list[Path]:
    try:
        return frame_sequence_from_pattern(pattern).paths()
    except MediaError:
        return []
