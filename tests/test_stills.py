"""Stills in. Every file is made here with the answer in its pixels, most of them through OpenImageIO."""

import contextlib
import struct
import warnings
from fractions import Fraction

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from vidgan.errors import ConfigError, MediaError
from vidgan.media.read_as import ReadAs
from vidgan.media.stills import STILL_SUFFIXES, read_still, read_still_header


def spec_of(pixels, form, channels=None, **attributes):
    height, width, count = pixels.shape
    spec = oiio.ImageSpec(width, height, count, form)
    if channels:
        spec.channelnames = channels
    for name, value in attributes.items():
        if isinstance(value, tuple):
            spec.attribute(name, oiio.TypeDesc(f"float[{len(value)}]"), value)
        else:
            spec.attribute(name.replace("__", ":"), value)
    return spec


def write(path, *parts):
    """Each part is (pixels, spec); several make a multi-part EXR or a TIFF of several pages."""
    out = oiio.ImageOutput.create(str(path))
    specs = tuple(spec for _, spec in parts)
    if len(parts) > 1 and out.supports("multiimage") and path.suffix == ".exr":
        assert out.open(str(path), specs), out.geterror()
    else:
        assert out.open(str(path), specs[0]), out.geterror()
    for number, (pixels, spec) in enumerate(parts):
        if number:
            assert out.open(str(path), spec, "AppendSubimage"), out.geterror()
        assert out.write_image(np.ascontiguousarray(pixels, np.float32)), out.geterror()
    out.close()


def write_one(path, pixels, form="half", channels=None, **attributes):
    write(path, (pixels, spec_of(pixels, form, channels, **attributes)))


def flat(*values, height=8, width=12):
    return np.full((height, width, len(values)), values, np.float32)


def srgb_level(light):
    """IEC 61966-2-1, 0..255."""
    return round(255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055))


NOISE = np.random.default_rng(0).random((64, 64, 3), np.float32)
FORMS = {
    "a.exr": "half",
    "a.dpx": "uint16",
    "a.tif": "uint16",
    "a.png": "uint8",
    "a.jpg": "uint8",
    "a.tga": "uint8",
    "a.bmp": "uint8",
}


# What a still is


@pytest.mark.parametrize("name", FORMS)
def test_content_decides_what_a_still_is_and_not_its_name(tmp_path, name):
    write_one(tmp_path / name, NOISE, FORMS[name])
    expected = read_still(tmp_path / name)
    assert expected.header.format == {"tif": "tiff", "jpg": "jpeg"}.get(name[2:], name[2:])
    for suffix in STILL_SUFFIXES:
        (tmp_path / f"renamed{suffix}").write_bytes((tmp_path / name).read_bytes())
        assert (read_still(tmp_path / f"renamed{suffix}").rgb == expected.rgb).all()


def test_what_is_no_still_is_refused_in_words(tmp_path):
    for suffix in STILL_SUFFIXES:
        (tmp_path / f"text{suffix}").write_text("shot list\n" * 400)
        (tmp_path / f"empty{suffix}").touch()
        (tmp_path / f"noise{suffix}").write_bytes(np.random.default_rng(1).bytes(4000))
        for read in (read_still, read_still_header):
            with pytest.raises(MediaError, match=r"text.*is no picture"):
                read(tmp_path / f"text{suffix}")
            with pytest.raises(MediaError, match=r"noise.*is no picture"):
                read(tmp_path / f"noise{suffix}")
            with pytest.raises(MediaError, match=r"is empty \(0 bytes\)"):
                read(tmp_path / f"empty{suffix}")
    with pytest.raises(MediaError, match="cannot be read"):
        read_still(tmp_path / "missing.png")
    with pytest.raises(MediaError, match="cannot be read"):
        read_still(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "a.png")
    with pytest.raises(MediaError, match="holds gif"):
        read_still(tmp_path / "a.png")


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_still_that_is_cut_off_is_an_error_and_never_black(tmp_path, name, share):
    write_one(tmp_path / name, NOISE, FORMS[name])
    if name == "a.tga":  # OpenImageIO's has a thumbnail at its end
        Image.fromarray((NOISE * 255).astype(np.uint8)).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(MediaError, match=rf"{name}: is (damaged|no picture)"):
        read_still(tmp_path / name)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_compressed_tga_or_tiled_exr_that_is_cut_off_is_an_error(tmp_path, share):
    Image.fromarray((NOISE * 255).astype(np.uint8)).save(tmp_path / "a.tga", compression="tga_rle")
    spec = spec_of(NOISE, "half")
    spec.tile_width = spec.tile_height = 16
    write(tmp_path / "a.exr", (NOISE, spec))
    for name in ("a.tga", "a.exr"):
        assert read_still(tmp_path / name).rgb.any()
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(len(content) * share)])
        with pytest.raises(MediaError, match=rf"{name}: is (damaged|no picture)"):
            read_still(tmp_path / name)


