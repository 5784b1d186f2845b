"""Scene-linear light, named colour spaces and views, through OpenColorIO.

    pixels --(what they are taken for)--> scene-linear light --(exposure, view)--> display-referred sRGB, 0..1

The config is the studio's own where `$OCIO` names one, otherwise a built-in one, pinned so that pictures read today
and in a year are the same. The built-in view is "Un-tone-mapped": the definition of sRGB (IEC 61966-2-1), clipped.
What is written in a header (chromaticities, Cineon log) needs no config to be understood and reaches a studio's
config as ACES2065-1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import PyOpenColorIO as ocio

from vidgan.errors import ConfigError, did_you_mean
from vidgan.media.primaries import SceneLinear, matrix_to_rec_709
from vidgan.media.read_as import ReadAs

BUILTIN_CONFIG = "studio-config-v4.0.0_aces-v2.0_ocio-v2.5"
BUILTIN_DISPLAY, BUILTIN_VIEW = "sRGB - Display", "Un-tone-mapped"

_LINEAR_REC_709 = "Linear Rec.709 (sRGB)"
_INTERCHANGE = "ACES2065-1"

OCIO_ERRORS = (ocio.Exception, ocio.ExceptionMissingFile)


@dataclass(frozen=True)
class CineonLog:
    """Printing density as scanned film holds it, 0..1 for codes 0..1023.

    light = (10 ** ((code - 685) * 0.002 / 0.6) - black) / (1 - black), black = 10 ** ((95 - 685) * 0.002 / 0.6)
    Kodak, "Conversion of 10-bit log film data to 8-bit linear or video data for the Cineon digital film system",
    1995: 685 is white, 95 black, a code 0.002 of density, the negative's gamma 0.6. Primaries of Rec.709.
    """


# What a header can state; a `str` is the name of a colour space in the config.
Source = SceneLinear | CineonLog | str
# The uint16 values of black and white.
Levels = tuple[int, int]


def display_referred(
    pixels: np.ndarray,
    source: Source,
    read_as: ReadAs,
    *,
    alpha: np.ndarray | None = None,
    associated: bool = True,
) -> np.ndarray:
    """float32 [H, W, 3] of any range -> float32 [H, W, 3] 0..1, ready for an sRGB screen or the studio's display.

    With `alpha`, float32 [H, W, 1] 0..1, the picture is laid over `read_as.background` in scene-linear light:
    `light + (1 - alpha) * background` where the light is multiplied with alpha already (`associated`), and
    `alpha * light + (1 - alpha) * background` where it is not. The background is first taken back through the view,
    so that it comes out as the colour it was stated as, whatever the exposure.

    Raises `ConfigError` for a colour space or view that the config does not have, or a view that has no inverse.
    """
    path, view = config_path(), read_as.view
    if alpha is None or (associated and not any(read_as.background)):
        display = _apply(_processor(path, source, read_as.exposure, view), pixels)
        return display.clip(0, 1, out=display)
    light = _apply(_processor(path, source, read_as.exposure, None, end="light"), pixels)
    if not associated:
        light *= alpha
    if any(read_as.background):
        background = np.array([[read_as.background]], np.float32) / 255
        light += (1 - alpha) * _apply(_processor(path, None, 0.0, view, start="display", end="light"), background)
    return _apply(_processor(path, None, 0.0, view, start="light"), light).clip(0, 1)


def from_display(picture: np.ndarray, source: Source, read_as: ReadAs) -> np.ndarray:
    """float32 [H, W, 3] 0..1 as `display_referred` gives it -> float32 [H, W, 3] as `source` holds it: its inverse.

    Light above the view's white is not in a picture and does not come back. Raises as `display_referred`.
    """
    return _apply(
        _processor(config_path(), source, read_as.exposure, read_as.view, start="display", end="source"), picture
    )


def processor_for_16_bits(source: Source, read_as: ReadAs, levels: Levels) -> ocio.CPUProcessor:
    """uint16 RGB of `source` -> uint8 RGB for the display, for `apply_to_16_bits`. Raises as `display_referred`."""
    return _processor(config_path(), source, read_as.exposure, read_as.view, levels=levels)


def apply_to_16_bits(processor: ocio.CPUProcessor, pixels: np.ndarray) -> np.ndarray:
    """uint16 [H, W, 3] -> uint8 [H, W, 3], rounded once."""
    pixels = np.ascontiguousarray(pixels)
    height, width, _ = pixels.shape
    result = np.empty((height, width, 3), np.uint8)
    processor.apply(
        ocio.PackedImageDesc(pixels, width, height, 3, ocio.BIT_DEPTH_UINT16, 2, 6, 6 * width),
        ocio.PackedImageDesc(result, width, height, 3, ocio.BIT_DEPTH_UINT8, 1, 3, 3 * width),
    )
    return result


def cpu_processor(
    config: ocio.Config, steps: Iterable[ocio.Transform], levels: Levels | None = None
) -> ocio.CPUProcessor:
    """One processor for all steps: float to float, or from uint16 with these levels to uint8."""
    group = ocio.GroupTransform()
    if levels is not None:
        black, white = levels
        gain, offset = 65535 / (white - black), -black / (white - black)
        group.appendTransform(ocio.MatrixTransform(matrix=_diagonal(gain), offset=[offset] * 3 + [0.0]))
    for step in steps:
        group.appendTransform(step)
    into, out = (
        (ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32) if levels is None else (ocio.BIT_DEPTH_UINT16, ocio.BIT_DEPTH_UINT8)
    )
    # The fast approximations of powers and logarithms are good to 16 bits.
    return config.getProcessor(group).getOptimizedCPUProcessor(into, out, ocio.OPTIMIZATION_DEFAULT)


def _diagonal(gain: float) -> list[float]:
    return np.diag([gain, gain, gain, 1.0]).ravel().tolist()


def _apply(processor: ocio.CPUProcessor, pixels: np.ndarray) -> np.ndarray:
    result = np.array(pixels, np.float32, order="C")
    processor.applyRGB(result)
    return result


def config_path() -> str:
    """What `$OCIO` names; empty for the built-in config."""
    return os.environ.get("OCIO", "")


@lru_cache(maxsize=4)
def ocio_config(path: str) -> ocio.Config:
    """The config of `config_path`. Raises `ConfigError` if it cannot be loaded."""
    try:
        config = ocio.Config.CreateFromFile(path) if path else builtin_config()
        # Without this, OpenColorIO takes two LUTs of the same size and extremes for one.
        config.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)
        config.validate()
    except OCIO_ERRORS as error:
        raise ConfigError(f"$OCIO {path}: cannot be loaded ({one_line(error)}); correct it or unset it") from None
    return config


@lru_cache(maxsize=1)
def builtin_config() -> ocio.Config:
    """The pinned config, loaded when first used."""
    config = ocio.Config.CreateFromBuiltinConfig(BUILTIN_CONFIG)
    config.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)
    return config


@lru_cache(maxsize=64)
def _processor(
    path: str,
    source: Source | None,
    exposure: float,
    view: str | None,
    *,
    start: str = "source",
    end: str = "display",
    levels: Levels | None = None,
) -> ocio.CPUProcessor:
    """From the source, the light or the display to the light, the display or the source."""
    config = ocio_config(path)
    steps = []
    if start == "source":
        steps += _to_light(config, source)
        steps.append(ocio.MatrixTransform(matrix=_diagonal(2.0**exposure)))
    elif start == "display":
        steps.append(view_transform(config, view, bool(path), inverse=True))
    if end == "display":
        steps.append(view_transform(config, view, bool(path)))
    elif end == "source":
        steps.append(ocio.MatrixTransform(matrix=_diagonal(2.0**-exposure)))
        steps.append(ocio.GroupTransform(_to_light(config, source), ocio.TRANSFORM_DIR_INVERSE))
    try:
        return cpu_processor(config, steps, levels)
    except OCIO_ERRORS as error:
        raise ConfigError(f"{path or BUILTIN_CONFIG}: cannot convert these colours ({one_line(error)})") from None


def _to_light(config: ocio.Config, source: Source) -> list[ocio.Transform]:
    if isinstance(source, str):
        if config.getColorSpace(source) is None:
            known = [space.getName() for space in config.getColorSpaces()]
            raise ConfigError(f"color_space {source!r} is not in the OpenColorIO config{did_you_mean(source, known)}")
        return [ocio.ColorSpaceTransform(src=source, dst=ocio.ROLE_SCENE_LINEAR)]
    if isinstance(source, SceneLinear):
        matrix = np.eye(4)
        matrix[:3, :3] = matrix_to_rec_709(source)
        steps = [ocio.MatrixTransform(matrix=matrix.ravel().tolist())]
    else:
        steps = [_cineon()]
    to_interchange = builtin_config().getProcessor(_LINEAR_REC_709, _INTERCHANGE).createGroupTransform()
    return [*steps, to_interchange, ocio.ColorSpaceTransform(src=interchange(config), dst=ocio.ROLE_SCENE_LINEAR)]


def _cineon() -> ocio.Transform:
    codes_a_decade = 0.6 / 0.002
    black = 10 ** ((95 - 685) / codes_a_decade)
    log = ocio.LogAffineTransform(
        logSideSlope=[codes_a_decade / 1023] * 3,
        logSideOffset=[685 / 1023] * 3,
        linSideSlope=[1 - black] * 3,
        linSideOffset=[black] * 3,
        direction=ocio.TRANSFORM_DIR_INVERSE,
    )
    log.setBase(10)
    return log


def interchange(config: ocio.Config) -> str:
    """What ACES2065-1 is called in this config."""
    if config.hasRole("aces_interchange"):
        return "aces_interchange"
    try:
        return ocio.Config.IdentifyBuiltinColorSpace(config, builtin_config(), _INTERCHANGE)
    except OCIO_ERRORS:
        raise ConfigError(
            "the $OCIO config does not say which of its colour spaces is ACES2065-1 (the role aces_interchange), so "
            "nothing a file says of its colours can be used; state color_space"
        ) from None


def view_transform(
    config: ocio.Config, view: str | None, own: bool, *, display: str | None = None, inverse: bool = False
) -> ocio.Transform:
    """From light to a display, or back; without one the display that pictures are read for.

    Raises `ConfigError` for a display or view that the config does not have.
    """
    usual = config.getDefaultDisplay() if own else BUILTIN_DISPLAY
    display = display or usual
    displays = list(config.getDisplays())
    if display not in displays:
        raise ConfigError(f"display {display!r} is not in the OpenColorIO config{did_you_mean(display, displays)}")
    known = list(config.getViews(display))
    view = view or (config.getDefaultView(display) if own else BUILTIN_VIEW)
    if view not in known:
        raise ConfigError(f"view {view!r} is not one of the display {display!r}{did_you_mean(view, known)}")
    direction = ocio.TRANSFORM_DIR_INVERSE if inverse else ocio.TRANSFORM_DIR_FORWARD
    return ocio.DisplayViewTransform(src=ocio.ROLE_SCENE_LINEAR, display=display, view=view, direction=direction)


def one_line(error: Exception) -> str:
    """What OpenColorIO says, without line breaks."""
    return " ".join(str(error).split())
