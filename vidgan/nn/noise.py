"""White noise over time becomes motion: low-pass filters give it slow and fast parts, each of unit variance.

The idea of LongVideoGAN (Brooks et al. 2022). A filter is defined at any time, not only at whole steps of the noise, so
that motion can be made slower or faster: the signal at time u is

    s(u) = sum over steps n of noise[n] * w(n - u),     sum over n of w(n - u)^2 = 1
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vidgan.nn.exact import is_rendering

# Standard deviations of the filters, in steps of the noise. The first leaves the noise as it is.
NOISE_WIDTHS = (0.0, 1.0, 2.0, 4.0)

# Steps that the widest filter reaches to each side.
REACH = int(3 * max(NOISE_WIDTHS))


def filter_weights(time: float, first_step: int, num_steps: int) -> Tensor:
    """float32 [4, num_steps]: how much the noise of steps `first_step` ... counts in each filter's signal at `time`.

    Gaussians, cut off at `REACH`; the filter without a width goes over from one step to the next along a quarter of a
    circle, so that its signal keeps its variance on the way.
    """
    distance = torch.arange(first_step, first_step + num_steps, dtype=torch.float64) - time
    rows = []
    for width in NOISE_WIDTHS:
        if width > 0:
            weights = torch.exp(-0.5 * (distance / width) ** 2) * (distance.abs() <= REACH)
        else:
            weights = torch.cos(torch.pi / 2 * distance.clamp(-1, 1)) * (distance.abs() < 1)
        rows.append(weights / weights.square().sum().sqrt())
    return torch.stack(rows).float()


class NoiseFilters(nn.Module):
    """White noise [B, D, n] -> [B, n - 2 * REACH, D * 4]: the noise at several speeds, each of unit variance."""

    def __init__(self) -> None:
        super().__init__()
        kernels = filter_weights(0, -REACH, 2 * REACH + 1)
        self.register_buffer("kernels", rearrange(kernels, "s k -> s 1 k"), persistent=False)

    def forward(self, noise: Tensor) -> Tensor:
        """Filter every channel alone with every kernel."""
        exact = is_rendering(self, noise)
        with torch.autocast(noise.device.type, enabled=False):
            signals = rearrange(noise, "b d n -> (b d) 1 n")
            if exact:  # as in `vidgan.nn.exact`
                signals = F.conv1d(signals.double(), self.kernels.double()).float()
            else:
                signals = F.conv1d(signals, self.kernels)
        return rearrange(signals, "(b d) s n -> b n (d s)", b=noise.shape[0])
