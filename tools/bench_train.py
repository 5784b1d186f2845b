"""Clips a second and peak memory of training's parts: float32 in the default layout against what the trainer uses.

python tools/bench_train.py configs/clip64.yaml
python tools/bench_train.py configs/clip64.yaml --families conv3d,recurrent,dcgan3d --sizes 32x32,64x64,128x128
python tools/bench_train.py configs/clip64.yaml --run
python tools/bench_train.py configs/clip64.yaml --published recurrent,dcgan3d

Each figure comes from a process of its own, so that its peak memory is its own. The first form compares parts of an
update, the last table holding the ratios. The second compares families and sizes (height x width): what counts is
arithmetic of convolutions and matrix products, penalties at their interval, and its share is of the ceiling, which is
what the same machine does in a 3x3x3 convolution of 128 channels alone, forward and backward, in the same run; the
memory predicted is `vidgan plan`'s. The third trains as `vidgan train` does, with all that a run does beside the loop,
and says what share of the time each part of it has, sheets and checkpoints as often as the config says. All parts are
timed in one process, so that what else the machine does falls on all alike. The fourth holds whole updates, as the
trainer does them, against those of the other families as they were published (channels, batches of 32, float32 in the
default layout), each measured directly before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Annotated, TypeVar
from unittest.mock import patch

import torch
import typer
from alone import alone
from bench_quality import CANDIDATES
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

import vidgan.run
import vidgan.run_output
from vidgan.commands.terminal import console, mistakes_in_one_line
from vidgan.config import Config
from vidgan.config_files import load_config
from vidgan.errors import RequestError, did_you_mean
from vidgan.measure import procedural_footage
from vidgan.memory import peak_bytes
from vidgan.nn.build import num_parameters
from vidgan.processor import machine_name, set_up_processor
from vidgan.run import run_training
from vidgan.run_folder import RunFolder
from vidgan.training.batches import Told, cut_batch
from vidgan.training.draws import draw_update
from vidgan.training.log import StatsLog
from vidgan.training.loop import autocast, compile_networks, make_fake, update_discriminator, update_generator
from vidgan.training.rehearsal import needed_bytes
from vidgan.training.schedules import settle_loss
from vidgan.training.state import TrainState, new_state

PLAIN, TRAINER = "float32, default layout", "as the trainer does it"
PARTS = ("forward", "discriminator step", "generator step", "whole update")
NUM_CLASSES = 4
SHOTS = (0, 0, 1, 1, 2, 2, 3, 3)  # the class of each: footage such as networks are told the shots of
PUBLISHED = ("recurrent", "dcgan3d")

# Parts of a run, and updates that its figures leave out.
BARE_LOOP, REAL_CLIPS, LOG = "bare loop, with its statistics", "real clips", "log and TensorBoard"
SHEETS, CHECKPOINT, UPDATE, BESIDE = "sheets", "checkpoint and generator", "update", "beside"
WARM_UP = 2

T = TypeVar("T")


@mistakes_in_one_line
def main(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/clip64.yaml")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Settings, such as train.batch_size=8")] = None,
    seconds: Annotated[float, typer.Option(help="Time for each figure, after a warm-up")] = 8.0,
    families: Annotated[str | None, typer.Option(help="Compare these, such as conv3d,recurrent")] = None,
    sizes: Annotated[str, typer.Option(help="With --families: heights and widths")] = "32x32,64x64,36x64",
    run: Annotated[bool, typer.Option("--run", help="A whole run against the bare loop, part by part")] = False,
    published: Annotated[str | None, typer.Option(help="Hold against these as published, such as dcgan3d")] = None,
) -> None:
    """Measure forward, both steps alone and both together in both modes. Together, clips are generated once."""
    settings = _settings(config, overrides or [])
    console.print(machine_name())
    console.print(f"torch {torch.__version__}, {config}, batch {settings.train.batch_size}")
    if families is not None:
        compare_families(config, overrides or [], families.split(","), sizes.split(","), seconds)
        return
    if run:
        compare_run(settings, seconds)
        return
    if published is not None:
        compare_published(config, overrides or [], published.split(","), seconds)
        return
    table = Table("", "part", "clips/s", "peak memory, MB")
    speed = {}
    for mode in (PLAIN, TRAINER):
        for part in PARTS:
            speed[mode, part], memory = alone(measure, settings, mode, part, seconds)
            table.add_row(mode, part, f"{speed[mode, part]:.1f}", f"{memory / 1e6:.0f}")
    console.print(table)
    ratios = Table("part", "trainer / plain")
    for part in PARTS:
        ratios.add_row(part, f"{speed[TRAINER, part] / speed[PLAIN, part]:.1f}")
    console.print(ratios)


def compare_families(config: Path, overrides: list[str], families: list[str], sizes: list[str], seconds: float) -> None:
    """A row for each family at each size."""
    ceiling = alone(convolution_ceiling, _settings(config, overrides).train.precision, seconds)
    console.print(f"ceiling: a 3x3x3 convolution alone does {ceiling / 1e9:.0f} GFLOP/s")
    table = Table("family", "size", "parameters, M", "clips/s", "GFLOP a clip", "of the ceiling", "peak memory, MB")
    table.add_column("predicted, MB")
    for family in families:
        for size in sizes:
            height, _, width = size.partition("x")
            if not (height.isdigit() and width.isdigit()):
                raise RequestError(f'--sizes: "{size}" is not a size (expected height x width, such as 36x64)')
            settings = _settings(
                config, [*overrides, f"model.family={family}", f"data.height={height}", f"data.width={width}"]
            )
            rate, memory = alone(measure, settings, TRAINER, "whole update", seconds)
            flop, parameters = alone(arithmetic, settings)
            predicted = alone(needed_bytes, settings, NUM_CLASSES, _device())
            table.add_row(
                family,
                size,
                " + ".join(f"{count / 1e6:.1f}" for count in parameters),
                f"{rate:.1f}",
                f"{flop / 1e9:.1f}",
                f"{rate * flop / ceiling:.0%}",
                f"{memory / 1e6:.0f}",
                f"{predicted / 1e6:.0f}",
            )
    console.print(table)


def compare_published(config: Path, overrides: list[str], families: list[str], seconds: float) -> None:
    """Two rows for each family: as it was published, and the config's as the trainer does it."""
    for family in families:
        if family not in PUBLISHED:
            raise RequestError(f'--published: unknown family "{family}"{did_you_mean(family, PUBLISHED)}')
    ours = _settings(config, overrides)
    table = Table("family", "", "batch", "clips/s", "peak memory, MB", "of the published")
    for family in families:
        baseline = None
        for settings, mode in ((_settings(config, [*overrides, *CANDIDATES[family]]), PLAIN), (ours, TRAINER)):
            rate, memory = alone(measure, settings, mode, "whole update", seconds)
            baseline = baseline or rate
            table.add_row(
                settings.model.family,
                mode,
                f"{settings.train.batch_size}",
                f"{rate:.1f}",
                f"{memory / 1e6:.0f}",
                f"{rate / baseline:.1f}",
            )
    console.print(table)


