"""A web page in one file that needs nothing beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from vidgan.files import write_text


def write_page(path: str | Path, *, title: str, style: str, body: str) -> None:
    """Write a page; `title` is text, `style` CSS, `body` HTML."""
    write_text(path, page_text(title=title, style=style, body=body))


def page_text(*, title: str, style: str, body: str, head: str = "") -> str:
    """A page as text; `head` is more HTML for its head."""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{head}<title>{escape(title)}</title>
<style>{style}</style>
{body}
</html>
"""
