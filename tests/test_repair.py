"""`vidgan repair`: what is mended, that nothing else is, that no seam shows, and what it says to mistakes."""

import shutil
from fractions import Fraction
from itertools import pairwise

import numpy as np
import OpenImageIO as oiio
import pytest
import torch
from fake_repairers import GREY, Grey, MeanOfWindow, loaded
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.errors import MediaError, RequestError
from vidgan.media.metadata import read_texts
from vidgan.media.movie_writer import write_movie
from vidgan.media.movies import read_movie
from vidgan.media.plates import open_plates
from vidgan.media.sequences import frame_sequence_from_pattern
from vidgan.media.still_writer import StillLabels
from vidgan.media.stills import read_still, write_still
from vidgan.media.timecode import Timecode
from vidgan.nn.build import build_generator
from vidgan.review.holes import holes_of_boxes
from vidgan.review.repair_request import Wanted
from vidgan.review.repairs import Repair
from vidgan.sampling.repair import Mender, damage_in, deep_in, with_grain
from vidgan.sampling.stretches import (
    Part,
    View,
    first_needed,
    in_stretches,
    runs_of,
    stretches_around,
    stretches_of,
    weight_in_time,
)
from vidgan.sampling.windows import windows_over
from vidgan.weights import Provenance, save_generator

MADE = round((GREY + 1) * 127.5)
"""The level of 8 bits that `Grey` fills with."""

# ---- which parts are seen at once


