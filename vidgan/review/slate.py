"""The slate: one frame before the first that says what follows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vidgan.errors import RequestError
from vidgan.review.fit import centered, resized
from vidgan.review.lettering import NARROWEST, as_mask, font, mask, text_size, wrapped

_BACKGROUND, _WORDS, _NAMES = 0.09, 0.92, 0.55

# 75 % bars, the middle row of SMPTE EG 1, and a ramp: a wrong matrix or range shows at once.
_BARS = 0.75 * np.array([(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1)], np.float32)


def slate(picture: np.ndarray, title: str, rows: Mapping[str, str]) -> np.ndarray:
    """A frame like `picture`, [H, W, 3] uint8 or float32 0..1: title, rows of name and value, the picture, colour bars.

    Rows that do not fit are left out from the last. Raises `RequestError` for pictures too narrow for words.
    """
    height, width = picture.shape[:2]
    if width < NARROWEST:
        raise RequestError(
            f"pictures are {width} pixels wide and a slate needs {NARROWEST}: enlarge them (--frame 720p), "
            "or leave it out"
        )
    frame = np.full((height, width, 3), _BACKGROUND, np.float32)
    size, margin = max(text_size(width), min(width // 42, height // 24)), max(6, width // 40)
    bars = max(4, height // 12)
    _put_bars(frame[height - 2 * bars :])
    column = width if height < 300 else round(0.62 * width)
    y = margin
    title_size = round(1.6 * size)
    for line in wrapped(title, title_size, width - 2 * margin)[:2]:
        y = _put_line(frame, line, margin, y, title_size, _WORDS, bold=True)
    table_top = y + size // 3
    y, names = table_top, max((len(name) for name in rows), default=0) + 1
    indent = margin + round(font(size).getlength("M" * names))
    for name, value in rows.items():
        lines = wrapped(value, size, column - indent - margin)
        if y + len(lines) * round(1.25 * size) > height - 2 * bars - margin // 2:
            break
        _put_line(frame, name, margin, y, size, _NAMES)
        for line in lines:
            y = _put_line(frame, line, indent, y, size, _WORDS)
    if column < width:
        _put_picture(frame[table_top : height - 2 * bars - margin, column : width - margin], picture)
    return np.rint(frame * 255).astype(np.uint8) if picture.dtype == np.uint8 else frame


def _put_line(frame: np.ndarray, text: str, x: int, y: int, size: int, level: float, *, bold: bool = False) -> int:
    """Draw and return where the next line begins."""
    step = round(1.25 * size)
    rows = frame[y : y + step, x:]
    if rows.size:
        picture, draw = mask(rows.shape[1], rows.shape[0])
        draw.text((0, step // 2), text, fill=255, font=font(size, bold=bold), anchor="lm")
        words = as_mask(picture)
        rows[:] = rows * (1 - words) + level * words
    return y + step


def _put_bars(rows: np.ndarray) -> None:
    half, width = len(rows) // 2, rows.shape[1]
    rows[:half] = _BARS[np.arange(width) * len(_BARS) // width]
    rows[half:] = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]


def _put_picture(place: np.ndarray, picture: np.ndarray) -> None:
    height, width = place.shape[:2]
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    how = "nearest" if scale >= 1 else "lanczos"
    small = resized(picture, *size, how)
    small = small / np.float32(255) if small.dtype == np.uint8 else small
    inside = centered(np.pad(small, ((1, 1), (1, 1), (0, 0)), constant_values=_NAMES), width, height)
    shown = centered(np.ones((size[1] + 2, size[0] + 2, 3), np.float32), width, height) > 0
    place[shown] = inside[shown]
