"""Whole pictures from interlaced ones, which hold two moments in alternate rows.

FFmpeg's bwdif (Bob Weaver, by Thomas Mundt, after the BBC's w3fdif and yadif) fills the rows of the second moment
from the first and its neighbours in time: one picture in, one picture out, none added and none lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import av

from vidgan.errors import MediaError

_BWDIF = "mode=send_frame:parity=auto:deint=interlaced"


def deinterlaced(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The same frames in the same order, those that are interlaced made whole; timestamps are kept.

    A frame is made from itself, the one before and the one after. Progressive movies pass untouched: the filter
    begins at the first interlaced frame. An error in `frames` is raised after the frames before it.
    """
    for frame in frames:
        if frame.interlaced_frame:
            yield from _filtered(frame, frames)
            return
        yield frame


def _filtered(first: av.VideoFrame, rest: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    graph = _graph(first)
    timestamps: deque[tuple[int | None, object]] = deque()
    frame, error = first, None
    while frame is not None:
        timestamps.append((frame.pts, frame.time_base))
        graph.push(frame)
        yield from _finished(graph, timestamps)
        try:
            frame = next(rest, None)
        except MediaError as raised:
            frame, error = None, raised
    graph.push(None)
    yield from _finished(graph, timestamps)
    if error is not None:
        raise error


def _graph(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    bwdif, sink = graph.add("bwdif", _BWDIF), graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _finished(graph: av.filter.Graph, timestamps: deque[tuple[int | None, object]]) -> Iterator[av.VideoFrame]:
    """What the filter has ready, with its own timestamps back: it counts in halves of a tick."""
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        frame.pts, frame.time_base = timestamps.popleft()
        yield frame