@given(st.integers(1, 60), st.integers(1, 20))
def test_every_frame_is_in_a_stretch_and_neighbours_share_a_quarter(num_frames, length):
    stretches = stretches_of(num_frames, length)
    assert {frame for stretch in stretches for frame in stretch} == set(range(num_frames))
    assert all(len(stretch) == min(length, num_frames) for stretch in stretches)
    if length > 1:
        for one, other in pairwise(stretches):
            assert one.stop - other.start >= max(1, length // 4)


def test_faint_parts_of_what_is_found_are_found_and_what_is_faint_alone_is_not():
    logits = np.full((8, 12), -4.0)
    logits[2, 1:6], logits[2, 3] = -1.0, 2.0
    logits[3, 6] = -1.0  # touches it at a corner
    logits[6, 1:6] = -1.0
    found = np.zeros((8, 12), bool)
    found[2, 1:6] = found[3, 6] = True
    assert np.array_equal(damage_in(logits), found)
    assert not damage_in(np.full((4, 4), -4.0)).any()
    assert damage_in(np.full((4, 4), 4.0)).all()


@given(st.integers(3, 40), st.integers(3, 16), st.data())
def test_a_gap_is_seen_with_clean_frames_on_both_sides_where_there_are_some(num_frames, length, data):
    longest = min(length, num_frames) - 2
    start = data.draw(st.integers(1, num_frames - 2))
    gap = range(start, data.draw(st.integers(start + 1, min(start + longest, num_frames - 1))))
    (stretch,) = stretches_around([gap], num_frames, length)
    assert 0 <= stretch.start < gap.start
    assert gap.stop < stretch.stop <= num_frames


@given(st.lists(st.integers(0, 30), unique=True))
def test_runs_are_the_indices_themselves(indices):
    runs = runs_of(sorted(indices))
    assert [index for run in runs for index in run] == sorted(indices)
    assert all(one.stop < other.start for one, other in pairwise(runs))


@settings(max_examples=50)
@given(st.integers(3, 50), st.integers(3, 50), st.integers(4, 20), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_windows_hold_every_pixel_of_a_hole_with_a_margin_on_whole_steps(height, width, core, margin, seed):
    hole = np.random.default_rng(seed).random((height, width)) > 0.97
    counted = np.zeros((height, width), np.float32)
    for window in windows_over(hole, step=8, core=core, margin=margin):
        edges = (window.top, window.bottom, window.left, window.right)
        assert all(edge % 8 == 0 for edge in edges)
        assert window.bottom - window.top <= core + 2 * margin + 16
        weights = window.weights(height, width, max(margin, 1))
        counted[window.top : window.bottom, window.left : window.right] += weights
    assert (counted[hole] > 0.999).all()


def views_of(holes, level=0.5):
    return [View(np.full((*hole.shape, 3), level, np.float32), hole) for hole in holes]


def mender(network=None, *, size=16, seed=None, grain=0.0):
    return Mender((network or Grey()).eval(), height=size, width=size, seed=seed, grain=grain)


def filled(mender, views, first_frame=0):
    """float32 [3, T, H, W] of the views with what was made laid into them."""
    top, left, video = mender.fill(views, first_frame)
    result = np.stack([view.picture for view in views]).transpose(3, 0, 1, 2)
    result[:, :, top : top + video.shape[2], left : left + video.shape[3]] = video
    return result


@pytest.mark.parametrize("shape", [(40, 56), (5, 7), (16, 16), (17, 33)])
def test_a_hole_is_filled_at_any_size_smaller_than_the_model_too_and_nothing_else_is_touched(shape):
    hole = np.zeros(shape, bool)
    hole[1:4, 2:5] = True
    views = views_of([hole, ~np.ones(shape, bool), hole])
    made = filled(mender(), views, 0)
    assert made.shape == (3, 3, *shape)
    assert np.allclose(made[:, 0][:, hole], (GREY + 1) / 2)
    assert (made[:, 0][:, ~hole] == 0.5).all()
    assert (made[:, 1] == 0.5).all()


def test_beyond_the_edge_of_the_picture_nothing_is_taken_for_clean():
    hole = np.zeros((5, 7), bool)
    hole[3:, 4:] = True
    made = filled(mender(MeanOfWindow()), views_of([hole], level=0.9), 0)
    assert np.allclose(made, 0.9)


def test_clean_frames_stay_as_they_are():
    clean = np.zeros((8, 8), bool)
    assert (filled(mender(), views_of([clean, clean]), 0) == 0.5).all()


def test_a_hole_too_large_to_see_around_is_mended_at_half_the_size_first_and_its_middle_stays():
    sizes = []

    class Watched(Grey):
        def forward(self, video, hole, grain, noise):
            sizes.append(float(hole.sum()))
            return super().forward(video, hole, grain, noise)

    hole = np.zeros((64, 64), bool)
    hole[16:48, 16:48] = True  # reach is 4 pixels: 32 -> 16 -> 8
    made = filled(mender(Watched()), views_of([hole]), 0)
    assert np.allclose(made[:, 0][:, hole], (GREY + 1) / 2)
    assert len(sizes) == 3
    assert sizes[-1] == 32 * 32 - 24 * 24


def test_what_is_clean_at_another_time_is_not_too_deep():
    hole = torch.ones(1, 4, 20, 20)
    assert deep_in(hole, 4).all()
    hole[:, 2, :, :3] = 0  # at one moment, the left columns
    deep = deep_in(hole, 4)
    assert deep[:, [0, 1, 3], :, 3:].all()
    assert not deep[..., :3].any()
    assert not deep[:, 2, :, :7].any()
    hole[:, 2] = 0
    assert not deep_in(hole, 4).any()
    hole = torch.zeros(1, 2, 20, 20)
    hole[..., 2:18, 2:18] = 1
    assert deep_in(hole, 4)[0, 0].nonzero().amin(0).tolist() == [6, 6]


# ---- no seam


def test_no_seam_in_space_between_windows():
    """Each window fills with another grey; inside the hole one goes over into the other over the margin."""
    ramp = np.linspace(0, 1, 160, dtype=np.float32)
    picture = np.broadcast_to(ramp[None, :, None], (48, 160, 3)).copy()
    hole = np.zeros((48, 160), bool)
    hole[20:24, 10:150] = True
    made = filled(mender(MeanOfWindow(), size=32), [View(picture, hole)], 0)[0, 0]
    row = made[21, 10:150]
    assert row.max() - row.min() > 0.25  # there are several windows
    assert np.abs(np.diff(row)).max() < 1.5 * (row.max() - row.min()) / 16  # a ramp over the margin of 16 pixels


def in_order(make, stretches, num_frames, holes, first=0):
    start = first_needed(stretches, first)
    views = iter(views_of(holes)[start:])
    return [made for _, made in in_stretches(views, stretches, num_frames, make, first=first)]


def test_no_seam_in_time_between_stretches():
    """Each stretch fills with the index of its first frame; frames they share go over in a straight line."""
    hole = np.ones((2, 2), bool)
    stretches = stretches_of(40, 16)
    made = in_order(
        lambda views, first: Part(0, 0, torch.full((1, len(views), 2, 2), float(first))), stretches, 40, [hole] * 40
    )
    values = np.array([frame[0, 0, 0] for frame in made])
    assert values[0] == 0
    assert values[-1] == 24
    assert np.allclose(values[12:16], 12 * np.array([1, 2, 3, 4]) / 5)
    assert np.diff(values).max() <= 12 / 5 + 1e-5


def test_work_that_was_interrupted_goes_on_the_same_at_any_frame_and_clean_stretches_cost_nothing():
    holes = [np.full((2, 2), 17 <= frame < 25) for frame in range(60)]
    calls = []

    def make(views, first):
        calls.append(first)
        values = torch.arange(first, first + len(views)).float() * (first + 1)
        return Part(0, 0, values.view(1, -1, 1, 1).expand(1, -1, 2, 2))

    stretches = stretches_of(60, 16)
    whole = in_order(make, stretches, 60, holes)
    assert calls == [12, 24]
    assert [made is not None for made in whole] == [bool(hole.any()) for hole in holes]
    for first in (0, 13, 18, 24, 27, 59):
        rest = in_order(make, stretches, 60, holes, first)
        assert len(rest) == 60 - first
        for one, other in zip(whole[first:], rest, strict=True):
            assert (one is None and other is None) or (one == other).all()


def test_no_more_than_a_stretch_of_frames_is_held():
    taken = 0

    def views():
        nonlocal taken
        while True:
            taken += 1
            yield View(np.zeros((1, 1, 3), np.float32), np.ones((1, 1), bool))

    def make(seen, _):
        return Part(0, 0, torch.zeros(1, len(seen), 1, 1))

    given_back = in_stretches(views(), stretches_of(200, 16), 200, make)
    for index, _ in enumerate(given_back, 1):
        assert taken - index < 16 + 4


def test_alternatives_are_the_same_wherever_a_window_or_a_stretch_begins():
    hole = np.zeros((64, 64), bool)
    hole[30:34, 30:34] = True
    wide = hole.copy()
    wide[2, 2] = True  # the window begins elsewhere
    one = filled(mender(seed=3), views_of([hole] * 4), 0)[:, 2][:, hole]
    other = filled(mender(seed=3), views_of([wide] * 2), 2)[:, 0][:, hole]
    assert np.allclose(one, other, atol=1e-6)
    assert not np.allclose(one, filled(mender(seed=4), views_of([hole] * 4), 0)[:, 2][:, hole])
    assert np.allclose(filled(mender(), views_of([hole]), 0)[:, 0][:, hole], (GREY + 1) / 2)


def test_grain_is_as_strong_as_asked_and_belongs_to_its_seed_and_frame():
    flat = np.full((64, 64, 3), 0.5, np.float32)
    grainy = with_grain(flat, 8 / 255, seed=1, frame=7)
    assert (grainy - flat).std() * 255 == pytest.approx(8, rel=0.05)
    assert abs((grainy - flat).mean()) < 0.003
    assert (grainy == with_grain(flat, 8 / 255, seed=1, frame=7)).all()
    assert (grainy != with_grain(flat, 8 / 255, seed=1, frame=8)).any()


# ---- files


def pictures(num_frames=6, height=24, width=32):
    """Dark, never as bright as what is damaged."""
    return np.random.default_rng(0).integers(0, 120, (num_frames, height, width, 3), np.uint8)


@pytest.fixture
def plates(tmp_path, monkeypatch):
    """`in/shot.1001.png` to 1006, `in.mkv` with the same frames, and `mask.png`; `Grey` is what mends."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for index, frame in enumerate(pictures()):
        write_still(tmp_path / "in" / f"shot.{1001 + index}.png", frame)
    write_movie(tmp_path / "in.mkv", pictures(), rate=Fraction(24))
    mask = np.zeros((24, 32, 1), np.uint8)
    mask[8:16, 10:20] = 255
    write_still(tmp_path / "mask.png", mask)
    return tmp_path


def repaired(input, output, *, network=None, model=None, **wanted):
    job = Repair(model or loaded(network), input, output, Wanted(**wanted))
    return job.write()


def frames_of(pattern):
    return np.stack([read_still(path).rgb for path in frame_sequence_from_pattern(pattern).paths()])


def test_a_masked_sequence_is_filled_in_its_hole_alone_under_its_own_names(plates):
    repaired("in", "out/shot.####.png", mask="mask.png")
    made, before = frames_of("out/shot.####.png"), pictures()
    assert frame_sequence_from_pattern("out/shot.####.png").numbers == tuple(range(1001, 1007))
    hole = read_still("mask.png").rgb[..., 0] > 0
    assert (made[:, hole] == MADE).all()
    assert (made[:, ~hole] == before[:, ~hole]).all()


def test_frames_whose_hole_is_empty_are_copied_byte_for_byte(plates):
    masks = np.zeros((6, 24, 32, 1), np.uint8)
    masks[2, 5:9, 5:9] = 255
    write_movie(plates / "masks.mkv", masks, rate=Fraction(24))
    repaired("in/shot.####.png", "out", mask="masks.mkv")
    same = [
        (plates / "in" / f"shot.{number}.png").read_bytes() == (plates / "out" / f"shot.{number}.png").read_bytes()
        for number in range(1001, 1007)
    ]
    assert same == [True, True, False, True, True, True]


def test_a_movie_is_filled_and_nothing_else_of_it_changes(plates):
    result = repaired("in.mkv", "out.mkv", boxes=("0:2,2,8,8 5:12,2,8,8",))
    assert result.notes == ()
    for index, frame in enumerate(read_movie("out.mkv")):
        left = 2 + 2 * index
        made, before = frame.rgb(), pictures()[index].copy()
        assert (made[4:8, left + 2 : left + 6] == MADE).all()
        made[2:10, left : left + 8] = before[2:10, left : left + 8] = 0
        assert (made == before).all()


def test_missing_numbers_are_found_and_made_and_a_list_of_frames_is_made_anew(plates):
    (plates / "in" / "shot.1003.png").unlink()
    repaired("in", "out/shot.####.png", missing="gaps")
    made = frames_of("out/shot.####.png")
    assert (made[2] == MADE).all()
    assert (made[[0, 1, 3, 4, 5]] == pictures()[[0, 1, 3, 4, 5]]).all()
    repaired("in.mkv", "out.mkv", missing="1,3-4")
    levels = [(frame.rgb() == MADE).all() for frame in read_movie("out.mkv")]
    assert levels == [False, True, False, True, True, False]


def test_a_made_frame_has_the_header_of_the_one_before_but_for_its_timecode(plates):
    timecode = Timecode.parse("01:00:00:00", Fraction(24))
    for number in (1, 2, 4):
        labels = StillLabels(timecode=timecode.plus(number), rate=Fraction(24), clip="shot")
        write_still(f"e.{number}.exr", np.full((16, 16, 3), 0.2, np.float32), labels=labels)
    result = repaired("e.#.exr", "out/e.#.exr", missing="gaps")
    texts = [read_texts(f"out/e.{number}.exr") for number in (2, 3, 4)]
    assert [text["clipname"] for text in texts] == ["shot"] * 3
    headers = [oiio.ImageInput.open(f"out/e.{number}.exr").spec() for number in (2, 3, 4)]
    assert [header.getattribute("smpte:TimeCode") is None for header in headers] == [False, True, False]
    assert any("no timecode" in note for note in result.notes)


def test_damage_is_found_and_its_masks_can_be_corrected_and_given_back(plates):
    damaged = pictures()
    damaged[1, 5:8, 6:9] = 255
    damaged[4, 15, 20:22] = 255
    for index, frame in enumerate(damaged):
        write_still(plates / "in" / f"shot.{1001 + index}.png", frame)
    result = repaired("in", "out/shot.####.png", find=True)
    assert result.masks.as_posix() == "out/shot_masks/shot.####.png"
    masks = frames_of(result.masks)[..., 0] > 0
    assert (masks == (damaged == 255).all(-1)).all()
    assert frame_sequence_from_pattern(result.masks).numbers == tuple(range(1001, 1007))
    made = frames_of("out/shot.####.png")
    assert (made[~masks] == damaged[~masks]).all()
    assert (made[masks] < 200).all()
    write_still("out/shot_masks/shot.1002.png", np.zeros((24, 32, 1), np.uint8))  # a person says: this is no dust
    repaired("in", "corrected/shot.####.png", mask="out/shot_masks/shot.####.png")
    again = frames_of("corrected/shot.####.png")
    assert (again[1] == damaged[1]).all()
    assert (again[4] == made[4]).all()


def test_where_no_damage_is_found_everything_is_copied_and_it_is_said(plates):
    assert "no damage was found" in repaired("in", "out/shot.####.png", find=True).notes
    assert (frames_of("out/shot.####.png") == pictures()).all()


def test_grain_is_taken_off_everywhere_and_given_back(plates):
    repaired("in", "clean/shot.####.png", degrain=8.0)
    expected = np.clip(pictures().astype(int) - 8, 0, 255)
    assert np.abs(frames_of("clean/shot.####.png").astype(int) - expected).max() <= 1
    repaired("in", "grainy/shot.####.png", degrain=8.0, regrain=5.0)
    grain = frames_of("grainy/shot.####.png").astype(int) - expected
    assert grain[expected > 30].std() == pytest.approx(5, rel=0.1)


def test_a_still_is_repaired_under_its_own_name(plates):
    repaired("in/shot.1001.png", "one.png", mask="mask.png", model=loaded(num_frames=1))
    assert (read_still("one.png").rgb[10:14, 12:18] == MADE).all()


@pytest.mark.parametrize("find", [False, True])
def test_an_interrupted_sequence_goes_on_and_equals_one_that_was_not(find, plates):
    asked = {"find": True} if find else {"boxes": ("4,4,12,12",), "seed": 2}
    damaged = pictures(14)
    damaged[:, 6:9, 7:9] = 255
    for index, frame in enumerate(damaged):
        write_still(plates / "in" / f"shot.{1001 + index}.png", frame)
    repaired("in", "whole/shot.####.png", **asked)

    def stopped(done, total):
        if done == total // 2 + 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Repair(loaded(), "in", "out/shot.####.png", Wanted(**asked)).write(stopped)
    there = list((plates / "out").glob("shot.*.png"))
    assert 0 < len(there) < 14
    times = {path: path.stat().st_mtime_ns for path in there}
    repaired("in", "out/shot.####.png", **asked)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    for path in (plates / "whole").glob("shot.*.png"):
        assert (plates / "out" / path.name).read_bytes() == path.read_bytes()


def test_what_another_command_began_is_not_gone_on_with(plates):
    repaired("in", "out/shot.####.png", boxes=("4,4,8,8",))
    with pytest.raises(RequestError, match="made by another command"):
        repaired("in", "out/shot.####.png", boxes=("4,4,8,9",))
    write_still("mask.png", np.full((24, 32, 1), 255, np.uint8) * (np.arange(32) < 9)[None, :, None].astype(np.uint8))
    job = Repair(loaded(), "in", "other/shot.####.png", Wanted(mask="mask.png"))
    job.write()
    assert Repair(loaded(), "in", "other/shot.####.png", Wanted(mask="mask.png")).finished
    corrected = np.zeros((24, 32, 1), np.uint8)
    corrected[3:5, 3:5] = 255
    write_still("mask.png", corrected)
    with pytest.raises(RequestError, match="made by another command"):
        Repair(loaded(), "in", "other/shot.####.png", Wanted(mask="mask.png"))


def test_boxes_move_in_straight_lines_between_key_frames_and_stand_still_beyond(plates):
    holes = list(holes_of_boxes(["1002:0,0,4,4 1004:8,4,8,4"], open_plates("in")).frames())
    corners = [np.argwhere(hole)[[0, -1]].ravel().tolist() for hole in holes]
    assert corners[0] == corners[1] == [0, 0, 3, 3]
    assert corners[2] == [2, 4, 5, 9]
    assert corners[3] == corners[5] == [4, 8, 7, 15]


# ---- the command


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of the real network that have learnt nothing, and those of a generator."""
    folder = tmp_path_factory.mktemp("weights")
    model = loaded(size=16, num_frames=4).provenance.config
    for name, config in (
        ("mends", model),
        ("makes", model.model_copy(update={"model": model.model.model_copy(update={"family": "conv3d"})})),
        ("stills", model.model_copy(update={"data": model.data.model_copy(update={"num_frames": 1})})),
    ):
        torch.manual_seed(0)
        network = build_generator(config, 0)
        save_generator(folder / f"{name}.safetensors", network, Provenance(config, None, (), "0" * 64, 0))
    return folder


@pytest.fixture
def folder(plates, weights):
    for path in weights.iterdir():
        shutil.copy(path, plates)
    for count, name in ((5, "short"), (6, "empty"), (6, "full")):
        masks = np.full((count, 24, 32, 1), 255 if name == "full" else 0, np.uint8)
        masks[0, 3, 3] = 255 if name != "empty" else 0
        write_movie(plates / f"{name}.mkv", masks, rate=Fraction(24))
    masks = np.zeros((6, 24, 32, 1), np.uint8)
    masks[:, 3, 3] = 255
    write_movie(plates / "slow.mkv", masks, rate=Fraction(12))
    write_still(plates / "small.png", np.full((8, 8, 1), 255, np.uint8))
    write_still(plates / "in.jpg", pictures(1)[0])
    (plates / "gap").mkdir()
    for number in (1001, 1002, 1009, 1010):
        shutil.copy(plates / "in" / "shot.1001.png", plates / "gap" / f"shot.{number}.png")
    return plates


def vidgan(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


MISTAKES = [
    ("in out --mask small.png", "small.png: masks are 8x8, shot.####.png is 32x24 (width x height)"),
    ("in.mkv out.mkv --mask slow.mkv", "slow.mkv: masks have 12 frames a second, in.mkv has 24"),
    ("in out --mask short.mkv", "short.mkv: 5 masks for 6 frames of shot.####.png (expected as many, or one for all)"),
    ("in out --mask empty.mkv", "empty.mkv: is empty in all 6 frames"),
    ("in out --mask full.mkv", "full.mkv: covers every pixel of every frame"),
    ("in out --mask nowhere.png", "nowhere.png: no such file"),
    ("in out --box 1,2,3", '--box "1,2,3" is no box (expected x,y,width,height'),
    ("in out --box 90,2,3,4", "--box 90,2,3,4: is empty in all 6 frames"),
    ("in out --box 0,0,99,99", "--box 0,0,99,99: covers every pixel"),
    ("in out --box 1009:1,1,2,2", "--box: there is no frame 1009; shot.####.png has 1001 to 1006"),
    ("in out --missing 1003,1007", "--missing: there is no frame 1007; shot.####.png has 1001 to 1006"),
    ("in out --missing 1003-1001", '--missing "1003-1001" is no frame'),
    ("in out --missing gaps", "--missing gaps: no frame number is missing in shot.####.png"),
    ("in out --missing 1001-1006", "6 frames in a row are to be made; these weights see 4 frames at once"),
    ("gap out --missing gaps", "6 frames in a row are to be made; these weights see 4 frames at once"),
    ("gap out --box 1,1,2,2", "frame numbers are missing (1003, 1004, 1005, 1006, 1007, 1008); fill them first"),
    ("in out", "none is asked for (expected one of --mask, --box, --missing, --find, --degrain"),
    ("in out --find --degrain 5", "--find and --degrain is asked for"),
    ("in out --degrain 200", "--degrain is 200 levels, more than these weights have learnt (at most 51)"),
    ("in.mkv in.mkv --box 1,1,2,2", "in.mkv: is the input"),
    ("in.mkv in/shot.1001.png --box 1,1,2,2", "the input is a movie; name the output .mov, .mp4 or .mkv"),
    ("in.mkv short.mkv --box 1,1,2,2", "short.mkv: exists, made by another command"),
    ("in one.png --box 1,1,2,2", "one.png: is one file for 6 frames; write one.####.png"),
    ("in.jpg out.jpg --box 1,1,2,2", "in.jpg: .jpg changes every pixel when it is written; name the output .png"),
    ("in out --box 1,1,2,2 --seeds x", '"x" is not a seed'),
    ("in out --degrain 5 --seeds 1-2", "--seeds are alternatives for what is made anew, and --degrain makes nothing"),
    ("in out --missing 1003 --grow 2", "--grow widens masks, boxes and what is found"),
    ("in out --box 1,1,2,2 --rate 24", "--rate is that of --compare"),
    ("in out --box 1,1,2,2 --exposure -2", "shot.1001.png: is display-referred, and --exposure is of light"),
    ("in out --box 1,1,2,2 --layer beauty", "shot.1001.png: has no layers"),
    ("in.mkv out.mkv --box 1,1,2,2 --exposure -2", "in.mkv: movies are mended in their own colours"),
    ("in out --box 1,1,2,2 --compare c.mp4", "--compare c.mp4: shot.####.png has no rate; state it (--rate 24)"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_a_mistake_is_one_line_that_says_what_was_found_and_what_was_expected(words, said, folder):
    result = vidgan("repair", "mends.safetensors", *words.split())
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_weights_that_make_clips_are_refused_and_those_of_stills_cannot_fill_gaps(folder):
    result = vidgan("repair", "makes.safetensors", "in", "out", "--box", "1,1,2,2")
    assert result.exit_code == 2
    assert "makes clips; `vidgan repair` needs" in result.stderr
    result = vidgan("repair", "stills.safetensors", "in", "out", "--missing", "1003")
    assert "these weights see 1 frames at once and can fill 0 in a row" in result.stderr


def test_the_command_writes_alternatives_a_sheet_and_a_comparison_and_does_nothing_twice(folder):
    words = ["repair", "mends.safetensors", "in.mkv", "out.mkv", "--box", "4,4,10,10", "--seeds", "1-2"]
    result = vidgan(*words, "--compare", "both.mp4")
    assert result.exit_code == 0, result.output
    made = [np.stack([frame.rgb() for frame in read_movie(f"out_seed000{seed}.mkv")]) for seed in (1, 2)]
    assert (made[0] != made[1]).any()
    assert read_still("out_sheet.png").rgb.shape[0] > 4 * 100
    assert next(read_movie("both.mp4")).rgb().shape[1] > 3 * 32
    result = vidgan(*words)
    assert result.exit_code == 2
    assert "exists, made by this very command; --overwrite makes it again" in result.stderr
    assert vidgan(*words, "--overwrite").exit_code == 0


def test_a_sidecar_says_what_mended(folder):
    vidgan("repair", "mends.safetensors", "in", "out/shot.####.png", "--box", "4,4,10,10")
    said = vidgan("info", "out/shot.1001.png").output
    assert "compositeWithTrainedAlgorithmicMedia" in said
    assert "weights" in said


def test_a_sequence_whose_sizes_differ_is_refused_by_name(plates):
    write_still("in/shot.1004.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(MediaError, match=r"shot\.1004\.png: is 8x8 \(width x height\), the first frame 32x24"):
        repaired("in", "out/shot.####.png", boxes=("1,1,4,4",))


def test_weights_in_time_meet_in_a_straight_line():
    one, other = range(0, 8), range(4, 12)
    assert [weight_in_time(one, frame) for frame in range(8)] == [1, 2, 3, 4, 4, 3, 2, 1]
    assert all(weight_in_time(one, frame) + weight_in_time(other, frame) == 5 for frame in range(4, 8))
