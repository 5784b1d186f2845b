"""Frames a second of rendering, memory against length, and time to the first frame; beside the recurrent family.

python tools/bench_generate.py configs/clip64.yaml
python tools/bench_generate.py configs/clip64.yaml --sizes 64x64,256x256 --long 10000

Generators are untrained: what they make is nothing to look at, and takes as long. Each figure comes from a process of
its own. Takes have 64 frames, one after the other or eight together, counted when they are uint8 in memory. On a
machine with other work, `--processor-time` counts seconds that the process computed instead of those that passed.
Memory is measured for both lengths alike: given back as it is freed, as `vidgan generate` does for long takes,
and kept, as it does for others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from alone import alone
from rich.table import Table

from vidgan.commands.terminal import console, mistakes_in_one_line
from vidgan.config import Config
from vidgan.config_files import load_config
from vidgan.errors import RequestError
from vidgan.memory import peak_bytes
from vidgan.nn.build import build_generator
from vidgan.processor import machine_name, set_up_processor
from vidgan.sampling.render import render, render_takes
from vidgan.sampling.take import Take, seed_take
from vidgan.weights import LoadedGenerator, Provenance

FAMILIES = ("conv3d", "recurrent")
TAKE_FRAMES = 64


@mistakes_in_one_line
def main(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/clip64.yaml")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as data.num_frames=32")] = None,
    sizes: Annotated[str, typer.Option(help="Heights and widths")] = "32x32,64x64,128x128,256x256",
    processor_time: Annotated[bool, typer.Option("--processor-time", help="Count seconds computed")] = False,
    seconds: Annotated[float, typer.Option(help="Time for each figure, after a warm-up")] = 5.0,
    long: Annotated[int, typer.Option(min=512, help="Frames of the long take whose memory is measured")] = 10_000,
) -> None:
    """Measure and print three tables."""
    console.print(f"{machine_name()}, torch {torch.__version__}, {config}")
    clock = time.process_time if processor_time else time.perf_counter
    plans = {size: _sized(config, overrides or [], size) for size in sizes.split(",")}
    table = Table("size", "family", "precision", "together", "frames/s", "to the first frame, ms")
    for size, settings in plans.items():
        for family in FAMILIES:
            precisions = ("float32", "bfloat16") if family == "conv3d" else ("float32",)
            for precision in precisions:
                for together in (1, 8) if family == "conv3d" else (1,):
                    speed = alone(frames_a_second, settings, family, precision, together, seconds, clock)
                    first = alone(seconds_to_first_frame, settings, family, precision, clock)
                    table.add_row(size, family, precision, str(together), f"{speed:.0f}", f"{first * 1e3:.0f}")
    console.print(table)
    memory = Table("size", "memory", "256 frames, peak MB", f"{long:,} frames, peak MB", "ratio")
    for size, settings in plans.items():
        for words, keep_memory in (("given back", False), ("kept", True)):
            short, longer = (alone(peak_memory, settings, frames, keep_memory) for frames in (256, long))
            memory.add_row(size, words, f"{short / 1e6:.0f}", f"{longer / 1e6:.0f}", f"{longer / short:.3f}")
    console.print(memory)


def frames_a_second(
    config: Config, family: str, precision: str, together: int, seconds: float, clock: Callable[[], float]
) -> float:
    """Frames a second, after one round that warms up."""
    loaded = _untrained(config, family)
    takes = [_take(loaded, precision, seed=seed, num_frames=TAKE_FRAMES) for seed in range(together)]

    def make() -> int:
        return sum(len(frames) for _, frames in render_takes(loaded, takes))

    make()
    began, made = clock(), 0
    while clock() - began < seconds:
        made += make()
    return made / (clock() - began)


def seconds_to_first_frame(config: Config, family: str, precision: str, clock: Callable[[], float]) -> float:
    """The least of five takes of the trained length, when the generator is loaded and has made one before."""
    loaded = _untrained(config, family)
    times = []
    for seed in range(6):
        began = clock()
        next(render(loaded, _take(loaded, precision, seed=seed)))
        times.append(clock() - began)
    return min(times[1:])


def peak_memory(config: Config, num_frames: int, keep_memory: bool) -> int:
    """Bytes of the process that rendered so many frames (on a GPU, torch's)."""
    loaded = _untrained(config, "conv3d", keep_memory=keep_memory)
    for _ in render(loaded, _take(loaded, "float32", num_frames=num_frames)):
        pass
    return peak_bytes(next(loaded.generator.parameters()).device)


def _untrained(config: Config, family: str, *, keep_memory: bool = True) -> LoadedGenerator:
    set_up_processor(keep_memory=keep_memory)
    torch.manual_seed(0)
    config = config.model_copy(update={"model": config.model.model_copy(update={"family": family})})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = build_generator(config, 0).to(device).eval().requires_grad_(False)
    return LoadedGenerator(generator, Provenance(config, None, (), "", 0), weights_hash="", path=Path("untrained"))


def _take(loaded: LoadedGenerator, precision: str, *, seed: int = 0, num_frames: int | None = None) -> Take:
    return seed_take(loaded, seed, num_frames=num_frames).model_copy(update={"precision": precision})


def _sized(config: Path, overrides: list[str], size: str) -> Config:
    height, _, width = size.partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise RequestError(f'--sizes: "{size}" is not a size (expected height x width, such as 36x64)')
    return load_config(config, [*overrides, f"data.height={height}", f"data.width={width}"])


if __name__ == "__main__":
    typer.run(main)
