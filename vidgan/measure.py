"""What a run's parts take on this machine, measured once, in a process of its own, so that its peak memory is theirs.

    update with penalties, update without       they warm up
    update with penalties, two without          timed
    a sheet, a checkpoint with the generator    timed, and their files weighed

They are the loop's own updates and the run folder's own files, on procedural footage of the right shape.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from fractions import Fraction
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import torch
from pydantic import BaseModel, ConfigDict

from vidgan.clip import span
from vidgan.config import Config
from vidgan.errors import TrainingError
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.footage.procedural import render_shot
from vidgan.memory import held_to_available_memory, is_out_of_memory, peak_bytes
from vidgan.processor import set_up_processor
from vidgan.run_folder import RunFolder
from vidgan.samples import draw_samples
from vidgan.training.log import StatsLog
from vidgan.training.loop import train
from vidgan.training.state import contents_of, new_state
from vidgan.weights import Provenance

# Update by update, how many came before it: penalties are due in the first. The first two warm up.
UPDATES = (0, 1, 0, 1, 2)
NUM_WARM_UP = 2
NUM_STEPS = len(UPDATES) + 2

# For the process to go, once it has answered or died.
ENDING_SECONDS = 10

# Procedural footage, whose sides are even and not too small.
RATE, SMALLEST_SIDE = Fraction(24), 16


class Measured(BaseModel):
    """Seconds and bytes of a run's parts; one measurement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    peak_bytes: int
    """Of the process on a CPU, of tensors on a GPU."""
    update_seconds: float
    """Of an update without penalties, mean of two."""
    penalty_update_seconds: float
    sheet_seconds: float
    sheet_bytes: int
    """Of both, each taken to be as large as that of real clips: takes come to look like them. Of mended clips, the one
    there is."""
    save_seconds: float
    checkpoint_bytes: int
    generator_bytes: int
    curve_bytes: int
    """Of `stats.jsonl` and TensorBoard's file, an update."""


def measure(config: Config, class_names: tuple[str, ...], *, progress: Callable[[int, int], None]) -> Measured:
    """Measure a run of these settings and classes; `progress(done, total)` counts steps.

    Raises `TrainingError` if it needs more memory than there is, or ends without an answer.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with TemporaryDirectory() as folder:
        process = context.Process(target=_measure_and_send, args=(theirs, config, class_names, Path(folder)))
        process.start()
        theirs.close()
        answer: object = None
        try:
            with suppress(EOFError):
                while isinstance(answer := ours.recv(), int):
                    progress(answer, NUM_STEPS)
            process.join(ENDING_SECONDS)
        finally:
            process.kill()
            process.join()
    if isinstance(answer, Measured):
        return answer
    raise TrainingError(
        str(answer) if isinstance(answer, str) else f"the measuring process ended with exit code {process.exitcode}"
    )


def _measure_and_send(connection: Connection, config: Config, class_names: tuple[str, ...], folder: Path) -> None:
    """In the process of its own: send the number of steps done, then what was measured, or why it was not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    set_up_processor()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with held_to_available_memory(device):
            answer: object = _measure(config, class_names, device, folder, connection.send)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        answer = "out of memory"
    connection.send(answer)


def _measure(
    config: Config, class_names: tuple[str, ...], device: torch.device, folder: Path, report: Callable[[int], None]
) -> Measured:
    footage = procedural_footage(config, class_names)
    data = config.data
    clips = ClipSampler(footage, num_frames=data.num_frames, frame_stride=data.frame_stride, seed=config.train.seed)
    state = new_state(config, len(class_names), device)
    endless = config.model_copy(update={"train": config.train.model_copy(update={"total_kclips": float("inf")})})
    log = StatsLog(folder, num_clips=0)
    seconds = []
    updates = train(state, clips, endless)
    for done, before in enumerate(UPDATES, start=1):
        began = time.perf_counter()
        state.num_clips = before * config.train.batch_size
        log.write(state.num_clips, next(updates))
        seconds.append(time.perf_counter() - began)
        report(done)
    log.close()
    curves = [folder / "stats.jsonl", *(folder / "tensorboard").iterdir()]
    curve_bytes = _size(curves) // len(UPDATES)

    provenance = Provenance(
        config=config, rate=RATE, class_names=class_names, manifest_hash=footage.manifest_hash, num_clips=0
    )
    began = time.perf_counter()
    samples = folder / "samples"
    draw_samples(samples, state.generator_ema, clips, provenance)
    sheet_seconds = time.perf_counter() - began
    report(len(UPDATES) + 1)

    run = RunFolder(folder, config)
    began = time.perf_counter()
    run.save(contents_of(state, manifest_hash=""), state.generator_ema, provenance)
    return Measured(
        peak_bytes=peak_bytes(device),
        update_seconds=fmean(seconds[NUM_WARM_UP + 1 :]),
        penalty_update_seconds=seconds[NUM_WARM_UP],
        sheet_seconds=sheet_seconds,
        sheet_bytes=_size(samples.iterdir()) if config.repairs else 2 * _size(samples.glob("*_real*")),
        save_seconds=time.perf_counter() - began,
        checkpoint_bytes=_size(run.checkpoints.paths()),
        generator_bytes=_size([run.weights]),
        curve_bytes=curve_bytes,
    )


def procedural_footage(config: Config, class_names: tuple[str, ...]) -> PreparedFootage:
    """A shot as long as a clip, of every class the same, or of none."""
    data = config.data
    height, width = (max(SMALLEST_SIDE, side + side % 2) for side in (data.height, data.width))
    stride = data.frame_stride * max(config.augment.frame_strides, default=1)
    num_frames = span(data.num_frames, stride)
    shot = render_shot("walk", 0, height=height, width=width, rate=RATE, num_frames=num_frames, seed=0)
    shot = shot[:, : data.height, : data.width, : data.channels]
    return PreparedFootage(
        frames=(shot,) * max(1, len(class_names)),
        labels=tuple(range(max(1, len(class_names)))),
        class_names=class_names,
        rate=RATE,
        notes=(),
        manifest_hash="",
    )


def _size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
