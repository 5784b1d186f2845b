"""A run's sheet of samples stays one that a person can look at."""

import json
from itertools import groupby

import pytest
from rich.console import Console
from tiny_runs import tiny, two_classes

from vidgan import samples
from vidgan.config import AugmentConfig
from vidgan.config_files import build_config
from vidgan.nn.build import build_generator
from vidgan.run import run_training
from vidgan.sampling.take import Take
from vidgan.weights import LoadedGenerator, Provenance


def takes_by_class(num_classes) -> dict[str, list[Take]]:
    config = build_config({"data": {"height": 16, "width": 16, "num_frames": 4, "classes": "folders"}})
    provenance = Provenance(config, None, tuple(f"class {n:03d}" for n in range(num_classes)), "", 0)
    loaded = LoadedGenerator(build_generator(config, num_classes), provenance, weights_hash="", path=None)
    takes = samples.takes_on_sheet(loaded)
    return {name: list(of) for name, of in groupby(takes, key=lambda take: next(iter(take.looks[0].classes), ""))}


@pytest.mark.parametrize(("num_classes", "of_each"), [(0, 16), (1, 6), (6, 6), (8, 6), (10, 4), (48, 1)])
def test_every_class_has_as_many_takes_as_the_others_and_as_fit(num_classes, of_each):
    takes = takes_by_class(num_classes)
    assert len(takes) == max(1, num_classes)
    assert {len(of_class) for of_class in takes.values()} == {of_each}


def test_of_very_many_classes_some_are_shown_the_first_and_the_last_among_them():
    takes = takes_by_class(130)
    assert len(takes) == samples.MOST_SHEET_TAKES
    assert {len(of_class) for of_class in takes.values()} == {1}
    assert {"class 000", "class 129"} <= set(takes)


def test_real_clips_are_shown_and_measured_as_they_are_however_the_discriminator_is_shown_them(tmp_path):
    seen = {}
    for name, augment in (("as they are", AugmentConfig()), ("changed", AugmentConfig(color=1.0, translation=0.5))):
        config = tiny(total_kclips=0.008).model_copy(update={"augment": augment})
        run_training(config, two_classes(), tmp_path / name, console=Console(quiet=True))
        first = json.loads((tmp_path / name / "stats.jsonl").read_text().splitlines()[0])
        sheet = tmp_path / name / "samples" / "000000000_clips_real.png"
        seen[name] = first["motion_real"], first["variety_real"], sheet.read_bytes()
    assert seen["as they are"] == seen["changed"]