def test_a_header_that_claims_an_absurd_size_is_refused_before_memory_is_asked_for(tmp_path):
    write_one(tmp_path / "a.dpx", NOISE, "uint8")
    content = bytearray((tmp_path / "a.dpx").read_bytes())
    content[772:780] = struct.pack(">II" if content[:4] == b"SDPX" else "<II", 60000, 60000)
    (tmp_path / "a.dpx").write_bytes(content)
    wide = bytearray(b"\x00\x00\x02" + bytes(9) + struct.pack("<HH", 60000, 60000) + b"\x18\x00" + bytes(3000))
    (tmp_path / "a.tga").write_bytes(wide)
    write_one(tmp_path / "a.png", NOISE, "uint8")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 60000, 60000)
    (tmp_path / "a.png").write_bytes(content)
    spec = spec_of(NOISE, "half")
    spec.full_width, spec.full_height = 10**6, 10**6
    write(tmp_path / "a.exr", (NOISE, spec))
    for name in ("a.dpx", "a.tga", "a.png", "a.exr"):
        with pytest.raises(MediaError, match=name):
            read_still_header(tmp_path / name)
    with pytest.raises(MediaError, match=r"claims 1000000x1000000 pixels \(width x height\)"):
        read_still_header(tmp_path / "a.exr")


# EXR


def test_channels_are_found_by_name_and_not_by_position(tmp_path):
    write_one(tmp_path / "a.exr", flat(0.1, 0.9, 0.2, 1.0, 0.7), channels=("B", "Z", "G", "A", "R"))
    found = read_still(tmp_path / "a.exr").rgb[0, 0].tolist()
    assert found == [srgb_level(0.7), srgb_level(0.2), srgb_level(0.1)]


LAYERS = ("diffuse.R", "diffuse.G", "diffuse.B", "ViewLayer.Combined.R", "ViewLayer.Combined.G", "ViewLayer.Combined.B")


def test_a_layer_is_read_by_its_name_and_the_beauty_without_one(tmp_path):
    write_one(tmp_path / "a.exr", flat(0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 3.0), channels=(*LAYERS, "depth.Z"))
    for wanted, name, light in [(None, "ViewLayer.Combined", 0.5), ("diffuse", "diffuse", 0.1)]:
        still = read_still(tmp_path / "a.exr", ReadAs(layer=wanted))
        assert (still.header.layer, int(still.rgb[0, 0, 0])) == (name, srgb_level(light))
        assert any(note.startswith("1 other layers: ") for note in still.header.notes)
    with pytest.raises(MediaError, match=r"a.exr: has no layer 'specular' \(it has: .*diffuse"):
        read_still(tmp_path / "a.exr", ReadAs(layer="specular"))


def test_plain_channels_come_before_layers(tmp_path):
    write_one(tmp_path / "a.exr", flat(0.1, 0.1, 0.1, 0.5, 0.5, 0.5), channels=(*LAYERS[:3], "R", "G", "B"))
    still = read_still(tmp_path / "a.exr")
    assert (still.header.layer, int(still.rgb[0, 0, 0])) == (None, srgb_level(0.5))


