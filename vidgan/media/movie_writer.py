"""Movies out: what `vidgan.media.formats` lists as one, at an exact rate and tagged with what it is.

    .mp4   H.264, HEVC or AV1: 4:2:0, limited range, colour tags, index at the front
    .mov   ProRes 422 HQ and 4444, DNxHR HQ; a timecode track with the name of the reel
    .mkv   FFV1 in RGB: every level comes back as it was

The encoder sees one frame at a time, and the file appears under its name when it is whole.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np

from vidgan.errors import MediaError, RequestError
from vidgan.files import written_beside
from vidgan.media.audio import ScratchTrack
from vidgan.media.color import ColorTags
from vidgan.media.encoding import REC_709, FrameEncoder
from vidgan.media.formats import FEW, Format, check_size, format_for, more_options, suffixes_of
from vidgan.media.levels import as_rgb
from vidgan.media.timecode import Timecode
from vidgan.media.xmp import append_to_mp4


@dataclass(frozen=True)
class MovieLabels:
    """What a movie says of itself beside its pictures."""

    color: ColorTags = REC_709
    timecode: Timecode | None = None
    """Of the first frame."""
    reel: str | None = None
    clip: str | None = None
    """Its name, which containers call the title."""
    metadata: dict[str, str] | None = None
    """Kept under its own keys."""
    xmp: bytes | None = None
    """An XMP packet; MP4 and MOV hold it."""

    def tags(self) -> dict[str, str]:
        """Keys and values for the container."""
        named = {"title": self.clip, "reel_name": self.reel}
        return {key: value for key, value in named.items() if value} | (self.metadata or {})


def write_movie(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    rate: Fraction,
    format: str | None = None,
    crf: int | None = None,
    bitrate: int | None = None,
    pixel_aspect: Fraction = Fraction(1),
    metadata: dict[str, str] | None = None,
    labels: MovieLabels | None = None,
    audio: str | Path | None = None,
    silent_frames: int = 0,
) -> int:
    """Write frames [H, W, 3] or [H, W, 1], uint8 or 0..1 in floating point, all of one size; returns how many.

    `format` is a name of `vidgan.media.formats`; the suffix decides without one. `crf` is the quality of H.264, HEVC
    and AV1: 0 is the best, 16 cannot be told from the source by eye. `bitrate`, bits a second, is met in two passes,
    for which `frames` must be something that can be gone through twice. `pixel_aspect` is the width of a pixel over
    its height. `metadata` is short for `MovieLabels(metadata=...)`. The sound of the file `audio` begins after
    `silent_frames` frames and is cut or looped to the length of the pictures.

    Raises `MediaError` for an unknown suffix, for no frames, for a size that changes or that the codec cannot hold,
    and where writing fails; `RequestError` for a quality, bit rate or rate out of range, or one the codec has not. On
    any error `path` is left as it was.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes_of("movie"):
        known = ", ".join(suffixes_of("movie"))
        raise MediaError(f"{path}: a movie cannot be written as {path.suffix!r} (expected {known})")
    chosen = format_for(path, format)
    quality = encoder_options(chosen, crf, bitrate)
    if rate <= 0:
        raise RequestError(f"rate is {rate} (expected frames a second above zero, such as 24 or 24000/1001)")
    if pixel_aspect != 1 and not chosen.is_quicktime:
        raise MediaError(f"{path}: Matroska is written with square pixels only, these are {pixel_aspect}; write .mp4")
    labels = labels or MovieLabels(metadata=metadata)
    write = _Writing(path, chosen, rate, pixel_aspect, labels, audio, silent_frames)
    try:
        if bitrate is None:
            return write.whole(frames, quality)
        with tempfile.TemporaryDirectory() as folder:
            key = chosen.codec.two_pass_key
            write.nothing(frames, more_options(quality, key, f"pass=1:stats={folder}/stats"))
            return write.whole(frames, more_options(quality, key, f"pass=2:stats={folder}/stats"))
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror})") from None


def encoder_options(chosen: Format, crf: int | None, bitrate: int | None) -> dict[str, str]:
    """The encoder's options, those that the quality asked for means included."""
    codec = chosen.codec
    if codec.crf is None and (crf is not None or bitrate is not None):
        asked = "crf" if crf is not None else "bitrate"
        raise RequestError(f"{chosen.words} has one quality; leave out --{asked}")
    if bitrate is not None:
        if crf is not None:
            raise RequestError("--crf and --bitrate contradict each other; leave out one")
        if codec.two_pass_key is None:
            raise RequestError(f"{chosen.words} is written by quality alone; use --crf instead of --bitrate")
        if bitrate < 1000:
            raise RequestError(f"bitrate is {bitrate} bits a second (expected one such as 8M)")
        return dict(codec.options) | {"b": str(bitrate)}
    if codec.crf is None:
        return dict(codec.options)
    usual, worst = codec.crf
    crf = usual if crf is None else crf
    if not 0 <= crf <= worst:
        raise RequestError(f"crf is {crf} (expected 0, the best, to {worst}, the worst)")
    return dict(codec.options) | {"crf": str(crf)}


