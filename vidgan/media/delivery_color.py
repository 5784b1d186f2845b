"""From the working space to the colours of a delivery, through OpenColorIO.

The working space is what everything is read into: display-referred sRGB (IEC 61966-2-1) in the primaries of Rec.709.

    rec709       the same numbers, said to be Rec.709: as players and editors show sRGB pictures in a movie
    srgb         the same numbers, said to be sRGB
    display-p3   primaries of P3 with the white D65 and the curve of sRGB
    p3-d65       the same primaries with a gamma of 2.6 (SMPTE RP 431-2), for which H.273 has no transfer tag
    linear       light in the primaries of Rec.709, 0..1
    acescg, aces2065-1    light in the primaries of AP1 and AP0 (Bradford from D65)
    any other    a colour space of the OpenColorIO config

`$OCIO` names a studio's own config, as in reading: light is then what its default view shows as the working picture.
A display and a view instead of a name bring that light to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np
import PyOpenColorIO as ocio

from vidgan.errors import ConfigError, RequestError, did_you_mean
from vidgan.media.color import PRIMARIES, TRANSFERS, ColorTags
from vidgan.media.color_space import (
    BUILTIN_CONFIG,
    OCIO_ERRORS,
    builtin_config,
    config_path,
    interchange,
    ocio_config,
    one_line,
    view_transform,
)
from vidgan.media.formats import Format
from vidgan.media.primaries import KNOWN_CHROMATICITIES

_SRGB = "sRGB Encoded Rec.709 (sRGB)"
_INTERCHANGE = "ACES2065-1"
_SAME_NUMBERS = {"rec709": ("bt709", "bt709"), "srgb": ("bt709", "iec61966-2-1")}
_P3 = {"display-p3": ("smpte432", "iec61966-2-1"), "p3-d65": ("smpte432", None)}
_LIGHT = {"linear": "Linear Rec.709 (sRGB)", "acescg": "ACEScg", "aces2065-1": _INTERCHANGE}
NAMES = (*_SAME_NUMBERS, *_P3, *_LIGHT)

# What the displays of the built-in config are tagged as.
_TAGS_OF_DISPLAY = {
    "sRGB - Display": _SAME_NUMBERS["srgb"],
    "Rec.1886 Rec.709 - Display": _SAME_NUMBERS["rec709"],
    "Gamma 2.2 Rec.709 - Display": ("bt709", "bt470m"),
    "Display P3 - Display": _P3["display-p3"],
    "P3-D65 - Display": _P3["p3-d65"],
}
_P3_GAMMA = 2.6

# Formats that hold an ICC profile and have nothing else to say what their colours are.
_WITH_PROFILE = ("tiff16", "jpeg", "webp")

HIGHLIGHTS_NOTE = "light above 1 is not recovered: what was white in the picture is 1.0"


@dataclass(frozen=True)
class DeliveryColor:
    """What is asked for."""

    name: str | None = None
    """One of `NAMES` or a colour space of the config; None: Rec.709 for movies and DPX, sRGB for other stills and
    animations, linear for EXR."""
    display: str | None = None
    view: str | None = None


@dataclass(frozen=True, eq=False)
class ColorPlan:
    """How pictures of the working space become those of a delivery, and how that is said in each kind of file."""

    words: str
    tags: ColorTags
    chromaticities: tuple[float, ...] | None = None
    """For EXR."""
    dpx_transfer: str = "User defined"
    notes: tuple[str, ...] = ()
    _steps: tuple[ocio.Transform, ...] = ()
    _processors: dict = field(default_factory=dict)

    @property
    def cicp(self) -> tuple[int, int] | None:
        """For PNG: primaries and transfer where they are not those of sRGB, which PNG is without any."""
        names = (self.tags.primaries, self.tags.transfer)
        if names in (*_SAME_NUMBERS.values(), (None, None)):
            return None
        return _number(PRIMARIES, names[0]), _number(TRANSFERS, names[1])

    @property
    def icc_profile(self) -> bytes | None:
        """For TIFF, JPEG and WebP: of P3; sRGB needs none."""
        names = (self.tags.primaries, self.tags.transfer)
        return next((_profile(name) for name, tags in _P3.items() if tags == names), None)

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """[H, W, 3] of the working space, uint8 or float32 0..1 -> the same array, or float32 where numbers change."""
        if not self._steps:
            return picture
        depth = ocio.BIT_DEPTH_UINT8 if picture.dtype == np.uint8 else ocio.BIT_DEPTH_F32
        if depth not in self._processors:
            self._processors[depth] = _processor(self._steps, depth)
        picture = np.ascontiguousarray(picture)
        height, width, _ = picture.shape
        result = np.empty((height, width, 3), np.float32)
        size = picture.itemsize
        self._processors[depth].apply(
            ocio.PackedImageDesc(picture, width, height, 3, depth, size, 3 * size, 3 * size * width),
            ocio.PackedImageDesc(result, width, height, 3, ocio.BIT_DEPTH_F32, 4, 12, 12 * width),
        )
        return result


def plan_color(color: DeliveryColor, chosen: Format) -> ColorPlan:
    """How a delivery in a format gets the colours asked for.

    Raises `RequestError` for colours that the format does not hold or a name and a display at once, `ConfigError` for
    a name, display or view that the OpenColorIO config does not have.
    """
    if color.name and (color.display or color.view):
        raise RequestError("--color and --display or --view contradict each other; leave out one")
    if color.display or color.view:
        return _through_view(color, chosen)
    usual = "linear" if chosen.scene_linear else "rec709" if chosen.kind == "movie" or chosen.name == "dpx" else "srgb"
    name = color.name or usual
    if name not in NAMES:
        return _of_config(name, chosen)
    _check_light(name, name in _LIGHT, chosen)
    if name in _LIGHT:
        return _light(name)
    tags = ColorTags(*(_SAME_NUMBERS | _P3)[name], "bt709", "tv")
    if name in _SAME_NUMBERS:
        return ColorPlan(name, tags, dpx_transfer="ITU-R 709-4" if name == "rec709" else "User defined")
    config = builtin_config()
    if name == "display-p3":
        steps = config.getProcessor(_SRGB, "sRGB Encoded P3-D65").createGroupTransform()
        notes = ()
    else:
        steps = config.getProcessor(_SRGB, "Linear P3-D65").createGroupTransform()
        steps.appendTransform(
            ocio.ExponentTransform([_P3_GAMMA] * 3 + [1.0], ocio.NEGATIVE_CLAMP, ocio.TRANSFORM_DIR_INVERSE)
        )
        notes = ("no tag stands for a gamma of 2.6: the transfer is left unspecified, say it to whoever receives it",)
    return ColorPlan(name, tags, notes=notes + _no_profile(chosen, tags), _steps=tuple(steps))


def _light(name: str) -> ColorPlan:
    """Through the config's light and ACES2065-1, which all configs have."""
    config = ocio_config(config_path())
    steps = [
        view_transform(config, None, bool(config_path()), inverse=True),
        ocio.ColorSpaceTransform(src=ocio.ROLE_SCENE_LINEAR, dst=interchange(config)),
        *builtin_config().getProcessor(_INTERCHANGE, _LIGHT[name]).createGroupTransform(),
    ]
    known = {"linear": "Rec.709", "acescg": "ACEScg", "aces2065-1": "ACES2065-1"}[name]
    values = next(space.chromaticities for space, space_name in KNOWN_CHROMATICITIES.items() if space_name == known)
    words = f"{known}, scene-linear" if name == "linear" else known
    return ColorPlan(words, ColorTags(None, None, None, None), values, notes=(HIGHLIGHTS_NOTE,), _steps=tuple(steps))


