"""Files in, files out. Every fixture is made here with the answer in its pixels."""

import math
import shutil
import subprocess
import wave
from fractions import Fraction
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image, ImageSequence

from vidgan.errors import MediaError, RequestError
from vidgan.media.animations import delays, write_animation
from vidgan.media.movie_writer import write_movie
from vidgan.media.movies import read_header, read_movie
from vidgan.media.sequences import find_sequences, frame_sequence_from_pattern, write_frame_sequence
from vidgan.media.stills import read_still, read_still_header, write_still
from vidgan.media.timestamps import num_frames_missing_at_end, rate_from_timestamps, split_at_gaps

HARD = Path(__file__).parents[2] / "shared" / "hard"
NTSC_FILM = Fraction(24000, 1001)


def grey_frames(num_frames, height=32, width=32):
    """Frame i is grey level 10 i."""
    return [np.full((height, width, 3), 10 * index, np.uint8) for index in range(num_frames)]


def real_file(name):
    if not (HARD / name).exists():
        pytest.skip(f"needs {name} of ../shared/hard")
    return HARD / name


# Reading movies


def test_frames_come_in_order_with_their_levels(tmp_path):
    write_movie(tmp_path / "a.mkv", grey_frames(12), rate=Fraction(24))
    frames = list(read_movie(tmp_path / "a.mkv"))
    assert [frame.index for frame in frames] == list(range(12))
    assert [int(frame.rgb()[5, 7, 1]) for frame in frames] == [10 * i for i in range(12)]


def test_a_range_of_frames_is_half_open(tmp_path):
    write_movie(tmp_path / "a.mkv", grey_frames(12), rate=Fraction(24))
    frames = list(read_movie(tmp_path / "a.mkv", start=3, stop=6))
    assert [(frame.index, int(frame.rgb()[0, 0, 0])) for frame in frames] == [(3, 30), (4, 40), (5, 50)]
    assert list(read_movie(tmp_path / "a.mkv", start=6, stop=6)) == []


def test_frames_with_b_frames_between_them_come_in_the_order_shown(tmp_path):
    write_movie(tmp_path / "a.mp4", grey_frames(20), rate=Fraction(25))
    frames = list(read_movie(tmp_path / "a.mp4"))
    assert [frame.seconds for frame in frames] == [Fraction(i, 25) for i in range(20)]
    assert [round(float(frame.rgb().mean()) / 10) for frame in frames] == list(range(20))


def test_a_header_says_what_the_movie_is(tmp_path):
    write_movie(tmp_path / "a.mp4", grey_frames(5, 34, 48), rate=NTSC_FILM)
    header = read_header(tmp_path / "a.mp4")
    assert (header.codec, header.height, header.width, header.rate) == ("h264", 34, 48, NTSC_FILM)
    assert (header.num_frames, header.bit_depth, header.interlaced, header.orientation.degrees) == (5, 8, False, 0)


# Colour. The luma weights of red and blue (ITU-R BT.709, BT.601, BT.2020), and the equations they stand in.
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 60, 30), (30, 60, 200), (99, 99, 99)]


def yuv_of(color, matrix, *, full):
    red, green, blue = (level / 255 for level in color)
    kr, kb = WEIGHTS[matrix]
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    scaled = (255 * y, 255 * cb + 128, 255 * cr + 128) if full else (219 * y + 16, 224 * cb + 128, 224 * cr + 128)
    return [min(255, round(level)) for level in scaled]


