"""Sums over patches of pixels."""

from __future__ import annotations

import torch.nn.functional as F
from einops import reduce
from torch import Tensor

# Rows and columns of the patches by which frames are compared.
PATCH = 5


def squared_error(one: Tensor, other: Tensor) -> Tensor:
    """Mean over channels of squared differences: [B, C, T, H, W] twice -> [B, 1, T, H, W]."""
    return reduce((one - other).square(), "b c t h w -> b 1 t h w", "mean")


def boxed(x: Tensor) -> Tensor:
    """The mean over a patch around each pixel of each frame, zeros beyond the edges: the same shape."""
    return summed(x, PATCH) / PATCH**2


def summed(x: Tensor, size: int) -> Tensor:
    """The sum over `size` rows and columns, an odd number, around each pixel of [..., H, W], zeros beyond the edges."""
    height, width = x.shape[-2:]
    x = F.pad(x, (size // 2,) * 4)
    # Pictures shifted and added, down rows and then across columns: several times faster than a pooling.
    rows = sum(x[..., shift : shift + height, :] for shift in range(size))
    return sum(rows[..., shift : shift + width] for shift in range(size))
