"""From what a user asks for to takes: seeds, classes, walks, grids and wedges in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vidgan.errors import RequestError, did_you_mean
from vidgan.sampling.capabilities import is_steerable
from vidgan.sampling.names import name_of
from vidgan.sampling.take import Look, Motion, Take, class_of_seed, take_from
from vidgan.weights import LoadedGenerator, Provenance

# More variants than this do not fit a sheet that one can look at.
MOST_VARIANTS = 16


@dataclass(frozen=True)
class NamedTake:
    """A take and what its files are called."""

    name: str
    take: Take
    row: str = ""
    """What stands left of its row on a sheet with columns; "" if it belongs to none."""
    column: str = ""
    """What stands above its column."""


@dataclass(frozen=True)
class Choice:
    """What is wanted. None means: as the take file says, or as is usual."""

    seeds: Sequence[int] | None = None
    labels: Sequence[int] | None = None
    mix: dict[str, float] | None = None
    """Shares of classes by name, in place of `labels`."""
    content: Sequence[int] | None = None
    motion: Sequence[int] | None = None
    grid: bool = False
    """Every content with every motion."""
    walk: Sequence[int] | None = None
    sweep: tuple[str, Sequence[float]] | None = None
    """A setting by name, and its values."""
    loop: bool = False
    hold: bool | None = None
    """Whether looks last; None: where content and motion are told apart, and in walks, but not in plain seeds."""
    settings: dict[str, object] = field(default_factory=dict)
    """Settings of `Take` that are the same for all: num_frames, speed, truncation, ease, directions, precision."""


def choose_takes(loaded: LoadedGenerator, choice: Choice, takes: Sequence[Take] = ()) -> list[NamedTake]:
    """The takes wanted, in the order of a sheet: variations of `takes` if there are some, else takes of seeds.

    Raises `RequestError` for wishes that exclude each other and for values that cannot be.
    """
    if choice.grid and not (choice.content and choice.motion):
        raise RequestError("--grid needs both, --content 1-4 and --motion 1-4")
    if choice.walk is not None and (choice.content is not None or takes):
        raise RequestError("--walk says the content by itself (leave out --content, --take and --first-frame)")
    if choice.mix is not None and choice.labels is not None:
        raise RequestError("--class mixes classes, --classes makes takes of each; give one of them")
    base = _variations(choice, takes, loaded) if takes else _of_seeds(choice, loaded)
    chosen = []
    steerable = is_steerable(loaded.generator)
    told_apart = any(each is not None for each in (choice.content, choice.motion, choice.walk))
    for named in base:
        settings = {**named.take.model_dump(), **choice.settings}
        settings["hold"] = settings["hold"] or (told_apart and steerable) if choice.hold is None else choice.hold
        if choice.loop:
            settings["loop"] = settings["num_frames"]
        elif takes and named.take.loop is None and named.take.walk_frames is None and len(named.take.looks) > 1:
            settings["walk_frames"] = named.take.num_frames  # a walk that is rendered longer stays at its end
        take = take_from(settings, source="takes")
        chosen += _swept(replace(named, take=take), choice) if choice.sweep else [replace(named, take=take)]
    return _with_names(chosen, choice)


def _of_seeds(choice: Choice, loaded: LoadedGenerator) -> list[NamedTake]:
    pairs = _content_and_motion(choice)
    if choice.mix is not None:
        groups: list[dict[str, float] | None] = [choice.mix]
    elif choice.labels is None:
        groups = [None]
    else:
        groups = [{loaded.provenance.class_names[label]: 1.0} for label in choice.labels]
    frames = loaded.provenance.config.data.num_frames
    found = []
    for classes in groups:
        for content, motion in pairs:
            shares = _own_class(content[0], loaded) if classes is None else classes
            looks = tuple(Look(seed=seed, classes=shares) for seed in content)
            take = Take(looks=looks, motion=Motion(seed=motion), num_frames=frames)
            row, column = (f"content {content[0]}", f"motion {motion}") if choice.grid else ("", "")
            found.append(NamedTake("", take, row, column))
    return found


def _content_and_motion(choice: Choice) -> list[tuple[Sequence[int], int]]:
    """Seeds of the looks, and the seed of the motion, of each take."""
    if choice.walk is not None:
        motions = choice.motion or choice.seeds or choice.walk[:1]
        return [(tuple(choice.walk), motion) for motion in motions]
    if choice.grid:
        return [((content,), motion) for content in choice.content for motion in choice.motion]
    if choice.content is None and choice.motion is None:
        return [((seed,), seed) for seed in choice.seeds or range(1, 9)]
    contents = choice.content or choice.seeds or [1]
    motions = choice.motion or choice.seeds or list(contents)
    count = max(len(contents), len(motions))
    if {len(contents), len(motions)} - {1, count}:
        raise RequestError(
            f"{len(contents)} seeds of content and {len(motions)} of motion are no pairs (expected as many, or one of "
            "either; --grid makes every pair)"
        )
    pairs = zip(list(contents) * (count // len(contents)), list(motions) * (count // len(motions)), strict=True)
    return [((content,), motion) for content, motion in pairs]


def _variations(choice: Choice, takes: Sequence[Take], loaded: LoadedGenerator) -> list[NamedTake]:
    """Takes of take files, with another content, motion or class, or with other seeds where codes end."""
    found = []
    for take in takes:
        for content in choice.content or [None]:
            motions: Sequence[int | None] = choice.motion or choice.seeds or [None]
            for motion in motions:
                looks, moves = take.looks, take.motion
                if content is not None:
                    looks = (Look(seed=content, classes=looks[0].classes),)
                if choice.mix is not None or choice.labels is not None:
                    names = loaded.provenance.class_names
                    shares = choice.mix or {names[label]: 1.0 for label in choice.labels}
                    if any(look.code is not None for look in looks):
                        raise RequestError("a look with a code has its class in the code; choose another --content")
                    looks = tuple(Look(seed=look.seed, classes=shares) for look in looks)
                if choice.motion is not None:
                    moves = Motion(seed=motion)
                elif motion is not None:
                    moves = moves.model_copy(update={"seed": motion})
                row, column = (f"content {content}", f"motion {motion}") if choice.grid else ("", "")
                found.append(NamedTake("", take.model_copy(update={"looks": looks, "motion": moves}), row, column))
    return found


def _swept(named: NamedTake, choice: Choice) -> list[NamedTake]:
    """A take once for each value of the setting that is swept."""
    setting, values = choice.sweep
    found = []
    for value in values:
        if setting.startswith("direction."):
            number = int(setting.removeprefix("direction."))
            others = tuple(step for step in named.take.directions if step[0] != number)
            changed = {"directions": (*others, (number, value))}
        else:
            changed = {setting: value}
        take = take_from({**named.take.model_dump(), **changed}, source=f"--sweep {setting}")
        found.append(NamedTake("", take, row=name_of(named.take), column=f"{setting.replace('.', ' ')}: {value:g}"))
    return found


def _with_names(takes: Sequence[NamedTake], choice: Choice) -> list[NamedTake]:
    """Names that say how takes differ; variants of a wedge are numbered, and so are takes that seem equal."""
    found, count = [], {}
    variants = len(choice.sweep[1]) if choice.sweep else 0
    for index, named in enumerate(takes):
        name = f"{named.row}_v{index % variants + 1:02d}_{re.sub('[ :]', '', named.column)}" if variants else ""
        name = name or name_of(named.take)
        count[name] = count.get(name, 0) + 1
        found.append(replace(named, name=name if count[name] == 1 else f"{name}_{count[name]}"))
    return found


def _own_class(seed: int, loaded: LoadedGenerator) -> dict[str, float]:
    names = loaded.provenance.class_names
    return {names[class_of_seed(seed, loaded)]: 1.0} if names else {}


def parse_classes(text: str, provenance: Provenance) -> list[int]:
    """Labels from "walk,fire" or "all". Raises `RequestError` for an unknown class."""
    known = provenance.class_names
    if known and text.strip() == "all":
        return list(range(len(known)))
    return [_label(name.strip(), provenance, f"--classes {text}") for name in text.split(",")]


def parse_mix(text: str, provenance: Provenance) -> dict[str, float]:
    """Shares of classes from "walk:0.7,wave:0.3"; "walk" alone is all of it. Raises `RequestError`."""
    shares = {}
    for part in text.split(","):
        name, colon, share = (each.strip() for each in part.partition(":"))
        _label(name, provenance, f"--class {text}")
        shares[name] = _number(share, f"--class {text}: the share of {name}") if colon else 1.0
    if min(shares.values()) < 0 or sum(shares.values()) <= 0:
        raise RequestError(f"--class {text}: shares are 0 or more, and not all 0")
    return shares


def _label(name: str, provenance: Provenance, source: str) -> int:
    known = provenance.class_names
    if not known:
        raise RequestError(f"{source}: these weights are unconditional, they know no classes")
    if name not in known:
        raise RequestError(f'{source}: unknown class "{name}"{did_you_mean(name, known)}')
    return known.index(name)


def parse_directions(texts: Sequence[str]) -> tuple[tuple[int, float], ...]:
    """Steps from "3:+2.0". Raises `RequestError`."""
    found = []
    for text in texts:
        number, colon, amount = (each.strip() for each in text.partition(":"))
        if not (number.isdigit() and colon):
            raise RequestError(f"--direction {text}: is no step along a direction (expected number:amount, as 3:+2.0)")
        found.append((int(number), _number(amount, f"--direction {text}: the amount")))
    return tuple(found)


def parse_sweep(text: str) -> tuple[str, list[float]]:
    """A setting and its values from "truncation=0.4:1.0:5", first, last and how many. Raises `RequestError`."""
    match = re.fullmatch(r"\s*([\w.]+)\s*=([^:]+):([^:]+):\s*(\d+)\s*", text)
    if match is None:
        raise RequestError(f"--sweep {text}: expected setting=first:last:count, such as truncation=0.4:1.0:5")
    setting, count = match[1], int(match[4])
    if setting not in ("truncation", "speed") and not re.fullmatch(r"direction\.\d+", setting):
        raise RequestError(f'--sweep {text}: "{setting}" cannot be swept (known: truncation, speed, direction.3)')
    if not 2 <= count <= MOST_VARIANTS:
        raise RequestError(f"--sweep {text}: {count} variants (expected 2 to {MOST_VARIANTS})")
    first, last = (_number(match[place], f"--sweep {text}: the end") for place in (2, 3))
    return setting, np.linspace(first, last, count).round(6).tolist()


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise RequestError(f'{what} is "{text}" (expected a number)') from None
    if not np.isfinite(value):
        raise RequestError(f'{what} is "{text}" (expected a finite number)')
    return value
