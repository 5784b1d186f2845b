"""What pictures can leave as: every format with its suffixes, its codec and its limits, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidgan.errors import MediaError, RequestError, did_you_mean

# Frames that `Care` calls few.
FEW = 2


def more_options(options: dict[str, str], key: str, more: str) -> dict[str, str]:
    """More settings for an option that holds several."""
    return options | {key: f"{options[key]}:{more}" if key in options else more}


@dataclass(frozen=True)
class Care:
    """What an encoder needs to be told of some movies, lest it fail or make another file each time."""

    of: Callable[[int, bool], bool]
    """Whether this is such a movie: by the width of its pictures, and whether it has `FEW` frames or less."""
    option: str
    more: str
    """What is added to the option."""


@dataclass(frozen=True)
class Codec:
    """How FFmpeg is asked for a movie."""

    encoder: str
    pixel_format: str
    options: tuple[tuple[str, str], ...] = ()
    tag: str | None = None
    """Four letters that the container names it by, where FFmpeg's choice is not what players look for."""
    even: tuple[bool, bool] = (False, False)
    """Whether width and height must be even: chroma is stored for every other pixel."""
    smallest: tuple[int, int] = (1, 1)
    """Width and height."""
    crf: tuple[int, int] | None = None
    """The quality unless one is asked for, and the worst there is; 0 is the best. None: the codec has one quality."""
    two_pass_key: str | None = None
    """The encoder's option that takes `pass=1:stats=FILE`; None where it cannot be given a size in bits."""
    cares: tuple[Care, ...] = ()

    def with_care(self, options: dict[str, str], width: int, *, few: bool) -> dict[str, str]:
        """Options, and what movies of this width, and of `few` frames, ask for beside them."""
        for care in self.cares:
            if care.of(width, few):
                options = more_options(options, care.option, care.more)
        return options


@dataclass(frozen=True)
class Format:
    """One way to write pictures."""

    name: str
    words: str
    kind: Literal["movie", "animation", "stills"]
    suffixes: tuple[str, ...]
    """The first is the usual one."""
    bits: int
    """Of a channel, as stored."""
    codec: Codec | None = None
    scene_linear: bool = False
    """Whether its numbers are proportional to light."""
    keeps_levels: bool = False
    """Whether stills of 8 bits come back as they were, level by level."""

    @property
    def is_quicktime(self) -> bool:
        """MP4 and MOV: containers with a timecode track, and an index that can lie in front."""
        return self.suffixes[0] in (".mp4", ".mov")


_LOG = ("x265-params", "log-level=error")

FORMATS = {
    entry.name: entry
    for entry in (
        Format(
            "h264",
            "H.264",
            "movie",
            (".mp4",),
            8,
            Codec(
                "libx264",
                "yuv420p",
                even=(True, True),
                crf=(16, 51),
                two_pass_key="x264-params",
                # At these widths its macroblock tree reads memory that nobody has written, and no two files of the same
                # frames are the same (x264 165); without it they are about a sixth larger.
                cares=(Care(lambda width, few: width % 128 > 0, "x264-params", "mbtree=0"),),
            ),
        ),
        Format(
            "hevc",
            "HEVC",
            "movie",
            (".mp4",),
            10,
            Codec(
                "libx265",
                "yuv420p10le",
                options=(_LOG,),
                tag="hvc1",
                even=(True, True),
                smallest=(16, 16),
                crf=(16, 51),
                two_pass_key="x265-params",
                cares=(
                    # With B-frames every second movie of one or two frames fails at its end (FFmpeg 8.1).
                    Care(lambda width, few: few, "x265-params", "bframes=0"),
                    # At these widths its look-ahead writes past the end of its memory, which may crash, and where one
                    # block is as wide as the picture no two files of the same frames are the same (x265 4.2).
                    Care(lambda width, few: width <= 64, "x265-params", "no-cutree=1:ctu=16"),
                ),
            ),
        ),
        Format(
            "av1",
            "AV1",
            "movie",
            (".mp4",),
            10,
            Codec(
                "libsvtav1",
                "yuv420p10le",
                options=(("preset", "8"),),
                even=(True, True),
                smallest=(16, 16),
                crf=(18, 63),
            ),
        ),
        Format(
            "prores422hq",
            "ProRes 422 HQ",
            "movie",
            (".mov",),
            10,
            Codec("prores_ks", "yuv422p10le", options=(("profile", "hq"), ("vendor", "apl0")), even=(True, False)),
        ),
        Format(
            "prores4444",
            "ProRes 4444",
            "movie",
            (".mov",),
            10,
            Codec("prores_ks", "yuv444p10le", options=(("profile", "4444"), ("vendor", "apl0"))),
        ),
        Format(
            "dnxhr_hq",
            "DNxHR HQ",
            "movie",
            (".mov",),
            8,
            Codec("dnxhd", "yuv422p", options=(("profile", "dnxhr_hq"),), even=(True, False), smallest=(256, 120)),
        ),
        Format("ffv1", "FFV1, lossless RGB", "movie", (".mkv",), 8, Codec("ffv1", "bgr0")),
        Format("gif", "GIF", "animation", (".gif",), 8),
        Format("webp", "animated WebP", "animation", (".webp",), 8),
        Format("png", "PNG, 8 bits", "stills", (".png",), 8, keeps_levels=True),
        Format("png16", "PNG, 16 bits", "stills", (".png",), 16, keeps_levels=True),
        Format("jpeg", "JPEG", "stills", (".jpg", ".jpeg"), 8),
        Format("tiff16", "TIFF, 16 bits", "stills", (".tif", ".tiff"), 16, keeps_levels=True),
        Format("exr", "EXR, half float", "stills", (".exr",), 16, scene_linear=True),
        Format("dpx", "DPX, 10 bits", "stills", (".dpx",), 10, keeps_levels=True),
    )
}


