"""A worker process: `python -m vidgan.footage.worker SOCKET PARENT`. Started by `workers.py` and by nothing else.

    comes in                                        goes out
    surroundings   where, with what, how much       ready
    task           a pickled (function, args)       progress, any number of times, then one of
                                                    result | refused (a VidganError) | memory | bug
    rest           no task for now

It imports what its tasks need and nothing else, and ends by itself when its parent has ended.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import GeneratorType

from vidgan.errors import VidganError

# Without a task for so long, it gives its memory back: a process that has imported torch holds some 300 MB.
REST_SECONDS = 60

# CPU time for which code may keep all other Python code of its process waiting.
DEAF_SECONDS = 600


def main(socket: int, parent: int) -> None:
    """Do what comes in, one message after the other, until there is nothing to do or nobody to do it for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    connection, inbox = Connection(socket), SimpleQueue()
    Thread(target=_listen, args=(connection, inbox, parent), daemon=True).start()
    patience = None
    with contextlib.suppress(Empty):
        while True:
            kind, content = inbox.get(timeout=patience)
            patience = REST_SECONDS if kind == "rest" else None
            if kind == "surroundings":
                _settle(**content)
                connection.send(("ready", None))
            elif kind == "task":
                _work(content, connection.send)
                gc.collect(1)  # PyAV's frames hold themselves, and may be megabytes large


def _listen(connection: Connection, inbox: SimpleQueue, parent: int) -> None:
    """Queue what comes in; end the process with its parent, whatever the main thread is doing.

    The parent's number is looked at because a fork of the parent may hold the other end of the socket open.
    """
    with contextlib.suppress(EOFError, OSError):
        while os.getppid() == parent:
            signal.setitimer(signal.ITIMER_PROF, DEAF_SECONDS)  # kills where this thread cannot
            if connection.poll(1.0):
                inbox.put(connection.recv())
    os._exit(0)


def _settle(folder: Path | None, environment: dict[str, str], path: list[str], memory_bytes: int) -> None:
    """Be where the parent is, with what it has; its folder and environment may have changed since the last call."""
    with contextlib.suppress(OSError):
        if folder is not None:
            os.chdir(folder)
    if dict(os.environ) != environment:
        os.environ.clear()
        os.environ.update(environment)
    sys.path[:] = path
    _limit("RLIMIT_CORE", 0)
    _limit_memory(memory_bytes)
    nowhere = os.open(os.devnull, os.O_WRONLY)  # what decoders say of damaged files is not for the user's terminal
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _limit_memory(num_bytes: int | None) -> None:
    """Writable memory, not address space, of which torch reserves gigabytes for its libraries. Linux only."""
    if sys.platform == "linux":
        _limit("RLIMIT_DATA", num_bytes)


def _limit(name: str, most: int | None) -> None:
    _, hard = resource.getrlimit(getattr(resource, name))
    wanted = hard if most is None or 0 <= hard < most else most
    resource.setrlimit(getattr(resource, name), (wanted, hard))


def _work(task: bytes, send: Callable[[tuple[str, object]], None]) -> None:
    """Call the function; send what it yields as progress and what it returns or raises as the end of the task."""
    try:
        function, args = pickle.loads(task)
        result = function(*args)
        if isinstance(result, GeneratorType):
            result = _forward(result, send)
        send(("result", result))
    except VidganError as error:
        send(("refused", error))
    except MemoryError:
        _limit_memory(None)  # the answer needs some, too
        send(("memory", None))
    except Exception as error:
        send(("bug", (f"unexpected {type(error).__name__}: {error}", traceback.format_exc())))


def _forward(steps: GeneratorType, send: Callable[[tuple[str, object]], None]) -> object:
    while True:
        try:
            send(("progress", next(steps)))
        except StopIteration as end:
            return end.value


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
