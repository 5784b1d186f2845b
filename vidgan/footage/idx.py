"""Images from IDX files, the format of MNIST, as prepared footage: each picture a shot of one frame.

Nothing is scanned and nothing is written: the files hold plain pictures, which are small, and are kept in memory.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from vidgan.config import DataConfig
from vidgan.errors import ConfigError, FootageError
from vidgan.footage.idx_files import IMAGES_AXES, LABELS_AXES, read_shape, read_values
from vidgan.footage.prepare import PreparedFootage
from vidgan.footage.shots import Note, is_held_out, note_on

# Counted up whenever the same files and settings would give other pixels.
IDX_VERSION = 1

# The settings of `data` that say something about pictures without time, colour tags or folders.
SETTINGS = {"kind", "height", "width", "num_frames", "channels", "fit", "classes", "holdout"}

# Pictures that are fitted at a time: enlarged ones in colour need much more memory than they will.
FITTED_AT_ONCE = 1024


@dataclass(frozen=True)
class IdxImages:
    """The pictures of one or several IDX files, and the split each belongs to."""

    path: Path
    pictures: tuple[np.ndarray, ...]
    """uint8 [N, H, W] a file, at the size it has there."""
    labels: np.ndarray
    """uint8, one for each picture of all files in their order; 0 for an unconditional run."""
    held_out: np.ndarray
    """bool, likewise: whether it is set aside for evaluation."""
    notes: tuple[Note, ...]
    """One on each file of the folder that is not read."""


def read_idx(path: Path, data: DataConfig) -> IdxImages:
    """All pictures of an IDX file, or of the IDX files in a folder.

    What is in a picture decides whether it is held out; a class all of whose pictures would be is trained on.
    Raises `FootageError` for a damaged file, labels that do not fit or are missing, and a folder without images;
    `ConfigError` for settings that images do not have.
    """
    _check_settings(data)
    pairs, notes = find_pairs(path)
    pictures, labels = [], []
    for images_file, labels_file in pairs:
        pictures.append(read_values(images_file))
        numbers = _labels(images_file, labels_file, len(pictures[-1]), data)
        labels.append(numbers if data.classes == "folders" else np.zeros(len(pictures[-1]), np.uint8))
    all_labels = np.concatenate(labels)
    held_out = np.array(
        [is_held_out(hashlib.sha256(picture).hexdigest(), data.holdout) for file in pictures for picture in file]
    )
    held_out &= np.isin(all_labels, all_labels[~held_out])
    return IdxImages(path, tuple(pictures), all_labels, held_out, tuple(notes))


def prepare_images(
    images: IdxImages, data: DataConfig, *, split: Literal["train", "holdout"] = "train"
) -> PreparedFootage:
    """The pictures of a split at training size: views of one array, in classes named by their labels.

    A picture of the right size keeps its levels; with three channels they are repeated. Raises `FootageError` if
    none is held out.
    """
    chosen = images.held_out == (split == "holdout")
    if not chosen.any():
        raise FootageError(
            f"{images.path}: none of its {len(chosen)} images is set aside for evaluation; raise data.holdout"
        )
    ends = np.cumsum([len(file) for file in images.pictures])[:-1]
    pictures = [file[which] for file, which in zip(images.pictures, np.split(chosen, ends), strict=True)]
    frames = np.concatenate([part for file in pictures for part in _fitted(file, data)])
    frames.flags.writeable = False
    numbers, labels = np.unique(images.labels[chosen], return_inverse=True)
    return PreparedFootage(
        frames=tuple(frames[:, None]),
        labels=tuple(labels.tolist()),
        class_names=tuple(map(str, numbers.tolist())) if data.classes == "folders" else (),
        rate=None,
        notes=images.notes,
        manifest_hash=_manifest_hash(pictures, images.labels[chosen], data),
    )


def find_pairs(path: Path) -> tuple[list[tuple[Path, Path | None]], list[Note]]:
    """Files of images, each with its file of labels if there is one, and notes on the other files of the folder.

    What a file is, its contents say; labels belong to the images of the same name. If `path` is a file, it holds the
    images. Raises `FootageError` if there are no images, and for a broken file whose name says that it is IDX.
    """
    found: dict[int, dict[str, Path]] = {IMAGES_AXES: {}, LABELS_AXES: {}}
    notes = []
    files = _files(path)
    for file in files:
        try:
            num_axes = len(read_shape(file))
        except FootageError as error:
            if file == path or "idx" in file.name.lower():
                raise
            notes.append(note_on(file.name, str(error), file.parent))
            continue
        if file == path and num_axes != IMAGES_AXES:
            raise FootageError(f"{path}: holds labels (expected images, with 3 axes); name the images, or the folder")
        first = found[num_axes].setdefault(_pair_name(file), file)
        if first is not file:
            notes.append(Note(source=file.name, reason=f"has the same name as {first.name}, which is read"))
    images, labels = found[IMAGES_AXES], found[LABELS_AXES]
    for name in labels.keys() - images.keys():
        notes.append(Note(source=labels[name].name, reason="holds labels, and no file of this name holds the images"))
    if not images:
        looked_at = "; ".join(f"{note.source}: {note.reason}" for note in notes[:3]) or "it is empty"
        raise FootageError(
            f"{path}: no IDX file of images among its {len(files)} files ({looked_at}); "
            "expected one such as t10k-images-idx3-ubyte.gz"
        )
    return [(file, labels.get(name)) for name, file in images.items()], sorted(notes, key=lambda note: note.source)


def _files(path: Path) -> list[Path]:
    """The files of a folder by name, without hidden ones; or a file, and those that its labels could be in."""
    folder = path if path.is_dir() else path.parent
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise FootageError(f"{folder}: cannot be opened ({error.strerror}; expected a folder with IDX files)") from None
    if path.is_dir():
        return files
    if not path.exists():
        raise FootageError(f"{path}: no such file or folder (expected IDX files, or a folder with some)")
    return [path, *(file for file in files if file != path and _pair_name(file) == _pair_name(path))]


def _pair_name(file: Path) -> str:
    """What the names of two files that belong together have in common."""
    return re.sub("images|labels|idx[13]", "", file.name.lower().removesuffix(".gz"))


def _labels(images_file: Path, labels_file: Path | None, num_images: int, data: DataConfig) -> np.ndarray | None:
    """uint8 [num_images]; None without a file, which must be there if labels are classes."""
    if labels_file is None:
        if data.classes == "folders":
            name = images_file.name.replace("images", "labels").replace("idx3", "idx1")
            raise FootageError(
                f"{images_file}: has no labels (data.classes is folders; expected {name} beside it); "
                "add that file, or set data.classes=none"
            )
        return None
    labels = read_values(labels_file)
    if len(labels) != num_images:
        raise FootageError(
            f"{labels_file}: holds {len(labels)} labels (expected {num_images}, one for each picture of "
            f"{images_file.name}); put the two files of one set beside each other"
        )
    return labels


def _fitted(pictures: np.ndarray, data: DataConfig) -> Iterator[np.ndarray]:
    """uint8 [N, H, W] in parts of [n, height, width, channels] at training size."""
    from vidgan.footage.fit import fit_frames  # brings torch, which a scan does without

    same_size = pictures.shape[1:] == (data.height, data.width)
    for first in range(0, len(pictures), FITTED_AT_ONCE):
        part = pictures[first : first + FITTED_AT_ONCE, ..., None]
        if same_size:
            yield part.repeat(data.channels, axis=-1)
        else:
            yield fit_frames(part.repeat(3, axis=-1), Fraction(1), data)


def _manifest_hash(pictures: list[np.ndarray], labels: np.ndarray, data: DataConfig) -> str:
    """SHA-256 of everything that decides the prepared pictures and their classes."""
    settings = data.model_dump(include={"height", "width", "channels", "fit", "classes"})
    found = hashlib.sha256(json.dumps([IDX_VERSION, settings, [file.shape for file in pictures]]).encode())
    for file in pictures:
        found.update(file)
    found.update(labels)
    return found.hexdigest()


def _check_settings(data: DataConfig) -> None:
    if data.num_frames != 1:
        raise ConfigError(
            f"data.num_frames is {data.num_frames} (expected 1: data.kind is idx, and an IDX file holds images); "
            "set data.num_frames=1"
        )
    for name, field in DataConfig.model_fields.items():
        if name not in SETTINGS and getattr(data, name) != field.default:
            raise ConfigError(
                f"data.{name} is {getattr(data, name)!r}: it says nothing of IDX files (data.kind is idx); leave it out"
            )
