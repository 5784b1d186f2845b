"""A run: from a config and a footage folder to a trained generator. What `vidgan train` and `vidgan demo` do."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch
from rich.console import Console
from torch import nn

from vidgan.config import Config
from vidgan.errors import RequestError, TrainingError
from vidgan.files import writable_folder
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.memory import held_to_available_memory, out_of_memory_in_words
from vidgan.metrics.during_training import RunningEvaluation, is_better
from vidgan.metrics.mending import RunningRepairs
from vidgan.processor import set_up_processor
from vidgan.progress import Pace, hours_minutes_seconds, training_bar
from vidgan.run_folder import RunFolder
from vidgan.run_output import RunOutput
from vidgan.training.advice import Verdict, verdict_of
from vidgan.training.interrupt import listening_for_stop
from vidgan.training.lock import locked
from vidgan.training.log import EVALUATED
from vidgan.training.loop import train
from vidgan.training.processes import Processes
from vidgan.training.schedules import settle_loss
from vidgan.training.state import TrainState, averaged_generator, contents_of, new_state
from vidgan.weights import LoadedGenerator, LoadedRepairer, Provenance


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
    heldout: PreparedFootage | None = None,
    max_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    processes: Processes | None = None,
) -> RunResult:
    """Train until `total_kclips`, a stop signal, or `max_seconds`; goes on from the run's checkpoint if it has one.

    `clock` tells seconds; with `time.process_time` they are those that the processor worked for this training. Each of
    several `processes` calls this alike, with a folder that all of them see; the first writes there. A network that
    mends is looked at, and measured, on `heldout`; without, on what it is trained on.

    Updates that are not finite are dropped; after many in a row training goes back, and after that too often it stops.
    A full disk is said and does not end training. Raises `ConfigError` if the run was begun with other settings,
    `RequestError` if its folder cannot be written or another process trains there, `WeightsError` if all of its
    checkpoints are damaged, `TrainingError` if its numbers stay infinite or memory runs out.
    """
    processes = processes or Processes(device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    processes.check(config)
    config, run = settle_loss(config, footage.labels), writable_folder(run)
    device = processes.device
    enough = out_of_memory_in_words(config, len(footage.class_names), device, run=run)
    with locked(run) if processes.first else nullcontext(), enough, held_to_available_memory(device):
        return _Run(config, footage, heldout or footage, run, console, processes).train(max_seconds, clock)


class _Run:
    """A run in a folder that nobody else uses."""

    def __init__(
        self,
        config: Config,
        footage: PreparedFootage,
        heldout: PreparedFootage,
        path: Path,
        console: Console,
        processes: Processes,
    ) -> None:
        self.config, self.footage, self.heldout = config, footage, heldout
        self.console, self.processes = console, processes
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
        self.output = RunOutput(self.folder, console, writes=processes.first)
        self.state, self.said = self._new_state(), "healthy"
        self._restore()
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
            shots=self.state.shots,
        )

    def train(self, max_seconds: float | None, clock: Callable[[], float]) -> RunResult:
        """Update after update, with everything that is due between two."""
        settings, state, folder, output = self.config.train, self.state, self.folder, self.output
        total = settings.total_kclips * 1000
        pace, dropped = Pace(clock, state.num_clips, total, max_seconds), 0
        output.open_log(state.num_clips)
        try:
            with listening_for_stop() as stop, training_bar(self.console) as progress:
                task = progress.add_task(
                    "training", total=settings.total_kclips, completed=state.num_clips / 1000, left="?", words=""
                )
                if not state.num_clips:
                    output.log(0, self._draw_sheets())
                output.write_page()
                for statistics in train(state, self.clips, self.config, self.processes):
                    dropped = dropped + 1 if statistics["dropped"] else 0
                    before, verdict = self.said, self._verdict()
                    collapsed = verdict.state == "collapsed" and settings.on_collapse != "warn"
                    if dropped == settings.most_dropped or collapsed:
                        output.log(state.num_clips, statistics, verdict)
                        pace.went_back(self._go_back(statistics, verdict if collapsed else None))
                        output.open_log(state.num_clips)
                        dropped = 0
                        continue
                    statistics["clips_per_second"] = pace.clips_per_second(state.num_clips)
                    stopped = self.processes.any(stop.made)
                    last = self.processes.any(pace.out_of_time) or stopped or state.num_clips >= total
                    sheets_due = folder.is_due(state.num_clips, settings.sample_kclips)
                    if sheets_due or (last and not stopped):
                        statistics |= self._draw_sheets()
                    if folder.is_due(state.num_clips, self.config.evaluate.every_kclips):
                        statistics |= self._evaluate()
                        pace.paused(statistics.get(f"{EVALUATED}seconds", 0.0))
                    output.log(state.num_clips, statistics, verdict)
                    if sheets_due or verdict.in_short != before:
                        output.write_page()
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
                        left=hours_minutes_seconds(pace.seconds_left(state.num_clips)),
                        words=_in_words(statistics, verdict),
                    )
                    if last:
                        break
        finally:
            output.close_log()
            output.write_page(ended=True)
        return RunResult(
            finished=state.num_clips >= total,
            weights=folder.weights,
            newest_sheet=output.newest_sheet,
            num_clips=state.num_clips,
        )

    def _new_state(self) -> TrainState:
        classes, labels = self.footage.class_names, self.footage.labels
        return new_state(self.config, len(classes), self.processes.device, self.processes, labels=labels)

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
            self.output.warn(f"passed over: {reason}", self.state.num_clips)
        words = f"going on from {restored.path} at {self.state.num_clips / 1000:.1f} kclips"
        self.console.print(words, highlight=False)
        if restored.manifest_hash != self.footage.manifest_hash:
            self.output.warn("the footage has changed since this run began", self.state.num_clips)

    def _averaged(self) -> nn.Module:
        return averaged_generator(self.state, self.config, len(self.footage.class_names))

    def _save(self) -> None:
        contents = contents_of(self.state, manifest_hash=self.footage.manifest_hash)
        self.output.save(contents, self._averaged(), self.provenance)
        self.processes.wait()

    def _draw_sheets(self) -> dict[str, float]:
        clips = self.clips
        if self.config.repairs:
            data = self.config.data
            clips = ClipSampler(self.heldout, num_frames=data.num_frames, frame_stride=data.frame_stride, seed=0)
        return self.output.draw_sheets(self._averaged(), clips, self.provenance)

    def _verdict(self) -> Verdict:
        """Whether the game has collapsed; said when it changes."""
        verdict = verdict_of(self.state.watch, self.config, self.state.num_clips, self.footage.class_names)
        if verdict.in_short != self.said:
            self.said = verdict.in_short
            self.output.warn(f"{self.state.num_clips / 1000:.1f} kclips: {verdict}", self.state.num_clips)
        return verdict

    def _evaluation(self) -> RunningEvaluation | RunningRepairs | None:
        every, repairs = self.config.evaluate.every_kclips, self.config.repairs
        if every is None:
            return None
        evaluation = (
            RunningRepairs(self.heldout, self.config) if repairs else RunningEvaluation(self.footage, self.config)
        )
        self.console.print(
            f"evaluating {evaluation.num_clips} {'clips' if repairs else 'takes'} every {every:g} kclips"
            + (f"; no FVD: {evaluation.no_network}" if evaluation.no_network else ""),
            highlight=False,
            markup=False,
        )
        return evaluation

    def _evaluate(self) -> dict[str, float]:
        """Figures by name, in the first process; all of them learn whether they are the best."""
        generator, figures, is_best = self._averaged(), {}, False
        state, best_by = self.state, self.config.evaluate.best_by
        if best_by != state.best_by:  # how good the best is by another figure says nothing
            state.best_by, state.best_figure, state.best_num_clips = best_by, None, 0
        if self.evaluation is not None:
            loaded_kind = LoadedRepairer if self.config.repairs else LoadedGenerator
            loaded = loaded_kind(generator, self.provenance, weights_hash="", path=self.folder.path)
            with self.output.full_disk_survived("evaluate", state.num_clips):
                figures = self.evaluation.figures(loaded)
            is_best = is_better(best_by, figures, state.best_figure)
        if self.processes.any(is_best):
            state.best_figure, state.best_num_clips = figures.get(best_by), state.num_clips
        return {f"{EVALUATED}{name}": value for name, value in figures.items()}

    def _go_back(self, statistics: dict[str, float], collapse: Verdict | None) -> int:
        """To the newest checkpoint, or to the newest from before a collapse, with half the rates; by how many clips.

        Raises `TrainingError` if it went back often enough, or is to stop where the game has collapsed.
        """
        settings, state, checkpoints = self.config.train, self.state, self.folder.checkpoints
        from_clip, rollbacks = state.num_clips, state.num_rollbacks + 1
        run, anew = self.folder.path, "in a new --run folder"
        diagnosis = self.output.diagnose(from_clip, str(collapse or state.trouble), statistics, self.clips)
        said = f"{settings.most_dropped} updates in a row were dropped ({state.trouble}); see {diagnosis}"
        advice = "lower train.generator_lr and train.discriminator_lr, or set train.precision=float32"
        if collapse is not None:
            said, advice = f"{collapse.in_short}, {collapse.reason}; see {diagnosis}", collapse.advice
            if settings.on_collapse == "stop":
                raise TrainingError(f"{run}: stopped at {from_clip / 1000:.1f} kclips: {said}; {advice}, {anew}")
        if rollbacks > settings.most_rollbacks:
            already = f"it went back {settings.most_rollbacks} times already"
            raise TrainingError(f"{run}: {said}; {already}: {advice}, {anew}")
        if checkpoints.restore(state, at_most=inf if collapse is None else state.watch.healthy_at) is None:
            vars(state).update(vars(self._new_state()))
        self.processes.wait()
        if self.processes.first:
            checkpoints.remove_after(state.num_clips)
        state.num_rollbacks = rollbacks
        self._save()  # so that a process that ends before the next checkpoint has gone back, too
        words = f"{said}; going back to {state.num_clips / 1000:.1f} kclips with half the rates"
        self.output.warn(words, state.num_clips)
        return from_clip - state.num_clips


def _in_words(statistics: dict[str, float], verdict: Verdict) -> str:
    losses = (
        "DROPPED, not finite"
        if statistics["dropped"]
        else f"loss D {statistics['loss_discriminator']:.2f} G {statistics['loss_generator']:.2f}"
    )
    return f"{statistics['clips_per_second']:.1f} clips/s  {losses}  {verdict.in_short}"
