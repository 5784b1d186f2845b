"""What is laid on pictures and around them: burn-ins, slates, frames, mattes, comparisons."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgan.errors import RequestError
from vidgan.media.movies import read_header, read_movie
from vidgan.review.burn_in import BurnIns
from vidgan.review.compare import Comparison, compared
from vidgan.review.export import export
from vidgan.review.fit import DeliveryFrame
from vidgan.review.names import next_version, shot_name, version_in
from vidgan.review.pictures import Cut, Pictures, open_pictures, parse_range
from vidgan.review.slate import slate
from vidgan.review.trace import Record

GREY = np.full((144, 256, 3), 100, np.uint8)
VALUES = {"shot": "sq010", "seed": 7, "frame": 1001, "timecode": "01:00:00:00"}


def grey_frames(count, height=32, width=48):
    return np.broadcast_to(10 * np.arange(count, dtype=np.uint8)[:, None, None, None], (count, height, width, 3)).copy()


def levels(frames):
    return [int(frame[9, 9, 0]) for frame in frames]


# Burn-ins


def test_words_are_white_on_a_dark_band_and_the_rest_of_the_picture_is_untouched():
    picture = BurnIns(bottom="{shot} {seed}|{timecode}").over(GREY, VALUES)
    assert (picture[:100] == 100).all()
    assert (GREY == 100).all()
    band = picture[-12:]
    assert band.max() > 230
    assert np.median(band) == 40
    assert (BurnIns(top="{shot}").over(GREY, VALUES)[40:] == 100).all()


def test_words_are_the_same_on_floating_point_pictures():
    eight = BurnIns("{shot}|{frame}", watermark="no copy", safe_areas=True, matte="2.39:1")
    floats = eight.over(GREY.astype(np.float32) / 255, VALUES)
    assert np.abs(floats * 255 - eight.over(GREY, VALUES)).max() <= 2


def test_a_burn_in_says_what_it_is_told_and_each_frame_its_own_number():
    burn_in = BurnIns("{frame}")
    pictures = [burn_in.over(GREY, VALUES | {"frame": number}) for number in (1001, 1002, 1001)]
    assert (pictures[0] == pictures[2]).all()
    assert (pictures[0] != pictures[1]).any()


def test_an_export_burns_in_the_number_and_the_timecode_of_each_frame(tmp_path):
    burn_ins = BurnIns("{shot} {version}|{timecode}|{frame}", "{seed} {weights} {class}")
    take = {"seed": 7, "weights_sha256": "0123456789ab", "class": "walk"}
    settings = {"rate": Fraction(24), "timecode": "00:59:59:23", "first_number": 97, "made_by": Record((take,))}
    export(np.stack([GREY] * 3), tmp_path / "dawn_v002.####.png", burn_ins=burn_ins, **settings)
    written = open_pictures(tmp_path / "dawn_v002.####.png")
    for index, picture in enumerate(written):
        said = {"shot": "dawn", "version": "v002", "seed": 7, "weights": "01234567", "class": "walk"}
        said |= {"frame": 97 + index, "timecode": ["00:59:59:23", "01:00:00:00", "01:00:00:01"][index]}
        assert (picture == burn_ins.over(GREY, said)).all()


@settings(max_examples=25)
@given(st.integers(256, 700), st.text("abcdefgh_ 0123456789", min_size=1, max_size=60), st.integers(1, 3))
def test_no_word_is_cut_off_at_any_width_from_256(width, text, parts):
    picture = np.zeros((400, width, 3), np.uint8)
    inked = BurnIns("|".join([text] * parts)).over(picture, {})
    assert (inked[:, -2:] < 60).all()
    assert (inked[:, :2] < 60).all()


def test_words_that_cannot_be_read_or_known_are_refused():
    with pytest.raises(RequestError, match=r"32 pixels wide and words need 256: enlarge them"):
        BurnIns("{shot}").over(np.zeros((32, 32, 3), np.uint8), VALUES)
    with pytest.raises(RequestError, match=r'burn-in \{sed\} is not known \(did you mean "seed"\?\)'):
        BurnIns("{sed}")
    with pytest.raises(RequestError, match="a brace is not closed"):
        BurnIns("{seed")
    with pytest.raises(RequestError, match=r"burn-in \{class\}: the pictures do not say it"):
        BurnIns("{class}").over(GREY, VALUES)
    with pytest.raises(RequestError, match="4 parts"):
        BurnIns("a|b|c|d").over(GREY, VALUES)
    with pytest.raises(RequestError, match="no shape"):
        BurnIns(matte="scope")


def test_safe_areas_stand_at_93_and_90_per_cent_and_a_matte_leaves_its_shape_open():
    lines = BurnIns(safe_areas=True).over(np.zeros((1000, 1000, 3), np.uint8), {})
    assert np.flatnonzero(lines[500, :, 0]).tolist() == [35, 50, 949, 964]
    matted = BurnIns(matte="2.39:1").over(np.full((1080, 1920, 3), 9, np.uint8), {})
    assert (matted[:, 0, 0] > 0).sum() == 1080 - 2 * 138
    assert np.flatnonzero(matted[:, 0, 0])[0] == 138


def test_a_watermark_is_seen_on_black_and_on_white():
    for level in (0, 255):
        plain = np.full((144, 256, 3), level, np.uint8)
        assert 20 < np.abs(BurnIns(watermark="FOR REVIEW").over(plain, {}).astype(int) - level).max() < 70


def test_a_slate_has_its_words_bars_and_ramp_at_any_size():
    for height, width in ((144, 256), (1080, 1920)):
        picture = slate(np.full((height, width, 3), 100, np.uint8), "sq010_sh020", {"frames": "1001-1048 (48)"})
        assert picture.shape == (height, width, 3)
        assert picture[: height // 2, : width // 2].max() > 200
        assert picture[-height // 8, width // 2].tolist() == [0, 191, 0]
        assert picture[-1, :, 0].tolist() == sorted(picture[-1, :, 0].tolist())
        assert (picture[-1, 0, 0], picture[-1, -1, 0]) == (0, 255)
    with pytest.raises(RequestError, match="a slate needs 256"):
        slate(np.zeros((32, 32, 3), np.uint8), "a", {})


# The delivery's frame


@pytest.mark.parametrize(
    ("size", "fit", "expected"),
    [
        ("1080p", "letterbox", (1080, 1920)),
        ("100x50", "crop", (50, 100)),
        ("2:1", "crop", (60, 120)),
        ("2:1", "letterbox", (80, 160)),
        ("1:1", "crop", (80, 80)),
        ("1:1", "letterbox", (120, 120)),
    ],
)
def test_a_frame_has_the_size_asked_for(size, fit, expected):
    picture = np.full((80, 120, 3), 200, np.uint8)
    fitted = DeliveryFrame(size, fit=fit).fitted(picture)
    assert fitted.shape[:2] == expected
    assert (fitted.min() == 0) == (fit == "letterbox")


def test_a_letterboxed_picture_is_in_the_middle_in_its_shape():
    fitted = DeliveryFrame("400x400").fitted(np.full((100, 200, 3), 200, np.uint8))
    assert np.flatnonzero(fitted[:, 200, 0] > 100).tolist() == list(range(100, 300))
    wide_pixels = DeliveryFrame("400x400").fitted(np.full((100, 100, 3), 200, np.uint8), Fraction(2))
    assert (wide_pixels == fitted).all()


def test_nearest_keeps_every_pixel_a_square_and_floats_are_fitted_as_levels_are():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert (DeliveryFrame("64x64", "nearest").fitted(picture) == picture.repeat(8, 0).repeat(8, 1)).all()
    picture = 100 + picture // 5  # nothing that a filter overshoots and 8 bits cut off
    for filter in ("lanczos", "bicubic", "box"):
        floats = DeliveryFrame("20x30", filter, "crop").fitted(picture / np.float32(255))
        assert np.abs(floats * 255 - DeliveryFrame("20x30", filter, "crop").fitted(picture)).max() < 1.5
        assert floats.max() <= 1


def test_a_frame_that_is_none_is_refused():
    for size in ("1081p", "0x10", "2.39", "99999x10"):
        with pytest.raises(RequestError, match="--frame"):
            DeliveryFrame(size).size_for(10, 10)
    with pytest.raises(RequestError, match='did you mean "lanczos"'):
        DeliveryFrame("1080p", "lancsoz")


# Cuts and handles


@given(st.integers(1, 12), st.data())
def test_a_cut_has_its_frames_and_its_handles_are_the_frames_around_it(count, data):
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first, count - 1))
    handles = data.draw(st.integers(0, 4))
    cut = Cut(first, last, handles).of(Pictures("a", lambda: iter(grey_frames(count)), count))
    wanted = range(first - handles, last + handles + 1)
    assert levels(cut) == [10 * min(max(index, 0), count - 1) for index in wanted]
    assert cut.num_frames == len(wanted)
    assert bool(cut.notes) == (wanted[0] < 0 or wanted[-1] >= count)


def test_a_sequence_is_cut_by_frame_numbers_and_frames_that_are_not_there_are_named(tmp_path):
    export(grey_frames(12), tmp_path / "in")
    export(tmp_path / "in", tmp_path / "out", cut=Cut(1004, 1006, 1))
    assert levels(open_pictures(tmp_path / "out")) == [20, 30, 40, 50, 60]
    with pytest.raises(RequestError, match="frames 1010-1013 are asked for, it holds 1001-1012"):
        export(tmp_path / "in", tmp_path / "more", cut=Cut(1010, 1013))
    assert parse_range("1009-1056") == (1009, 1056)
    with pytest.raises(RequestError, match="first and last frame"):
        parse_range("1009")


# Names


def test_versions_go_up_from_what_is_there(tmp_path):
    assert next_version(tmp_path / "dawn.mp4").name == "dawn_v001.mp4"
    for name in ("dawn_v001.mp4", "dawn_v007.mp4", "dawn_v009.mov", "dawning_v008.mp4", "dusk_v003.1001.exr"):
        (tmp_path / name).touch()
    (tmp_path / "dawn_v004").mkdir()
    assert next_version(tmp_path / "dawn.mp4").name == "dawn_v008.mp4"
    assert next_version(tmp_path / "dawn_v002.mp4").name == "dawn_v008.mp4"
    assert next_version(tmp_path / "dusk.####.exr").name == "dusk_v004.####.exr"
    assert next_version(tmp_path / "dawn").name == "dawn_v005"
    assert (shot_name(tmp_path / "dawn_v002.####.exr"), version_in(tmp_path / "dawn_v002.mp4")) == ("dawn", "v002")


def test_a_new_version_never_replaces_an_old_one(tmp_path):
    for expected in ("dawn_v001.mkv", "dawn_v002.mkv"):
        result = export(grey_frames(2), tmp_path / "dawn.mkv", rate=Fraction(24), new_version=True)
        assert result.output.name == expected
        assert result.sidecar.name == f"{expected}.json"


# Comparisons


def test_pictures_side_by_side_keep_their_numbers_and_have_labels(tmp_path):
    inputs = [np.full((3, 144, 256, 3), level, np.uint8) for level in (50, 100, 150, 200)]
    pictures, _ = compared(inputs, Comparison("side"), labels=list("abcd"), rate=Fraction(24))
    sheet = next(iter(pictures))
    assert sheet.shape == (292, 516, 3)
    assert [int(sheet[y, x, 0]) for y in (20, 170) for x in (100, 400)] == [50, 100, 150, 200]
    assert sheet[130:144, :20].max() > 200
    assert export(pictures, tmp_path / "a.mp4").num_frames == 3


def test_a_wipe_shows_each_picture_on_its_side_and_moves_over_all_of_both():
    inputs = [np.full((97, 144, 256, 3), level, np.uint8) for level in (50, 200)]
    moving = list(compared(inputs, Comparison("wipe"), rate=Fraction(24))[0])
    shares = [float((frame[20] == 50).mean()) for frame in moving]
    assert (shares[0], max(shares), shares[96]) == (0, pytest.approx(1, abs=0.01), 0)
    still = list(compared(inputs, Comparison("wipe", at=0.25), rate=Fraction(24))[0])
    assert all((frame[20, :60] == 50).all() and (frame[20, 70:] == 200).all() for frame in still)


def test_a_difference_is_grey_where_pictures_are_equal_and_grows_with_the_gain():
    other = GREY.copy()
    other[:72] += 10
    pictures, _ = compared([GREY[None], other[None]], Comparison("difference", gain=3), rate=Fraction(24))
    sheet = next(iter(pictures))
    assert (sheet[100, 300, 0], sheet[20, 300, 0], sheet[20, 20, 0]) == (128, 158, 100)


def test_inputs_that_do_not_go_together_are_told_apart(tmp_path):
    export(grey_frames(4), tmp_path / "a.mkv", rate=Fraction(24))
    export(grey_frames(6), tmp_path / "b.mkv", rate=Fraction(25))
    inputs = [tmp_path / "a.mkv", tmp_path / "b.mkv"]
    with pytest.raises(RequestError, match=r"the rates differ .*; state one for all"):
        compared(inputs, Comparison())
    pictures, _ = compared(inputs, Comparison(), rate=Fraction(24))
    assert pictures.num_frames == len(list(pictures)) == 4
    assert pictures.notes == ("the inputs have 4, 6 frames; the first 4 are compared",)
    for bad, words in (([inputs[0]], "inputs, not 1"), (inputs * 3, "takes 2 to 4")):
        with pytest.raises(RequestError, match=words):
            compared(bad, Comparison())
    with pytest.raises(RequestError, match="1 for 2 inputs"):
        compared(inputs, Comparison(), labels=["a"], rate=Fraction(24))
    with pytest.raises(RequestError, match="--layout"):
        Comparison("sied")


def test_small_takes_are_enlarged_by_whole_factors_so_that_labels_can_be_read():
    takes = [np.random.default_rng(seed).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8) for seed in (1, 2)]
    sheet = next(iter(compared(takes, Comparison("sheet"), rate=Fraction(24))[0]))
    assert sheet.shape == (256, 516, 3)
    assert (sheet[:200, :256] == takes[0][0].repeat(8, 0).repeat(8, 1)[:200]).all()


# Slates, sound and numbers stay in step


def test_a_slate_takes_the_number_and_the_timecode_before_the_first(tmp_path):
    burnt = {"slate": True, "timecode": "01:00:00:00", "rate": Fraction(24)}
    pictures = np.full((3, 144, 256, 3), 90, np.uint8)
    result = export(pictures, tmp_path / "out", made_by=Record(), **burnt)
    assert result.num_frames == 4
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [f"out.{1000 + i}.png" for i in range(4)]
    export(pictures, tmp_path / "a.mov", **burnt)
    header = read_header(tmp_path / "a.mov")
    assert header.num_frames == 4
    frames = [frame.rgb() for frame in read_movie(tmp_path / "a.mov")]
    assert np.abs(frames[1].astype(int) - 90).max() <= 2
    assert frames[0].max() > 200