def suffixes_of(kind: str) -> tuple[str, ...]:
    """Suffixes of all formats of a kind, each once, the usual ones first."""
    return tuple(dict.fromkeys(suffix for entry in FORMATS.values() if entry.kind == kind for suffix in entry.suffixes))


def format_for(path: Path, name: str | None = None) -> Format:
    """The format of this name, or the first whose suffix the path has; a path without a suffix is a folder of PNG.

    Raises `RequestError` for an unknown name or suffix, and where name and suffix contradict each other.
    """
    suffix = path.suffix.lower()
    if name is not None:
        if name not in FORMATS:
            raise RequestError(f'--format "{name}" is not known{did_you_mean(name, FORMATS)}')
        chosen = FORMATS[name]
        if suffix and suffix not in chosen.suffixes:
            raise RequestError(
                f"{path}: {chosen.words} is not written as {suffix}; name it {path.stem}{chosen.suffixes[0]}"
            )
        return chosen
    if not suffix:
        return FORMATS["png"]
    for entry in FORMATS.values():
        if suffix in entry.suffixes:
            return entry
    movies = " ".join(suffixes_of("movie") + suffixes_of("animation"))
    raise RequestError(
        f"{path}: {suffix} is not a format we write (expected {movies}, a pattern such as {path.stem}.####.png "
        f"or .####.exr, or a folder)"
    )


def format_named(name: str) -> Format:
    """The format of this name, or the first that is written with it as a suffix: "mp4" is H.264, "mov" ProRes 422 HQ.

    Raises `RequestError` for a name that is neither.
    """
    if name not in FORMATS:
        for entry in FORMATS.values():
            if f".{name}" in entry.suffixes:
                return entry
        suffixes = [
            suffix.removeprefix(".") for kind in ("movie", "animation", "stills") for suffix in suffixes_of(kind)
        ]
        raise RequestError(f'--format "{name}" is not known{did_you_mean(name, [*FORMATS, *suffixes])}')
    return FORMATS[name]


def trouble_with_size(chosen: Format, width: int, height: int) -> str | None:
    """Why the format cannot hold pictures of this size, in words; None if it can."""
    codec = chosen.codec
    if codec is None:
        return None
    even_width, even_height = codec.even
    if (even_width and width % 2) or (even_height and height % 2):
        return f"{chosen.words} needs {'even sizes' if even_height else 'an even width'}"
    if width < codec.smallest[0] or height < codec.smallest[1]:
        return f"{chosen.words} begins at {codec.smallest[0]}x{codec.smallest[1]}"
    return None


def check_size(path: Path, chosen: Format, width: int, height: int) -> None:
    """Raise `MediaError` in words if the format cannot hold pictures of this size."""
    trouble = trouble_with_size(chosen, width, height)
    if trouble is None:
        return
    cropped = tuple(
        size - size % 2 if even else size for size, even in zip((width, height), chosen.codec.even, strict=True)
    )
    can_be_cropped = trouble_with_size(chosen, *cropped) is None
    mend = f"crop to {cropped[0]}x{cropped[1]}" if can_be_cropped else "enlarge it (--frame 720p)"
    raise MediaError(f"{path}: a frame is {width}x{height} (width x height); {trouble}: {mend}, or write .mkv or .png")
