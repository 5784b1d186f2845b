"""What settings are made of: rates, colours, schedules, and the strict base of all sections."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer


def parse_rate(value: object) -> Fraction:
    """An exact rate from 24, "24000/1001", or "23.976" (three named decimals are the NTSC fractions).

    Raises ValueError if it is not a positive number.
    """
    text = str(value).strip()
    ntsc = {"23.976": "24000/1001", "23.98": "24000/1001", "29.97": "30000/1001", "59.94": "60000/1001"}
    try:
        rate = Fraction(ntsc.get(text, text))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f'"{text}" is not a rate: write 24, 25 or 24000/1001') from None
    if rate <= 0:
        raise ValueError(f'"{text}" is not a rate: it must be above zero')
    return rate


Rate = Annotated[Fraction, BeforeValidator(parse_rate), PlainSerializer(str)]


def _check_background(value: str) -> str:
    if not re.fullmatch("#[0-9a-fA-F]{6}", value):
        raise ValueError('write a colour as "#rrggbb", such as "#808080"')
    return value


Background = Annotated[str, AfterValidator(_check_background)]


class Section(BaseModel):
    """Strict base of all sections: unknown keys are errors, field docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)


NonNegative = Annotated[float, Field(ge=0)]

Schedule = NonNegative | Annotated[dict[NonNegative, NonNegative], Field(min_length=1)]
"""A number, or numbers by kclips, {0: 0.001, 200: 0.0001}: straight lines between, level before and after."""
