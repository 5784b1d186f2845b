"""What a scan is made of: shots, and notes on everything that is not in a shot."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from vidgan.config import Rate
from vidgan.errors import MediaError

PixelAspect = Annotated[Fraction, BeforeValidator(lambda value: Fraction(str(value))), PlainSerializer(str)]


class Shot(BaseModel):
    """An unbroken run of frames of one size."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    source: str
    """Path below the footage folder; for a frame sequence its pattern, such as "dawn/shot.####.png"."""
    kind: Literal["movie", "stills"]
    first: int
    """Frame index of the first frame in a movie; frame number in a frame sequence."""
    num_frames: int
    rate: Rate | None
    """Frames a second; a frame sequence has none."""
    height: int
    width: int
    pixel_aspect: PixelAspect
    """Width of a pixel over its height."""
    codec: str
    padding: int = 0
    """Digits of a frame number, each a `#` in `source`; 0 for a movie and for a still without a number."""
    class_name: str | None = Field(None, alias="class")
    """First folder below the footage folder; None for a file that lies in the footage folder itself."""
    notes: tuple[str, ...] = ()
    """What is worth knowing of a shot that is used."""

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
    """All that was found below a footage folder."""

    root: Path
    shots: tuple[Shot, ...]
    notes: tuple[Note, ...]


def note_on(source: str, error: MediaError, root: Path) -> Note:
    """An error as a note, without repeating the source's own path or the folder that all sources share."""
    return Note(source=source, reason=str(error).removeprefix(f"{root / source}: ").removeprefix(f"{root}{os.sep}"))


def class_of(source: str) -> str | None:
    """First folder of a path below the footage folder; None if there is none."""
    folder, slash, _ = source.partition("/")
    return folder if slash else None
