"""Worker processes for untrusted media: a decoder that crashes, hangs or eats all memory costs one task.

    run_in_workers(tasks)
      |  task 0 --> worker  .. progress .. progress .. result
      |  task 1 --> worker  .. progress .. SIGSEGV               --> WorkerFailure, and a new worker
      |  task 2 --> worker  .. (nothing for 60 seconds), killed  --> WorkerFailure, and a new worker

They keep accidents apart, not attackers: a worker may do whatever its user may do. `multiprocessing` would import the
caller's main script again, which breaks notebooks and scripts without a guard; only its sockets are used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

from vidgan.errors import VidganError

Task = tuple[Callable[..., object], tuple]
"""A function that can be imported by its name, and its arguments. What a generator function yields is progress."""

# A worker may take so long to start, on a busy machine with its libraries on a network disk.
START_SECONDS = 60

SMALLEST_MEMORY_BYTES = 4 << 30

# There is a worker for each core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

_LISTEN_SECONDS = 0.2

# Ends of a task after which its worker can be trusted with another.
_SOUND = ("result", "refused", "bug")


@dataclass(frozen=True)
class WorkerFailure:
    """Why a task has no result; with a traceback if that is a bug of ours."""

    reason: str
    traceback: str | None = None


def run_in_workers(
    tasks: Sequence[Task],
    *,
    num_workers: int | None = None,
    silence_seconds: float = 60,
    memory_bytes: int | None = None,
    on_progress: Callable[[int, object], None] | None = None,
) -> Iterator[tuple[int, object | VidganError | WorkerFailure]]:
    """Yield (index of a task, its result) as they finish, in any order; begins with the first `next`.

    In place of a result there is the `VidganError` that the task raised, or a `WorkerFailure` if its worker died,
    neither yielded nor returned for `silence_seconds`, needed more than `memory_bytes` (its share of the machine
    and at least 4 GiB if not stated; Linux only), or met a bug of ours, which is logged, too. The other tasks go on.

    Workers see the folder, the environment and the `sys.path` that their caller has at the call. If this generator
    is closed or interrupted, busy workers are killed; idle ones wait for the next call. Raises `VidganError` if
    workers cannot be started.
    """
    num_workers = min(num_workers or num_cores(), len(tasks))
    memory_bytes = memory_bytes or max(SMALLEST_MEMORY_BYTES, _physical_bytes() // (num_workers or 1))
    surroundings = _surroundings(memory_bytes)
    waiting = deque(range(len(tasks)))
    busy: list[_Worker] = []
    failed_starts = 0
    try:
        while waiting or busy:
            while waiting and len(busy) < num_workers:
                busy.append(_hire())
                busy[-1].send("surroundings", surroundings)
                busy[-1].begin(waiting.popleft(), tasks)
            for worker, kind, content in _endings(busy, silence_seconds, on_progress):
                index = worker.index
                if kind in _SOUND and waiting:
                    worker.begin(waiting.popleft(), tasks)
                else:
                    busy.remove(worker)
                    worker.rest() if kind in _SOUND else worker.end()
                if kind != "not begun":
                    yield index, _result(tasks[index], kind, content, silence_seconds, memory_bytes)
                    continue
                waiting.appendleft(index)
                failed_starts += worker.fresh
                if failed_starts > 1:
                    raise VidganError(f"worker processes cannot be started: {content}")
    finally:
        for worker in busy:
            worker.end()


def num_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """The parent's end of a worker process. `end` may be called often; it is called at the latest at exit."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "vidgan.footage.worker", str(theirs.fileno()), str(os.getpid())],
                env={**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # whatever libraries print there
                stderr=subprocess.PIPE,  # until it is ready
            )
        self.end = weakref.finalize(self, _end, self.process, self.connection)
        self.fresh = True
        self.ready = False
        self.index = -1
        self.silent_seconds = 0.0

    def send(self, kind: str, content: object = None) -> None:
        with contextlib.suppress(OSError):  # it is dead, and `receive` will say so
            self.connection.send((kind, content))

    def begin(self, index: int, tasks: Sequence[Task]) -> None:
        self.index, self.silent_seconds = index, 0.0
        self.send("task", pickle.dumps(tasks[index]))

    def rest(self) -> None:
        self.send("rest")
        self.ready = False
        _resting.append(self)

    def receive(self) -> tuple[str, object]:
        """The next message; ("died", None) after the last, however much of that was written."""
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            return "died", None
        except Exception as error:  # what it says cannot be unpickled here
            return "bug", (f"unexpected {type(error).__name__}: {error}", traceback.format_exc())
        if kind == "ready":
            self.ready, self.fresh, self.silent_seconds = True, False, 0.0
        return kind, content

    def last_words(self) -> str:
        """Why it never was ready, as its last line on stderr has it."""
        if not self.fresh:
            return ""
        self.process.kill()
        said = self.process.stderr.read().decode(errors="replace").strip()
        return said.rpartition("\n")[2] or "no answer"


