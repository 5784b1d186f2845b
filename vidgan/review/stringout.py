"""A stringout: the picks played one after another in one movie, each with its name and frame below the picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidgan.files import write_text
from vidgan.media.movie_writer import MovieLabels, write_movie
from vidgan.media.movies import read_movie
from vidgan.review.fit import centered, next_even, resized
from vidgan.review.gallery import STRINGOUT
from vidgan.review.lettering import font
from vidgan.review.picks import Pick, facts, one_rate
from vidgan.review.trace import combined, record_of

# A name of some length can be read on a picture that is as wide as this.
ROOM_FOR_NAMES = 320


def write_stringout(path: Path, picks: Sequence[Pick], *, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the MP4 and a sidecar that lists what plays in it; `progress(done, total)` counts frames.

    Pictures are as large as the largest pick, small takes enlarged; others are fitted in their shape onto black.
    Raises `RequestError` unless all picks have one rate.
    """
    rate = one_rate(picks, "a stringout")
    made_by = combined(record_of([pick.take.path]) for pick in picks)
    delivery = {"format": STRINGOUT, "rate": str(rate), "picks": [*map(facts, picks)]}
    record = replace(made_by, delivery=delivery)
    total = sum(pick.num_frames for pick in picks)

    def counted() -> Iterator[np.ndarray]:
        for done, frame in enumerate(_frames(picks), start=1):
            yield frame
            if progress:
                progress(done, total)

    write_movie(path, counted(), rate=rate, labels=MovieLabels(metadata=record.as_metadata(), xmp=record.as_xmp()))
    write_text(path.with_suffix(".json"), json.dumps(record.as_dict(), indent=2) + "\n")


def _frames(picks: Sequence[Pick]) -> Iterator[np.ndarray]:
    height, width = (max(pick.take.shape[axis] for pick in picks) for axis in (0, 1))
    factor = ceil(ROOM_FOR_NAMES / width)
    height, width = next_even(height * factor), next_even(width * factor)
    letters = _label_font([_label(pick, pick.take.num_frames) for pick in picks], width)
    for pick in picks:
        for frame in read_movie(pick.take.path, start=pick.start, stop=pick.stop):
            label = _strip(_label(pick, frame.index + 1), letters, width)
            yield np.concatenate([_fitted(frame.rgb(), pick, height, width), label])


def _fitted(picture: np.ndarray, pick: Pick, height: int, width: int) -> np.ndarray:
    """Enlarged by a whole factor every pixel stays a square; by any other, Lanczos."""
    shown_height, shown_width = pick.take.shape
    scale = min(height / shown_height, width / shown_width)
    fitted_height, fitted_width = round(shown_height * scale), round(shown_width * scale)
    squares = fitted_height % picture.shape[0] == 0 and fitted_width % picture.shape[1] == 0
    fitted = resized(picture, fitted_width, fitted_height, "nearest" if squares else "lanczos")
    return centered(fitted, width, height)


def _label(pick: Pick, number: int) -> str:
    return f"{pick.take.name}   {number}/{pick.take.num_frames}"


def _label_font(labels: Sequence[str], width: int) -> ImageFont.FreeTypeFont:
    """As large as lets every label fit, 12 to 24 pixels high."""
    fonts = [font(size) for size in (24, 20, 16, 14, 12)]
    fitting = (each for each in fonts if max(map(each.getlength, labels)) <= width - 12)
    return next(fitting, fonts[-1])


def _strip(text: str, font: ImageFont.FreeTypeFont, width: int) -> np.ndarray:
    """uint8 [rows, width, 3]: white on black."""
    strip = Image.new("RGB", (width, next_even(round(font.size * 1.5))))
    ImageDraw.Draw(strip).text((6, strip.height // 2), text, fill=(220, 220, 220), font=font, anchor="lm")
    return np.asarray(strip)
