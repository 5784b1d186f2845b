"""What a movie holds: every frame is decoded once, looked at and counted."""

from __future__ import annotations

import time
from collections.abc import Generator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from vidgan.config import DataConfig
from vidgan.errors import MediaError
from vidgan.footage.folder import relative
from vidgan.footage.look import SMALL_SIDE, FrameWatcher, content_hash
from vidgan.footage.parts import kept_parts
from vidgan.footage.shots import Color, Note, Scan, Shot, class_of, note_on
from vidgan.media.movies import MovieHeader, read_header, read_movie
from vidgan.media.read_as import ReadAs
from vidgan.media.timestamps import num_frames_missing_at_end, rate_from_timestamps, split_at_gaps

_FRAMES_PER_REPORT = 10


def scan_movie(path: Path, root: Path, data: DataConfig, num_threads: int) -> Generator[float, None, Scan]:
    """Split a movie into shots at its gaps and cuts; decodes on `num_threads` threads.

    Runs in a worker process and yields the share that is done, 0 to 1. If decoding fails, the frames before are kept.
    """
    source = relative(path, root)
    read_as = ReadAs.stated(data, source)
    notes: list[Note] = []
    began = time.monotonic()
    seconds: list[Fraction | None] = []
    watcher = FrameWatcher(cuts=data.cuts, cut_threshold=data.cut_threshold)
    try:
        header = read_header(path)
        for frame in read_movie(path, read_as=read_as, deinterlace=False, num_threads=num_threads):
            if frame.index == 0:
                frame.rgb()  # whether its colours can be read
            watcher.see(frame.small(SMALL_SIDE), frame.digest())
            seconds.append(frame.seconds)
            if frame.index % _FRAMES_PER_REPORT == 0:
                yield min(1.0, len(seconds) / header.num_frames) if header.num_frames else 0.0
    except MediaError as error:
        notes.append(note_on(source, error, root))
    if not seconds:
        return Scan(shots=(), notes=tuple(notes))
    rate = rate_from_timestamps(seconds, header.rate)
    missing = num_frames_missing_at_end(seconds, rate, header.seconds)
    if missing and not notes:
        reason = f"its end is missing: about {missing} more frames were promised after {len(seconds)}"
        notes.append(Note(source=source, reason=reason))
    looks = watcher.result()
    frame_seconds = (time.monotonic() - began) / max(len(seconds), 1)
    runs = split_at_gaps(seconds, rate)
    parts, left_out = kept_parts(runs, looks, data)
    notes += [Note(source=source, reason=reason) for reason in left_out]
    about = _about_movie(header, read_as, num_gaps=len(runs) - 1, num_cuts=len(looks.cuts), rest_missing=bool(missing))
    by_time = header.seekable and None not in seconds and all(earlier < later for earlier, later in pairwise(seconds))
    varies = rate is None and None not in seconds
    if varies:
        about.append("its rate varies, resampled by its timestamps")
    elif rate is None:
        about.append("has no timestamps: set data.rate")
    shots = [
        Shot(
            source=source,
            kind="movie",
            first=part.start,
            num_frames=len(part),
            source_frames_header=header.num_frames,
            source_frames_counted=len(seconds),
            rate=rate,
            timestamps=tuple(seconds[index] - seconds[part.start] for index in part) if varies else None,
            start=seconds[part.start] if by_time and _is_regular(seconds, part, rate) else None,
            height=header.height,
            width=header.width,
            pixel_aspect=header.pixel_aspect,
            codec=header.codec,
            bit_depth=header.bit_depth,
            color=Color(
                primaries=header.color.primaries,
                transfer=header.color.transfer,
                matrix=header.color.matrix,
                range=header.color.range,
                read_as=read_as.color_space or header.matrix,
            ),
            class_name=class_of(source),
            content_hash=content_hash(looks.digests, part.start, part.stop),
            scan_seconds=round(frame_seconds * len(part), 3),
            notes=tuple(about),
        )
        for part in parts
    ]
    return Scan(shots=tuple(shots), notes=tuple(notes))


def _is_regular(seconds: list[Fraction], part: range, rate: Fraction | None) -> bool:
    """Whether each frame lies less than half a frame period from its moment; where the rate varies all are listed."""
    if rate is None:
        return True
    start, half = seconds[part.start], Fraction(1, 2) / rate
    return all(abs(seconds[index] - start - (index - part.start) / rate) < half for index in part)


def _about_movie(
    header: MovieHeader, read_as: ReadAs, *, num_gaps: int, num_cuts: int, rest_missing: bool
) -> list[str]:
    """What is worth knowing of a movie's shots."""
    about = []
    if num_cuts:
        about.append(f"part of a movie with {num_cuts} {'cut' if num_cuts == 1 else 'cuts'}")
    if num_gaps:
        about.append(f"part of a movie with {num_gaps} {'gap' if num_gaps == 1 else 'gaps'} in time")
    if rest_missing:
        about.append("part of a movie that is damaged or cut off")
    if read_as.color_space:
        about.append(f"colours are read as {read_as.color_space}, as the config states")
    elif header.color.matrix is None and header.matrix != "gbr":
        about.append(f"colours are untagged, read as {header.matrix}")
    if header.color.transfer in ("smpte2084", "arib-std-b67") and not read_as.color_space:
        about.append(f"high dynamic range ({header.color.transfer}), brought to Rec.709")
    if header.interlaced:
        about.append("interlaced, made whole with bwdif")
    if header.orientation.degrees or header.orientation.mirrored:
        mirrored = ", mirrored" if header.orientation.mirrored else ""
        about.append(f"turned by {header.orientation.degrees} degrees{mirrored}, as its header says")
    if header.num_streams > 1:
        about.append(f"has {header.num_streams} video streams, the main one is read")
    if header.transparent:
        about.append("transparent, laid over data.background")
    return about
