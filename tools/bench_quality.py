"""Which networks and which recipe make the best clips in the same time: every candidate, one machine, one evaluation.

python tools/bench_quality.py runs/quality --footage plates --config configs/clip64.yaml --minutes 20

Each candidate is trained for the same time on the same footage and judged as `vidgan evaluate` does; at
several moments before, by the cheap figures of an evaluation in training. Evaluation takes no training time. All of it
goes on where it stopped, candidate by candidate, so a table can be filled bit by bit, by several processes at once:

    --only conv3d,recurrent     these candidates alone
    --processor-time            count the time that the processor works for a candidate, not the wall's: on a machine
                                that other work shares, with OMP_NUM_THREADS=1

Baselines have the sizes and rates of their articles (MoCoGAN: Tulyakov et al. 2018; VGAN: Vondrick et al. 2016), and
the moving average of weights that ours has. OUT/protocol.json holds what all have in common, OUT/CANDIDATE/quality.json
every figure of one, OUT/results.json the figures of the table, OUT/curves.png the curves. The table of a folder, as far
as it has come, or of such results is printed by

python tools/bench_quality.py runs/quality
python tools/bench_quality.py tools/quality/actions.json
"""

from __future__ import annotations

import json
import time
from datetime import date
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from vidgan.commands.terminal import console, mistakes_in_one_line
from vidgan.config_files import config_to_yaml, load_config
from vidgan.errors import RequestError, TrainingError, did_you_mean
from vidgan.files import writable_folder, write_text, written_beside
from vidgan.judge import judge
from vidgan.metrics.during_training import RunningEvaluation
from vidgan.nn.build import build_discriminator, build_generator, num_parameters
from vidgan.nn.conditions import shots_to_tell
from vidgan.processor import machine_name
from vidgan.run import run_training
from vidgan.survey import look_at_footage
from vidgan.weights import load_generator

_RATES_AND_GAME = [
    *("train.generator_lr=0.0002", "train.discriminator_lr=0.0002"),
    *("train.loss=nonsaturating", "train.r1_gamma=0"),
]
_AS_PUBLISHED = [
    *("model.generator_channels=64", "model.discriminator_channels=64", "model.max_channels=512"),
    *("train.adam_beta2=0.999", "train.batch_size=32", "model.tell_shots=false", *_RATES_AND_GAME),
]

# By name: what differs from the config.
CANDIDATES = {
    "conv3d": [],
    "another seed": ["train.seed=7"],
    "recurrent": ["model.family=recurrent", "model.content_dim=50", "model.motion_dim=10", *_AS_PUBLISHED],
    "dcgan3d": ["model.family=dcgan3d", "model.content_dim=100", *_AS_PUBLISHED],
    "dense": ["model.family=dense", "model.tell_shots=false", *_RATES_AND_GAME],
    "recurrent of our size": ["model.family=recurrent"],
    "dcgan3d of our size": ["model.family=dcgan3d"],
    "shots not told": ["model.tell_shots=false"],
    "shots not told and non-saturating": ["model.tell_shots=false", "train.loss=nonsaturating"],
    "hinge": ["train.loss=hinge"],
    "least squares": ["train.loss=leastsquares"],
    "relativistic": ["train.loss=relativistic"],
    "Wasserstein": ["train.loss=wasserstein", "train.lipschitz_lambda=10"],
    "no penalty": ["train.r1_gamma=0"],
    "penalty every update": ["train.penalty_interval=1"],
    "finite differences": ["train.penalty=finite_difference"],
    "two discriminators": ["model.discriminator_frames=4"],
    "a quarter of the motion noise": ["model.motion_dim=4"],
    "four times the motion noise": ["model.motion_dim=64"],
    "augmentation": ["augment.translation=0.125", "augment.color=0.2"],
    "half the channels": ["model.generator_channels=8", "model.discriminator_channels=8", "model.max_channels=64"],
    "twice the channels": ["model.generator_channels=32", "model.discriminator_channels=32", "model.max_channels=256"],
    "half the discriminator": ["model.discriminator_channels=8"],
    "half the batch": ["train.batch_size=2"],
    "four times the batch": ["train.batch_size=16"],
    "r1_gamma 0.75": ["train.r1_gamma=0.75"],
    "r1_gamma 36": ["train.r1_gamma=36"],
    "no momentum": ["train.adam_beta1=0"],
    "modulated": ["model.modulate=true"],
    "one rate for all layers": ["train.equalize_lr=false"],
    "half the rate": ["train.generator_lr=0.00025", "train.discriminator_lr=0.00025"],
    "twice the rate": ["train.generator_lr=0.001", "train.discriminator_lr=0.001"],
}