def _of_config(name: str, chosen: Format) -> ColorPlan:
    path = config_path()
    config = ocio_config(path)
    if config.getColorSpace(name) is None:
        known = [*NAMES, *(space.getName() for space in config.getColorSpaces())]
        raise ConfigError(f"--color {name!r} is not in the OpenColorIO config{did_you_mean(name, known)}")
    is_linear = config.isColorSpaceLinear(name, ocio.REFERENCE_SPACE_SCENE)
    _check_light(name, is_linear, chosen)
    steps = (
        view_transform(config, None, bool(path), inverse=True),
        ocio.ColorSpaceTransform(src=ocio.ROLE_SCENE_LINEAR, dst=name),
    )
    notes = (f"no tag stands for {name}: primaries and transfer are left unspecified",)
    notes += (HIGHLIGHTS_NOTE,) if is_linear else ()
    printing = name.upper().startswith("ADX") or "cineon" in name.lower()
    return ColorPlan(
        name,
        ColorTags(None, None, "bt709", "tv"),
        dpx_transfer="Printing density" if printing else "User defined",
        notes=notes,
        _steps=steps,
    )


def _through_view(color: DeliveryColor, chosen: Format) -> ColorPlan:
    path = config_path()
    config, own = ocio_config(path), bool(path)
    display = color.display or (config.getDefaultDisplay() if own else "sRGB - Display")
    _check_light(display, False, chosen)
    steps = (
        view_transform(config, None, own, inverse=True),
        view_transform(config, color.view, own, display=display),
    )
    tags = ColorTags(*_TAGS_OF_DISPLAY.get(display, (None, None)), "bt709", "tv")
    notes = () if tags.transfer else (f"no tags are known for {display}: what is not known is left unspecified",)
    words = f"{display}, view {steps[1].getView()}"
    return ColorPlan(words, tags, notes=notes + _no_profile(chosen, tags), _steps=steps)


def _check_light(name: str, is_light: bool, chosen: Format) -> None:
    if is_light != chosen.scene_linear:
        holds = "scene-linear light" if chosen.scene_linear else "display-referred pictures"
        others = "linear, acescg, aces2065-1" if chosen.scene_linear else "rec709, srgb, display-p3, p3-d65"
        raise RequestError(f"{chosen.words} is written with {holds}, which {name} is not (expected {others}, ...)")


def _no_profile(chosen: Format, tags: ColorTags) -> tuple[str, ...]:
    has_profile = chosen.name in _WITH_PROFILE and (tags.primaries, tags.transfer) in _P3.values()
    if chosen.kind == "movie" or chosen.suffixes[0] == ".png" or has_profile:
        return ()
    return (f"{chosen.words} is written without an ICC profile: say what its colours are to whoever receives it",)


def _profile(name: str) -> bytes:
    return (files("vidgan") / "media" / "profiles" / f"{name}.icc").read_bytes()


def _number(table: dict[int, str], name: str | None) -> int:
    """The number of a tag; 2, unspecified, for None."""
    return next((number for number, known in table.items() if known == name), 2)


def _processor(steps: tuple[ocio.Transform, ...], depth: ocio.BitDepth) -> ocio.CPUProcessor:
    path = config_path()
    group = ocio.GroupTransform()
    for step in steps:
        group.appendTransform(step)
    try:
        processor = ocio_config(path).getProcessor(group)
        # Without the fast approximations of powers: what is written may have 16 bits.
        return processor.getOptimizedCPUProcessor(depth, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS)
    except OCIO_ERRORS as error:
        raise ConfigError(f"{path or BUILTIN_CONFIG}: cannot make these colours ({one_line(error)})") from None
