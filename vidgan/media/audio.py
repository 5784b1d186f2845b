"""A scratch track: the sound of any file beside silent pictures, cut or looped to their length."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidgan.errors import MediaError, RequestError

SAMPLE_RATE = 48000
_FORM = {"format": "s16", "layout": "stereo"}

# What each container's players can hear.
_CODECS = {".mp4": "aac", ".mov": "pcm_s16le", ".mkv": "flac"}


def decoded_sound(path: str | Path) -> Iterator[av.AudioFrame]:
    """The sound of a file from its beginning, 16-bit stereo at 48 kHz.

    Raises `RequestError` if there is no such file, `MediaError` if it holds no sound or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise RequestError(f"--audio {path}: no such file (expected a movie or a file of sound)")
    resampler = av.AudioResampler(rate=SAMPLE_RATE, **_FORM)
    try:
        with av.open(path) as container:
            if not container.streams.audio:
                raise MediaError(f"{path}: has no sound; choose another file for --audio")
            for frame in container.decode(container.streams.audio[0]):
                frame.pts = None
                yield from resampler.resample(frame)
            yield from resampler.resample(None)
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise MediaError(f"{path}: its sound cannot be read ({getattr(error, 'strerror', 'damaged')})") from None


class ScratchTrack:
    """The sound beside a movie that is being written, fed as its frames come."""

    def __init__(
        self,
        path: str | Path,
        container: av.container.OutputContainer,
        suffix: str,
        rate: Fraction,
        silent_frames: int = 0,
    ) -> None:
        self._path, self._rate, self._container = path, rate, container
        self._sound = decoded_sound(path)
        self._queue = av.AudioFifo()
        if silence := int(silent_frames * SAMPLE_RATE / rate):
            samples = np.zeros((1, 2 * silence), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, **_FORM)
            frame.sample_rate = SAMPLE_RATE
            self._queue.write(frame)
        self._heard = False
        self._written = 0
        self._stream = container.add_stream(_CODECS[suffix], rate=SAMPLE_RATE, layout="stereo")
        if suffix == ".mp4":
            self._stream.bit_rate = 192_000

    def write_until(self, num_frames: int) -> None:
        """Write the sound up to the end of frame `num_frames`, counted from 1."""
        wanted = int(num_frames * SAMPLE_RATE / self._rate) - self._written
        while self._queue.samples < wanted:
            self._refill()
        chunk = self._queue.read(wanted)
        if chunk is None:
            return
        chunk.pts, chunk.time_base = self._written, Fraction(1, SAMPLE_RATE)
        self._container.mux(self._stream.encode(chunk))
        self._written += wanted

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))

    def _refill(self) -> None:
        frame = next(self._sound, None)
        if frame is None:
            if not self._heard:
                raise MediaError(f"{self._path}: holds no sound; choose another file for --audio")
            self._sound, self._heard = decoded_sound(self._path), False
            return
        frame.pts = None
        self._heard = True
        self._queue.write(frame)
