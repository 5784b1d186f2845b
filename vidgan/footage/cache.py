"""The folder for what can always be made again: scans and prepared frames."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """`$VIDGAN_CACHE`, or the user's cache folder. Nothing in it is needed for ever; delete it at will."""
    return Path(os.environ.get("VIDGAN_CACHE") or platformdirs.user_cache_path("vidgan"))
