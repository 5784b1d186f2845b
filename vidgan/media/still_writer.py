"""How each kind of still is written: PNG and JPEG by Pillow, TIFF by tifffile, EXR, DPX and 16-bit PNG by OpenImageIO.

Every one of them holds who made it: as XMP where the format has it (PNG, JPEG, TIFF), in attributes (EXR), in the
user data (DPX).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import tifffile
from PIL import Image

from vidgan.errors import MediaError
from vidgan.media.formats import Format
from vidgan.media.levels import as_float, as_levels
from vidgan.media.timecode import Timecode
from vidgan.media.xmp import insert_into_png, source_type_url

JPEG_QUALITY = 95
EXR_COMPRESSIONS = ("zip", "zips", "piz", "rle", "pxr24", "b44", "b44a", "dwaa", "dwab", "none")

_TIFF_XMP_TAG = 700


@dataclass(frozen=True)
class StillLabels:
    """What a still says of itself beside its picture."""

    software: str = ""
    description: str = ""
    """Text, kept whole by all but DPX's reader in FFmpeg."""
    digital_source_type: str | None = None
    """A term of IPTC's NewsCodes; see `vidgan.media.xmp`."""
    xmp: bytes | None = None
    timecode: Timecode | None = None
    rate: Fraction | None = None
    reel: str | None = None
    clip: str | None = None
    pixel_aspect: Fraction = Fraction(1)
    chromaticities: tuple[float, ...] | None = None
    """x, y of red, green, blue and white, for EXR."""
    cicp: tuple[int, int] | None = None
    """Primaries and transfer (ITU-T H.273), for PNG; None: sRGB, which is what a PNG without them is."""
    icc_profile: bytes | None = None
    """For JPEG and TIFF; None: sRGB."""
    dpx_transfer: str = "ITU-R 709-4"
    """SMPTE 268M, table 5, in OpenImageIO's words."""
    compression: str = "zip"
    """Of EXR: one of `EXR_COMPRESSIONS`."""


def encode_still(path: Path, picture: np.ndarray, chosen: Format, labels: StillLabels) -> None:
    """Write [H, W, 3], uint8 or float32 0..1 (EXR: float32 of any range, scene-linear), in a format of stills.

    Raises `OSError` if it cannot be written, `MediaError` if an EXR is asked for of 8-bit numbers, which are no light.
    """
    if chosen.scene_linear and picture.dtype == np.uint8:
        raise MediaError(f"{path}: EXR holds scene-linear light, these are 8-bit display-referred numbers")
    if chosen.name in ("png", "jpeg"):
        _by_pillow(path, as_levels(picture, 255), chosen, labels)
    elif chosen.name == "tiff16":
        _tiff(path, as_levels(picture, 65535), labels)
    elif chosen.name == "png16":
        _by_openimageio(path, as_levels(picture, 65535), oiio.UINT16, _common(labels))
    elif chosen.name == "dpx":
        codes = as_levels(picture, 1023)
        _by_openimageio(path, codes << 6 | codes >> 4, oiio.UINT16, _common(labels) | _of_dpx(labels))
    else:
        _by_openimageio(path, as_float(picture), oiio.HALF, _common(labels) | _of_exr(labels))
    if chosen.suffixes[0] == ".png":
        insert_into_png(path, labels.xmp, labels.cicp)


def _by_pillow(path: Path, levels: np.ndarray, chosen: Format, labels: StillLabels) -> None:
    options = {}
    if chosen.name == "jpeg":
        exif = Image.Exif()
        exif.update({0x010E: labels.description, 0x0131: labels.software} if labels.description else {})
        options = {"quality": JPEG_QUALITY, "subsampling": 0, "exif": exif, "xmp": labels.xmp or b""}
        options["icc_profile"] = labels.icc_profile
    Image.fromarray(levels).save(path, format="JPEG" if chosen.name == "jpeg" else "PNG", **options)


def _tiff(path: Path, levels: np.ndarray, labels: StillLabels) -> None:
    extra = [(_TIFF_XMP_TAG, 1, len(labels.xmp), labels.xmp, True)] if labels.xmp else []
    tifffile.imwrite(
        path,
        levels,
        photometric="rgb",
        compression="zlib",
        predictor=True,
        description=labels.description or None,
        software=labels.software or None,
        extratags=extra,
        iccprofile=labels.icc_profile,
        metadata=None,
    )


def _common(labels: StillLabels) -> dict[str, object]:
    said = {"Software": labels.software, "ImageDescription": labels.description}
    if labels.digital_source_type:
        said["Iptc4xmpExt:DigitalSourceType"] = source_type_url(labels.digital_source_type)
    attributes: dict[str, object] = {name: text for name, text in said.items() if text}
    if labels.pixel_aspect != 1:
        attributes["PixelAspectRatio"] = float(labels.pixel_aspect)
    return attributes


def _of_exr(labels: StillLabels) -> dict[str, object]:
    """Standard attributes of OpenEXR 3, by OpenImageIO's names."""
    attributes: dict[str, object] = {"compression": labels.compression}
    if labels.chromaticities:
        attributes["chromaticities"] = (oiio.TypeDesc("float[8]"), labels.chromaticities)
    if labels.rate:
        attributes["FramesPerSecond"] = (oiio.TypeDesc("rational"), labels.rate.as_integer_ratio())
    if labels.timecode:
        attributes["smpte:TimeCode"] = (oiio.TypeDesc("timecode"), (labels.timecode.as_smpte(), 0))
    attributes |= {name: text for name, text in (("reelName", labels.reel), ("clipName", labels.clip)) if text}
    return attributes


def _of_dpx(labels: StillLabels) -> dict[str, object]:
    """SMPTE 268M keeps names in fields of 100 characters and more; the whole description is in the user data."""
    attributes: dict[str, object] = {
        "oiio:BitsPerSample": 10,
        "dpx:Transfer": labels.dpx_transfer,
        "dpx:Colorimetric": "ITU-R 709-4" if labels.dpx_transfer == "ITU-R 709-4" else "User defined",
    }
    if labels.description:
        record = labels.description.encode()
        attributes["dpx:UserData"] = (oiio.TypeDesc(f"uint8[{len(record)}]"), np.frombuffer(record, np.uint8))
    if labels.rate:
        attributes["dpx:FrameRate"] = float(labels.rate)
    if labels.timecode:
        attributes["dpx:TimeCode"] = str(labels.timecode).replace(";", ":")
    attributes |= {
        name: text for name, text in (("dpx:InputDevice", labels.reel), ("DocumentName", labels.clip)) if text
    }
    return attributes


def _by_openimageio(path: Path, pixels: np.ndarray, form: oiio.BASETYPE, attributes: dict[str, object]) -> None:
    height, width, channels = pixels.shape
    header = oiio.ImageSpec(width, height, channels, form)
    for name, value in attributes.items():
        if isinstance(value, tuple):
            header.attribute(name, *value)
        else:
            header.attribute(name, value)
    output = oiio.ImageOutput.create(str(path))
    written = output.open(str(path), header) and output.write_image(np.ascontiguousarray(pixels))
    error = output.geterror()
    if not (output.close() and written):
        raise OSError(" ".join((error or output.geterror()).replace(f'"{path}"', "it").split())[:160])
