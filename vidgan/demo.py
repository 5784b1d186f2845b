"""The demo: the main job, done as a user would do it, on footage that is made on the spot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from rich.console import Console

from vidgan.config import Config, DataConfig, TrainConfig
from vidgan.files import writable_folder
from vidgan.footage.procedural import make_footage
from vidgan.progress import show_progress
from vidgan.review.export import export
from vidgan.review.takes import write_takes
from vidgan.run import run_training
from vidgan.sampling.choose import Choice, choose_takes
from vidgan.survey import look_at_footage
from vidgan.weights import DEMO_NAME, load_generator

# Small enough for minutes on two cores; at 12 frames/s a clip of 16 frames holds a whole stride of a walk.
FOOTAGE = {"height": 64, "width": 64, "rate": Fraction(12), "num_frames": 36}

# The recipe, told once here because an installed package has no configs/; the run's config.yaml holds it whole.
CONFIG = Config(
    data=DataConfig(height=32, width=32, num_frames=16, classes="folders"),
    train=TrainConfig(total_kclips=1000),
)

TAKES_PER_CLASS = 8


def run_demo(out: str | Path, *, minutes: float, shots_per_class: int, console: Console) -> None:
    """Make footage, scan and prepare it, train for `minutes`, and render takes, all below `out`."""
    out = writable_folder(out)
    footage, run, takes = out / "footage", out / "run", out / "takes"

    console.rule("1 of 4: footage")
    with show_progress(console, "making footage", "shots") as progress:
        movies = make_footage(footage, **FOOTAGE, shots_per_class=shots_per_class, progress=progress)
    console.print(f"{len(movies)} movies in {footage}", highlight=False)

    console.rule("2 of 4: scan and prepare")
    prepared = look_at_footage(footage, CONFIG.data, console).prepare("train")

    console.rule(f"3 of 4: train for {minutes:g} minutes")
    result = run_training(CONFIG, prepared, run, console=console, max_seconds=minutes * 60)

    console.rule("4 of 4: generate and export")
    loaded = load_generator(run)
    choice = Choice(seeds=range(1, TAKES_PER_CLASS + 1), labels=range(len(prepared.class_names)))
    wanted = choose_takes(loaded, choice)
    with show_progress(console, "rendering", "frames") as progress:
        *_, sheet, still = write_takes(loaded, wanted, takes, scale=4, progress=progress)
    gif = export(sheet, sheet.with_suffix(".gif")).output

    shipped = load_generator(DEMO_NAME).provenance
    lines = [
        "",
        f"footage        {footage}",
        f"run            {run} ({result.num_clips / 1000:.1f} kclips)",
        f"takes          {takes}",
        f"contact sheet  {sheet}, {still.name}, {gif.name}",
        "",
        f"These takes are what {result.num_clips / 1000:.0f} kclips give. The generator that travels with vidgan,",
        f'called "{DEMO_NAME}", has seen {shipped.num_clips / 1000:.0f} kclips of the same footage.',
        "",
        "Next:",
        f"  vidgan generate {DEMO_NAME} --classes all --scale 4 --out {out / 'demo-takes'}",
        f"  vidgan generate {run} --classes walk,fire --seeds 100-107 --frames 48 --scale 4 --out {out / 'more'}",
        f"  vidgan demo --minutes 30 --out {out}        (trains on from here)",
    ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
