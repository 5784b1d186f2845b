"""What the bench of training counts."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import bench_train
from bench_train import Arithmetic, compare_published

from vidgan.errors import RequestError

CONFIG = Path(__file__).parents[1] / "configs" / "clip64.yaml"


def test_operations_are_counted_through_double_backward_passes():
    weight, x = torch.ones(3, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    with Arithmetic() as counter:
        made = (x @ weight).square().sum()
        assert counter.operations == 2 * 2 * 3 * 3
        (slope,) = torch.autograd.grad(made, x, create_graph=True)
        assert counter.operations == 2 * 36
        slope.square().sum().backward()
    assert counter.operations > 4 * 36
    assert counter.operations % 36 == 0


def test_families_are_held_against_as_they_were_published(monkeypatch, capsys):
    speeds = {("recurrent", 32, bench_train.PLAIN): 2.0, ("conv3d", 4, bench_train.TRAINER): 15.0}

    def measured(_, config, mode, part, seconds):
        assert (part, seconds) == ("whole update", 1.0)
        return speeds[config.model.family, config.train.batch_size, mode], 10**9

    monkeypatch.setattr(bench_train, "alone", measured)
    monkeypatch.setenv("COLUMNS", "200")
    compare_published(CONFIG, [], ["recurrent"], 1.0)
    assert "7.5" in capsys.readouterr().out
    with pytest.raises(RequestError, match='unknown family "dense"'):
        compare_published(CONFIG, [], ["dense"], 1.0)
