"""`vidgan evaluate`: figures with their protocol, planted failures that turn the right one, mistakes in words."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.config_files import build_config
from vidgan.errors import VidganError
from vidgan.footage.prepare import prepare_footage
from vidgan.footage.scan import scan_footage
from vidgan.footage.select import select_shots
from vidgan.media.movie_writer import write_movie
from vidgan.metrics.clip_sets import ClipSet, clips_of_footage
from vidgan.metrics.evaluate import Evaluator
from vidgan.metrics.evaluation import Evaluation
from vidgan.weights import load_generator

SIZE, LENGTH = 16, 8
SETTINGS = ["data.height=16", "data.width=16", "data.num_frames=8", "data.holdout=0.4", "data.classes=folders"]


def moving_bar(seed, class_name, num_frames=24):
    """A bright bar that moves across ("across") or down ("down") a background of its own, frames uint8."""
    draws = np.random.default_rng([seed, len(class_name)])
    frames = np.repeat(draws.integers(20, 120, (1, SIZE, SIZE, 3)), num_frames, 0)
    start, speed = draws.integers(SIZE), draws.integers(1, 3)
    for index in range(num_frames):
        place = (start + speed * index) % SIZE
        if class_name == "across":
            frames[index, :, place] = 230
        else:
            frames[index, place] = 230
    return frames.astype(np.uint8)


def write_clips(folder, seeds, change=lambda frames: frames, classes=("across", "down")):
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            write_movie(folder / name / f"s{seed:03d}.mkv", change(moving_bar(seed, name)), rate=Fraction(24))


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "footage"
    write_clips(folder, range(12))
    return folder


def evaluate(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def real(footage, tmp_path_factory):
    """Training footage, training clips and held-out clips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        data = build_config({}, SETTINGS).data
        scan = scan_footage(footage, data)
        train, heldout = (
            prepare_footage(select_shots(scan, data, split=split), data) for split in ("train", "holdout")
        )
        return train, clips_of_footage(train, LENGTH, 1), clips_of_footage(heldout, LENGTH, 1)


