"""Pictures on their way out: 8-bit or floating point, rounded once, where the file is written."""

from __future__ import annotations

import numpy as np

from vidgan.errors import MediaError


def as_rgb(frame: np.ndarray) -> np.ndarray:
    """A frame [H, W, 3] or [H, W, 1] -> [H, W, 3], contiguous; uint8 as it is, uint16 and floats as float32 0..1.

    Raises `MediaError` for anything else.
    """
    kind = frame.dtype
    if frame.ndim != 3 or frame.shape[2] not in (1, 3) or not (kind in (np.uint8, np.uint16) or kind.kind == "f"):
        raise MediaError(
            f"a frame is {kind} {list(frame.shape)} (expected uint8 [H, W, 3] or [H, W, 1], or 0..1 as float)"
        )
    if kind == np.uint16:
        frame = frame / np.float32(65535)
    elif kind != np.uint8:
        frame = frame.astype(np.float32, copy=False)
    return np.ascontiguousarray(np.broadcast_to(frame, (*frame.shape[:2], 3)))


def as_float(picture: np.ndarray) -> np.ndarray:
    """uint8 0..255 -> float32 0..1; float32 as it is."""
    return picture / np.float32(255) if picture.dtype == np.uint8 else picture


def as_levels(picture: np.ndarray, white: int) -> np.ndarray:
    """uint8, or float32 0..1, -> whole numbers 0..white, rounded and clamped; uint8 up to 255, else uint16."""
    if picture.dtype == np.uint8:
        if white == 255:
            return picture
        if white % 255 == 0:
            return picture.astype(np.uint16) * np.uint16(white // 255)
    levels = np.rint(as_float(picture).clip(0, 1) * np.float32(white))
    return levels.astype(np.uint8 if white <= 255 else np.uint16)
