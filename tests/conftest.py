"""Footage made by the tests, with the answer in the pixels: flat grey levels, stored losslessly."""

import gzip
import os
import signal
import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import settings

from vidgan.errors import VidganError
from vidgan.media.stills import write_still

# There is a test process for each core, and one thread computes the same bits every time: here, and in every command
# and process that a test starts.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

# A GPU computes other bits than the CPU; test_gpu.py shows it to the processes that want it.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

# Tests press Ctrl-C in what they start, which would pass it over if these tests were started in a shell's background.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test fails because the machine is busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


class FootageFolder:
    """A folder below which movies and frame sequences are made; frame i is grey level 10 i unless told otherwise."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def movie(
        self,
        name: str,
        levels: int | Iterable[int],
        *,
        rate: Fraction | int = 24,
        height: int = 8,
        width: int = 8,
        times: Iterable[int] | None = None,
    ) -> Path:
        """Lossless; `times` are frame periods, 0 1 2 3 ... unless a gap is wanted."""
        levels = [10 * index for index in range(levels)] if isinstance(levels, int) else list(levels)
        times = range(len(levels)) if times is None else times
        with av.open(self.path(name), "w") as out:
            stream = out.add_stream("ffv1", rate=rate)
            stream.pix_fmt, stream.height, stream.width = "bgr0", height, width
            for level, time in zip(levels, times, strict=True):
                picture = np.full((height, width, 3), level, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
                frame.pts, frame.time_base = time, 1 / Fraction(rate)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return self.root / name

    def stills(self, pattern: str, numbers: Iterable[int], *, height: int = 8, width: int = 8) -> None:
        """`pattern` such as "dawn/shot.%04d.png"; frame number n is grey level 10 (n % 25)."""
        for number in numbers:
            picture = np.full((height, width, 3), 10 * (number % 25), np.uint8)
            write_still(self.path(pattern % number if "%" in pattern else pattern), picture)

    def idx(self, name: str, values: np.ndarray) -> Path:
        """uint8 of any number of axes as an IDX file, gzipped if the name ends so."""
        contents = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
        self.path(name).write_bytes(gzip.compress(contents) if name.endswith(".gz") else contents)
        return self.root / name


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """No test reads or fills the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("VIDGAN_CACHE", str(folder))
    return folder


@pytest.fixture
def in_this_process(monkeypatch):
    """Sources are read here and not in worker processes, so that a test can watch or break what reads them."""

    def run_here(tasks, *, on_progress, num_workers=1):
        for index, (function, args) in enumerate(tasks):
            steps = function(*args)
            try:
                while True:
                    on_progress(index, next(steps))
            except StopIteration as end:
                result = end.value
            except VidganError as error:
                result = error
            yield index, result

    monkeypatch.setattr("vidgan.footage.scan.run_in_workers", run_here)
    monkeypatch.setattr("vidgan.footage.prepare.run_in_workers", run_here)


@pytest.fixture
def footage(tmp_path) -> FootageFolder:
    return FootageFolder(tmp_path / "footage")


@pytest.fixture
def shared() -> Path:
    """Real material beside the checkout; a test that needs some that is absent skips."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs real footage in ../shared")
    return folder
