"""Files appear whole or not at all: they are written beside their place and renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vidgan.errors import RequestError


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder with the same suffix; on success it becomes `path`.

    On any error, Ctrl-C included, the temporary file is removed and `path` is as it was.
    """
    path = Path(path)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
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
