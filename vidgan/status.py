"""How a run stands, read from its folder: what `vidgan status` prints, and the page in the folder of the run.

Reading disturbs nothing: no lock is taken, nothing is written, and what is half written is left for later.

The run writes the page itself (RUN/status.html: with every sheet of samples, where its state changes, and at its end),
so that it can be looked at on a phone through any file share or `python -m http.server`, and no command needs to be
kept running. What a run cannot write is that it was killed: the page tells by its own age.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vidgan.config import Config
from vidgan.config_files import load_config
from vidgan.errors import RequestError
from vidgan.progress import hours_minutes_seconds
from vidgan.review.status_page import StatusPage, write_status_page
from vidgan.run_folder import CONFIG_NAME, PAGE_NAME, RunFolder
from vidgan.training.history import History, read_history, read_warnings
from vidgan.training.lock import Owner, owner_of
from vidgan.training.log import EVALUATED, STATS_NAME

# A process of another machine is believed to live for so long after it has last logged something.
LONGEST_SILENCE_SECONDS = 15 * 60

# Of what was said, so many lines are shown.
LAST_WARNINGS = 5

# On the page: title, and by the name of each curve the figure it is of.
PLOTS = {
    "loss": {"discriminator": "loss_discriminator", "generator": "loss_generator"},
    "beside the game": {
        "from the truth": "loss_reconstruction",
        "doubt": "loss_doubt",
        "finding damage": "loss_detection",
    },
    "logits": {"real": "logit_real", "generated": "logit_fake"},
    "pairs in the right order": {"share": "accuracy"},
    "logits apart": {"mean": "watch/gap"},
    "variety, share of real": {"least varied class": "watch/variety"},
    "variety of the sheet": {"real": "variety_real", "generated": "variety_generated"},
    "motion of the sheet": {"real": "motion_real", "generated": "motion_generated"},
    "no gradient, share": {"discriminator": "watch/dead_discriminator", "generator": "watch/dead_generator"},
    "weights from their average": {"share": "watch/drift"},
    "speed": {"clips/s": "clips_per_second"},
}


@dataclass(frozen=True)
class RunStatus:
    """One run, as it is found."""

    folder: RunFolder
    num_clips: int
    """Real clips shown, by the log."""
    history: History
    owner: Owner | None
    """Who trains there now."""
    seconds_silent: float | None
    """Since something was logged; None if nothing was."""
    newest_sheet: Path | None
    warnings: tuple[str, ...]

    @property
    def config(self) -> Config:
        """Of the run."""
        return self.folder.config

    @property
    def finished(self) -> bool:
        """Whether all clips were shown, and it is saved."""
        return self.num_clips >= self.config.train.total_kclips * 1000 and self.owner is None

    @property
    def clips_per_second(self) -> float:
        """Of the newest update that was timed; 0 before the first."""
        points = self.history.curves.get("clips_per_second", [])
        return points[-1][1] if points else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At that speed; None if there is none yet."""
        left = max(0.0, self.config.train.total_kclips * 1000 - self.num_clips)
        return left / self.clips_per_second if self.clips_per_second else None

    @property
    def state(self) -> str:
        """Healthy, warning or collapsed, and why, in short."""
        if self.history.verdict.state:
            return self.history.verdict.in_short
        return "not known; this run was not watched" if self.num_clips else "not known before the first update"

    @property
    def doing(self) -> str:
        """Training, finished or stopped, in words."""
        if self.finished:
            return "finished"
        return "training" if self.owner else "stopped; the same command goes on"


