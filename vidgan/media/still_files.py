"""Still files opened with OpenImageIO: their content decides what they are, and damage is an error, never black."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from vidgan.errors import MediaError

# What the formats are called here, by OpenImageIO's name for their reader.
_FORMATS = {
    "openexr": "exr",
    "dpx": "dpx",
    "cineon": "cin",
    "tiff": "tiff",
    "png": "png",
    "jpeg": "jpeg",
    "targa": "tga",
    "bmp": "bmp",
}

# Beyond these a header is taken for damaged before memory is asked for: 16384 x 16384 pixels.
_MOST_PIXELS, _MOST_CHANNELS, _MOST_PARTS = 2**28, 1024, 4096


class StillFile:
    """One open file: its format, and a header for each of its parts (most formats have one)."""

    def __init__(self, path: Path, file: oiio.ImageInput) -> None:
        self.path = path
        self._file = file
        self.format = _FORMATS.get(file.format_name())
        if self.format is None:
            raise MediaError(f"{path}: holds {file.format_name()}, which is not read; convert it to PNG, TIFF or EXR")
        self.parts = [file.spec()]
        while len(self.parts) < _MOST_PARTS and file.seek_subimage(len(self.parts), 0):
            self.parts.append(file.spec())
        file.geterror()  # of looking for one part more
        for part in self.parts:
            self._check(part)

    def _check(self, part: oiio.ImageSpec) -> None:
        if part.deep:
            raise MediaError(f"{self.path}: deep EXR cannot be read; flatten it")
        for width, height in ((part.width, part.height), (part.full_width, part.full_height)):
            if not (width > 0 and height > 0 and width * height <= _MOST_PIXELS):
                raise MediaError(
                    f"{self.path}: its header claims {width}x{height} pixels (width x height); it is damaged"
                )
        if not 0 < part.nchannels <= _MOST_CHANNELS:
            raise MediaError(f"{self.path}: its header claims {part.nchannels} channels; it is damaged")

    def pixels(self, part: int, channels: list[int], form: str) -> np.ndarray:
        """[H, W, C] of these channels as "uint8", "uint16" or "float" as stored. Raises `MediaError` if damaged."""
        first, stop = min(channels), max(channels) + 1
        try:
            found = self._file.read_image(part, 0, first, stop, form)
        except MemoryError:
            raise MediaError(f"{self.path}: does not fit into memory; lower its resolution") from None
        error = self._file.geterror()
        if found is None or error:
            raise MediaError(f"{self.path}: is damaged or cut off ({_one_line(error, self.path)}); copy it again")
        header = self.parts[part]
        found = found.reshape(header.height, header.width, stop - first)
        wanted = [channel - first for channel in channels]
        return found if wanted == list(range(stop - first)) else found[..., wanted]


@contextmanager
def open_still(path: Path) -> Iterator[StillFile]:
    """Open a still. Raises `MediaError` if it is missing, empty, no picture, deep, or claims an absurd size."""
    _set_up()
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror})") from None
    if size == 0:
        raise MediaError(f"{path}: is empty (0 bytes)")
    settings = oiio.ImageSpec()
    # Multiplied with alpha at 8 bits, dark edges would lose their colour.
    settings.attribute("oiio:UnassociatedAlpha", 1)
    try:
        file = oiio.ImageInput.open(str(path), settings)
        if file is None:
            error = _one_line(oiio.geterror(), path)
            if "Subsampled" in error:
                raise MediaError(f"{path}: holds luminance and chroma (Y, RY, BY); convert it to RGB")
            raise MediaError(
                f"{path}: is no picture, or its header is damaged ({error}); copy it again or leave it out"
            )
        try:
            yield StillFile(path, file)
        finally:
            file.close()
    except UnicodeDecodeError:
        raise MediaError(f"{path}: is damaged (its header holds text that is none); copy it again") from None


@lru_cache(maxsize=1)
def _set_up() -> None:
    """When the first still is opened: work is shared out by processes, one a core, and not within a picture."""
    oiio.attribute("threads", 1)
    oiio.attribute("exr_threads", 1)
    oiio.attribute("limits:channels", _MOST_CHANNELS)


def _one_line(error: str, path: Path) -> str:
    """Without the path, which is long and named before."""
    for quoted in (f' ("{path}")', f" ({path})", f'"{path}" ', f"{path}: "):
        error = error.replace(quoted, "")
    return " ".join(error.split())[:160] or "no reason given"