@dataclass(frozen=True)
class _Writing:
    """One movie on its way."""

    path: Path
    format: Format
    rate: Fraction
    pixel_aspect: Fraction
    labels: MovieLabels
    audio: str | Path | None
    silent_frames: int

    def whole(self, frames: Iterable[np.ndarray], options: dict[str, str]) -> int:
        """The file, under its name when it is done."""
        first, pictures, options = self._checked(frames, options)
        with written_beside(self.path) as beside:
            with av.open(beside, "w", options=self._container_options()) as out:
                out.metadata.update(self.labels.tags())
                num_frames = self._encode(out, first, pictures, options)
            if self.labels.xmp and self.format.is_quicktime:
                append_to_mp4(beside, self.labels.xmp)
        return num_frames

    def nothing(self, frames: Iterable[np.ndarray], options: dict[str, str]) -> None:
        """The first of two passes: what is encoded is measured and thrown away."""
        if iter(frames) is frames:
            raise RequestError("two passes need frames that can be gone through twice; state --crf")
        first, pictures, options = self._checked(frames, options)
        with av.open("nowhere", "w", format="null") as out:
            self._encode(out, first, pictures, options, with_sound=False)

    def _checked(
        self, frames: Iterable[np.ndarray], options: dict[str, str]
    ) -> tuple[np.ndarray, Iterator[np.ndarray], dict[str, str]]:
        """The first picture, all of them, and the options; a size that does not fit is found before there is a file."""
        frames = (as_rgb(frame) for frame in frames)
        head = list(islice(frames, FEW + 1))
        if not head:
            raise MediaError(f"{self.path}: there are no frames to write")
        check_size(self.path, self.format, head[0].shape[1], head[0].shape[0])
        options = self.format.codec.with_care(options, head[0].shape[1], few=len(head) <= FEW)
        return head[0], _same_size(self.path, chain(head, frames)), options

    def _container_options(self) -> dict[str, str]:
        """Without use_metadata_tags MP4 drops every key it does not know, without a word."""
        if not self.format.is_quicktime:
            return {}
        return {"movflags": "+faststart+use_metadata_tags" if self.labels.tags() else "+faststart"}

    def _encode(
        self,
        out: av.container.OutputContainer,
        first: np.ndarray,
        pictures: Iterator[np.ndarray],
        options: dict[str, str],
        *,
        with_sound: bool = True,
    ) -> int:
        encoder = FrameEncoder(self.format.codec.pixel_format, self.labels.color)
        stream = self._add_stream(out, encoder, first, options)
        track = None
        if self.audio is not None and with_sound:
            track = ScratchTrack(self.audio, out, self.path.suffix.lower(), self.rate, self.silent_frames)
        num_frames = num_packets = 0
        for frame in encoder.frames(pictures):
            frame.pts, frame.time_base = num_frames, 1 / self.rate
            num_packets += _mux(out, stream.encode(frame))
            num_frames += 1
            if track:
                track.write_until(num_frames)
        num_packets += _mux(out, stream.encode(None))
        if track:
            track.finish()
        if num_packets != num_frames:
            raise MediaError(f"{self.path}: the encoder gave {num_packets} pictures for {num_frames} frames")
        return num_frames

    def _add_stream(
        self, out: av.container.OutputContainer, encoder: FrameEncoder, first: np.ndarray, options: dict[str, str]
    ) -> av.VideoStream:
        codec = self.format.codec
        os.environ.setdefault("SVT_LOG", "1")  # errors alone: what else SVT-AV1 prints runs into the progress bar
        stream = out.add_stream(codec.encoder, rate=self.rate, options=options)
        stream.pix_fmt = codec.pixel_format
        stream.height, stream.width = first.shape[:2]
        context = stream.codec_context
        context.sample_aspect_ratio = self.pixel_aspect
        if codec.crf is None:  # the others choose for themselves
            context.thread_count = 0
        if codec.tag:
            context.codec_tag = codec.tag
        encoder.tag(context)
        if self.labels.timecode is not None:
            stream.metadata["timecode"] = str(self.labels.timecode)
        if self.labels.reel:
            stream.metadata["reel_name"] = self.labels.reel
        return stream


def _mux(out: av.container.OutputContainer, packets: list[av.Packet]) -> int:
    out.mux(packets)
    return len(packets)


def _same_size(path: Path, pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    size = None
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        if size not in (None, (width, height)):
            raise MediaError(
                f"{path}: frame {index} is {width}x{height}, those before are {size[0]}x{size[1]} (width x height); "
                "a movie has one size"
            )
        size = (width, height)
        yield picture
