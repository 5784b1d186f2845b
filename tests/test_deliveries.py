"""What is written is what other programs read: counts, rates, tags, names and colours, in every format.

Movies are read back by the ffmpeg and ffprobe of the system (not the libraries that wrote them) down to their stored
planes, stills and animations by OpenImageIO; the colours are taken from there by the definitions, with no code of the
package. `python tests/test_deliveries.py` writes the table of it into the README.
"""

import io
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image, ImageCms

from vidgan.errors import ConfigError
from vidgan.media.delivery_color import DeliveryColor
from vidgan.media.formats import FORMATS
from vidgan.media.movie_writer import write_movie
from vidgan.review.export import export
from vidgan.review.trace import Record

README = Path(__file__).parents[1] / "README.md"
NTSC_FILM = Fraction(24000, 1001)
TIMECODE, REEL, SHOT = "01:00:00:00", "A001C003", "sq010_sh020"
NUM_FRAMES, TILE, ROWS, COLUMNS = 6, 32, 6, 10
HEAD = "| | read back by | frames | rate | colour tags | timecode | reel | name | largest ΔE |"
TAKE = {"vidgan_version": "0", "weights_sha256": "ab" * 32, "seed": 7}
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

# x, y of red, green, blue and white: ITU-R BT.709-6, SMPTE RP 431-2 with D65, SMPTE ST 2065-1, ACES S-2014-004.
CHROMATICITIES = {
    "bt709": [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290)],
    "smpte432": [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)],
    "acescg": [(0.713, 0.293), (0.165, 0.830), (0.128, 0.044), (0.32168, 0.33767)],
    "aces2065-1": [(0.7347, 0.2653), (0.0, 1.0), (0.0001, -0.077), (0.32168, 0.33767)],
}
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def to_xyz(primaries):
    """float [3, 3]: light to CIE XYZ, a white other than D65 brought to it (Bradford)."""

    def xyz(pairs):
        return np.array([(x / y, 1, (1 - x - y) / y) if y else (x, y, 1 - x - y) for x, y in pairs]).T

    corners, white, d65 = (
        xyz(CHROMATICITIES[primaries][:3]),
        xyz(CHROMATICITIES[primaries][3:]),
        xyz([(0.3127, 0.3290)]),
    )
    gains = (BRADFORD @ d65) / (BRADFORD @ white)
    return np.linalg.inv(BRADFORD) @ (gains * BRADFORD) @ (corners * np.linalg.solve(corners, white)[:, 0])


def chart():
    """uint8 [6 * 32, 10 * 32, 3]: a ramp of greys, primaries, skins, skies, foliage and random colours."""
    random = np.random.default_rng(0).integers(0, 256, (ROWS * COLUMNS, 3))
    named = [(115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170)]
    primaries = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0)]
    for index, color in enumerate([(v, v, v) for v in np.linspace(0, 255, 12).round()] + named + primaries):
        random[index + 1] = color
    return random.reshape(ROWS, COLUMNS, 3).repeat(TILE, 0).repeat(TILE, 1).astype(np.uint8)


def frames():
    """The chart; the first tile of frame i is grey level 20 i."""
    pictures = np.stack([chart()] * NUM_FRAMES)
    pictures[:, :TILE, :TILE] = 20 * np.arange(NUM_FRAMES)[:, None, None, None]
    return pictures


def tiles(picture):
    """[H, W, C] -> float [60, C]: the means of the middles of the tiles."""
    height, width = picture.shape[0] // ROWS, picture.shape[1] // COLUMNS
    cells = picture.reshape(ROWS, height, COLUMNS, width, -1)
    return cells[:, height // 4 : -height // 4, :, width // 4 : -width // 4].mean((1, 3)).reshape(ROWS * COLUMNS, -1)


def srgb_to_light(values):
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)


def lab(light, primaries):
    """CIE 1976 L*a*b* under D65."""
    xyz = light @ to_xyz(primaries).T / to_xyz("bt709").sum(1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1)


def delta_e(light, primaries="bt709"):
    """The largest CIE 1976 colour difference of tiles, as light, from the chart."""
    expected = lab(srgb_to_light(tiles(frames()[-1]) / 255), "bt709")
    return float(np.linalg.norm(lab(light, primaries) - expected, axis=-1).max())


# Second readers


