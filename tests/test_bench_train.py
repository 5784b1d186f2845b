"""What the bench of training counts."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from bench_train import Arithmetic


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
