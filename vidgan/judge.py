"""Judging clips by footage: what `vidgan evaluate` does, from weights or a folder of clips to a table and a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from vidgan.config import DataConfig
from vidgan.config_files import build_config, load_config
from vidgan.errors import RequestError
from vidgan.files import writable_folder, write_text
from vidgan.footage.cache import cache_folder
from vidgan.footage.prepare import PreparedFootage
from vidgan.metrics.clip_sets import ClipSet, clips_of_footage, clips_of_generator, same_classes
from vidgan.metrics.evaluate import Evaluator
from vidgan.metrics.evaluation import Evaluation, Protocol
from vidgan.metrics.feature_figures import I3D_NAME
from vidgan.metrics.features import find_i3d
from vidgan.processor import set_up_processor
from vidgan.progress import show_progress
from vidgan.review.evaluation_page import write_evaluation_page
from vidgan.review.evaluation_table import evaluation_table
from vidgan.sampling.render import generate
from vidgan.sampling.take import seed_take
from vidgan.survey import look_at_footage
from vidgan.training.log import curves_of_run
from vidgan.weights import LoadedGenerator, load_generator

# Fewer clips than this on either side say nothing.
FEWEST_CLIPS = 8

# Real clips that are compared, at most; more of a large folder would cost hours and change little.
MOST_REAL_CLIPS = 2048

# Takes whose seams between stretches are measured, and stretches in each.
LONG_TAKES, STRETCHES = 16, 4


@dataclass(frozen=True)
class Judged:
    """The clips to be judged, and what is known of them."""

    name: str
    clips: ClipSet
    class_names: tuple[str, ...]
    seeds: str
    loops: Iterable[np.ndarray] | None = None
    long_takes: Iterable[np.ndarray] | None = None
    stretch: int = 0
    period: int = 1


def judge(
    weights: str | None,
    footage: Path,
    *,
    clips: Path | None,
    config: Path | None,
    overrides: list[str],
    num_clips: int,
    loops: bool,
    stretch: int | None,
    i3d: Path | None,
    json: Path | None,
    html: Path | None,
    console: Console,
) -> Evaluation:
    """Evaluate the generator of `weights`, or the movies in `clips`; prints a table and writes what is asked for.

    Raises `RequestError` unless one of the two is given, for another size or other classes than the footage's, and for
    fewer than 8 clips on either side; otherwise as `load_generator` and `look_at_footage` do.
    """
    if (weights is None) == (clips is None):
        raise RequestError("name weights or --clips DIR, one of the two")
    if clips is None and (loops or stretch is not None):
        raise RequestError("--loops and --stretch say how the movies of --clips DIR were made; of weights it is known")
    for path in filter(None, (json, html)):
        writable_folder(path.resolve().parent)
    set_up_processor()
    loaded = None if weights is None else load_generator(weights)
    data = _settings(loaded, config, overrides)
    found = look_at_footage(footage, data, console)
    train = found.prepare("train")
    heldout = found.held_out()
    train_clips = clips_of_footage(train, data.num_frames, data.frame_stride)
    heldout_clips = None if heldout is None else _like(heldout, train, data)
    num_real = len(train_clips) + (0 if heldout_clips is None else len(heldout_clips))
    _enough(num_real, footage, data)
    network, no_network = find_i3d(i3d)
    with TemporaryDirectory(dir=writable_folder(cache_folder() / "evaluations")) as folder:
        if loaded is not None:
            judged = _clips_of_weights(weights, loaded, data, num_clips, Path(folder) / "clips.npy", console)
        else:
            judged = _clips_of_folder(clips, data, train.rate, loops, stretch, console)
        _enough(len(judged.clips), judged.name, data)
        names = judged.class_names if data.classes == "folders" else ()
        labels = same_classes(names, train.class_names, judged.clips.labels)
        generated = replace(judged.clips, labels=labels)
        with show_progress(console, "evaluating", "clips") as progress:
            evaluator = Evaluator(
                train=_share(train_clips, MOST_REAL_CLIPS / num_real),
                heldout=None if heldout_clips is None else _share(heldout_clips, MOST_REAL_CLIPS / num_real),
                footage=train,
                generated=generated,
                network=network,
                no_network=no_network,
                frame_stride=data.frame_stride,
                loops=judged.loops,
                long_takes=judged.long_takes,
                stretch=judged.stretch,
                period=judged.period,
                progress=progress,
            )
            evaluation = evaluator.evaluate(
                Protocol(
                    generated=judged.name,
                    footage=str(footage),
                    num_real=len(evaluator.real),
                    num_generated=len(generated),
                    num_frames=data.num_frames,
                    frame_stride=data.frame_stride,
                    height=data.height,
                    width=data.width,
                    rate=None if train.rate is None else str(train.rate / data.frame_stride),
                    real_clips="all clips of all shots, training and held-out, that do not overlap"
                    + (f"; {len(evaluator.real)} drawn from {num_real}" if num_real > MOST_REAL_CLIPS else ""),
                    seeds=judged.seeds,
                    features=f"{I3D_NAME}, TF1 bilinear to 224x224" if network else "none",
                ),
                curves={} if weights is None else curves_of_run(weights),
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


def _settings(loaded: LoadedGenerator | None, path: Path | None, overrides: list[str]) -> DataConfig:
    """Of the weights, or of the config that is named; with overrides, which cannot change the size of what is made."""
    if loaded is None:
        return (load_config(path, overrides) if path else build_config({}, overrides)).data
    if path is not None:
        raise RequestError("--config is for --clips DIR; weights bring their own, and settings can be overridden")
    of_weights = loaded.provenance.config
    data = build_config(of_weights.model_dump(mode="json"), overrides).data
    for name in ("height", "width", "channels"):
        found, made = getattr(data, name), getattr(of_weights.data, name)
        if found != made:
            raise RequestError(f"data.{name}={found}: {loaded.path} makes clips of {name} {made}; leave it as it is")
    if loaded.provenance.rate is None:
        return data
    return data.model_copy(update={"rate": loaded.provenance.rate * data.frame_stride})


def _enough(count: int, name: str | Path, data: DataConfig) -> None:
    if count < FEWEST_CLIPS:
        raise RequestError(f"{name}: {count} clips of {data.num_frames} frames (expected {FEWEST_CLIPS} or more)")


def _share(clips: ClipSet, share: float) -> ClipSet:
    """All, or so many of them."""
    return clips if share >= 1 else clips.limited(max(1, round(len(clips) * share)), seed=0)


def _like(heldout: PreparedFootage, train: PreparedFootage, data: DataConfig) -> ClipSet:
    """Held-out clips, labelled as the training clips are."""
    found = clips_of_footage(heldout, data.num_frames, data.frame_stride)
    if not train.class_names:
        return found
    labels = np.array([train.class_names.index(heldout.class_names[label]) for label in found.labels], np.int64)
    return replace(found, labels=labels)


def _clips_of_weights(
    name: str, loaded: LoadedGenerator, data: DataConfig, num_clips: int, file: Path, console: Console
) -> Judged:
    """Takes of seeds 1, 2, ..., and longer ones of the first of these."""
    with show_progress(console, "rendering", "clips") as progress:
        done = iter(range(1, num_clips + 1))
        clips = clips_of_generator(
            loaded, num_clips, data.num_frames, file, progress=lambda: progress(next(done), num_clips)
        )
    stretch = loaded.provenance.config.data.num_frames
    long_takes = (
        generate(loaded, [seed_take(loaded, seed, num_frames=STRETCHES * stretch)])[0]
        for seed in range(1, LONG_TAKES + 1)
    )
    return Judged(
        name=name,
        clips=clips,
        class_names=loaded.provenance.class_names,
        seeds=f"takes 1 to {num_clips}; draws of the evaluation 0",
        long_takes=long_takes if stretch > 1 and loaded.generator.longest is None else None,
        stretch=stretch,
        period=loaded.generator.first_frames,
    )


def _clips_of_folder(
    folder: Path, data: DataConfig, rate: Fraction | None, loops: bool, stretch: int | None, console: Console
) -> Judged:
    """Clips that somebody else made, brought to the size and rate of the footage; all of them count."""
    movies = {"kind": "footage", "holdout": 0.0, "leave_out": (), "cuts": "none", "rate": rate}
    data = data.model_copy(update=movies)
    prepared = look_at_footage(folder, data, console).prepare("train")
    return Judged(
        name=str(folder),
        clips=clips_of_footage(prepared, data.num_frames, data.frame_stride),
        class_names=prepared.class_names,
        seeds="draws of the evaluation 0",
        loops=prepared.frames if loops else None,
        long_takes=None if stretch is None else [frames for frames in prepared.frames if len(frames) > stretch],
        stretch=stretch or 0,
    )


def _rate(footage: PreparedFootage, data: DataConfig) -> Fraction:
    return Fraction(24) if footage.rate is None else footage.rate / data.frame_stride
