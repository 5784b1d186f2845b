"""Takes as files: one movie a take, a contact sheet of all, and a sidecar that says how each was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np
from einops import repeat

from vidgan import __version__
from vidgan.config import DataConfig
from vidgan.errors import RequestError
from vidgan.files import writable_folder, write_text
from vidgan.media.movie_writer import write_movie
from vidgan.media.stills import write_still
from vidgan.review.sheets import contact_sheet, grid_columns, strip_sheet
from vidgan.sampling.render import class_of_seed, render_take
from vidgan.weights import LoadedGenerator

# Images have no rate; their one-frame movies are written at this one.
STILL_RATE = Fraction(24)

# More takes than this do not fit a sheet that one can look at; nor do longer takes fit memory.
MAX_SHEET_TAKES = 64
MAX_SHEET_FRAMES = 240


@dataclass(frozen=True)
class Take:
    """One seed in one class."""

    seed: int
    label: int


def choose_takes(loaded: LoadedGenerator, seeds: Sequence[int], labels: Sequence[int] | None) -> list[Take]:
    """Every seed in every class asked for, class by class; without classes, each seed in the class it belongs to."""
    if labels is None:
        return [Take(seed, class_of_seed(seed, loaded.provenance)) for seed in seeds]
    return [Take(seed, label) for label in labels for seed in seeds]


def write_takes(
    loaded: LoadedGenerator,
    takes: Sequence[Take],
    folder: str | Path,
    *,
    num_frames: int | None = None,
    scale: int = 1,
    crf: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Render takes into `folder` and return the files made, the contact sheet last.

    Each take is a movie at the rate the generator was trained at, with a JSON sidecar; `scale` enlarges it by
    a whole factor. `progress(done, total)` counts frames. Raises `RequestError` for a size that H.264 cannot
    hold or a folder that cannot be written.
    """
    data = loaded.provenance.config.data
    num_frames = data.num_frames if num_frames is None else num_frames
    check_size(data, scale)
    folder = writable_folder(folder)
    files: list[Path] = []
    for_sheet: list[np.ndarray] = []
    done, total = 0, num_frames * len(takes)

    def frames_of(take: Take) -> Iterator[np.ndarray]:
        nonlocal done
        kept = []
        for frame in render_take(loaded, take.seed, take.label, num_frames):
            if len(for_sheet) < MAX_SHEET_TAKES and len(kept) < MAX_SHEET_FRAMES:
                kept.append(frame)
            yield repeat(frame, "h w c -> (h y) (w x) c", y=scale, x=scale)
            done += 1
            if progress:
                progress(done, total)
        if kept:
            for_sheet.append(np.stack(kept))

    for take in takes:
        path = folder / f"{take_name(loaded, take)}.mp4"
        sidecar = describe_take(loaded, take, num_frames=num_frames, scale=scale)
        rate = loaded.provenance.rate or STILL_RATE
        write_movie(path, frames_of(take), rate=rate, crf=crf, metadata={"comment": json.dumps(sidecar)})
        write_text(path.with_suffix(".json"), json.dumps(sidecar, indent=2) + "\n")
        files.append(path)
    shown = takes[: len(for_sheet)]
    sheets = write_sheets(
        folder / "contact_sheet",
        for_sheet,
        names=[take_name(loaded, take) for take in shown],
        classes=[class_name(loaded, take) for take in shown],
        rate=loaded.provenance.rate,
    )
    return [*files, *sheets]


def write_sheets(
    stem: Path, frames: Sequence[np.ndarray], *, names: Sequence[str], classes: Sequence[str], rate: Fraction | None
) -> list[Path]:
    """Write clips uint8 [T, H, W, C] playing on one sheet as `stem`.mp4, and laid out over time as `stem`.png.

    `names` stand left of the rows of the PNG. On the MP4 each class has a row of its own, with its name, if
    `classes`, one a clip and "" for none, come in groups of equal size.
    """
    groups = [(name, len(list(group))) for name, group in groupby(classes)]
    by_class = "" not in classes and len({count for _, count in groups}) == 1
    columns = groups[0][1] if by_class else grid_columns(len(frames))
    row_labels = [name for name, _ in groups] if by_class else []
    movie, still = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f"{stem.name}.png")
    write_movie(movie, iter(contact_sheet(frames, columns=columns, row_labels=row_labels)), rate=rate or STILL_RATE)
    write_still(still, strip_sheet(frames, row_labels=names))
    return [movie, still]


def class_name(loaded: LoadedGenerator, take: Take) -> str:
    """Name of a take's class; "" for an unconditional generator."""
    names = loaded.provenance.class_names
    return names[take.label] if names else ""


def take_name(loaded: LoadedGenerator, take: Take) -> str:
    """Name of a take's files, such as "walk_seed0007"."""
    name = class_name(loaded, take)
    return f"{name}_seed{take.seed:04d}" if name else f"seed{take.seed:04d}"


def describe_take(loaded: LoadedGenerator, take: Take, *, num_frames: int, scale: int) -> dict[str, object]:
    """What makes a take again: the contents of its sidecar."""
    provenance = loaded.provenance
    return {
        "vidgan_version": __version__,
        "seed": take.seed,
        "class": class_name(loaded, take) or None,
        "num_frames": num_frames,
        "scale": scale,
        "rate": None if provenance.rate is None else str(provenance.rate),
        "color": {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "limited"},
        "weights": loaded.path.name,
        "weights_sha256": loaded.weights_hash,
        "footage_manifest_sha256": provenance.manifest_hash,
        "trained_kclips": provenance.num_clips / 1000,
        "config": provenance.config.model_dump(mode="json"),
    }


def check_size(data: DataConfig, scale: int) -> None:
    """Raise `RequestError` unless clips of this size, enlarged, are even both ways."""
    height, width = data.height * scale, data.width * scale
    if height % 2 or width % 2:
        raise RequestError(
            f"takes are {width}x{height} (width x height) and H.264 needs even sizes; enlarge them with --scale 2"
        )