def test_parts_are_layers(tmp_path):
    parts = []
    for name, light in [("diffuse", 0.1), ("beauty", 0.5), ("specular", 0.9)]:
        pixels = flat(light, light, light)
        parts.append((pixels, spec_of(pixels, "half", oiio__subimagename=name)))
    write(tmp_path / "a.exr", *parts)
    for wanted, light in [(None, 0.5), ("diffuse", 0.1), ("specular", 0.9)]:
        still = read_still(tmp_path / "a.exr", ReadAs(layer=wanted))
        assert int(still.rgb[0, 0, 0]) == srgb_level(light)
    assert read_still_header(tmp_path / "a.exr").layer == "beauty"
    assert "2 other layers: diffuse, specular" in read_still_header(tmp_path / "a.exr").notes


def test_a_real_layered_exr_is_read(shared):
    path = shared / "hard" / "layered.exr"
    header = read_still_header(path)
    assert (header.layer, header.height, header.width, header.bit_depth, header.is_float) == (
        "Lava Layer",
        256,
        256,
        32,
        True,
    )
    pictures = [read_still(path, ReadAs(layer=f"{name} Layer")).rgb for name in ("Lava", "Logo", "Plasma")]
    assert (pictures[0] == read_still(path).rgb).all()
    assert (pictures[0] != pictures[2]).any()


def test_luminance_alone_is_grey_and_depth_alone_is_no_picture(tmp_path):
    write_one(tmp_path / "y.exr", flat(0.5), channels=("Y",))
    assert (read_still(tmp_path / "y.exr").rgb == srgb_level(0.5)).all()
    write_one(tmp_path / "z.exr", flat(0.5), channels=("Z",))
    with pytest.raises(MediaError, match=r"z.exr: has no colour channels"):
        read_still(tmp_path / "z.exr")
    write_one(tmp_path / "c.exr", flat(0.5, 0, 0), channels=("Y", "RY", "BY"))
    with pytest.raises(MediaError, match="luminance and chroma"):
        read_still(tmp_path / "c.exr")
    content = bytearray((tmp_path / "c.exr").read_bytes())
    for name in (b"RY\0", b"BY\0"):  # at half the resolution, as they are written
        struct.pack_into("<II", content, content.index(name) + 11, 2, 2)
    (tmp_path / "c.exr").write_bytes(content)
    with pytest.raises(MediaError, match="luminance and chroma"):
        read_still(tmp_path / "c.exr")


def test_deep_exr_is_refused(tmp_path):
    spec = oiio.ImageSpec(4, 4, 3, "half")
    spec.deep = True
    data = oiio.DeepData()
    data.init(spec)
    out = oiio.ImageOutput.create(str(tmp_path / "a.exr"))
    assert out.open(str(tmp_path / "a.exr"), spec), out.geterror()
    out.write_deep_image(data)
    out.close()
    with pytest.raises(MediaError, match="deep EXR cannot be read; flatten it"):
        read_still_header(tmp_path / "a.exr")


@pytest.mark.parametrize("tile", [0, 16])
def test_a_data_window_is_laid_into_the_display_window(tmp_path, tile):
    pixels = flat(0.5, 0.5, 0.5, height=20, width=30)
    spec = spec_of(pixels, "half")
    spec.x, spec.y, spec.full_x, spec.full_y, spec.full_width, spec.full_height = 12, 7, 2, 2, 50, 40
    spec.tile_width = spec.tile_height = tile
    write(tmp_path / "a.exr", (pixels, spec))
    still = read_still(tmp_path / "a.exr")
    assert (still.header.height, still.header.width) == (40, 50)
    assert still.header.notes[-1] == "data window 30x20 at +10+5 laid into the display window"
    expected = np.zeros((40, 50), np.uint8)
    expected[5:25, 10:40] = srgb_level(0.5)
    assert (still.rgb == expected[..., None]).all()


