"""A run: from a config and a footage folder to a trained generator. What `vidgan train` and `vidgan demo` do.

RUN/config.yaml               the settings, defaults included
RUN/checkpoints/              everything that changes; training goes on from the newest
RUN/generator.safetensors     the averaged generator, for `vidgan generate`
RUN/generators/               earlier ones, if `train.keep_kclips` is set
RUN/samples/                  sheets of generated and of real clips
RUN/stats.jsonl, tensorboard/ the curves
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from safetensors import SafetensorError

from vidgan.config import Config
from vidgan.config_files import config_to_yaml, load_config
from vidgan.errors import ConfigError, TrainingError
from vidgan.files import writable_folder, write_text
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.metrics.during_training import RunningEvaluation
from vidgan.nn.build import build_discriminator, build_generator, num_parameters
from vidgan.nn.levels import print_levels
from vidgan.processor import set_up_processor
from vidgan.progress import hours_minutes_seconds, training_bar
from vidgan.samples import draw_samples
from vidgan.survey import FoundFootage
from vidgan.training.checkpoints import Checkpoints
from vidgan.training.interrupt import listening_for_stop
from vidgan.training.lock import locked
from vidgan.training.log import EVALUATED, StatsLog
from vidgan.training.loop import train
from vidgan.training.losses import objective_of
from vidgan.training.memory import training_bytes
from vidgan.training.state import new_state
from vidgan.training.trouble import write_diagnosis
from vidgan.weights import WEIGHTS_NAME, LoadedGenerator, Provenance, save_generator

# Settings that may differ when a run goes on.
CHANGEABLE = {
    "train.total_kclips",
    "train.sample_kclips",
    "train.checkpoint_kclips",
    "train.keep_checkpoints",
    "train.keep_kclips",
    "train.disk_budget_gb",
    "evaluate.every_kclips",
    "evaluate.num_clips",
}


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
) -> RunResult:
    """Train until `total_kclips`, a stop signal, or `max_seconds`; goes on from the run's checkpoint if it has one.

    `clock` tells seconds; with `time.process_time` they are those that the processor worked for this training.

    Updates that are not finite are dropped; after many in a row training goes back, and after that too often it stops.
    A full disk is said and does not end training. Raises `ConfigError` if the run was begun with other settings,
    `RequestError` if its folder cannot be written or another process trains there, `WeightsError` if all of its
    checkpoints are damaged, `TrainingError` if its numbers stay infinite.
    """
    run = writable_folder(run)
    with locked(run):
        begin_run(run, config)
        return _train(config, footage, run, console, max_seconds, clock)


def _train(
    config: Config,
    footage: PreparedFootage,
    run: Path,
    console: Console,
    max_seconds: float | None,
    clock: Callable[[], float],
) -> RunResult:
    """`run_training` in a folder that nobody else uses."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    set_up_processor()
    data, settings = config.data, config.train
    clips = ClipSampler(
        footage,
        num_frames=data.num_frames,
        frame_stride=data.frame_stride,
        seed=settings.seed,
        stride_factors=config.augment.frame_strides or (1,),
    )
    state = new_state(config, len(footage.class_names), device)
    checkpoints = Checkpoints(
        run / "checkpoints", settings.keep_checkpoints, settings.keep_kclips, settings.disk_budget_gb
    )
    restored = checkpoints.restore(state)
    if restored is not None:
        for reason in restored.damaged:
            _warn(console, f"passed over: {reason}")
        console.print(f"going on from {restored.path} at {state.num_clips / 1000:.1f} kclips", highlight=False)
        if restored.manifest_hash != footage.manifest_hash:
            _warn(console, "the footage has changed since this run began")

    provenance = Provenance(
        config=config,
        rate=None if footage.rate is None else footage.rate / data.frame_stride,
        class_names=footage.class_names,
        manifest_hash=footage.manifest_hash,
        num_clips=state.num_clips,
    )
    newest_sheet = run / "samples"

    def save() -> None:
        made_from = replace(provenance, num_clips=state.num_clips)
        try:
            checkpoints.save(state, manifest_hash=footage.manifest_hash)
            save_generator(run / WEIGHTS_NAME, state.generator_ema, made_from)
            if settings.keep_kclips is not None and _due(state.num_clips, settings.keep_kclips, settings.batch_size):
                kept = writable_folder(run / "generators") / f"{state.num_clips:09d}_clips.safetensors"
                save_generator(kept, state.generator_ema, made_from)
        except (OSError, SafetensorError) as error:
            _warn(
                console,
                f"{run}: cannot save at {state.num_clips / 1000:.1f} kclips ({error}); make room: training goes on, "
                "and what was saved before is whole",
            )

    def draw_sheets() -> dict[str, float]:
        nonlocal newest_sheet
        newest_sheet, statistics = draw_samples(run / "samples", state, clips, provenance)
        return statistics

    evaluation = None
    if config.evaluate.every_kclips is not None:
        evaluation = RunningEvaluation(footage, config)
        console.print(
            f"evaluating {evaluation.num_clips} takes every {config.evaluate.every_kclips:g} kclips"
            + (f"; no FVD: {evaluation.no_network}" if evaluation.no_network else ""),
            highlight=False,
            markup=False,
        )

    def evaluate() -> dict[str, float]:
        loaded = LoadedGenerator(state.generator_ema, provenance, weights_hash="", path=run)
        return {f"{EVALUATED}{name}": value for name, value in evaluation.figures(loaded).items()}

    def go_back(statistics: dict[str, float]) -> None:
        """To the newest checkpoint, with half the rates."""
        last = state.num_clips - settings.batch_size
        frames, labels = clips.batch(last, settings.batch_size)
        reason, rollbacks = state.trouble, state.num_rollbacks + 1
        diagnosis = write_diagnosis(
            run / "diagnosis",
            num_clips=last,
            reason=reason,
            statistics=statistics,
            frames=frames.numpy(),
            labels=labels.numpy(),
        )
        said = f"{settings.most_dropped} updates in a row were dropped ({reason}); see {diagnosis}"
        if rollbacks > settings.most_rollbacks:
            raise TrainingError(
                f"{run}: {said}; it went back {settings.most_rollbacks} times already: lower train.generator_lr and "
                "train.discriminator_lr, or set train.precision=float32, in a new --run folder"
            )
        if checkpoints.restore(state) is None:
            vars(state).update(vars(new_state(config, len(footage.class_names), device)))
        state.num_rollbacks = rollbacks
        _warn(console, f"{said}; going back to {state.num_clips / 1000:.1f} kclips with half the rates")

    began, began_at, waited, dropped = clock(), state.num_clips, 0.0, 0
    log = StatsLog(run, num_clips=state.num_clips)
    try:
        with listening_for_stop() as stop, training_bar(console) as progress:
            task = progress.add_task(
                "training", total=settings.total_kclips, completed=state.num_clips / 1000, left="?", words=""
            )
            if not state.num_clips:
                log.write(0, draw_sheets())
            for statistics in train(state, clips, config):
                dropped = dropped + 1 if statistics["dropped"] else 0
                if dropped == settings.most_dropped:
                    began_at -= state.num_clips
                    go_back(statistics)
                    began_at += state.num_clips
                    log.close()
                    log, dropped = StatsLog(run, num_clips=state.num_clips), 0
                    continue
                seconds = clock() - began
                statistics["clips_per_second"] = (state.num_clips - began_at) / (seconds - waited)
                left = (settings.total_kclips * 1000 - state.num_clips) / statistics["clips_per_second"]
                left = left if max_seconds is None else min(left, max_seconds - seconds)
                out_of_time = max_seconds is not None and seconds >= max_seconds
                last = stop.made or out_of_time or state.num_clips >= settings.total_kclips * 1000
                if _due(state.num_clips, settings.sample_kclips, settings.batch_size) or (last and not stop.made):
                    statistics |= draw_sheets()
                if evaluation and _due(state.num_clips, config.evaluate.every_kclips, settings.batch_size):
                    statistics |= evaluate()
                    waited += statistics[f"{EVALUATED}seconds"]
                log.write(state.num_clips, statistics)
                if last or any(
                    every is not None and _due(state.num_clips, every, settings.batch_size)
                    for every in (settings.checkpoint_kclips, settings.keep_kclips)
                ):
                    save()
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
        finished=state.num_clips >= settings.total_kclips * 1000,
        weights=run / WEIGHTS_NAME,
        newest_sheet=newest_sheet,
        num_clips=state.num_clips,
    )


