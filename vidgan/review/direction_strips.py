"""What each direction does: a strip of pictures for it, from three steps one way to three steps the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from vidgan import __version__
from vidgan.errors import RequestError
from vidgan.files import writable_folder
from vidgan.review.sheets import contact_sheet
from vidgan.review.trace import Record
from vidgan.review.writing import write_pictures
from vidgan.sampling.capabilities import is_steerable
from vidgan.sampling.directions import Direction, find_directions
from vidgan.sampling.names import name_of
from vidgan.sampling.render import generate
from vidgan.sampling.take import Take, take_as_json
from vidgan.weights import LoadedGenerator

STEPS = (-3, -2, -1, 0, 1, 2, 3)


def write_direction_strips(
    loaded: LoadedGenerator,
    takes: Sequence[Take],
    folder: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Table, Path]:
    """Write `direction_01.png` ... (a row for each take) and `directions.png` (a row for each direction, of the first
    take) into `folder`; return a table of all directions and the last file.

    Pictures are the first frame of the takes. `progress(done, total)` counts directions. Raises `RequestError` for a
    family that knows no directions and a folder that cannot be written.
    """
    if not is_steerable(loaded.generator):
        family = loaded.provenance.config.model.family
        raise RequestError(f"{loaded.path}: the family {family} knows no directions (conv3d does)")
    folder = writable_folder(folder)
    found = find_directions(loaded)
    table = Table("direction", "kind", "share", "levels a step")
    takes = [take.model_copy(update={"num_frames": 1, "loop": None}) for take in takes]
    columns = [f"{step:+d}" if step else "0" for step in STEPS]
    first_rows = []
    made_by = Record(tuple({"vidgan_version": __version__, **take_as_json(take, loaded)} for take in takes))
    for direction in found:
        pictures = _pictures(loaded, takes, direction)
        rows = [name_of(take) for take in takes]
        sheet = contact_sheet(pictures, columns=len(STEPS), row_labels=rows, column_labels=columns)
        write_pictures(folder / f"direction_{direction.number:02d}.png", sheet, made_by=made_by)
        first_rows += pictures[: len(STEPS)]
        table.add_row(
            str(direction.number), direction.kind, f"{direction.share:.1%}", f"{_levels_a_step(pictures):.1f}"
        )
        if progress:
            progress(direction.number, len(found))
    rows = [f"direction {direction.number}" for direction in found]
    path = folder / "directions.png"
    sheet = contact_sheet(first_rows, columns=len(STEPS), row_labels=rows, column_labels=columns)
    write_pictures(path, sheet, made_by=made_by)
    return table, path


def _pictures(loaded: LoadedGenerator, takes: Sequence[Take], direction: Direction) -> list[np.ndarray]:
    """uint8 [1, H, W, C] each, a row of steps for each take."""
    steps = [
        take.model_copy(update={"directions": ((direction.number, float(step)),)}) for take in takes for step in STEPS
    ]
    return generate(loaded, steps)


def _levels_a_step(pictures: Sequence[np.ndarray]) -> float:
    """Root mean square change of pixels over one step, in levels 0..255."""
    rows = np.stack(pictures).astype(np.float64).reshape(-1, len(STEPS), *pictures[0].shape)
    return float(np.square(np.diff(rows, axis=1)).mean() ** 0.5)
