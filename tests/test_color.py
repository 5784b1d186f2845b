"""Colours come back as their definitions say, whichever way they were stored.

The chart has the 24 patches of a ColorChecker and a grey ramp of 17 steps. Every route encodes it by the published
equations, written out here once more in plain numpy, and must give it back within a colour difference of 1.
"""

from fractions import Fraction

import av
import numpy as np
import OpenImageIO as oiio
import PyOpenColorIO as ocio
import pytest
from PIL import Image

from vidgan.errors import ConfigError, MediaError
from vidgan.media.color import RgbDecoder
from vidgan.media.color_space import CineonLog, display_referred
from vidgan.media.movie_writer import write_movie
from vidgan.media.movies import read_movie
from vidgan.media.primaries import REC_709, SceneLinear, matrix_to_rec_709
from vidgan.media.read_as import ReadAs
from vidgan.media.stills import read_still

# sRGB of the 24 patches (X-Rite's published values) and a ramp.
CHECKER = """
115,82,68 194,150,130 98,122,157 87,108,67 133,128,177 103,189,170 214,126,44 80,91,166 193,90,99 94,60,108
157,188,64 224,163,46 56,61,150 70,148,73 175,54,60 231,199,31 187,86,149 8,133,161
243,243,242 200,200,200 160,160,160 122,122,121 85,85,85 52,52,52
"""
PATCHES = [tuple(map(int, patch.split(","))) for patch in CHECKER.split()]
PATCHES += [(level, level, level) for level in (*range(0, 256, 16), 255)]
CHART = np.array([*PATCHES, (0, 0, 0)], np.uint8).reshape(6, 7, 3)
D65 = (0.3127, 0.3290)

# Published matrices from linear Rec.709: ITU-R BT.2087 (Rec.2020), ACES (AP1, with Bradford), and to XYZ (sRGB).
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_AP1 = np.array([[0.613097, 0.339523, 0.047379], [0.070194, 0.916354, 0.013452], [0.020616, 0.109570, 0.869815]])
TO_XYZ = np.array([[0.412391, 0.357584, 0.180481], [0.212639, 0.715169, 0.072192], [0.019331, 0.119195, 0.950532]])


def light(srgb):
    """IEC 61966-2-1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb(linear):
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def cineon_code(linear):
    """Kodak 1995: black 95, white 685, 0.002 density a code, gamma 0.6; 0..1 for 0..1023."""
    black = 10 ** ((95 - 685) * 0.002 / 0.6)
    return (685 + 300 * np.log10(linear * (1 - black) + black)) / 1023


def lab(levels):
    """CIE 1976 L*a*b* under D65 of 8-bit sRGB."""
    xyz = light(np.asarray(levels, np.float64) / 255) @ TO_XYZ.T / TO_XYZ.sum(1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def delta_e(first, second):
    """CIEDE2000. Sharma, Wu, Dalal 2005, "The CIEDE2000 color-difference formula", eqs. 2 to 22."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(lab(first), -1, 0), np.moveaxis(lab(second), -1, 0)
    mean_c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, stretch * a1)) % 360, np.degrees(np.arctan2(b2, stretch * a2)) % 360
    dh = (h2 - h1 + 180) % 360 - 180
    dh = np.where(c1 * c2 == 0, 0, dh)
    mean_h = np.where(c1 * c2 == 0, h1 + h2, (h1 + dh / 2) % 360)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    hue = [(-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63)]
    t = 1 + sum(weight * np.cos(np.radians(times * mean_h + shift)) for weight, times, shift in hue)
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    turn = (
        -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2))))
    )
    terms = (l2 - l1) / s_l, (c2 - c1) / s_c, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh) / 2) / s_h
    return np.sqrt(np.maximum(terms[0] ** 2 + terms[1] ** 2 + terms[2] ** 2 + turn * terms[1] * terms[2], 0))


def flat(values, patch_height=16, patch_width=16):
    """[6, 7, 3] -> a picture in which each is a patch."""
    return np.ascontiguousarray(values.repeat(patch_height, 0).repeat(patch_width, 1))


