"""The benchmark of repairs judges by what it says: the truth is perfect, and old methods do what they are called."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skimage", reason="pip install -e '.[bench]'")
sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from bench_repair import FILLERS, Case, blended, make_cases, measured, nearest_clean, table


@pytest.fixture
def case():
    """Frame t has the level 20 t; a box of frames 2 and 3 is to be made."""
    levels = np.arange(6, dtype=np.uint8)[:, None, None, None] * 20
    truth = np.broadcast_to(levels, (6, 32, 32, 3)).copy()
    hole = np.zeros((6, 32, 32), bool)
    hole[2:4, 8:20, 8:20] = True
    damaged = np.where(hole[..., None], np.uint8(255), truth)
    return Case(truth, damaged, hole, hole, 0.0)


def test_the_truth_is_perfect_and_damage_is_not(case):
    best, worst = (measured([case], lambda each, made=made: made) for made in (case.truth, case.damaged))
    assert best["PSNR"] > 100
    assert best["SSIM"] == pytest.approx(1)
    assert best["features"] == pytest.approx(0)
    assert worst["PSNR"] < 3
    assert worst["SSIM"] < 0.9
    assert worst["features"] > 1
    assert worst["flow"] > 5 * best["flow"] > 0


def test_what_lies_outside_of_the_damage_does_not_count(case):
    elsewhere = case.truth.copy()
    elsewhere[~case.judged] = 0
    assert measured([case], lambda each: elsewhere) == measured([case], lambda each: case.truth)


def test_the_nearest_clean_frame_and_blending_take_what_they_say(case):
    assert nearest_clean(case)[:, 10, 10, 0].tolist() == [0, 20, 20, 80, 80, 100]
    assert (blended(case) == case.truth).all()
    for name, method in FILLERS.items():
        assert (method(case)[~case.told] == case.truth[~case.told]).all(), name


def test_a_table_says_where_another_is_better(case):
    figures = {"PSNR": 30.0, "SSIM": 0.9, "features": 1.0, "flow": 2.0}
    rows = [
        ("box", {"the truth": figures, "vidgan": figures | {"SSIM": 0.8}, "OpenCV Telea": figures}, "half is found")
    ]
    said = table(iter(rows))
    assert "| | vidgan | **30.00** | 0.800 | **1.00** | **2.00** |" in said
    assert "Another is better: box (SSIM: OpenCV Telea)." in said
    assert "box: half is found" in said


def test_damage_is_told_to_all_or_to_nobody():
    import torch

    from vidgan.config import RepairConfig

    frames = torch.full((6, 8, 32, 32, 3), 100, dtype=torch.uint8)
    told = make_cases(frames, "dust", RepairConfig(), given=True)
    untold = make_cases(frames, "dust", RepairConfig(), given=False)
    assert all((case.told == case.judged).all() and case.told.any() for case in told)
    assert all(not case.told.any() and case.judged.any() for case in untold)