def test_overscan_is_cut_off(tmp_path):
    ramp = np.arange(60 * 40, dtype=np.float32).reshape(40, 60, 1).repeat(3, 2) / 2400
    spec = spec_of(ramp, "float")
    spec.x, spec.y, spec.full_width, spec.full_height = -10, -5, 40, 30
    write(tmp_path / "a.exr", (ramp, spec))
    write_one(tmp_path / "inside.exr", ramp[5:35, 10:50], "float")
    assert (read_still(tmp_path / "a.exr").rgb == read_still(tmp_path / "inside.exr").rgb).all()
    spec.x = 100  # beside the display window altogether
    write(tmp_path / "a.exr", (ramp, spec))
    assert read_still(tmp_path / "a.exr").rgb.shape == (30, 40, 3)
    assert not read_still(tmp_path / "a.exr").rgb.any()


def test_numbers_that_are_none_are_cleaned_and_counted(tmp_path):
    pixels = flat(0.5, 0.5, 0.5)
    pixels[0, 0, 0], pixels[1, 1], pixels[2, 2, 2], pixels[3, 3, 1] = np.nan, np.inf, -np.inf, 1e38
    write_one(tmp_path / "a.exr", pixels, "float")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        still = read_still(tmp_path / "a.exr")
    half = srgb_level(0.5)
    assert still.num_cleaned == 4
    assert still.rgb[0, 0].tolist() == [0, half, half]
    assert still.rgb[1, 1].tolist() == [255, 255, 255]
    assert still.rgb[2, 2].tolist() == [half, half, 0]
    assert still.rgb[3, 3].tolist() == [half, 255, half]
    assert still.rgb[5, 5].tolist() == [half, half, half]
    write_one(tmp_path / "clean.exr", flat(65000.0, -3.0, 0.0), "float")
    assert read_still(tmp_path / "clean.exr").num_cleaned == 0


def test_exr_alpha_is_laid_over_the_background_in_light(tmp_path):
    write_one(tmp_path / "a.exr", flat(0.25, 0.0, 0.0, 0.5), channels=("R", "G", "B", "A"))
    assert read_still_header(tmp_path / "a.exr").has_alpha
    assert read_still(tmp_path / "a.exr").rgb[0, 0].tolist() == [srgb_level(0.25), 0, 0]
    white = read_still(tmp_path / "a.exr", ReadAs(background=(255, 255, 255))).rgb[0, 0].tolist()
    assert white == [srgb_level(0.75), srgb_level(0.5), srgb_level(0.5)]


def test_outside_the_data_window_the_background_shines_through(tmp_path):
    pixels = flat(0.5, 0.5, 0.5, 1.0)
    spec = spec_of(pixels, "half", ("R", "G", "B", "A"))
    spec.x, spec.full_width = 4, 16
    write(tmp_path / "a.exr", (pixels, spec))
    row = read_still(tmp_path / "a.exr", ReadAs(background=(10, 200, 30))).rgb[0]
    assert (row[0].tolist(), row[4].tolist()) == ([10, 200, 30], [srgb_level(0.5)] * 3)


def test_what_exr_says_of_its_colours_is_said_again(tmp_path):
    p3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
    ap1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
    own = (0.7, 0.3, 0.2, 0.7, 0.15, 0.05, 0.3127, 0.3290)
    expected = {
        "linear by its chromaticities (P3-D65)": {"chromaticities": p3},
        "linear by its chromaticities (ACEScg)": {"chromaticities": ap1},
        "linear by its chromaticities (their own)": {"chromaticities": own},
        "ACES2065-1 (stated by the header)": {"acesImageContainerFlxg": 1},  # OpenImageIO does not write the real one
        "linear Rec.709": {},
    }
    for words, attributes in expected.items():
        write_one(tmp_path / "a.exr", flat(0.5, 0.5, 0.5), **attributes)
        content = (tmp_path / "a.exr").read_bytes()
        (tmp_path / "a.exr").write_bytes(content.replace(b"ContainerFlxg", b"ContainerFlag"))
        header = read_still_header(tmp_path / "a.exr")
        assert header.color_space == words
        assert ("colours are not stated, read as linear Rec.709" in header.notes) == (not attributes)
    assert read_still_header(tmp_path / "a.exr", ReadAs(color_space="ACEScg")).color_space == "ACEScg (stated)"
    with pytest.raises(ConfigError, match='did you mean "ACEScg"'):
        read_still(tmp_path / "a.exr", ReadAs(color_space="ACESgc"))
    write_one(tmp_path / "a.exr", flat(0.5, 0.5, 0.5), chromaticities=(0.3,) * 8)
    with pytest.raises(MediaError, match=r"a.exr: its chromaticities .* span no colours"):
        read_still_header(tmp_path / "a.exr")


