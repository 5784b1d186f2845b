"""Burn-ins: what a picture is, written onto it from a template; with it safe areas, a matte and a watermark.

"{shot} seed {seed}|{timecode}|{frame}"      left | middle | right, along the bottom or the top
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from string import Formatter

import numpy as np
from PIL import Image

from vidgan.errors import RequestError, did_you_mean
from vidgan.review.fit import matte_rows, shape_of
from vidgan.review.lettering import NARROWEST, Overlay, as_mask, font, mask, text_size, wrapped

# How dark the band behind words is, and how strong a watermark and the lines of safe areas.
_BAND, _WATERMARK, _LINES = 0.6, 0.22, 0.5

# SMPTE ST 2046-1:2009: parts of width and height.
SAFE_ACTION, SAFE_TITLE = Fraction(93, 100), Fraction(90, 100)

FIELDS = {
    "shot": "name of the shot",
    "version": "version in the name, such as v003",
    "source": "name of the input",
    "class": "class of the take",
    "seed": "seed of the take",
    "weights": "first 8 digits of the SHA-256 of the weights",
    "frame": "frame number",
    "timecode": "timecode of the frame",
    "rate": "frames a second",
    "date": "today",
}


@dataclass(frozen=True)
class BurnIns:
    """What is laid over every picture."""

    bottom: str = ""
    top: str = ""
    watermark: str = ""
    safe_areas: bool = False
    matte: str = ""
    """A shape such as "2.39:1"; black above and below it."""

    def __post_init__(self) -> None:
        """Raise `RequestError` for a field or shape that is none, before anything is rendered."""
        if self.matte and shape_of(self.matte) is None:
            raise RequestError(f'--matte "{self.matte}" is no shape (expected one such as 2.39:1)')
        for name in self.fields():
            if name not in FIELDS:
                raise RequestError(f"burn-in {{{name}}} is not known{did_you_mean(name, FIELDS)}")

    def fields(self) -> list[str]:
        """Names in braces, of all templates."""
        try:
            parsed = [
                name for text in (self.top, self.bottom, self.watermark) for _, name, *_ in Formatter().parse(text)
            ]
        except ValueError as error:
            raise RequestError(f"burn-in: a brace is not closed ({error}); write {{shot}}") from None
        return [name for name in parsed if name is not None]

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return any((self.bottom, self.top, self.watermark, self.safe_areas, self.matte))

    def over(self, picture: np.ndarray, values: dict[str, object]) -> np.ndarray:
        """[H, W, 3], uint8 or float32 0..1 -> a copy with everything on it; `values` are those of the fields.

        Raises `RequestError` for words on a picture that is too narrow, and for a field without a value.
        """
        height, width = picture.shape[:2]
        if (self.bottom or self.top or self.watermark) and width < NARROWEST:
            raise RequestError(
                f"pictures are {width} pixels wide and words need {NARROWEST}: enlarge them (--frame 720p "
                "--filter nearest), or leave the burn-ins out"
            )
        if self.matte:
            picture = _matted(picture, shape_of(self.matte))
        if self.watermark:
            picture = _watermark(width, height, _filled(self.watermark, values)).over(picture)
        if self.safe_areas:
            picture = _safe_areas(width, height).over(picture)
        for template, at_top in ((self.top, True), (self.bottom, False)):
            if template:
                parts = tuple(_filled(part, values) for part in template.split("|"))
                picture = _band(width, height, parts, at_top).over(picture)
        return picture


def _filled(template: str, values: dict[str, object]) -> str:
    try:
        return template.format_map(values).strip()
    except KeyError as error:
        raise RequestError(
            f"burn-in {{{error.args[0]}}}: the pictures do not say it (they are no take of vidgan); leave it out"
        ) from None
    except (ValueError, IndexError, AttributeError) as error:
        raise RequestError(f'burn-in "{template}": cannot be filled in ({error})') from None


def _matted(picture: np.ndarray, shape: Fraction) -> np.ndarray:
    rows = matte_rows(picture.shape[1], picture.shape[0], shape)
    if rows:
        picture = picture.copy()
        picture[:rows], picture[-rows:] = 0, 0
    return picture


@lru_cache(maxsize=4)
def _band(width: int, height: int, parts: tuple[str, ...], at_top: bool) -> Overlay:
    """Words on a dark band: the parts in one line if they fit, otherwise below each other."""
    if len(parts) > 3:
        raise RequestError(f'burn-in: {len(parts)} parts ("{"|".join(parts)}"); there are left | middle | right')
    size = text_size(width)
    margin, step = size // 2, round(1.3 * size)
    anchors = {1: ("l",), 2: ("l", "r"), 3: ("l", "m", "r")}[len(parts)]
    one_line = font(size).getlength("  ".join(filter(None, parts))) <= width - 2 * margin
    if one_line and len(parts) == 3:  # the middle stays in the middle
        longest = max(font(size).getlength(parts[0]), font(size).getlength(parts[2]))
        one_line = font(size).getlength(parts[1]) + 2 * longest + 2 * size <= width - 2 * margin
    if one_line:
        lines = [[(part, anchor) for part, anchor in zip(parts, anchors, strict=True)]]
    else:
        lines = [[(line, "l")] for part in parts if part for line in wrapped(part, size, width - 2 * margin)]
    rows = len(lines) * step + margin
    if 2 * rows > height:
        raise RequestError(f"burn-in: {len(lines)} lines do not fit on pictures {height} pixels high; shorten it")
    picture, draw = mask(width, rows)
    for number, line in enumerate(lines):
        for text, anchor in line:
            x = {"l": margin, "m": width // 2, "r": width - margin}[anchor]
            draw.text(
                (x, margin // 2 + number * step + step // 2), text, fill=255, font=font(size), anchor=f"{anchor}m"
            )
    words = as_mask(picture)
    return Overlay(alpha=_BAND + (1 - _BAND) * words, light=words, top=0 if at_top else height - rows)


@lru_cache(maxsize=4)
def _watermark(width: int, height: int, text: str) -> Overlay:
    """Across the picture from corner to corner, pale, with a dark edge so that it is seen on white."""
    size = max(11, int(1.2 * width / max(len(text), 1)))
    size = min(size, height // 3)
    length = int(font(size, bold=True).getlength(text)) + size
    strip, draw = mask(length, 2 * size)
    draw.text((length // 2, size), text, fill=255, font=font(size, bold=True), anchor="mm")
    edge, draw = mask(length, 2 * size)
    draw.text((length // 2, size), text, fill=255, font=font(size, bold=True), anchor="mm", stroke_width=2)
    angle = float(np.degrees(np.arctan2(height, width)))

    def placed(strip: Image.Image) -> np.ndarray:
        turned = strip.rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
        turned.thumbnail((width, height))
        whole = Image.new("L", (width, height), 0)
        whole.paste(turned, ((width - turned.width) // 2, (height - turned.height) // 2))
        return as_mask(whole)

    words = placed(strip)
    return Overlay(alpha=_WATERMARK * np.maximum(placed(edge), words), light=_WATERMARK * words)


@lru_cache(maxsize=2)
def _safe_areas(width: int, height: int) -> Overlay:
    picture, draw = mask(width, height)
    for part in (SAFE_ACTION, SAFE_TITLE):
        left, top = round(width * (1 - part) / 2), round(height * (1 - part) / 2)
        draw.rectangle((left, top, width - 1 - left, height - 1 - top), outline=255, width=max(1, width // 960))
    lines = as_mask(picture) * _LINES
    return Overlay(alpha=lines, light=lines)
