"""`train.deterministic` holds on a GPU too: no update needs an operation that torch has no deterministic form of there.

A GPU refuses such an operation when it comes to it; here, updates on the CPU show which operations they are made of.
"""

import pytest
import torch
from tiny_runs import mending, tiny, two_updates, with_penalties
from torch.utils._python_dispatch import TorchDispatchMode

# As torch.use_deterministic_algorithms has them, for torch 2.11 to 2.15. Two more are left out, since
# torch.nn.functional replaces them in time: the gradients of bilinear interpolation and of padding that replicates.
WITHOUT_DETERMINISTIC_FORM = {
    *("avg_pool3d_backward", "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward"),
    *("max_pool3d_with_indices_backward", "adaptive_max_pool2d_backward", "max_unpool2d", "max_unpool3d"),
    *("fractional_max_pool2d_backward", "fractional_max_pool3d_backward"),
    *("upsample_linear1d_backward", "upsample_trilinear3d_backward", "upsample_bicubic2d_backward"),
    *("reflection_pad1d_backward", "reflection_pad2d_backward", "reflection_pad3d_backward"),
    *("grid_sampler_2d_backward", "grid_sampler_3d_backward", "nll_loss2d_forward", "_ctc_loss_backward"),
    *("median", "nanmedian", "kthvalue", "mode", "cumsum", "histc", "bincount", "put_", "scatter_reduce"),
    *("_embedding_bag_dense_backward", "resize_", "ormqr"),
}


class Operations(TorchDispatchMode):
    """The names of all that is computed, gradients included."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


def of_family(family, **model):
    config = with_penalties(loss="nonsaturating" if model.get("discriminator_frames") else "relativistic")
    return config.model_copy(update={"model": config.model.model_copy(update={"family": family, **model})})


def of_odd_size(config):
    return config.model_copy(update={"data": config.data.model_copy(update={"height": 15, "width": 15})})


@pytest.mark.parametrize(
    "config",
    [
        *(of_family(family) for family in ("conv3d", "recurrent", "dcgan3d", "dense")),
        of_odd_size(of_family("conv3d", discriminator_frames=2)),
        with_penalties(loss="wasserstein", lipschitz_lambda=1.0),
        with_penalties(penalty="finite_difference"),
        mending(tiny(total_kclips=0.016)),
    ],
    ids=lambda config: f"{config.model.family} {config.train.loss} {config.train.penalty} {config.data.height}",
)
def test_no_update_needs_what_differs_on_a_gpu_from_time_to_time(config):
    with Operations() as operations:
        two_updates(config)
    assert {"convolution_backward", "addmm"} & operations.names
    assert not operations.names & WITHOUT_DETERMINISTIC_FORM


def test_an_operation_without_a_deterministic_form_would_be_found():
    video = torch.zeros(1, 1, 2, 2, 2, requires_grad=True)
    with Operations() as operations:
        torch.nn.functional.avg_pool3d(video, 2).sum().backward()
        torch.zeros(3).nanmedian(0)
    assert operations.names & WITHOUT_DETERMINISTIC_FORM == {"avg_pool3d_backward", "nanmedian"}
