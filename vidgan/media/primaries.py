"""Which lights red, green and blue stand for, and the matrices between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidgan.errors import ConfigError

# Bradford cone responses (Lam 1985; ICC.1:2022, annex E).
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class SceneLinear:
    """Numbers proportional to light, with these chromaticities: x, y of red, green, blue and white (CIE 1931)."""

    chromaticities: tuple[float, ...]


REC_709 = SceneLinear((0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290))

KNOWN_CHROMATICITIES = {
    REC_709: "Rec.709",
    SceneLinear((0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)): "ACEScg",
    SceneLinear((0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)): "ACES2065-1",
    SceneLinear((0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)): "Rec.2020",
    SceneLinear((0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)): "P3-D65",
}
ACES2065_1 = next(space for space, name in KNOWN_CHROMATICITIES.items() if name == "ACES2065-1")


def known_name(space: SceneLinear) -> str | None:
    """Name of the colour space these chromaticities belong to, as far as they are written out; None if unknown."""
    for known, name in KNOWN_CHROMATICITIES.items():
        if np.allclose(known.chromaticities, space.chromaticities, rtol=0, atol=2e-4):
            return name
    return None


def matrix_to_rec_709(space: SceneLinear) -> np.ndarray:
    """float64 [3, 3] that takes linear light to Rec.709. SMPTE RP 177-1993; Bradford where the whites differ.

    Raises `ConfigError` for chromaticities that span no colours.
    """
    try:
        to_xyz, white = _to_xyz(space)
        from_xyz, target_white = _to_xyz(REC_709)
        gains = (_BRADFORD @ target_white) / (_BRADFORD @ white)
        matrix = np.linalg.inv(from_xyz) @ np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD @ to_xyz
    except (np.linalg.LinAlgError, ZeroDivisionError):
        matrix = np.full((3, 3), np.nan)
    if not np.isfinite(matrix).all():
        raise ConfigError(f"chromaticities {list(space.chromaticities)} span no colours; state color_space")
    return matrix


def _to_xyz(space: SceneLinear) -> tuple[np.ndarray, np.ndarray]:
    """The matrix from these primaries to CIE XYZ, and the XYZ of their white."""
    xyz = np.array([(x / y, 1, (1 - x - y) / y) if y else (x, y, 1 - x - y) for x, y in _pairs(space)]).T
    primaries, white = xyz[:, :3], xyz[:, 3]
    return primaries * np.linalg.solve(primaries, white), white


def _pairs(space: SceneLinear) -> list[tuple[float, float]]:
    values = [float(value) for value in space.chromaticities]
    return list(zip(values[::2], values[1::2], strict=True))
