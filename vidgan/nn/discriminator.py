"""The discriminator: a spatiotemporal network that walks the plan of levels down to one logit a clip."""

from __future__ import annotations

from collections.abc import Sequence

from einops import rearrange, reduce
from torch import Tensor, nn

from vidgan.nn.conditions import ProjectionHead
from vidgan.nn.exact import Convolution
from vidgan.nn.layers import (
    BRANCH_GAIN,
    activate,
    convolution,
    downsample_time,
    fold_pixels,
    half_size,
    halving_convolution,
    initialised,
    pad_to_even,
    projection,
)
from vidgan.nn.levels import PIXEL_FOLD, Level

FEATURE_DIM = 256


class DiscriminatorBlock(nn.Module):
    """From one level to the next smaller: a residual block that halves the size, and the rate if planned.

    Past the convolutions go means of 2x2 pixels (He et al. 2019, ResNet-D): weights of their own for each of the four
    would send a chequerboard back to the generator.
    """

    def __init__(self, level: Level, smaller: Level) -> None:
        super().__init__()
        self.halve_rate = smaller.frame_step > level.frame_step
        self.conv1 = convolution(level.channels, level.channels, temporal=level.temporal, pad_time=True)
        self.conv2 = halving_convolution(level.channels, smaller.channels, gain=BRANCH_GAIN)
        self.skip = projection(level.channels, smaller.channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, T, H, W] -> [B, c of the smaller level, its frames, height, width]."""
        x = pad_to_even(x)
        smaller = self.skip(half_size(x)) + self.conv2(activate(self.conv1(activate(x))))
        return downsample_time(smaller) if self.halve_rate else smaller


class PixelsAndChanges(Convolution):
    """A 3x3 convolution of folded pixels, each beside how far it is from its mean over the clip.

    With m the mean of pixels x, weights p of pixels and c of changes: p x + c (x - m) = (p + c) (x - m) + p m. So half
    of the channels are folded and multiplied, and m is one frame. Faint motion keeps its digits in bfloat16.

    [B, C, T, H, W] -> [B, out, T, ceil(H / 2), ceil(W / 2)]
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(2 * PIXEL_FOLD**2 * channels, out_channels, (1, 3, 3), padding=(0, 1, 1))
        initialised(self)
        self.channels = channels

    def forward(self, video: Tensor) -> Tensor:
        """Convolve."""
        mean = reduce(video, "b c t h w -> b c 1 h w", "mean")
        pixels, changes = rearrange(self.weight, "o (f two c) 1 h w -> two o (f c) 1 h w", two=2, c=self.channels)
        moving = self.convolved(fold_pixels(video - mean), pixels + changes, None)
        return moving + self.convolved(fold_pixels(mean), pixels, self.bias)


class SpatiotemporalDiscriminator(nn.Module):
    """Video and class in, logits out; above zero means real.

    Beside each pixel it sees how far that is from the pixel's mean over the clip: what moves stands out from the first
    layer on, and so does a set or a costume that changes within a take. Among still pictures nearly alike, motion would
    be the last thing that is learned.
    """

    def __init__(self, levels: Sequence[Level], *, channels: int, num_classes: int, shots: Sequence[int] = ()) -> None:
        super().__init__()
        self.levels = tuple(levels)
        smallest = self.levels[0]
        self.sees_changes = self.levels[-1].frames > 1
        self.from_picture = (
            PixelsAndChanges(channels, self.levels[-1].channels)
            if self.sees_changes
            else convolution(channels * PIXEL_FOLD**2, self.levels[-1].channels, temporal=False, pad_time=True)
        )
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(level, smaller)
            for level, smaller in zip(self.levels[:0:-1], self.levels[-2::-1], strict=True)
        )
        self.last = convolution(smallest.channels, smallest.channels, temporal=smallest.temporal, pad_time=True)
        self.features = nn.Linear(smallest.channels * smallest.height * smallest.width, FEATURE_DIM)
        self.head = ProjectionHead(FEATURE_DIM, num_classes, shots)

    def forward(self, video: Tensor, told: Tensor, frames: Tensor) -> Tensor:
        """Video [B, C, T, H, W] about -1..1, told int64 [B] -> logits float32 [B]; all frames are looked at."""
        x = self.from_picture(video if self.sees_changes else fold_pixels(video))
        for block in self.blocks:
            x = block(x)
        x = activate(self.last(activate(x)))
        x = activate(self.features(rearrange(x, "b c t h w -> b t (h w c)")))
        return self.head(reduce(x.float(), "b t f -> b f", "mean"), told)