def patches(picture):
    """The middles of the patches."""
    height, width = picture.shape[0] // 6, picture.shape[1] // 7
    return picture[height // 2 :: height, width // 2 :: width]


def assert_chart(picture, expected=CHART, at_most=1.0):
    difference = delta_e(patches(picture), expected)
    assert difference.max() < at_most, difference.round(2)


def test_the_colour_difference_is_that_of_its_authors():
    # Two grey levels of L* 50 and 51: 1 / S_L; and a pair that only its hue term tells apart.
    assert delta_e(np.array([119, 119, 119]), np.array([119, 119, 119])) == 0
    assert 0.3 < delta_e(np.array([119, 119, 119]), np.array([120, 120, 120])) < 0.45
    assert 50 < delta_e(np.array([255, 0, 0]), np.array([0, 255, 0])) < 90


# Movies

WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
UNSPECIFIED = 2


def yuv(rgb, matrix, bits, *, full=False):
    """[..., 3] 0..1 -> whole numbers of ITU-R BT.709, 601 and 2020: 219 and 224 steps, or all of them."""
    kr, kb = WEIGHTS[matrix]
    y = rgb @ np.array([kr, 1 - kr - kb, kb])
    cb, cr = (rgb[..., 2] - y) / (2 - 2 * kb), (rgb[..., 0] - y) / (2 - 2 * kr)
    step, top = 2 ** (bits - 8), 2**bits - 1
    if full:
        levels = np.stack([top * y, top * cb + 128 * step, top * cr + 128 * step], -1)
    else:
        levels = np.stack([219 * y + 16, 224 * cb + 128, 224 * cr + 128], -1) * step
    return np.rint(levels).clip(0, top).astype(int)


def rgb_of_yuv(levels, matrix, bits):
    """The definition backwards, from limited range."""
    kr, kb = WEIGHTS[matrix]
    step = 2 ** (bits - 8)
    y, cb, cr = (
        (levels[..., 0] / step - 16) / 219,
        (levels[..., 1] / step - 128) / 224,
        (levels[..., 2] / step - 128) / 224,
    )
    red, blue = y + cr * (2 - 2 * kr), y + cb * (2 - 2 * kb)
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue], -1).clip(0, 1)