def test_pixel_aspect_is_exact_where_it_is_a_simple_fraction(tmp_path):
    for aspect, exact in [(2.0, 2), (12 / 11, Fraction(12, 11)), (1.0, 1)]:
        write_one(tmp_path / "a.exr", flat(0.5, 0.5, 0.5), PixelAspectRatio=aspect)
        assert read_still_header(tmp_path / "a.exr").pixel_aspect == exact
    write_one(tmp_path / "a.dpx", flat(0.5, 0.5, 0.5), "uint16", PixelAspectRatio=2.0)
    assert read_still_header(tmp_path / "a.dpx").pixel_aspect == 2
    write_one(tmp_path / "a.dpx", flat(0.5, 0.5, 0.5), "uint16", Orientation=6)
    with pytest.raises(MediaError, match="columns and not rows"):
        read_still_header(tmp_path / "a.dpx")
    write_one(tmp_path / "a.tif", flat(0.5, 0.5, 0.5), "uint8", PixelAspectRatio=2.0, Orientation=6)
    header = read_still_header(tmp_path / "a.tif")
    assert (header.height, header.width, header.pixel_aspect) == (12, 8, Fraction(1, 2))


# DPX and Cineon


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("packing", ["Packed", "Filled, method A", "Filled, method B"])
def test_dpx_of_every_depth_is_rounded_and_not_cut(tmp_path, bits, packing):
    ramp = np.linspace(0, 1, 2**bits if bits < 12 else 4096, dtype=np.float64)[None, :, None].repeat(3, 2)
    write_one(
        tmp_path / "a.dpx", ramp, "uint8" if bits == 8 else "uint16", oiio__BitsPerSample=bits, dpx__Packing=packing
    )
    still = read_still(tmp_path / "a.dpx")
    assert still.header.bit_depth == bits
    error = still.rgb[0, :, 1] - ramp[0, :, 1] * 255
    assert np.abs(error).max() < 0.52
    assert abs(error.mean()) < 0.02


def test_a_dpx_that_ffmpeg_calls_linear_is_not(tmp_path):
    write_one(tmp_path / "a.dpx", flat(0.5, 0.5, 0.5), "uint16", dpx__Transfer="Linear")
    assert (read_still(tmp_path / "a.dpx").rgb == srgb_level(0.5)).all()
    write_one(tmp_path / "a.dpx", flat(0.5, 0.5, 0.5), "uint16", dpx__Transfer="Linear", Software="Lavc58.134.100")
    assert (read_still(tmp_path / "a.dpx").rgb == 128).all()
    assert "FFmpeg" in read_still_header(tmp_path / "a.dpx").notes[0]


def test_a_cineon_file_is_film(tmp_path):
    """Written by hand after Kodak's "Cineon Image File Format Draft", 1995: three 10-bit codes in 32 bits."""
    height, width, codes = 4, 6, (95, 445, 685)
    header = bytearray(2048)
    struct.pack_into(">6I", header, 0, 0x802A5FD7, 2048, 1024, 1024, 0, 2048 + 4 * height * width)
    header[24:28] = b"V4.5"
    header[192:194] = bytes([0, 3])
    for channel in range(3):
        struct.pack_into(">BBBxII4f", header, 196 + 28 * channel, 0, channel + 1, 10, width, height, 0, 0, 1023, 2.046)
    header[680:682] = bytes([0, 5])
    pixel = struct.pack(">I", codes[0] << 22 | codes[1] << 12 | codes[2] << 2)
    (tmp_path / "a.cin").write_bytes(bytes(header) + pixel * height * width)
    still = read_still(tmp_path / "a.cin")
    black = 10 ** (-590 / 300)
    middle = srgb_level((10 ** (-240 / 300) - black) / (1 - black))
    assert (still.header.format, still.header.color_space) == ("cin", "Cineon log (the file's format)")
    assert still.rgb[1, 1].tolist() == [0, middle, 255]


