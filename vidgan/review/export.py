"""Any pictures in, any review format out: movies, frame sequences and frames in memory become what is asked for.

    export("takes/dawn.####.png", "dawn.mp4", rate=Fraction(24000, 1001))
    export("dawn.mp4", "dawn.####.exr", color=DeliveryColor("acescg"))
    export("dawn.mp4", "frames/")          frames/frames.1001.png, ...
    export(frames, "dawn.mov", rate=Fraction(24), format="prores4444", timecode="01:00:00:00")
    export(Pictures("seed 7", lambda: render_take(...), 48, rate), "take7.mov", made_by=Record((sidecar,)))

Every frame asked for is written once, in order. One frame is held at a time, except for GIF and WebP.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan.errors import RequestError
from vidgan.files import write_text
from vidgan.media.delivery_color import plan_color
from vidgan.media.formats import format_for
from vidgan.media.stills import STILL_SUFFIXES
from vidgan.review.delivery import Delivery, Job
from vidgan.review.names import next_version
from vidgan.review.pictures import Pictures, open_pictures
from vidgan.review.trace import Record, record_of, sidecar_path
from vidgan.review.writing import check_settings, write_delivery


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    output: Path
    num_frames: int
    rate: Fraction | None
    """Frames a second; None for stills, which have none."""
    notes: tuple[str, ...]
    """What the output cannot show of the input, one sentence each; empty if nothing."""
    sidecar: Path
    """JSON that says what made it."""


def export(
    input: str | Path | np.ndarray | Sequence[np.ndarray] | Pictures,
    output: str | Path,
    *,
    overwrite: bool = False,
    new_version: bool = False,
    metadata: dict[str, str] | None = None,
    made_by: Record | None = None,
    progress: Callable[[int, int], None] | None = None,
    **delivery: object,
) -> ExportResult:
    """Write pictures as `output`, with a sidecar; further keywords are the fields of `Delivery`.

    `output` is a file, a pattern such as `out/dawn.####.png`, or a folder. A movie or animation is replaced; old frames
    of a sequence only with `overwrite`. `new_version` adds `_v001`, or the next after those that exist, to the name.
    `metadata` goes into a movie beside the record. `made_by` says what made the pictures where their files do not.
    `progress(done, total)` counts frames.

    Raises `MediaError` if the input cannot be read or the output cannot hold it, `ConfigError` for colours that the
    OpenColorIO config does not have, `RequestError` for everything else asked for that cannot be had.
    """
    output = next_version(Path(output)) if new_version else Path(output)
    wanted = Delivery(**delivery)
    chosen = format_for(output, wanted.format)
    check_settings(wanted, chosen)
    color = plan_color(wanted.color, chosen)
    pictures = open_pictures(input, deep=chosen.bits > 8)
    made_by = made_by or record_of(pictures.files)
    job = Job(wanted.cut.of(pictures), output, chosen, wanted, color, made_by)
    _check_output(job)
    num_frames = write_delivery(job, _Counted(job, progress), metadata=metadata, overwrite=overwrite)
    sidecar = sidecar_path(job.target)
    try:
        write_text(sidecar, json.dumps(job.record().as_dict(), indent=2) + "\n")
    except OSError as error:
        raise RequestError(f"{sidecar}: cannot be written ({error.strerror}); {output} is whole, without it") from None
    return ExportResult(output, num_frames, None if chosen.kind == "stills" else job.rate, _notes(job), sidecar)


@dataclass(frozen=True)
class _Counted:
    """The frames of a job; two passes over them count twice."""

    job: Job
    progress: Callable[[int, int], None] | None

    def __iter__(self) -> Iterator[np.ndarray]:
        for done, frame in enumerate(self.job, 1):
            yield frame
            if self.progress:
                self.progress(done, self.job.num_frames)


def _notes(job: Job) -> tuple[str, ...]:
    """What the output cannot show."""
    notes = [*job.pictures.notes, *job.color.notes]
    if job.pixel_aspect != 1 and not (job.format.is_quicktime or job.format.name in ("exr", "dpx")):
        squashed = f"pixels are {job.pixel_aspect} wide for 1 high"
        notes.append(f"{squashed}, which {job.output.name} cannot say: seen squashed")
    return tuple(notes)


def _check_output(job: Job) -> None:
    """Mistakes are told before anything is written; nobody's footage is replaced by a copy of itself."""
    if job.rate is not None and job.rate <= 0:
        raise RequestError(f"rate is {job.rate} (expected frames a second above zero, such as 24 or 24000/1001)")
    if job.wanted.timecode:
        _ = job.timecode
    inputs = {file.resolve() for file in job.pictures.files}
    if job.output.resolve() in inputs:
        raise RequestError(f"{job.output}: is the input; choose another name for the output")
    if job.is_one_still and job.num_frames != 1:
        raise RequestError(
            f"{job.output}: {job.num_frames} frames, and many frames do not fit one still; give "
            f"{job.output.stem}.####{job.output.suffix} or a folder"
        )
    stills = {file.parent for file in inputs if file.suffix.lower() in STILL_SUFFIXES}
    if job.format.kind == "stills" and not job.is_one_still and job.target.parent.resolve() in stills:
        raise RequestError(f"{job.target.parent}: holds the input; choose another folder for the output")
