"""The numbers of a decoded frame, plane by plane, as arrays that can be written; and RGB to and from them, exactly.

YUV needs a matrix and is left to the scaler (`vidgan.media.color`, `vidgan.media.encoding`); red, green, blue and grey
are copied here, because the scaler has no way for all of them that keeps more than 8 bits.
"""

from __future__ import annotations

import re

import av
import numpy as np

from vidgan.errors import MediaError

# Packed pixels that hold the numbers of a planar format.
_PLANAR = {
    "uyvy422": "yuv422p",
    "yuyv422": "yuv422p",
    "nv12": "yuv420p",
    "nv16": "yuv422p",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "pal8": "bgra",
}


def with_known_planes(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame itself, or in the planar format of the same numbers. Raises `MediaError` for formats that have none."""
    name = frame.format.name
    if name in _PLANAR:
        return frame.reformat(format=_PLANAR[name])
    if is_known(name):
        return frame
    raise MediaError(f"its pixel format is {name}, which cannot be changed in places; convert it to ProRes or FFV1")


def is_known(name: str) -> bool:
    """Whether `planes` can take frames of a pixel format apart."""
    yuv = r"yuv[aj]?4\d\dp(\d\dle|9le)?"
    return bool(re.fullmatch(rf"{yuv}|gbra?p(\d\dle|9le)?|gray(\d\dle|9le)?", name)) or _packed_order(name) != ""


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """uint8 or uint16 [h, w] a plane, or [H, W, components] where pixels are packed (views)."""
    kind = np.uint8 if most_of(frame) <= 255 else np.uint16
    components = len(_packed_order(frame.format.name)) or 1
    views = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height].view(kind)
        rows = rows[:, : plane.width * components]
        views.append(rows.reshape(plane.height, plane.width, components) if components > 1 else rows)
    return views


def most_of(frame: av.VideoFrame) -> int:
    """The largest number of a sample."""
    return 2 ** max(component.bits for component in frame.format.components) - 1


def copied(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame of the same numbers in memory of its own: a decoder may still need what it gave."""
    copy = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for mine, theirs in zip(planes(copy), planes(frame), strict=True):
        mine[:] = theirs
    for tag in ("colorspace", "color_range", "color_primaries", "color_trc"):
        setattr(copy, tag, getattr(frame, tag))
    return copy


def rgb_of(frame: av.VideoFrame) -> np.ndarray:
    """float32 [H, W, 3] 0..1 of a frame without a matrix; alpha is left aside."""
    return np.stack([plane / np.float32(most_of(frame)) for plane in _color_planes(frame)], -1)


def put_rgb(picture: np.ndarray, frame: av.VideoFrame) -> None:
    """float32 [H, W, 3] 0..1 -> the planes of a frame without a matrix, rounded; its alpha stays."""
    color_planes = _color_planes(frame)
    if color_planes[0] is color_planes[1]:
        picture = np.repeat(picture.mean(-1, keepdims=True), 3, axis=-1)
    for plane, values in zip(color_planes, np.moveaxis(picture, -1, 0), strict=True):
        plane[:] = np.rint(values.clip(0, 1) * most_of(frame))


def _color_planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """[H, W] of red, green and blue (views); of grey, three times the same."""
    found, order = planes(frame), _packed_order(frame.format.name)
    if order:
        return [found[0][..., order.index(color)] for color in "rgb"]
    if frame.format.name.startswith("gray"):
        return [found[0]] * 3
    green, blue, red = found[:3]
    return [red, green, blue]


def _packed_order(name: str) -> str:
    """ "bgr0" for bgr0, "rgb" for rgb48le; "" for formats that are not packed RGB of whole bytes."""
    match = re.fullmatch(r"(rgb|bgr|rgba|bgra|argb|abgr|rgb0|bgr0|0rgb|0bgr)(24|48le|64le)?", name)
    return match[1] if match else ""
