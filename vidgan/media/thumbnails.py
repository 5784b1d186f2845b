"""Small pictures for web pages."""

from __future__ import annotations

from fractions import Fraction

import imageio.v3 as iio
import numpy as np
from PIL import Image


def jpeg_thumbnail(picture: np.ndarray, *, pixel_aspect: Fraction = Fraction(1), height: int = 96) -> bytes:
    """uint8 [H, W, 3] -> a JPEG of this height in the shape it is shown in, square pixels."""
    width = max(1, round(height * picture.shape[1] * pixel_aspect / picture.shape[0]))
    small = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
    return iio.imwrite("<bytes>", np.asarray(small), extension=".jpg", plugin="pillow", quality=85)