def compare_run(config: Config, seconds: float) -> None:
    """A row for each part of a run: how long it takes, how often it comes, its share; the bare loop's is the rest."""
    parts = alone(time_run, config, seconds)
    per_update = {name: part.seconds / part.updates_between for name, part in parts.items()}
    whole = sum(per_update.values())
    table = Table("part", "seconds each", "once in updates", "share of a run's time")
    for name, part in parts.items():
        table.add_row(name, f"{part.seconds:.4f}", f"{part.updates_between:.0f}", f"{per_update[name] / whole:.2%}")
    console.print(table)
    size = config.train.batch_size
    console.print(
        f"a run trains {size / whole:.2f} clips/s, the bare loop {size / per_update[BARE_LOOP]:.2f}: "
        f"{per_update[BARE_LOOP] / whole:.1%} of it"
    )


@dataclass(frozen=True)
class PartOfRun:
    """What is done once in so many updates."""

    seconds: float
    updates_between: float


def time_run(config: Config, seconds: float) -> dict[str, PartOfRun]:
    """Train for some time as `vidgan train` does, on procedural footage, and time what is called on the way."""
    spent: dict[str, list[float]] = {}

    def timed(name: str, function: Callable[..., T]) -> Callable[..., T]:
        @wraps(function)
        def wrapped(*args: object, **kwargs: object) -> T:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent.setdefault(name, []).append(time.perf_counter() - began)

        return wrapped

    def timed_updates(*args: object) -> Iterator[dict[str, float]]:
        updates = training_loop(*args)
        while (statistics := timed(UPDATE, next)(updates, None)) is not None:
            spent.setdefault(REAL_CLIPS, []).append(statistics["waiting"] * spent[UPDATE][-1])
            began = time.perf_counter()
            yield statistics
            spent.setdefault(BESIDE, []).append(time.perf_counter() - began)

    training_loop = vidgan.run.train
    settings, updates_in = config.train, 1000 / config.train.batch_size
    with TemporaryDirectory() as folder, ExitStack() as patches:
        for owner, name, replacement in (
            (vidgan.run, "train", timed_updates),
            (vidgan.run_output, "draw_samples", timed(SHEETS, vidgan.run_output.draw_samples)),
            (RunFolder, "save", timed(CHECKPOINT, RunFolder.save)),
            (StatsLog, "write", timed(LOG, StatsLog.write)),
        ):
            patches.enter_context(patch.object(owner, name, replacement))
        footage = procedural_footage(config, tuple("abcd"[:NUM_CLASSES]))
        run_training(config, footage, Path(folder) / "run", console=Console(quiet=True), max_seconds=seconds)
    of_updates = spent[UPDATE][WARM_UP:]
    if not of_updates:
        updates = len(spent[UPDATE])
        raise RequestError(f"--seconds: {seconds:g} were over after {updates} updates; {WARM_UP} are to warm up")
    of_clips, log, beside = (median(spent[name]) for name in (REAL_CLIPS, LOG, BESIDE))
    return {
        BARE_LOOP: PartOfRun(fmean(of_updates) - of_clips, 1),
        REAL_CLIPS: PartOfRun(of_clips, 1),
        LOG: PartOfRun(log, 1),
        "progress line and all else": PartOfRun(max(0.0, beside - log), 1),
        SHEETS: PartOfRun(fmean(spent[SHEETS]), settings.sample_kclips * updates_in),
        CHECKPOINT: PartOfRun(fmean(spent[CHECKPOINT]), settings.checkpoint_kclips * updates_in),
    }


