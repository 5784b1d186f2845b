"""One IDX file, the format of MNIST: a header of big-endian numbers, then the values, the last axis fastest.

    00 00 08 03   two zeros, the type of the values (08: unsigned bytes), the number of axes
    00 00 27 10   the length of each axis: 10,000 pictures
    00 00 00 1c   of 28 rows
    00 00 00 1c   and 28 columns

Images have three axes, labels one. Either may be gzipped. A header can say anything: memory is taken only for values
that are there.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vidgan.errors import FootageError

IMAGES_AXES, LABELS_AXES = 3, 1

UNSIGNED_BYTES = 0x08
TYPES = {0x09: "signed bytes", 0x0B: "16-bit integers", 0x0C: "32-bit integers", 0x0D: "floats", 0x0E: "doubles"}

# Bytes that are read at a time.
PIECE = 1 << 20


def read_shape(path: Path) -> tuple[int, ...]:
    """Lengths of the axes as the header has them: (count, height, width) of images, (count,) of labels.

    Raises `FootageError` if it is not a file of unsigned bytes with one or three axes, or one that cannot be read.
    """
    with _opened(path) as file:
        return _shape(path, file)


def read_values(path: Path) -> np.ndarray:
    """All values, uint8 [count, height, width] of images, [count] of labels.

    Raises `FootageError` as `read_shape` does, and if there are fewer or more values than the header says.
    """
    with _opened(path) as file:
        shape = _shape(path, file)
        expected = math.prod(shape)
        values = bytearray()
        while piece := file.read(min(PIECE, expected + 1 - len(values))):
            values += piece
    if len(values) != expected:
        found = f"only {len(values):,}" if len(values) < expected else "more"
        sizes = " x ".join(map(str, shape))
        raise FootageError(
            f"{path}: holds {found} values (expected {expected:,}: its header says {sizes}); copy the file again"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _shape(path: Path, file: BinaryIO) -> tuple[int, ...]:
    """Read the header; the values are next."""
    magic = file.read(4)
    if not magic:
        raise FootageError(f"{path}: is empty (expected an IDX file of images or labels); copy the file again")
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise FootageError(
            f"{path}: is not an IDX file, it begins with {magic.hex(' ')} "
            "(expected 00 00 08 03 for images or 00 00 08 01 for labels); name another file"
        )
    value_type, num_axes = magic[2:]
    if value_type != UNSIGNED_BYTES:
        raise FootageError(
            f"{path}: holds values of type 0x{value_type:02x}, {TYPES.get(value_type, 'which IDX does not know')} "
            "(expected 0x08, unsigned bytes); write it again with levels 0 to 255"
        )
    if num_axes not in (IMAGES_AXES, LABELS_AXES):
        raise FootageError(f"{path}: has {num_axes} axes (expected 3 for images or 1 for labels); write it again")
    lengths = file.read(4 * num_axes)
    if len(lengths) < 4 * num_axes:
        raise FootageError(
            f"{path}: ends after {4 + len(lengths)} bytes (expected a header of {4 + 4 * num_axes}); copy it again"
        )
    shape = struct.unpack(f">{num_axes}I", lengths)
    if 0 in shape:
        sizes = " x ".join(map(str, shape))
        raise FootageError(f"{path}: holds nothing, its header says {sizes} (expected 1 or more); name another file")
    return shape


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The contents, unpacked if need be; what goes wrong while they are read is a `FootageError`."""
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield gzip.GzipFile(fileobj=file) if is_gzip else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise FootageError(f"{path}: is damaged ({reason}; expected a whole gzip file); copy it again") from None
    except OSError as error:
        raise FootageError(f"{path}: cannot be read ({error.strerror}); expected an IDX file") from None
