"""What a scan is made of: shots, and notes on everything that is not in a shot."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from vidgan.config_values import Rate
from vidgan.errors import MediaError

Exact = Annotated[Fraction, BeforeValidator(lambda value: Fraction(str(value))), PlainSerializer(str)]

# Counted up when a reader of the JSON would have to know of the change.
SCAN_FORMAT = 1


class Color(BaseModel):
    """What the pixels of a shot mean: tags as ffprobe names them, None where the file says nothing."""

    model_config = ConfigDict(frozen=True)

    primaries: str | None = None
    transfer: str | None = None
    matrix: str | None = None
    range: str | None = None
    read_as: str
    """What they are taken for: the matrix of a movie, the colour space of stills."""

    def in_words(self) -> str:
        """Primaries/transfer/matrix/range where one is tagged, else what they are taken for."""
        tags = (self.primaries, self.transfer, self.matrix, self.range)
        return "/".join(tag or "-" for tag in tags) if any(tags) else f"as {self.read_as}"


class Shot(BaseModel):
    """An unbroken run of frames of one size: without a cut, a gap or a missing frame."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    source: str
    """Path below the footage folder; for a frame sequence its pattern, such as "dawn/shot.####.png"."""
    kind: Literal["movie", "stills"]
    first: int
    """Frame index of the first frame in a movie; frame number in a frame sequence."""
    num_frames: int
    source_frames_header: int | None = None
    """Frames of the whole source as its header has it; may lie; None where it says nothing."""
    source_frames_counted: int
    """Frames of the whole source that could be decoded."""
    rate: Rate | None
    """Frames a second. None for a frame sequence, a movie without timestamps, and one whose rate varies."""
    timestamps: tuple[Exact, ...] | None = None
    """Where the rate varies: when each frame is shown, in seconds from the shot's first frame."""
    start: Exact | None = None
    """Timestamp of the first frame in the movie's own seconds, if any of its frames can be found by its moment: the
    file has an index, its timestamps ascend, and those of the shot lie within half a frame period of their moments."""
    height: int
    width: int
    pixel_aspect: Exact
    """Width of a pixel over its height."""
    codec: str
    bit_depth: int
    """Bits of one channel of one pixel."""
    color: Color
    padding: int = 0
    """Digits of a frame number, each a `#` in `source`; 0 for a movie and for a still without a number."""
    class_name: str | None = Field(None, alias="class")
    """First folder below the footage folder; None for a file that lies in the footage folder itself."""
    split: Literal["train", "holdout"] = "train"
    """Whether it is trained on or set aside for evaluation."""
    content_hash: str
    """SHA-256 over the frames as decoded: equal for shots that are equal frame for frame."""
    scan_seconds: float
    """How long a worker took to decode and look at it; preparing it takes about as long."""
    notes: tuple[str, ...] = ()
    """What is worth knowing of a shot that is used."""

    @property
    def seconds(self) -> Fraction | None:
        """From the first frame to the end of the last; None if it has no rate and no timestamps."""
        if self.timestamps is not None:
            return self.timestamps[-1] * Fraction(self.num_frames, max(self.num_frames - 1, 1))
        return None if self.rate is None else self.num_frames / self.rate

    def file(self, number: int) -> str:
        """Path below the footage folder of the file that holds this frame index or number."""
        if not self.padding:
            return self.source
        before, _, after = self.source.rpartition("#" * self.padding)
        return f"{before}{number:0{self.padding}d}{after}"


class Note(BaseModel):
    """Why a file, or a part of it, is not used."""

    model_config = ConfigDict(frozen=True)

    source: str
    reason: str


class Scan(BaseModel):
    """All that was found below a footage folder: what `vidgan scan --json` writes, but for the root."""

    model_config = ConfigDict(frozen=True)

    version: int = SCAN_FORMAT
    root: Path = Field(Path(), exclude=True)
    """The footage folder; sources are relative to it."""
    shots: tuple[Shot, ...]
    notes: tuple[Note, ...]


def is_held_out(content_hash: str, share: float) -> bool:
    """Whether what has this SHA-256 is set aside: its first 32 bits, as a number in [0, 1), against the share."""
    return int(content_hash[:8], 16) / 2**32 < share


def note_on(source: str, error: MediaError | str, root: Path) -> Note:
    """An error as a note, without repeating the source's own path or the folder that all sources share."""
    return Note(source=source, reason=str(error).removeprefix(f"{root / source}: ").removeprefix(f"{root}{os.sep}"))


def class_of(source: str) -> str | None:
    """First folder of a path below the footage folder; None if there is none."""
    folder, slash, _ = source.partition("/")
    return folder if slash else None
