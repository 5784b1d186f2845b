"""Pictures at training size: scaled in their shape, cut or put on black, in colour or grey."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from einops import rearrange
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from vidgan.clip import LUMA_WEIGHTS
from vidgan.config import DataConfig
from vidgan.footage.select import fitted_scale


def fit_frames(frames: np.ndarray, pixel_aspect: Fraction, data: DataConfig) -> np.ndarray:
    """uint8 [T, H, W, 3] -> uint8 [T, height, width, channels] of the config, never squashed, rounded.

    "crop" scales until the picture covers the frame and cuts what stands out, evenly; "letterbox" scales
    until all of it fits and leaves the rest black. Pixels that are not square become so. Bicubic, antialiased.
    """
    height, width = frames.shape[1:3]
    scale = fitted_scale(height, width, pixel_aspect, data)
    size = [max(1, round(height * scale)), max(1, round(width * pixel_aspect * scale))]
    fitted = rearrange(torch.tensor(frames), "t h w c -> t c h w")
    fitted = transforms.resize(fitted, size, interpolation=InterpolationMode.BICUBIC, antialias=True)
    fitted = transforms.center_crop(fitted, [data.height, data.width])  # black around a smaller picture
    fitted = rearrange(fitted, "t c h w -> t h w c").numpy()
    return np.ascontiguousarray(grey(fitted) if data.channels == 1 else fitted)


def grey(frames: np.ndarray) -> np.ndarray:
    """uint8 [T, H, W, 3] -> uint8 [T, H, W, 1]: Rec.709 luma, rounded."""
    return np.rint(frames @ np.array(LUMA_WEIGHTS)[:, None]).astype(np.uint8)
