"""What tells one picture from another: a hash of its numbers as they are stored, before anything is done to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
import numpy as np
import xxhash

DIGEST_BYTES = 16


def digest(arrays: Iterable[np.ndarray]) -> bytes:
    """16 bytes, equal for arrays that hold the same bytes: XXH3 (Collet), which costs less than a copy of them."""
    hasher = xxhash.xxh3_128()
    for array in arrays:
        hasher.update(np.ascontiguousarray(array))
    return hasher.digest()


def stored_planes(frame: av.VideoFrame) -> Iterator[np.ndarray]:
    """uint8 [rows, bytes] of each plane of a decoded frame, without the padding of its rows (views)."""
    form = frame.format
    for index, plane in enumerate(frame.planes[:1] if form.has_palette else frame.planes):
        if form.is_planar:
            bits = [component.bits for component in form.components if component.plane == index]
            row_bytes = plane.width * sum((depth + 7) // 8 for depth in bits)
        else:
            row_bytes = (form.padded_bits_per_pixel * frame.width + 7) // 8
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
        yield rows[:, : min(row_bytes, plane.line_size)]
