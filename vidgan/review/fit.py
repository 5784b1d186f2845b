"""The frame of a delivery: its size, how pictures come to it, and black where they do not reach."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from PIL import Image

from vidgan.errors import RequestError, did_you_mean

SIZES = {
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "uhd": (3840, 2160),
    "2k-flat": (1998, 1080),
    "2k-scope": (2048, 858),
    "4k-flat": (3996, 2160),
    "4k-scope": (4096, 1716),
}
FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}
_LARGEST = 16384


@dataclass(frozen=True)
class DeliveryFrame:
    """The size pictures leave in. Pixels become square."""

    size: str
    """A name of `SIZES`, "2048x858", or a shape such as "2.39:1": then the picture keeps its scale."""
    filter: str = "lanczos"
    """One of `FILTERS`; "nearest" keeps every pixel a square."""
    fit: Literal["letterbox", "crop"] = "letterbox"
    """Whether all of the picture is seen, with black around, or the frame is filled and the rest cut."""

    def __post_init__(self) -> None:
        """Raise `RequestError` for a filter or fit that is none."""
        if self.filter not in FILTERS:
            raise RequestError(f'--filter "{self.filter}" is not known{did_you_mean(self.filter, FILTERS)}')
        if self.fit not in ("letterbox", "crop"):
            raise RequestError(f'--fit "{self.fit}" is not known (expected letterbox or crop)')

    def size_for(self, width: int, height: int, pixel_aspect: Fraction = Fraction(1)) -> tuple[int, int]:
        """Width and height of the frame for pictures of this size. Raises `RequestError` for a size that is none.

        A shape is cut out of the picture, or the picture gets black bars to have it; both ways in even numbers.
        """
        if self.size in SIZES:
            return SIZES[self.size]
        if match := re.fullmatch(r"(\d+)x(\d+)", self.size):
            size = int(match[1]), int(match[2])
            if not all(1 <= side <= _LARGEST for side in size):
                raise RequestError(f"--frame {self.size}: sizes go from 1 to {_LARGEST} pixels")
            return size
        if shape := shape_of(self.size):
            width = round(width * pixel_aspect)
            is_wider = shape > Fraction(width, height)
            if is_wider == (self.fit == "crop"):
                return _even(width), _even(width / shape)
            return _even(height * shape), _even(height)
        known = did_you_mean(self.size, SIZES)
        raise RequestError(f'--frame "{self.size}" is no size{known}; or write 1920x1080, or a shape such as 2.39:1')

    def fitted(self, picture: np.ndarray, pixel_aspect: Fraction = Fraction(1)) -> np.ndarray:
        """[H, W, 3], uint8 or float32 0..1 -> the same in the frame."""
        frame_width, frame_height = self.size_for(picture.shape[1], picture.shape[0], pixel_aspect)
        width, height = picture.shape[1] * pixel_aspect, Fraction(picture.shape[0])
        scales = (Fraction(frame_width) / width, Fraction(frame_height) / height)
        scale = min(scales) if self.fit == "letterbox" else max(scales)
        if shape_of(self.size):
            scale = Fraction(1)
        scaled = resized(picture, max(1, round(width * scale)), max(1, round(height * scale)), self.filter)
        return centered(scaled, frame_width, frame_height)


def shape_of(text: str) -> Fraction | None:
    """ "2.39:1" or "16:9" as width over height; None if it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", text)
    if not match or not Fraction(match[1]) or not Fraction(match[2]):
        return None
    return Fraction(match[1]) / Fraction(match[2])


def _even(size: Fraction | float) -> int:
    return max(2, 2 * round(size / 2))


def next_even(size: int) -> int:
    """The size itself, or one more, for codecs that hold even sizes only."""
    return size + size % 2


def resized(picture: np.ndarray, width: int, height: int, filter: str) -> np.ndarray:
    """[H, W, 3], uint8 or float32 0..1 -> of another size; what a filter overshoots is clamped."""
    if picture.shape[:2] == (height, width):
        return picture
    how = FILTERS[filter]
    if picture.dtype == np.uint8:
        return np.asarray(Image.fromarray(picture).resize((width, height), how))
    planes = [np.asarray(Image.fromarray(picture[..., c]).resize((width, height), how)) for c in range(3)]
    return np.stack(planes, axis=-1).clip(0, 1)


def centered(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """[H, W, 3] -> [height, width, 3]: cut evenly where it is too large, black around where it is too small."""
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    picture = picture[max(top, 0) :, max(left, 0) :][:height, :width]
    if picture.shape[:2] == (height, width):
        return np.ascontiguousarray(picture)
    frame = np.zeros((height, width, 3), picture.dtype)
    frame[max(-top, 0) :, max(-left, 0) :][: picture.shape[0], : picture.shape[1]] = picture
    return frame


def matte_rows(width: int, height: int, shape: Fraction) -> int:
    """Black rows above and below each that leave this shape open; 0 if the frame is that wide already."""
    return max(0, (height - round(width / shape)) // 2)
