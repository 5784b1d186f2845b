"""A run's sheet of samples stays one that a person can look at."""

from itertools import groupby

import pytest

from vidgan import samples
from vidgan.config_files import build_config
from vidgan.nn.build import build_generator
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
