"""Stills in and out: PNG, JPEG and GIF. Their content decides what they are, not their name.

EXR, DPX and TIFF will come through OpenImageIO beside this, and 16-bit PNG with them; until then FFmpeg reads
16-bit PNG, because Pillow would cut the lower 8 bits off instead of rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
from PIL import Image

from vidgan.errors import MediaError
from vidgan.files import written_beside

STILL_SUFFIXES = (".png", ".jpg", ".jpeg")
JPEG_QUALITY = 95

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_EXIF_ORIENTATION = 0x0112


def read_still(path: str | Path) -> np.ndarray:
    """uint8 [H, W, 3] 0..255 from a PNG or JPEG.

    16 bits are rounded to 8, grey is repeated, alpha is laid over black, a JPEG is turned as its EXIF says.
    Raises `MediaError` if the file is missing, empty, damaged, or neither PNG nor JPEG.
    """
    path = Path(path)
    bits = _bit_depth(path)
    try:
        if bits == 16:
            with av.open(path) as container:
                rgba = next(container.decode(video=0)).to_ndarray(format="rgba64le")
        else:
            rgba = iio.imread(path, plugin="pillow", index=0, mode="RGBA", rotate=True)
    except (OSError, ValueError, SyntaxError, av.FFmpegError, StopIteration) as error:
        raise MediaError(f"{path}: is damaged ({' '.join(str(error).split())}); copy it again") from None
    return _over_black(rgba)


def _over_black(rgba: np.ndarray) -> np.ndarray:
    """uint8 or uint16 [H, W, 4] -> uint8 [H, W, 3], rounded once."""
    full = np.iinfo(rgba.dtype).max
    if (rgba[..., 3] == full).all() and full == 255:
        return np.ascontiguousarray(rgba[..., :3])
    light = rgba[..., :3].astype(np.float64) * rgba[..., 3:] / full
    return np.rint(light * (255 / full)).astype(np.uint8)


def _bit_depth(path: Path) -> int:
    """Bits a channel, from the first bytes. Raises `MediaError` unless they are those of a PNG or JPEG."""
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror})") from None
    if not head:
        raise MediaError(f"{path}: is empty (0 bytes)")
    if head.startswith(_PNG_SIGNATURE) and len(head) > 24:
        return head[24]
    if head.startswith(_JPEG_SIGNATURE):
        return 8
    raise MediaError(f"{path}: is neither PNG nor JPEG inside; convert it or leave it out")


def read_still_size(path: str | Path) -> tuple[int, int]:
    """(height, width) as shown, from the header alone. Raises `MediaError` as `read_still` does."""
    path = Path(path)
    _bit_depth(path)
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Without this look, Pillow decodes a whole PNG in search of its EXIF.
            sideways = "exif" in image.info and image.getexif().get(_EXIF_ORIENTATION, 1) >= 5
    except (OSError, ValueError, SyntaxError) as error:
        raise MediaError(f"{path}: is damaged ({error}); copy it again") from None
    return (width, height) if sideways else (height, width)


def write_still(path: str | Path, frame: np.ndarray) -> None:
    """Write uint8 [H, W, 3] or [H, W, 1] as PNG or JPEG, as the suffix says; whole or absent.

    Raises `MediaError` for another suffix or shape.
    """
    path = Path(path)
    if path.suffix.lower() not in STILL_SUFFIXES:
        raise MediaError(f"{path}: a still cannot be written as {path.suffix!r} (expected .png or .jpg)")
    picture = as_rgb(frame)
    options = {} if path.suffix.lower() == ".png" else {"quality": JPEG_QUALITY, "subsampling": 0}
    with written_beside(path) as beside:
        iio.imwrite(beside, picture, plugin="pillow", **options)


def as_rgb(frame: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] or [H, W, 1] -> uint8 [H, W, 3], contiguous. Raises `MediaError` for anything else."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] not in (1, 3):
        raise MediaError(f"a frame is {frame.dtype} {list(frame.shape)} (expected uint8 [H, W, 3] or [H, W, 1])")
    return np.ascontiguousarray(np.broadcast_to(frame, (*frame.shape[:2], 3)))


def write_gif(path: str | Path, frames: Iterable[np.ndarray], *, rate: Fraction) -> int:
    """Write uint8 [H, W, 3] or [H, W, 1] frames as a GIF that loops for ever; returns the number of frames.

    Raises `MediaError` above 50 frames a second, which no GIF can show, and if there are no frames.
    """
    if rate > 50:
        raise MediaError(f"{path}: a GIF shows at most 50 frames a second, not {rate}; export an MP4")
    pictures = [as_rgb(frame) for frame in frames]
    if not pictures:
        raise MediaError(f"{path}: there are no frames to write")
    with written_beside(path) as beside:
        iio.imwrite(beside, pictures, plugin="pillow", loop=0, duration=gif_delays(len(pictures), rate))
    return len(pictures)


def gif_delays(num_frames: int, rate: Fraction) -> list[int]:
    """Milliseconds each frame is shown. A GIF counts hundredths of a second, so delays differ to sum right.

    24 frames a second: 40, 40, 50, 40, 40, 40, ... (one second in all)
    """
    ends = [round(100 * index / rate) for index in range(num_frames + 1)]
    return [10 * (end - start) for start, end in pairwise(ends)]
