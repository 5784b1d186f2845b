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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan import __version__
from vidgan.errors import RequestError
from vidgan.files import write_text
from vidgan.media.animations import write_animation
from vidgan.media.delivery_color import plan_color
from vidgan.media.formats import Format, format_for
from vidgan.media.movie_writer import MovieLabels, write_movie
from vidgan.media.sequences import is_pattern, sequence_pattern, write_frame_sequence
from vidgan.media.still_writer import EXR_COMPRESSIONS, StillLabels
from vidgan.media.stills import STILL_SUFFIXES, write_still
from vidgan.review.delivery import Delivery, Job
from vidgan.review.names import next_version
from vidgan.review.pictures import Pictures, open_pictures
from vidgan.review.trace import Record, record_of, sidecar_path


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
    _check_settings(wanted, chosen)
    color = plan_color(wanted.color, chosen)
    pictures = open_pictures(input, deep=chosen.bits > 8)
    made_by = made_by or record_of(pictures.files)
    job = Job(wanted.cut.of(pictures), output, chosen, wanted, color, made_by)
    _check_output(job)
    frames = _Counted(job, progress)
    write = {"movie": _write_movie, "animation": _write_animation, "stills": _write_stills}[chosen.kind]
    num_frames = write(job, frames, metadata or {}, overwrite)
    sidecar = sidecar_path(_target(job))
    try:
        write_text(sidecar, json.dumps(job.record().as_dict(), indent=2) + "\n")
    except OSError as error:
        raise RequestError(f"{sidecar}: cannot be written ({error.strerror}); {output} is whole, without it") from None
    return ExportResult(output, num_frames, None if chosen.kind == "stills" else job.rate, _notes(job), sidecar)


def _write_movie(job: Job, frames: Iterable[np.ndarray], metadata: dict[str, str], overwrite: bool) -> int:
    record = job.record()
    return write_movie(
        job.output,
        frames,
        rate=job.rate,
        format=job.format.name,
        crf=job.wanted.crf,
        bitrate=job.wanted.bitrate,
        pixel_aspect=job.pixel_aspect if job.format.is_quicktime else Fraction(1),
        labels=MovieLabels(
            color=job.color.tags,
            timecode=job.first_timecode,
            reel=job.wanted.reel,
            clip=job.wanted.clip or job.shot,
            metadata=record.as_metadata() | metadata,
            xmp=record.as_xmp(),
        ),
        audio=job.wanted.audio,
        silent_frames=job.num_before,
    )


def _write_animation(job: Job, frames: Iterable[np.ndarray], metadata: dict[str, str], overwrite: bool) -> int:
    record, quality = job.record(), job.wanted.quality
    return write_animation(
        job.output, frames, rate=job.rate, quality=quality, description=record.as_text(), xmp=record.as_xmp()
    )


def _write_stills(job: Job, frames: Iterable[np.ndarray], metadata: dict[str, str], overwrite: bool) -> int:
    record, wanted = job.record(), job.wanted
    labels = StillLabels(
        software=f"vidgan {__version__}",
        description=record.as_text(),
        digital_source_type=record.digital_source_type,
        xmp=record.as_xmp(),
        timecode=job.first_timecode,
        rate=job.rate,
        reel=wanted.reel,
        clip=wanted.clip or job.shot,
        pixel_aspect=job.pixel_aspect,
        chromaticities=job.color.chromaticities,
        cicp=job.color.cicp,
        dpx_transfer=job.color.dpx_transfer,
        compression=wanted.compression,
    )
    if _is_one_still(job):
        (picture,) = frames
        write_still(job.output, picture, format=job.format.name, labels=labels)
        return 1
    written = write_frame_sequence(
        _target(job),
        frames,
        first_number=wanted.first_number - job.num_before,
        format=job.format.name,
        labels=labels,
        overwrite=overwrite,
    )
    return len(written.numbers)


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


def _is_one_still(job: Job) -> bool:
    """Whether the output is one picture under its own name."""
    return job.format.kind == "stills" and bool(job.output.suffix) and not is_pattern(job.output)


def _target(job: Job) -> Path:
    """The output, as a pattern if it is a frame sequence."""
    if job.format.kind != "stills" or _is_one_still(job):
        return job.output
    return sequence_pattern(job.output, job.format.suffixes[0])


def _notes(job: Job) -> tuple[str, ...]:
    """What the output cannot show."""
    notes = [*job.pictures.notes, *job.color.notes]
    if job.pixel_aspect != 1 and not (job.format.is_quicktime or job.format.name in ("exr", "dpx")):
        squashed = f"pixels are {job.pixel_aspect} wide for 1 high"
        notes.append(f"{squashed}, which {job.output.name} cannot say: seen squashed")
    return tuple(notes)


def _check_settings(wanted: Delivery, chosen: Format) -> None:
    """Nothing asked for is passed over in silence."""
    if chosen.kind != "movie":
        for name, value in (("crf", wanted.crf), ("bitrate", wanted.bitrate), ("audio", wanted.audio)):
            if value is not None:
                raise RequestError(f"--{name} is for movies; {chosen.words} has none")
    if wanted.quality is not None and chosen.name != "webp":
        raise RequestError(f"--quality is for WebP; {chosen.words} has none")
    if wanted.compression != "zip" and chosen.name != "exr":
        raise RequestError(f"--compression is for EXR; {chosen.words} has none")
    if wanted.compression not in EXR_COMPRESSIONS:
        known = ", ".join(EXR_COMPRESSIONS)
        raise RequestError(f'--compression "{wanted.compression}" is not known (expected {known})')
    if chosen.kind == "animation" and (wanted.timecode or wanted.reel):
        raise RequestError(f"{chosen.words} holds no timecode and no reel; leave them out, or burn the timecode in")
    if wanted.first_number - int(wanted.slate) < 0:
        raise RequestError(
            f"the first frame number is {wanted.first_number} (expected 0 or more, 1 or more with a slate)"
        )


def _check_output(job: Job) -> None:
    """Mistakes are told before anything is written; nobody's footage is replaced by a copy of itself."""
    if job.rate is not None and job.rate <= 0:
        raise RequestError(f"rate is {job.rate} (expected frames a second above zero, such as 24 or 24000/1001)")
    if job.wanted.timecode:
        _ = job.timecode
    inputs = {file.resolve() for file in job.pictures.files}
    if job.output.resolve() in inputs:
        raise RequestError(f"{job.output}: is the input; choose another name for the output")
    if _is_one_still(job) and job.num_frames != 1:
        raise RequestError(
            f"{job.output}: {job.num_frames} frames, and many frames do not fit one still; give "
            f"{job.output.stem}.####{job.output.suffix} or a folder"
        )
    stills = {file.parent for file in inputs if file.suffix.lower() in STILL_SUFFIXES}
    if job.format.kind == "stills" and not _is_one_still(job) and _target(job).parent.resolve() in stills:
        raise RequestError(f"{_target(job).parent}: holds the input; choose another folder for the output")
