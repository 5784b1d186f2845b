"""What a run has logged so far, read while it may be writing: a line that is not whole yet is left for later."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidgan.training.advice import Verdict
from vidgan.training.log import EVALUATED, STATS_NAME, UNKNOWN, WARNINGS_NAME

# Of longer logs, so many lines are read, evenly spread, and all that hold what is not on every line.
MOST_LINES = 20_000
RARE = (f'"{EVALUATED}', '"variety_real"', '"advice"')


@dataclass
class History:
    """Of one run."""

    last: dict[str, Any] = field(default_factory=dict)
    """The newest line."""
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """(kclips, value) of every figure."""
    states: list[tuple[float, str]] = field(default_factory=list)
    """(kclips, state) from where it began, each until the next."""
    verdict: Verdict = UNKNOWN
    """Of the newest line, in the words it began with; its state is empty before the first update."""


def read_history(run: Path) -> History:
    """All curves, states and words of a run; empty if it has logged nothing."""
    history = History()
    lines = _lines(run / STATS_NAME)
    step = max(1, len(lines) // MOST_LINES)
    for index, line in enumerate(lines):
        if index % step and index < len(lines) - 2 and not any(name in line for name in RARE):
            continue
        point = _whole(line)
        if "num_clips" not in point:
            continue
        history.last, kclips = point, point["num_clips"] / 1000
        for name, value in point.items():
            if isinstance(value, int | float) and name != "num_clips":
                history.curves.setdefault(name, []).append((kclips, value))
        state = point.get("state", "")
        if state and (not history.states or history.states[-1][1] != state):
            history.states.append((kclips, state))
        if state != history.verdict.state or "cause" in point:
            history.verdict = Verdict(state, *(point.get(name, "") for name in ("cause", "reason", "advice")))
    return history


def read_warnings(run: Path, count: int) -> list[dict[str, Any]]:
    """The last few things that were said and did not end training: time, num_clips, words; newest last."""
    return [found for line in _lines(run / WARNINGS_NAME)[-count:] if "words" in (found := _whole(line))]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _whole(line: str) -> dict[str, Any]:
    """What a line holds; nothing if it was cut off."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