def write_yuv(path, matrix, *, full=False, height=32, width=32, tag_matrix=True, tag_range=True):
    """Flat colours as lossless YUV, tagged or not."""
    with av.open(path, "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.pix_fmt, stream.height, stream.width = "yuv420p", height, width
        if tag_matrix:
            stream.codec_context.colorspace = matrix
        if tag_range:
            stream.codec_context.color_range = 2 if full else 1
        for index, color in enumerate(COLORS):
            y, cb, cr = yuv_of(color, matrix, full=full)
            quarter = height * width // 4
            planes = np.repeat(np.array([y, cb, cr], np.uint8), [4 * quarter, quarter, quarter])
            frame = av.VideoFrame.from_ndarray(planes.reshape(-1, width), format="yuv420p")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full", [False, True])
def test_tagged_colours_are_decoded_as_tagged(tmp_path, matrix, full):
    write_yuv(tmp_path / "a.mkv", matrix, full=full)
    found = [frame.rgb()[7, 7].astype(int) for frame in read_movie(tmp_path / "a.mkv")]
    assert np.abs(np.array(found) - COLORS).max() <= 1


@pytest.mark.parametrize(
    ("height", "width", "matrix", "name"),
    [(576, 64, 6, "smpte170m"), (718, 64, 6, "smpte170m"), (720, 64, 1, "bt709"), (536, 1280, 1, "bt709")],
)
def test_untagged_colours_are_rec_709_only_in_hd(tmp_path, height, width, matrix, name):
    write_yuv(tmp_path / "a.mkv", matrix, height=height, width=width, tag_matrix=False, tag_range=False)
    header = read_header(tmp_path / "a.mkv")
    assert (header.color.matrix, header.color.range, header.matrix) == (None, None, name)
    found = [frame.rgb()[7, 7].astype(int) for frame in read_movie(tmp_path / "a.mkv")]
    assert np.abs(np.array(found) - COLORS).max() <= 1


def test_a_matrix_that_cannot_be_undone_is_refused_by_name(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(path, "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.pix_fmt, stream.height, stream.width = "yuv444p", 32, 32
        stream.codec_context.colorspace = 8
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((3, 32, 32), np.uint8), format="yuv444p")))
        out.mux(stream.encode(None))
    with pytest.raises(MediaError, match="ycgco"):
        next(read_movie(path)).rgb()


def test_ten_bits_are_rounded_to_eight_and_not_cut(tmp_path):
    levels = np.arange(64, 941, dtype=np.uint16)[None].repeat(32, 0)
    path = tmp_path / "a.mkv"
    with av.open(path, "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.pix_fmt, stream.height, stream.width = "yuv444p10le", *levels.shape
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        frame = av.VideoFrame(levels.shape[1], levels.shape[0], "yuv444p10le")
        for plane, values in zip(
            frame.planes, (levels, np.full_like(levels, 512), np.full_like(levels, 512)), strict=True
        ):
            padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            padded[:, : levels.shape[1]] = values
            plane.update(padded.tobytes())
        frame.pts = 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert read_header(path).bit_depth == 10
    expected = (levels[0].astype(float) - 64) / 876 * 255
    error = next(read_movie(path)).rgb()[3, :, 1] - expected
    assert np.abs(error).max() <= 1
    assert abs(error.mean()) < 0.1  # cutting would be half a level too dark on average


def test_high_dynamic_range_is_brought_to_rec_709():
    frame = next(read_movie(real_file("hlg10-color-test.mp4")))
    picture = frame.rgb()
    assert picture.dtype == np.uint8
    assert picture.max() == 255
    header = read_header(HARD / "hlg10-color-test.mp4")
    assert (header.color.transfer, header.bit_depth) == ("arib-std-b67", 10)


# Which way up

CORNERS = np.array([[(220, 20, 20), (20, 220, 20)], [(20, 20, 220), (220, 220, 220)]], np.uint8)
QUARTER_TURNS_AND_MIRRORS = [(x, y, swap) for x in (1, -1) for y in (1, -1) for swap in (False, True)]


def write_turned(path, matrix, pixel_aspect=None):
    """Four corners in four colours, 32 rows by 64 columns, with a display matrix (a, b, c, d)."""
    a, b, c, d = (value * 65536 for value in matrix)
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"crf": "4"})
        stream.pix_fmt, stream.height, stream.width = "yuv444p", 32, 64
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        frame = av.VideoFrame.from_ndarray(CORNERS.repeat(16, 0).repeat(32, 1), format="rgb24")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize(("sign_x", "sign_y", "swap"), QUARTER_TURNS_AND_MIRRORS)
def test_a_picture_is_turned_and_mirrored_as_its_matrix_says(tmp_path, sign_x, sign_y, swap):
    # shown x = a x + c y, shown y = b x + d y: where does each stored corner go?
    matrix = (0, sign_y, sign_x, 0) if swap else (sign_x, 0, 0, sign_y)
    a, b, c, d = matrix
    expected = np.zeros_like(CORNERS)
    for y in (0, 1):
        for x in (0, 1):
            shown_x, shown_y = a * x + c * y, b * x + d * y
            expected[shown_y + (b + d < 0), shown_x + (a + c < 0)] = CORNERS[y, x]
    write_turned(tmp_path / "a.mp4", matrix)
    picture = next(read_movie(tmp_path / "a.mp4")).rgb()
    height, width = (64, 32) if swap else (32, 64)
    header = read_header(tmp_path / "a.mp4")
    assert picture.shape == (height, width, 3) == (header.height, header.width, 3)
    corners = picture[[[4, 4], [-5, -5]], [[4, -5], [4, -5]]]
    assert np.abs(corners.astype(int) - expected).max() < 40


