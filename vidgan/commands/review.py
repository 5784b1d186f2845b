"""Files for people who look at clips."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from vidgan.commands.terminal import console, exact_rate
from vidgan.errors import RequestError


def export(
    input: Annotated[str, typer.Argument(help="A movie, a folder of frames, or a pattern such as shot.####.png")],
    output: Annotated[
        str, typer.Argument(help=".mp4 .mov .mkv .gif .webp, a pattern such as name.####.exr, or a folder")
    ],
    rate: Annotated[str | None, typer.Option(help="Frames a second, exact: 24, 25, 24000/1001")] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="h264 hevc av1 prores422hq prores4444 dnxhr_hq ffv1 gif webp png png16 jpeg tiff16 exr dpx; "
            "default: by the suffix"
        ),
    ] = None,
    crf: Annotated[
        int | None, typer.Option(min=0, help="Quality of H.264, HEVC (to 51), AV1 (to 63): 0 is best")
    ] = None,
    bitrate: Annotated[str | None, typer.Option(help="Bits a second instead, in two passes: 8M")] = None,
    quality: Annotated[int | None, typer.Option(help="Of WebP, 0 to 100; default lossless")] = None,
    compression: Annotated[str, typer.Option(help="Of EXR: zip, zips, piz, rle, pxr24, b44, dwaa, dwab, none")] = "zip",
    frames: Annotated[str | None, typer.Option("--range", help="First and last frame, such as 1009-1056")] = None,
    handles: Annotated[int, typer.Option(min=0, help="More frames before and after these")] = 0,
    first: Annotated[int, typer.Option(min=0, help="Frame number of the first frame")] = 1001,
    frame: Annotated[
        str | None, typer.Option(help="720p 1080p uhd 2k-flat 2k-scope 4k-scope, 1920x1080, or a shape: 2.39:1")
    ] = None,
    filter: Annotated[
        str, typer.Option(help="lanczos, nearest (pixels stay squares), bicubic, bilinear, box")
    ] = "lanczos",
    fit: Annotated[str, typer.Option(help="letterbox or crop")] = "letterbox",
    color: Annotated[
        str | None,
        typer.Option(help="rec709 srgb display-p3 p3-d65 linear acescg aces2065-1, or a name of the $OCIO config"),
    ] = None,
    display: Annotated[str | None, typer.Option(help="Display of the OpenColorIO config")] = None,
    view: Annotated[str | None, typer.Option(help="View of that display")] = None,
    burn_in: Annotated[str, typer.Option(help='Along the bottom: "{shot} {seed}|{timecode}|{frame}"')] = "",
    burn_in_top: Annotated[str, typer.Option(help="The same along the top")] = "",
    watermark: Annotated[str, typer.Option(help="Pale words across the picture")] = "",
    safe_areas: Annotated[bool, typer.Option("--safe-areas", help="Lines at 93 and 90 %")] = False,
    matte: Annotated[str, typer.Option(help="Black above and below a shape, such as 2.39:1")] = "",
    slate: Annotated[bool, typer.Option("--slate", help="One frame before the first that says what follows")] = False,
    note: Annotated[str, typer.Option(help="For the slate")] = "",
    shot: Annotated[str | None, typer.Option(help="Name of the shot; default: of the output")] = None,
    timecode: Annotated[str | None, typer.Option(help="Of the first frame, such as 01:00:00:00")] = None,
    reel: Annotated[str | None, typer.Option(help="Name of the reel")] = None,
    clip: Annotated[str | None, typer.Option(help="Name of the clip; default: the shot's")] = None,
    audio: Annotated[Path | None, typer.Option(help="A file whose sound is cut or looped to the pictures")] = None,
    new_version: Annotated[
        bool, typer.Option("--new-version", help="Add the next _v001, _v002 ... to the name")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace old frames of the same name")] = False,
) -> None:
    """Write the frames of INPUT, each once and in order, as OUTPUT: a movie, an animation or a frame sequence."""
    from vidgan.media.delivery_color import DeliveryColor
    from vidgan.progress import show_progress
    from vidgan.review import export as exporting
    from vidgan.review.burn_in import BurnIns
    from vidgan.review.fit import DeliveryFrame
    from vidgan.review.pictures import Cut, parse_range

    if frame is None and (filter, fit) != ("lanczos", "letterbox"):
        raise RequestError("--filter and --fit say how pictures come to a size; state it (--frame 1080p)")
    first_frame, last_frame = (None, None) if frames is None else parse_range(frames)
    delivery = {
        "rate": exact_rate(rate),
        "format": format,
        "crf": crf,
        "bitrate": None if bitrate is None else bits_a_second(bitrate),
        "quality": quality,
        "compression": compression,
        "cut": Cut(first_frame, last_frame, handles),
        "first_number": first,
        "frame": None if frame is None else DeliveryFrame(frame, filter, fit),
        "color": DeliveryColor(color, display, view),
        "burn_ins": BurnIns(burn_in, burn_in_top, watermark, safe_areas, matte),
        "slate": slate,
        "note": note,
        "shot": shot,
        "timecode": timecode,
        "reel": reel,
        "clip": clip,
        "audio": audio,
    }
    with show_progress(console, "exporting", "frames") as progress:
        result = exporting.export(
            input, output, overwrite=overwrite, new_version=new_version, progress=progress, **delivery
        )
    say(result)


def compare(
    inputs: Annotated[list[str], typer.Argument(help="Two to four of what `export` takes; --layout sheet takes more")],
    output: Annotated[str, typer.Option("--out", help="As for `export`")] = "compare.mp4",
    layout: Annotated[str, typer.Option(help="side, wipe, difference or sheet")] = "side",
    labels: Annotated[
        str | None, typer.Option(help="Names on the pictures, with commas; default: of the files")
    ] = None,
    gain: Annotated[float, typer.Option(help="Differences are multiplied by this")] = 4.0,
    at: Annotated[float | None, typer.Option(help="Place of the wipe, 0 to 1; default: it moves")] = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Of a sheet")] = None,
    rate: Annotated[str | None, typer.Option(help="Frames a second, for frame sequences")] = None,
    frame: Annotated[
        str | None, typer.Option(help="Size of each picture, as for `export`; default: of the first")
    ] = None,
    filter: Annotated[str, typer.Option(help="lanczos, nearest, bicubic, bilinear, box")] = "lanczos",
) -> None:
    """Put several INPUTS into one file: side by side, wiped over each other, as differences, or on a labelled sheet."""
    from vidgan.progress import show_progress
    from vidgan.review import export as exporting
    from vidgan.review.compare import Comparison, compared
    from vidgan.review.fit import DeliveryFrame

    comparison = Comparison(layout, gain=gain, at=at, columns=columns)
    names = None if labels is None else [label.strip() for label in labels.split(",")]
    size = None if frame is None else DeliveryFrame(frame, filter)
    pictures, made_by = compared(inputs, comparison, labels=names, frame=size, rate=exact_rate(rate))
    with show_progress(console, "comparing", "frames") as progress:
        say(exporting.export(pictures, output, made_by=made_by, progress=progress))


def info(
    path: Annotated[Path, typer.Argument(help="A movie, a still, an animation, or weights")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON")] = False,
) -> None:
    """Print what made a file: weights, take, settings, and how it was exported."""
    from vidgan.review.info import describe, in_lines

    found = describe(path)
    if as_json:
        import json

        typer.echo(json.dumps(found, indent=2))
    else:
        typer.echo("\n".join(in_lines(found)))


def say(result: object) -> None:
    """An `ExportResult` in words."""
    at_rate = f" at {result.rate} frames/s" if result.rate else ""
    typer.echo(f"{result.output}: {result.num_frames} frames{at_rate}")
    for note in result.notes:
        typer.echo(f"note: {note}")


def bits_a_second(text: str) -> int:
    """`--bitrate` as a number: "8M", "500k", "8000000". Raises `RequestError` in words."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmM]?)", text.strip())
    if not match:
        raise RequestError(f'--bitrate "{text}" is none (expected bits a second, such as 8M or 500k)')
    return round(float(match[1]) * {"": 1, "k": 1000, "m": 1_000_000}[match[2].lower()])
