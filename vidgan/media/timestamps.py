"""The true rate of a movie, its gaps and its missing end, from the timestamps of its frames.

Containers round timestamps to their tick: Matroska to a millisecond, MPEG-TS to 1/90000 s. Over a run of n steps
the rounding errors do not add up, so the length of a run gives the rate n times more precisely than one step:

    33 33 34 33 34 ... ms        -> 30        42 42 41 42 42 ... ms   -> 24 or 24000/1001: the long run decides
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby, pairwise

# Rates that cameras, cinemas and broadcasters use.
_NTSC = tuple(Fraction(1000 * rate, 1001) for rate in (15, 24, 30, 48, 60, 120, 240))
_WHOLE = tuple(
    map(Fraction, (6, 8, 10, 12, 15, 16, 18, 20, 24, 25, 30, 48, 50, 60, 72, 75, 90, 96, 100, 120, 144, 240))
)
STANDARD_RATES = tuple(sorted((*_NTSC, *_WHOLE, Fraction(25, 2))))

# No container has a coarser tick than Matroska's millisecond, except where the tick is the frame itself.
_COARSEST_TICK = Fraction(1, 1000)

# Seconds for which a picture may stand where the rate varies; longer, and something is missing.
LONGEST_HELD = Fraction(1)


def rate_from_timestamps(seconds: Sequence[Fraction | None], header_rate: Fraction | None = None) -> Fraction | None:
    """Frames a second from the timestamps of frames in the order shown.

    The commonest step, measured over the longest run of it, snapped to a standard rate if one lies within the
    rounding of the timestamps. The header's rate decides only between rates that fit equally well, and where there
    are no timestamps or a single frame. None if half the steps or more differ: the rate is variable.
    """
    if len(seconds) < 2 or None in seconds:
        return header_rate
    steps = [later - earlier for earlier, later in pairwise(seconds)]
    tick = min(_COARSEST_TICK, Fraction(1, math.lcm(*(second.denominator for second in seconds))))
    common, _ = Counter(steps).most_common(1)[0]
    regular = [abs(step - common) <= tick for step in steps]
    if common <= 0 or 2 * sum(regular) <= len(steps):
        return None
    length, num_steps = _longest_run(steps, regular)
    slowest, fastest = num_steps / (length + tick), num_steps / max(length - tick, tick)
    return _choose_rate(slowest, fastest, measured=num_steps / length, header_rate=header_rate)


def _longest_run(steps: list[Fraction], regular: list[bool]) -> tuple[Fraction, int]:
    """Seconds and number of steps of the longest unbroken run of regular steps."""
    runs = [list(run) for is_regular, run in groupby(range(len(steps)), key=regular.__getitem__) if is_regular]
    longest = max(runs, key=len)
    return sum((steps[index] for index in longest), Fraction(0)), len(longest)


def _choose_rate(slowest: Fraction, fastest: Fraction, *, measured: Fraction, header_rate: Fraction | None) -> Fraction:
    """The most plausible rate in [slowest, fastest]: standard before odd, the header's before others."""
    fitting = [rate for rate in STANDARD_RATES if slowest <= rate <= fastest]
    if header_rate is not None and slowest <= header_rate <= fastest and (header_rate in fitting or not fitting):
        return header_rate
    return min(fitting, key=lambda rate: abs(rate - measured), default=measured.limit_denominator(100_000))


def seconds_shown(times: Sequence[Fraction]) -> Fraction:
    """From the first frame, at 0, to the end of the last, which is shown for as long as the others on average."""
    return times[-1] * Fraction(len(times), max(len(times) - 1, 1))


def split_at_gaps(seconds: Sequence[Fraction | None], rate: Fraction | None) -> list[range]:
    """Frame indices of each run without a gap, as half-open ranges that cover all frames in order.

    A gap is a step that is not between half a frame period and one and a half, going backwards included; where the
    rate varies (None), one that is longer than a second or does not go forwards. Frames without timestamps have none.

        f.f.f...f.f   five frames, one lost: [range(0, 3), range(3, 5)]
    """
    if not seconds:
        return []
    if None in seconds:
        return [range(len(seconds))]
    shortest, longest = (Fraction(0), LONGEST_HELD) if rate is None else (Fraction(1, 2) / rate, Fraction(3, 2) / rate)
    steps = [later - earlier for earlier, later in pairwise(seconds)]
    cuts = [index for index, step in enumerate(steps, start=1) if step <= 0 or not shortest <= step <= longest]
    return [range(first, stop) for first, stop in zip([0, *cuts], [*cuts, len(seconds)], strict=True)]


def num_frames_missing_at_end(
    seconds: Sequence[Fraction | None], rate: Fraction | None, header_seconds: Fraction | None
) -> int:
    """Frames that the header's duration promises after the last one; 0 if it keeps its word within two frames.

    Where the rate varies (None), their mean rate counts, and the last may stand for as long as any other.

    FFmpeg ends a movie whose file was cut off as if nothing were missing: this is how one is told.
    """
    if not seconds or None in seconds or header_seconds is None:
        return 0
    rest = seconds[0] + header_seconds - seconds[-1]
    if rate is None:
        longest = max((later - earlier for earlier, later in pairwise(seconds)), default=LONGEST_HELD)
        if len(seconds) < 2 or seconds[-1] <= seconds[0] or rest <= longest:
            return 0
        rate = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    promised = round(rest * rate) - 1
    return promised if promised > 2 else 0
