"""Text on pictures: one font that travels with matplotlib (DejaVu), sized by the picture, laid over in any depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Narrower pictures have no room for words.
NARROWEST = 256


@dataclass(frozen=True, eq=False)
class Overlay:
    """Something to lay over a picture of one size."""

    alpha: np.ndarray
    """float32 [H, W, 1] 0..1."""
    light: np.ndarray
    """float32 [H, W, 1] 0..1, grey, multiplied with alpha."""
    top: int = 0
    """Row of the picture where it begins; it is as wide as the picture."""

    def over(self, picture: np.ndarray) -> np.ndarray:
        """[H, W, 3], uint8 or float32 0..1 -> a copy with it."""
        picture = picture.copy()
        rows = picture[self.top : self.top + len(self.alpha)]
        if picture.dtype == np.uint8:
            rows[:] = np.rint(rows * (1 - self.alpha) + 255 * self.light)
        else:
            rows[:] = rows * (1 - self.alpha) + self.light
        return picture


@lru_cache(maxsize=16)
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans Mono, `size` pixels high."""
    import matplotlib

    name = "DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def text_size(width: int) -> int:
    """Pixels of height for words on a picture this wide: readable from 256 pixels, a 70th of large ones."""
    return max(11, round(width / 70))


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Lines of at most `width` pixels, broken at spaces; a word that is longer is broken where it must be."""
    most = max(1, int(width / font(size).getlength("M")))
    lines = [""]
    for word in text.split():
        while len(word) > most:
            if lines[-1]:
                lines.append("")
            lines[-1], word = word[:most], word[most:]
        joined = f"{lines[-1]} {word}".strip()
        if len(joined) > most:
            lines.append(word)
        else:
            lines[-1] = joined
    return lines


def mask(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A black grey-level picture to draw on."""
    picture = Image.new("L", (width, height), 0)
    return picture, ImageDraw.Draw(picture)


def as_mask(picture: Image.Image) -> np.ndarray:
    """float32 [H, W, 1] 0..1."""
    return np.asarray(picture, np.float32)[..., None] / 255
