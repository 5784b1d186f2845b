"""What an inversion found, beside what it was to find."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from vidgan import __version__
from vidgan.files import writable_folder, write_text
from vidgan.review.takes import write_sheets
from vidgan.review.trace import Record, combined, record_of
from vidgan.sampling.invert import Inversion
from vidgan.sampling.take import take_as_json
from vidgan.weights import LoadedGenerator


def write_inversion(
    loaded: LoadedGenerator, found: Inversion, frames: np.ndarray, folder: str | Path, *, source: str
) -> list[Path]:
    """Write `take.json`, and the clip uint8 [T, H, W, C] beside the take as `side_by_side.mp4` and `.png`.

    Raises `RequestError` if the folder cannot be written.
    """
    folder = writable_folder(folder)
    contents = {
        **take_as_json(found.take, loaded),
        "inverted": source,
        "error_levels": round(found.error_levels, 3),
        "motion_ratio": None if found.motion_ratio is None else round(found.motion_ratio, 4),
    }
    path = folder / "take.json"
    write_text(path, json.dumps(contents, indent=2) + "\n")
    sheets = write_sheets(
        folder / "side_by_side",
        [frames, found.frames],
        names=["source", "found"],
        classes=["source", "found"],
        rate=loaded.provenance.rate,
        made_by=combined([record_of([Path(source)]), Record(({"vidgan_version": __version__, **contents},))]),
    )
    return [path, *sheets]