# TIFF, PNG, JPEG, TGA, BMP


def test_alpha_is_mixed_once_whether_colours_are_multiplied_with_it_or_not(tmp_path):
    background = (10, 20, 250)
    expected = [
        round(level * 51 / 255 + below * 204 / 255) for level, below in zip((200, 100, 50), background, strict=True)
    ]
    for name in ("a.png", "a.tif", "a.tga", "a.bmp"):
        Image.new("RGBA", (8, 8), (200, 100, 50, 51)).save(tmp_path / name)
        found = read_still(tmp_path / name, ReadAs(background=background))
        assert found.header.has_alpha
        assert found.rgb[0, 0].tolist() == expected
    multiplied = flat(200 / 255 / 5, 100 / 255 / 5, 50 / 255 / 5, 1 / 5)
    write_one(tmp_path / "b.tif", multiplied, "uint16", ("R", "G", "B", "A"))
    assert read_still(tmp_path / "b.tif", ReadAs(background=background)).rgb[0, 0].tolist() == expected
    Image.new("LA", (8, 8), (200, 51)).save(tmp_path / "la.png")
    assert read_still(tmp_path / "la.png").rgb[0, 0].tolist() == [40, 40, 40]


def test_a_fourth_byte_that_is_nowhere_set_is_no_alpha(tmp_path):
    for name in ("a.tga", "a.bmp"):
        Image.new("RGBA", (8, 8), (200, 100, 50, 0)).save(tmp_path / name)
        assert read_still(tmp_path / name).rgb[0, 0].tolist() == [200, 100, 50]


def test_sixteen_bits_are_rounded(tmp_path):
    levels = np.arange(0, 65536, 37, dtype=np.uint16)[None]
    Image.fromarray(levels).save(tmp_path / "a.tif")
    Image.fromarray(levels).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        assert (read_still(tmp_path / name).rgb[..., 0] == np.rint(levels / 257)).all()
        assert read_still_header(tmp_path / name).bit_depth == 16


def test_grey_palette_one_bit_and_cmyk_become_rgb(tmp_path):
    Image.new("L", (9, 8), 77).save(tmp_path / "grey.jpg")
    assert (read_still(tmp_path / "grey.jpg").rgb == 77).all()
    for name in ("one.png", "one.tif", "one.bmp"):
        Image.new("1", (9, 8), 1).save(tmp_path / name)
        assert (read_still(tmp_path / name).rgb == 255).all()
    for name in ("palette.png", "palette.tif", "palette.tga", "palette.bmp"):
        Image.new("RGB", (8, 8), (10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / name)
        assert np.abs(read_still(tmp_path / name).rgb.astype(int) - (10, 200, 30)).max() <= 1
    for name in ("cmyk.jpg", "cmyk.tif"):
        Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / name)
        assert np.abs(read_still(tmp_path / name).rgb.astype(int) - (255, 0, 0)).max() <= 2
    Image.new("LAB", (8, 8)).save(tmp_path / "lab.tif")
    with pytest.raises(MediaError, match="CIELAB"):
        read_still(tmp_path / "lab.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(tmp_path, orientation):
    # EXIF 2.3, tag 274: where row 0 and column 0 of the stored picture are shown.
    sides = ["", "top left", "top right", "bottom right", "bottom left", "left top", "right top", "right bottom"]
    sides.append("left bottom")
    row_side, column_side = sides[orientation].split()
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:4, :, 0] = 255  # row 0 is red, column 0 is green
    stored[:, :4, 1] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    Image.fromarray(stored).save(tmp_path / "a.tif", exif=exif)
    for name in ("a.jpg", "a.tif"):
        still = read_still(tmp_path / name)
        assert still.rgb.shape[:2] == ((32, 16) if orientation >= 5 else (16, 32))
        assert (still.header.height, still.header.width) == still.rgb.shape[:2]
        middle = np.array(still.rgb.shape[:2]) // 2
        places = {"top": (1, middle[1]), "bottom": (-2, middle[1]), "left": (middle[0], 1), "right": (middle[0], -2)}
        assert still.rgb[places[row_side]][0] > 200
        assert still.rgb[places[column_side]][1] > 200


