"""Clips a second and peak memory of training's parts: float32 in the default layout against what the trainer uses.

python tools/bench_train.py configs/clip64.yaml

Each figure comes from a process of its own, so that its peak memory is its own. The last table holds the ratios.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.table import Table
from torch import nn

from vidgan.cli import console, mistakes_in_one_line
from vidgan.config import Config, load_config
from vidgan.processor import set_up_processor
from vidgan.training.draws import draw_update
from vidgan.training.loop import cut_batch, generate, update_discriminator, update_generator
from vidgan.training.state import TrainState, new_state

PLAIN, TRAINER = "float32, default layout", "as the trainer does it"
PARTS = ("forward", "discriminator step", "generator step", "whole update")
NUM_CLASSES = 4


@mistakes_in_one_line
def main(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/clip64.yaml")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as train.batch_size=8")] = None,
    seconds: Annotated[float, typer.Option(help="Time for each figure, after a warm-up")] = 8.0,
) -> None:
    """Measure forward, both steps alone and both together in both modes. Together, clips are generated once."""
    settings = load_config(config, overrides)
    console.print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, {_device()}")
    console.print(f"torch {torch.__version__}, {config}, batch {settings.train.batch_size}")
    table = Table("", "part", "clips/s", "peak memory, MB")
    speed = {}
    for mode in (PLAIN, TRAINER):
        for part in PARTS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                speed[mode, part], memory = pool.submit(measure, settings, mode, part, seconds).result()
            table.add_row(mode, part, f"{speed[mode, part]:.1f}", f"{memory / 1e6:.0f}")
    console.print(table)
    ratios = Table("part", "trainer / plain")
    for part in PARTS:
        ratios.add_row(part, f"{speed[TRAINER, part] / speed[PLAIN, part]:.1f}")
    console.print(ratios)


def measure(config: Config, mode: str, part: str, seconds: float) -> tuple[float, int]:
    """Clips a second of one part in one mode, and the process's peak memory in bytes (on a GPU, torch's)."""
    set_up_processor()
    if mode == PLAIN:
        config = config.model_copy(update={"train": config.train.model_copy(update={"precision": "float32"})})
    state = new_state(config, NUM_CLASSES, _device())
    if mode == PLAIN:
        _use_default_layout(state.generator)
        _use_default_layout(state.discriminator)
    run = _part(state, config, part)
    for _ in range(2):
        run()
    _wait()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        run()
        _wait()
        # The clock decides when a penalty is due; it moves here as it does in training.
        state.num_clips += config.train.batch_size
        count += 1
    rate = count * config.train.batch_size / (time.perf_counter() - began)
    if torch.cuda.is_available():
        return rate, torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return rate, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _part(state: TrainState, config: Config, part: str) -> Callable[[], object]:
    data, batch_size = config.data, config.train.batch_size
    frames = torch.randint(
        256, (batch_size, data.num_frames, data.height, data.width, data.channels), dtype=torch.uint8
    )
    draws = draw_update(config, state.generator, torch.Generator())
    parts = cut_batch(frames, torch.arange(batch_size) % NUM_CLASSES, draws, config, state.device)

    def forward() -> None:
        with torch.no_grad():
            for each in parts:
                generate(state.generator, each, config)

    return {
        "forward": forward,
        "discriminator step": lambda: update_discriminator(state, parts, config),
        "generator step": lambda: update_generator(state, parts, [], config),
        "whole update": lambda: update_generator(state, parts, update_discriminator(state, parts, config)[1], config),
    }[part]


def _use_default_layout(network: nn.Module) -> None:
    network.to(memory_format=torch.contiguous_format)
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    typer.run(main)
