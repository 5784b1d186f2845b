"""From red, green and blue to the pixels of a codec: matrix and range are stated, and every frame says what it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc, VideoReformatter

from vidgan.media.color import EXACT, MATRICES, PRIMARIES, SCALER_MATRICES, TRANSFERS, ColorTags
from vidgan.media.levels import as_levels

REC_709 = ColorTags("bt709", "bt709", "bt709", "tv")

# The scaler's white in 16 bits: it takes 16 bits for 8 that were shifted up.
_WHITE_OF_16_BITS = 255 << 8

# Frames that are being converted while one is encoded.
_AHEAD = 2

_PRIMARIES = {name: ColorPrimaries(number) for number, name in PRIMARIES.items()}
_TRANSFERS = {name: ColorTrc(number) for number, name in TRANSFERS.items()}


@dataclass(frozen=True)
class FrameEncoder:
    """Turns pictures into frames of one pixel format, with one matrix and range; one a movie.

    Measured on flat colours, a number is at most 0.9 of a level from its definition (ITU-R BT.709-6, item 3.5).
    """

    pixel_format: str
    tags: ColorTags = REC_709
    matrix: str = "bt709"
    """A name of `vidgan.media.color.SCALER_MATRICES`."""
    full_range: bool = False
    """Whether a YUV format uses all its numbers."""
    _scaler: VideoReformatter = field(default_factory=VideoReformatter)

    def frame(self, picture: np.ndarray) -> av.VideoFrame:
        """uint8 [H, W, 3], or float32 0..1 of that shape -> a tagged frame: limited range, full where it is RGB."""
        return self._converted(self._loaded(picture))

    def frames(self, pictures: Iterable[np.ndarray]) -> Iterator[av.VideoFrame]:
        """The frames of pictures, in order, each converted while those before it are encoded."""
        with ThreadPoolExecutor(max_workers=1) as converter:
            ahead: deque[Future[av.VideoFrame]] = deque()
            for picture in pictures:
                ahead.append(converter.submit(self._converted, self._loaded(picture)))
                if len(ahead) > _AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _loaded(self, picture: np.ndarray) -> av.VideoFrame:
        """A copy, so that whoever made the picture may use its memory again."""
        eight_bits = picture.dtype == np.uint8 or not self.is_yuv
        levels = as_levels(picture, 255 if eight_bits else _WHITE_OF_16_BITS)
        return av.VideoFrame.from_ndarray(levels, format="rgb24" if eight_bits else "rgb48le")

    def _converted(self, frame: av.VideoFrame) -> av.VideoFrame:
        if not self.is_yuv:
            return self._tagged(self._scaler.reformat(frame, format=self.pixel_format))
        frame = self._scaler.reformat(
            frame,
            format=self.pixel_format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=SCALER_MATRICES[self.matrix],
            dst_color_range=ColorRange.JPEG if self.full_range else ColorRange.MPEG,
            interpolation=EXACT,
        )
        return self._tagged(frame)

    @property
    def is_yuv(self) -> bool:
        """Whether a matrix is applied."""
        return self.pixel_format.startswith("yuv")

    def tag(self, context: av.VideoCodecContext) -> None:
        """Tell the encoder what it will encode: an untagged HD file is decoded as Rec.601 by some programs."""
        if self.is_yuv:
            context.colorspace = next(number for number, name in MATRICES.items() if name == self.matrix)
        context.color_range = ColorRange.MPEG if self.is_yuv and not self.full_range else ColorRange.JPEG
        self._tagged(context)

    def _tagged(self, target: av.VideoFrame | av.VideoCodecContext) -> av.VideoFrame | av.VideoCodecContext:
        target.color_primaries = _PRIMARIES.get(self.tags.primaries, ColorPrimaries.UNSPECIFIED)
        target.color_trc = _TRANSFERS.get(self.tags.transfer, ColorTrc.UNSPECIFIED)
        return target
