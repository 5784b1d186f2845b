"""What a delivery is asked to be, and its pictures on their way: fitted, written on, and brought to its colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from vidgan import __version__
from vidgan.errors import RequestError
from vidgan.media.delivery_color import ColorPlan, DeliveryColor
from vidgan.media.formats import Format
from vidgan.media.levels import as_rgb
from vidgan.media.sequences import is_pattern, sequence_pattern
from vidgan.media.timecode import Timecode
from vidgan.review.burn_in import BurnIns
from vidgan.review.fit import DeliveryFrame
from vidgan.review.names import shot_name, version_in
from vidgan.review.pictures import Cut, Pictures
from vidgan.review.slate import slate
from vidgan.review.trace import Record


@dataclass(frozen=True)
class Delivery:
    """How pictures leave; the defaults leave them as they are."""

    format: str | None = None
    """A name of `vidgan.media.formats`; None: the suffix of the output decides, .png for a folder."""
    rate: Fraction | None = None
    """Frames a second: retimes a movie, whose frames stay the same; needed for everything else but stills."""
    crf: int | None = None
    """Quality of H.264, HEVC and AV1, 0 (best) up; None: cannot be told from the source by eye."""
    bitrate: int | None = None
    """Bits a second instead, in two passes."""
    quality: int | None = None
    """Of WebP, 0 to 100; None: lossless."""
    cut: Cut = Cut()
    frame: DeliveryFrame | None = None
    color: DeliveryColor = DeliveryColor()
    burn_ins: BurnIns = BurnIns()
    slate: bool = False
    """One frame before the first; numbers, timecode and sound begin as without it."""
    note: str = ""
    """What the slate says beside what is known."""
    shot: str | None = None
    """Name of the shot; None: that of the output."""
    timecode: str | None = None
    """Of the first frame, such as 01:00:00:00; None: no timecode in the file, 01:00:00:00 where it is burnt in."""
    reel: str | None = None
    clip: str | None = None
    """Name of the clip in the file; None: that of the shot."""
    audio: str | Path | None = None
    """A file whose sound goes with a movie, cut or looped to its length."""
    first_number: int = 1001
    """Frame number of the first frame."""
    compression: str = "zip"
    """Of EXR."""


@dataclass(frozen=True)
class Job:
    """The pictures of one delivery, which can be gone through any number of times."""

    pictures: Pictures
    """With handles, if there are any."""
    output: Path
    format: Format
    wanted: Delivery
    color: ColorPlan
    made_by: Record

    @cached_property
    def rate(self) -> Fraction | None:
        """Stated, or the pictures' own; None for stills without. Raises `RequestError` where one is needed."""
        rate = self.wanted.rate or self.pictures.rate
        if rate is None and self.format.kind != "stills":
            raise RequestError(f"{self.pictures.name}: {self.pictures.no_rate_because}; state it (--rate 24000/1001)")
        return rate

    @cached_property
    def timecode(self) -> Timecode:
        """Of the first frame. Raises `RequestError` if it is none, or there is no rate to count it by."""
        if self.rate is None:
            raise RequestError(f"{self.output}: timecode needs frames a second; state them (--rate 24000/1001)")
        return Timecode.parse(self.wanted.timecode or "01:00:00:00", self.rate)

    @property
    def num_before(self) -> int:
        """Frames before the first: the slate."""
        return int(self.wanted.slate)

    @property
    def first_timecode(self) -> Timecode | None:
        """Of the first frame that is written, slate included; None if none is asked for."""
        return self.timecode.plus(-self.num_before) if self.wanted.timecode else None

    @property
    def num_frames(self) -> int:
        """How many are written."""
        return self.num_before + self.pictures.num_frames

    @property
    def shot(self) -> str:
        """Name of the shot."""
        return self.wanted.shot or shot_name(self.output)

    @property
    def is_one_still(self) -> bool:
        """Whether the output is one picture under its own name."""
        return self.format.kind == "stills" and bool(self.output.suffix) and not is_pattern(self.output)

    @property
    def target(self) -> Path:
        """The output, as a pattern if it is a frame sequence."""
        if self.format.kind != "stills" or self.is_one_still:
            return self.output
        return sequence_pattern(self.output, self.format.suffixes[0])

    @property
    def pixel_aspect(self) -> Fraction:
        """Of what is written."""
        return Fraction(1) if self.wanted.frame else self.pictures.pixel_aspect

    def __iter__(self) -> Iterator[np.ndarray]:
        """All frames, in the delivery's colours."""
        values = self._values()
        burn_ins, shows_timecode = self.wanted.burn_ins, "timecode" in self.wanted.burn_ins.fields()
        for index, stored in enumerate(self.pictures):
            picture = as_rgb(stored)
            if self.wanted.frame:
                picture = self.wanted.frame.fitted(picture, self.pictures.pixel_aspect)
            if index == 0 and self.wanted.slate:
                yield self.color.apply(slate(picture, self.shot, self._slate_rows(picture)))
            if burn_ins:
                own = values | {"frame": self.wanted.first_number + index}
                if shows_timecode:
                    own["timecode"] = str(self.timecode.plus(index))
                picture = burn_ins.over(picture, own)
            yield self.color.apply(picture)

    def record(self) -> Record:
        """What made the pictures, and how they were delivered."""
        wanted, cut = self.wanted, self.wanted.cut
        delivery = {
            "source": self.pictures.name,
            "format": self.format.name,
            "num_frames": self.num_frames,
            "slate": wanted.slate,
            "first_number": wanted.first_number - self.num_before,
            "cut": None if cut == Cut() else {"first": cut.first, "last": cut.last, "handles": cut.handles},
            "rate": None if self.rate is None else str(self.rate),
            "color": self.color.words,
            "frame": self.wanted.frame.size if self.wanted.frame else None,
            "shot": self.shot,
            "version": version_in(self.output),
            "timecode": str(self.first_timecode) if self.first_timecode else None,
            "reel": wanted.reel,
            "audio": Path(wanted.audio).name if wanted.audio else None,
            "notes": list(self.color.notes) or None,
        }
        return Record(self.made_by.made_by, self.made_by.all_made, delivery)

    def _values(self) -> dict[str, object]:
        """Of the fields of burn-ins, as far as they are known."""
        takes = self.made_by.made_by

        def shared(name: str) -> object:
            found = [take.get(name) for take in takes]
            return found[0] if found and all(value == found[0] for value in found) else None

        weights = shared("weights_sha256")
        values = {
            "shot": self.shot,
            "version": version_in(self.output),
            "source": Path(self.pictures.name).name,
            "class": shared("class"),
            "seed": shared("seed"),
            "weights": weights[:8] if isinstance(weights, str) else None,
            "rate": None if self.rate is None else _decimal(self.rate),
            "date": date.today().isoformat(),
        }
        return {name: value for name, value in values.items() if value is not None}

    def _slate_rows(self, picture: np.ndarray) -> dict[str, str]:
        values = self._values()
        first, wanted = self.wanted.first_number, self.wanted
        count = self.pictures.num_frames
        handles = f", handles {wanted.cut.handles}" if wanted.cut.handles else ""
        rows = {
            "version": values.get("version"),
            "frames": f"{first}-{first + count - 1} ({count}{handles})",
            "rate": _rate_in_words(self.rate) if self.rate else None,
            "timecode": str(self.timecode) if self.rate and wanted.timecode else None,
            "note": wanted.note,
            "class": values.get("class"),
            "seed": values.get("seed"),
            "weights": values.get("weights"),
            "colour": self.color.words,
            "size": f"{picture.shape[1]}x{picture.shape[0]}",
            "made": "by a trained network" if self.made_by.made_by else None,
            "reel": wanted.reel,
            "source": values["source"],
            "date": values["date"],
            "vidgan": __version__,
        }
        return {name: str(value) for name, value in rows.items() if value not in (None, "")}


def _decimal(rate: Fraction) -> str:
    """Such as 23.976."""
    return f"{float(rate):.3f}".rstrip("0").rstrip(".")


def _rate_in_words(rate: Fraction) -> str:
    exact = "" if rate.denominator == 1 else f" ({rate})"
    return f"{_decimal(rate)} frames/s{exact}"
