"""Contact sheets: many takes on one picture, playing together or laid out over time."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from einops import repeat
from PIL import Image, ImageDraw, ImageFont

from vidgan.review.fit import next_even

# Tiles are enlarged by whole factors until they have about this many rows: a 32-row clip cannot be judged as it is.
TILE_ROWS = 96
GAP = 2
BACKGROUND = 24
LABEL_LEVEL = 220
LABEL_ROWS = 24


def contact_sheet(
    takes: Sequence[np.ndarray], *, columns: int, row_labels: Sequence[str] = (), column_labels: Sequence[str] = ()
) -> np.ndarray:
    """Takes uint8 [T, H, W, C], all of one shape, in reading order -> frames uint8 [T, rows, columns, 3] of a sheet.

    With `row_labels` a text stands left of each row, with `column_labels` above each column. The sheet's size is even,
    as H.264 needs it.
    """
    tiles = [_tile(take) for take in takes]
    num_frames, height, width, _ = tiles[0].shape
    num_rows = ceil(len(tiles) / columns)
    margin, head = _label_width(row_labels), LABEL_ROWS if column_labels else 0
    sheet = np.full(
        (
            num_frames,
            next_even(head + num_rows * (height + GAP) + GAP),
            next_even(margin + columns * (width + GAP) + GAP),
            3,
        ),
        BACKGROUND,
        dtype=np.uint8,
    )
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = head + GAP + row * (height + GAP), margin + GAP + column * (width + GAP)
        sheet[:, top : top + height, left : left + width] = tile
    for row, label in enumerate(row_labels):
        text = _text(label, height, margin)
        sheet[:, head + GAP + row * (height + GAP) :][:, :height, :margin] = text
    for column, label in enumerate(column_labels):
        left = margin + GAP + column * (width + GAP)
        sheet[:, :head, left : left + width] = _text(label, head, width)
    return sheet


def strip_sheet(takes: Sequence[np.ndarray], *, columns: int = 8, row_labels: Sequence[str] = ()) -> np.ndarray:
    """Takes uint8 [T, H, W, C] -> one picture uint8 [rows, columns, 3]: a take a row, time from left to right."""
    num_frames = len(takes[0])
    moments = np.linspace(0, num_frames - 1, min(columns, num_frames)).round().astype(int)
    stills = [take[moment : moment + 1] for take in takes for moment in moments]
    return contact_sheet(stills, columns=len(moments), row_labels=row_labels)[0]


def _tile(take: np.ndarray) -> np.ndarray:
    """Enlarged by a whole factor, every pixel a square, and in colour."""
    factor = max(1, round(TILE_ROWS / take.shape[1]))
    take = repeat(take, "t h w c -> t (h y) (w x) c", y=factor, x=factor)
    return take if take.shape[3] == 3 else repeat(take, "t h w 1 -> t h w 3")


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=14)


def _label_width(labels: Sequence[str]) -> int:
    return max((ceil(_font().getlength(label)) + 12 for label in labels), default=0)


def _text(label: str, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3] with the label in the middle of the left side."""
    picture = Image.new("L", (width, height), BACKGROUND)
    ImageDraw.Draw(picture).text((6, height // 2), label, fill=LABEL_LEVEL, font=_font(), anchor="lm")
    return repeat(np.asarray(picture), "h w -> h w 3")


def grid_columns(count: int) -> int:
    """Columns of a sheet that is about twice as wide as it is high."""
    return max(1, ceil((2 * count) ** 0.5))