def frame_of(planes, form):
    """Whole numbers [H, W] a plane; chroma planes are thinned as the format wants."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, form)
    wide = max(component.bits for component in frame.format.components) > 8
    for plane, values in zip(frame.planes, planes, strict=True):
        thinned = values[:: height // plane.height, :: width // plane.width]
        padded = np.zeros((plane.height, plane.line_size // (2 if wide else 1)), np.uint16 if wide else np.uint8)
        padded[:, : thinned.shape[1]] = thinned
        plane.update(padded.tobytes())
    return frame


def write_tagged(path, codec, form, planes, *, matrix=UNSPECIFIED, primaries=2, transfer=2, full=None, **options):
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=24, options=options)
        stream.pix_fmt, stream.height, stream.width = form, *planes[0].shape
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, transfer
        if full is not None:
            context.color_range = 2 if full else 1
        frame = frame_of(planes, form)
        frame.colorspace, frame.color_primaries, frame.color_trc = matrix, primaries, transfer
        if full is not None:
            frame.color_range = 2 if full else 1
        frame.pts = 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def planes_of(values, **patch):
    picture = flat(values, **patch)
    return [picture[..., plane] for plane in range(3)]


def first_frame(path, read_as=None):
    return next(read_movie(path, read_as=read_as or ReadAs())).rgb()


@pytest.mark.parametrize(
    ("name", "codec", "form", "bits", "matrix", "tags", "patch", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", 8, 1, {"matrix": 1, "primaries": 1, "transfer": 1, "full": False}, {}, "crf"),
        ("full.mp4", "libx264", "yuv420p", 8, 1, {"matrix": 1, "primaries": 1, "transfer": 1, "full": True}, {}, "crf"),
        ("sd.mp4", "libx264", "yuv420p", 8, 6, {"matrix": 6, "full": False}, {}, "crf"),
        ("untagged_sd.mp4", "libx264", "yuv420p", 8, 6, {}, {}, "crf"),
        ("untagged_hd.mp4", "libx264", "yuv420p", 8, 1, {}, {"patch_height": 120}, "crf"),
        ("high10.mkv", "libx264", "yuv420p10le", 10, 1, {"matrix": 1, "full": False}, {}, "crf"),
        ("prores.mov", "prores_ks", "yuv422p10le", 10, 1, {"matrix": 1, "primaries": 1, "transfer": 1}, {}, None),
        ("full10.mkv", "ffv1", "yuv444p10le", 10, 1, {"matrix": 1, "full": True}, {}, None),
    ],
)
def test_a_movie_gives_the_chart_back(tmp_path, name, codec, form, bits, matrix, tags, patch, options):
    levels = yuv(CHART / 255, matrix, bits, full=tags.get("full") or False)
    encoder = {"crf": {"crf": "1"}, None: {}}[options]
    write_tagged(tmp_path / name, codec, form, planes_of(levels, **patch), **tags, **encoder)
    assert_chart(first_frame(tmp_path / name))


def test_our_own_mp4_gives_the_chart_back(tmp_path):
    write_movie(tmp_path / "a.mp4", [flat(CHART)] * 2, rate=Fraction(24), crf=1)
    assert_chart(first_frame(tmp_path / "a.mp4"))


# ITU-T H.273: number of the tag, chromaticities.
WIDE = {
    "Rec.2020": (9, (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65)),
    "P3": (12, (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65)),
    "SMPTE C": (6, (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65)),
    "EBU": (5, (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *D65)),
}


def to_xyz(chromaticities):
    """SMPTE RP 177, with the XYZ of white: columns are the primaries, scaled so that they sum to white."""
    xy = np.array(chromaticities).reshape(4, 2)
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(1)) / xy[:, 1]])
    return xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])


@pytest.mark.parametrize("name", WIDE)
def test_other_primaries_are_brought_to_rec_709_and_greys_stay(tmp_path, name):
    tag, chromaticities = WIDE[name]
    to_wide = np.linalg.inv(to_xyz(chromaticities)) @ TO_XYZ
    encoded = ((CHART / 255) ** 2.4 @ to_wide.T).clip(0, 1) ** (1 / 2.4)
    matrix = 9 if name == "Rec.2020" else 1
    planes = planes_of(yuv(encoded, matrix, 10))
    write_tagged(
        tmp_path / "a.mkv", "ffv1", "yuv420p10le", planes, matrix=matrix, primaries=tag, transfer=1, full=False
    )
    picture = first_frame(tmp_path / "a.mkv")
    inside = (CHART / 255) ** 2.4 @ to_wide.T
    seen = (inside > -0.001).all(-1)  # one patch lies outside the small gamuts
    assert seen.sum() >= 40
    assert (delta_e(patches(picture), CHART)[seen] < 1).all()
    grey = np.ptp(CHART, axis=-1) == 0
    assert np.abs(patches(picture)[grey].astype(int) - CHART[grey]).max() <= 1


def test_rec_2020_agrees_with_the_published_matrix():
    _, chromaticities = WIDE["Rec.2020"]
    assert np.abs(np.linalg.inv(matrix_to_rec_709(SceneLinear(chromaticities))) - TO_2020).max() < 1e-3
    ap1 = SceneLinear((0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767))
    assert np.abs(np.linalg.inv(matrix_to_rec_709(ap1)) - TO_AP1).max() < 1e-4
    with pytest.raises(ConfigError, match="span no colours"):
        matrix_to_rec_709(SceneLinear((0.3, 0.3, 0.3, 0.3, 0.3, 0.3, *D65)))


@pytest.mark.parametrize(
    ("transfer", "encode"),
    [
        (4, lambda linear: linear ** (1 / 2.2)),
        (5, lambda linear: linear ** (1 / 2.8)),
        (8, lambda linear: linear),
        (9, lambda linear: np.where(linear < 0.01, 0, 1 + np.log10(np.maximum(linear, 0.01)) / 2)),
        (17, lambda linear: (48 * linear / 52.37) ** (1 / 2.6)),
    ],
)
def test_other_transfers_are_undone_and_the_picture_encoded_as_srgb(tmp_path, transfer, encode):
    linear = light(CHART / 255)
    planes = planes_of(yuv(encode(linear), 1, 12))
    write_tagged(
        tmp_path / "a.mkv", "ffv1", "yuv444p12le", planes, matrix=1, primaries=1, transfer=transfer, full=False
    )
    expected = np.rint(255 * srgb(np.maximum(linear, 0.01) if transfer == 9 else linear))
    assert_chart(first_frame(tmp_path / "a.mkv"), expected, at_most=1.5 if transfer == 8 else 1.0)


def exact_hdr(code_values, display):
    """The reference: ACES 2.0 for 1000 nits undone and that for SDR applied, without a table between."""
    config = ocio.Config.CreateFromBuiltinConfig("studio-config-v4.0.0_aces-v2.0_ocio-v2.5")
    group = ocio.GroupTransform()
    if display != "Rec.2100-PQ - Display":
        group.appendTransform(ocio.ColorSpaceTransform(src=display, dst="Rec.2100-PQ - Display"))
    undone = ocio.DisplayViewTransform(
        src="ACES2065-1", display="Rec.2100-PQ - Display", view="ACES 2.0 - HDR 1000 nits (Rec.2020)"
    )
    undone.setDirection(ocio.TRANSFORM_DIR_INVERSE)
    group.appendTransform(undone)
    group.appendTransform(
        ocio.DisplayViewTransform(src="ACES2065-1", display="sRGB - Display", view="ACES 2.0 - SDR 100 nits (Rec.709)")
    )
    pixels = np.array(code_values, np.float32)
    config.getProcessor(group).getDefaultCPUProcessor().applyRGB(pixels)
    return pixels.clip(0, 1)


def test_pq_and_hlg_are_what_the_exact_aces_transforms_make_of_them(tmp_path):
    # Both in one test: two tables of one size must not be taken for each other.
    for transfer, display in [(16, "Rec.2100-PQ - Display"), (18, "Rec.2100-HLG - Display")]:
        levels = yuv(CHART / 255 * (0.7 if transfer == 16 else 0.95), 9, 10)
        path = tmp_path / f"{transfer}.mkv"
        write_tagged(
            path, "ffv1", "yuv420p10le", planes_of(levels), matrix=9, primaries=9, transfer=transfer, full=False
        )
        expected = exact_hdr(rgb_of_yuv(levels, 9, 10), display) * 255
        assert_chart(first_frame(path), expected)
        assert not np.allclose(expected, CHART, atol=20)


def test_the_table_for_high_dynamic_range_is_close_to_the_exact_transform_everywhere():
    for transfer, display in [(16, "Rec.2100-PQ - Display"), (18, "Rec.2100-HLG - Display")]:
        pixels = np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le")
        frame.color_primaries, frame.color_trc = 9, transfer
        difference = delta_e(RgbDecoder().rgb(frame), exact_hdr(pixels / 65535, display) * 255)
        assert (difference < 1).mean() > 0.97
        assert difference.max() < 8


FORMS = [
    *("rgb24", "bgra", "rgba", "gbrp", "gbrap", "gbrp10le", "gbrap10le", "gbrap12le", "rgb48le", "rgba64le"),
    *("yuv444p", "yuv420p10le", "yuv444p12le", "yuva444p10le", "yuva444p12le", "yuva444p16le", "yuva420p", "nv12"),
    *("p010le", "gray", "gray10le", "ya8", "ya16le"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("full", [False, True])
def test_black_and_white_stay_so_in_16_bits_in_every_pixel_format(form, full):
    """A stated colour space, sRGB itself, sends the picture through 16 bits and must not change it."""
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(16, 0).repeat(3, 2)
    limited = not full and ("yuv" in form or form in ("nv12", "p010le"))
    deep_rgb = "16" in form or "48" in form or "64" in form or form.startswith(("gbrp1", "gbrap1"))
    source, stored = ("rgb48le", ramp.astype(np.uint16) * 257) if deep_rgb and "y" not in form else ("rgb24", ramp)
    frame = av.VideoFrame.from_ndarray(stored, format=source).reformat(
        format=form, dst_colorspace=1, dst_color_range=1 if limited else 2
    )
    plain, stated = RgbDecoder().rgb(frame), RgbDecoder(ReadAs(color_space="sRGB - Display")).rgb(frame)
    assert np.abs(plain.astype(int) - stated).max() <= 1
    assert (stated[8, -1] == plain[8, -1]).all()
    assert plain[8, -1].min() >= 253


def test_grey_that_says_it_is_limited_is_stretched():
    frame = frame_of([np.full((16, 16), 16 + 219 // 3)], "gray")
    assert RgbDecoder().rgb(frame)[0, 0].tolist() == [89, 89, 89]
    frame.color_range = 1
    assert RgbDecoder().rgb(frame)[0, 0].tolist() == [85, 85, 85]


@pytest.mark.parametrize("form", ["rgba", "bgra", "gbrap", "gbrap12le", "yuva444p10le", "yuva444p12le", "yuva420p"])
def test_transparent_movies_are_laid_over_the_background(form):
    """Straight alpha, mixed in display-referred values: (200, 100, 50) at 60 % over (10, 20, 250)."""
    color, alpha, background = np.array([200, 100, 50]), 0.6, np.array([10, 20, 250])
    bits = max(component.bits for component in av.VideoFormat(form).components)
    if form.startswith("yuva"):
        y, cb, cr = yuv(color / 255, 1, bits)
        planes = [np.full((16, 16), level) for level in (y, cb, cr, round(alpha * (2**bits - 1)))]
        frame = frame_of(planes, form)
        frame.colorspace, frame.color_range = 1, 1
    elif form.startswith("gbrap"):
        top = 2**bits - 1
        red, green, blue = (round(level / 255 * top) for level in color)
        frame = frame_of([np.full((16, 16), level) for level in (green, blue, red, round(alpha * top))], form)
    else:
        pixel = [*color, round(alpha * 255)] if form == "rgba" else [*color[::-1], round(alpha * 255)]
        frame = av.VideoFrame.from_ndarray(np.full((16, 16, 4), pixel, np.uint8), format=form)
    expected = np.rint(color * alpha + background * (1 - alpha))
    found = RgbDecoder(ReadAs(background=tuple(background.tolist()))).rgb(frame)[8, 8]
    assert np.abs(found - expected).max() <= 1
    assert np.abs(RgbDecoder().rgb(frame)[8, 8] - np.rint(color * alpha)).max() <= 1


def test_what_is_mixed_is_rounded_and_not_cut():
    pixels = np.zeros((16, 255, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = 200, np.arange(255)
    mixed = RgbDecoder().rgb(av.VideoFrame.from_ndarray(pixels, format="rgba"))
    assert abs((mixed[0, :, 0] - 200 * np.arange(255) / 255).mean()) < 0.1


def test_an_opaque_movie_with_alpha_is_read_as_one_without():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    found = RgbDecoder(ReadAs(background=(9, 9, 9))).rgb(av.VideoFrame.from_ndarray(pixels, format="rgba"))
    assert (found == pixels[..., :3]).all()


def test_palettes_are_read_with_their_alpha():
    palette = np.zeros((256, 4), np.uint8)
    palette[:3] = (255, 200, 100, 50), (255, 10, 20, 30), (0, 1, 2, 3)  # alpha, red, green, blue
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16) % 3
    frame = av.VideoFrame.from_ndarray((indices, palette), format="pal8")
    found = RgbDecoder(ReadAs(background=(7, 8, 9))).rgb(frame)
    assert found[0, :3].tolist() == [[200, 100, 50], [10, 20, 30], [7, 8, 9]]


def test_digital_cinema_xyz_gives_the_chart_back():
    """SMPTE 428-1: X'Y'Z' = (XYZ * 48 / 52.37) ** (1 / 2.6), 12 bits, here at the top of 16."""
    codes = (LINEAR @ TO_XYZ.T * 48 / 52.37) ** (1 / 2.6)
    frame = av.VideoFrame(7 * 16, 6 * 16, "xyz12le")
    rows = np.rint(flat(codes) * 4095).astype(np.uint16).reshape(96, -1) << 4
    padded = np.zeros((96, frame.planes[0].line_size // 2), np.uint16)
    padded[:, : rows.shape[1]] = rows
    frame.planes[0].update(padded.tobytes())
    assert_chart(RgbDecoder().rgb(frame), at_most=1.5)


def test_raw_camera_pictures_are_refused_where_a_colour_space_is_stated():
    frame = av.VideoFrame(16, 16, "bayer_rggb8")
    assert RgbDecoder().rgb(frame).shape == (16, 16, 3)
    with pytest.raises(MediaError, match="bayer_rggb8 is raw"):
        RgbDecoder(ReadAs(color_space="ACEScg")).rgb(frame)


def test_a_stated_colour_space_takes_the_place_of_the_tags(tmp_path):
    config = ocio.Config.CreateFromBuiltinConfig("studio-config-v4.0.0_aces-v2.0_ocio-v2.5")
    log = np.array(light(CHART / 255), np.float32)
    config.getProcessor("Linear Rec.709 (sRGB)", "ARRI LogC4").getDefaultCPUProcessor().applyRGB(log)
    planes = planes_of(yuv(log, 1, 12))
    write_tagged(tmp_path / "a.mkv", "ffv1", "yuv444p12le", planes, matrix=1, primaries=1, transfer=1, full=False)
    assert_chart(first_frame(tmp_path / "a.mkv", ReadAs(color_space="ARRI LogC4")))
    darker = first_frame(tmp_path / "a.mkv", ReadAs(color_space="ARRI LogC4", exposure=-1))
    assert_chart(darker, np.rint(255 * srgb(light(CHART / 255) / 2)))
    with pytest.raises(ConfigError, match='did you mean "ARRI LogC4"'):
        first_frame(tmp_path / "a.mkv", ReadAs(color_space="ARRI LogC44"))


def test_a_pixel_format_that_would_end_the_process_is_refused():
    frame = av.VideoFrame(16, 16, "yaf32le")
    for read in (RgbDecoder().rgb, lambda frame: RgbDecoder().small(frame, 8, 8)):
        with pytest.raises(MediaError, match="yaf32le"):
            read(frame)


# Stills


def write_oiio(path, pixels, form, **attributes):
    """Through OpenImageIO; a name `a__b` stands for the attribute `a:b`."""
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, form)
    for name, value in attributes.items():
        if isinstance(value, tuple):
            spec.attribute(name, oiio.TypeDesc(f"float[{len(value)}]"), value)
        else:
            spec.attribute(name.replace("__", ":"), value)
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec), out.geterror()
    assert out.write_image(np.ascontiguousarray(pixels, np.float32)), out.geterror()
    out.close()


AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
LINEAR = light(CHART / 255)


@pytest.mark.parametrize(
    ("name", "form", "values", "attributes", "read_as"),
    [
        ("8.tif", "uint8", CHART / 255, {}, {}),
        ("16.tif", "uint16", CHART / 255, {}, {}),
        ("float.tif", "float", LINEAR, {}, {}),
        ("16.png", "uint16", CHART / 255, {}, {}),
        ("a.tga", "uint8", CHART / 255, {}, {}),
        ("a.bmp", "uint8", CHART / 255, {}, {}),
        ("linear.exr", "half", LINEAR, {}, {}),
        ("float.exr", "float", LINEAR, {}, {}),
        ("acescg.exr", "half", LINEAR @ TO_AP1.T, {"chromaticities": AP1}, {}),
        ("stated.exr", "half", LINEAR @ TO_AP1.T, {}, {"color_space": "ACEScg"}),
        ("overrides.exr", "half", LINEAR @ TO_AP1.T, {"chromaticities": WIDE["P3"][1]}, {"color_space": "ACEScg"}),
        ("rec2020.exr", "half", LINEAR @ TO_2020.T, {"chromaticities": WIDE["Rec.2020"][1]}, {}),
        ("display.dpx", "uint16", CHART / 255, {"oiio__BitsPerSample": 10, "dpx__Transfer": "ITU-R 709-4"}, {}),
        ("unspecified.dpx", "uint16", CHART / 255, {"oiio__BitsPerSample": 12}, {}),
        ("log.dpx", "uint16", cineon_code(LINEAR), {"oiio__BitsPerSample": 10, "dpx__Transfer": "Logarithmic"}, {}),
        (
            "print.dpx",
            "uint16",
            cineon_code(LINEAR),
            {"oiio__BitsPerSample": 10, "dpx__Transfer": "Printing density"},
            {},
        ),
        ("linear.dpx", "uint16", LINEAR, {"oiio__BitsPerSample": 16, "dpx__Transfer": "Linear"}, {}),
        ("dark.exr", "half", LINEAR / 4, {}, {"exposure": 2.0}),
    ],
)
def test_a_still_gives_the_chart_back(tmp_path, name, form, values, attributes, read_as):
    write_oiio(tmp_path / name, flat(values), form, **attributes)
    assert_chart(read_still(tmp_path / name, ReadAs(**read_as)).rgb)


