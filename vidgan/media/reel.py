"""What an edit finds a movie's frames by: the timecode it starts at, and its reel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidgan.media.decoding import open_movie


@dataclass(frozen=True)
class Reel:
    """What the header of a movie says to an edit."""

    start: str | None
    """Timecode of the first frame, "01:00:00:00", or "01:00:00;00" if it drops frames; None if it has none."""
    name: str | None
    """Name of the reel or tape; None if it has none."""


def read_reel(path: Path) -> Reel:
    """Raises `MediaError` if the file is missing or not a movie."""
    with open_movie(path) as (container, _):
        said = [dict(part.metadata) for part in (*container.streams, container)]

    def first(key: str) -> str | None:
        return next((metadata[key] for metadata in said if metadata.get(key)), None)

    return Reel(start=first("timecode"), name=first("reel_name"))