def test_a_clockwise_quarter_turn_is_called_90_and_swaps_the_pixel_aspect(tmp_path):
    write_turned(tmp_path / "a.mp4", (0, 1, -1, 0), pixel_aspect=Fraction(12, 11))
    header = read_header(tmp_path / "a.mp4")
    assert (header.orientation.degrees, header.pixel_aspect) == (90, Fraction(11, 12))
    picture = next(read_movie(tmp_path / "a.mp4")).rgb()
    assert np.abs(picture[4, -5].astype(int) - CORNERS[0, 0]).max() < 40  # top left went to top right
    for matrix, degrees in [((0, -1, 1, 0), 270), ((-1, 0, 0, -1), 180), ((1, 0, 0, 1), 0)]:
        write_turned(tmp_path / "a.mp4", matrix)
        assert read_header(tmp_path / "a.mp4").orientation.degrees == degrees


@pytest.mark.parametrize("name", ["rotated_90.mov", "rotated_270.mov", "sample_rotate_and_reflect.mp4"])
def test_pictures_stand_as_ffmpeg_shows_them(name):
    path = real_file(name)
    if not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg")
    picture = next(read_movie(path)).rgb()
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8)
    assert np.abs(picture.astype(int) - shown.reshape(picture.shape)).mean() < 3


# Files that are not what they seem