def ffprobe(path):
    if not shutil.which("ffprobe"):
        pytest.skip("needs ffprobe")
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def stored_planes(path, pixel_format):
    """R'G'B' float [frames, H, W, 3] by the definition of BT.709, from the planes as ffmpeg decodes them."""
    depth = 12 if "12" in pixel_format else 10 if "10" in pixel_format else 8
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:v:0",
        "-f",
        "rawvideo",
        "-pix_fmt",
        pixel_format,
        "-",
    ]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    numbers = np.frombuffer(raw, np.uint8 if depth == 8 else "<u2").astype(float)
    height, width = ROWS * TILE, COLUMNS * TILE
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[pixel_format[3:6]]
    small = (height // down, width // across)
    sizes = [height * width, *[small[0] * small[1]] * 2]
    planes = np.split(numbers.reshape(-1, sum(sizes)), np.cumsum(sizes)[:2], axis=1)
    luma = planes[0].reshape(-1, height, width)
    chroma = [plane.reshape(-1, *small).repeat(down, 1).repeat(across, 2) for plane in planes[1:]]
    step = 2 ** (depth - 8)
    y, cb, cr = (luma / step - 16) / 219, (chroma[0] / step - 128) / 224, (chroma[1] / step - 128) / 224
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    return np.stack([red, (y - 0.2126 * red - 0.0722 * blue) / 0.7152, blue], -1)


def openimageio(path):
    """Every picture in a file, float [H, W, 3] as stored, and the header of the first."""
    file = oiio.ImageInput.open(str(path))
    header, pictures = file.spec(), []
    while file.seek_subimage(len(pictures), 0):
        pictures.append(np.asarray(file.read_image(len(pictures), 0, 0, 3, "float")).reshape(file.spec().height, -1, 3))
    file.close()
    return header, pictures


# Formats


@dataclass
class Delivered:
    """What a second reader found."""

    reader: str
    num_frames: int
    rate: str
    tags: str
    timecode: str
    reel: str
    name: str
    delta_e: float
    source_type: bool


def delivered(name, folder):
    """Export the chart in a format and read it back."""
    chosen = FORMATS[name]
    animation = chosen.kind == "animation"
    labels = {} if animation else {"timecode": TIMECODE, "reel": REEL}
    output = folder / (f"{SHOT}.####{chosen.suffixes[0]}" if chosen.kind == "stills" else f"{SHOT}{chosen.suffixes[0]}")
    made_by = Record((TAKE,))
    result = export(frames(), output, format=name, rate=NTSC_FILM, made_by=made_by, **labels)
    assert result.num_frames == NUM_FRAMES
    assert json.loads(result.sidecar.read_text())["made_by"] == [TAKE]
    return _movie(output) if chosen.kind == "movie" else _animation(output) if animation else _stills(folder, chosen)


def _movie(path):
    found = ffprobe(path)
    video = found["streams"][0]
    tags = {key.lower(): value for stream in found["streams"] for key, value in stream.get("tags", {}).items()}
    tags |= {key.lower(): value for key, value in found["format"]["tags"].items()}
    if video["pix_fmt"] in ("bgr0", "gbrp"):
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        pictures = np.frombuffer(raw, np.uint8).reshape(-1, ROWS * TILE, COLUMNS * TILE, 3) / 255
    else:
        pictures = stored_planes(path, video["pix_fmt"])
    first_tiles = [float(tiles(picture)[0, 0]) * 255 for picture in pictures]
    assert np.abs(np.array(first_tiles) - 20 * np.arange(NUM_FRAMES)).max() < 1.5
    assert (video["width"], video["height"]) == (COLUMNS * TILE, ROWS * TILE)
    assert video["r_frame_rate"] == video["avg_frame_rate"]
    return Delivered(
        "ffprobe",
        int(video["nb_read_frames"]),
        video["r_frame_rate"],
        " ".join(video.get(key, "-") for key in ("color_primaries", "color_transfer", "color_space", "color_range")),
        tags["timecode"],
        tags["reel_name"],
        tags["title"],
        delta_e(srgb_to_light(tiles(pictures[-1]))),
        tags["digital_source_type"] == SOURCE_TYPE,
    )


def _animation(path):
    _, pictures = openimageio(path)
    assert pictures[0].shape == (ROWS * TILE, COLUMNS * TILE, 3)
    content, milliseconds = path.read_bytes(), 0
    with Image.open(path) as file:
        for index in range(file.n_frames):
            file.seek(index)
            file.load()
            milliseconds += file.info["duration"]
    return Delivered(
        "OpenImageIO",
        len(pictures),
        f"{milliseconds} ms in all",
        "-",
        "-",
        "-",
        "-",
        delta_e(srgb_to_light(tiles(pictures[-1]))),
        SOURCE_TYPE.encode() in content,
    )


def _stills(folder, chosen):
    files = sorted(folder.glob(f"*{chosen.suffixes[0]}"))
    assert [path.name for path in files] == [f"{SHOT}.{1001 + i}{chosen.suffixes[0]}" for i in range(NUM_FRAMES)]
    headers = [openimageio(path)[0] for path in files]
    _, (picture,) = openimageio(files[-1])
    last, colors = headers[-1], tiles(picture)
    rate = last.getattribute("FramesPerSecond") or last.getattribute("dpx:FrameRate")
    timecodes = [header.getattribute("smpte:TimeCode") for header in headers]
    if timecodes[0]:
        assert [value[0] for value in timecodes] == [0x01000000 + i for i in range(NUM_FRAMES)]
    tags = last.getattribute("chromaticities")
    tags = "chromaticities of Rec.709" if tags else last.getattribute("dpx:Transfer") or "sRGB"
    if isinstance(rate, tuple):
        rate = f"{rate[0]}/{rate[1]}"
    record = last.getattribute("dpx:UserData")
    return Delivered(
        "OpenImageIO",
        len(files),
        "-" if rate is None else f"{rate:.6g}" if isinstance(rate, float) else str(rate),
        tags,
        TIMECODE if timecodes[0] else "-",
        last.getattribute("reelName") or last.getattribute("dpx:InputDevice") or "-",
        last.getattribute("clipName") or last.getattribute("DocumentName") or "-",
        delta_e(colors if chosen.scene_linear else srgb_to_light(colors)),
        SOURCE_TYPE
        in (bytes(record).decode() if record is not None else last.getattribute("Iptc4xmpExt:DigitalSourceType")),
    )


def row(name, found):
    """A line of the README's table; the colour difference is rounded up."""
    cells = (
        f"{FORMATS[name].words} (`{name}`)",
        found.reader,
        str(found.num_frames),
        found.rate,
        found.tags,
        found.timecode,
        found.reel,
        found.name,
        f"{ceil(found.delta_e * 10) / 10:.1f}",
    )
    return f"| {' | '.join(cells)} |"


@pytest.fixture(scope="module")
def table():
    """The README's rows by the name of the format."""
    lines = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return {name: line for name in FORMATS for line in lines if f"(`{name}`)" in line}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_read_back_by_another_program_as_the_readme_says(name, table, tmp_path):
    found = delivered(name, tmp_path)
    assert found.num_frames == NUM_FRAMES
    assert found.source_type
    assert found.delta_e < (2 if name in ("h264", "dnxhr_hq", "jpeg") else 1)
    *said, said_delta_e = table[name].strip("| ").split(" | ")
    *measured, _ = row(name, found).strip("| ").split(" | ")
    assert said == measured
    assert found.delta_e <= float(said_delta_e) + 0.1, "the README states less than is measured"


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name].kind == "movie"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_movie_may_have_one_frame_or_two(name, count, tmp_path):
    output = tmp_path / f"a{FORMATS[name].suffixes[0]}"
    export(frames()[:count], output, format=name, rate=NTSC_FILM)
    assert ffprobe(output)["streams"][0]["nb_read_frames"] == str(count)


