"""Ctrl-C and termination ask training to stop between two updates; a second Ctrl-C does not wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class StopRequest:
    """Whether someone has asked to stop."""

    made: bool = False


@contextmanager
def listening_for_stop() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request for as long as the block runs."""
    request = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if request.made:
            raise KeyboardInterrupt
        request.made = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
