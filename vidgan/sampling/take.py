"""A take, described: what it shows, how it moves, and for how long. The same description makes the same pixels.

    look    what stays: content and class, by seed or by code; several make a walk from one to the next
    motion  what moves: white noise over time, by seed, or by code for as long as codes go and by seed before and after

A description is data: it is written to JSON with the hash of the weights that it was made for, and read back equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from vidgan.config_values import Section
from vidgan.errors import RequestError, did_you_mean
from vidgan.sampling.latents import MAX_SEED
from vidgan.weights import LoadedGenerator

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Code = tuple[float, ...]


class Look(Section):
    """One content in one class, or between classes."""

    seed: Seed = 0
    """Content, and what is slow of the noise where it is held, unless `code` says them."""
    classes: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Share of each class by name; shares are divided by their sum. Empty without classes."""
    code: Code | None = None
    """The look as numbers (`vidgan.sampling.looks`), which an inversion finds; `seed` and `classes` then are names."""

    @model_validator(mode="after")
    def _has_something(self) -> Look:
        if self.classes and sum(self.classes.values()) <= 0:
            raise ValueError("the shares of classes are all 0")
        return self


class Motion(Section):
    """Noise over time."""

    seed: Seed = 0
    """All steps without a code."""
    first_step: int = 0
    """Step of the noise that the first code stands for."""
    codes: tuple[Code, ...] = ()
    """Noise, a code a step, which an inversion finds."""


class Take(Section):
    """Everything that decides a take's pixels, beside the weights."""

    looks: tuple[Look, ...] = Field(min_length=1)
    """One, or those of a walk in their order."""
    motion: Motion
    num_frames: int = Field(ge=1)
    hold: bool = False
    """Whether the slow half of the noise stays as the look has it, so that a look lasts, and goes with it in a walk."""
    loop: int | None = Field(None, ge=1)
    """Frames after which the take begins again; a walk then comes back to its first look."""
    ease: Literal["linear", "smooth"] = "linear"
    """How a walk goes from look to look: evenly, or slowing down at each."""
    walk_frames: int | None = Field(None, ge=1)
    """Frames in which a walk that is no loop reaches its last look; unset: all of the take."""
    speed: float = Field(1.0, gt=0, le=64)
    """How fast the noise is gone through; 0.5 is half as fast."""
    truncation: float = Field(1.0, ge=0, le=4)
    """How far looks are from the mean look of their class: 0 is the mean itself, 1 is as trained."""
    directions: tuple[tuple[int, float], ...] = ()
    """Steps along directions by their number, see `vidgan.sampling.directions`, in standard deviations of looks."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 is a draft: faster, and a few levels off."""


def seed_take(loaded: LoadedGenerator, seed: int, label: int | None = None, *, num_frames: int | None = None) -> Take:
    """The take of a seed in a class (default: the one it belongs to), as long as trained unless said otherwise."""
    provenance = loaded.provenance
    label = class_of_seed(seed, loaded) if label is None else label
    classes = {provenance.class_names[label]: 1.0} if provenance.class_names else {}
    return Take(
        looks=(Look(seed=seed, classes=classes),),
        motion=Motion(seed=seed),
        num_frames=num_frames or provenance.config.data.num_frames,
    )


def class_of_seed(seed: int, loaded: LoadedGenerator) -> int:
    """The class of a take when none is asked for: the classes in turn, so that it depends on the seed alone."""
    class_names = loaded.provenance.class_names
    return seed % len(class_names) if class_names else 0


def take_as_json(take: Take, loaded: LoadedGenerator) -> dict[str, object]:
    """What a take file holds of a take."""
    return {
        "weights": loaded.path.name,
        "weights_sha256": loaded.weights_hash,
        "take": take.model_dump(mode="json", exclude_defaults=True),
    }


def load_take(path: str | Path, loaded: LoadedGenerator) -> Take:
    """The take of a take file, or of any sidecar that a take was written with.

    Raises `RequestError` if it is no such file, holds unknown settings, or was made with other weights.
    """
    path = Path(path)
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: cannot be read as a take ({error}); expected JSON as `vidgan` writes it") from None
    if not isinstance(contents, dict) or "take" not in contents or "weights_sha256" not in contents:
        raise RequestError(f'{path}: is no take file (expected JSON with "take" and "weights_sha256")')
    if contents["weights_sha256"] != loaded.weights_hash:
        raise RequestError(
            f"{path}: was made with other weights: {contents.get('weights', 'unnamed')} "
            f"{str(contents['weights_sha256'])[:12]}... (these are {loaded.path} {loaded.weights_hash[:12]}...)"
        )
    return take_from(contents["take"], source=str(path))


def take_from(settings: object, *, source: str) -> Take:
    """A take from a tree of settings. Raises `RequestError` in words that begin with `source`."""
    try:
        return Take.model_validate(settings)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            words = f'unknown setting "{place}"{did_you_mean(str(problem["loc"][-1]), Take.model_fields)}'
        elif problem["type"] == "missing":
            words = f"{place} is missing"
        else:
            words = f"{place} is {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"
        raise RequestError(f"{source}: {words}") from None
