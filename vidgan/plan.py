"""What training will take on this machine, before it begins: what `vidgan plan` and `vidgan train --dry-run` print."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from rich.console import Console

from vidgan.config import Config
from vidgan.config_files import config_to_yaml
from vidgan.errors import TrainingError
from vidgan.measure import Measured, measure
from vidgan.memory import available_bytes
from vidgan.nn.build import build_discriminator, build_generator, num_parameters
from vidgan.nn.conditions import shots_to_tell
from vidgan.nn.levels import print_levels
from vidgan.processor import machine_name
from vidgan.progress import hours_minutes_seconds, show_progress
from vidgan.survey import FoundFootage
from vidgan.training.losses import objective_of
from vidgan.training.rehearsal import NOTHING_TO_CHANGE, Change, changes_that_need_less, needed_bytes
from vidgan.training.schedules import settle_loss

# Settings that are predicted to need more than this many times the memory there is are not tried: predictions are not
# exact.
NOT_TRIED = 1.25


class Figures(BaseModel):
    """Strict base of the parts of a plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Memory(Figures):
    """Bytes at the most: of the process on a CPU, of tensors on a GPU."""

    predicted: int
    measured: int | None
    available: int
    """What a process can have now."""

    @property
    def fits(self) -> bool:
        """By what was measured, or else by what is predicted."""
        return (self.measured or self.predicted) <= self.available


class Time(Figures):
    """From updates, sheets and checkpoints, one measurement of each."""

    clips_per_second: float
    """Of updates alone, penalties at their interval."""
    seconds: float
    """To `train.total_kclips`, sheets and checkpoints included, evaluations not."""


class Disk(Figures):
    """Bytes at the end of the run, or where it holds most."""

    checkpoints: int
    """Those that are kept, and the one being written."""
    generators: int
    sheets: int
    curves: int
    available: int

    @property
    def needed(self) -> int:
        """Bytes of all files of the run."""
        return self.checkpoints + self.generators + self.sheets + self.curves


class Plan(Figures):
    """Whether a run of these settings fits this machine, and how long it takes; what needs less if it does not."""

    config: Config
    machine: str
    num_shots: int
    most_shots: int
    """Of one class."""
    told_shots: int
    """Those that the networks tell apart: all or none."""
    num_clips: int
    class_names: tuple[str, ...]
    generator_parameters: int
    discriminator_parameters: int
    memory: Memory
    prepared_bytes: int
    """Of the frames at training size in the cache folder, those that are there included."""
    measured: Measured | None
    not_measured: str
    """Why nothing was measured; empty if it was."""
    time: Time | None
    disk: Disk | None
    changes: tuple[Change, ...]
    """What needs less memory, if it does not fit."""
    fits: bool
    """In memory, and on the disk if that is known."""


def make_plan(config: Config, footage: FoundFootage, *, run: Path, measured: bool, console: Console) -> Plan:
    """Predict what training takes; with `measured`, take some real updates, in a process of their own, with progress.

    `run` is the folder whose disk would be written to. Raises `ConfigError` for an unknown family or loss.
    """
    config = settle_loss(config, footage.labels)
    objective_of(config.train.loss)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    num_classes, shots = len(footage.class_names), shots_to_tell(config, footage.labels)
    with torch.device("meta"):
        networks = [build(config, num_classes, shots) for build in (build_generator, build_discriminator)]
    predicted, available = needed_bytes(config, num_classes, device), available_bytes(device)
    result, not_measured, out_of_memory = None, "not asked for", False
    if measured and predicted > NOT_TRIED * available:
        not_measured = "it would not fit"
    elif measured:
        try:
            with show_progress(console, "measuring", "steps") as progress:
                result, not_measured = measure(config, footage.class_names, progress=progress), ""
        except TrainingError as error:
            not_measured, out_of_memory = str(error), True
    memory = Memory(predicted=predicted, measured=result and result.peak_bytes, available=available)
    disk = disk_of_run(config, result, run) if result else None
    fits_memory = memory.fits and not out_of_memory
    changes: tuple[Change, ...] = ()
    if not fits_memory:
        changes = changes_that_need_less(config, num_classes, device, needed=predicted, available=available)
    return Plan(
        config=config,
        machine=machine_name(),
        num_shots=len(footage.labels),
        most_shots=max(Counter(footage.labels).values(), default=0),
        told_shots=len(shots),
        num_clips=footage.num_clips,
        class_names=footage.class_names,
        generator_parameters=num_parameters(networks[0]),
        discriminator_parameters=num_parameters(networks[1]),
        memory=memory,
        prepared_bytes=footage.prepared_bytes,
        measured=result,
        not_measured=not_measured,
        time=time_of_run(config, result) if result else None,
        disk=disk,
        changes=changes,
        fits=fits_memory and (disk is None or disk.needed <= disk.available),
    )


