"""Names of deliveries: `shot_v003.mp4`, `shot_v003.####.exr`, `shot_v003/`."""

from __future__ import annotations

import re
from pathlib import Path


def shot_name(output: Path) -> str:
    """The name without version, frame number and suffix: "dawn" for all of the above."""
    return re.sub(r"_v\d+$", "", output.name.partition(".")[0])


def version_in(output: Path) -> str | None:
    """ "v003", or None for a name without version."""
    match = re.search(r"_(v\d+)$", output.name.partition(".")[0])
    return match[1] if match else None


def next_version(output: Path) -> Path:
    """The same name with the first version that comes after all that exist with its suffix: `_v001` to begin with."""
    base, rest = shot_name(output), output.name.partition(".")[2]
    pattern = re.compile(re.escape(base) + r"_v(\d+)" + (r"\..*" if rest else ""))
    others = output.parent.iterdir() if output.parent.is_dir() else ()
    found = [pattern.fullmatch(path.name) for path in others if path.suffix == output.suffix]
    newest = max((int(match[1]) for match in found if match), default=0)
    return output.with_name(f"{base}_v{newest + 1:03d}" + (f".{rest}" if rest else ""))