class Arithmetic(TorchDispatchMode):
    """Counts floating-point operations as torch's FlopCounterMode does, which double backward passes stop."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation and count it."""
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        self.operations += count(*args, **(kwargs or {}), out_val=result) if count else 0
        return result


def arithmetic(config: Config) -> tuple[float, list[int]]:
    """Floating-point operations a clip of a whole update, a multiplication and an addition being two; parameters."""
    state = new_state(config, NUM_CLASSES, _device(), labels=SHOTS)
    counts = []
    for num_clips in (0, config.train.batch_size):  # with penalties, and without
        state.num_clips = num_clips
        with Arithmetic() as counter:
            _part(state, config, "whole update")()
        counts.append(counter.operations / config.train.batch_size)
    interval = config.train.penalty_interval
    return counts[0] / interval + counts[1] * (1 - 1 / interval), [
        num_parameters(network) for network in (state.generator, state.discriminator)
    ]


def convolution_ceiling(precision: str, seconds: float) -> float:
    """Floating-point operations a second, forward and backward, of a 3x3x3 convolution of 128 to 128 channels."""
    set_up_processor()
    channels, frames, side, batch = 128, 16, 16, 16
    layer = nn.Conv3d(channels, channels, 3, padding=1).to(_device(), memory_format=torch.channels_last_3d)
    x = torch.randn(batch, channels, frames, side, side, device=_device())
    x = x.contiguous(memory_format=torch.channels_last_3d).requires_grad_()

    def run() -> None:
        with autocast(precision, _device()):
            y = layer(x)
        y.backward(torch.ones_like(y))

    flop = 3 * 2 * 27 * channels**2 * batch * frames * side**2  # the padding's border counts as in any network
    return _rate(run, seconds) * flop


def measure(config: Config, mode: str, part: str, seconds: float) -> tuple[float, int]:
    """Clips a second of one part in one mode, and the process's peak memory in bytes (on a GPU, torch's).

    Updates with penalties and without are timed apart, for so many seconds each, and weighted as training meets them.
    """
    if mode == PLAIN:
        torch.set_flush_denormal(True)
        config = config.model_copy(update={"train": config.train.model_copy(update={"precision": "float32"})})
    else:
        set_up_processor()
    state = new_state(config, NUM_CLASSES, _device(), labels=SHOTS)
    if mode == PLAIN:
        _use_default_layout(state.generator)
        _use_default_layout(state.discriminator)
    elif config.train.compile:
        compile_networks(state)
    run, spent = _part(state, config, part), []
    for state.num_clips in (0, config.train.batch_size):  # with penalties, and without
        spent.append(1 / _rate(run, seconds))
    share = 1 / config.train.penalty_interval
    return config.train.batch_size / (share * spent[0] + (1 - share) * spent[1]), peak_bytes(_device())


def _settings(config: Path, overrides: list[str]) -> Config:
    return settle_loss(load_config(config, overrides), SHOTS)


def _part(state: TrainState, config: Config, part: str) -> Callable[[], object]:
    data, batch_size = config.data, config.train.batch_size
    frames = torch.randint(
        256, (batch_size, data.num_frames, data.height, data.width, data.channels), dtype=torch.uint8
    )
    draws = draw_update(config, state.generator, torch.Generator()).each(lambda tensor: tensor.to(state.device))
    labels = torch.arange(batch_size, device=state.device) % NUM_CLASSES
    parts = cut_batch(frames.to(state.device), labels, Told(labels, labels), draws, config)

    def forward() -> None:
        with torch.no_grad():
            for each in parts:
                make_fake(state, each, config)

    return {
        "forward": forward,
        "discriminator step": lambda: update_discriminator(state, parts, config),
        "generator step": lambda: update_generator(state, parts, [], config),
        "whole update": lambda: update_generator(state, parts, update_discriminator(state, parts, config)[1], config),
    }[part]


def _rate(run: Callable[[], None], seconds: float) -> float:
    """Runs a second, after two that warm up."""
    for _ in range(2):
        run()
    _wait()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        run()
        _wait()
        count += 1
    return count / (time.perf_counter() - began)


def _use_default_layout(network: nn.Module) -> None:
    """Weights, and what goes into every layer."""
    network.to(memory_format=torch.contiguous_format)
    for layer in network.modules():
        layer.register_forward_pre_hook(
            lambda _, inputs: tuple(each.contiguous() if isinstance(each, Tensor) else each for each in inputs)
        )


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    typer.run(main)
