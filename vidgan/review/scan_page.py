"""A web page of all shots of a folder, in one file that needs nothing beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path

from vidgan.footage.shots import Scan, Shot
from vidgan.review.page import write_page
from vidgan.review.scan_table import shot_facts

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --dim: #888; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
p.totals { white-space: pre-line; }
ul { list-style: none; padding: 0; display: grid; gap: 1rem; }
ul { grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); }
li { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; overflow-wrap: anywhere; }
.strip { display: flex; gap: 3px; height: 96px; overflow: hidden; margin-bottom: .4rem; }
.strip img { height: 96px; min-width: 0; flex: 0 1 auto; object-fit: cover; }
.dim { color: var(--dim); }
.holdout { border-style: dashed; }
table { border-collapse: collapse; }
td { border-top: 1px solid var(--line); padding: .25rem .8rem .25rem 0; vertical-align: top; }
"""


def write_scan_page(path: str | Path, scan: Scan, totals: str, thumbnails: Sequence[tuple[bytes, ...]]) -> None:
    """Write a page with the totals, a card for each shot (dashed if it is set aside) and all notes.

    `totals` are lines of text, `thumbnails` JPEGs of each shot, in the order of the scan.
    """
    name = scan.root.resolve().name
    cards = "\n".join(_card(shot, pictures) for shot, pictures in zip(scan.shots, thumbnails, strict=True))
    notes = "\n".join(f"<tr><td>{escape(note.source)}</td><td>{escape(note.reason)}</td></tr>" for note in scan.notes)
    write_page(
        path,
        title=f"{name}: footage",
        style=_STYLE,
        body=f"""<h1>{escape(name)}</h1>
<p class="totals">{escape(totals)}</p>
<ul>
{cards}
</ul>
<h2>Not used, or not in full: {len(scan.notes)}</h2>
<table>
{notes}
</table>""",
    )


def _card(shot: Shot, pictures: tuple[bytes, ...]) -> str:
    """First, middle and last frame, then the facts."""
    images = "".join(f'<img alt="" src="data:image/jpeg;base64,{b64encode(picture).decode()}">' for picture in pictures)
    first, frames, counted, rate, size, pixel, seconds, bits, codec, color, class_name, split = shot_facts(shot)
    facts = [
        f"{frames} frames from {first}, of {counted}",
        f"{rate} frames/s" + (f", {seconds} s" if seconds else ""),
        f"{size}, pixel aspect {pixel}",
        f"{codec}, {bits} bits, {color}",
        split + (f", class {class_name}" if class_name else ""),
    ]
    lines = "<br>".join(map(escape, facts))
    notes = f'<br><span class="dim">{escape("; ".join(shot.notes))}</span>' if shot.notes else ""
    return (
        f'<li class="{shot.split}"><div class="strip">{images}</div><b>{escape(shot.source)}</b><br>{lines}{notes}</li>'
    )
