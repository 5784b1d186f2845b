"""A run: from a config and a footage folder to a trained generator. What `vidgan train` and `vidgan demo` do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from safetensors import SafetensorError
from torch import nn

from vidgan.config import Config
from vidgan.config_files import config_to_yaml
from vidgan.errors import MediaError, RequestError, TrainingError
from vidgan.files import writable_folder
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.metrics.during_training import RunningEvaluation, is_better
from vidgan.nn.build import build_discriminator, build_generator, num_parameters
from vidgan.nn.levels import print_levels
from vidgan.processor import set_up_processor
from vidgan.progress import hours_minutes_seconds, training_bar
from vidgan.run_folder import RunFolder
from vidgan.samples import draw_samples
from vidgan.survey import FoundFootage
from vidgan.training.interrupt import listening_for_stop
from vidgan.training.lock import locked
from vidgan.training.log import EVALUATED, NoLog, StatsLog
from vidgan.training.loop import train
from vidgan.training.losses import objective_of
from vidgan.training.memory import training_bytes
from vidgan.training.processes import Processes
from vidgan.training.state import TrainState, averaged_generator, contents_of, new_state
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


def describe_plan(config: Config, footage: FoundFootage) -> str:
    """The resolved config, both plans of levels, parameters, clips found and memory, as text."""
    objective_of(config.train.loss)
    generator = build_generator(config, len(footage.class_names))
    discriminator = build_discriminator(config, len(footage.class_names))
    return "\n".join(
        [
            config_to_yaml(config),
            f"generator, {num_parameters(generator):,} parameters",
            print_levels(generator.levels),
            "",
            f"discriminator, {num_parameters(discriminator):,} parameters",
            print_levels(discriminator.levels),
            "",
            f"clips: {footage.num_clips} from {footage.num_shots} shots",
            f"memory for training: about {training_bytes(config, generator, discriminator) / 1e9:.2f} GB",
        ]
    )


def run_training(
    config: Config,
    footage: PreparedFootage,
    run: str | Path,
    *,
    console: Console,
    max_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    processes: Processes | None = None,
) -> RunResult:
    """Train until `total_kclips`, a stop signal, or `max_seconds`; goes on from the run's checkpoint if it has one.

    `clock` tells seconds; with `time.process_time` they are those that the processor worked for this training. Each of
    several `processes` calls this alike, with a folder that all of them see; the first writes there.

    Updates that are not finite are dropped; after many in a row training goes back, and after that too often it stops.
    A full disk is said and does not end training. Raises `ConfigError` if the run was begun with other settings,
    `RequestError` if its folder cannot be written or another process trains there, `WeightsError` if all of its
    checkpoints are damaged, `TrainingError` if its numbers stay infinite.
    """
    processes = processes or Processes(device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    processes.check(config)
    run = writable_folder(run)
    with locked(run) if processes.first else nullcontext():
        return _Run(config, footage, run, console, processes).train(max_seconds, clock)


class _Run:
    """A run in a folder that nobody else uses."""

    def __init__(
        self, config: Config, footage: PreparedFootage, path: Path, console: Console, processes: Processes
    ) -> None:
        self.config, self.footage, self.console, self.processes = config, footage, console, processes
        self.folder = RunFolder(path, config)
        if processes.first:
            try:
                self.folder.begin()
            except OSError as error:
                raise RequestError(f"{path}: cannot write there ({error.strerror}); make room") from None
        set_up_processor(deterministic=config.train.deterministic)
        self.clips = ClipSampler(
            footage,
            num_frames=config.data.num_frames,
            frame_stride=config.data.frame_stride,
            seed=config.train.seed,
            stride_factors=config.augment.frame_strides or (1,),
        )
        self.state = self._new_state()
        self._restore()
        self.newest_sheet = path / "samples"
        self._failing: set[str] = set()
        self.evaluation = self._evaluation() if processes.first else None

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
        log = self._log()
        try:
            with listening_for_stop() as stop, training_bar(self.console) as progress:
                task = progress.add_task(
                    "training", total=settings.total_kclips, completed=state.num_clips / 1000, left="?", words=""
                )
                if not state.num_clips:
                    self._write(log, self._draw_sheets())
                for statistics in train(state, self.clips, self.config, self.processes):
                    dropped = dropped + 1 if statistics["dropped"] else 0
                    if dropped == settings.most_dropped:
                        began_at -= state.num_clips
                        self._go_back(statistics)
                        began_at += state.num_clips
                        log.close()
                        log, dropped = self._log(), 0
                        continue
                    seconds = clock() - began
                    statistics["clips_per_second"] = (state.num_clips - began_at) / (seconds - waited)
                    left = (total - state.num_clips) / statistics["clips_per_second"]
                    left = left if max_seconds is None else min(left, max_seconds - seconds)
                    out_of_time = max_seconds is not None and seconds >= max_seconds
                    stopped = self.processes.any(stop.made)
                    last = self.processes.any(out_of_time) or stopped or state.num_clips >= total
                    if folder.is_due(state.num_clips, settings.sample_kclips) or (last and not stopped):
                        statistics |= self._draw_sheets()
                    if folder.is_due(state.num_clips, self.config.evaluate.every_kclips):
                        figures = self._evaluate()
                        statistics |= figures
                        waited += figures.get(f"{EVALUATED}seconds", 0.0)
                    self._write(log, statistics)
                    if (
                        last
                        or folder.is_due(state.num_clips, settings.checkpoint_kclips)
                        or folder.is_due(state.num_clips, settings.keep_kclips)
                        or state.best_num_clips == state.num_clips
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

    def _new_state(self) -> TrainState:
        return new_state(self.config, len(self.footage.class_names), self.processes.device, self.processes)

    def _log(self) -> StatsLog | NoLog:
        return StatsLog(self.folder.path, num_clips=self.state.num_clips) if self.processes.first else NoLog()

    def _restore(self) -> None:
        """Go on from the newest checkpoint, if there is one."""
        newest = self.folder.checkpoints.newest_num_clips
        if not self.processes.same(newest):
            raise RequestError(
                f"{self.folder.path}: not all processes find the same checkpoints there (this one: up to "
                f"{newest / 1000:.1f} kclips); --run needs a folder that all machines share"
            )
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

    def _averaged(self) -> nn.Module:
        return averaged_generator(self.state, self.config, len(self.footage.class_names))

    def _save(self) -> None:
        contents, generator = contents_of(self.state, manifest_hash=self.footage.manifest_hash), self._averaged()
        if self.processes.first:
            with self._full_disk_survived("save"):
                self.folder.save(contents, generator, self.provenance)
        self.processes.wait()

    def _draw_sheets(self) -> dict[str, float]:
        generator = self._averaged()
        if not self.processes.first:
            return {}
        statistics: dict[str, float] = {}
        with self._full_disk_survived("write sheets"):
            self.newest_sheet, statistics = draw_samples(
                self.folder.path / "samples", generator, self.clips, self.provenance
            )
        return statistics

    def _write(self, log: StatsLog | NoLog, statistics: dict[str, float]) -> None:
        with self._full_disk_survived("log"):
            log.write(self.state.num_clips, statistics)

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
        """Figures by name, in the first process; all of them learn whether they are the best."""
        generator, figures, is_best = self._averaged(), {}, False
        if self.evaluation is not None:
            loaded = LoadedGenerator(generator, self.provenance, weights_hash="", path=self.folder.path)
            with self._full_disk_survived("evaluate"):
                figures = self.evaluation.figures(loaded)
            is_best = is_better(self.config.evaluate.best_by, figures, self.state.best_figure)
        if self.processes.any(is_best):
            self.state.best_figure = figures.get(self.config.evaluate.best_by)
            self.state.best_num_clips = self.state.num_clips
        return {f"{EVALUATED}{name}": value for name, value in figures.items()}

    def _go_back(self, statistics: dict[str, float]) -> None:
        """To the newest checkpoint, with half the rates. Raises `TrainingError` if it went back often enough."""
        settings, state = self.config.train, self.state
        rollbacks = state.num_rollbacks + 1
        diagnosis = self._diagnosis(statistics)
        said = f"{settings.most_dropped} updates in a row were dropped ({state.trouble}); see {diagnosis}"
        if rollbacks > settings.most_rollbacks:
            raise TrainingError(
                f"{self.folder.path}: {said}; it went back {settings.most_rollbacks} times already: lower "
                "train.generator_lr and train.discriminator_lr, or set train.precision=float32, in a new --run folder"
            )
        if self.folder.checkpoints.restore(state) is None:
            vars(state).update(vars(self._new_state()))
        state.num_rollbacks = rollbacks
        self._warn(f"{said}; going back to {state.num_clips / 1000:.1f} kclips with half the rates")

    def _diagnosis(self, statistics: dict[str, float]) -> Path:
        """What is known of the last update."""
        folder, last = self.folder.path / "diagnosis", self.state.num_clips - self.config.train.batch_size
        if not self.processes.first:
            return folder
        frames, labels = self.clips.batch(last, self.config.train.batch_size)
        with self._full_disk_survived("write a diagnosis"):
            folder = write_diagnosis(
                folder,
                num_clips=last,
                reason=self.state.trouble,
                statistics=statistics,
                frames=frames.numpy(),
                labels=labels.numpy(),
            )
        return folder

    @contextmanager
    def _full_disk_survived(self, what: str) -> Iterator[None]:
        """What cannot be written is said once in a row, and does not end training."""
        try:
            yield
        except (OSError, MediaError, SafetensorError) as error:
            if what not in self._failing:
                self._warn(
                    f"{self.folder.path}: cannot {what} at {self.state.num_clips / 1000:.1f} kclips ({error}); "
                    "make room: training goes on, and what was saved before is whole"
                )
            self._failing.add(what)
        else:
            self._failing.discard(what)

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
