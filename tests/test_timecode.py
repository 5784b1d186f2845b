"""Every frame of a day has one timecode, and every timecode one frame."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidgan.errors import RequestError
from vidgan.media.timecode import Timecode

RATES = [Fraction(24), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(12)]
DROP = [Fraction(30000, 1001), Fraction(60000, 1001)]


@given(st.sampled_from(RATES), st.integers(0, 24 * 3600 * 60))
def test_a_frame_is_found_again_from_its_timecode(rate, number):
    frame = Timecode.parse("00:00:00:00", rate).plus(number)
    assert Timecode.parse(str(frame), rate) == frame


@given(st.sampled_from(DROP), st.integers(0, 24 * 3600 * 60))
def test_drop_frame_counts_every_frame_of_a_day_once(rate, number):
    frame = Timecode.parse("00:00:00;00", rate).plus(number)
    assert Timecode.parse(str(frame), rate) == frame


@given(st.integers(0, 23), st.integers(0, 143))
def test_drop_frame_keeps_up_with_the_clock_every_ten_minutes(hours, tens):
    minutes = tens % 6 * 10
    frame = Timecode.parse(f"{hours:02d}:{minutes:02d}:00;00", Fraction(30000, 1001)).frame
    seconds = 3600 * hours + 60 * minutes
    assert abs(frame * Fraction(1001, 30000) - seconds) < Fraction(1, 10)


def test_the_numbers_that_drop_frame_leaves_out():
    rate = Fraction(30000, 1001)
    assert str(Timecode.parse("01:00:59;29", rate).plus(1)) == "01:01:00;02"
    assert str(Timecode.parse("01:09:59;29", rate).plus(1)) == "01:10:00;00"
    assert str(Timecode.parse("01:00:59;59", Fraction(60000, 1001)).plus(1)) == "01:01:00;04"
    assert str(Timecode.parse("00:00:00;00", rate).plus(107892)) == "01:00:00;00"
    with pytest.raises(RequestError, match="the next is ;02"):
        Timecode.parse("01:01:00;01", rate)


def test_a_day_begins_anew_and_a_slate_may_come_before_it():
    assert str(Timecode.parse("23:59:59:23", Fraction(24)).plus(1)) == "00:00:00:00"
    assert str(Timecode.parse("00:00:00:00", Fraction(24)).plus(-1)) == "23:59:59:23"


@pytest.mark.parametrize(
    ("text", "rate", "words"),
    [
        ("1:00:00:00", 24, "expected hours:minutes:seconds:frames"),
        ("01:00:00:24", 24, "a second has 24 frames"),
        ("01:60:00:00", 24, "no such moment"),
        ("01:00:00;00", 24, "drop-frame"),
        ("01:00:00:00", Fraction(25, 2), "no timecode at 25/2"),
    ],
)
def test_a_timecode_that_is_none_is_refused(text, rate, words):
    with pytest.raises(RequestError, match=words):
        Timecode.parse(text, Fraction(rate))


def test_the_bits_of_st_12_hold_two_digits_a_byte():
    assert Timecode.parse("12:34:56:07", Fraction(24)).as_smpte() == 0x12345607
    assert Timecode.parse("12:34:56;07", Fraction(30000, 1001)).as_smpte() == 0x12345647