def test_an_icc_profile_is_applied_and_srgb_is_left_alone(tmp_path):
    plain = Image.new("RGB", (8, 8), (180, 90, 40))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain.save(tmp_path / "srgb.png", icc_profile=srgb)
    assert read_still(tmp_path / "srgb.png").rgb[0, 0].tolist() == [180, 90, 40]
    # The same profile under another name with red and green swapped.
    swapped = swap_primaries(srgb)
    for name in ("a.png", "a.jpg", "a.tif"):
        plain.save(tmp_path / name, icc_profile=swapped)
        still = read_still(tmp_path / name)
        assert np.abs(still.rgb[0, 0].astype(int) - (90, 180, 40)).max() <= 3
        assert "ICC profile" in still.header.color_space
    plain.save(tmp_path / "b.png", icc_profile=swapped[:200] + bytes(len(swapped) - 200))
    still = read_still(tmp_path / "b.png")
    assert still.rgb[0, 0].tolist() == [180, 90, 40]


def swap_primaries(profile):
    """Exchange the tags rXYZ and gXYZ (ICC.1, 7.3) and change the description."""
    swapped = profile.replace(b"rXYZ", b"____", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"____", b"gXYZ", 1)
    return swapped.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be")).replace(b"sRGB", b"test")


def test_a_png_of_gamma_one_is_linear_and_other_claims_are_noted(tmp_path):
    for gamma, level in [(100000, srgb_level(128 / 255)), (45455, 128), (55555, 128)]:
        chunks = PngInfo()
        chunks.add(b"gAMA", struct.pack(">I", gamma))
        Image.new("RGB", (4, 4), (128, 128, 128)).save(tmp_path / "a.png", pnginfo=chunks)
        assert (read_still(tmp_path / "a.png").rgb == level).all()
        assert bool(read_still_header(tmp_path / "a.png").notes) == (gamma == 55555)


def test_pages_after_the_first_are_noted(tmp_path):
    first, second = flat(0.2, 0.2, 0.2), flat(0.8, 0.8, 0.8)
    write(tmp_path / "a.tif", (first, spec_of(first, "uint8")), (second, spec_of(second, "uint8")))
    still = read_still(tmp_path / "a.tif", ReadAs(layer="beauty"))
    assert (still.rgb == 51).all()
    assert still.header.notes == ("2 pages, of which the first is read",)


def test_a_digest_tells_pictures_apart(tmp_path):
    for name, level in [("a.png", 7), ("b.png", 7), ("c.png", 8)]:
        Image.new("RGB", (8, 8), (level, 0, 0)).save(tmp_path / name)
    first, same, other = (read_still(tmp_path / name).digest for name in ("a.png", "b.png", "c.png"))
    assert first == same
    assert first != other


def test_random_damage_is_an_error_in_words_or_a_picture(tmp_path):
    generator = np.random.default_rng(0)
    for name, form in FORMS.items():
        write_one(tmp_path / name, NOISE[:16, :16], form)
        whole = (tmp_path / name).read_bytes()
        for _ in range(25):
            damaged = bytearray(whole)
            for position in generator.integers(0, min(len(whole), 2048), 4):
                damaged[position] = generator.integers(0, 256)
            (tmp_path / name).write_bytes(damaged)
            with contextlib.suppress(MediaError):  # and no other error
                still = read_still(tmp_path / name)
                assert still.rgb.shape == (still.header.height, still.header.width, 3)
