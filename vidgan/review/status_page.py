"""A run at a glance: one web page, for a phone as well, that loads itself anew every minute."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from statistics import median

from vidgan.review.page import write_page

Points = Sequence[tuple[float, float]]
"""(kclips, value)."""

REFRESH_SECONDS = 60

# Points of a drawn curve, each the median of those it stands for.
MOST_POINTS = 200

# Of a plot, in its own units.
WIDTH, HEIGHT, LEFT = 320, 110, 54

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #888; --one: #2a7de1; --two: #e0742c;
  --healthy: #2f9e57; --warning: #d99a00; --collapsed: #d6402f; --unknown: #888; }
* { box-sizing: border-box; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
h1 { font-size: 1.25rem; margin: 0 0 .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 1.6rem 0 .5rem; }
.state { display: inline-block; border-radius: 1rem; padding: .1rem .8rem; color: #fff; font-weight: 600; }
.healthy { background: var(--healthy); } .warning { background: var(--warning); }
.collapsed { background: var(--collapsed); } .unknown { background: var(--unknown); }
.advice { border-left: 4px solid var(--line); margin: .8rem 0; padding: .1rem .8rem; }
.bar { background: var(--line); border-radius: .4rem; height: .8rem; margin: .8rem 0 .3rem; overflow: hidden; }
.bar div { background: var(--one); height: 100%; }
.big { font-size: 1.1rem; } .dim, figcaption { color: var(--dim); font-size: .85rem; }
#stale { color: var(--collapsed); font-weight: 600; }
figure { margin: 0; }
video, .sheet { width: 100%; border-radius: 6px; display: block; image-rendering: pixelated; }
.plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
.plots figcaption b { font-weight: 600; color: CanvasText; margin-right: .4rem; }
svg { width: 100%; display: block; }
svg text { font: 9px system-ui, sans-serif; fill: var(--dim); }
polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.one { stroke: var(--one); color: var(--one); } .two { stroke: var(--two); color: var(--two); }
.strip { display: flex; height: .5rem; border-radius: .25rem; overflow: hidden; margin-bottom: .8rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
ul { padding-left: 1.1rem; overflow-wrap: anywhere; }
"""

# Says how old the page is, and when it should have been written anew.
_AGE = """<script>
const written = new Date(document.body.dataset.written), expected = Number(document.body.dataset.expected);
function tell() {
  const minutes = (Date.now() - written) / 60000;
  document.getElementById("age").textContent = minutes < 1 ? "just now" : Math.round(minutes) + " min ago";
  document.getElementById("stale").hidden = !(expected > 0 && minutes > Math.max(5, expected / 20));
}
tell(); setInterval(tell, 5000);
</script>"""


@dataclass(frozen=True)
class StatusPage:
    """What is on the page."""

    name: str
    doing: str
    """Such as "training" or "stopped, can go on"."""
    state: str
    """healthy, warning, collapsed, or empty where nothing is known."""
    words: Sequence[str]
    """Cause, reason and advice, line by line."""
    share_done: float
    """0..1."""
    progress: str
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    plots: Mapping[str, Mapping[str, Points]]
    """By title, one or two curves by name."""
    states: Points | Sequence[tuple[float, str]]
    """(kclips, state) from where it began."""
    sheet: Path | None
    """MP4 or PNG."""
    expected_seconds: float
    """Until the page is written anew; 0 if it will not be."""


