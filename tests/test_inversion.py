"""Takes found for clips and pictures: near them, moving like them, and takes like any other."""

import json
from fractions import Fraction

import numpy as np
import pytest
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.config import DataConfig
from vidgan.errors import RequestError
from vidgan.footage.prepare import prepare_footage
from vidgan.footage.read_clip import read_clip
from vidgan.footage.scan import scan_footage
from vidgan.footage.select import select_shots
from vidgan.media.movie_writer import write_movie
from vidgan.media.stills import write_still
from vidgan.sampling.invert import invert
from vidgan.sampling.render import generate
from vidgan.sampling.take import load_take, seed_take
from vidgan.weights import load_generator


@pytest.fixture(scope="module")
def loaded():
    return load_generator("demo")


@pytest.fixture(scope="module")
def walking(loaded):
    """A clip that the generator can make, so that an inversion has an answer."""
    return generate(loaded, [seed_take(loaded, 100, 4, num_frames=8).model_copy(update={"hold": True})])[0]


@pytest.fixture(scope="module")
def found(loaded, walking):
    return invert(loaded, walking, classes={"walk": 1.0}, updates=60)


def test_what_is_found_is_nearer_than_any_start_and_moves_as_much(loaded, walking, found):
    others = generate(loaded, [seed_take(loaded, seed, 4, num_frames=8) for seed in range(32)])
    nearest = min(np.square(other.astype(float) - walking).mean() ** 0.5 for other in others)
    assert found.error_levels < 0.7 * nearest
    assert found.motion_ratio == pytest.approx(1, abs=0.25)


def test_what_is_found_is_a_take_like_any_other(loaded, walking, found):
    (again,) = generate(loaded, [found.take])
    assert np.array_equal(again, found.frames)
    assert np.square(again.astype(float) - walking).mean() ** 0.5 == pytest.approx(found.error_levels)
    longer, loop, other_end = generate(
        loaded,
        [
            found.take.model_copy(update={"num_frames": 40}),
            found.take.model_copy(update={"num_frames": 8, "loop": 8, "speed": 0.5}),
            found.take.model_copy(
                update={"num_frames": 40, "motion": found.take.motion.model_copy(update={"seed": 77})}
            ),
        ],
    )
    assert np.array_equal(longer[:8], found.frames)
    assert len(loop) == 8
    assert np.abs(other_end[:4].astype(int) - longer[:4]).mean() < 2
    assert np.abs(other_end[-8:].astype(int) - longer[-8:]).mean() > 4


def test_an_inversion_is_the_same_every_time_and_goes_through_clips_longer_than_a_stretch(loaded, walking):
    long = np.concatenate([walking] * 7)  # 56 frames
    counts = []
    one, two = (
        invert(
            loaded, long, classes={"walk": 1.0}, updates=1, progress=lambda done, total: counts.append((done, total))
        )
        for _ in range(2)
    )
    assert one.take == two.take
    assert counts == [(1, 2), (2, 2)] * 2
    assert one.frames.shape == long.shape


def test_the_class_is_found_where_it_is_not_said(loaded, walking):
    assert invert(loaded, walking[:4], updates=1).take.looks[0].classes == {"walk": 1.0}


def test_frames_of_another_size_are_refused_in_words(loaded):
    with pytest.raises(RequestError, match=r"shape \[4, 8, 8, 3\] \(expected \[T, 32, 32, 3\]\)"):
        invert(loaded, np.zeros((4, 8, 8, 3), np.uint8))


def test_a_movie_is_read_at_another_rate_by_the_times_of_its_frames(footage):
    movie = footage.movie("a.mkv", 12, rate=24)
    data = DataConfig(height=8, width=8)

    def levels(rate, **window):
        return read_clip(movie, data, rate, **window)[:, 0, 0, 0].tolist()

    assert levels(None) == [10 * index for index in range(12)]
    assert levels(Fraction(24)) == levels(None)
    assert levels(Fraction(12)) == [0, 20, 40, 60, 80, 100]
    assert levels(Fraction(48))[:4] == [0, 0, 10, 10]
    assert levels(Fraction(12), first=2, num_frames=3) == [40, 60, 80]
    footage.stills("s/s.%04d.png", range(1001, 1005))
    for stills in ("s", "s/s.####.png"):
        assert len(read_clip(footage.root / stills, data, Fraction(12))) == 4
    with pytest.raises(RequestError, match=r"has no frame 12 "):
        levels(None, first=12)


