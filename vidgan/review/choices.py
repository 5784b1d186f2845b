"""What was chosen of the takes, in `review.json` beside them: saved change by change, never lost to another browser.

Each field of each take is settled by itself: the last change wins. Every change has a revision, one more than the last
of the file, and says on which revision of the field it was based. If that is not the newest, somebody changed the same
field in the meantime: the change still wins, and the field keeps what it replaced for people to see.

    {"version": 1, "revision": 3,
     "takes": {"walk_seed0007.mp4": {
         "decision": {"value": "picked", "revision": 2, "by": "Ana", "at": "2026-11-21T18:00:00+00:00"},
         "stars": {"value": 4, "revision": 3, "by": "Ben", "at": "...", "replaced": {"value": 2, "by": "Ana"}}}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vidgan.errors import RequestError
from vidgan.files import write_text
from vidgan.review.gallery import HIDDEN_FOLDER

CHOICES_NAME = "review.json"

Name = Annotated[str, Field(max_length=60)]
Value = str | int | None

# What a field may hold; None is "not chosen". Frame indices count from 0, and `out` is the last frame that is used.
FIELDS: Mapping[str, TypeAdapter] = {
    "decision": TypeAdapter(Literal["picked", "rejected"] | None),
    "stars": TypeAdapter(Annotated[int, Field(ge=1, le=5)] | None),
    "note": TypeAdapter(Annotated[str, Field(max_length=4000)] | None),
    "in": TypeAdapter(Annotated[int, Field(ge=0)] | None),
    "out": TypeAdapter(Annotated[int, Field(ge=0)] | None),
}
FieldName = Literal["decision", "stars", "note", "in", "out"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Replaced(_Strict):
    """What somebody else had chosen, seen by no one before it was replaced."""

    value: Value
    by: Name


class Chosen(_Strict):
    """The value of one field of one take."""

    value: Value
    revision: Annotated[int, Field(ge=1)]
    by: Name
    at: str
    """When, ISO 8601."""
    replaced: Replaced | None = None


class Change(_Strict):
    """What a browser sends."""

    take: Annotated[str, Field(max_length=1000)]
    field: FieldName
    value: Value
    based_on: Annotated[int, Field(ge=0)]
    """The revision of the field that the browser had; 0 if the field was not chosen."""
    by: Name


class Choices(_Strict):
    """All of a folder's choices."""

    version: Literal[1] = 1
    revision: Annotated[int, Field(ge=0)] = 0
    takes: dict[str, dict[FieldName, Chosen]] = {}

    def value(self, take: str, field: str) -> Value:
        """What was chosen; None if nothing was."""
        chosen = self.takes.get(take, {}).get(field)
        return None if chosen is None else chosen.value

    def changed(self, change: Change, *, at: str | None = None) -> Choices:
        """With one change made. Raises `RequestError` for a value that the field cannot hold."""
        value = _checked(change.field, change.value)
        before = self.takes.get(change.take, {}).get(change.field)
        replaced = None
        if before is not None and before.revision != change.based_on and before.value != value:
            replaced = Replaced(value=before.value, by=before.by)
        chosen = Chosen(
            value=value,
            revision=self.revision + 1,
            by=change.by,
            at=at or datetime.now(UTC).isoformat(timespec="seconds"),
            replaced=replaced,
        )
        fields = {**self.takes.get(change.take, {}), change.field: chosen}
        return Choices(revision=self.revision + 1, takes={**self.takes, change.take: fields})


def parse_change(text: bytes) -> Change:
    """One change from JSON. Raises `RequestError` for anything else."""
    try:
        return Change.model_validate_json(text)
    except ValidationError as error:
        raise RequestError(f"not a change: {_first_mistake(error)}") from None


def _checked(field: FieldName, value: Value) -> Value:
    try:
        return FIELDS[field].validate_python(None if value == "" else value, strict=True)
    except ValidationError as error:
        raise RequestError(f"{field} cannot be {value!r}: {_first_mistake(error)}") from None


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors()[0]
    return f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}".removeprefix(": ")


def read_choices(path: Path) -> Choices:
    """Choices of a file. Raises `RequestError` if it is missing or holds something else."""
    try:
        return Choices.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise RequestError(
            f"{path}: does not hold the choices of a review ({_first_mistake(error)}); rename it, or take a backup"
        ) from None
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error.strerror})") from None


class ChoicesFile:
    """`review.json` of one folder, which several browsers and several commands may change at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / CHOICES_NAME
        (folder / HIDDEN_FOLDER).mkdir(exist_ok=True)
        self._lock = FileLock(folder / HIDDEN_FOLDER / f"{CHOICES_NAME}.lock")

    def read(self) -> Choices:
        """As they are on disk now; none if there is no file yet."""
        return read_choices(self.path) if self.path.exists() else Choices()

    def change(self, *changes: Change) -> Choices:
        """Make changes and return all choices; when this returns they are on disk, when it raises none is.

        Raises `RequestError` for a value that a field cannot hold, and if the file cannot be written.
        """
        with self._lock:
            choices = self.read()
            for change in changes:
                choices = choices.changed(change)
            self._write(choices)
        return choices

    def merge(self, other: Choices) -> Choices:
        """Take over what was chosen elsewhere, for instance in a page without a server; the later of two wins."""
        with self._lock:
            choices = self.read()
            for take, fields in other.takes.items():
                for field, theirs in fields.items():
                    ours = choices.takes.get(take, {}).get(field)
                    if ours is None or (theirs.at > ours.at and theirs.value != ours.value):
                        based_on = 0 if ours is None else ours.revision
                        change = Change(take=take, field=field, value=theirs.value, based_on=based_on, by=theirs.by)
                        choices = choices.changed(change, at=theirs.at)
            self._write(choices)
        return choices

    def _write(self, choices: Choices) -> None:
        try:
            write_text(self.path, choices.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise RequestError(f"{self.path}: cannot be written ({error.strerror}); nothing was saved") from None
