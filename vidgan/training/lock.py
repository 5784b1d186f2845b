"""One run folder, one run: whoever comes second is told who was first."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from vidgan.errors import RequestError
from vidgan.files import write_text

LOCK_NAME, OWNER_NAME = ".lock", ".owner.json"


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the folder for as long as the block runs; a process that dies, however, lets go.

    Raises `RequestError` naming the process that holds it.
    """
    lock = FileLock(run / LOCK_NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RequestError(
            f"{run}: {_owner(run)} is training there; wait for it or stop it, or choose another --run folder"
        ) from None
    try:
        owner = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": datetime.now().isoformat(" ", "seconds"),
        }
        with suppress(OSError):  # on a full disk nobody is told who was first
            write_text(run / OWNER_NAME, json.dumps(owner))
        yield
    finally:
        lock.release()


def _owner(run: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        owner = json.loads((run / OWNER_NAME).read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['host']} (since {owner['since']})"
    return "another process"
