"""Ctrl-C and termination ask training to stop between two updates; a second Ctrl-C does not wait.

Under torchrun one Ctrl-C comes twice, from the terminal and from torchrun.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

# Signals that come within this time are one request.
SAME_REQUEST_SECONDS = 1.0


@dataclass
class StopRequest:
    """Whether someone has asked to stop."""

    made: bool = False
    at: float = 0.0
    """When, by the monotonic clock."""


@contextmanager
def listening_for_stop() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request for as long as the block runs."""
    request = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if request.made and time.monotonic() - request.at > SAME_REQUEST_SECONDS:
            raise KeyboardInterrupt
        if not request.made:
            request.made, request.at = True, time.monotonic()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
