"""What files say of themselves in words: the texts that writers leave in movies, stills and animations."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image, UnidentifiedImageError

from vidgan.errors import MediaError
from vidgan.media.formats import suffixes_of
from vidgan.media.still_files import open_still
from vidgan.media.stills import STILL_SUFFIXES
from vidgan.media.xmp import read_packet

# What each kind of file calls the one long text it has.
DESCRIPTION = "description"


def read_texts(path: str | Path) -> dict[str, str]:
    """Texts by name, lower case; the long one that everything else is told in is called `DESCRIPTION`.

    Movies: the container's metadata, timecode and reel included. Stills: software, digital source type and what else
    the header holds. Raises `MediaError` if the file is missing or none of these.
    """
    path = Path(path)
    if path.suffix.lower() in STILL_SUFFIXES:
        return _of_still(path)
    if path.suffix.lower() in suffixes_of("animation"):
        return _of_animation(path)
    return _of_movie(path)


def _of_movie(path: Path) -> dict[str, str]:
    try:
        with av.open(path) as container:
            texts = {key.lower(): value for key, value in container.metadata.items()}
            for stream in (*container.streams.video, *container.streams.data):
                for key in ("timecode", "reel_name", "TIMECODE", "REEL_NAME"):
                    if key in stream.metadata:
                        texts.setdefault(key.lower(), stream.metadata[key])
    except (av.FFmpegError, UnicodeDecodeError, OSError) as error:
        reason = getattr(error, "strerror", None) or "damaged"
        raise MediaError(f"{path}: is no movie, still or animation that can be read ({reason})") from None
    if "comment" in texts:
        texts[DESCRIPTION] = texts.pop("comment")
    return texts


def _of_still(path: Path) -> dict[str, str]:
    names = {"imagedescription": DESCRIPTION, "dpx:userdata": DESCRIPTION, "iptc4xmpext:digitalsourcetype": "source"}
    texts = {}
    with open_still(path) as file:
        for attribute in file.parts[0].extra_attribs:
            name, value = attribute.name.lower(), attribute.value
            if isinstance(value, np.ndarray) and name == "dpx:userdata":
                value = bytes(value).decode("utf-8", "replace")
            if isinstance(value, str) and value.strip():
                texts[names.get(name, name)] = value
    return texts


def _of_animation(path: Path) -> dict[str, str]:
    """The comment of a GIF, the description in the XMP of a WebP."""
    try:
        with Image.open(path) as picture:
            comment = picture.info.get("comment", b"")
            if comment:
                return {DESCRIPTION: comment.decode("utf-8", "replace")}
            description, source = read_packet(picture.info.get("xmp", b""))
    except (OSError, UnidentifiedImageError) as error:
        raise MediaError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'no picture'})") from None
    return {name: text for name, text in ((DESCRIPTION, description), ("source", source)) if text}
