"""Layers that compute an output alike however much else is computed with it.

Which kernel torch takes for a convolution or a matrix product depends on the sizes of the batch and of time and on the
number of threads, and kernels add in different orders: the same frame of the same take then differs by about 1e-6 from
stretch to stretch, and a pixel between two levels now and then by a whole level. Here, where nothing is learned,
convolutions always take oneDNN's kernel, in which each output is one sum in one order whatever lies around it; and
matrix products, which are cheap, are computed in float64 and rounded once. Training, and whatever runs on a GPU, is
left to torch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def is_rendering(layer: nn.Module, x: Tensor) -> bool:
    """Whether `layer` is only used, on a processor: nothing is learned, and no program traced."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and not layer.training
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
    )


class Convolution(nn.Conv3d):
    """A 3-D convolution, zeros around; [B, in, T, H, W] -> [B, out, T', H', W']."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return self.convolved(x, self.weight, self.bias)

    def convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with this weight and bias."""
        # In bfloat16, torch takes oneDNN's kernel by itself.
        if torch.is_autocast_enabled("cpu") or not (is_rendering(self, x) and torch.backends.mkldnn.is_available()):
            return F.conv3d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        # Of single frames torch may forget how they lie in memory, and the kernel is another for another layout.
        x = x.contiguous(memory_format=torch.channels_last_3d)
        return torch.mkldnn_convolution(x, weight, bias, self.padding, self.stride, self.dilation, self.groups)


class Linear(nn.Linear):
    """A matrix product and a shift; [..., in] -> [..., out]."""

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        if not is_rendering(self, x):
            return super().forward(x)
        rounded_to = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        return F.linear(x.double(), self.weight.double(), self.bias.double()).to(rounded_to)
