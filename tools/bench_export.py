"""How fast `vidgan export` is beside ffmpeg doing the same encode of the same raw frames.

python tools/bench_export.py                           1,000 frames of 1920x1080, H.264 and ProRes 422 HQ
python tools/bench_export.py --formats hevc --frames 200

Both read 8-bit RGB frames from one file, bring them to the codec's pixels with the same scaler and flags, encode with
the same settings on all cores, and put the index in front. The sides take turns, a movie each, until both have encoded
all frames. Both seconds are given: of the clock, and of the processor, of all threads and child processes together,
which count other programs on the machine as little as they can. Ratios above 1: vidgan is the faster.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from vidgan.media.formats import FORMATS
from vidgan.review.export import export

RATE = Fraction(24)

# So many different frames are made and gone through again and again: a file of 1,000 would not stay in memory.
DISTINCT = 50

SCALER = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int"
TAGS = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]


def make_frames(path: Path, height: int, width: int) -> np.ndarray:
    """Raw frames uint8 [DISTINCT, H, W, 3]: waves that move, with grain, as a plate has it."""
    random = np.random.default_rng(0)
    grain = random.normal(0, 2, (4, height, width, 1)).astype(np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    frames = np.memmap(path, np.uint8, "w+", shape=(DISTINCT, height, width, 3))
    for index in range(DISTINCT):
        turn = 2 * np.pi * index / DISTINCT  # the last leads to the first
        waves = [np.sin(x / (40 + 30 * c) + turn) * np.cos(y / (60 - 10 * c) - turn) for c in range(3)]
        frames[index] = (128 + 80 * np.stack(waves, -1) + grain[index % 4]).clip(0, 255)
    return frames


class Seconds(NamedTuple):
    """What something took."""

    clock: float
    processor: float


@contextmanager
def measured(sides: list[Seconds]) -> Iterator[None]:
    """Add what happens inside to `sides`."""

    def processor() -> float:
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    clock, cpu = time.perf_counter(), processor()
    yield
    sides.append(Seconds(time.perf_counter() - clock, processor() - cpu))


def by_vidgan(frames: np.ndarray, count: int, name: str, output: Path) -> None:
    """As a program would call it."""
    pictures = [frames[index % DISTINCT] for index in range(count)]
    result = export(pictures, output, format=name, rate=RATE)
    assert result.num_frames == count


def by_ffmpeg(raw: Path, height: int, width: int, count: int, name: str, output: Path) -> None:
    """The same by the program."""
    codec = FORMATS[name].codec
    options = [word for key, value in codec.options for word in (f"-{key}", value)]
    options += ["-crf", str(codec.crf[0])] if codec.crf else []
    options += ["-tag:v", codec.tag] if codec.tag else []
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(RATE)]
    source += ["-stream_loop", "-1", "-i", str(raw)]
    encode = ["-vf", SCALER, "-c:v", codec.encoder, *options, "-pix_fmt", codec.pixel_format, *TAGS]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *source, "-frames:v", str(count), *encode, "-movflags", "+faststart", output],
        check=True,
    )


def main(
    formats: Annotated[str, typer.Option(help="Names of movie formats, with commas")] = "h264,prores422hq",
    frames: Annotated[int, typer.Option(min=1, help="Of each side")] = 1000,
    height: int = 1080,
    width: int = 1920,
    turns: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Print frames a second of both sides, and their ratio."""
    if not shutil.which("ffmpeg"):
        raise typer.BadParameter("needs ffmpeg to compare with")
    version = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    print(f"{frames} frames of {width}x{height}, {os.cpu_count()} cores, {platform.machine()}, ffmpeg {version}")
    print("| | frames/s, vidgan | ffmpeg | ratio | a core: vidgan | ffmpeg | ratio |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "frames.raw"
        pictures = make_frames(raw, height, width)
        for name in formats.split(","):
            output = Path(folder) / f"out{FORMATS[name].suffixes[0]}"
            ours: list[Seconds] = []
            theirs: list[Seconds] = []
            for _ in range(turns):
                with measured(ours):
                    by_vidgan(pictures, frames // turns, name, output)
                with measured(theirs):
                    by_ffmpeg(raw, height, width, frames // turns, name, output)
            cells = []
            for kind in Seconds._fields:
                rates = [frames / sum(getattr(turn, kind) for turn in side) for side in (ours, theirs)]
                cells += [f"{rates[0]:.2f}", f"{rates[1]:.2f}", f"{rates[0] / rates[1]:.2f}"]
            print(f"| {FORMATS[name].words} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
