"""A delivery becomes a file, or frames of a sequence. Each holds the record of what made it, in its format's way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan import __version__
from vidgan.errors import RequestError
from vidgan.media.animations import write_animation
from vidgan.media.delivery_color import DeliveryColor, plan_color
from vidgan.media.formats import Format, format_for
from vidgan.media.movie_writer import MovieLabels, encoder_options, write_movie
from vidgan.media.sequences import continue_frame_sequence, write_frame_sequence
from vidgan.media.still_writer import EXR_COMPRESSIONS, StillLabels
from vidgan.media.stills import write_still
from vidgan.review.delivery import Delivery, Job
from vidgan.review.pictures import Pictures
from vidgan.review.trace import Record


def write_delivery(
    job: Job,
    frames: Iterable[np.ndarray],
    *,
    metadata: dict[str, str] | None = None,
    overwrite: bool = False,
    num_there: int | None = None,
) -> int:
    """Write the frames of a job, which are its own or counted ones, and return how many.

    `metadata` goes into a movie beside the record. Old frames of a sequence are replaced with `overwrite` only, unless
    `num_there` says how many of them stay: then frames get their names one by one, so that a sequence which was
    interrupted can be gone on with. All else appears whole or not at all.

    Raises `MediaError` if the output cannot hold the frames or be written, `RequestError` for old frames.
    """
    if job.format.kind == "movie":
        return _write_movie(job, frames, metadata or {})
    if job.format.kind == "animation":
        record, quality = job.record(), job.wanted.quality
        said = {"description": record.as_text(), "xmp": record.as_xmp(), "icc_profile": job.color.icc_profile}
        return write_animation(job.output, frames, rate=job.rate, quality=quality, **said)
    how = {"format": job.format.name, "labels": _still_labels(job)}
    if job.is_one_still:
        (picture,) = frames
        write_still(job.output, picture, **how)
        return 1
    if num_there is not None:
        return len(continue_frame_sequence(job.target, frames, num_there=num_there, **how).numbers)
    first_number = job.wanted.first_number - job.num_before
    return len(write_frame_sequence(job.target, frames, first_number=first_number, overwrite=overwrite, **how).numbers)


def write_pictures(path: Path, frames: Sequence[np.ndarray], *, rate: Fraction | None = None, made_by: Record) -> None:
    """Write frames uint8 [H, W, C] in memory as they are, as one file that says what made them.

    Raises `MediaError` as `write_delivery`.
    """
    chosen = format_for(path)
    pictures = Pictures(path.stem, lambda: iter(frames), len(frames), rate)
    job = Job(pictures, path, chosen, Delivery(), plan_color(DeliveryColor(), chosen), made_by)
    write_delivery(job, job)


def _write_movie(job: Job, frames: Iterable[np.ndarray], metadata: dict[str, str]) -> int:
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


def _still_labels(job: Job) -> StillLabels:
    record = job.record()
    return StillLabels(
        software=f"vidgan {__version__}",
        description=record.as_text(),
        digital_source_type=record.digital_source_type,
        xmp=record.as_xmp(),
        timecode=job.first_timecode,
        rate=job.rate,
        reel=job.wanted.reel,
        clip=job.wanted.clip or job.shot,
        pixel_aspect=job.pixel_aspect,
        chromaticities=job.color.chromaticities,
        cicp=job.color.cicp,
        icc_profile=job.color.icc_profile,
        dpx_transfer=job.color.dpx_transfer,
        compression=job.wanted.compression,
    )


def check_settings(wanted: Delivery, chosen: Format) -> None:
    """Raise `RequestError` for settings that the format has not: nothing asked for is passed over in silence."""
    if chosen.kind == "movie":
        encoder_options(chosen, wanted.crf, wanted.bitrate)
    else:
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
