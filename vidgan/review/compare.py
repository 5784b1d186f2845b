"""Pictures beside, over and against each other: what changed from one take, weights or setting to the next.

side         2 in a row, 3 in a row, 4 as a square
wipe         stripes of 2 to 4, the edges moving to and fro, or standing at `at`
difference   the first, and how far each other is from it, times `gain`, on grey
sheet        any number in a grid, labelled: a wedge of settings, a sheet of takes
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, cos, pi
from pathlib import Path

import numpy as np

from vidgan.errors import RequestError, did_you_mean
from vidgan.media.levels import as_levels, as_rgb
from vidgan.review.fit import DeliveryFrame
from vidgan.review.lettering import NARROWEST, Overlay, as_mask, font, mask, text_size
from vidgan.review.pictures import Pictures, open_pictures
from vidgan.review.trace import Record, combined, record_of

LAYOUTS = ("side", "wipe", "difference", "sheet")

# Frames in which a wipe goes over and back.
_SWEEP = 96
_GAP, _GREY, _BAND = 4, 24, 0.6


@dataclass(frozen=True)
class Comparison:
    """How several pictures become one."""

    layout: str = "side"
    gain: float = 4.0
    at: float | None = None
    columns: int | None = None

    def __post_init__(self) -> None:
        """Raise `RequestError` for a layout or number that is none."""
        if self.layout not in LAYOUTS:
            raise RequestError(f'--layout "{self.layout}" is not known{did_you_mean(self.layout, LAYOUTS)}')
        if self.at is not None and not (self.layout == "wipe" and 0 <= self.at <= 1):
            raise RequestError(f"--at is {self.at} (expected 0 to 1, with --layout wipe)")
        if self.columns is not None and self.layout != "sheet":
            raise RequestError("--columns is for --layout sheet")
        if self.gain <= 0:
            raise RequestError(f"--gain is {self.gain} (expected above 0)")

    def frame(self, pictures: Sequence[np.ndarray], labels: Sequence[str], index: int) -> np.ndarray:
        """uint8 [H, W, 3] of one size each, at frame `index` -> uint8 [rows, columns, 3], even both ways."""
        if self.layout == "wipe":
            return self._wiped(pictures, labels, index)
        if self.layout == "difference":
            differences = [_difference(pictures[0], other, self.gain) for other in pictures[1:]]
            pictures = [pictures[0], *differences]
            labels = [labels[0], *(f"{label} - {labels[0]}, x{self.gain:g}" for label in labels[1:])]
        columns = self.columns or (len(pictures) if len(pictures) < 4 else ceil(len(pictures) ** 0.5))
        return _grid([_labelled(picture, label) for picture, label in zip(pictures, labels, strict=True)], columns)

    def _wiped(self, pictures: Sequence[np.ndarray], labels: Sequence[str], index: int) -> np.ndarray:
        """Stripe k of n is of picture k; the edges stand evenly around `at`, which is the middle if n is 2."""
        width = pictures[0].shape[1]
        at = (1 - cos(2 * pi * index / _SWEEP)) / 2 if self.at is None else self.at
        count = len(pictures)
        shift = (at - 0.5) * width * (1 if count == 2 else 1 / count)
        edges = [min(max(round(width * k / count + shift), 0), width) for k in range(1, count)]
        frame = np.empty_like(pictures[0])
        for picture, label, left, right in zip(pictures, labels, [0, *edges], [*edges, width], strict=True):
            stripe = _labelled(picture, label, left=left, right=right)
            frame[:, left:right] = stripe[:, left:right]
        for edge in edges:
            frame[:, max(edge - 1, 0) : edge + 1] = 255
        return _grid([frame], 1, gap=0)


def compared(
    inputs: Sequence[str | Path | np.ndarray | Pictures],
    comparison: Comparison,
    *,
    labels: Sequence[str] | None = None,
    frame: DeliveryFrame | None = None,
    rate: Fraction | None = None,
) -> tuple[Pictures, Record]:
    """The comparison as pictures to export, as long as the shortest input, and what made them.

    All are brought to `frame`, or to the size of the first. Raises `RequestError` for too few or too many inputs,
    labels of another number, and rates that differ while none is stated.
    """
    most = 64 if comparison.layout == "sheet" else 4
    if not 2 <= len(inputs) <= most:
        raise RequestError(f"--layout {comparison.layout} takes 2 to {most} inputs, not {len(inputs)}")
    opened = [open_pictures(each) for each in inputs]
    labels = [_name(each) for each in opened] if labels is None else list(labels)
    if len(labels) != len(opened):
        raise RequestError(f"--labels: {len(labels)} for {len(opened)} inputs")
    rates = {each.rate for each in opened if each.rate is not None}
    if rate is None and len(rates) > 1:
        found = ", ".join(f"{each.name} {each.rate}" for each in opened if each.rate is not None)
        raise RequestError(f"the rates differ ({found}); state one for all (--rate 24)")
    lengths = [each.num_frames for each in opened]
    notes = tuple(dict.fromkeys(note for each in opened for note in each.notes))
    if len(set(lengths)) > 1:
        notes += (f"the inputs have {', '.join(map(str, lengths))} frames; the first {min(lengths)} are compared",)
    frame = frame or _size_of(opened[0])

    def frames() -> Iterator[np.ndarray]:
        for index, pictures in enumerate(zip(*opened, strict=False)):
            fitted = [_fitted(as_rgb(each), of, frame) for each, of in zip(pictures, opened, strict=True)]
            yield comparison.frame(fitted, labels, index)

    pictures = Pictures(
        " | ".join(labels),
        frames,
        min(lengths),
        rate=rate or next(iter(rates), None),
        no_rate_because="frame sequences have no rate",
        notes=notes,
        files=tuple(file for each in opened for file in each.files),
    )
    return pictures, combined(record_of(each.files) for each in opened)


def _size_of(pictures: Pictures) -> DeliveryFrame:
    """The size of the first pictures; small ones enlarged by a whole factor, so that labels can be read."""
    first = next(iter(pictures))
    height, width = first.shape[0], round(first.shape[1] * pictures.pixel_aspect)
    factor = ceil(NARROWEST / width)
    return DeliveryFrame(f"{width * factor}x{height * factor}", "nearest" if factor > 1 else "lanczos")


def _fitted(picture: np.ndarray, of: Pictures, frame: DeliveryFrame) -> np.ndarray:
    """uint8; what is larger than the frame is never thinned out to it."""
    width, height = frame.size_for(picture.shape[1], picture.shape[0], of.pixel_aspect)
    if frame.filter == "nearest" and (picture.shape[1] > width or picture.shape[0] > height):
        frame = replace(frame, filter="lanczos")
    return as_levels(frame.fitted(picture, of.pixel_aspect), 255)


def _name(pictures: Pictures) -> str:
    path = Path(pictures.name)
    return path.name if len(path.name) < 40 else path.stem[-38:]


def _difference(first: np.ndarray, other: np.ndarray, gain: float) -> np.ndarray:
    """128 where they are equal, brighter where the other is brighter."""
    difference = (other.astype(np.float32) - first.astype(np.float32)) * gain
    return np.rint(128 + difference).clip(0, 255).astype(np.uint8)


def _labelled(picture: np.ndarray, label: str, *, left: int = 0, right: int | None = None) -> np.ndarray:
    """With its name on a dark band at the bottom, from column `left` to `right`; cut off where it does not fit."""
    right = picture.shape[1] if right is None else right
    size = text_size(picture.shape[1])
    width, rows = min(round(font(size).getlength(label)) + size, right - left), round(1.6 * size)
    if width < 1 or not label:
        return picture
    drawn, draw = mask(width, rows)
    draw.text((size // 2, rows // 2), label, fill=255, font=font(size), anchor="lm")
    words = as_mask(drawn)
    band = Overlay(alpha=_BAND + (1 - _BAND) * words, light=words)
    picture = picture.copy()
    place = picture[-rows:, left : left + width]
    place[:] = band.over(place) if place.shape[:2] == words.shape[:2] else place
    return picture


def _grid(pictures: Sequence[np.ndarray], columns: int, *, gap: int = _GAP) -> np.ndarray:
    height, width, _ = pictures[0].shape
    rows = ceil(len(pictures) / columns)
    total = [rows * (height + gap) - gap, columns * (width + gap) - gap]
    sheet = np.full((total[0] + total[0] % 2, total[1] + total[1] % 2, 3), _GREY, np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet[row * (height + gap) :, column * (width + gap) :][:height, :width] = picture
    return sheet
