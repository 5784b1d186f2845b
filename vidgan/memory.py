"""The memory there is, and what happens when it is not enough: one line, with what to lower."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from vidgan.config import Config
from vidgan.errors import TrainingError
from vidgan.training.rehearsal import NOTHING_TO_CHANGE, Change, changes_that_need_less, needed_bytes

# Where Linux says how much a container or a batch job may take, and how much it has taken: version 2 and 1.
CONTROL_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_bytes(device: torch.device) -> int:
    """Bytes that this process can have in all: what it has, and what is free now, within the limits set for it."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    process, free = psutil.Process().memory_info(), psutil.virtual_memory().available + psutil.swap_memory().free
    for most, taken in CONTROL_GROUPS:
        if Path(most).is_file() and (limit := Path(most).read_text().strip()).isdigit():
            free = min(free, max(0, int(limit) - int(Path(taken).read_text())))
    for limit, taken in ((resource.RLIMIT_AS, process.vms), (resource.RLIMIT_DATA, getattr(process, "data", 0))):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            free = min(free, max(0, soft - taken))
    return process.rss + free


def peak_bytes(device: torch.device) -> int:
    """The most that this process has held so far: its memory on a CPU, its tensors on a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")  # Linux's `ru_maxrss` may be the parent's
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def held_to_available_memory(device: torch.device) -> Iterator[None]:
    """On Linux, asking for more memory than there is fails, instead of ending the process without a word."""
    if sys.platform != "linux" or device.type != "cpu":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    process = psutil.Process().memory_info()
    limit = process.data + available_bytes(device) - process.rss
    if before[0] != resource.RLIM_INFINITY:  # other threads may have freed memory since `process` was asked
        limit = min(limit, before[0])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def give_memory_back() -> None:
    """Return to the system what is not in use any more: `vidgan.processor.set_up_processor` lets a process keep it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@contextmanager
def out_of_memory_in_words(config: Config, num_classes: int, device: torch.device, *, run: Path) -> Iterator[None]:
    """Turn an error that says so into `TrainingError`: what was needed, what there is, what needs less.

    Numbers are predicted, see `vidgan.training.rehearsal`.
    """
    available = available_bytes(device)
    torch.ones((), requires_grad=True).backward()  # starts torch's threads, which take memory that may be gone later
    try:
        yield
        return
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold what fills the memory
    give_memory_back()
    raise TrainingError(f"{run}: out of memory: {what_to_lower(config, num_classes, device, available)}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is how Python, or torch on a CPU or a GPU, says that memory is used up."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def what_to_lower(config: Config, num_classes: int, device: torch.device, available: int) -> str:
    """One line: the memory that these settings need, the bytes there are, and changes that need less, with numbers."""
    needed = needed_bytes(config, num_classes, device)
    data, train = config.data, config.train
    words = (
        f"{train.batch_size // train.accumulate} clips at once of {data.width}x{data.height} and {data.num_frames} "
        f"frames need about {needed / 1e9:.2f} GB, {available / 1e9:.2f} GB are there"
    )
    changes = changes_that_need_less(config, num_classes, device, needed=needed, available=available)
    if not changes:
        return f"{words}; {NOTHING_TO_CHANGE}"
    fitting = [change for change in changes if change.needed_bytes <= available]
    if not fitting:
        return f"{words}; none of these alone is predicted to fit: {_listed(changes)}"
    going_on = [change for change in fitting if change.same_update]
    anew = [change for change in fitting if not change.same_update]
    if going_on:
        words += f"; predicted to fit, and the same command with it goes on: {_listed(going_on)}"
    if anew:
        words += f"; predicted to fit in a new --run folder: {_listed(anew)}"
    return words


def _listed(changes: Iterable[Change]) -> str:
    return ", ".join(change.in_words() for change in changes)
