"""The report of an evaluation: one web page with figures, plots and playing clips, that needs nothing beside it."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from vidgan.media.movie_writer import write_movie
from vidgan.metrics.clip_sets import ClipSet
from vidgan.metrics.evaluation import Evaluation
from vidgan.review.evaluation_table import figures_in_words
from vidgan.review.page import write_page
from vidgan.review.sheets import contact_sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Clips that play in the report, in this many columns.
NUM_SHOWN, NUM_COLUMNS = 24, 6

# Pairs of a generated clip and its like beside each other.
PAIRS_IN_A_ROW = 4

_STYLE = """
:root { color-scheme: light dark; --line: #8885; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; }
h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; }
td, th { border-top: 1px solid var(--line); padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top; }
.sides { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(30rem, 1fr)); }
video, img { max-width: 100%; }
"""


def write_evaluation_page(
    path: str | Path,
    evaluation: Evaluation,
    real: ClipSet,
    generated: ClipSet,
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    rate: Fraction,
) -> None:
    """Write the report: figures, plots, and real and generated clips side by side, playing in a loop.

    `pairs` are the generated clips that resemble training clips most, uint8 [T, H, W, C], each with its like.
    """
    protocol = evaluation.protocol
    figures = _table(figures_in_words(evaluation), ("question", "figure", "held against"))
    missing = _table(evaluation.missing.items(), ("not measured", "because")) if evaluation.missing else ""
    about = _table(((name, value) for name, value in protocol if value is not None), ("protocol", ""))
    seconds = _table(evaluation.seconds.items(), ("figure", "seconds"))
    plots = "".join(f'<img alt="" src="data:image/png;base64,{_text(plot)}">' for plot in _plots(evaluation))
    sides = "".join(
        f"<div><h2>{name}</h2>{_video(_spread(clips), rate, NUM_COLUMNS)}</div>"
        for name, clips in (("real", real), ("generated", generated))
    )
    alike = _video([clip for pair in pairs for clip in pair], rate, 2 * PAIRS_IN_A_ROW) if pairs else ""
    write_page(
        path,
        title=f"Evaluation of {protocol.generated}",
        style=_STYLE,
        body=f"""<h1>{escape(protocol.generated)} judged by {escape(protocol.footage)}</h1>
{figures}
{missing}
<div class="sides">{sides}</div>
<div class="sides">{plots}</div>
<h2>Nearest to the training footage</h2>
<p>Each generated clip stands left of the training clip that it resembles most, the most alike first.</p>
{alike}
<h2>Protocol</h2>
{about}
<h2>Cost</h2>
{seconds}""",
    )


def _table(rows: Iterable[Iterable[object]], head: Sequence[str]) -> str:
    lines = ["".join(f"<th>{escape(name)}</th>" for name in head)]
    lines += ["".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _spread(clips: ClipSet) -> list[np.ndarray]:
    """Some clips, spread over all of them."""
    shown = np.linspace(0, len(clips) - 1, min(NUM_SHOWN, len(clips))).round().astype(int)
    return [clips.clips[index] for index in shown]


def _video(clips: Sequence[np.ndarray], rate: Fraction, columns: int) -> str:
    """Clips as one movie in the page."""
    with TemporaryDirectory() as folder:
        movie = Path(folder) / "clips.mp4"
        write_movie(movie, contact_sheet(clips, columns=columns), rate=rate)
        return (
            f'<video autoplay loop muted playsinline src="data:video/mp4;base64,{_text(movie.read_bytes())}"></video>'
        )


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def _plots(evaluation: Evaluation) -> Iterator[bytes]:
    """PNGs: the distance among its yardsticks, how real and generated clips move, and what training measured."""
    from matplotlib.figure import Figure

    if evaluation.fvd and evaluation.yardsticks:
        marks = evaluation.yardsticks.marks() | {"generated": evaluation.fvd.value}
        marks = dict(sorted(marks.items(), key=lambda mark: mark[1]))
        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.subplots()
        colors = ["tab:orange" if name == "generated" else "tab:blue" for name in marks]
        axes.barh(list(marks), list(marks.values()), color=colors)
        axes.set_xlabel("Frechet Video Distance")
        yield _png(figure)
    if evaluation.motion:
        motion = evaluation.motion
        figure = Figure(figsize=(6, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, spectrum, flow in (
            ("real", motion.real_spectrum, motion.real_flow),
            ("generated", motion.generated_spectrum, motion.generated_flow),
        ):
            left.semilogy(motion.frequencies, spectrum, label=name)
            right.semilogy(np.arange(len(flow)) / 128, np.maximum(flow, 1e-6), label=name)
        left.set_xlabel("cycles a frame")
        left.set_ylabel("share of motion energy")
        right.set_xlabel("speed, heights a frame")
        right.legend()
        yield _png(figure)
    if evaluation.curves:
        rows = -(-len(evaluation.curves) // 3)
        figure = Figure(figsize=(9, 1.8 * rows), layout="constrained")
        every = figure.subplots(rows, 3, squeeze=False).ravel()
        for axes, (name, points) in zip(every, evaluation.curves.items(), strict=False):
            axes.plot(*zip(*points, strict=True), marker=".")
            axes.set_title(f"{name.replace('_', ' ')} by kclips", loc="left", fontsize="medium")
        for axes in every[len(evaluation.curves) :]:
            axes.remove()
        yield _png(figure)


def _png(figure: Figure) -> bytes:
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=120)
        return file.getvalue()