def test_what_is_no_movie_is_refused_in_words(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("shot list\n" * 100)
    (tmp_path / "notes.txt").write_text("shot list\n" * 100)
    Image.new("RGB", (8, 8)).save(tmp_path / "still.png")
    (tmp_path / "still.png").rename(tmp_path / "still.mp4")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    expected = {
        "missing.mp4": "no such file",
        "": "is a folder",
        "empty.mp4": r"is empty \(0 bytes\)",
        "text.mp4": "is not a movie",
        "notes.txt": "not a movie",
        "still.mp4": "is a still",
        "sound.wav": "no pictures.*audio only",
    }
    for name, words in expected.items():
        with pytest.raises(MediaError, match=words):
            read_header(tmp_path / name)
        with pytest.raises(MediaError, match=words):
            list(read_movie(tmp_path / name))


def test_frames_before_damage_are_given_and_then_the_damage_is_named(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"crf": "10", "g": "1", "bf": "0"})
        stream.pix_fmt, stream.height, stream.width = "yuv420p", 64, 64
        for index, picture in enumerate(grey_frames(20, 64, 64)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open(path) as container:
        position = [packet.pos for packet in container.demux(video=0) if packet.size][12]
    with path.open("rb+") as file:
        file.seek(position)
        file.write(b"\xff\xff\xff\xff")
    indices = []
    with pytest.raises(MediaError, match="decoding fails after frame 11: "):
        indices.extend(frame.index for frame in read_movie(path))
    assert indices == list(range(12))


def test_a_movie_that_fails_after_28_frames_gives_28():
    indices = []
    with pytest.raises(MediaError, match="after frame 27"):
        indices.extend(frame.index for frame in read_movie(real_file("corrupted_after_28_frames.mp4")))
    assert indices == list(range(28))


def test_pictures_that_the_decoder_had_to_invent_are_not_passed_on():
    with pytest.raises(MediaError, match="the next picture is damaged"):
        list(read_movie(real_file("bitflips_200.mkv")))


# Timestamps


def rounded(num_frames, rate, tick, first=0):
    """Timestamps of a constant rate as a container with this tick stores them."""
    return [Fraction(math.floor(index / rate / tick + Fraction(1, 2)), 1) * tick for index in range(first, num_frames)]


MILLISECOND = Fraction(1, 1000)


@pytest.mark.parametrize(
    "rate", [Fraction(24), NTSC_FILM, Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(60)]
)
@pytest.mark.parametrize("tick", [MILLISECOND, Fraction(1, 90000), Fraction(1, 12288)])
def test_the_rate_is_found_through_the_rounding_of_timestamps(rate, tick):
    assert rate_from_timestamps(rounded(240, rate, tick), header_rate=Fraction(1000)) == rate


def test_a_header_decides_only_between_rates_that_fit():
    short = rounded(8, NTSC_FILM, MILLISECOND)
    assert rate_from_timestamps(short, header_rate=NTSC_FILM) == NTSC_FILM
    assert rate_from_timestamps(short, header_rate=Fraction(24)) == 24
    assert rate_from_timestamps(short, header_rate=Fraction(600)) in (24, NTSC_FILM)
    assert rate_from_timestamps([Fraction(0)], header_rate=Fraction(25)) == 25
    assert rate_from_timestamps([None, None], header_rate=Fraction(25)) == 25
    assert rate_from_timestamps([], header_rate=None) is None


def test_a_header_that_writes_29_97_means_30000_1001():
    seconds = rounded(30, Fraction(30000, 1001), MILLISECOND)
    assert rate_from_timestamps(seconds, header_rate=Fraction(2997, 100)) == Fraction(30000, 1001)


def test_an_odd_rate_stays_exact():
    assert rate_from_timestamps([Fraction(3001 * i, 90000) for i in range(9)]) == Fraction(90000, 3001)
    assert rate_from_timestamps([Fraction(i, 7) for i in range(9)]) == 7


def test_a_variable_rate_is_none():
    steps = [50, 20, 120, 33, 50, 20, 120, 33, 70]
    seconds = [Fraction(sum(steps[:i]), 1000) for i in range(len(steps) + 1)]
    assert rate_from_timestamps(seconds, header_rate=Fraction(24)) is None


def test_lost_frames_do_not_change_the_rate_and_are_gaps():
    for num_lost in (1, 3):
        seconds = rounded(100, Fraction(30), MILLISECOND)
        del seconds[40 : 40 + num_lost]
        assert rate_from_timestamps(seconds) == 30
        assert split_at_gaps(seconds, Fraction(30)) == [range(0, 40), range(40, 100 - num_lost)]


def test_timestamps_that_go_back_are_a_gap():
    seconds = [Fraction(i, 24) for i in (0, 1, 2, 1, 2, 3)]
    assert split_at_gaps(seconds, Fraction(24)) == [range(0, 3), range(3, 6)]
    assert split_at_gaps([], Fraction(24)) == []
    assert split_at_gaps([None] * 3, Fraction(24)) == [range(0, 3)]


def test_an_end_that_the_header_promises_and_the_file_lacks_is_counted():
    seconds = [5 + Fraction(i, 24) for i in range(20)]
    assert num_frames_missing_at_end(seconds, Fraction(24), Fraction(2)) == 28
    assert num_frames_missing_at_end(seconds, Fraction(24), Fraction(20, 24)) == 0
    assert num_frames_missing_at_end(seconds, Fraction(24), Fraction(21, 24)) == 0
    assert num_frames_missing_at_end(seconds, Fraction(24), None) == 0


@pytest.mark.parametrize("rate", [NTSC_FILM, Fraction(24), Fraction(30000, 1001)])
def test_the_rate_of_a_written_movie_is_found_again(tmp_path, rate):
    for suffix in (".mp4", ".mkv"):
        write_movie(tmp_path / f"a{suffix}", grey_frames(25, 16, 16) * 6, rate=rate)
        assert rate_from_timestamps([frame.seconds for frame in read_movie(tmp_path / f"a{suffix}")]) == rate


# Stills


def test_a_png_comes_back_as_it_was(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    write_still(tmp_path / "a.png", picture)
    assert (read_still(tmp_path / "a.png").rgb == picture).all()
    assert (read_still_header(tmp_path / "a.png").height, read_still_header(tmp_path / "a.png").width) == (9, 14)


def test_a_jpeg_is_written_at_quality_95(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    write_still(tmp_path / "a.jpg", picture)
    Image.fromarray(picture).save(tmp_path / "by_hand.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as ours, Image.open(tmp_path / "by_hand.jpg") as expected:
        assert ours.quantization == expected.quantization


def test_grey_is_repeated(tmp_path):
    write_still(tmp_path / "a.png", np.full((4, 6, 1), 77, np.uint8))
    assert (read_still(tmp_path / "a.png").rgb == 77).all()
    Image.new("L", (6, 4), 78).save(tmp_path / "grey.png")
    assert read_still(tmp_path / "grey.png").rgb.shape == (4, 6, 3)
    assert (read_still(tmp_path / "grey.png").rgb == 78).all()


def test_sixteen_bits_are_rounded_to_eight_and_not_cut(tmp_path):
    levels = np.arange(0, 65536, 37, dtype=np.uint16).reshape(1, -1)
    expected = np.rint(levels / 257).astype(np.uint8)
    iio.imwrite(tmp_path / "grey.png", levels)
    assert (read_still(tmp_path / "grey.png").rgb[..., 0] == expected).all()
    with av.open(tmp_path / "color.png", "w", format="image2", options={"update": "1"}) as out:
        stream = out.add_stream("png", rate=1)
        stream.pix_fmt, stream.height, stream.width = "rgb48be", *levels.shape
        frame = av.VideoFrame.from_ndarray(np.stack([levels, levels[:, ::-1], levels], -1), format="rgb48be")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    read = read_still(tmp_path / "color.png").rgb
    assert (read[..., 0] == expected).all()
    assert (read[..., 1] == expected[:, ::-1]).all()


def test_alpha_is_laid_over_black(tmp_path):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0], rgba[0, 1] = (200, 100, 50, 128), (200, 100, 50, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert read_still(tmp_path / "a.png").rgb[0].tolist() == [[100, 50, 25], [200, 100, 50]]
    assert read_still(tmp_path / "a.png").rgb[1].max() == 0


def test_a_jpeg_is_turned_as_its_exif_says(tmp_path):
    picture = Image.new("RGB", (32, 16), (10, 10, 10))
    picture.paste((240, 240, 240), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its left side: turn clockwise
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    header = read_still_header(tmp_path / "a.jpg")
    assert (header.height, header.width) == (32, 16)
    shown = read_still(tmp_path / "a.jpg").rgb
    assert shown.shape == (32, 16, 3)
    assert shown[3, -4].min() > 200  # top left went to top right
    assert shown[3, 3].max() < 50


def test_content_decides_what_a_still_is(tmp_path):
    Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    assert (read_still(tmp_path / "a.png").rgb == 9).all()


def test_a_still_that_cannot_be_read_is_refused_in_words(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    write_still(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    expected = {"missing.png": "cannot be read", "empty.png": "empty", "text.png": "no picture", "cut.png": "damaged"}
    for name, words in expected.items():
        with pytest.raises(MediaError, match=words):
            read_still(tmp_path / name)
    with pytest.raises(MediaError, match=r"expected uint8"):
        write_still(tmp_path / "a.png", np.zeros((4, 4, 3), np.int32))
    with pytest.raises(MediaError, match=r"expected .png"):
        write_still(tmp_path / "a.tga", np.zeros((4, 4, 3), np.uint8))


def test_gif_delays_sum_to_the_time_of_the_frames(tmp_path):
    assert delays(5, Fraction(24), 10) == [40, 40, 40, 50, 40]
    assert abs(sum(delays(240, NTSC_FILM, 10)) - 10010) <= 10
    assert abs(sum(delays(240, NTSC_FILM, 1)) - 10010) <= 1
    write_animation(tmp_path / "a.gif", iter(grey_frames(24)), rate=Fraction(24))
    with Image.open(tmp_path / "a.gif") as gif:
        shown = []
        for index in range(gif.n_frames):
            gif.seek(index)
            shown.append(gif.info["duration"])
        assert (len(shown), sum(shown), gif.info["loop"]) == (24, 1000, 0)
    with pytest.raises(MediaError, match="at most 50"):
        write_animation(tmp_path / "a.gif", grey_frames(2), rate=Fraction(60))


def test_a_gif_has_a_frames_own_256_colours_and_of_more_those_that_are_near(tmp_path):
    rng = np.random.default_rng(5)
    few = rng.integers(0, 256, (256, 3), dtype=np.uint8)[rng.integers(0, 256, (40, 50))]
    smooth = np.linspace(0, 255, 400)[:, None, None] * [0.3, 0.5, 0.7] + np.linspace(0, 76, 300)[None, :, None]
    write_animation(tmp_path / "a.gif", [few, few[::-1]], rate=Fraction(24))
    write_animation(tmp_path / "b.gif", [smooth.astype(np.uint8)], rate=Fraction(24))
    assert np.array_equal(gif_frames(tmp_path / "a.gif"), [few, few[::-1]])
    assert np.abs(gif_frames(tmp_path / "b.gif")[0] - smooth).mean() < 2.5  # 64 colours would be further off


def gif_frames(path):
    with Image.open(path) as gif:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]


# Frame sequences


def named(*names):
    return [Path("footage") / name for name in names]


def found(*names):
    sequences, leftovers = find_sequences(named(*names))
    return [(sequence.pattern, sequence.numbers) for sequence in sequences], [path.name for path in leftovers]


def test_numbers_are_sorted_as_numbers():
    assert found("a.10.png", "a.2.png", "a.1.png") == ([("a.#.png", (1, 2, 10))], [])


def test_sequences_that_share_a_folder_are_told_apart():
    sequences, leftovers = found("a.0001.png", "b.0001.png", "a.0002.png", "b.0001.jpg", "take.mov")
    assert sequences == [("a.####.png", (1, 2)), ("b.####.jpg", (1,)), ("b.####.png", (1,))]
    assert leftovers == ["take.mov"]


def test_a_number_behind_a_dash_does_not_play_backwards():
    assert found("take-0002.png", "take-0001.png", "take-0010.png")[0] == [("take-####.png", (1, 2, 10))]
    assert found("take-0001.png", "take-0000.png")[0] == [("take-####.png", (0, 1))]
    assert found("take0001.png", "take0000.png")[0] == [("take####.png", (0, 1))]


def test_stills_without_numbers_are_sequences_of_one_frame():
    sequences, _ = find_sequences(named("cat.png", "dog.jpg"))
    assert [(sequence.pattern, len(sequence.numbers)) for sequence in sequences] == [("cat.png", 1), ("dog.jpg", 1)]
    assert [sequence.paths() for sequence in sequences] == [named("cat.png"), named("dog.jpg")]


@pytest.mark.parametrize(
    "names",
    [
        ("a.1.png", "a.2.png", "a.10.png"),
        ("a.0998.png", "a.0999.png", "a.1000.png"),
        ("a.9999.png", "a.10000.png"),
        ("a.01.png", "a.001.png", "a.1.png"),
        ("a.099.png", "a.100.png", "a.1000.png"),
        ("take-1.png", "take-2.png", "take-10.png", "take-0001.png"),
        ("1.png", "2.png", "-3.png", "img (1).png", "a,1.png", "a#1.png", "v1.0001-0002.png", "x.1001.beauty.png"),
        ("s.0001.PNG", "s.0002.png", "shot.v2.png", "0001.jpeg", "12.png"),
    ],
)
def test_every_still_is_in_exactly_one_sequence_under_its_own_name(names):
    sequences, leftovers = find_sequences(named(*names))
    paths = [path for sequence in sequences for path in sequence.paths()]
    assert sorted(paths + leftovers) == sorted(named(*names))


def test_a_missing_number_ends_a_run():
    (sequence,), _ = find_sequences(named("a.0001.png", "a.0002.png", "a.0004.png"))
    assert sequence.runs() == [(1, 2), (4,)]
    assert sequence.missing() == [3]


@pytest.mark.parametrize("pattern", ["shot.####.png", "shot.%04d.png", "shot.@@@@.png"])
def test_a_pattern_finds_its_frames_on_disk(tmp_path, pattern):
    for name in ("shot.0999.png", "shot.1000.png", "shot.10001.png", "shot.12.png", "other.0001.png", "shot.0999.jpg"):
        (tmp_path / name).touch()
    sequence = frame_sequence_from_pattern(tmp_path / pattern)
    assert sequence.numbers == (999, 1000, 10001)
    assert sequence.path(999) == tmp_path / "shot.0999.png"


def test_a_pattern_that_fits_nothing_is_refused(tmp_path):
    with pytest.raises(MediaError, match="no file has such a name"):
        frame_sequence_from_pattern(tmp_path / "shot.####.png")
    with pytest.raises(RequestError, match="is not a pattern"):
        frame_sequence_from_pattern(tmp_path / "shot.png")


def test_a_written_sequence_is_read_back_and_starts_at_1001(tmp_path):
    written = write_frame_sequence(tmp_path / "dawn", iter(grey_frames(3)))
    assert [path.name for path in written.paths()] == ["dawn.1001.png", "dawn.1002.png", "dawn.1003.png"]
    assert [int(read_still(path).rgb[0, 0, 0]) for path in written.paths()] == [0, 10, 20]
    dashed = write_frame_sequence(tmp_path / "x" / "take-%03d.jpg", grey_frames(2), first_number=1)
    assert [path.name for path in dashed.paths()] == ["take-001.jpg", "take-002.jpg"]


def test_old_frames_are_not_mixed_with_new_ones(tmp_path):
    write_frame_sequence(tmp_path / "dawn", grey_frames(5))
    with pytest.raises(RequestError, match="5 frames of that name exist"):
        write_frame_sequence(tmp_path / "dawn", grey_frames(3))
    write_frame_sequence(tmp_path / "dawn", grey_frames(3), overwrite=True)
    assert len(list((tmp_path / "dawn").iterdir())) == 3


# Writing movies


def probed(path, *entries):
    if not shutil.which("ffprobe"):
        pytest.skip("needs ffprobe")
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", f"stream={','.join(entries)}"]
    lines = subprocess.run(
        [*command, "-of", "default=nw=1", str(path)], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in lines.split())


def test_a_rate_of_24000_1001_survives_the_round_trip(tmp_path):
    write_movie(tmp_path / "a.mp4", grey_frames(24), rate=NTSC_FILM)
    expected = {"r_frame_rate": "24000/1001", "avg_frame_rate": "24000/1001", "nb_frames": "24"}
    assert probed(tmp_path / "a.mp4", *expected) == expected
    assert read_header(tmp_path / "a.mp4").rate == NTSC_FILM


def test_an_mp4_is_rec_709_limited_range_and_says_so(tmp_path):
    write_movie(tmp_path / "a.mp4", [np.full((32, 32, 3), color, np.uint8) for color in COLORS], rate=Fraction(24))
    tags = {"color_range": "tv", "color_space": "bt709", "color_transfer": "bt709", "color_primaries": "bt709"}
    assert probed(tmp_path / "a.mp4", "pix_fmt", *tags) == {"pix_fmt": "yuv420p", **tags}
    with av.open(tmp_path / "a.mp4") as container:
        stored = [frame.to_ndarray(format="yuv444p").mean((1, 2)) for frame in container.decode(video=0)]
    assert np.abs(np.array(stored) - [yuv_of(color, 1, full=False) for color in COLORS]).max() <= 2
    read = [frame.rgb()[16, 16].astype(int) for frame in read_movie(tmp_path / "a.mp4")]
    assert np.abs(np.array(read) - COLORS).max() <= 4


def test_the_index_of_an_mp4_is_at_its_front(tmp_path):
    write_movie(tmp_path / "a.mp4", grey_frames(3), rate=Fraction(24))
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_matroska_keeps_every_level(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (4, 33, 35, 3), dtype=np.uint8)
    assert write_movie(tmp_path / "a.mkv", iter(noise), rate=Fraction(24)) == 4
    assert (np.stack([frame.rgb() for frame in read_movie(tmp_path / "a.mkv")]) == noise).all()


def test_metadata_keeps_its_own_keys(tmp_path):
    for suffix in (".mp4", ".mkv"):
        write_movie(tmp_path / f"a{suffix}", grey_frames(2), rate=Fraction(24), metadata={"seed": "17", "comment": "x"})
        with av.open(tmp_path / f"a{suffix}") as container:
            kept = {key.lower(): value for key, value in container.metadata.items()}
        assert (kept["seed"], kept["comment"]) == ("17", "x")


def test_pixels_that_are_not_square_say_so(tmp_path):
    write_movie(tmp_path / "a.mp4", grey_frames(2), rate=Fraction(25), pixel_aspect=Fraction(12, 11))
    assert read_header(tmp_path / "a.mp4").pixel_aspect == Fraction(12, 11)
    with pytest.raises(MediaError, match="square pixels only"):
        write_movie(tmp_path / "a.mkv", grey_frames(2), rate=Fraction(25), pixel_aspect=Fraction(12, 11))


def test_a_movie_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    def broken():
        yield from grey_frames(3)
        raise MediaError("the disk of the input is gone")

    even, odd = grey_frames(1), grey_frames(1, 64, 65)
    cases = [
        ("a.mp4", odd, {}, r"65x64 \(width x height\); H.264 needs even sizes"),
        ("a.mp4", [], {}, "no frames"),
        ("a.mp4", [*even, *odd], {}, "frame 1 is 65x64, those before are 32x32"),
        ("a.mp4", broken(), {}, "disk of the input"),
        ("a.mp4", even, {"crf": 52}, "crf is 52"),
        ("a.mp4", even, {"rate": Fraction(0)}, "rate is 0"),
        ("a.avi", even, {}, r"expected .mp4, .mov, .mkv"),
        ("nowhere/a.mp4", even, {}, "cannot be written"),
    ]
    for name, frames, options, words in cases:
        with pytest.raises((MediaError, RequestError), match=words):
            write_movie(tmp_path / name, frames, **{"rate": Fraction(24), **options})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_old_movie_as_it_was(tmp_path):
    write_movie(tmp_path / "a.mp4", grey_frames(4), rate=Fraction(24))
    before = (tmp_path / "a.mp4").read_bytes()
    with pytest.raises(MediaError):
        write_movie(tmp_path / "a.mp4", [*grey_frames(2), *grey_frames(1, 16, 16)], rate=Fraction(24))
    assert (tmp_path / "a.mp4").read_bytes() == before
