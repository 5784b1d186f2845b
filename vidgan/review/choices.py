"""What was chosen of the takes, in `review.json` beside them: saved change by change, never lost to another browser.

Each field of each take is settled by itself: the last change wins. Every change has a revision, one more than the last
of the file, and says on which revision of the field it was based. If that is not the newest, somebody changed the same
field in the meantime: the change still wins, and the field keeps what it replaced until somebody has seen it.

    {"version": 1, "revision": 3,
     "takes": {"walk_seed0007.mp4": {
         "decision": {"value": "picked", "revision": 2, "by": "Ana", "at": "2026-11-21T18:00:00+00:00"},
         "stars": {"value": 4, "revision": 3, "by": "Ben", "at": "...", "replaced": {"value": 2, "by": "Ana"}}}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from vidgan.errors import RequestError
from vidgan.files import write_text
from vidgan.review.gallery import HIDDEN_FOLDER

CHOICES_NAME = "review.json"

Name = Annotated[str, Field(max_length=60)]
TakeKey = Annotated[str, Field(max_length=1000)]
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
    revision: Annotated[int, Field(ge=0)]
    """0: chosen in a page without a server, and not yet merged."""
    by: Name
    at: str
    """When, in UTC: "2026-11-21T18:00:00+00:00"."""
    replaced: Replaced | None = None


class Change(_Strict):
    """What a browser sends."""

    take: TakeKey
    field: FieldName
    value: Value
    """An empty text counts as nothing."""
    based_on: Annotated[int, Field(ge=0)]
    """The revision of the field that the browser had; 0 if the field was not chosen."""
    by: Name

    @model_validator(mode="after")
    def _value_fits(self) -> Change:
        _check(self.field, self.value)
        return self


class Choices(_Strict):
    """All of a folder's choices."""

    version: Literal[1] = 1
    revision: Annotated[int, Field(ge=0)] = 0
    takes: dict[TakeKey, dict[FieldName, Chosen]] = {}

    @model_validator(mode="after")
    def _values_fit(self) -> Choices:
        for fields in self.takes.values():
            for field, chosen in fields.items():
                _check(field, chosen.value)
        return self

    def value(self, take: str, field: str) -> Value:
        """What was chosen; None if nothing was."""
        chosen = self.takes.get(take, {}).get(field)
        return None if chosen is None else chosen.value

    def changed(self, change: Change, *, at: str | None = None) -> Choices:
        """With one change made."""
        value = None if change.value == "" else change.value
        chosen = Chosen(
            value=value,
            revision=self.revision + 1,
            by=change.by,
            at=at or datetime.now(UTC).isoformat(timespec="seconds"),
            replaced=_replaced(self.takes.get(change.take, {}).get(change.field), change, value),
        )
        fields = {**self.takes.get(change.take, {}), change.field: chosen}
        return Choices(revision=self.revision + 1, takes={**self.takes, change.take: fields})


def _replaced(before: Chosen | None, change: Change, value: Value) -> Replaced | None:
    """What people should see that a change to `value` replaced."""
    if before is None:
        return None
    if before.revision != change.based_on:
        return before.replaced if before.value == value else Replaced(value=before.value, by=before.by)
    if before.replaced is None or before.by != change.by:
        return None
    # Who goes on choosing has not looked; to choose one of the two again says that one has.
    return None if value in (before.value, before.replaced.value) else before.replaced


def _check(field: str, value: Value) -> None:
    try:
        FIELDS[field].validate_python(value, strict=True)
    except ValidationError as error:
        raise ValueError(f"{field} cannot be {str(value)[:40]!r}: {error.errors()[0]['msg']}") from None


def parse_change(text: bytes) -> Change:
    """One change from JSON. Raises `RequestError` for anything else."""
    try:
        return Change.model_validate_json(text)
    except ValidationError as error:
        raise RequestError(f"not a change: {_first_mistake(error)}") from None


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


def _merged(choices: Choices, take: str, field: FieldName, theirs: Chosen) -> Choices:
    ours = choices.takes.get(take, {}).get(field)
    if ours is None:
        in_order = [theirs]
    elif theirs.revision > 0 or theirs.value == ours.value:
        return choices  # the page had it from this file
    elif theirs.by == ours.by:
        in_order = [theirs] if theirs.at > ours.at else []
    else:
        in_order = sorted(
            (ours, theirs), key=lambda chosen: chosen.at
        )  # made again, so that the later keeps the earlier
    based_on = ours.revision if ours and ours.by == theirs.by else 0
    for chosen in in_order:
        change = Change(take=take, field=field, value=chosen.value, based_on=based_on, by=chosen.by)
        choices = choices.changed(change, at=chosen.at)
    return choices


class ChoicesFile:
    """`review.json` of one folder, which several browsers and several commands may change at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / CHOICES_NAME
        (folder / HIDDEN_FOLDER).mkdir(exist_ok=True)
        # Among threads a lock that wakes whoever is next; between processes one that each has to ask for.
        self._threads_lock = Lock()
        self._processes_lock = FileLock(folder / HIDDEN_FOLDER / f"{CHOICES_NAME}.lock")

    def read(self) -> Choices:
        """As they are on disk now; none if there is no file yet."""
        return read_choices(self.path) if self.path.exists() else Choices()

    def change(self, *changes: Change) -> Choices:
        """Make changes and return all choices; when this returns they are on disk, when it raises none is.

        Raises `RequestError` if the file cannot be written, or holds something else.
        """
        with self._threads_lock, self._processes_lock:
            choices = self.read()
            for change in changes:
                choices = choices.changed(change)
            self._write(choices)
        return choices

    def merge(self, other: Choices) -> Choices:
        """Take over what was chosen in a page without a server; of two people's choices the later one wins."""
        with self._threads_lock, self._processes_lock:
            choices = self.read()
            for take, fields in other.takes.items():
                for field, theirs in fields.items():
                    choices = _merged(choices, take, field, theirs)
            self._write(choices)
        return choices

    def _write(self, choices: Choices) -> None:
        try:
            write_text(self.path, choices.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise RequestError(f"{self.path}: cannot be written ({error.strerror}); nothing was saved") from None
