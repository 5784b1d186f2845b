"""From the colour tags of a movie to display-referred sRGB, once matrix and range are undone.

    transfer                                              primaries    what is done
    bt709 and its kin, sRGB, untagged                     Rec.709      nothing: code values are kept
    the same                                              others       linearised, brought to Rec.709, encoded again
    gamma 2.2, gamma 2.8, linear, smpte428, log           any          linearised, brought to Rec.709, encoded as sRGB
    PQ, HLG                                               any          ACES 2.0 from HDR at 1000 nits to SDR at 100

The kin of bt709 are smpte170m, smpte240m, bt2020-10 and bt2020-12, bt1361e and iec61966-2-4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import PyOpenColorIO as ocio

from vidgan.media.color_space import Levels, builtin_config, cpu_processor
from vidgan.media.primaries import REC_709, SceneLinear, matrix_to_rec_709

# ITU-T H.273, table 2: x, y of red, green, blue and white.
_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
_SMPTE_C = SceneLinear((0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65))
PRIMARIES_OF_TAG = {
    None: REC_709,
    "bt709": REC_709,
    "bt470m": SceneLinear((0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C)),
    "bt470bg": SceneLinear((0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65)),
    "smpte170m": _SMPTE_C,
    "smpte240m": _SMPTE_C,
    "film": SceneLinear((0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C)),
    "bt2020": SceneLinear((0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)),
    "smpte428": SceneLinear((1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)),
    "smpte431": SceneLinear((0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    "smpte432": SceneLinear((0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)),
    "ebu3213": SceneLinear((0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65)),
}

HIGH_DYNAMIC_RANGE = {"smpte2084": "Rec.2100-PQ - Display", "arib-std-b67": "Rec.2100-HLG - Display"}
_XYZ = "CIE XYZ-D65 - Display-referred"
_HDR_VIEW = "ACES 2.0 - HDR 1000 nits (Rec.2020)"
_SDR_VIEW = "ACES 2.0 - SDR 100 nits (Rec.709)"
LUT_SIZE = 65

# Exponents to light. Between display-referred pictures of the bt709 family BT.1886 is meant (ITU-R BT.1886: 2.4).
_BT_1886 = 2.4
_EXPONENTS = {"bt470m": 2.2, "bt470bg": 2.8, "linear": 1.0, "smpte428": 2.6}
# Decades that a logarithmic transfer spans below white (H.273: 100:1, and 100 * sqrt(10):1).
_LOG_DECADES = {"log100": 2.0, "log316": 2.5}


@lru_cache(maxsize=32)
def processor_of_tags(primaries: str | None, transfer: str | None, levels: Levels) -> ocio.CPUProcessor | None:
    """uint16 RGB as tagged -> uint8 display-referred RGB, for `apply_to_16_bits`; None where code values are kept."""
    if transfer in HIGH_DYNAMIC_RANGE:
        return cpu_processor(builtin_config(), [_baked_high_dynamic_range(primaries, transfer)], levels)
    matrix = _matrix(primaries)
    if transfer in _EXPONENTS or transfer in _LOG_DECADES:
        return cpu_processor(builtin_config(), [*_to_light(transfer), matrix, _srgb(encode=True)], levels)
    if PRIMARIES_OF_TAG.get(primaries, REC_709) == REC_709:
        return None
    if transfer == "iec61966-2-1":
        steps = [_srgb(encode=False), matrix, _srgb(encode=True)]
    else:
        steps = [_power(_BT_1886), matrix, _power(_BT_1886, encode=True)]
    return cpu_processor(builtin_config(), steps, levels)


def exact_high_dynamic_range(primaries: str | None, transfer: str) -> list[ocio.Transform]:
    """PQ or HLG code values, 0..1, to sRGB, 0..1: the ACES 2.0 rendering for 1000 nits undone, that for SDR applied.

    HLG is taken as its 1000-nit reference display shows it (ITU-R BT.2100). Highlights are rolled off, not cut:
    white at 203 nits (BT.2408) comes out at 82 %. Untagged primaries are Rec.2020.
    """
    steps = [ocio.ColorSpaceTransform(src=HIGH_DYNAMIC_RANGE[transfer], dst=_XYZ)]
    if primaries not in (None, "bt2020"):
        # The decoding to XYZ took them for Rec.2020.
        meant, taken = (matrix_to_rec_709(PRIMARIES_OF_TAG[tag]) for tag in (primaries, "bt2020"))
        rec_709_to_xyz = _rec_709_to_xyz()
        steps.append(_matrix_transform(rec_709_to_xyz @ meant @ np.linalg.inv(rec_709_to_xyz @ taken)))
    hdr_display = HIGH_DYNAMIC_RANGE["smpte2084"]
    return [
        *steps,
        ocio.ColorSpaceTransform(src=_XYZ, dst=hdr_display),
        ocio.DisplayViewTransform(
            src="ACES2065-1", display=hdr_display, view=_HDR_VIEW, direction=ocio.TRANSFORM_DIR_INVERSE
        ),
        ocio.DisplayViewTransform(src="ACES2065-1", display="sRGB - Display", view=_SDR_VIEW),
    ]


@lru_cache(maxsize=8)
def _baked_high_dynamic_range(primaries: str | None, transfer: str) -> ocio.Transform:
    """As one LUT over the cube of code values, because ACES takes 2 seconds for a full-HD picture."""
    axis = np.linspace(0, 1, LUT_SIZE, dtype=np.float32)
    grid = np.ascontiguousarray(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3))
    cpu_processor(builtin_config(), exact_high_dynamic_range(primaries, transfer)).applyRGB(grid)
    lut = ocio.Lut3DTransform(gridSize=LUT_SIZE)
    lut.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    lut.setData(grid.clip(0, 1).ravel())
    return lut


def _to_light(transfer: str) -> list[ocio.Transform]:
    if transfer in _EXPONENTS:
        # SMPTE 428-1 puts white at 48 of the 52.37 cd/m2 that code 1 stands for.
        peak = 52.37 / 48 if transfer == "smpte428" else 1.0
        return [_power(_EXPONENTS[transfer]), _matrix_transform(np.eye(3) * peak)]
    decades = _LOG_DECADES[transfer]
    log = ocio.LogAffineTransform(logSideSlope=[1 / decades] * 3, logSideOffset=[1.0] * 3)
    log.setBase(10)
    log.setDirection(ocio.TRANSFORM_DIR_INVERSE)
    return [log]


def _matrix(primaries: str | None) -> ocio.Transform:
    if primaries == "smpte428":
        # X'Y'Z' holds the white of its pictures, which is not that of its axes: nothing to adapt.
        return _matrix_transform(np.linalg.inv(_rec_709_to_xyz()))
    return _matrix_transform(matrix_to_rec_709(PRIMARIES_OF_TAG.get(primaries, REC_709)))


def _rec_709_to_xyz() -> np.ndarray:
    # IEC 61966-2-1, to the precision of the primaries.
    return np.array([[0.412391, 0.357584, 0.180481], [0.212639, 0.715169, 0.072192], [0.019331, 0.119195, 0.950532]])


def _matrix_transform(matrix: np.ndarray) -> ocio.Transform:
    square = np.eye(4)
    square[:3, :3] = matrix
    return ocio.MatrixTransform(matrix=square.ravel().tolist())


def _power(exponent: float, *, encode: bool = False) -> ocio.Transform:
    direction = ocio.TRANSFORM_DIR_INVERSE if encode else ocio.TRANSFORM_DIR_FORWARD
    return ocio.ExponentTransform(value=[exponent] * 3 + [1.0], negativeStyle=ocio.NEGATIVE_CLAMP, direction=direction)


def _srgb(*, encode: bool) -> ocio.Transform:
    """IEC 61966-2-1."""
    direction = ocio.TRANSFORM_DIR_INVERSE if encode else ocio.TRANSFORM_DIR_FORWARD
    return ocio.ExponentWithLinearTransform(
        gamma=[2.4, 2.4, 2.4, 1.0],
        offset=[0.055, 0.055, 0.055, 0.0],
        negativeStyle=ocio.NEGATIVE_LINEAR,
        direction=direction,
    )
