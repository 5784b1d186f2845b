"""Where pictures come from: a record that travels in every file that is made, and beside it as JSON.

    {"vidgan_version": ..., "digital_source_type": ..., "made_by": [a take's sidecar, ...], "delivery": {...}}

`made_by` is what makes a take again (weights, their hash, config, seed, class) as `vidgan generate` states it; it is
carried along through any number of exports. Footage that no network made has none, and is not said to be otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidgan import __version__
from vidgan.errors import MediaError
from vidgan.media.metadata import DESCRIPTION, read_texts
from vidgan.media.sequences import is_pattern
from vidgan.media.xmp import HOLDS_SOME, MADE_BY_NETWORK, source_type_url, xmp_packet


@dataclass(frozen=True)
class Record:
    """What made a file."""

    made_by: tuple[dict, ...] = ()
    """Sidecars of the takes in it."""
    all_made: bool = True
    """Whether there is nothing else in it."""
    delivery: dict | None = None
    """How the file was written; None if a sidecar of a take is all that is known."""

    @property
    def digital_source_type(self) -> str | None:
        """A term of IPTC's NewsCodes; None for what no network made."""
        if not self.made_by:
            return None
        return MADE_BY_NETWORK if self.all_made else HOLDS_SOME

    def as_dict(self) -> dict[str, object]:
        """For a sidecar."""
        kind = self.digital_source_type
        return {
            "vidgan_version": __version__,
            "digital_source_type": source_type_url(kind) if kind else None,
            "made_by": list(self.made_by),
            "delivery": self.delivery,
        }

    def as_text(self) -> str:
        """For the inside of a file: JSON in one line."""
        return json.dumps(self.as_dict())

    def as_metadata(self) -> dict[str, str]:
        """For a movie's container."""
        kind = self.digital_source_type
        return {"comment": self.as_text()} | ({"digital_source_type": source_type_url(kind)} if kind else {})

    def as_xmp(self) -> bytes:
        """For the formats that hold XMP."""
        return xmp_packet(
            tool=f"vidgan {__version__}", description=self.as_text(), digital_source_type=self.digital_source_type
        )

    @classmethod
    def of_text(cls, text: str) -> Record | None:
        """From a record or a take's sidecar; None if it is neither."""
        try:
            found = json.loads(text)
        except ValueError:
            return None
        if not isinstance(found, dict) or "vidgan_version" not in found:
            return None
        if "made_by" not in found:
            return cls((found,)) if "weights_sha256" in found else None
        made_by = tuple(entry for entry in found["made_by"] if isinstance(entry, dict))
        only = str(found.get("digital_source_type")).endswith("/" + MADE_BY_NETWORK)
        return cls(made_by, only or not made_by, found.get("delivery"))


def record_of(files: Sequence[Path]) -> Record:
    """What made these pictures, by the first of their files: what it holds, or else its sidecar; nothing if unknown."""
    if not files:
        return Record()
    try:
        texts = read_texts(files[0])
    except MediaError:
        texts = {}
    for text in (texts.get(DESCRIPTION, ""), *_sidecars(files[0])):
        if record := Record.of_text(text):
            return record
    return Record()


def combined(records: Iterable[Record]) -> Record:
    """Of several pictures in one."""
    records = list(records)
    made_by = tuple(entry for record in records for entry in record.made_by)
    return Record(made_by, all(record.made_by and record.all_made for record in records))


def sidecar_path(output: Path) -> Path:
    """`dawn.mov.json` beside `dawn.mov`; `dawn.exr.json` among the frames of `dawn.####.exr`."""
    if is_pattern(output):
        stem = output.name.partition("#")[0].partition("%")[0].partition("@")[0].rstrip("._-")
        return output.with_name(f"{stem}{output.suffix}.json")
    return output.with_name(f"{output.name}.json")


def _sidecars(path: Path) -> Iterable[str]:
    stem = path.stem.rstrip("0123456789").rstrip("._-")
    for name in (f"{path.name}.json", f"{path.stem}.json", f"{stem}{path.suffix}.json"):
        try:
            yield (path.with_name(name)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
