"""The ICC profiles of P3 in vidgan/media/profiles, made by LittleCMS (liblcms2), which Pillow reads but cannot make.

python tools/make_profiles.py
"""

from __future__ import annotations

from ctypes import CDLL, POINTER, c_char_p, c_double, c_int32, c_uint32, c_void_p
from ctypes.util import find_library
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "vidgan" / "media" / "profiles"

# x, y, Y: D65, and the primaries of P3 (SMPTE RP 431-2, SMPTE EG 432-1).
WHITE = (0.3127, 0.3290, 1.0)
RED_GREEN_BLUE = (0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0)

# LittleCMS's number of the kind of curve, and its parameters: IEC 61966-2-1; a gamma of 2.6.
CURVES = {
    "display-p3": ("Display P3", 4, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)),
    "p3-d65": ("P3-D65, gamma 2.6", 1, (2.6,)),
}
DESCRIPTION, COPYRIGHT = 0x64657363, 0x63707274


def make_profile(path: Path, words: str, kind: int, parameters: tuple[float, ...]) -> None:
    """Write one profile of P3 with a curve."""
    lcms = CDLL(find_library("lcms2"))
    for name in ("cmsBuildParametricToneCurve", "cmsCreateRGBProfile", "cmsMLUalloc"):
        getattr(lcms, name).restype = c_void_p
    lcms.cmsBuildParametricToneCurve.argtypes = (c_void_p, c_int32, POINTER(c_double))
    lcms.cmsCreateRGBProfile.argtypes = (POINTER(c_double), POINTER(c_double), POINTER(c_void_p))
    lcms.cmsMLUalloc.argtypes = (c_void_p, c_uint32)
    lcms.cmsMLUsetASCII.argtypes = (c_void_p, c_char_p, c_char_p, c_char_p)
    lcms.cmsWriteTag.argtypes = (c_void_p, c_uint32, c_void_p)
    lcms.cmsSaveProfileToFile.argtypes = (c_void_p, c_char_p)
    curve = lcms.cmsBuildParametricToneCurve(None, kind, (c_double * len(parameters))(*parameters))
    profile = lcms.cmsCreateRGBProfile(
        (c_double * 3)(*WHITE), (c_double * 9)(*RED_GREEN_BLUE), (c_void_p * 3)(*[curve] * 3)
    )
    for tag, text in ((DESCRIPTION, words), (COPYRIGHT, "Public domain (CC0)")):
        said = lcms.cmsMLUalloc(None, 1)
        lcms.cmsMLUsetASCII(said, b"en", b"US", text.encode())
        lcms.cmsWriteTag(profile, tag, said)
    if not lcms.cmsSaveProfileToFile(profile, str(path).encode()):
        raise OSError(f"{path}: cannot be written")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, how in CURVES.items():
        make_profile(FOLDER / f"{name}.icc", *how)
