"""How this process uses the processor and the memory; set once, before much is computed."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

import torch

# glibc's names for two of its settings, of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_MEBIBYTE = 2**20


def set_up_processor(*, deterministic: bool = False, keep_memory: bool = True) -> None:
    """Let denormal numbers be zero, and keep memory that tensors give back for the next ones.

    With `deterministic`, torch refuses what may differ from time to time.

    A saturated game fills a CPU with denormals and slows it several times. And glibc returns every large tensor's
    memory to the kernel, which clears each page anew for the next one: a tenth of the time of an update. Memory that is
    kept grows in the course of hours by what does not fit its gaps; a long render gives it back, without `keep_memory`.
    """
    torch.set_flush_denormal(True)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs for it
        torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(deterministic)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            if keep_memory:
                libc.mallopt(_M_MMAP_MAX, 0)
                libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
            else:
                libc.mallopt(_M_MMAP_THRESHOLD, _MEBIBYTE)


def machine_name() -> str:
    """The GPU, or the processor and the threads that torch uses, as benchmarks name them."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    for line in listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else ():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
            break
    return f"{name}, {torch.get_num_threads()} threads"