@mistakes_in_one_line
def main(
    out: Annotated[Path, typer.Argument(help="Folder for the runs and the results; or results.json, to be tabled")],
    footage: Annotated[Path | None, typer.Option(help="Folder with movies and frame sequences")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file: what candidates differ from")] = None,
    minutes: Annotated[float, typer.Option(help="Time to train each candidate")] = 20.0,
    points: Annotated[int, typer.Option(min=1, help="Moments at which FVD is measured, the last one included")] = 4,
    num_clips: Annotated[int, typer.Option(min=8, help="Takes to judge by")] = 256,
    processor_time: Annotated[bool, typer.Option("--processor-time", help="Minutes of one processor core")] = False,
    only: Annotated[str | None, typer.Option(help="Candidates, such as conv3d,recurrent")] = None,
) -> None:
    """Train and judge candidates that are not finished yet, then print the table."""
    if footage is None and config is None:
        _print_table(read_results(out))
        return
    if footage is None or config is None:
        raise RequestError("to measure needs both --footage and --config; without either, what there is is tabled")
    out = writable_folder(out)
    about = _agreed(out, protocol(footage, config, minutes, points, num_clips, processor_time))
    for name in chosen(only):
        console.print(f"{name}: {' '.join(CANDIDATES[name]) or 'as in the config'}", highlight=False)
        try:
            measure(name, about, out, footage, config)
        except TrainingError as error:
            console.print(f"{name}: {error}", style="yellow", highlight=False, markup=False, soft_wrap=True)
        finally:  # also of a candidate that is stopped on its way
            results = results_of(about, _measured(out))
            write_text(out / "results.json", json.dumps(results, indent=1))
            draw_curves(results, out / "curves.png")
    _print_table(results)


def protocol(
    footage: Path, config: Path, minutes: float, points: int, num_clips: int, processor_time: bool
) -> dict[str, object]:
    """What must be the same for all rows of a table, the contents of footage and config by a hash."""
    settings = load_config(config)
    prepared = look_at_footage(footage, settings.data, Console(quiet=True)).prepare("train")
    digest = sha256(config_to_yaml(settings).encode()).hexdigest()
    return {
        "footage": f"{footage.name} ({prepared.manifest_hash[:8]})",
        "config": f"{config.name} ({digest[:8]})",
        "minutes": minutes,
        "clock": "processor" if processor_time else "wall",
        "points": points,
        "num_clips": num_clips,
        "machine": machine_name(),
        "torch": torch.__version__,
    }


def chosen(only: str | None) -> list[str]:
    """The candidates that are asked for. Raises `RequestError` for an unknown one."""
    names = list(CANDIDATES) if only is None else [name.strip() for name in only.split(",")]
    for name in names:
        if name not in CANDIDATES:
            raise RequestError(f'--only: unknown candidate "{name}"{did_you_mean(name, CANDIDATES)}')
    return names


def measure(name: str, about: dict[str, Any], out: Path, footage: Path, config: Path) -> None:
    """Train a candidate for as long as is left of its time, judge it, and write its record after each step."""
    clock = time.process_time if about["clock"] == "processor" else time.monotonic
    run = writable_folder(out / name.replace(" ", "_"))
    record = {"name": name, "overrides": CANDIDATES[name], "seconds": 0.0, "curve": []} | _measured(out).get(name, {})
    if "evaluation" in record:
        return
    overrides = [*CANDIDATES[name], "train.total_kclips=1000000", f"evaluate.num_clips={about['num_clips']}"]
    settings = load_config(config, overrides)
    prepared = look_at_footage(footage, settings.data, Console(quiet=True)).prepare("train")
    known = len(prepared.class_names), shots_to_tell(settings, prepared.labels)
    built = [build(settings, *known) for build in (build_generator, build_discriminator)]
    record["parameters"] = [num_parameters(network) for network in built]
    evaluation = RunningEvaluation(prepared, settings)
    while len(record["curve"]) < about["points"]:
        due = (len(record["curve"]) + 1) * about["minutes"] * 60 / about["points"]
        if record["seconds"] < due:
            began = clock()
            result = run_training(
                settings, prepared, run, console=console, max_seconds=due - record["seconds"], clock=clock
            )
            record["seconds"] += clock() - began
            record["kclips"] = result.num_clips / 1000
            _write(record, run)
            if record["seconds"] < due:
                raise KeyboardInterrupt
        figures = evaluation.figures(load_generator(run))
        record["curve"].append({"minutes": record["seconds"] / 60, "kclips": record["kclips"], **figures})
        record["date"] = date.today().isoformat()
        console.print(f"{record['seconds'] / 60:.1f} minutes: {_said(figures)}", highlight=False)
        _write(record, run)
    found = judge(
        str(run),
        footage,
        clips=None,
        config=None,
        overrides=[],
        num_clips=about["num_clips"],
        loops=False,
        stretch=None,
        i3d=None,
        json=None,
        html=run / "evaluation.html",
        console=console,
    )
    record["evaluation"] = found.model_dump(mode="json", exclude={"curves"})
    _write(record, run)


def results_of(about: dict[str, Any], records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What OUT/results.json holds: the protocol, a row of figures for each candidate, and the footage's yardsticks."""
    trained = [record for record in records.values() if record["curve"]]
    marks = next((marks for record in trained if (marks := _value(record, "yardsticks"))), None) or {}
    return {
        "protocol": about,
        "rows": [row_of(record) for record in trained],
        "yardsticks": {name: mark for name, mark in marks.items() if mark and name != "num_clips"},
    }


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    """The figures of a candidate; None for those that have not been measured.

    FVD has all points of its curve so far; frames (their Frechet distance), motion and coverage are those of the last
    one, the rest of the evaluation at the end. Variety is how far clips of a class are apart, over the same of the
    footage, the mean of all classes.
    """
    last = record["curve"][-1]
    return {
        "candidate": record["name"],
        "overrides": record["overrides"],
        "date": record["date"],
        "parameters": record["parameters"],
        "kclips": last["kclips"],
        "fvd": [point.get("fvd") for point in record["curve"]],
        "frames": last.get("frame_frechet"),
        "motion_decibels": last.get("motion_energy_decibels"),
        "coverage": last.get("coverage"),
        "variety": _variety(record),
        "class_recognised": _value(record, "classes", "generated", "value"),
        "told_from_real": _value(record, "two_sample", "accuracy", "value"),
        "copies": _value(record, "memorisation", "copies"),
    }


def read_results(path: Path) -> dict[str, Any]:
    """Of a results.json, or of a bench's folder as far as it has come. Raises `RequestError` if it is neither."""
    try:
        if path.is_dir():
            return results_of(json.loads((path / "protocol.json").read_text(encoding="utf-8")), _measured(path))
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: found[name] for name in ("protocol", "rows", "yardsticks")}
    except OSError as error:
        raise RequestError(f"{error.filename}: {error.strerror}; to measure, give --footage and --config") from None
    except (ValueError, KeyError, TypeError):
        raise RequestError(f"{path}: not a results.json of this bench") from None


def in_markdown(results: dict[str, Any]) -> str:
    """A line for each row, those measured longest first, and of them the nearest to the footage; figures that no row
    has are left out."""
    about, points = results["protocol"], results["protocol"]["points"]
    minutes = [f"{(point + 1) * about['minutes'] / points:g}" for point in range(points)]
    always = ["candidate", "parameters, M", "kclips", f"FVD at {minutes[0]} min", *minutes[1:]]
    columns = [*always, "frames", "motion", "coverage", "variety", "class recognised", "told from real", "copies"]
    lines = [columns, ["---"] * len(columns)]
    for row in sorted(results["rows"], key=lambda row: (-len(row["fvd"]), row["fvd"][-1] or 0.0)):
        lines.append(
            [
                row["candidate"],
                " + ".join(f"{count / 1e6:.1f}" for count in row["parameters"]),
                f"{row['kclips']:.0f}",
                *(_cell("{:.0f}", value) for value in [*row["fvd"], *[None] * (points - len(row["fvd"]))]),
                _cell("{:.2f}", row["frames"]),
                _cell("{:+.1f} dB", row["motion_decibels"]),
                _cell("{:.2f}", row["coverage"]),
                _cell("{:.2f}", row["variety"]),
                _cell("{:.0%}", row["class_recognised"]),
                _cell("{:.0%}", row["told_from_real"]),
                _cell("{:.0%}", row["copies"]),
            ]
        )
    shown = [index for index, name in enumerate(columns) if name in always or any(line[index] for line in lines[2:])]
    table = [f"| {' | '.join(line[index] for index in shown)} |" for line in lines]
    if results["yardsticks"]:
        named = ", ".join(f"{name} {mark:.0f}" for name, mark in results["yardsticks"].items())
        table += ["", f"Yardsticks: {named}."]
    return "\n".join([*table, "", ", ".join(f"{name} {value}" for name, value in about.items()) + "."])


def _value(record: dict[str, Any], *path: str) -> Any:
    found = record.get("evaluation")
    for part in path:
        found = None if found is None else found[part]
    return found


def _variety(record: dict[str, Any]) -> float | None:
    real, generated = (_value(record, "variety", of) or {} for of in ("real", "generated"))
    pairs = [(generated.get(name), distance) for name, distance in real.items() if distance]
    shares = [made / distance for made, distance in pairs if made is not None]
    return fmean(shares) if shares else None


def _cell(shape: str, value: float | None) -> str:
    return "" if value is None else shape.format(value)


def _said(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items())


def _agreed(out: Path, about: dict[str, Any]) -> dict[str, Any]:
    """The protocol, which becomes that of a new folder. Raises `RequestError` if the folder's is another."""
    path = out / "protocol.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else about
    changed = [f"{name} {before.get(name)} ({about[name]} now)" for name in about if before.get(name) != about[name]]
    if changed:
        raise RequestError(f"{path}: measured with {', '.join(changed)}; rows of one table need one protocol")
    write_text(path, json.dumps(about, indent=1))
    return about


def _measured(out: Path) -> dict[str, dict[str, Any]]:
    """Every candidate's record so far, in the order of `CANDIDATES`."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*/quality.json")]
    found = {record["name"]: record for record in records}
    return {name: found[name] for name in CANDIDATES if name in found}


def _write(record: dict[str, Any], run: Path) -> None:
    write_text(run / "quality.json", json.dumps(record, indent=1))


def draw_curves(results: dict[str, Any], path: Path) -> None:
    """FVD against minutes, a line for each candidate, as a picture."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    minutes = results["protocol"]["minutes"] / results["protocol"]["points"]
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_prop_cycle(color=colormaps["tab20"].colors)
    for row in results["rows"]:
        points = [(minutes * point, fvd) for point, fvd in enumerate(row["fvd"], 1) if fvd is not None]
        if points:
            axes.semilogy(*zip(*points, strict=True), marker=".", label=row["candidate"])
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("Frechet Video Distance")
    if axes.lines:
        figure.legend(loc="outside right upper")
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=120)


def _print_table(results: dict[str, Any]) -> None:
    console.print(in_markdown(results), highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
