"""What a frame sequence holds: every still is read once, looked at and counted."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

from vidgan.config import DataConfig
from vidgan.errors import MediaError
from vidgan.footage.folder import relative
from vidgan.footage.look import FrameWatcher, content_hash, small_still
from vidgan.footage.parts import kept_parts
from vidgan.footage.shots import Color, Note, Scan, Shot, class_of, note_on
from vidgan.media.read_as import ReadAs
from vidgan.media.sequences import FrameSequence
from vidgan.media.stills import StillHeader, read_still


def scan_stills(sequence: FrameSequence, root: Path, data: DataConfig) -> Generator[float, None, Scan]:
    """Split a frame sequence into shots where a number is missing, a still cannot be read or its size changes.

    Runs in a worker process and yields the share that is done, 0 to 1.
    """
    source = relative(sequence.folder / sequence.pattern, root)
    read_as = ReadAs.stated(data, source)
    notes: list[Note] = []
    began = time.monotonic()
    headers: dict[int, StillHeader] = {}
    starts: list[int] = []
    num_cleaned, num_cleaned_stills = 0, 0
    watcher = FrameWatcher(cuts=data.cuts, cut_threshold=data.cut_threshold)
    for done, (number, path) in enumerate(zip(sequence.numbers, sequence.paths(), strict=True), start=1):
        try:
            still = read_still(path, read_as)
        except MediaError as error:
            notes.append(note_on(relative(path, root), error, root))
        else:
            if not _continues(headers, number, still.header):
                starts.append(len(headers))
                watcher.restart()
            headers[number] = still.header
            watcher.see(small_still(still.rgb), still.digest)
            num_cleaned += still.num_cleaned
            num_cleaned_stills += still.num_cleaned > 0
        yield done / len(sequence.numbers)
    if not headers:
        return Scan(shots=(), notes=tuple(notes))
    looks = watcher.result()
    frame_seconds = (time.monotonic() - began) / max(len(headers), 1)
    runs = [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(headers)], strict=True)]
    parts, left_out = kept_parts(runs, looks, data)
    notes += [Note(source=source, reason=reason) for reason in left_out]
    about = []
    if sequence.missing():
        about.append(f"{len(sequence.missing())} frame numbers are missing")
    if len({(header.height, header.width) for header in headers.values()}) > 1:
        about.append("part of a frame sequence of more than one size")
    if looks.cuts:
        about.append(f"part of a frame sequence with {len(looks.cuts)} {'cut' if len(looks.cuts) == 1 else 'cuts'}")
    if num_cleaned:
        about.append(f"{num_cleaned} pixels in {num_cleaned_stills} stills were no numbers or infinite, cleaned")
    numbers = list(headers)
    shots = []
    for part in parts:
        first = numbers[part.start]
        header = headers[first]
        shots.append(
            Shot(
                source=source,
                kind="stills",
                first=first,
                num_frames=len(part),
                source_frames_counted=len(headers),
                rate=None,
                height=header.height,
                width=header.width,
                pixel_aspect=header.pixel_aspect,
                codec=header.format,
                bit_depth=header.bit_depth,
                color=Color(read_as=header.color_space),
                padding=sequence.padding,
                class_name=class_of(source),
                content_hash=content_hash(looks.digests, part.start, part.stop),
                scan_seconds=round(frame_seconds * len(part), 3),
                notes=(*about, *header.notes),
            )
        )
    return Scan(shots=tuple(shots), notes=tuple(notes))


def _continues(headers: dict[int, StillHeader], number: int, header: StillHeader) -> bool:
    """Whether a still can follow those before it in a shot."""
    before = headers.get(number - 1)
    return before is not None and (before.height, before.width, before.pixel_aspect) == (
        header.height,
        header.width,
        header.pixel_aspect,
    )