@pytest.mark.parametrize("rate", [Fraction(12), Fraction(24), Fraction(30), Fraction(25)])
def test_a_clip_has_the_frames_that_training_takes_from_the_same_movie(footage, in_this_process, rate):
    movie = footage.movie("a.mkv", 25, rate=Fraction(24000, 1001))
    footage.movie("b.mkv", [9 * index for index in range(25)], times=np.cumsum([0, *[1, 2, 3] * 8]).tolist())
    data = DataConfig(height=8, width=8, num_frames=2, rate=rate)
    prepared = prepare_footage(select_shots(scan_footage(footage.root, data), data), data)
    assert len(prepared.frames) == 2
    for name, trained in zip(("a.mkv", "b.mkv"), prepared.frames, strict=True):
        clip = read_clip(footage.root / name, data, rate)
        assert np.array_equal(clip, trained)
        assert np.array_equal(read_clip(movie.with_name(name), data, rate, first=3, num_frames=4), trained[3:7])


@pytest.mark.parametrize(("fit", "corner"), [("crop", 200), ("letterbox", 0)])
def test_a_picture_of_another_shape_is_cropped_or_fitted_as_asked(tmp_path, fit, corner):
    write_still(tmp_path / "wide.png", np.full((16, 48, 3), 200, np.uint8))
    clip = read_clip(tmp_path / "wide.png", DataConfig(height=16, width=16, fit=fit), None)
    assert clip.shape == (1, 16, 16, 3)
    assert clip[0, 0, 0, 0] == corner
    assert clip[0, 8, 8, 0] == 200


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_writes_a_take_that_generate_goes_on_from(loaded, walking, tmp_path):
    write_movie(tmp_path / "walking.mkv", iter(walking), rate=loaded.provenance.rate)
    result = run(
        "invert", "demo", tmp_path / "walking.mkv", "--updates", 2, "--class", "walk", "--out", tmp_path / "inv"
    )
    assert result.exit_code == 0, result.output
    assert "8 frames" in result.output
    assert (tmp_path / "inv" / "side_by_side.mp4").is_file()
    contents = json.loads((tmp_path / "inv" / "take.json").read_text())
    assert contents["weights_sha256"] == loaded.weights_hash
    result = run(
        *("generate", "demo", "--take", tmp_path / "inv" / "take.json", "--frames", 12, "--seeds", "1-2"),
        *("--out", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").glob("*found*.mp4")) == [
        "walk_found0001.mp4",
        "walk_found0002.mp4",
    ]
    assert load_take(tmp_path / "out" / "walk_found0001.json", loaded).motion.codes


def test_takes_begin_with_a_first_frame(loaded, walking, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "vidgan.sampling.invert.invert.__kwdefaults__", {"classes": None, "updates": 60, "progress": None}
    )
    write_still(tmp_path / "first.png", walking[0])
    result = run(
        *("generate", "demo", "--first-frame", tmp_path / "first.png", "--seeds", "1-2", "--format", "mkv"),
        *("--class", "walk", "--out", tmp_path),
    )
    assert result.exit_code == 0, result.output
    assert "levels off" in result.output
    first, second = (
        generate(loaded, [load_take(tmp_path / f"walk_found000{seed}.json", loaded)])[0].astype(int) for seed in (1, 2)
    )
    assert len(first) == loaded.provenance.config.data.num_frames
    assert np.square(first[0] - walking[0]).mean() ** 0.5 < 25
    assert np.abs(first[0] - second[0]).mean() < np.abs(first[-1] - second[-1]).mean()
