"""The generator: a content latent and a noise signal over time become a clip of any length.

    z [B, content]  + class ------------------> style, the same for the whole clip
    motion noise [B, motion, steps] -> several speeds -+
                                                       v
    level 0, small and slow -> twice the size, twice the rate -> ... -> video [B, C, T, H, W]

It is fully convolutional in time and pads nothing there: each level asks the one before for as many
more frames as its kernels use up, down to the noise, which has no ends. So no frame knows its index,
and any stretch of a take can be made by itself (`windows`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vidgan.nn.conditions import BesideLatent
from vidgan.nn.exact import Convolution, Linear
from vidgan.nn.family import Window
from vidgan.nn.layers import (
    BRANCH_GAIN,
    LEAK,
    FullSizeConvolution,
    Modulation,
    Unmodulated,
    activate,
    convolution,
    initialised,
    projection,
    unfold_pixels,
    upsample_space,
)
from vidgan.nn.levels import Level
from vidgan.nn.noise import NOISE_WIDTHS, REACH, NoiseFilters

STYLE_DIM = 128

# Of the layer at the picture's own size.
FINEST_CHANNELS = 8


def reach(level: Level) -> int:
    """Frames that a block of this level uses up at each end."""
    return 1 if level.temporal else 0


def slower(window: Window) -> Window:
    """The frames at half the rate that those of `window` are mixed from."""
    return (window[0] - 1) // 2, window[1] // 2 + 1


def at_twice_the_rate(x: Tensor, start: int, window: Window) -> Tensor:
    """Frames of `window` at twice the rate of `x`, whose first is frame `start`, by linear interpolation.

    Between frames j and j + 1 of `x` lie 2 j + 1 and 2 j + 2, a quarter and three quarters of the way: both are mixed
    alike, so that neither is sharper. To show each frame twice instead would make motion judder.
    """
    x = rearrange(x, "b c t h w -> b t h w c")
    between = torch.stack([torch.lerp(x[:, :-1], x[:, 1:], 0.25), torch.lerp(x[:, :-1], x[:, 1:], 0.75)], dim=2)
    first = 2 * start + 1
    frames = rearrange(between, "b t two h w c -> b (t two) h w c")[:, window[0] - first : window[1] - first]
    return rearrange(frames, "b t h w c -> b c t h w")


def _clip_frame(level: Level, frame: int) -> int:
    """The clip's frame in the middle of those that a level's frame stands for."""
    return frame * level.frame_step + level.frame_step // 2


class GeneratorBlock(nn.Module):
    """One level: a residual block of two convolutions, the second over time as well, modulated by the style or not.

    Each level also adds what it sees to a picture that grows along (Karras et al. 2020, sec. 4.1): the
    coarse of it is learned at once, and fine levels have only detail to add.

    What stands at the same place in many clips, such as a set behind a resting camera, is learned as that: `place` is
    the same for all takes and frames; how much of it is seen, the convolution after it decides, or the style.
    """

    def __init__(self, in_channels: int, level: Level, picture_channels: int, *, modulate: bool) -> None:
        super().__init__()
        self.level = level
        self.modulate1 = Modulation(STYLE_DIM, in_channels) if modulate else Unmodulated()
        self.conv1 = convolution(in_channels, level.channels, temporal=False, pad_time=False)
        self.modulate2 = Modulation(STYLE_DIM, level.channels) if modulate else Unmodulated()
        self.conv2 = convolution(
            level.channels, level.channels, temporal=level.temporal, pad_time=False, gain=BRANCH_GAIN
        )
        self.place = nn.Parameter(torch.zeros(level.channels, 1, level.height, level.width))
        self.skip = projection(in_channels, level.channels)
        self.to_picture = Convolution(level.channels, picture_channels, 1)

    def forward(self, x: Tensor, picture: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """[B, in, T + 2 reach, h, w], [B, C, T + 2 reach, h, w], style as `Modulation` takes it -> both as
        [B, ..., T, height, width]."""
        # What is done pixel by pixel is done before the picture grows: the same result for a quarter of the work.
        height, width = self.level.height, self.level.width
        residual = self.conv1(upsample_space(activate(self.modulate1(x, style)), height, width, mode="bilinear"))
        residual = residual + self.place.to(residual.dtype)
        residual = self.conv2(activate(self.modulate2(residual, style)))
        x = upsample_space(self.skip(self._inner(x)), height, width, mode="bilinear") + residual
        picture = upsample_space(self._inner(picture), height, width, mode="bilinear")
        return x, picture + self.to_picture(activate(x))

    def _inner(self, x: Tensor) -> Tensor:
        return x[:, :, reach(self.level) : x.shape[2] - reach(self.level)]


class ConvolutionalGenerator(nn.Module):
    """A 3-D-convolutional generator for one plan of levels.

    With `num_classes` above zero the class shapes the style; else labels are ignored. The style goes into the first
    level, and with `modulate` into every level.
    """

    longest = None
    style_dim = STYLE_DIM

    def __init__(
        self,
        levels: Sequence[Level],
        *,
        height: int,
        width: int,
        channels: int,
        content_dim: int,
        motion_dim: int,
        num_classes: int,
        shots: Sequence[int] = (),
        modulate: bool = False,
        checkpoint_activations: bool = False,
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.height, self.width, self.channels = height, width, channels
        self.content_dim, self.motion_dim = content_dim, motion_dim
        self.checkpoint_activations = checkpoint_activations
        first = self.levels[0]
        self.first_frames = first.frame_step
        self.filters = NoiseFilters()
        self.with_class = BesideLatent(content_dim, num_classes, shots)
        # The style starts about as strong as the motion noise: drowned in it, looks would change within a take.
        self.mapping = nn.Sequential(
            initialised(Linear(self.with_class.dim, STYLE_DIM)),
            nn.LeakyReLU(LEAK),
            initialised(Linear(STYLE_DIM, STYLE_DIM)),
        )
        self.input = Linear(STYLE_DIM + motion_dim * len(NOISE_WIDTHS), first.height * first.width * first.channels)
        blocks, in_channels = [], first.channels
        for level in self.levels:
            blocks.append(GeneratorBlock(in_channels, level, channels, modulate=modulate))
            in_channels = level.channels
        self.blocks = nn.ModuleList(blocks)
        # Detail starts at nothing.
        self.finest = FullSizeConvolution(in_channels, FINEST_CHANNELS, grows=True)
        self.detail = FullSizeConvolution(FINEST_CHANNELS, channels, gain=0.0)

    def windows(self, first_frame: int, num_frames: int) -> list[Window]:
        """Frames that each level takes in, smallest level first, to make this stretch of a take."""
        window = (first_frame, first_frame + num_frames)
        windows: list[Window] = []
        for index in reversed(range(len(self.levels))):
            window = window[0] - reach(self.levels[index]), window[1] + reach(self.levels[index])
            windows.insert(0, window)
            if self._doubles_rate(index):
                window = slower(window)
        return windows

    def _doubles_rate(self, index: int) -> bool:
        """Whether a level has twice the frames of the one before."""
        return index > 0 and self.levels[index - 1].frame_step > self.levels[index].frame_step

    def motion_window(self, first_frame: int, num_frames: int) -> Window:
        """Steps of motion noise, half-open, that decide this stretch of a take."""
        start, stop = self.signal_window(first_frame, num_frames)
        return start - REACH, stop + REACH

    def signal_window(self, first_frame: int, num_frames: int) -> Window:
        """Steps of the filtered noise, half-open, that decide this stretch of a take."""
        return self.windows(first_frame, num_frames)[0]

    def style_window(self, first_frame: int, num_frames: int) -> Window:
        """Frames of the take, half-open, whose style decides this stretch of it."""
        places = [
            _clip_frame(level, frame)
            for level, (start, stop) in zip(self.levels, self.windows(first_frame, num_frames), strict=True)
            for frame in (start, stop - 1)
        ]
        return min(places), max(places) + 1

    def forward(
        self, z: Tensor, motion: Tensor, labels: Tensor, *, first_frame: int = 0, num_frames: int | None = None
    ) -> Tensor:
        """Make frames `first_frame` ... `first_frame + num_frames` of B takes.

        z [B, content_dim], motion [B, motion_dim, steps] (white noise for exactly `motion_window`),
        labels int64 [B] -> video [B, C, T, H, W], about -1..1.
        """
        num_frames = self.levels[-1].frames if num_frames is None else num_frames
        style = rearrange(self.style(z, labels), "b d -> b d 1")
        return self.draw(style, self.filters(motion), first_frame=first_frame, num_frames=num_frames)

    def style(self, z: Tensor, labels: Tensor) -> Tensor:
        """What content and class ask for at every level: [B, content_dim], [B] -> [B, STYLE_DIM]."""
        content = F.normalize(z, dim=1) * self.content_dim**0.5
        return self.mapping(self.with_class(content, labels))

    def draw(self, style: Tensor, signal: Tensor, *, first_frame: int, num_frames: int) -> Tensor:
        """Make frames `first_frame` ... `first_frame + num_frames` of B takes, whose style may change over time.

        style [B, STYLE_DIM, frames] for exactly `style_window`, or [B, STYLE_DIM, 1] where it stays the same, signal
        [B, steps, motion_dim * 4] for exactly `signal_window` -> video [B, C, T, H, W], about -1..1.
        """
        windows = self.windows(first_frame, num_frames)
        styles = self._styles_of_levels(style, windows, first_frame, num_frames)
        x = self._first_frames(styles[0], signal)
        picture = x.new_zeros((x.shape[0], self.channels, *x.shape[2:]))
        for index, block in enumerate(self.blocks):
            if self._doubles_rate(index):
                first_made = windows[index - 1][0] + reach(self.levels[index - 1])
                x, picture = (at_twice_the_rate(each, first_made, windows[index]) for each in (x, picture))
            if self.checkpoint_activations and torch.is_grad_enabled():
                x, picture = checkpoint(block, x, picture, styles[index], use_reentrant=False)
            else:
                x, picture = block(x, picture, styles[index])
        detail = unfold_pixels(self.detail(activate(self.finest(activate(x)))), self.height, self.width)
        picture = upsample_space(picture, self.height, self.width, mode="bilinear")
        return (picture + detail).float()

    def _styles_of_levels(
        self, style: Tensor, windows: Sequence[Window], first_frame: int, num_frames: int
    ) -> list[Tensor]:
        """For each level [B, T, STYLE_DIM], or [B, 1, STYLE_DIM] where the style stays the same."""
        style = rearrange(style, "b d t -> b t d")
        if style.shape[1] == 1:
            return [style] * len(windows)
        first = self.style_window(first_frame, num_frames)[0]
        return [
            style[:, [_clip_frame(level, frame) - first for frame in range(*window)]]
            for level, window in zip(self.levels, windows, strict=True)
        ]

    def _first_frames(self, style: Tensor, signal: Tensor) -> Tensor:
        """What the first level takes in: [B, T or 1, style], [B, T, motion_dim * 4] -> [B, C, T, h, w]."""
        signal = torch.cat([style.expand(-1, signal.shape[1], -1), signal], dim=2)
        level = self.levels[0]
        return rearrange(self.input(signal), "b n (h w c) -> b c n h w", h=level.height, w=level.width)
