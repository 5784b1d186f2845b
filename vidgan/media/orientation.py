"""Which way up a picture is: phones and some cameras store it sideways and say so in a display matrix.

PyAV reports the turn and does not apply it, and its angle alone cannot tell a mirrored picture from a turned one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is turned to be shown: swap rows and columns, then mirror. All eight cases."""

    transposed: bool = False
    left_to_right: bool = False
    top_to_bottom: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Orientation:
        """From the display matrix, 3x3 row by row: shown x = a x + c y, shown y = b x + d y; quarter turns only."""
        data = frame.side_data.get(SideData.DISPLAYMATRIX)
        if data is None:
            return cls()
        a, b, _, c, d = struct.unpack("=9i", bytes(data))[:5]
        if abs(b) > abs(a):
            return cls(transposed=True, left_to_right=c < 0, top_to_bottom=b < 0)
        return cls(left_to_right=a < 0, top_to_bottom=d < 0)

    @property
    def degrees(self) -> int:
        """Clockwise turn; a mirrored picture counts as turned and then mirrored left to right."""
        if self.transposed:
            return 270 if self.top_to_bottom else 90
        return 180 if self.top_to_bottom else 0

    @property
    def mirrored(self) -> bool:
        """Whether writing in the stored picture reads backwards when shown."""
        return self.transposed ^ self.left_to_right ^ self.top_to_bottom

    def shown(self, picture: np.ndarray) -> np.ndarray:
        """[H, W, C] as stored -> as shown (a view)."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.left_to_right:
            picture = picture[:, ::-1]
        if self.top_to_bottom:
            picture = picture[::-1]
        return picture

    def stored(self, picture: np.ndarray) -> np.ndarray:
        """[H, W, ...] as shown -> as stored (a view): the inverse of `shown`."""
        if self.top_to_bottom:
            picture = picture[::-1]
        if self.left_to_right:
            picture = picture[:, ::-1]
        return picture.swapaxes(0, 1) if self.transposed else picture
