"""What made a file: a movie, a still, an animation, or weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vidgan.errors import RequestError, WeightsError
from vidgan.media.formats import suffixes_of
from vidgan.media.metadata import DESCRIPTION, read_texts
from vidgan.media.movies import read_header
from vidgan.media.sequences import frame_sequence_from_pattern, is_pattern
from vidgan.media.stills import STILL_SUFFIXES, read_still_header
from vidgan.review.trace import record_of

WEIGHTS_SUFFIX = ".safetensors"

_WORTH_A_LINE = ("title", "timecode", "reel_name", "software", "smpte:timecode", "dpx:timecode", "compression")


def describe(path: str | Path) -> dict[str, object]:
    """Everything that is known of a file, as plain data: `file`, `kind`, `picture` or `weights`, `texts`, `record`.

    A pattern stands for its first frame, a run folder or "demo" for its weights. Raises `RequestError` if there is no
    such file, `MediaError` or `WeightsError` if it cannot be read.
    """
    given, path = str(path), Path(path)
    if is_pattern(path) and not path.exists():
        path = frame_sequence_from_pattern(path).paths()[0]
    if not path.is_file() and not path.suffix:
        from vidgan.weights import find_weights  # brings torch, which takes seconds

        path = find_weights(given)
    if not path.is_file():
        raise RequestError(f"{path}: no such file (expected a movie, a still, an animation or weights)")
    if path.suffix == WEIGHTS_SUFFIX:
        return {"file": str(path), "kind": "weights", "weights": _of_weights(path)}
    texts, record = read_texts(path), record_of([path])
    found: dict[str, object] = {"file": str(path), "kind": _kind(path), "picture": _picture(path)}
    found["texts"] = {name: text for name, text in texts.items() if name != DESCRIPTION}
    found["record"] = record.as_dict() if record.made_by or record.delivery else None
    return found


def in_lines(found: dict[str, object]) -> list[str]:
    """What `describe` found, for a terminal."""
    lines = [f"{found['file']}: {found['kind']}"]
    for part in ("picture", "weights"):
        lines += _lines(found.get(part, {}))
    lines += _lines({name: text for name, text in found.get("texts", {}).items() if name in _WORTH_A_LINE})
    record = found.get("record")
    if found["kind"] == "weights":
        return lines
    if record is None:
        return [*lines, "made by: it does not say (no record of vidgan in it or beside it)"]
    lines += [f"delivery {line}" for line in _lines(record["delivery"] or {})]
    if record["digital_source_type"]:
        lines.append(f"digital source type: {record['digital_source_type']}")
    for take in record["made_by"]:
        shown = {name: value for name, value in take.items() if name not in ("config", "color", "vidgan_version")}
        lines.append(f"made by vidgan {take.get('vidgan_version')}: {_short(shown)}")
        lines.append(f"config: {_short(take.get('config'))}")
    if not record["made_by"]:
        lines.append("made by: what was exported did not say")
    return lines


def _kind(path: Path) -> str:
    if path.suffix.lower() in STILL_SUFFIXES:
        return "still"
    return "animation" if path.suffix.lower() in suffixes_of("animation") else "movie"


def _picture(path: Path) -> dict[str, object]:
    kind = _kind(path)
    if kind == "animation":
        return {}
    if kind == "still":
        header = read_still_header(path)
        return {
            "format": header.format,
            "size": f"{header.width}x{header.height}",
            "bits": f"{header.bit_depth}{', floating point' if header.is_float else ''}",
            "colours": header.color_space,
        }
    header = read_header(path)
    tags = (header.color.primaries, header.color.transfer, header.color.matrix, header.color.range)
    return {
        "codec": header.codec,
        "size": f"{header.width}x{header.height}",
        "frames": header.num_frames,
        "rate": None if header.rate is None else str(header.rate),
        "bits": header.bit_depth,
        "colours": " ".join(tag or "unspecified" for tag in tags),
    }


def _of_weights(path: Path) -> dict[str, object]:
    from vidgan.weights import REPAIR_FORMAT, WEIGHTS_FORMAT, check_format

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            count = len(list(file.keys()))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: is damaged, or no safetensors file ({error})") from None
    check_format(metadata, (WEIGHTS_FORMAT, REPAIR_FORMAT), path)
    named = {name: json.loads(metadata[name]) for name in ("config", "class_names") if name in metadata}
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"sha256": sha256, "tensors": count, **metadata, **named}


def _lines(values: dict[str, object]) -> list[str]:
    """A line for each that says something."""
    return [f"{name.replace('_', ' ')}: {_short(value)}" for name, value in values.items() if value not in (None, "")]


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