def test_png_and_jpeg_give_the_chart_back(tmp_path):
    Image.fromarray(flat(CHART)).save(tmp_path / "a.png")
    Image.fromarray(flat(CHART)).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    assert (patches(read_still(tmp_path / "a.png").rgb) == CHART).all()
    assert_chart(read_still(tmp_path / "a.jpg").rgb)


def test_cineon_black_and_white_are_95_and_685():
    codes = np.array([[[95] * 3, [685] * 3, [445] * 3, [1023] * 3]], np.float32) / 1023
    shown = display_referred(codes, CineonLog(), ReadAs())[0, :, 0]
    black = 10 ** (-590 / 300)
    assert np.allclose(shown, [0, 1, srgb(np.array((10 ** (-240 / 300) - black) / (1 - black))), 1], atol=1e-4)


def test_views_and_exposure():
    grey = np.full((1, 1, 3), 0.18, np.float32)
    assert np.allclose(display_referred(grey, REC_709, ReadAs()), srgb(np.array(0.18)), atol=1e-4)
    assert np.allclose(display_referred(grey, REC_709, ReadAs(exposure=1.0)), srgb(np.array(0.36)), atol=1e-4)
    toned = display_referred(grey, REC_709, ReadAs(view="ACES 2.0 - SDR 100 nits (Rec.709)"))
    assert 0.3 < toned[0, 0, 0] < 0.4  # ACES shows mid-grey at 10 nits of 100
    with pytest.raises(ConfigError, match='did you mean "Un-tone-mapped"'):
        display_referred(grey, REC_709, ReadAs(view="untone-mapped"))


