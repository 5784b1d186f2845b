"""The review page: one file with style, programs, posters and facts in it, which plays the movies beside it.

Opened from disk it needs no network, and its content policy allows it none but its own server.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from vidgan.errors import RequestError
from vidgan.files import write_text
from vidgan.review.choices import Choices
from vidgan.review.gallery import Gallery, ReviewedMovie
from vidgan.review.page import page_text

PAGE_NAME = "review.html"

# In this order in the page; each uses the ones before.
_SCRIPTS = ("clock", "player", "choices", "grid", "viewer", "inspector", "filters", "main")


def write_gallery_page(gallery: Gallery, choices: Choices) -> Path:
    """Write `review.html` beside the takes and return its path; it works from disk, and when the folder is moved.

    Raises `RequestError` if it cannot be written.
    """

    def address(movie: ReviewedMovie) -> str:
        below = os.path.relpath(movie.shown.resolve(), gallery.folder.resolve())
        return quote(Path(below).as_posix())

    page = gallery.folder / PAGE_NAME
    try:
        write_text(page, gallery_page(gallery, choices, address=address, served=False))
    except OSError as error:
        raise RequestError(f"{page}: cannot be written ({error.strerror})") from None
    return page


def gallery_page(gallery: Gallery, choices: Choices, *, address: Callable[[ReviewedMovie], str], served: bool) -> str:
    """The page as text. `address` is where the browser finds a movie; `served` whether a server saves choices."""
    title = gallery.folder.resolve().name
    data = {
        "title": title,
        "id": sha256(str(gallery.folder.resolve()).encode()).hexdigest()[:16],
        "served": served,
        "takes": [_described(movie, address) for movie in gallery.takes],
        "footage": [_described(movie, address) for movie in gallery.footage],
        "choices": choices.model_dump(mode="json"),
        "notes": list(gallery.notes),
    }
    facts = json.dumps(data).replace("<", "\\u003c")  # no word in it can end the element that holds it
    style = f"\n{_web('review.css')}"
    program = "\n" + "\n".join(f"// {name}.js\n{_web(f'{name}.js')}" for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; script-src {_allowed(program)}; style-src {_allowed(style)}; img-src data:; "
        "media-src 'self' file:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    return page_text(
        title=f"{title}: review",
        style=style,
        head=f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        body=f"""{_web("review.html")}
<script type="application/json" id="data">{facts}</script>
<script type="module">{program}</script>""",
    )


def _described(movie: ReviewedMovie, address: Callable[[ReviewedMovie], str]) -> dict[str, object]:
    return {
        "id": movie.address,
        "key": movie.key,
        "name": movie.name,
        "src": address(movie),
        "copy": movie.shown != movie.path,
        "poster": f"data:image/jpeg;base64,{b64encode(movie.poster).decode()}",
        "rate": [movie.rate.numerator, movie.rate.denominator],
        "frames": movie.num_frames,
        "height": movie.height,
        "width": movie.width,
        "shape": movie.shape,
        **movie.made.model_dump(by_alias=True),
    }


def _web(name: str) -> str:
    return (files("vidgan.review") / "web" / name).read_text(encoding="utf-8")


def _allowed(text: str) -> str:
    """How a content policy names this text and no other."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
