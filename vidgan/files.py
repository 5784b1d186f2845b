"""Files appear whole or not at all: they are written beside their place and renamed.

What is half-made is called `.name.machine-process.part.suffix`. A process that is killed leaves it; the first write of
another process into the same folder removes it.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import psutil

from vidgan.errors import RequestError


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder with the same suffix; on success it becomes `path`.

    On any error, Ctrl-C included, the temporary file is removed and `path` is as it was.
    """
    path = Path(path)
    beside = _half_made(path.parent, path.stem, path.suffix)
    try:
        beside.touch()  # with the permissions that any new file gets; some libraries make theirs private
        permissions = beside.stat().st_mode
        yield beside
        beside.chmod(permissions)
        on_disk(beside)
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


@contextmanager
def hidden_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield a new folder in `folder` for files on their way to it; it is removed at the end with what is left in it."""
    hidden = _half_made(folder, name, "")
    hidden.mkdir(exist_ok=True)
    try:
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what processes left half-made in a folder that ran on this machine and are gone."""
    left_here = re.compile(rf"\..+\.{_this_machine()}-(\d+)\.part(\.\w+)?")
    with suppress(OSError):
        found = [(path, left_here.fullmatch(path.name)) for path in folder.iterdir()]
        for path, process in ((path, int(match[1])) for path, match in found if match):
            if psutil.pid_exists(process):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _half_made(folder: Path, name: str, suffix: str) -> Path:
    _remove_abandoned_once(folder.absolute())
    return folder / f".{name}.{_this_machine()}-{os.getpid()}.part{suffix}"


@lru_cache(maxsize=4096)
def _remove_abandoned_once(folder: Path) -> None:
    """For each process and folder: to list a folder for every frame of a long sequence would take hours."""
    remove_abandoned(folder)


@lru_cache(maxsize=1)
def _this_machine() -> str:
    """Eight letters for its name: other machines may share the folder, and their processes cannot be seen from here."""
    return sha256(socket.gethostname().encode()).hexdigest()[:8]


def on_disk(path: Path) -> None:
    """Return when a file has left the machine's memory. Raises `OSError` if it cannot."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


def writable_folder(path: str | Path) -> Path:
    """Make the folder if need be and return it. Raises `RequestError` if files cannot be written there."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise RequestError(f"{path}: cannot write files there ({error.strerror}); choose another folder") from None
    return path
