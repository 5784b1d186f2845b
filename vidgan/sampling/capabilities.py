"""What a generator's family can do, and whether a take asks for more."""

from __future__ import annotations

from torch import nn

from vidgan.errors import RequestError, did_you_mean
from vidgan.nn.family import SteerableGenerator
from vidgan.sampling.directions import NUM_EACH
from vidgan.sampling.looks import look_dim
from vidgan.sampling.take import Take
from vidgan.weights import LoadedGenerator


def is_steerable(generator: nn.Module) -> bool:
    """Whether content and motion can be given over time, which everything but seeds, classes and length needs."""
    return isinstance(generator, SteerableGenerator)


def check_take(loaded: LoadedGenerator, take: Take) -> None:
    """Raise `RequestError`, naming what was asked for, unless this generator can make such a take."""
    generator, provenance = loaded.generator, loaded.provenance
    family = provenance.config.model.family
    if generator.longest is not None and take.num_frames > generator.longest:
        raise RequestError(
            f"{loaded.path}: {take.num_frames} frames asked for; the family {family} makes clips of "
            f"{generator.longest} frames and no longer ones (conv3d makes any length)"
        )
    for name in (name for look in take.looks for name in look.classes):
        if not provenance.class_names:
            raise RequestError(f'class "{name}": these weights are unconditional, they know no classes')
        if name not in provenance.class_names:
            raise RequestError(f'unknown class "{name}"{did_you_mean(name, provenance.class_names)}')
    if not is_steerable(generator):
        if asked := _beyond_seeds(take):
            raise RequestError(f"{loaded.path}: the family {family} makes no takes with {asked} (conv3d does)")
        return
    if provenance.class_names and not all(look.classes or look.code is not None for look in take.looks):
        raise RequestError(f"a look without a class (these weights know {', '.join(provenance.class_names)})")
    _check_loop(take, generator.first_frames)
    _check_codes(take, generator)


def _beyond_seeds(take: Take) -> str:
    """The first thing of a take that only steerable generators can do, in words; "" for none."""
    asked = {
        "a loop": take.loop is not None,
        "a walk": len(take.looks) > 1,
        "a speed": take.speed != 1,
        "a look that is held": take.hold,
        "truncation": take.truncation != 1,
        "directions": bool(take.directions),
        "a mix of classes": any(len(look.classes) > 1 for look in take.looks),
        "codes": bool(take.motion.codes) or any(look.code is not None for look in take.looks),
    }
    return next((words for words, is_asked in asked.items() if is_asked), "")


def _check_loop(take: Take, period: int) -> None:
    if take.loop is None:
        return
    if take.loop < period:
        raise RequestError(
            f"a loop of {take.loop} frames is shorter than the network's period of {period} frames; make it {period} "
            "or a multiple"
        )
    if take.loop % period:
        below = take.loop // period * period
        raise RequestError(
            f"a loop of {take.loop} frames does not hold whole periods of the network, which are {period} frames; "
            f"make it {below} or {below + period}"
        )


def _check_codes(take: Take, generator: SteerableGenerator) -> None:
    for number, _ in take.directions:
        if not 1 <= number <= 2 * NUM_EACH:
            raise RequestError(f"direction {number} is unknown (there are 1 to {2 * NUM_EACH}: `vidgan directions`)")
    for look in take.looks:
        if look.code is not None and len(look.code) != look_dim(generator):
            raise RequestError(f"a look's code has {len(look.code)} numbers (expected {look_dim(generator)})")
    for code in take.motion.codes:
        if len(code) != generator.motion_dim:
            raise RequestError(f"a code of motion has {len(code)} numbers (expected {generator.motion_dim})")
