"""Timecode: a name for every frame of a day, as hours:minutes:seconds:frames. SMPTE ST 12-1:2014.

24000/1001 and 24   01:00:00:23 -> 01:00:01:00     counted at 24, whatever the true rate
30000/1001          01:00:59;29 -> 01:01:00;02     drop-frame (a semicolon): two numbers are left out every
                                                   minute but each tenth, so that it keeps up with the clock
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from vidgan.errors import RequestError

# Rates whose timecode may leave numbers out to keep up with the clock.
DROP_FRAME_RATES = (Fraction(30000, 1001), Fraction(60000, 1001))


@dataclass(frozen=True)
class Timecode:
    """The timecode of one frame."""

    frame: int
    """Frames since 00:00:00:00, 0 to a day's."""
    counted_at: int
    """Frames counted in a second."""
    drop: bool = False

    @classmethod
    def parse(cls, text: str, rate: Fraction) -> Timecode:
        """From "01:00:00:00", or "01:00:00;00" for drop-frame.

        Raises `RequestError` for what is none, for a frame that does not exist at this rate, and for a rate that is
        not whole but for a factor of 1000/1001.
        """
        match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;])(\d\d)", text.strip())
        if not match:
            raise RequestError(f'timecode "{text}" is not one (expected hours:minutes:seconds:frames, 01:00:00:00)')
        counted_at = nominal_rate(rate)
        hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
        drop = match[4] == ";"
        if drop and rate not in DROP_FRAME_RATES:
            raise RequestError(f"timecode {text}: drop-frame (;) belongs to 29.97 and 59.94 frames/s, this is {rate}")
        if hours > 23 or minutes > 59 or seconds > 59 or frames >= counted_at:
            raise RequestError(f"timecode {text}: no such moment at {rate} frames/s (a second has {counted_at} frames)")
        minute = 60 * hours + minutes
        dropped = _dropped_a_minute(counted_at) if drop else 0
        if seconds == 0 and minute % 10 and frames < dropped:
            raise RequestError(f"timecode {text}: drop-frame leaves this number out; the next is ;{dropped:02d}")
        frame = (60 * minute + seconds) * counted_at + frames - dropped * (minute - minute // 10)
        return cls(frame, counted_at, drop)

    def plus(self, frames: int) -> Timecode:
        """That many frames later, or earlier below 0; a day begins anew after 24 hours."""
        a_day = 24 * 3600 * self.counted_at
        if self.drop:
            a_day -= _dropped_a_minute(self.counted_at) * (24 * 60 - 24 * 6)
        return Timecode((self.frame + frames) % a_day, self.counted_at, self.drop)

    @property
    def fields(self) -> tuple[int, int, int, int]:
        """Hours, minutes, seconds, frames as shown."""
        number = self.frame
        if self.drop:
            dropped = _dropped_a_minute(self.counted_at)
            ten_minutes = 600 * self.counted_at - 9 * dropped
            tens, rest = divmod(number, ten_minutes)
            minutes = max(rest - 60 * self.counted_at, 0) // (60 * self.counted_at - dropped)
            minutes += rest >= 60 * self.counted_at
            number += dropped * (9 * tens + minutes)
        seconds, frames = divmod(number, self.counted_at)
        return seconds // 3600, seconds // 60 % 60, seconds % 60, frames

    def __str__(self) -> str:
        """Such as 01:00:00:00, or 01:00:00;00 for drop-frame."""
        hours, minutes, seconds, frames = self.fields
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if self.drop else ':'}{frames:02d}"

    def as_smpte(self) -> int:
        """The 32 bits of SMPTE ST 12-1 as EXR and DPX hold them: two decimal digits a byte, bit 6 for drop-frame."""
        digits = "".join(f"{field:02d}" for field in self.fields)
        return int(digits, 16) | (self.drop << 6)


def nominal_rate(rate: Fraction) -> int:
    """Frames that timecode counts in a second. Raises `RequestError` for rates it is not defined at."""
    for exact in (rate, rate * 1001 / 1000):
        if exact.denominator == 1 and exact < 100:
            return int(exact)
    raise RequestError(f"there is no timecode at {rate} frames/s; retime it (--rate 24)")


def _dropped_a_minute(counted_at: int) -> int:
    return counted_at // 15
