"""Movies that are changed in places: what is not changed reaches the encoder as the decoder gave it.

A movie is decoded twice: as pictures in its own colours (matrix and range undone, primaries and transfer as they are),
and raw, when it is written: planes in the pixel format of the source where the encoder has it, else in the format's own
(`vidgan.media.formats`). A chroma sample is changed where all pixels that share it are in the hole. Timestamps, tags,
timecode, reel and metadata are the source's; its sound is copied packet for packet where the container holds it, and
else encoded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from einops import reduce

from vidgan.errors import MediaError
from vidgan.files import written_beside
from vidgan.media.color import EXACT, RgbDecoder, color_tags, is_full_range, matrix_for_decoding
from vidgan.media.decoding import DecodingError, decoded, open_movie
from vidgan.media.encoding import FrameEncoder
from vidgan.media.formats import Codec, Format, check_size
from vidgan.media.metadata import read_texts
from vidgan.media.planes import copied, is_known, most_of, planes, put_rgb, rgb_of, with_known_planes
from vidgan.media.plate_stills import Change
from vidgan.media.sound import SoundOf

# The format that a codec is written as, where the container is right; ProRes 4444 holds alpha or full chroma.
_OF_CODEC = {"h264": "h264", "hevc": "hevc", "av1": "av1", "dnxhd": "dnxhr_hq", "ffv1": "ffv1"}
# DNxHR names what it holds by its profile.
_DNXHR_PROFILES = {"yuv422p10le": "dnxhr_hqx", "yuv444p10le": "dnxhr_444"}
# What a container says of itself, which the next one says for itself.
_OF_CONTAINER = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "timecode", "reel_name"}


def format_of_movie(codec: str, pixel_format: str) -> str | None:
    """The name of the format that a movie is written in to stay what it is; None if there is none."""
    if codec == "prores":
        return "prores4444" if "444" in pixel_format else "prores422hq"
    return _OF_CODEC.get(codec)


def read_plate_movie(path: Path, *, start: int = 0) -> Iterator[np.ndarray]:
    """Yield pictures float32 [H, W, 3] 0..1 of the frames from index `start` on, in the movie's own colours, as stored.

    Raises `MediaError` as `read_movie`.
    """
    decoder = RgbDecoder()
    for index, frame in enumerate(_raw_frames(path)):
        if index >= start:
            yield _picture(frame, decoder)


def pixel_format_of(path: Path) -> str:
    """As FFmpeg calls it, of the first frame."""
    return next(_raw_frames(path)).format.name


def write_plate_movie(
    source: Path, target: Path, changes: Iterable[Change | None], chosen: Format, rate: Fraction | None
) -> tuple[str, ...]:
    """Write a movie with a change for each of its frames, whole or not at all; returns what was not kept, in words.

    `rate` is exact, or None where it varies: then the source's timestamps are kept as they are, rounded as they may be.
    Raises `MediaError` if the source cannot be read or the target cannot be written or hold such pictures.
    """
    try:
        with written_beside(target) as beside:
            options = {"movflags": "+faststart+use_metadata_tags"} if chosen.is_quicktime else {}
            with av.open(beside, "w", options=options) as out, av.open(source) as told:
                kept = {key: text for key, text in told.metadata.items() if key.lower() not in _OF_CONTAINER}
                out.metadata.update(kept)
                return _write(source, target, out, changes, chosen, rate)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{target}: cannot be written ({error.strerror})") from None


def _raw_frames(path: Path) -> Iterator[av.VideoFrame]:
    with open_movie(path) as (container, stream):
        num_frames = 0
        try:
            for frame in decoded(container.decode(stream)):
                yield frame
                num_frames += 1
        except DecodingError as error:
            raise MediaError(f"{path}: decoding fails after {num_frames} frames: {error}") from None


def _write(
    source: Path,
    target: Path,
    out: av.container.OutputContainer,
    changes: Iterable[Change | None],
    chosen: Format,
    rate: Fraction | None,
) -> tuple[str, ...]:
    with open_movie(source) as (_, told):
        about, aspect, ticks = rate or told.average_rate, told.sample_aspect_ratio, told.time_base
    stream = plates = sound = None
    first = Fraction(0)
    for index, (frame, change) in enumerate(zip(_raw_frames(source), changes, strict=True)):
        if plates is None:
            check_size(target, chosen, frame.width, frame.height)
            plates = PlateFrames(frame, chosen.codec)
            stream = _stream(out, plates, frame, chosen, about)
            stream.codec_context.sample_aspect_ratio = aspect or Fraction(1)
            stream.codec_context.time_base = ticks if rate is None else 1 / rate
            first = Fraction(0) if frame.pts is None else frame.pts * frame.time_base
            _name_reel(stream, source)
            sound = SoundOf(source, out, target.suffix.lower(), about)
        result = plates.changed(frame, change)
        if rate is None:
            result.pts, result.time_base = frame.pts, frame.time_base
        else:
            result.pts, result.time_base = round(first * rate) + index, 1 / rate
        sound.write_until(result.pts * result.time_base, index)
        out.mux(stream.encode(result))
    out.mux(stream.encode(None))
    sound.finish()
    return (*plates.notes, *sound.notes)


def _stream(
    out: av.container.OutputContainer, plates: PlateFrames, frame: av.VideoFrame, chosen: Format, rate: Fraction
) -> av.VideoStream:
    codec, options = chosen.codec, dict(chosen.codec.options)
    if codec.crf:
        options["crf"] = str(codec.crf[0] // 2)  # finer than for review: most of it should be as it was
    options = codec.with_care(options, frame.width, few=True)  # how many there are is not known yet
    if codec.encoder == "dnxhd":
        options["profile"] = _DNXHR_PROFILES.get(plates.pixel_format, options["profile"])
    stream = out.add_stream(codec.encoder, rate=rate, options=options)
    stream.pix_fmt, stream.width, stream.height = plates.pixel_format, frame.width, frame.height
    if codec.crf is None:
        stream.codec_context.thread_count = 0
    if codec.tag:
        stream.codec_context.codec_tag = codec.tag
    plates.encoder.tag(stream.codec_context)
    return stream


def _name_reel(stream: av.VideoStream, source: Path) -> None:
    texts = read_texts(source)
    stream.metadata.update({name: texts[name] for name in ("timecode", "reel_name") if name in texts})


class PlateFrames:
    """Puts changes into the planes of the frames of one movie."""

    def __init__(self, first: av.VideoFrame, codec: Codec) -> None:
        known = with_known_planes(first)
        self.pixel_format = _pixel_format(known.format, codec)
        self.notes = ()
        if self.pixel_format != known.format.name:
            self.notes = (f"its pixels are {first.format.name}, and are written as {self.pixel_format}",)
        matrix = matrix_for_decoding(first)
        self.encoder = FrameEncoder(
            self.pixel_format, color_tags(first), "bt709" if matrix == "gbr" else matrix, is_full_range(first)
        )
        self._decoder, self._scaler = RgbDecoder(), VideoReformatter()

    def changed(self, frame: av.VideoFrame, change: Change | None) -> av.VideoFrame:
        """A frame in the output's pixel format, with the change in its planes."""
        known = with_known_planes(frame)
        result = self._scaler.reformat(known, format=self.pixel_format, interpolation=EXACT)
        if change is None:
            return result
        result = copied(result)
        made = planes(self._frame_of(change.picture, result))
        before = planes(self._frame_of(_picture(frame, self._decoder), result)) if change.hole is None else None
        alpha = len(planes(result)) - 1 if "yuva" in self.pixel_format else None
        for number, plane in enumerate(planes(result)):
            if number == alpha:
                continue
            if before is None:
                where = _shared(change.hole, plane.shape[:2])
                plane[where] = made[number][where]
            else:
                moved = plane.astype(np.int32) + made[number] - before[number]
                plane[:] = moved.clip(0, most_of(result))
        return result

    def _frame_of(self, picture: np.ndarray, like: av.VideoFrame) -> av.VideoFrame:
        """float32 [H, W, 3] 0..1 -> a frame of the output's pixel format; its alpha is that of `like`."""
        if self.encoder.is_yuv:
            return self.encoder.frame(picture)
        made = copied(like)
        put_rgb(picture, made)
        return made


def _picture(frame: av.VideoFrame, decoder: RgbDecoder) -> np.ndarray:
    if matrix_for_decoding(frame) == "gbr":
        return rgb_of(with_known_planes(frame))
    return decoder.code_values(frame)


def _pixel_format(form: av.VideoFormat, codec: Codec) -> str:
    """The source's own where the encoder has it; else what the format is written in, with alpha if there is some."""
    encodable = {each.name for each in av.codec.Codec(codec.encoder, "w").video_formats}
    if form.name in encodable and is_known(form.name):
        return form.name
    with_alpha = codec.pixel_format.replace("yuv", "yuva")
    if any(component.is_alpha for component in form.components) and with_alpha in encodable:
        return with_alpha
    return codec.pixel_format


def _shared(hole: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """bool [H, W] -> [h, w] of a plane with fewer samples: where all pixels that share one are in the hole."""
    height, width = hole.shape
    rows, columns = -(-height // shape[0]), -(-width // shape[1])
    padded = np.pad(hole, ((0, rows * shape[0] - height), (0, columns * shape[1] - width)), constant_values=True)
    return reduce(padded, "(h y) (w x) -> h w", "min", y=rows, x=columns)
