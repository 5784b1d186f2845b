"""Which channels of a still are its picture: EXR holds layers ("diffuse.R") and parts, found by name, not position."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import OpenImageIO as oiio

from vidgan.errors import MediaError

_ROLES = {"r": "r", "red": "r", "g": "g", "green": "g", "b": "b", "blue": "b", "a": "a", "alpha": "a"}
# What programs call the picture that is meant to be looked at.
_MAIN = ("rgba", "rgb", "beauty", "combined", "main", "left")
# Single channels that are measurements, not pictures.
_DATA = {"z", "zback", "depth", "a", "alpha", "id", "u", "v", "n", "x"}


@dataclass(frozen=True)
class Layer:
    """Channels that are a picture."""

    name: str
    """Prefix of the channels or name of the part; "" for the main channels of a file without layers."""
    part: int
    color: tuple[int, ...]
    """Channel numbers of red, green and blue, or of grey alone."""
    alpha: int | None
    plain: bool
    """Whether the channels are called R, G, B without a prefix."""
    subsampled: bool = False
    """Whether it is luminance beside colour differences at lower resolution (Y, RY, BY)."""


def find_layers(parts: list[oiio.ImageSpec]) -> list[Layer]:
    """All pictures in the order of the file."""
    layers = []
    for number, part in enumerate(parts):
        groups: dict[str, dict[str, int]] = defaultdict(dict)
        for channel, name in enumerate(part.channelnames):
            prefix, _, base = name.rpartition(".")
            groups[prefix][_ROLES.get(base.lower(), base.lower())] = channel
        part_name = str(part.getattribute("oiio:subimagename") or part.getattribute("name") or "")
        for prefix, channels in groups.items():
            name, plain = prefix or part_name, not prefix
            subsampled = {"y", "ry", "by"} <= set(channels)
            rest = [role for role in channels if role != "a"]
            if {"r", "g", "b"} <= set(channels):
                color = tuple(channels[role] for role in "rgb")
            elif "y" in channels and (subsampled or "x" not in channels):
                color = (channels["y"],)
            elif len(rest) == 1 and rest[0] not in _DATA:
                color = (channels[rest[0]],)
            else:
                continue
            layers.append(Layer(name, number, color, channels.get("a"), plain, subsampled))
    return layers


def choose_layer(layers: list[Layer], wanted: str | None) -> Layer:
    """The layer called `wanted`, or the main one: plain RGB, then beauty and its like, then RGB, then grey.

    Raises `MediaError` (without a path) if there is none.
    """
    if not layers:
        raise MediaError("has no colour channels")
    if wanted is not None:
        named = [layer for layer in layers if layer.name == wanted] or [
            layer for layer in layers if layer.name.lower() == wanted.lower()
        ]
        if not named:
            raise MediaError(f"has no layer {wanted!r} (it has: {names_of(layers)})")
        return named[0]
    return min(layers, key=lambda layer: (len(layer.color) == 1, not layer.plain, not _is_main(layer)))


def _is_main(layer: Layer) -> bool:
    return layer.name.lower().rpartition(".")[2] in _MAIN


def names_of(layers: list[Layer]) -> str:
    """Names in one line, the first dozen."""
    names = [layer.name or "the main channels" for layer in layers]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
