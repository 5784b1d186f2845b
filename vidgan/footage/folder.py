"""Which files below a folder could be footage, and why some of them cannot be read. Nothing is opened."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from vidgan.errors import FootageError
from vidgan.footage.shots import Note
from vidgan.media.stills import STILL_SUFFIXES

_MOVIES = (
    ".264 .265 .3g2 .3gp .asf .avi .divx .dv .f4v .flv .gxf .h264 .h265 .hevc .ivf .m2ts .m2v .m4v .mjpeg .mjpg "
    ".mkv .mov .mp4 .mpeg .mpg .mts .mxf .nut .ogm .ogv .qt .ts .vob .webm .wmv .y4m"
)
_UNREAD = ".ari .arx .avif .braw .cr2 .cr3 .crm .dng .gif .hdr .heic .j2c .jp2 .jxl .nev .psd .r3d .sgi .webp"
MOVIE_SUFFIXES, UNREAD_SUFFIXES = frozenset(_MOVIES.split()), frozenset(_UNREAD.split())


def find_footage(root: Path) -> tuple[list[Path], list[Note]]:
    """Movies and stills below a folder in the order of their names, and notes on what else could be footage.

    Hidden files and folders are left out; links to folders are followed, each folder once. Raises `FootageError`
    if the folder is missing, or holds nothing that could be footage.
    """
    if not root.is_dir():
        found = "is a file" if root.exists() else "no such folder"
        raise FootageError(f"{root}: {found} (expected a folder with movies or frame sequences)")
    errors: list[OSError] = []
    files = list(_files_below(root, errors))
    notes = [
        Note(source=relative(Path(error.filename), root), reason=f"the folder cannot be opened ({error.strerror})")
        for error in errors
    ]
    readable: list[Path] = []
    unread: defaultdict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in files:
        if path.suffix.lower() in UNREAD_SUFFIXES:
            unread[path.parent, path.suffix].append(path)
        elif path.suffix.lower() in MOVIE_SUFFIXES or path.suffix.lower() in STILL_SUFFIXES:
            reason = _why_not(path)
            if reason:
                notes.append(Note(source=_printable(relative(path, root)), reason=reason))
            else:
                readable.append(path)
    notes += [_note_on_unread(paths, root) for paths in unread.values()]
    if not (readable or notes):
        raise FootageError(
            f"{root}: no footage in this folder or below it: looked at {len(files)} files for movies "
            f"(.mp4 .mov .mkv .avi .mxf ...) and stills ({' '.join(sorted(STILL_SUFFIXES))})"
        )
    return readable, notes


def relative(path: Path, root: Path) -> str:
    """How a file below the footage folder is called in shots and notes."""
    return path.relative_to(root).as_posix()


def _files_below(root: Path, errors: list[OSError]) -> Iterator[Path]:
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True, onerror=errors.append):
        real = Path(folder).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def _why_not(path: Path) -> str | None:
    """Why a file cannot be used, whatever it holds."""
    if _printable(str(path)) != str(path):
        return "its name is not UTF-8; rename it"
    try:
        path.stat()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def _printable(name: str) -> str:
    """A name of another encoding holds lone surrogates, which can be neither printed nor written: those are escaped."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return ascii(name)
    return name


def _note_on_unread(paths: list[Path], root: Path) -> Note:
    """One note for all files of a kind in a folder: "raw/*.dng: DNG files are not read; ... (12)"."""
    kind = f"{paths[0].suffix[1:].upper()} files are not read; convert them to EXR, DPX or ProRes"
    if len(paths) == 1:
        return Note(source=_printable(relative(paths[0], root)), reason=kind)
    all_of_them = paths[0].with_name(f"*{paths[0].suffix}")
    return Note(source=_printable(relative(all_of_them, root)), reason=f"{kind} ({len(paths)})")