def read_status(run: str | Path) -> RunStatus:
    """Look at a run. Raises `RequestError` if there is none in the folder, naming those below it."""
    run = Path(run)
    if not (run / CONFIG_NAME).is_file():
        below = sorted(path.parent.name for path in run.glob(f"*/{CONFIG_NAME}"))
        hint = f"there are {', '.join(below)} in it" if below else "expected a folder of `vidgan train --run`"
        raise RequestError(f"{run}: no run in this folder ({hint})")
    history = read_history(run)
    try:
        silent = time.time() - (run / STATS_NAME).stat().st_mtime
    except OSError:
        silent = None
    owner = owner_of(run)
    if owner is not None:
        lives = owner.lives if owner.is_here else silent is not None and silent < LONGEST_SILENCE_SECONDS
        owner = owner if lives else None
    return RunStatus(
        folder=RunFolder(run, load_config(run / CONFIG_NAME)),
        num_clips=history.last.get("num_clips", 0),
        history=history,
        owner=owner,
        seconds_silent=silent,
        newest_sheet=_newest_sheet(run),
        warnings=tuple(f"{said.get('time', '')}: {said['words']}" for said in read_warnings(run, LAST_WARNINGS)),
    )


def write_page(run: Path, *, ended: bool = False) -> None:
    """Write the page of a run; `ended` if whoever writes it is about to leave. A full disk is not its concern."""
    with suppress(OSError):
        status = read_status(run)
        write_status_page(run / PAGE_NAME, _page(status, ended=ended))


def facts_of(status: RunStatus) -> list[tuple[str, str]]:
    """What is known, line by line: name and words."""
    config, folder = status.config, status.folder
    data, train = config.data, config.train
    silent = "" if status.seconds_silent is None else f"; last logged {_ago(status.seconds_silent)}"
    checkpoints = folder.checkpoints.paths()
    missing = "none yet"
    return [
        ("recipe", f"{config.model.family}, {train.loss}, {data.height}x{data.width}, {data.num_frames} frames"),
        ("process", f"{status.owner or 'none'}{silent}"),
        ("checkpoint", f"{checkpoints[-1]} ({_ago(_age(checkpoints[-1]))})" if checkpoints else missing),
        ("weights", f"{folder.weights} ({_ago(_age(folder.weights))})" if folder.weights.is_file() else missing),
        ("newest sheet", str(status.newest_sheet or missing)),
    ]


def progress_of(status: RunStatus) -> str:
    """Done of total, rate and time left."""
    words = f"{status.num_clips / 1000:.1f} of {status.config.train.total_kclips:,.10g} kclips"
    if status.clips_per_second:
        words += f", {status.clips_per_second:.1f} clips/s"
    if status.seconds_left and not status.finished:
        words += f", {hours_minutes_seconds(status.seconds_left)} left"
    return words


def _page(status: RunStatus, *, ended: bool) -> StatusPage:
    curves, verdict, train = status.history.curves, status.history.verdict, status.config.train
    total = train.total_kclips * 1000
    doing = status.doing
    if ended:
        doing = "finished" if status.num_clips >= total else "stopped; the same command goes on"
    evaluated = {
        name.removeprefix(EVALUATED).replace("_", " "): {"": name} for name in curves if name.startswith(EVALUATED)
    }
    return StatusPage(
        name=status.folder.path.resolve().name,
        doing=doing,
        state=verdict.state,
        words=(f"{verdict.cause}: {verdict.reason}", f"Try: {verdict.advice}") if verdict.cause else (),
        share_done=min(1.0, status.num_clips / total),
        progress=progress_of(status),
        facts=facts_of(status),
        warnings=status.warnings,
        plots={
            title: {name: curves[figure] for name, figure in named.items() if figure in curves}
            for title, named in (PLOTS | evaluated).items()
        },
        states=[*status.history.states, (status.num_clips / 1000, verdict.state)],
        sheet=status.newest_sheet,
        expected_seconds=0.0 if ended else train.sample_kclips * 1000 / max(status.clips_per_second, 1e-3),
    )


def _newest_sheet(run: Path) -> Path | None:
    """Of generated clips: a movie, or a picture where there are only these."""
    for suffix in (".mp4", ".png"):
        found = [path for path in (run / "samples").glob(f"*_clips{suffix}") if not path.name.startswith(".")]
        if found:
            return max(found)
    return None


def _age(path: Path) -> float:
    """Seconds since it was written; 0 for one that has just gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _ago(seconds: float) -> str:
    return f"{hours_minutes_seconds(max(0.0, seconds))} ago"
