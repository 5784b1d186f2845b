"""Picks as timelines for an edit: OpenTimelineIO, and an EDL in CMX 3600, one after another from 01:00:00:00.

Times count in frames of the exact rate. The media of a clip is its file from its own start timecode, or 0 if it has
none, so that a conform finds the frames either way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING

from vidgan.errors import RequestError
from vidgan.media.metadata import read_texts
from vidgan.media.timecode import DROP_FRAME_RATES, Timecode
from vidgan.review.picks import Pick, facts, one_rate

if TYPE_CHECKING:
    from opentimelineio.schema import Clip, Timeline

# What CMX 3600 has room for.
_LONGEST_REEL = 8


def otio_text(picks: Sequence[Pick], title: str) -> str:
    """The picks as an OpenTimelineIO file, with all that is known of each under `metadata["vidgan"]`."""
    otio = _library()
    return otio.adapters.write_to_string(_timeline(otio, picks, title), "otio_json")


def edl_text(picks: Sequence[Pick], title: str) -> str:
    """The picks as CMX 3600. Raises `RequestError` unless all have one rate that timecode can count."""
    otio = _library()
    rate = one_rate(picks, "an EDL")
    if not otio.opentime.RationalTime.is_smpte_timecode_rate(float(rate)):
        raise RequestError(f"an EDL cannot count {rate} frames a second (expected such as 24 or 24000/1001); use .otio")
    timeline = _timeline(otio, picks, title)
    # The adapter starts the record side at 0 whatever the timeline says: nothing, for an hour, moves it.
    lead = otio.schema.Gap(duration=timeline.global_start_time)
    timeline.tracks[0].insert(0, lead)
    for clip in timeline.find_clips():
        clip.markers.clear()  # they would become locators at the wrong frame; the note is in a comment
    return otio.adapters.write_to_string(timeline, "cmx_3600", rate=float(rate), style="nucoda")


def _library() -> ModuleType:
    try:
        import opentimelineio
        import otio_cmx3600_adapter  # noqa: F401  found by opentimelineio, if it is there
    except ImportError as error:
        raise RequestError(
            f"{error.name} is not installed, which timelines need; run: pip install 'vidgan[timelines]'"
        ) from None
    return opentimelineio


def _timeline(otio: ModuleType, picks: Sequence[Pick], title: str) -> Timeline:
    first_rate = picks[0].take.rate
    timeline = otio.schema.Timeline(title)
    one_hour = "01:00:00;00" if first_rate in DROP_FRAME_RATES else "01:00:00:00"  # where an edit begins
    start = _frames_at(one_hour, first_rate, otherwise=3600 * round(first_rate))
    timeline.global_start_time = _time(otio, start, first_rate)
    track = otio.schema.Track("picks", kind=otio.schema.TrackKind.Video)
    said = [read_texts(pick.take.path) for pick in picks]
    reels = _reel_names(picks, said)
    track.extend(_clip(otio, *of_pick) for of_pick in zip(picks, said, reels, strict=True))
    timeline.tracks.append(track)
    return timeline


def _frames_at(timecode: str, rate: Fraction, *, otherwise: int) -> int:
    """Frames since midnight; `otherwise` at a rate that cannot have this timecode, where players count from 0."""
    try:
        return Timecode.parse(timecode, rate).frame
    except RequestError:
        return otherwise


def _clip(otio: ModuleType, pick: Pick, said: dict[str, str], reel_name: str) -> Clip:
    """`said` is what the take's file says of itself."""
    take = pick.take
    start = _frames_at(said.get("timecode", ""), take.rate, otherwise=0)
    media = otio.schema.ExternalReference(
        target_url=take.path.resolve().as_uri(), available_range=_range(otio, start, take.num_frames, take.rate)
    )
    media.name = take.path.name
    clip = otio.schema.Clip(
        name=take.name,
        media_reference=media,
        source_range=_range(otio, start + pick.start, pick.num_frames, take.rate),
        metadata={"vidgan": facts(pick), "cmx_3600": {"reel": reel_name}},
    )
    if pick.note:
        clip.metadata["cmx_3600"]["comments"] = pick.note.splitlines()
        at = _range(otio, start + pick.start, 1, take.rate)
        clip.markers.append(otio.schema.Marker(name=pick.note.splitlines()[0], marked_range=at))
    return clip


def _range(otio: ModuleType, start: int, num_frames: int, rate: Fraction) -> object:
    return otio.opentime.TimeRange(_time(otio, start, rate), _time(otio, num_frames, rate))


def _time(otio: ModuleType, frames: int, rate: Fraction) -> object:
    return otio.opentime.RationalTime(frames, float(rate))


def _reel_names(picks: Sequence[Pick], said: Sequence[dict[str, str]]) -> list[str]:
    """A reel a take, up to eight letters and digits: the file's own, or its name, or else TAKE0001 and so on."""
    wished = []
    for pick, texts in zip(picks, said, strict=True):
        own = texts.get("reel_name") or pick.take.name
        fits = re.fullmatch(r"[A-Za-z0-9]{1,8}", own)
        wished.append(own if fits else None)
    return [
        name if name and wished.count(name) == 1 else f"TAKE{number:04d}" for number, name in enumerate(wished, start=1)
    ]
