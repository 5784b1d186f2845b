"""One run folder, one run: whoever comes second is told who was first."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
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
            f"{run}: {owner_of(run) or 'another process'} is training there; wait for it or stop it, or choose another "
            "--run folder"
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
        with suppress(OSError):
            (run / OWNER_NAME).unlink()
        lock.release()


@dataclass(frozen=True)
class Owner:
    """The process that trains in a folder."""

    host: str
    process: int
    since: str
    """Local time there."""

    def __str__(self) -> str:
        """Such as "process 123 on node7 (since 2026-11-21 18:00:00)"."""
        return f"process {self.process} on {self.host} (since {self.since})"

    @property
    def is_here(self) -> bool:
        """Whether it is one of this machine."""
        return self.host == socket.gethostname()

    @property
    def lives(self) -> bool:
        """Whether it has not ended, if it is one of this machine; another process with its number began later."""
        try:
            began = psutil.Process(self.process).create_time()
        except psutil.Error:
            return False
        return began <= datetime.fromisoformat(self.since).timestamp() + 2


def owner_of(run: Path) -> Owner | None:
    """Who holds a folder, or held it and was killed; read without touching the lock."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        owner = json.loads((run / OWNER_NAME).read_text(encoding="utf-8"))
        return Owner(str(owner["host"]), int(owner["process"]), str(owner["since"]))
    return None
