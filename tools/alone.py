"""Benchmarks call what they measure in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext
from typing import TypeVar

T = TypeVar("T")


def alone(function: Callable[..., T], *arguments: object) -> T:
    """The result of a function of a script, called in a new process."""
    with ProcessPoolExecutor(1, mp_context=_new_processes()) as pool:
        return pool.submit(function, *arguments).result()


def _new_processes() -> BaseContext:
    """Forked from one that has done nothing but the slow imports; spawned where the system cannot."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["vidgan.run", "torch._dynamo"])  # that comes with the first optimiser
    return context