def test_hevc_of_one_frame_or_two_can_be_written_again_and_again(tmp_path):
    """With B-frames the encoder fails at the end of most of them, once memory has been used before."""
    code = (
        "import sys, numpy as np; from fractions import Fraction; from vidgan.media.movie_writer import write_movie\n"
        "for seed in range(60):\n"
        "    noise = np.random.default_rng(seed).integers(0, 256, (1 + seed % 2, 64, 64, 3)).astype(np.uint8)\n"
        "    write_movie(sys.argv[1], noise, format='hevc', rate=Fraction(24))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.mp4")]
    assert subprocess.run(command, capture_output=True, text=True).stderr == ""


def test_hevc_of_narrow_pictures_does_not_crash():
    """With all of its look-ahead the encoder writes past the end of its memory there."""
    code = (
        "import numpy as np, tempfile; from fractions import Fraction\n"
        "from vidgan.media.movie_writer import write_movie\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "  for width in (16, 28, 32, 36, 40, 44, 48) * 3:\n"
        "    noise = np.random.default_rng(width).integers(0, 256, (8, 64, width, 3)).astype(np.uint8)\n"
        "    write_movie(folder + '/a.mp4', noise, format='hevc', rate=Fraction(24))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(("name", "width"), [("h264", 64), ("h264", 320), ("hevc", 64), ("av1", 64)])
def test_the_same_frames_are_the_same_file(name, width, tmp_path):
    """Some encoders look at more memory than they have written."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, width, 3))
    for _ in range(4):
        noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, 1, 2)) // 4
    files = set()
    for _ in range(4):
        write_movie(tmp_path / "a.mp4", noise.astype(np.uint8), rate=NTSC_FILM, format=name)
        files.add((tmp_path / "a.mp4").read_bytes())
    assert len(files) == 1


# Colours


@pytest.mark.parametrize("name", ["linear", "acescg", "aces2065-1"])
def test_an_exr_holds_the_light_of_the_chart_in_the_primaries_it_states(name, tmp_path):
    result = export(frames()[-1:], tmp_path / "a.exr", color=DeliveryColor(name))
    header, (picture,) = openimageio(tmp_path / "a.exr")
    primaries = "bt709" if name == "linear" else name
    assert delta_e(tiles(picture), primaries) < 0.1
    stated = np.array(header.getattribute("chromaticities")).reshape(4, 2)
    assert stated == pytest.approx(np.array(CHROMATICITIES[primaries]), abs=1e-4)
    assert any("not recovered" in note for note in result.notes)
    assert "not recovered" in header.getattribute("ImageDescription")
    assert picture.max() == 1


def test_half_floats_are_exact_to_their_precision(tmp_path):
    export(frames()[-1:], tmp_path / "a.exr")
    _, (picture,) = openimageio(tmp_path / "a.exr")
    light = srgb_to_light(frames()[-1] / 255)
    assert (np.abs(picture - light) <= np.spacing(light.astype(np.float16)).astype(float) * 0.51 + 1e-6).all()


def test_sixteen_bits_are_exact_and_ten_are_rounded(tmp_path):
    numbers = np.random.default_rng(0).integers(0, 65536, (1, 64, 96, 3)).astype(np.uint16)
    for name in ("a.png", "a.tif"):
        export(numbers, tmp_path / name, format="png16" if name == "a.png" else None)
        file = oiio.ImageInput.open(str(tmp_path / name))
        assert (file.read_image(0, 0, 0, 3, "uint16") == numbers[0]).all()
        file.close()
    export(numbers, tmp_path / "a.dpx")
    file = oiio.ImageInput.open(str(tmp_path / "a.dpx"))
    codes = file.read_image(0, 0, 0, 3, "uint16") >> 6
    file.close()
    assert np.abs(codes - numbers[0] / 65535 * 1023).max() < 0.501


def test_what_files_hold_beyond_eight_bits_is_kept_where_the_delivery_holds_it(tmp_path):
    ramp = np.linspace(0, 1, 960, dtype=np.float32)[None, :, None].repeat(64, 0).repeat(3, 2)[None].repeat(2, 0)
    export(ramp, tmp_path / "a.mov", rate=NTSC_FILM, format="prores4444")
    export(tmp_path / "a.mov", tmp_path / "b.####.tif")
    _, (picture,) = openimageio(tmp_path / "b.1001.tif")
    assert np.abs(picture - ramp[0]).max() < 1.5 / 876
    assert len(np.unique(picture)) > 600
    export(ramp, tmp_path / "c" / "c.####.png", format="png16")
    export(tmp_path / "c", tmp_path / "d.####.exr")
    export(tmp_path / "d.####.exr", tmp_path / "e" / "e.####.tif")
    _, (picture,) = openimageio(tmp_path / "e" / "e.1002.tif")
    assert np.abs(picture - ramp[0]).max() < 1 / 2000
    export(tmp_path / "a.mov", tmp_path / "f.####.png")
    _, (picture,) = openimageio(tmp_path / "f.1001.png")
    assert np.abs(picture - ramp[0]).max() < 1 / 255


@pytest.mark.parametrize(("name", "transfer"), [("display-p3", "iec61966-2-1"), ("p3-d65", None)])
def test_p3_is_converted_and_tagged(name, transfer, tmp_path):
    def light_of(values):
        return srgb_to_light(values) if transfer else np.maximum(values, 0) ** 2.6

    export(frames(), tmp_path / "a.mov", rate=NTSC_FILM, format="prores4444", color=DeliveryColor(name))
    video = ffprobe(tmp_path / "a.mov")["streams"][0]
    assert (video["color_primaries"], video.get("color_transfer")) == ("smpte432", transfer)
    picture = stored_planes(tmp_path / "a.mov", video["pix_fmt"])[-1]
    assert delta_e(light_of(tiles(picture)), "smpte432") < 1
    export(frames()[-1:], tmp_path / "a.png", format="png16", color=DeliveryColor(name))
    header, (picture,) = openimageio(tmp_path / "a.png")
    assert delta_e(light_of(tiles(picture)), "smpte432") < 0.1
    assert tuple(header.getattribute("CICP")) == (12, 13 if transfer else 2, 0, 1)


@pytest.mark.parametrize("color", [DeliveryColor("display-p3"), DeliveryColor("p3-d65"), DeliveryColor("srgb")])
@pytest.mark.parametrize("output", ["a.tif", "a.jpg", "a.webp"])
def test_stills_and_webp_in_p3_have_a_profile_by_which_littlecms_finds_their_colours(color, output, tmp_path):
    result = export(frames()[-1:], tmp_path / output, rate=NTSC_FILM, color=color)
    header, (picture,) = openimageio(tmp_path / output)
    profile = header.getattribute("ICCProfile")
    assert not any("ICC" in note for note in result.notes)
    assert (profile is None) == (color.name == "srgb")
    if profile is not None:
        stored = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
        source = ImageCms.ImageCmsProfile(io.BytesIO(bytes(np.asarray(profile, np.uint8))))
        picture = np.asarray(ImageCms.profileToProfile(stored, source, ImageCms.createProfile("sRGB"))) / 255
    assert delta_e(srgb_to_light(tiles(picture))) < 2


def test_what_holds_no_profile_says_so(tmp_path):
    for output, color in (
        ("a.gif", DeliveryColor("p3-d65")),
        ("a.tif", DeliveryColor(display="Rec.2100-PQ - Display")),
    ):
        result = export(frames()[-1:], tmp_path / output, rate=NTSC_FILM, color=color)
        assert any("is written without an ICC profile" in note for note in result.notes)


def test_srgb_and_rec_709_hold_the_same_numbers_and_say_which_they_are(tmp_path):
    for name, transfer in (("srgb", "iec61966-2-1"), ("rec709", "bt709")):
        export(frames(), tmp_path / f"{name}.mp4", rate=NTSC_FILM, color=DeliveryColor(name))
        assert ffprobe(tmp_path / f"{name}.mp4")["streams"][0]["color_transfer"] == transfer
    planes = [stored_planes(tmp_path / f"{name}.mp4", "yuv420p") for name in ("srgb", "rec709")]
    assert (planes[0] == planes[1]).all()


def test_a_display_and_view_are_those_of_the_config_and_the_studios_own_is_honoured(tmp_path, monkeypatch):
    shown = DeliveryColor(display="P3-D65 - Display", view="Un-tone-mapped")
    export(frames()[-1:], tmp_path / "a.png", format="png16", color=shown)
    _, (picture,) = openimageio(tmp_path / "a.png")
    assert delta_e(tiles(picture) ** 2.6, "smpte432") < 0.1
    with pytest.raises(ConfigError, match="display 'P3-D65' is not in the OpenColorIO config"):
        export(frames()[-1:], tmp_path / "b.png", color=DeliveryColor(display="P3-D65"))
    (tmp_path / "own.ocio").write_text(OWN_CONFIG)
    monkeypatch.setenv("OCIO", str(tmp_path / "own.ocio"))
    export(frames()[-1:], tmp_path / "own.exr", color=DeliveryColor("half_light"))
    _, (picture,) = openimageio(tmp_path / "own.exr")
    assert 2 * tiles(picture) == pytest.approx((tiles(frames()[-1]) / 255) ** 2, rel=2e-3, abs=1e-5)


# The light of this studio is shown by a square root, and one of its spaces holds half of it.
OWN_CONFIG = """ocio_profile_version: 2
roles:
  default: light
  scene_linear: light
  aces_interchange: light
displays:
  monitor:
    - !<View> {name: Root, colorspace: rooted}
colorspaces:
  - !<ColorSpace> {name: light, encoding: scene-linear}
  - !<ColorSpace>
    name: rooted
    from_scene_reference: !<ExponentTransform> {value: 0.5}
  - !<ColorSpace>
    name: half_light
    from_scene_reference: !<MatrixTransform> {matrix: [0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 1]}
"""


def write_table():
    """Put the table into the README in the place of the one that is there."""
    head = HEAD
    rows = [head, "|---" * 9 + "|"]
    for name in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(name, delivered(name, Path(folder))))
    lines = README.read_text(encoding="utf-8").splitlines()
    first = lines.index(head)
    rest = next(index for index in range(first, len(lines)) if not lines[index].startswith("|"))
    README.write_text("\n".join([*lines[:first], *rows, *lines[rest:]]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        for name in FORMATS:
            with tempfile.TemporaryDirectory() as folder:
                print(row(name, delivered(name, Path(folder))))
    else:
        write_table()
