"""Judging clips by footage: what `vidgan evaluate` does, from weights or a folder of clips to a table and a report."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from vidgan.config import Config, DataConfig, build_config, load_config
from vidgan.errors import FootageError, RequestError, WeightsError
from vidgan.files import writable_folder, write_text
from vidgan.footage.cache import cache_folder
from vidgan.footage.prepare import PreparedFootage, prepare_footage
from vidgan.footage.select import Selection, select_shots
from vidgan.metrics.clip_sets import ClipSet, clips_of_footage, clips_of_generator, same_classes
from vidgan.metrics.evaluate import Evaluator
from vidgan.metrics.evaluation import Evaluation, Protocol
from vidgan.metrics.i3d import I3D
from vidgan.metrics.i3d_weights import load_i3d
from vidgan.progress import show_progress
from vidgan.review.evaluation_page import write_evaluation_page
from vidgan.review.evaluation_table import evaluation_table
from vidgan.survey import scan_with_progress
from vidgan.weights import load_generator

# Fewer clips than this on either side say nothing.
FEWEST_CLIPS = 8


def judge(
    weights: str | None,
    footage: Path,
    *,
    clips: Path | None,
    config: Path | None,
    overrides: list[str],
    num_clips: int,
    i3d: Path | None,
    json: Path | None,
    html: Path | None,
    console: Console,
) -> Evaluation:
    """Evaluate the generator of `weights`, or the movies in `clips`; prints a table and writes what is asked for.

    Raises `RequestError` unless one of the two is given, for other classes than the footage's, and for fewer than
    8 clips on either side; otherwise as `load_generator`, `scan_footage` and `prepare_footage` do.
    """
    if (weights is None) == (clips is None):
        raise RequestError("name weights or --clips DIR, one of the two")
    for path in filter(None, (json, html)):
        writable_folder(path.resolve().parent)
    loaded = None if weights is None else load_generator(weights)
    settings = _settings(None if loaded is None else loaded.provenance.config, config, overrides)
    data = settings.data
    if loaded is not None and loaded.provenance.rate is not None:
        data = data.model_copy(update={"rate": loaded.provenance.rate * data.frame_stride})
    scan = scan_with_progress(footage, data, console)
    train = _prepared(select_shots(scan, data), data, console)
    try:
        heldout = _prepared(select_shots(scan, data, split="holdout"), data, console)
    except FootageError:  # none is set aside, or none of these can be read
        heldout = None
    train_clips = clips_of_footage(train, data.num_frames, data.frame_stride)
    heldout_clips = None if heldout is None else _like(heldout, train, data)
    network, no_network = _network(i3d)
    work = writable_folder(cache_folder() / "evaluations")
    with TemporaryDirectory(dir=work) as folder:
        if loaded is not None:
            with show_progress(console, "rendering", "clips") as progress:
                done = iter(range(1, num_clips + 1))
                generated = clips_of_generator(
                    loaded,
                    num_clips,
                    Path(folder) / "clips.npy",
                    progress=lambda: progress(next(done), num_clips),
                )
            names = loaded.provenance.class_names
        else:
            generated, names = _clips_of_folder(clips, data, train.rate, console)
        generated = replace(generated, labels=same_classes(names, train.class_names, generated.labels))
        num_real = len(train_clips) + (0 if heldout_clips is None else len(heldout_clips))
        for what, count in ((f"{footage}", num_real), (f"{weights or clips}", len(generated))):
            if count < FEWEST_CLIPS:
                raise RequestError(
                    f"{what}: {count} clips of {data.num_frames} frames (expected {FEWEST_CLIPS} or more)"
                )
        with show_progress(console, "evaluating", "clips") as progress:
            evaluator = Evaluator(
                train=train_clips,
                heldout=heldout_clips,
                footage=train,
                generated=generated,
                network=network,
                no_network=no_network,
                frame_stride=data.frame_stride,
                progress=progress,
            )
            evaluation = evaluator.evaluate(
                Protocol(
                    generated=str(weights or clips),
                    footage=str(footage),
                    num_real=num_real,
                    num_generated=len(generated),
                    num_frames=data.num_frames,
                    frame_stride=data.frame_stride,
                    height=data.height,
                    width=data.width,
                    rate=None if train.rate is None else str(train.rate / data.frame_stride),
                    real_clips="all clips of all shots, training and held-out, that do not overlap",
                    seeds=f"takes 1 to {len(generated)}; draws of the evaluation 0" if loaded else "draws 0",
                    features="I3D, Kinetics-400 logits, TF1 bilinear to 224x224" if network else "none",
                )
            )
        console.print(evaluation_table(evaluation), highlight=False)
        for name, reason in evaluation.missing.items():
            console.print(f"no {name}: {reason}", highlight=False, markup=False, soft_wrap=True)
        if json:
            write_text(json, evaluation.model_dump_json(indent=1))
            console.print(f"{json}", highlight=False, soft_wrap=True)
        if html:
            write_evaluation_page(html, evaluation, evaluator.real, generated, evaluator.pairs, rate=_rate(train, data))
            console.print(f"{html}", highlight=False, soft_wrap=True)
    return evaluation


def _settings(of_weights: Config | None, path: Path | None, overrides: list[str]) -> Config:
    """The config of the weights, or the one named; with overrides."""
    if of_weights is not None:
        return build_config(of_weights.model_dump(mode="json"), overrides)
    return load_config(path, overrides) if path else build_config({}, overrides)


def _prepared(selection: Selection, data: DataConfig, console: Console) -> PreparedFootage:
    """Shots ready to be cut into clips."""
    with show_progress(console, "preparing", "frames") as progress:
        return prepare_footage(selection, data, progress=progress)


def _like(heldout: PreparedFootage, train: PreparedFootage, data: DataConfig) -> ClipSet:
    """Held-out clips, labelled as the training clips are."""
    found = clips_of_footage(heldout, data.num_frames, data.frame_stride)
    if not train.class_names:
        return found
    labels = np.array([train.class_names.index(heldout.class_names[label]) for label in found.labels], np.int64)
    return replace(found, labels=labels)


def _network(path: Path | None) -> tuple[I3D | None, str]:
    """I3D, or why it is not there; a file that was named must be right."""
    try:
        return load_i3d(path), ""
    except WeightsError as error:
        if path is not None:
            raise
        return None, str(error)


def _clips_of_folder(
    folder: Path, data: DataConfig, rate: Fraction | None, console: Console
) -> tuple[ClipSet, tuple[str, ...]]:
    """Clips that somebody else made, brought to the size and rate of the footage; all of them count."""
    data = data.model_copy(update={"holdout": 0.0, "leave_out": (), "cuts": "none", "rate": rate})
    prepared = _prepared(select_shots(scan_with_progress(folder, data, console), data), data, console)
    return clips_of_footage(prepared, data.num_frames, data.frame_stride), prepared.class_names


def _rate(footage: PreparedFootage, data: DataConfig) -> Fraction:
    return Fraction(24) if footage.rate is None else footage.rate / data.frame_stride
