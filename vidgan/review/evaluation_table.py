"""An evaluation as rows to read: each figure beside what it should be held against."""

from __future__ import annotations

from rich import box
from rich.table import Table

from vidgan.metrics.evaluation import Evaluation


def evaluation_table(evaluation: Evaluation) -> Table:
    """A row for each question: the figure, and what to hold against it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("question", "figure", "held against"):
        table.add_column(name, overflow="fold")
    for row in figures_in_words(evaluation):
        table.add_row(*row)
    return table


def figures_in_words(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """(question, figure, what to hold against it) of everything that was measured."""
    rows = []
    protocol = evaluation.protocol
    if evaluation.fvd:
        small = ", small sample" if evaluation.fvd.small_sample else ""
        what = f"FVD{protocol.num_frames}, {evaluation.fvd.num_generated} to {evaluation.fvd.num_real} clips{small}"
        marks = evaluation.yardsticks
        against = "" if marks is None else ", ".join(f"{name} {value:.0f}" for name, value in marks.marks().items())
        rows.append((what, f"{evaluation.fvd.value:.1f}", against))
    if evaluation.kvd:
        rows.append(
            ("KVD (unbiased)", f"{evaluation.kvd.value:.4g}", f"± {evaluation.kvd.subset_deviation:.2g} a subset")
        )
    if evaluation.frame_frechet:
        rows.append(("Frechet distance of frames, random features", f"{evaluation.frame_frechet.value:.4g}", "0"))
    if evaluation.motion:
        motion = evaluation.motion
        rows.append(("motion energy", f"{motion.energy_decibels:+.1f} dB", "0: moves as much"))
        rows.append(("motion spectrum", f"{motion.spectrum_decibels:.1f} dB apart", "0"))
        rows.append(("flicker", f"{motion.flicker_levels:+.2f} levels", "0"))
        rows.append(("speeds (optical flow)", f"{motion.flow_heights:.4f} heights a frame apart", "0"))
    if evaluation.time_arrow:
        rows.append(("arrow of time", f"{evaluation.time_arrow.generated.value:.0%}", evaluation.time_arrow.verdict))
    if evaluation.variety:
        variety = evaluation.variety
        verdict = "COLLAPSED" if variety.collapsed else "not collapsed"
        rows.append(
            (
                "coverage, density",
                f"{variety.coverage:.2f}, {variety.density:.2f}",
                f"{variety.expected_coverage:.2f}, 1; {verdict}",
            )
        )
    if evaluation.memorisation:
        found = evaluation.memorisation
        verdict = "COPIER" if found.copier else "no copier"
        rows.append(
            (
                "copies of training clips",
                f"{found.copies:.1%}",
                f"{verdict}; nearer than held-out clips {found.nearer:.1%}",
            )
        )
    if evaluation.two_sample:
        share = evaluation.two_sample.accuracy
        rows.append(
            ("told from held-out clips", f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})", "50 % is the goal")
        )
    if evaluation.classes:
        classes = evaluation.classes
        rows.append(
            ("class recognised", f"{classes.generated.value:.0%}", f"{classes.real.value:.0%} of held-out clips")
        )
    for name, seam in (("loop", evaluation.loop_seam), ("stretch", evaluation.stretch_seam)):
        if seam:
            rows.append(
                (
                    f"step over a {name}'s seam",
                    f"{seam.ratio:.2f} times",
                    f"1: a step like any other; {seam.low:.2f} to {seam.high:.2f}",
                )
            )
    return rows