def write_status_page(path: str | Path, page: StatusPage) -> None:
    """Write the page, in one file that needs nothing beside it."""
    now = datetime.now().astimezone()
    state = page.state or "unknown"
    plots = "".join(_plot(title, curves) for title, curves in page.plots.items() if any(curves.values()))
    words = "".join(f"<p>{escape(line)}</p>" for line in page.words if line)
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in page.facts)
    warnings = "".join(f"<li>{escape(line)}</li>" for line in page.warnings)
    write_page(
        path,
        title=f"{page.name}: {page.doing}",
        style=_STYLE,
        body=f"""<meta http-equiv="refresh" content="{REFRESH_SECONDS}">
<body data-written="{now.isoformat(timespec="seconds")}" data-expected="{page.expected_seconds:.0f}">
<h1>{escape(page.name)}</h1>
<span class="state {state}">{escape(page.state or "not known")}</span> {escape(page.doing)}
{f'<div class="advice">{words}</div>' if words else ""}
<div class="bar"><div style="width: {page.share_done:.2%}"></div></div>
<div class="big">{escape(page.progress)}</div>
<div class="dim">written <span id="age">{now:%H:%M}</span> ({now:%Y-%m-%d %H:%M:%S})</div>
<div id="stale" hidden>Nothing has been written for long: the run was killed, or hangs. Ask `vidgan status`.</div>
{_sheet(page.sheet)}
{f'<h2>Curves, by kclips</h2>{_strip(page.states)}<div class="plots">{plots}</div>' if plots else ""}
<h2>Facts</h2>
<dl>{facts}</dl>
{f"<h2>Last warnings</h2><ul>{warnings}</ul>" if warnings else ""}
{_AGE}
</body>""",
    )


def _sheet(path: Path | None) -> str:
    """The newest sheet, in the page itself."""
    if path is None:
        return ""
    content = b64encode(path.read_bytes()).decode()
    shown = (
        f'<video autoplay loop muted playsinline src="data:video/mp4;base64,{content}"></video>'
        if path.suffix == ".mp4"
        else f'<img class="sheet" alt="" src="data:image/png;base64,{content}">'
    )
    return f"<h2>Newest sheet</h2><figure>{shown}<figcaption>{escape(path.name)}</figcaption></figure>"


def _strip(states: Sequence[tuple[float, str]]) -> str:
    """How the game stood, from left to right; the end of the last state is the end of the curves."""
    if len(states) < 2:
        return ""
    ends = [kclips for kclips, _ in states[1:]]
    widths = [end - begin for (begin, _), end in zip(states, ends, strict=False)]
    parts = zip(widths, states, strict=False)
    bars = "".join(f'<div class="{state}" style="flex: {width:.3f}"></div>' for width, (_, state) in parts)
    return f'<div class="strip">{bars}</div>'


def _plot(title: str, curves: Mapping[str, Points]) -> str:
    """One or two curves on common axes, whose ends are written down."""
    thin = {name: _thinned(points) for name, points in curves.items() if points}
    every = [point for points in thin.values() for point in points]
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    low, high = min(y for _, y in every), max(y for _, y in every)
    wide, tall = right - left or 1, high - low or 1
    lines = "".join(
        f'<polyline class="{color}" points="'
        + " ".join(
            f"{LEFT + (x - left) / wide * (WIDTH - LEFT - 4):.1f},{8 + (high - y) / tall * (HEIGHT - 26):.1f}"
            for x, y in points
        )
        + '"/>'
        for color, points in zip(("one", "two"), thin.values(), strict=False)
    )
    names = " ".join(
        f'<span class="{color}">{escape(name)} {points[-1][1]:.3g}</span>'
        for color, (name, points) in zip(("one", "two"), thin.items(), strict=False)
    )
    return f"""<figure><figcaption><b>{escape(title)}</b> {names}</figcaption>
<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{lines}
<text x="{LEFT - 4}" y="12" text-anchor="end">{high:.3g}</text>
<text x="{LEFT - 4}" y="{HEIGHT - 16}" text-anchor="end">{low:.3g}</text>
<text x="{LEFT}" y="{HEIGHT - 4}">{left:.3g}</text>
<text x="{WIDTH - 4}" y="{HEIGHT - 4}" text-anchor="end">{right:.4g}</text></svg></figure>"""


def _thinned(points: Points) -> list[tuple[float, float]]:
    """At most so many points, each the median of its neighbours, so that no single batch is seen."""
    size = -(-len(points) // MOST_POINTS)
    groups = (points[first : first + size] for first in range(0, len(points), size))
    return [(group[-1][0], median(value for _, value in group)) for group in groups]