def test_a_background_comes_out_as_stated_whatever_view_and_exposure():
    nothing, clear = np.zeros((1, 1, 3), np.float32), np.zeros((1, 1, 1), np.float32)
    for view in (None, "ACES 2.0 - SDR 100 nits (Rec.709)"):
        read_as = ReadAs(background=(200, 100, 50), view=view, exposure=2.0)
        shown = display_referred(nothing, REC_709, read_as, alpha=clear)
        assert np.allclose(shown * 255, (200, 100, 50), atol=0.1)


def test_half_transparent_light_adds_to_what_shines_through():
    light_at_half = np.full((1, 1, 3), 0.25, np.float32)  # multiplied with alpha already
    alpha = np.full((1, 1, 1), 0.5, np.float32)
    shown = display_referred(light_at_half, REC_709, ReadAs(background=(255, 255, 255)), alpha=alpha)
    assert np.allclose(shown, srgb(np.array(0.75)), atol=1e-4)
    straight = display_referred(light_at_half * 2, REC_709, ReadAs(), alpha=alpha, associated=False)
    assert np.allclose(straight, srgb(np.array(0.25)), atol=1e-4)


CONFIG = """ocio_profile_version: 2
roles:
  aces_interchange: aces
  scene_linear: aces
  default: aces
displays:
  Room:
    - !<View> {name: Inverted, colorspace: negative}
    - !<View> {name: Plain, colorspace: aces}
colorspaces:
  - !<ColorSpace> {name: aces, encoding: scene-linear}
  - !<ColorSpace>
    name: negative
    from_scene_reference: !<MatrixTransform>
      matrix: [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1]
      offset: [1, 1, 1, 0]
"""


def test_a_studio_config_brings_its_own_display_view_and_spaces(tmp_path, monkeypatch):
    (tmp_path / "studio.ocio").write_text(CONFIG)
    monkeypatch.setenv("OCIO", str(tmp_path / "studio.ocio"))
    grey = np.full((1, 1, 3), 0.25, np.float32)
    assert np.allclose(display_referred(grey, REC_709, ReadAs()), 0.75, atol=1e-4)
    assert np.allclose(display_referred(grey, "aces", ReadAs(view="Plain")), 0.25, atol=1e-4)
    with pytest.raises(ConfigError, match="known: aces, negative"):
        display_referred(grey, "xyz", ReadAs())
    (tmp_path / "broken.ocio").write_text("no config")
    for name in ("broken.ocio", "missing.ocio"):
        monkeypatch.setenv("OCIO", str(tmp_path / name))
        with pytest.raises(ConfigError, match=rf"\$OCIO .*{name}.*cannot be loaded"):
            display_referred(grey, REC_709, ReadAs())