def time_of_run(config: Config, measured: Measured) -> Time:
    """All updates at their mean, and every sheet and checkpoint that is due."""
    settings = config.train
    total = settings.total_kclips
    share = 1 / settings.penalty_interval
    update = (1 - share) * measured.update_seconds + share * measured.penalty_update_seconds
    num_updates = math.ceil(total * 1000 / settings.batch_size)
    num_saves = total // settings.checkpoint_kclips + (total // settings.keep_kclips if settings.keep_kclips else 0)
    seconds = (
        num_updates * update + _num_sheets(config) * measured.sheet_seconds + max(1, num_saves) * measured.save_seconds
    )
    return Time(clips_per_second=settings.batch_size / update, seconds=seconds)


def disk_of_run(config: Config, measured: Measured, run: Path) -> Disk:
    """What the run's folder comes to hold, as `vidgan.run_folder` describes it."""
    settings = config.train
    kept_for_good = int(settings.total_kclips // settings.keep_kclips) if settings.keep_kclips else 0
    num_saves = max(1, int(settings.total_kclips // settings.checkpoint_kclips) + kept_for_good)
    checkpoints = min(settings.keep_checkpoints + kept_for_good, num_saves) * measured.checkpoint_bytes
    if settings.disk_budget_gb is not None:
        checkpoints = min(checkpoints, max(measured.checkpoint_bytes, round(settings.disk_budget_gb * 1e9)))
    return Disk(
        checkpoints=checkpoints + measured.checkpoint_bytes,
        generators=(1 + kept_for_good) * measured.generator_bytes,
        sheets=_num_sheets(config) * measured.sheet_bytes,
        curves=math.ceil(settings.total_kclips * 1000 / settings.batch_size) * measured.curve_bytes,
        available=shutil.disk_usage(_nearest_folder(run)).free,
    )


def plan_in_words(plan: Plan) -> str:
    """Settings, both networks level by level, clips, memory; time and disk if they were measured; what to change."""
    config, memory = plan.config, plan.memory
    with torch.device("meta"):
        generator, discriminator = (
            build(config, len(plan.class_names)) for build in (build_generator, build_discriminator)
        )
    lines = [
        config_to_yaml(config),
        f"generator, {plan.generator_parameters:,} parameters",
        print_levels(generator.levels),
        "",
        f"discriminator, {plan.discriminator_parameters:,} parameters",
        print_levels(discriminator.levels),
        "",
        f"clips: {plan.num_clips} from {plan.num_shots} shots{_told(plan)}",
        f"machine: {plan.machine}",
        f"memory for training: about {_gigabytes(memory.predicted)} predicted, "
        + (f"{_gigabytes(memory.measured)} measured; " if memory.measured else f"not measured ({plan.not_measured}); ")
        + f"{_gigabytes(memory.available)} are there",
    ]
    if plan.measured and plan.time and plan.disk:
        measured, disk = plan.measured, plan.disk
        lines += [
            f"speed, measured once: {plan.time.clips_per_second:.1f} clips/s",
            f"  an update {measured.update_seconds:.2f} s, with penalties {measured.penalty_update_seconds:.2f} s, "
            f"a sheet {measured.sheet_seconds:.2f} s, a checkpoint {measured.save_seconds:.2f} s",
            f"time to {config.train.total_kclips:g} kclips: about {hours_minutes_seconds(plan.time.seconds)}"
            + (", evaluations not counted" if config.evaluate.every_kclips else ""),
            f"disk for the run: about {_gigabytes(disk.needed)}; {_gigabytes(disk.available)} are free",
            f"  checkpoints {_gigabytes(disk.checkpoints)}, generators {_gigabytes(disk.generators)}, "
            f"sheets {_gigabytes(disk.sheets)}, curves {_gigabytes(disk.curves)}",
            f"disk for prepared frames: {_gigabytes(plan.prepared_bytes)}",
        ]
    return "\n".join([*lines, *verdict(plan)])


def verdict(plan: Plan) -> list[str]:
    """Whether it fits, and a line for each change that needs less."""
    if plan.fits:
        return ["it fits" if plan.measured else "it should fit: nothing was measured"]
    lines = []
    if plan.disk and plan.disk.needed > plan.disk.available:
        lines.append(
            "it does not fit on the disk: lower train.keep_checkpoints, raise train.keep_kclips or "
            "train.sample_kclips, or set train.disk_budget_gb"
        )
    if plan.changes:
        lines.append("it does not fit in memory; predicted for each change alone:")
    elif not lines:
        lines.append(f"it does not fit in memory; {NOTHING_TO_CHANGE}")
    for change in plan.changes:
        fits = "fits" if change.needed_bytes <= plan.memory.available else "does not fit"
        same = "the same update, in more time" if change.same_update else "another network"
        lines.append(f"  {change.in_words()}: {fits}; {same}")
    return lines


def _num_sheets(config: Config) -> int:
    """One at the start, one at the end, one at every multiple of `sample_kclips` between."""
    return 2 + max(0, math.ceil(config.train.total_kclips / config.train.sample_kclips) - 1)


def _nearest_folder(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(each for each in [path, *path.resolve().parents] if each.is_dir())


def _told(plan: Plan) -> str:
    model = plan.config.model
    if plan.told_shots:
        return ", which both networks tell apart"
    if model.tell_shots and plan.most_shots > model.content_dim and plan.config.data.num_frames > 1:
        return f"; networks would tell them apart if model.content_dim were {plan.most_shots}, the most in one class"
    return ""


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.2f} GB"
