"""What can go wrong, as one small tree.

    VidganError            every mistake a user can make; the command line prints it in one line
    ├── ConfigError        a setting is unknown, of the wrong type, or does not fit the others
    ├── FootageError       a footage folder holds nothing to learn from
    ├── MediaError         one file cannot be read or written
    ├── WeightsError       weights or a checkpoint are damaged, unsafe, or made for something else
    ├── TrainingError      a run cannot go on: numbers that are not finite, a collapse, no memory
    └── RequestError       seeds, classes, sizes or paths asked for that cannot be had

A message says what was found, what was expected and what to do next. Anything that is not a
`VidganError` is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class VidganError(Exception):
    """A mistake that the user can mend; `str(error)` is one line."""


class ConfigError(VidganError):
    """A setting is unknown, of the wrong type, or does not fit the others."""


class FootageError(VidganError):
    """A footage folder holds nothing to learn from."""


class MediaError(VidganError):
    """One file cannot be read or written."""


class WeightsError(VidganError):
    """Weights or a checkpoint are damaged, unsafe, or made for something else."""


class TrainingError(VidganError):
    """A run cannot go on: its numbers are not finite, the game has collapsed, or memory ran out."""


class RequestError(VidganError):
    """Seeds, classes, sizes or paths asked for that cannot be had."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`' (did you mean "height"?)'` for the known word nearest to `word`, or the list of them."""
    known = list(dict.fromkeys(known))
    nearest = get_close_matches(word, known, n=1, cutoff=0.5)
    if nearest:
        return f' (did you mean "{nearest[0]}"?)'
    return f" (known: {', '.join(known)})"