def evaluator(real, change=lambda clip: clip, *, seeds=range(100, 112)):
    """Of three clips of each seed and class, changed."""
    train, train_clips, heldout = real
    frames = [moving_bar(seed, name) for name in ("across", "down") for seed in seeds]
    clips = tuple(change(part) for shot in frames for part in shot.reshape(3, LENGTH, SIZE, SIZE, 3))
    labels = np.repeat([0, 1], len(clips) // 2)
    generated = ClipSet(clips, labels, np.arange(len(clips)), content="")
    return Evaluator(
        train=train_clips,
        heldout=heldout,
        footage=train,
        generated=generated,
        network=None,
        no_network="no I3D",
        frame_stride=1,
    )


def test_clips_of_the_same_kind_are_found_alike_and_the_report_is_one_file(tmp_path, footage):
    write_clips(tmp_path / "clips", range(100, 112))
    files = ["--json", tmp_path / "e.json", "--html", tmp_path / "e.html"]
    result = evaluate("--clips", tmp_path / "clips", "--footage", footage, *files, *SETTINGS)
    assert result.exit_code == 0, result.output
    tree = json.loads((tmp_path / "e.json").read_text())
    assert {"protocol", "fvd", "yardsticks", "kvd", "motion", "time_arrow", "variety", "memorisation"} <= set(tree)
    assert {"frame_frechet", "two_sample", "classes", "seconds"} <= set(tree)
    found = Evaluation.model_validate(tree)
    assert (found.protocol.num_generated, found.protocol.num_frames, found.protocol.rate) == (72, 8, "24")
    assert found.fvd is None
    assert "vidgan fetch-i3d" in found.missing["fvd"]
    assert "no fvd: " in result.output
    assert abs(found.motion.energy_decibels) < 2
    assert not found.variety.collapsed
    assert not found.memorisation.copier
    assert found.classes.generated.value > 0.9
    assert found.frame_frechet.small_sample
    page = (tmp_path / "e.html").read_text()
    assert page.count("data:video/mp4") == 3  # real, generated, and the nearest pairs
    assert "data:image/png" in page


def test_copies_of_the_training_footage_are_called_so(real):
    assert not evaluator(real).memorisation().copier
    copier = evaluator(real, seeds=range(12))
    assert copier.memorisation().copier
    assert all((generated == training).all() for generated, training in copier.pairs[:5])


def test_frozen_clips_move_too_little(real):
    assert abs(evaluator(real).motion().energy_decibels) < 2
    assert evaluator(real, lambda clip: np.repeat(clip[:1], LENGTH, 0)).motion().energy_decibels < -10


def fading_in(clip):
    """The first frame, growing out of the dark: slow, and never the other way round."""
    return (clip[:1] * np.linspace(0.3, 1, LENGTH)[:, None, None, None]).astype(np.uint8)


@pytest.fixture(scope="module")
def slow(real):
    train, *sets = real
    return train, *(replace(of, clips=tuple(map(fading_in, of.clips))) for of in sets)


def test_clips_played_backwards_are_said_to_be(slow):
    found = evaluator(slow, fading_in).time_arrow()
    assert found.real.low > 0.5
    assert "have an arrow" in found.verdict
    backwards = evaluator(slow, lambda clip: fading_in(clip)[::-1]).time_arrow()
    assert backwards.generated.high < 0.5
    assert "play backwards" in backwards.verdict


def test_frames_in_a_random_order_move_too_much_and_too_fast(slow):
    draws = np.random.default_rng(0)
    straight = evaluator(slow, fading_in).motion()
    shuffled = evaluator(slow, lambda clip: fading_in(clip)[draws.permutation(LENGTH)]).motion()
    assert abs(straight.energy_decibels) < 1
    assert shuffled.energy_decibels > 6
    assert straight.spectrum_decibels < 0.2
    assert shuffled.spectrum_decibels > 1
    assert shuffled.flicker_levels > straight.flicker_levels + 5


def test_a_large_folder_is_judged_by_a_drawn_part_of_it(real):
    _, train, _ = real
    part = train.limited(10, seed=0)
    assert len(part) == 10
    assert part.content != train.content
    assert all(
        (part.clips[i] == train.clips[position]).all() and part.labels[i] == train.labels[position]
        for i, position in enumerate(train.some(10, 0))
    )
    assert train.limited(len(train), seed=0) is train


def test_a_collapsed_generator_is_called_so(real):
    assert not evaluator(real).of_features.variety().collapsed
    one = moving_bar(100, "across")[:LENGTH]
    found = evaluator(real, lambda clip: one).of_features.variety()
    assert found.collapsed
    assert found.coverage < 0.5 * found.expected_coverage


def test_swapped_classes_are_recognised_as_the_wrong_ones(real):
    swapped = evaluator(real)
    swapped.generated = replace(swapped.generated, labels=1 - swapped.generated.labels)
    found = swapped.classes()
    assert found.real.value > 0.8
    assert found.generated.value < 0.2
    assert set(found.by_class) == {"across", "down"}


def test_loops_and_stretches_are_judged_at_their_seams(tmp_path, footage):
    for seed in range(100, 106):
        frames = np.repeat(moving_bar(seed, "across", 1), 16, 0) // 2
        for index in range(16):
            frames[index, :, index] = 230  # comes back to the left edge after the last frame
        (tmp_path / "across").mkdir(exist_ok=True)
        write_movie(tmp_path / "across" / f"{seed}.mkv", frames, rate=Fraction(24))
    write_clips(tmp_path, range(100, 106), classes=["down"])
    options = ["--clips", tmp_path, "--footage", footage, "--loops", "--stretch", 8, "--json", tmp_path / "e.json"]
    result = evaluate(*options, *SETTINGS)
    assert result.exit_code == 0, result.output
    found = Evaluation.model_validate_json((tmp_path / "e.json").read_text())
    assert found.loop_seam.num_seams == 12
    assert found.stretch_seam.num_seams == 6 * 1 + 6 * 2
    assert found.stretch_seam.ratio == pytest.approx(1, abs=0.05)
    assert "step over a loop's seam" in result.output


def test_footage_of_another_rate_and_size_is_brought_to_those_of_the_weights_and_said_so(tmp_path):
    for name in load_generator("demo").provenance.class_names:
        (tmp_path / name).mkdir()
        for seed in range(3):
            draws = np.random.default_rng([seed, *name.encode()])
            frames = draws.integers(0, 255, (40, 12, 12, 3), np.uint8)
            write_movie(tmp_path / name / f"{seed}.mkv", frames, rate=Fraction(24))
    result = evaluate("demo", "--footage", tmp_path, "--num-clips", 8, "--json", tmp_path / "e.json")
    assert result.exit_code == 0, result.output
    assert "resampled from 24 to 12 frames/s" in result.output
    assert "enlarged 2.7 times, from 12x12" in result.output
    found = Evaluation.model_validate_json((tmp_path / "e.json").read_text())
    assert (found.protocol.rate, found.protocol.height) == ("12", 32)
    assert found.stretch_seam.low < 1.1
    assert found.stretch_seam.num_seams == 16 * 3


def test_a_figure_that_cannot_be_had_leaves_its_reason_and_the_others_go_on(real):
    alone = evaluator(real)
    alone.heldout = None
    with pytest.raises(VidganError, match="no shots are set aside"):
        alone.two_sample()
    with pytest.raises(VidganError, match="no I3D"):
        alone.of_features.fvd()


MISTAKES = {
    "neither weights nor clips": (lambda footage, clips: [], "name weights or --clips DIR"),
    "an override without a key": (lambda footage, clips: ["--clips", clips, "nonsense=1"], "is not an override"),
    "a missing folder": (lambda footage, clips: ["--clips", clips / "gone", *SETTINGS], "no such folder"),
    "a damaged I3D": (lambda footage, clips: ["--clips", clips, "--i3d", clips / "across" / "s100.mkv"], "s100.mkv"),
    "other classes": (lambda footage, clips: ["demo", "data.num_frames=8", "--num-clips", 8], "the classes"),
    "another size than the weights'": (lambda footage, clips: ["demo", "data.height=64"], "makes clips of height 32"),
    "a config beside weights": (lambda footage, clips: ["demo", "--config", "c.yaml"], "--config is for --clips"),
    "weights that are said to be loops": (lambda footage, clips: ["demo", "--loops"], "of weights it is known"),
    "damaged weights": (lambda footage, clips: [clips / "across" / "s100.mkv"], "s100.mkv: is damaged"),
    "too few clips": (lambda footage, clips: ["--clips", clips, *SETTINGS], "6 clips of 8 frames (expected 8"),
    "footage too short": (lambda footage, clips: ["--clips", clips, "data.num_frames=200"], "a clip spans 200"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line(tmp_path, footage, mistake):
    write_clips(tmp_path / "clips", [100])
    arguments, words = MISTAKES[mistake]
    result = evaluate(*arguments(footage, tmp_path / "clips"), "--footage", footage)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