_resting: list[_Worker] = []


def _hire() -> _Worker:
    """A resting worker, or else a new one. In a fork, `poll` finds that those at rest are somebody else's."""
    while _resting:
        with contextlib.suppress(IndexError):  # another thread was faster
            worker = _resting.pop()
            if worker.process.poll() is None:
                return worker
            worker.end()
    try:
        return _Worker()
    except OSError as error:
        raise VidganError(f"worker processes cannot be started: {error}") from None


def _end(process: subprocess.Popen, connection: Connection) -> None:
    """Kill and bury a worker. In a fork, `kill` finds that it is somebody else's and leaves it alone."""
    connection.close()
    process.stderr.close()
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in the kernel, on a disk that does not answer
        process.wait(5)


def _endings(
    busy: list[_Worker], silence_seconds: float, on_progress: Callable[[int, object], None] | None
) -> Iterator[tuple[_Worker, str, object]]:
    """Listen for a moment: (worker, how its task ended, what it says of that) for each that ended.

    Only time spent here counts as silence, not what the caller needs for a result, nor Ctrl-Z or a closed lid.
    """
    began = time.monotonic()
    heard = wait([worker.connection for worker in busy], _LISTEN_SECONDS)
    seconds = min(time.monotonic() - began, _LISTEN_SECONDS)
    for worker in list(busy):
        if worker.connection in heard:
            worker.silent_seconds = 0.0
            kind, content = worker.receive()
        else:
            worker.silent_seconds += seconds
            kind, content = "silent", None
            if worker.silent_seconds < (silence_seconds if worker.ready else max(silence_seconds, START_SECONDS)):
                continue
        if kind == "progress" and on_progress:
            on_progress(worker.index, content)
        if kind in ("died", "silent") and not worker.ready:
            yield worker, "not begun", worker.last_words()
        elif kind == "died":
            worker.end()
            yield worker, "died", worker.process.returncode
        elif kind not in ("ready", "progress"):
            yield worker, kind, content


def _result(
    task: Task, kind: str, content: object, silence_seconds: float, memory_bytes: int
) -> object | VidganError | WorkerFailure:
    if kind == "died":
        return WorkerFailure(_cause_of_death(content))
    if kind == "silent":
        return WorkerFailure(f"no frame for {silence_seconds:g} seconds; given up")
    if kind == "memory":
        return WorkerFailure(f"needed more than {memory_bytes / 1e9:.3g} GB of memory")
    if kind == "bug":
        logging.getLogger("vidgan").error("%s: %s\n%s", task[0].__name__, *content)
        return WorkerFailure(*content)
    return content


def _cause_of_death(returncode: int) -> str:
    if returncode >= 0:
        return f"the decoder ended its process (exit code {returncode})"
    name = signal.Signals(-returncode).name
    if name == "SIGKILL":
        return "the decoder was killed, most likely because the machine ran out of memory (signal SIGKILL)"
    return f"the decoder crashed (signal {name})"


def _surroundings(memory_bytes: int) -> dict[str, object]:
    """What a worker settles in."""
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # removed under us, which is nobody's business if all paths are absolute
        folder = None
    environment = {**os.environ, **_ONE_THREAD}
    return {"folder": folder, "environment": environment, "path": sys.path, "memory_bytes": memory_bytes}


def _physical_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
