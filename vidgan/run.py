"""A run: from a config and a footage folder to a trained generator. What `vidgan train` and `vidgan demo` do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from safetensors import SafetensorError

from vidgan.config import Config
from vidgan.errors import TrainingError
from vidgan.files import writable_folder
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.memory import held_to_available_memory, out_of_memory_in_words
from vidgan.metrics.during_training import RunningEvaluation
from vidgan.processor import set_up_processor
from vidgan.progress import hours_minutes_seconds, training_bar
from vidgan.run_folder import RunFolder
from vidgan.samples import draw_samples
from vidgan.training.interrupt import listening_for_stop
from vidgan.training.lock import locked
from vidgan.training.log import EVALUATED, StatsLog
from vidgan.training.loop import train
from vidgan.training.state import new_state
from vidgan.training.trouble import write_diagnosis
from vidgan.weights import LoadedGenerator, Provenance


@dataclass(frozen=True)
class RunResult:
    """How a call of `run_training` ended."""

    finished: bool
    """False if it was stopped before `total_kclips`; the same call goes on."""
    weights: Path
    newest_sheet: Path
    num_clips: int


def run_training(
    config: Config,
    footage: PreparedFootage,
    run: str | Path,
    *,
    console: Console,
    max_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RunResult:
    """Train until `total_kclips`, a stop signal, or `max_seconds`; goes on from the run's checkpoint if it has one.

    `clock` tells seconds; with `time.process_time` they are those that the processor worked for this training.

    Updates that are not finite are dropped; after many in a row training goes back, and after that too often it stops.
    A full disk is said and does not end training. Raises `ConfigError` if the run was begun with other settings,
    `RequestError` if its folder cannot be written or another process trains there, `WeightsError` if all of its
    checkpoints are damaged, `TrainingError` if its numbers stay infinite or memory runs out.
    """
    run = writable_folder(run)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    enough = out_of_memory_in_words(config, len(footage.class_names), device, run=run)
    with locked(run), enough, held_to_available_memory(device):
        return _Run(config, footage, run, console).train(max_seconds, clock)


class _Run:
    """A run in a folder that nobody else uses."""

    def __init__(self, config: Config, footage: PreparedFootage, path: Path, console: Console) -> None:
        self.config, self.footage, self.console = config, footage, console
        self.folder = RunFolder(path, config)
        self.folder.begin()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        set_up_processor()
        self.clips = ClipSampler(
            footage,
            num_frames=config.data.num_frames,
            frame_stride=config.data.frame_stride,
            seed=config.train.seed,
            stride_factors=config.augment.frame_strides or (1,),
        )
        self.state = new_state(config, len(footage.class_names), self.device)
        self._restore()
        self.newest_sheet = path / "samples"
        self.evaluation = self._evaluation()

    @property
    def provenance(self) -> Provenance:
        """Of the generator as it is now."""
        rate = self.footage.rate
        return Provenance(
            config=self.config,
            rate=None if rate is None else rate / self.config.data.frame_stride,
            class_names=self.footage.class_names,
            manifest_hash=self.footage.manifest_hash,
            num_clips=self.state.num_clips,
        )

    def train(self, max_seconds: float | None, clock: Callable[[], float]) -> RunResult:
        """Update after update, with everything that is due between two."""
        settings, state, folder = self.config.train, self.state, self.folder
        total = settings.total_kclips * 1000
        began, began_at, waited, dropped = clock(), state.num_clips, 0.0, 0
        log = StatsLog(folder.path, num_clips=state.num_clips)
        try:
            with listening_for_stop() as stop, training_bar(self.console) as progress:
                task = progress.add_task(
                    "training", total=settings.total_kclips, completed=state.num_clips / 1000, left="?", words=""
                )
                if not state.num_clips:
                    log.write(0, self._draw_sheets())
                for statistics in train(state, self.clips, self.config):
                    dropped = dropped + 1 if statistics["dropped"] else 0
                    if dropped == settings.most_dropped:
                        began_at -= state.num_clips
                        self._go_back(statistics)
                        began_at += state.num_clips
                        log.close()
                        log, dropped = StatsLog(folder.path, num_clips=state.num_clips), 0
                        continue
                    seconds = clock() - began
                    statistics["clips_per_second"] = (state.num_clips - began_at) / (seconds - waited)
                    left = (total - state.num_clips) / statistics["clips_per_second"]
                    left = left if max_seconds is None else min(left, max_seconds - seconds)
                    out_of_time = max_seconds is not None and seconds >= max_seconds
                    last = stop.made or out_of_time or state.num_clips >= total
                    if folder.is_due(state.num_clips, settings.sample_kclips) or (last and not stop.made):
                        statistics |= self._draw_sheets()
                    if folder.is_due(state.num_clips, self.config.evaluate.every_kclips):
                        statistics |= self._evaluate()
                        waited += statistics[f"{EVALUATED}seconds"]
                    log.write(state.num_clips, statistics)
                    if last or any(
                        folder.is_due(state.num_clips, every)
                        for every in (settings.checkpoint_kclips, settings.keep_kclips)
                    ):
                        self._save()
                    progress.update(
                        task,
                        completed=state.num_clips / 1000,
                        left=hours_minutes_seconds(max(left, 0)),
                        words=_in_words(statistics),
                    )
                    if last:
                        break
        finally:
            log.close()
        return RunResult(
            finished=state.num_clips >= total,
            weights=folder.weights,
            newest_sheet=self.newest_sheet,
            num_clips=state.num_clips,
        )

    def _restore(self) -> None:
        """Go on from the newest checkpoint, if there is one."""
        restored = self.folder.checkpoints.restore(self.state)
        if restored is None:
            return
        for reason in restored.damaged:
            self._warn(f"passed over: {reason}")
        self.console.print(
            f"going on from {restored.path} at {self.state.num_clips / 1000:.1f} kclips", highlight=False
        )
        if restored.manifest_hash != self.footage.manifest_hash:
            self._warn("the footage has changed since this run began")

    def _save(self) -> None:
        try:
            self.folder.save(self.state, self.provenance)
        except (OSError, SafetensorError) as error:
            self._warn(
                f"{self.folder.path}: cannot save at {self.state.num_clips / 1000:.1f} kclips ({error}); make room: "
                "training goes on, and what was saved before is whole"
            )

    def _draw_sheets(self) -> dict[str, float]:
        self.newest_sheet, statistics = draw_samples(
            self.folder.path / "samples", self.state, self.clips, self.provenance
        )
        return statistics

    def _evaluation(self) -> RunningEvaluation | None:
        every = self.config.evaluate.every_kclips
        if every is None:
            return None
        evaluation = RunningEvaluation(self.footage, self.config)
        self.console.print(
            f"evaluating {evaluation.num_clips} takes every {every:g} kclips"
            + (f"; no FVD: {evaluation.no_network}" if evaluation.no_network else ""),
            highlight=False,
            markup=False,
        )
        return evaluation

    def _evaluate(self) -> dict[str, float]:
        loaded = LoadedGenerator(self.state.generator_ema, self.provenance, weights_hash="", path=self.folder.path)
        return {f"{EVALUATED}{name}": value for name, value in self.evaluation.figures(loaded).items()}

    def _go_back(self, statistics: dict[str, float]) -> None:
        """To the newest checkpoint, with half the rates. Raises `TrainingError` if it went back often enough."""
        settings, state = self.config.train, self.state
        last = state.num_clips - settings.batch_size
        frames, labels = self.clips.batch(last, settings.batch_size)
        rollbacks = state.num_rollbacks + 1
        diagnosis = write_diagnosis(
            self.folder.path / "diagnosis",
            num_clips=last,
            reason=state.trouble,
            statistics=statistics,
            frames=frames.numpy(),
            labels=labels.numpy(),
        )
        said = f"{settings.most_dropped} updates in a row were dropped ({state.trouble}); see {diagnosis}"
        if rollbacks > settings.most_rollbacks:
            raise TrainingError(
                f"{self.folder.path}: {said}; it went back {settings.most_rollbacks} times already: lower "
                "train.generator_lr and train.discriminator_lr, or set train.precision=float32, in a new --run folder"
            )
        if self.folder.checkpoints.restore(state) is None:
            vars(state).update(vars(new_state(self.config, len(self.footage.class_names), self.device)))
        state.num_rollbacks = rollbacks
        self._warn(f"{said}; going back to {state.num_clips / 1000:.1f} kclips with half the rates")

    def _warn(self, words: str) -> None:
        """Something that does not end training, in one line."""
        self.console.print(words, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _in_words(statistics: dict[str, float]) -> str:
    losses = (
        "DROPPED, not finite"
        if statistics["dropped"]
        else f"loss D {statistics['loss_discriminator']:.2f} G {statistics['loss_generator']:.2f}"
    )
    return f"{statistics['clips_per_second']:.1f} clips/s  {losses}"
