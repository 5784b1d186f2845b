"""The sound of a movie, carried into another as it is: packets are copied where the container holds their codec."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from vidgan.media.audio import ScratchTrack


class SoundOf:
    """All sound of `source`, written into `out` beside its pictures as they come."""

    def __init__(self, source: Path, out: av.container.OutputContainer, suffix: str, rate: Fraction) -> None:
        self._out, self._anew, self.notes = out, None, ()
        self._container = av.open(source)
        told = self._container.streams.audio
        if all(stream.codec_context.name in out.supported_codecs for stream in told):
            self._streams = {stream.index: out.add_stream_from_template(stream) for stream in told}
        else:
            self._streams = {}
            self._anew = ScratchTrack(source, out, suffix, rate)
            names = ", ".join(stream.codec_context.name for stream in told)
            self.notes = (f"its sound is {names}, which {suffix} does not hold: the first track is encoded anew",)
        self._packets = self._copies()
        self._next = next(self._packets, None)

    def write_until(self, seconds: Fraction, index: int) -> None:
        """Write what is heard before the frame with this timestamp and index."""
        if self._anew:
            self._anew.write_until(index + 1)
        while self._next is not None and self._next.pts * self._next.time_base <= seconds:
            self._write()

    def finish(self) -> None:
        """Write the rest: sound may be longer than pictures."""
        if self._anew:
            self._anew.finish()
        while self._next is not None:
            self._write()
        self._container.close()

    def _write(self) -> None:
        self._out.mux(self._next)
        self._next = next(self._packets, None)

    def _copies(self) -> Iterator[av.Packet]:
        if not self._streams:
            return
        for packet in self._container.demux(*(self._container.streams[index] for index in self._streams)):
            if packet.pts is not None:
                packet.stream = self._streams[packet.stream.index]
                yield packet
