"""What the numbers of a still are taken for, from its header.

    stated by the user                       that
    EXR                                      linear by its chromaticities, or ACES2065-1 if it says so, or Rec.709
    TIFF and DPX in floating point           linear Rec.709
    PNG that states a gamma of 1             linear Rec.709
    DPX: logarithmic or printing density     Cineon log;  .cin too
    DPX: linear                              linear Rec.709, unless FFmpeg wrote it
    everything else                          display-referred: the numbers are kept; an ICC profile is applied

What is guessed and what cannot be applied is said in the notes of the still.
"""

from __future__ import annotations

import io

import numpy as np
import OpenImageIO as oiio
from PIL import Image, ImageCms

from vidgan.media.color_space import CineonLog, Source
from vidgan.media.primaries import ACES2065_1, REC_709, SceneLinear, known_name
from vidgan.media.read_as import ReadAs

_NOT_STATED = "colours are not stated, read as linear Rec.709"


def source_of(form: str, header: oiio.ImageSpec, read_as: ReadAs) -> tuple[Source | None, str, list[str]]:
    """The source, None where numbers are kept; what it is in words; and notes."""
    if read_as.color_space is not None:
        return read_as.color_space, f"{read_as.color_space} (stated)", []
    if form == "exr":
        return _of_exr(header)
    if form == "cin":
        return CineonLog(), "Cineon log (the file's format)", []
    if form == "dpx":
        return _of_dpx(header)
    if header.format.basetype in (oiio.HALF, oiio.FLOAT, oiio.DOUBLE):
        return REC_709, "linear Rec.709", [_NOT_STATED]
    named = str(header.getattribute("oiio:ColorSpace") or "")
    if form == "png" and named.startswith("lin_"):
        return REC_709, "linear Rec.709 (stated by the header)", []
    if named and not named.startswith(("srgb_rec709", "g22_rec709")):
        return None, "sRGB", [f"its header says {named}, which is not applied"]
    return None, "sRGB", []


def _of_exr(header: oiio.ImageSpec) -> tuple[Source, str, list[str]]:
    values = header.getattribute("chromaticities")
    if values is not None and len(values) == 8:
        space = SceneLinear(tuple(float(value) for value in values))
        return space, f"linear by its chromaticities ({known_name(space) or 'their own'})", []
    if header.get_int_attribute("acesImageContainerFlag") == 1:
        return ACES2065_1, "ACES2065-1 (stated by the header)", []
    return REC_709, "linear Rec.709", [_NOT_STATED]


def _of_dpx(header: oiio.ImageSpec) -> tuple[Source | None, str, list[str]]:
    """SMPTE 268M, table 5: the transfer decides."""
    transfer = str(header.getattribute("dpx:Transfer") or "Undefined")
    if transfer in ("Logarithmic", "Printing density"):
        return CineonLog(), "Cineon log (stated by the header)", []
    if header.format.basetype in (oiio.HALF, oiio.FLOAT, oiio.DOUBLE):
        return REC_709, "linear Rec.709", [] if transfer == "Linear" else [_NOT_STATED]
    if transfer == "Linear":
        # FFmpeg wrote "linear" into every DPX for years, whatever it held.
        if str(header.getattribute("Software") or "").startswith("Lavc"):
            return None, "sRGB", ["its header says linear, as FFmpeg's always do; read as display-referred"]
        return REC_709, "linear Rec.709 (stated by the header)", []
    if transfer in ("Undefined", "User defined"):
        return None, "sRGB", ["its header does not say what its colours are; read as display-referred"]
    return None, f"display-referred ({transfer}, stated by the header)", []


def icc_profile(header: oiio.ImageSpec) -> bytes | None:
    """The ICC profile of a still unless it is that of sRGB."""
    profile = header.getattribute("ICCProfile")
    if profile is None or "srgb" in profile_name(header).lower():
        return None
    return bytes(np.asarray(profile, np.uint8))


def profile_name(header: oiio.ImageSpec) -> str:
    """What the profile calls itself."""
    return str(header.getattribute("ICCProfile:profile_description") or "without a name")


def profile_applies(header: oiio.ImageSpec) -> bool:
    """Whether the profile can be applied to red, green and blue."""
    return str(header.getattribute("ICCProfile:color_space")).strip() == "RGB"


def to_srgb(rgb: np.ndarray, profile: bytes) -> np.ndarray | None:
    """uint8 [H, W, 3] of an ICC profile -> uint8 [H, W, 3] sRGB (LittleCMS, perceptual); None if it is damaged."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return np.asarray(ImageCms.profileToProfile(Image.fromarray(rgb), source, target))
    except (ImageCms.PyCMSError, OSError):
        return None
