"""`vidgan scan`: a table, a JSON file and a page of what a folder holds; what is set aside, left out and resampled."""

import json
import os
import re
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.config import DataConfig
from vidgan.errors import ConfigError
from vidgan.footage.prepare import prepare_footage
from vidgan.footage.scan import scan_footage
from vidgan.footage.select import resampled, select_shots
from vidgan.footage.shots import Scan
from vidgan.media.movie_writer import write_movie
from vidgan.review.scan_table import scan_totals


def run(*arguments):
    return CliRunner().invoke(app, ["scan", *map(str, arguments)], env={"COLUMNS": "250"})


def moving(seed, num_frames=20):
    """Frames uint8 [T, 8, 8, 3] in which every pixel changes."""
    return np.random.default_rng(seed).integers(30, 255, (num_frames, 8, 8, 3), dtype=np.uint8)


def many_shots(folder, seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        write_movie(folder / f"{seed:03d}.mkv", moving(seed), rate=Fraction(24))


# The command


def test_the_table_says_of_each_shot_what_it_is_and_of_everything_else_why_not(footage):
    write_movie(footage.path("fire/a.mkv"), moving(1), rate=Fraction(24000, 1001))
    footage.path("fire/b.mov").write_text("no movie")
    result = run(footage.root)
    assert result.exit_code == 0
    row = next(line for line in result.output.splitlines() if "fire/a.mkv" in line)
    assert row.split()[:9] == ["fire/a.mkv", "0", "20", "20", "24000/1001", "8x8", "1", "0.83", "8"]
    assert "ffv1" in row
    assert "fire/b.mov: is not a movie" in result.output
    assert "1 shots, 0.0 minutes" in result.output


def test_the_totals_are_those_of_the_chosen_length_and_stride(footage):
    write_movie(footage.path("a.mkv"), moving(1, 20), rate=Fraction(24))
    data = DataConfig(num_frames=4, frame_stride=3, height=16, width=32, holdout=0)
    totals = scan_totals(scan_footage(footage.root, data), data)
    assert totals.num_clips == {"train": 11, "holdout": 0}  # a clip spans 10 of 20 frames
    assert totals.prepared_bytes == 20 * 16 * 32 * 3
    assert totals.seconds == Fraction(20, 24)
    assert totals.prepare_seconds > 0
    output = run(footage.root, "data.num_frames=4", "data.frame_stride=3", "data.holdout=0").output
    assert "clips of 4 frames, stride 3: 11 for train, 0 for holdout" in output


def test_the_json_is_the_model_and_names_every_file_relative_to_the_folder(footage, tmp_path):
    write_movie(footage.path("fire/a.mkv"), moving(1), rate=Fraction(24000, 1001))
    footage.stills("seq/s.%04d.png", [1001, 1002, 1005])
    footage.path("b.mov").write_text("no movie")
    assert run(footage.root, "--json", tmp_path / "scan.json").exit_code == 0
    text = (tmp_path / "scan.json").read_text()
    assert str(footage.root) not in text
    tree = json.loads(text)
    assert set(tree) == {"version", "shots", "notes"}
    first = tree["shots"][0]
    assert {"source", "first", "num_frames", "rate", "height", "width", "pixel_aspect", "codec"} <= set(first)
    assert {"bit_depth", "color", "class", "split", "notes"} <= set(first)
    assert (first["source"], first["rate"], first["class"], first["pixel_aspect"]) == (
        "fire/a.mkv",
        "24000/1001",
        "fire",
        "1",
    )
    assert [note["source"] for note in tree["notes"]] == ["b.mov"]
    scan = Scan.model_validate_json(text)
    assert [(shot.source, shot.first, shot.num_frames) for shot in scan.shots[1:]] == [
        ("seq/s.####.png", 1001, 2),
        ("seq/s.####.png", 1005, 1),
    ]


def test_the_page_holds_everything_in_one_file(footage, tmp_path):
    write_movie(footage.path("fire/a <b>.mkv"), moving(1), rate=Fraction(24))
    footage.path("b.mov").write_text("no movie")
    assert run(footage.root, "--html", tmp_path / "scan.html").exit_code == 0
    page = (tmp_path / "scan.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3  # first, middle and last frame
    assert "fire/a &lt;b&gt;.mkv" in page
    assert "b.mov" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_a_folder_of_which_nothing_is_usable_has_exit_code_1(footage):
    footage.path("b.mov").write_text("no movie")
    result = run(footage.root)
    assert result.exit_code == 1
    assert "b.mov: is not a movie" in result.output


def test_a_folder_that_is_missing_is_a_mistake_in_one_line(tmp_path):
    result = run(tmp_path / "gone")
    assert result.exit_code == 2
    assert "no such folder" in result.output + result.stderr


def test_an_unknown_colour_space_is_a_mistake_and_not_a_note(footage):
    footage.stills("s.%04d.png", [1, 2])
    with pytest.raises(ConfigError, match="ACEScgg"):
        scan_footage(footage.root, DataConfig(color_space={"*.png": "ACEScgg"}))


# Split, duplicates, cuts


def test_about_the_stated_share_of_shots_is_set_aside(tmp_path):
    many_shots(tmp_path / "show", range(60))
    splits = [shot.split for shot in scan_footage(tmp_path / "show", DataConfig(holdout=0.5)).shots]
    assert 18 <= splits.count("holdout") <= 42
    assert all(shot.split == "train" for shot in scan_footage(tmp_path / "show", DataConfig(holdout=0)).shots)


def test_adding_renaming_and_moving_footage_moves_no_shot_to_the_other_side(tmp_path):
    many_shots(tmp_path / "show", range(20))
    data = DataConfig(holdout=0.4)
    before = {shot.content_hash: shot.split for shot in scan_footage(tmp_path / "show", data).shots}
    assert len(set(before.values())) == 2
    many_shots(tmp_path / "show" / "more", range(20, 40))
    (tmp_path / "show" / "003.mkv").rename(tmp_path / "show" / "renamed.mkv")
    (tmp_path / "show").rename(tmp_path / "elsewhere")
    after = {shot.content_hash: shot.split for shot in scan_footage(tmp_path / "elsewhere", data).shots}
    assert len(after) == 40
    assert {key: after[key] for key in before} == before


def test_training_and_evaluation_share_no_shot_and_leave_none_out(tmp_path):
    many_shots(tmp_path / "show", range(20))
    data = DataConfig(holdout=0.4, num_frames=4)
    scan = scan_footage(tmp_path / "show", data)
    train, holdout = (select_shots(scan, data, split=split) for split in ("train", "holdout"))
    names = [[chosen.shot.source for chosen in selection.shots] for selection in (train, holdout)]
    assert sorted(names[0] + names[1]) == [f"{seed:03d}.mkv" for seed in range(20)]
    assert (train.num_set_aside, holdout.num_set_aside) == (len(names[1]), len(names[0]))


def test_a_class_that_would_be_set_aside_altogether_is_trained_on(tmp_path):
    many_shots(tmp_path / "show" / "fire", [1])
    many_shots(tmp_path / "show" / "walk", range(10, 20))
    data = DataConfig(holdout=0.999999, num_frames=4, classes="folders")
    scan = scan_footage(tmp_path / "show", data)
    assert {shot.split for shot in scan.shots} == {"holdout"}
    assert select_shots(scan, data).class_names == ("fire", "walk")


def test_shots_that_are_equal_in_every_frame_are_used_once(footage):
    write_movie(footage.path("a/take.mkv"), moving(1), rate=Fraction(24))
    shutil.copy(footage.path("a/take.mkv"), footage.path("b_copy.mkv"))
    changed = moving(1)
    changed[7, 3, 3, 1] ^= 1
    write_movie(footage.path("c_other.mkv"), changed, rate=Fraction(24))
    scan = scan_footage(footage.root)
    assert [shot.source for shot in scan.shots] == ["a/take.mkv", "c_other.mkv"]
    (note,) = scan.notes
    assert note.source == "b_copy.mkv"
    assert "the same as a/take.mkv from 0, left out as a duplicate" in note.reason
    assert len(scan_footage(footage.root, DataConfig(leave_out=())).shots) == 3


def test_no_clip_crosses_a_cut(footage):
    day, night = np.full((24, 64, 64, 3), 40, np.uint8), np.full((24, 64, 64, 3), 40, np.uint8)
    day[:, :30, :, :], night[:, :, 40:, :] = 220, 180
    grain = np.random.default_rng(0).integers(0, 12, (48, 64, 64, 1), dtype=np.uint8)
    write_movie(footage.path("edit.mkv"), np.concatenate([day, night]) + grain, rate=Fraction(24))
    shots = scan_footage(footage.root).shots
    assert [(shot.first, shot.num_frames) for shot in shots] == [(0, 24), (24, 24)]
    assert all("part of a movie with 1 cut" in shot.notes for shot in shots)
    (uncut,) = scan_footage(footage.root, DataConfig(cuts="none")).shots
    assert uncut.num_frames == 48
    assert "48" in run(footage.root, "--no-cuts").output


def test_a_cut_threshold_can_be_stated(footage):
    day, night = moving(1, 24), moving(2, 24)
    write_movie(footage.path("edit.mkv"), np.concatenate([day // 8, night // 8 + 200]), rate=Fraction(24))
    settings = {"cuts": "content", "leave_out": ()}
    assert len(scan_footage(footage.root, DataConfig(**settings, cut_threshold=250)).shots) == 1


# Rates


def test_blending_mixes_the_two_frames_next_to_a_moment():
    times = [Fraction(0), Fraction(1, 25), Fraction(2, 25)]
    frames, blends = resampled(times, Fraction(3, 25), Fraction(50), blend=True)
    assert frames == (0, 0, 1, 1, 2, 2)
    assert blends == (0, Fraction(1, 2), 0, Fraction(1, 2), 0, 0)


def test_a_slide_show_or_a_rate_that_lies_low_is_refused_before_it_fills_the_memory(footage):
    footage.movie("a.mkv", 20, rate=24)
    footage.movie("b.mkv", [0, 100, 200, 50], rate=Fraction(1, 512))
    data = DataConfig(num_frames=4, leave_out=(), holdout=0)
    selection = select_shots(scan_footage(footage.root, data), data)
    assert [(note.source, note.reason) for note in selection.notes] == [
        ("b.mkv", "its frames are 512 seconds apart: a slide show, or its header is damaged")
    ]


def test_a_blended_shot_holds_the_mixed_levels(footage):
    footage.movie("a.mkv", [0, 100, 200, 50], rate=25)
    data = DataConfig(height=8, width=8, num_frames=4, rate=50, other_rates="blend", leave_out=(), holdout=0)
    selection = select_shots(scan_footage(footage.root, data), data)
    (frames,) = prepare_footage(selection, data).frames
    assert frames[:, 0, 0, 0].tolist() == [0, 50, 100, 150, 200, 125, 50, 50]


# Stated pictures


def test_a_pattern_states_the_colour_space_of_some_files_and_the_scan_says_so(footage):
    write_movie(footage.path("log/a.mkv"), moving(1), rate=Fraction(24))
    write_movie(footage.path("b.mkv"), moving(2), rate=Fraction(24))
    data = DataConfig(color_space={"log/*": "ARRI LogC4"}, holdout=0, num_frames=4)
    b, a = scan_footage(footage.root, data).shots
    assert "colours are read as ARRI LogC4, as the config states" in a.notes
    assert not any("ARRI" in note for note in b.notes)
    plain = DataConfig(holdout=0, num_frames=4)
    stated = prepare_footage(select_shots(scan_footage(footage.root, data), data), data).frames
    believed = prepare_footage(select_shots(scan_footage(footage.root, plain), plain), plain).frames
    assert (stated[0] == believed[0]).all()
    assert (stated[1] != believed[1]).any()


def test_another_exposure_makes_other_frames_of_scene_linear_stills(footage):
    import OpenImageIO as oiio

    for number in range(4):
        path = footage.path(f"s.{number:04d}.exr")
        spec = oiio.ImageSpec(8, 8, 3, "half")
        out = oiio.ImageOutput.create(str(path))
        out.open(str(path), spec)
        out.write_image(np.full((8, 8, 3), 0.05 * (number + 1), np.float32))
        out.close()
    darker, brighter = (
        DataConfig(rate=24, num_frames=4, holdout=0),
        DataConfig(rate=24, num_frames=4, holdout=0, exposure=1),
    )
    frames = [
        prepare_footage(select_shots(scan_footage(footage.root, data), data), data).frames[0][:, 0, 0, 0].tolist()
        for data in (darker, brighter)
    ]
    linear = np.array([[0.05, 0.1, 0.15, 0.2], [0.1, 0.2, 0.3, 0.4]])
    expected = np.rint(255 * (1.055 * linear ** (1 / 2.4) - 0.055))
    assert np.abs(np.array(frames) - expected).max() <= 1


def test_the_environment_of_the_caller_reaches_the_workers(footage, monkeypatch, tmp_path):
    """A studio's own OpenColorIO config is named by $OCIO."""
    footage.stills("s.%04d.png", [1, 2])
    monkeypatch.setenv("OCIO", str(tmp_path / "gone.ocio"))
    with pytest.raises(ConfigError, match=r"gone\.ocio"):
        scan_footage(footage.root, DataConfig(color_space={"*.png": "ACEScg"}))
    assert os.environ["OCIO"].startswith(str(Path(tmp_path)))
