"""One alphabet for pictures in time: axes, layouts, ranges, and the only conversions between them.

Axes are always `B C T H W`. Three nouns, three layouts:

    frames   uint8  [T, H, W, C]     0..255   what files hold
    clip     float  [C, T, H, W]    -1..1     what a network sees of one shot
    video    float  [B, C, T, H, W] -1..1     a batch of clips

C is 3 (red, green, blue; display-referred Rec.709) or 1 (grey). An image is a clip of one frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from einops import rearrange

from vidgan.errors import RequestError

if TYPE_CHECKING:
    from torch import Tensor  # takes seconds to import, which whoever only looks at footage should not wait for

# Rec.709 luma, the weights of red, green and blue in a grey picture (ITU-R BT.709-6, item 3.2).
LUMA_WEIGHTS = (0.2126, 0.7152, 0.0722)


def span(num_frames: int, frame_stride: int) -> int:
    """Source frames from the first to the last frame of a clip, both included.

    f..f..f..f   4 frames at stride 3 have a span of 10
    """
    return (num_frames - 1) * frame_stride + 1


def frames_to_clip(frames: np.ndarray | Tensor) -> Tensor:
    """frames uint8 [T, H, W, C] -> clip float32 [C, T, H, W]; 0 becomes -1 and 255 becomes 1."""
    import torch

    return to_float(rearrange(torch.as_tensor(frames), "t h w c -> c t h w"))


def clip_to_frames(clip: Tensor) -> np.ndarray:
    """clip float [C, T, H, W] -> frames uint8 [T, H, W, C]: rounded, clamped, inverse of `frames_to_clip`."""
    return rearrange(to_uint8(clip), "c t h w -> t h w c").cpu().numpy()


def to_float(levels: Tensor) -> Tensor:
    """uint8 0..255 -> float32 -1..1, any layout."""
    return levels.float() / 127.5 - 1.0


def to_uint8(values: Tensor) -> Tensor:
    """float -1..1 -> uint8 0..255, any layout: values outside are clamped, between levels rounded."""
    return ((values.detach().float() + 1.0) * 127.5).round().clamp(0, 255).byte()


def check_video(video: Tensor, *, channels: int, height: int, width: int, num_frames: int | None = None) -> None:
    """Raise `RequestError` in words unless `video` is [B, C, T, H, W] with these sizes."""
    if video.ndim != 5:
        raise RequestError(f"video has {video.ndim} axes {tuple(video.shape)} (expected 5: b c t h w)")
    expected = {"c": channels, "t": num_frames, "h": height, "w": width}
    found = dict(zip("cthw", video.shape[1:], strict=True))
    for axis, size in expected.items():
        if size is not None and found[axis] != size:
            raise RequestError(f"video [b c t h w] has {axis}={found[axis]} (expected {size})")
