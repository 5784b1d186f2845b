"""The plan both networks are built from: the sizes a clip passes through, smallest first.

The generator walks the plan up, the discriminator walks it down. A plan is data: it can be printed,
tested, and compared before a single layer exists. For 64x64 clips of 16 frames:

    level  frames  height x width  channels  kernel
        0       4           4 x 4       128  3x3x3
        1       8           8 x 8        64  3x3x3
        2      16         16 x 16        32  3x3x3
        3      16         32 x 32        16  1x3x3

The largest level has half the picture's height and width, because layers at full size would take most of the
time and add least: the discriminator folds 2x2 pixels into channels (Shi et al. 2016), the generator draws the
last detail with a few channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from vidgan.config import DataConfig, ModelConfig

# Temporal kernels pay where the picture is small; above, motion is already decided and (1, 3, 3) is
# three times cheaper (as TGANv2 and LongVideoGAN found).
MAX_TEMPORAL_ROWS = 20

# Pixels of the picture, each way, in one pixel of the largest level.
PIXEL_FOLD = 2

# The smallest picture has at least this many rows and columns, the shortest level this many frames.
MIN_ROWS = 4
MIN_FRAMES = 4


@dataclass(frozen=True)
class Level:
    """One size of the plan."""

    frames: int
    height: int
    width: int
    channels: int
    frame_step: int
    """Clip frames from one frame of this level to the next: 1 at full rate, 4 at a quarter of it."""
    temporal: bool
    """Whether this level has kernels over time."""


def plan_levels(
    *,
    height: int,
    width: int,
    num_frames: int,
    channels: int,
    max_channels: int,
    max_temporal_rows: int = MAX_TEMPORAL_ROWS,
) -> tuple[Level, ...]:
    """The levels for clips of this size, smallest first; the last has half the clip's height and width.

    Each level has twice the height and width of the one before, less what is not needed: 36 rows come
    from 18, 9 and 5, so sizes need not be powers of two. Frames double too, from about `MIN_FRAMES`,
    for as long as the picture is small. `channels` is the width of the last level, doubled at each level
    below and capped by `max_channels`. A clip of one frame has no temporal kernels at all.
    """
    sizes = [(-(-height // PIXEL_FOLD), -(-width // PIXEL_FOLD))]
    while min(sizes[0]) >= 2 * MIN_ROWS:
        sizes.insert(0, tuple((side + 1) // 2 for side in sizes[0]))

    temporal = [num_frames > 1 and min(size) <= max_temporal_rows for size in sizes]
    doublings = min((num_frames // MIN_FRAMES).bit_length() - 1, sum(temporal) - 1)
    levels = []
    for index, (rows, columns) in enumerate(sizes):
        frame_step = 2 ** max(doublings - index, 0)
        levels.append(
            Level(
                frames=-(-num_frames // frame_step),
                height=rows,
                width=columns,
                channels=min(channels * 2 ** (len(sizes) - 1 - index), max_channels),
                frame_step=frame_step,
                temporal=temporal[index],
            )
        )
    return tuple(levels)


def levels_of_clip(
    data: DataConfig, model: ModelConfig, channels: int, *, max_temporal_rows: int = MAX_TEMPORAL_ROWS
) -> tuple[Level, ...]:
    """The levels for the clips of a config; `channels` is one network's."""
    return plan_levels(
        height=data.height,
        width=data.width,
        num_frames=data.num_frames,
        channels=channels,
        max_channels=model.max_channels,
        max_temporal_rows=max_temporal_rows,
    )


def print_levels(levels: tuple[Level, ...]) -> str:
    """The plan as a table of text, smallest level first; of a network without levels, a line that says so."""
    if not levels:
        return "fully connected, without levels"
    lines = ["level  frames  height x width  channels  kernel"]
    for index, level in enumerate(levels):
        size = f"{level.height} x {level.width}"
        kernel = "3x3x3" if level.temporal else "1x3x3"
        lines.append(f"{index:5}  {level.frames:6}  {size:>14}  {level.channels:8}  {kernel}")
    return "\n".join(lines)
