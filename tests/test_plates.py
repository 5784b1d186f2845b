"""Plates are changed in their holes alone: everything else comes back as it was, in the depth that it came in."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vidgan.errors import MediaError
from vidgan.media.decoding import decoded, open_movie
from vidgan.media.formats import FORMATS
from vidgan.media.orientation import Orientation
from vidgan.media.planes import planes
from vidgan.media.plate_movies import PlateFrames, read_plate_movie, write_plate_movie
from vidgan.media.plate_stills import Change, read_plate_still, write_plate_still
from vidgan.media.plates import open_plates, plate_format
from vidgan.media.read_as import ReadAs

HEIGHT, WIDTH = 24, 32
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[5:12, 8:20] = True
HALF_GREY = Change(np.full((HEIGHT, WIDTH, 3), 0.5, np.float32), HOLE)


TEN_BITS = {"oiio__BitsPerSample": 10}


def write_raw(path, channels, kinds, values, **attributes):
    """Through OpenImageIO: `values` [H, W, C] in its own type, or float64 for channels of several kinds."""
    header = oiio.ImageSpec(values.shape[1], values.shape[0], len(channels), kinds[0])
    header.channelnames = channels
    if len(set(kinds)) > 1:
        header.channelformats = kinds
    for name, value in attributes.items():
        header.attribute(name.replace("__", ":"), *(value if isinstance(value, tuple) else (value,)))
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), header), out.geterror()
    assert out.write_image(values), out.geterror()
    assert out.close()
    return path


def raw(path):
    """All channels by name, each in its own type, and the header of the first part."""
    file, found, part = oiio.ImageInput.open(str(path)), {}, 0
    first = file.spec()
    while file.seek_subimage(part, 0):
        header = file.spec()
        for number, name in enumerate(header.channelnames):
            found[name] = np.array(file.read_image(part, 0, number, number + 1, header.channelformat(number)))[..., 0]
        part += 1
    return found, first


def random_levels(kind, channels, seed=0):
    draws = np.random.default_rng(seed)
    return draws.integers(0, np.iinfo(kind).max + 1, (HEIGHT, WIDTH, channels), kind)


def make_png8(folder):
    return write_raw(folder / "a.png", ("R", "G", "B", "A"), ("uint8",), random_levels(np.uint8, 4))


def make_png16(folder):
    return write_raw(folder / "a.png", ("R", "G", "B"), ("uint16",), random_levels(np.uint16, 3))


def make_tiff16(folder):
    return write_raw(folder / "a.tif", ("R", "G", "B"), ("uint16",), random_levels(np.uint16, 3), Artist="somebody")


def make_dpx10(folder):
    codes = random_levels(np.uint16, 3) >> 6
    bits = TEN_BITS | {"dpx__Transfer": "Printing density", "dpx__InputDevice": "A001"}
    return write_raw(folder / "a.dpx", ("R", "G", "B"), ("uint16",), codes << 6 | codes >> 4, **bits)


def make_exr_half(folder):
    light = np.random.default_rng(0).normal(0.5, 2, (HEIGHT, WIDTH, 4)).astype(np.float16)
    light[0, 0] = np.nan, np.inf, -np.inf, 65504
    timecode = (oiio.TypeDesc("timecode"), (0x01020304, 7))
    said = {"smpte__TimeCode": timecode, "compression": "piz", "studio": "ours"}
    return write_raw(folder / "a.exr", ("R", "G", "B", "A"), ("half",), light, **said)


def make_exr_layers(folder):
    """Half colours, denormal ones too, float depth and whole numbers of 32 bits, in two parts."""
    draws = np.random.default_rng(0)
    colors = {name: draws.normal(0, 1e-5, (HEIGHT, WIDTH)).astype(np.float16) for name in "RGBA"}
    depth = {"Z": draws.normal(0.5, 1, (HEIGHT, WIDTH)).astype(np.float32)}
    number = {"id": draws.integers(0, 2**32, (HEIGHT, WIDTH)).astype(np.uint32)}
    header = {"compression": OpenEXR.ZIPS_COMPRESSION, "type": OpenEXR.scanlineimage}
    parts = [OpenEXR.Part(dict(header), colors | depth, "beauty"), OpenEXR.Part(dict(header), number, "ids")]
    OpenEXR.File(parts).write(str(folder / "a.exr"))
    return folder / "a.exr"


STILLS = [make_png8, make_png16, make_tiff16, make_dpx10, make_exr_half, make_exr_layers]


@pytest.fixture
def no_denormals():
    """As whoever trains or renders sets it."""
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


def test_ten_bits_are_rounded_to_and_not_cut_off(tmp_path):
    source = write_raw(tmp_path / "a.dpx", ("R", "G", "B"), ("uint16",), random_levels(np.uint16, 3), **TEN_BITS)
    change = Change(np.full((HEIGHT, WIDTH, 3), 0.2, np.float32), HOLE)
    write_plate_still(source, tmp_path / "b.dpx", change, ReadAs())
    assert (raw(tmp_path / "b.dpx")[0]["R"][HOLE] >> 6 == 205).all()  # 0.2 * 1023 = 204.6


def test_a_frame_made_from_anothers_file_does_not_have_its_timecode(tmp_path):
    source = make_exr_half(tmp_path)
    write_plate_still(source, tmp_path / "b.exr", HALF_GREY, ReadAs(), same_frame=False)
    header = raw(tmp_path / "b.exr")[1]
    assert header.getattribute("smpte:TimeCode") is None
    assert header.getattribute("studio") == "ours"


@pytest.mark.usefixtures("no_denormals")
@pytest.mark.parametrize("make", STILLS, ids=lambda make: make.__name__.removeprefix("make_"))
def test_a_still_comes_back_bit_for_bit_outside_of_its_hole_and_its_header_with_it(make, tmp_path):
    source, target = make(tmp_path), tmp_path / f"out{make(tmp_path).suffix}"
    write_plate_still(source, target, HALF_GREY, ReadAs())
    (before, told), (after, tells) = raw(source), raw(target)
    assert list(before) == list(after)
    for name in before:
        where = ~HOLE if name in "RGB" else np.ones_like(HOLE)
        assert before[name].dtype == after[name].dtype
        assert before[name][where].tobytes() == after[name][where].tobytes(), name
    for attribute in told.extra_attribs:
        if attribute.name != "tiff:RowsPerStrip":  # how it is laid out on the disk
            assert str(tells.getattribute(attribute.name)) == str(attribute.value), attribute.name
    made, _ = read_plate_still(target, ReadAs())
    assert np.abs(made[HOLE] - 0.5).max() < 0.0025  # half a level of 8 bits, of log codes a little more


@pytest.mark.parametrize("make", STILLS, ids=lambda make: make.__name__.removeprefix("make_"))
def test_a_change_everywhere_that_changes_nothing_gives_back_every_finite_number(make, tmp_path):
    source = make(tmp_path)
    target = tmp_path / f"out{source.suffix}"
    picture, _ = read_plate_still(source, ReadAs())
    write_plate_still(source, target, Change(picture, None), ReadAs())
    (before, _), (after, _) = raw(source), raw(target)
    for name, values in before.items():
        finite = np.isfinite(values)
        finite[0, 0] = False
        assert (values[finite] == after[name][finite]).all()


def test_light_above_white_stays_where_grain_is_taken_off(tmp_path):
    light = np.full((HEIGHT, WIDTH, 3), 4.0, np.float16)
    light[:12] = 0.25
    source = write_raw(tmp_path / "a.exr", ("R", "G", "B"), ("half",), light)
    picture, _ = read_plate_still(source, ReadAs())
    write_plate_still(source, tmp_path / "b.exr", Change(picture * np.float32(0.9), None), ReadAs())
    after, _ = raw(tmp_path / "b.exr")
    assert after["R"][20, 0] > 3.7
    assert 0.15 < after["R"][0, 0] < 0.25


def test_a_still_without_a_change_is_copied_byte_for_byte(tmp_path):
    source = tmp_path / "a.png"
    Image.fromarray(random_levels(np.uint8, 3)).save(source, compress_level=1)  # not as we would compress it
    write_plate_still(source, tmp_path / "b.png", None, ReadAs())
    assert (tmp_path / "b.png").read_bytes() == source.read_bytes()


def test_a_turned_still_is_changed_where_it_is_shown(tmp_path):
    source = write_raw(tmp_path / "a.tif", ("R", "G", "B"), ("uint16",), random_levels(np.uint16, 3), Orientation=6)
    picture, header = read_plate_still(source, ReadAs())
    assert (header.height, header.width) == (WIDTH, HEIGHT)
    hole = np.zeros((WIDTH, HEIGHT), bool)
    hole[2:6, 10:17] = True
    write_plate_still(source, tmp_path / "b.tif", Change(np.zeros_like(picture), hole), ReadAs())
    after, _ = read_plate_still(tmp_path / "b.tif", ReadAs())
    assert (after[hole] == 0).all()
    assert (after[~hole] == picture[~hole]).all()


@given(st.booleans(), st.booleans(), st.booleans())
def test_turning_to_what_is_stored_is_the_inverse_of_turning_to_what_is_shown(transposed, mirrored, upside_down):
    orientation, picture = Orientation(transposed, mirrored, upside_down), np.arange(24).reshape(4, 6, 1)
    assert (orientation.stored(orientation.shown(picture)) == picture).all()


def test_a_hole_lies_in_the_display_window_whatever_the_data_window_is(tmp_path):
    light = np.full((10, 12, 3), 0.25, np.float32)
    header = oiio.ImageSpec(12, 10, 3, oiio.HALF)
    header.x, header.y, header.full_width, header.full_height = 4, -2, WIDTH, HEIGHT
    out = oiio.ImageOutput.create(str(tmp_path / "a.exr"))
    assert out.open(str(tmp_path / "a.exr"), header)
    assert out.write_image(light)
    assert out.close()
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[0:3, 0:6] = True
    picture = np.ones((HEIGHT, WIDTH, 3), np.float32)
    write_plate_still(tmp_path / "a.exr", tmp_path / "b.exr", Change(picture, hole), ReadAs())
    after, header = raw(tmp_path / "b.exr")
    assert (header.x, header.y, header.full_width) == (4, -2, WIDTH)
    assert (after["R"][2:5, 0:2] == 1).all()  # rows 0..2, columns 4..5 of the display window
    assert (after["R"] == 1).sum() == 6


def test_a_stated_colour_space_and_exposure_are_undone_exactly(tmp_path):
    source = make_exr_half(tmp_path)
    read_as = ReadAs("ACEScg", exposure=-2.0)
    write_plate_still(source, tmp_path / "b.exr", HALF_GREY, read_as)
    made, _ = read_plate_still(tmp_path / "b.exr", read_as)
    assert np.abs(made[HOLE] - 0.5).max() < 1e-3
    brighter = Change(np.ones((HEIGHT, WIDTH, 3), np.float32), HOLE)
    write_plate_still(source, tmp_path / "c.exr", brighter, ReadAs(exposure=-2.0))
    assert raw(tmp_path / "c.exr")[0]["R"][6, 9] == pytest.approx(4, abs=0.01)


@pytest.mark.parametrize(
    ("name", "said"),
    [("out.jpg", "changes every pixel"), ("out.png", "scene-linear EXR; name the output .exr")],
)
def test_an_output_that_would_change_every_pixel_is_refused(name, said, tmp_path):
    plates = open_plates(make_exr_half(tmp_path) if name.endswith("png") else make_png8(tmp_path))
    with pytest.raises(MediaError, match=said):
        plate_format(plates, tmp_path / name)


def make_movie(path, encoder, pixel_format, *, num_frames=5, options=None, sound=None):
    draws, rate = np.random.default_rng(0), Fraction(24000, 1001)
    coarse = draws.integers(40, 200, (num_frames, 3, 4, 3)).astype(np.uint8)
    with av.open(path, "w") as out:
        stream = out.add_stream(encoder, rate=rate, options=options or {})
        stream.pix_fmt, stream.width, stream.height = pixel_format, WIDTH, HEIGHT
        stream.metadata["timecode"] = "01:00:00:00"
        track = out.add_stream(sound, rate=48000, layout="stereo") if sound else None
        for index, levels in enumerate(coarse):
            picture = np.kron(levels, np.ones((8, 8, 1), np.uint8))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = index, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if track:
            samples = draws.integers(-9000, 9000, (1, 2 * 10010), np.int16)
            heard = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            heard.sample_rate, heard.pts = 48000, 0
            out.mux(track.encode(heard))
            out.mux(track.encode(None))
    return path


def stored(path):
    with open_movie(path) as (container, stream):
        return [[plane.astype(np.int32) for plane in planes(frame)] for frame in decoded(container.decode(stream))]


def repaired_movie(source, target, name):
    changes = [HALF_GREY if index % 2 else None for index in range(5)]
    notes = write_plate_movie(source, target, changes, FORMATS[name], Fraction(24000, 1001))
    return stored(source), stored(target), notes


@pytest.mark.parametrize("pixel_format", ["yuv444p10le", "yuv422p", "yuv420p", "bgr0", "gbrp12le", "gray16le"])
def test_a_lossless_movie_comes_back_bit_for_bit_outside_of_its_holes(pixel_format, tmp_path):
    source = make_movie(tmp_path / "a.mkv", "ffv1", pixel_format)
    before, after, notes = repaired_movie(source, tmp_path / "b.mkv", "ffv1")
    assert not notes
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        for plane, mended in zip(one, other, strict=True):
            rows, columns = (full // size for full, size in zip(HOLE.shape, plane.shape[:2], strict=True))
            shared = HOLE.reshape(HEIGHT // rows, rows, WIDTH // columns, columns).any((1, 3))
            same = ~shared if index % 2 else np.ones_like(shared)
            assert (plane[same] == mended[same]).all()
    made = list(read_plate_movie(tmp_path / "b.mkv"))[1]
    assert np.abs(made[7:10, 11:17] - 0.5).max() < 0.03  # chroma around the hole reaches into it


def test_what_a_decoder_gave_is_not_written_on_for_it_predicts_other_frames_from_it(tmp_path):
    source = make_movie(tmp_path / "a.mkv", "ffv1", "yuv420p")
    with open_movie(source) as (container, stream):
        frame = next(decoded(container.decode(stream)))
        before = [plane.copy() for plane in planes(frame)]
        after = PlateFrames(frame, FORMATS["ffv1"].codec).changed(frame, HALF_GREY)
        assert all((plane == kept).all() for plane, kept in zip(planes(frame), before, strict=True))
        assert (planes(after)[0] != before[0]).any()


def test_no_chroma_outside_of_a_hole_changes_where_pixels_share_it(tmp_path):
    source = make_movie(tmp_path / "a.mkv", "ffv1", "yuv420p")
    before, after, _ = repaired_movie(source, tmp_path / "b.mkv", "ffv1")
    changed = (before[1][1] != after[1][1]).repeat(2, 0).repeat(2, 1)
    assert changed.any()
    assert not changed[~HOLE].any()


@pytest.mark.parametrize(("pixel_format", "name"), [("yuv444p10le", "prores4444"), ("yuv422p10le", "prores422hq")])
def test_prores_stays_prores_and_outside_of_its_holes_differs_by_the_codecs_own_precision(pixel_format, name, tmp_path):
    profile = {"profile": "4444" if name == "prores4444" else "hq"}
    source = make_movie(tmp_path / "a.mov", "prores_ks", pixel_format, options=profile, sound="pcm_s16le")
    assert plate_format(open_plates(source), Path("b.mov")).name == name
    before, after, _ = repaired_movie(source, tmp_path / "b.mov", name)
    level = 4 if name == "prores4444" else 1  # it is decoded to 12 bits, and stored with 10
    for one, other in zip(before, after, strict=True):
        for plane, mended in zip(one, other, strict=True):
            outside = np.ones(plane.shape, bool)  # of the blocks of 8x8 that the hole has a part in
            outside[: 16 * plane.shape[0] // HEIGHT, : 24 * plane.shape[1] // WIDTH] = False
            assert np.abs(plane - mended)[outside].max() <= 4 * level
    made = list(read_plate_movie(tmp_path / "b.mov"))[1]
    assert np.abs(made[7:10, 11:17] - 0.5).max() < 0.02


def test_timestamps_timecode_rate_sound_and_tags_of_a_movie_stay(tmp_path):
    source = make_movie(tmp_path / "a.mov", "prores_ks", "yuv444p10le", options={"profile": "4444"}, sound="pcm_s16le")
    repaired_movie(source, tmp_path / "b.mov", "prores4444")
    with av.open(source) as one, av.open(tmp_path / "b.mov") as other:
        assert one.streams.video[0].average_rate == other.streams.video[0].average_rate == Fraction(24000, 1001)
        timecodes = [movie.streams.data[0].metadata["timecode"] for movie in (one, other)]
        assert timecodes == ["01:00:00:00"] * 2
    with av.open(source) as one, av.open(tmp_path / "b.mov") as other:
        sounds = [[bytes(packet) for packet in movie.demux(audio=0)] for movie in (one, other)]
        assert sounds[0] == sounds[1]
        assert len(sounds[0]) > 1
    with open_movie(source) as (one, one_stream), open_movie(tmp_path / "b.mov") as (other, other_stream):
        times = [
            [frame.pts * frame.time_base for frame in movie.decode(stream)]
            for movie, stream in ((one, one_stream), (other, other_stream))
        ]
    assert times[0] == times[1]


def test_sound_that_a_container_does_not_hold_is_encoded_anew_and_said(tmp_path):
    source = make_movie(tmp_path / "a.mkv", "ffv1", "yuv420p", sound="pcm_u8")
    notes = write_plate_movie(source, tmp_path / "b.mp4", [None] * 5, FORMATS["h264"], Fraction(24000, 1001))
    assert notes == ("its sound is pcm_u8, which .mp4 does not hold: the first track is encoded anew",)
    with av.open(tmp_path / "b.mp4") as movie:
        assert movie.streams.audio[0].codec.name == "aac"


@pytest.mark.parametrize(
    ("turned", "said"), [(True, "is stored turned or mirrored"), (False, "is interlaced")], ids=["turned", "interlaced"]
)
def test_a_movie_whose_frames_are_not_stored_as_they_are_shown_is_refused(turned, said, shared):
    path = shared / "hard" / ("rotated_90.mov" if turned else "interlaced_tff_h264.mp4")
    with pytest.raises(MediaError, match=said):
        open_plates(path)
