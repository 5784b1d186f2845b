"""GIF and animated WebP: movies for a chat or a page. All frames are held at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from vidgan.errors import MediaError, RequestError
from vidgan.files import written_beside
from vidgan.media.formats import Format, format_for
from vidgan.media.levels import as_levels, as_rgb

# Milliseconds that the format counts in, and the most frames a second that players show.
_TICKS = {"gif": (10, 50), "webp": (1, 100)}

# The colours of a large picture are chosen by about so many of its pixels: by all of them would take seconds.
_PIXELS_OF_PALETTE = 2**14


def write_animation(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    rate: Fraction,
    quality: int | None = None,
    description: str = "",
    xmp: bytes | None = None,
    icc_profile: bytes | None = None,
) -> int:
    """Write frames [H, W, 3] or [H, W, 1], uint8 or 0..1, as a GIF or WebP that loops; returns how many.

    A GIF has 256 colours a frame. `quality` is WebP's, 0 to 100; without one it is lossless. `description`, an
    `xmp` packet and an ICC profile (both WebP's; sRGB needs none) travel in the file.

    Raises `MediaError` for a rate that the format cannot show and for no frames, `RequestError` for a quality that is
    none.
    """
    path = Path(path)
    chosen = format_for(path)
    check_rate(path, chosen, rate)
    if quality is not None and (chosen.name == "gif" or not 0 <= quality <= 100):
        raise RequestError(f"quality is {quality} (expected 0 to 100, for WebP alone)")
    pictures = [Image.fromarray(as_levels(as_rgb(frame), 255)) for frame in frames]
    if not pictures:
        raise MediaError(f"{path}: there are no frames to write")
    if chosen.name == "gif":
        pictures = [_of_256_colours(picture) for picture in pictures]
        options = {"comment": description.encode()}
    else:
        options = {"exact": True, "xmp": xmp or b"", "icc_profile": icc_profile or b""}
        options |= {"lossless": True, "quality": 50} if quality is None else {"quality": quality}
    try:
        with written_beside(path) as beside:
            pictures[0].save(
                beside,
                save_all=True,
                append_images=pictures[1:],
                loop=0,
                duration=delays(len(pictures), rate, _TICKS[chosen.name][0]),
                **options,
            )
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror or error})") from None
    return len(pictures)


def _of_256_colours(picture: Image.Image) -> Image.Image:
    """With a palette of its own: exactly its colours if there are no more, else near ones."""
    pixels = picture.width * picture.height
    if pixels <= 4 * _PIXELS_OF_PALETTE or picture.getcolors(256):
        return picture.quantize(256)
    step = math.ceil(math.sqrt(pixels / _PIXELS_OF_PALETTE))
    some = picture.resize((max(1, picture.width // step), max(1, picture.height // step)), Image.Resampling.NEAREST)
    return picture.quantize(palette=some.quantize(256, kmeans=1), dither=Image.Dither.NONE)


def check_rate(path: Path, chosen: Format, rate: Fraction) -> None:
    """Raise `MediaError` for more frames a second than players show."""
    _, fastest = _TICKS[chosen.name]
    if rate > fastest:
        raise MediaError(f"{path}: a {chosen.words} shows at most {fastest} frames a second, not {rate}; export an MP4")


def delays(num_frames: int, rate: Fraction, tick: int) -> list[int]:
    """Milliseconds each frame is shown, in whole ticks of that many: delays differ, so that they sum right.

    24 frames a second in hundredths, as a GIF counts: 40, 40, 50, 40, 40, 40, ... (one second in all)
    """
    ends = [round(1000 * index / (tick * rate)) for index in range(num_frames + 1)]
    return [tick * (end - start) for start, end in pairwise(ends)]
