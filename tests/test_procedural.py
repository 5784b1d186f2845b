"""Procedural footage is a pure function of its name and seed, moves in seconds, and looks like what it is called."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vidgan.errors import RequestError
from vidgan.footage.procedural import CLASSES, make_footage, render_shot
from vidgan.footage.procedural.canvas import View
from vidgan.footage.procedural.effects import Stage
from vidgan.media.movies import read_header, read_movie

TOOL = Path(__file__).parents[1] / "tools" / "make_footage.py"
SMALL = {"height": 32, "width": 32, "rate": Fraction(16), "num_frames": 8}
every_class = pytest.mark.parametrize("class_name", CLASSES)


@every_class
def test_a_shot_is_a_pure_function_of_its_arguments(class_name):
    first = render_shot(class_name, 3, **SMALL, seed=5)
    assert first.shape == (8, 32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render_shot(class_name, 3, **SMALL, seed=5))
    assert not np.array_equal(first, render_shot(class_name, 4, **SMALL, seed=5))
    assert not np.array_equal(first, render_shot(class_name, 3, **SMALL, seed=6))


@every_class
def test_motion_is_in_seconds_whatever_the_rate(class_name):
    slow = render_shot(class_name, 0, **SMALL, seed=0)
    fast = render_shot(class_name, 0, **(SMALL | {"rate": Fraction(32), "num_frames": 15}), seed=0)
    assert np.abs(slow.astype(int) - fast[::2]).max() <= 1


@every_class
def test_every_class_moves_and_is_not_flat(class_name):
    frames = render_shot(class_name, 1, **SMALL, seed=0).astype(float)
    assert frames.std(axis=(1, 2)).max() > 8
    assert np.abs(np.diff(frames, axis=0)).mean() > 0.3
    assert np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).min() > 0.05


@every_class
def test_any_aspect_will_do(class_name):
    for height, width in ((36, 64), (48, 32)):
        frames = render_shot(class_name, 0, height=height, width=width, rate=Fraction(24), num_frames=2, seed=0)
        assert frames.shape == (2, height, width, 3)


def test_a_fluid_has_no_divergence_after_projection():
    random = np.random.default_rng(0)
    stage = Stage.around(View(64, 64))
    fluid = stage.fluid(ambient=(np.zeros_like(stage.y), 0.0), swirl=5.0, num_carried=1)
    fluid.velocity = random.standard_normal(fluid.velocity.shape).astype(np.float32)
    before = np.abs(fluid.divergence()).mean()
    fluid.velocity = fluid.projected(fluid.velocity)
    assert np.abs(fluid.divergence()).mean() < 1e-5 * before
    assert fluid.velocity.std() > 0.1


def test_a_still_fluid_under_an_even_force_stays_still_in_the_middle():
    stage = Stage.around(View(64, 64))
    fluid = stage.fluid(ambient=(np.zeros_like(stage.y), 0.0), swirl=5.0, num_carried=1)
    fluid.carried[0, 40:50, 40:50] = 1.0
    carried = fluid.carried.copy()
    fluid.step(1 / 48, np.zeros_like(fluid.velocity))
    assert np.abs(fluid.carried - carried).max() < 1e-6


def test_fire_is_warm_and_burns_from_below():
    for n in range(3):
        frames = render_shot("fire", n, **SMALL, seed=0).astype(float)
        bright = frames[frames[..., 0] > 128]
        assert len(bright) > 20
        assert (bright[:, 0] >= bright[:, 1]).all()
        assert (bright[:, 1] >= bright[:, 2]).all()
        assert bright[:, 0].mean() > bright[:, 2].mean() + 80
        assert frames[:, 16:, :, 0].mean() > frames[:, :16, :, 0].mean()


@pytest.mark.parametrize("class_name", ["fire", "smoke"])
def test_fire_and_smoke_rise(class_name):
    """A row of the plume looks like a lower row a moment before, more than like a higher one."""
    up, down = 0.0, 0.0
    for n in range(3):
        frames = render_shot(class_name, n, height=32, width=32, rate=Fraction(24), num_frames=24, seed=0)
        change = frames[..., 0].astype(float)[:, 4:26]
        change = change - change.mean(axis=0)
        up += (change[2:, :-2] * change[:-2, 2:]).mean()
        down += (change[2:, 2:] * change[:-2, :-2]).mean()
    assert up > down


def test_made_footage_has_the_rate_and_frames_asked_for_and_resumes(tmp_path):
    rate = Fraction(24000, 1001)
    wanted = {"height": 32, "width": 48, "rate": rate, "num_frames": 7, "shots_per_class": 2}
    calls = []
    paths = make_footage(
        tmp_path, **wanted, class_names=["walk", "jump"], progress=lambda done, total: calls.append((done, total))
    )
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        "walk/walk_000.mp4", "walk/walk_001.mp4", "jump/jump_000.mp4", "jump/jump_001.mp4",
    ]  # fmt: skip
    assert calls == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    for path in paths:
        header = read_header(path)
        assert (header.rate, header.height, header.width) == (rate, 32, 48)
        assert len(list(read_movie(path))) == 7
    shot = render_shot("walk", 1, height=32, width=48, rate=rate, num_frames=7, seed=0)
    decoded = np.stack([frame.rgb() for frame in read_movie(paths[1])])
    assert np.abs(decoded.astype(float) - shot).mean() < 6

    kept = paths[0].stat().st_mtime_ns
    paths[1].unlink()
    assert make_footage(tmp_path, **wanted, class_names=["walk", "jump"]) == paths
    assert paths[0].stat().st_mtime_ns == kept
    assert np.array_equal(decoded, np.stack([frame.rgb() for frame in read_movie(paths[1])]))
    with pytest.raises(RequestError, match=r"walk_000.mp4 is there already and its height is 32 \(expected 64\)"):
        make_footage(tmp_path, **(wanted | {"height": 64}), class_names=["walk"])


def test_what_cannot_be_made_is_refused_in_words(tmp_path):
    with pytest.raises(RequestError, match=r'there is no class "smok" \(did you mean "smoke"\?\)'):
        render_shot("smok", 0, **SMALL, seed=0)
    with pytest.raises(RequestError, match="width is 33"):
        make_footage(tmp_path / "new", **(SMALL | {"width": 33}), shots_per_class=1)
    assert not (tmp_path / "new").exists()
    result = subprocess.run(
        [sys.executable, TOOL, tmp_path, "--classes", "wlak"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr == 'error: there is no class "wlak" (did you mean "walk"?)\n'