def _warn(console: Console, words: str) -> None:
    """Something that does not end training, in one line."""
    console.print(words, style="yellow", highlight=False, markup=False, soft_wrap=True)


def begin_run(run: Path, config: Config) -> None:
    """Write the config into a new run folder; in an old one, raise `ConfigError` if it differs where it must not."""
    path = run / "config.yaml"
    if path.exists():
        before, now = _flat(load_config(path)), _flat(config)
        changed = [name for name in now if name not in CHANGEABLE and before[name] != now[name]]
        if changed:
            differences = ", ".join(f"{name} was {before[name]}, is {now[name]}" for name in changed)
            raise ConfigError(
                f"{run}: this run was begun with other settings ({differences}); choose a new --run folder"
            )
    write_text(path, config_to_yaml(config))


def _due(num_clips: int, every_kclips: float, batch_size: int) -> bool:
    """Whether the last update crossed a multiple of `every_kclips`."""
    every = every_kclips * 1000
    return num_clips // every > (num_clips - batch_size) // every


def _flat(config: Config) -> dict[str, object]:
    tree = config.model_dump(mode="json")
    return {f"{section}.{name}": value for section, fields in tree.items() for name, value in fields.items()}


def _in_words(statistics: dict[str, float]) -> str:
    losses = (
        "DROPPED, not finite"
        if statistics["dropped"]
        else f"loss D {statistics['loss_discriminator']:.2f} G {statistics['loss_generator']:.2f}"
    )
    return f"{statistics['clips_per_second']:.1f} clips/s  {losses}"
