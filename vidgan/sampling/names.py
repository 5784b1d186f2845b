"""What takes are called, in files and on sheets."""

from __future__ import annotations

from vidgan.sampling.take import Look, Take


def class_name(take: Take) -> str:
    """The class of a take's first look: "walk", "walk0.7-wave0.3", or "" without classes."""
    classes = take.looks[0].classes
    if len(classes) == 1:
        return next(iter(classes))
    return "-".join(f"{name}{share:g}" for name, share in classes.items())


def name_of(take: Take) -> str:
    """What a take is made of, such as "walk_seed0007" or "fire_content0005_motion0009_loop48"; only what is unusual."""
    motion = f"motion{take.motion.seed:04d}"
    if len(take.looks) > 1:
        seeds = [f"walk{'-'.join(_short(look) for look in take.looks)}", motion]
    elif take.looks[0].code is not None or take.motion.codes:
        seeds = [f"found{take.motion.seed:04d}"]
    elif take.looks[0].seed == take.motion.seed:
        seeds = [f"seed{take.motion.seed:04d}"]
    else:
        seeds = [f"content{take.looks[0].seed:04d}", motion]
    settings = [
        "held" if take.hold and len(take.looks) == 1 and take.looks[0].seed == take.motion.seed else "",
        f"loop{take.loop}" if take.loop else "",
        f"speed{take.speed:g}" if take.speed != 1 else "",
        f"truncation{take.truncation:g}" if take.truncation != 1 else "",
        *(f"direction{number}{amount:+g}" for number, amount in take.directions),
        take.precision if take.precision != "float32" else "",
    ]
    return "_".join(part for part in [class_name(take), *seeds, *settings] if part)


def _short(look: Look) -> str:
    return "code" if look.code is not None else str(look.seed)
