"""One small classifier, trained from nothing in seconds, for measures that ask whether two things can be told apart.

Everything random belongs to the seed: on one thread the same call gives the same network. Training sees as many of each
class, however unequal their counts, and lasts a number of updates, not of seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vidgan.clip import to_float
from vidgan.errors import RequestError

# Clips are scaled down to this many rows: what the network learns in its few updates is coarse.
ROWS = 32

# Passes of the training loop; a clip of a small set is seen many times.
UPDATES = 150
BATCH = 32
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def small_video(frames: np.ndarray | Tensor) -> Tensor:
    """Clips uint8 [N, T, H, W, C] -> video float32 [N, C, T, h, w] -1..1 of at most 32 rows, in proportion."""
    if isinstance(frames, np.ndarray):
        frames = torch.from_numpy(frames.copy())  # prepared frames are read-only, reversed ones have negative strides
    if frames.ndim != 5 or frames.dtype != torch.uint8:
        raise RequestError(f"clips are {frames.dtype} {tuple(frames.shape)} (expected uint8 [n, t, h, w, c])")
    height, width = frames.shape[2:4]
    if min(height, width) < 8:
        raise RequestError(f"clips are {width}x{height} (expected at least 8x8, for three halvings)")
    if height <= ROWS:
        return to_float(rearrange(frames, "n t h w c -> n c t h w")).contiguous()
    size = ROWS, max(8, round(width * ROWS / height))
    small = [F.interpolate(to_float(rearrange(clip, "t h w c -> t c h w")), size, mode="area") for clip in frames]
    return rearrange(torch.stack(small), "n t c h w -> n c t h w").contiguous()


class WithDifferences(nn.Module):
    """video [N, C, T, H, W] -> [N, 2C, T, H, W]: the frames, and what changed in each since the one before."""

    def forward(self, video: Tensor) -> Tensor:
        """The first frame has changed nothing."""
        changes = video[:, :, 1:] - video[:, :, :-1]
        return torch.cat([video, F.pad(changes, (0, 0, 0, 0, 1, 0))], 1).to(memory_format=torch.channels_last_3d)


class Standardise(nn.Module):
    """Shift and scale every channel or feature to the mean 0 and deviation 1 that it has in training."""

    def __init__(self, examples: Tensor) -> None:
        super().__init__()
        others = [axis for axis in range(examples.ndim) if axis != 1]
        deviation, mean = torch.std_mean(examples, others, keepdim=True)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation.clamp_min(1e-6))

    def forward(self, examples: Tensor) -> Tensor:
        """Of the shape it came in."""
        return (examples - self.mean) / self.deviation


def small_network(examples: Tensor, num_outputs: int) -> nn.Module:
    """For video [N, C, T, H, W] three 3-D convolutions, for features [N, D] one hidden layer; logits [N, num_outputs].

    Changes are given beside the frames, being much weaker: without them, 100 updates learn the room and not the motion.
    """
    if examples.ndim == 2:
        return nn.Sequential(
            Standardise(examples), nn.Linear(examples.shape[1], 64), nn.ReLU(), nn.Linear(64, num_outputs)
        )
    with_differences = WithDifferences()
    return nn.Sequential(
        with_differences,
        Standardise(with_differences(examples)),
        nn.Conv3d(2 * examples.shape[1], 16, (1, 4, 4), (1, 2, 2), (0, 1, 1)),
        nn.ReLU(),
        nn.Conv3d(16, 32, (3, 4, 4), 2, 1),
        nn.ReLU(),
        nn.Conv3d(32, 64, (3, 4, 4), 2, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(64, num_outputs),
    )


def cross_entropy(network: nn.Module, examples: Tensor, labels: Tensor) -> Tensor:
    """Of the right class, mean over the batch."""
    return F.cross_entropy(network(examples), labels)


def train_small(
    examples: Tensor, labels: Tensor, *, num_outputs: int, seed: int, updates: int = UPDATES, loss: Loss = cross_entropy
) -> nn.Module:
    """A network that has learnt labels int64 [N] of video [N, C, T, H, W] or features [N, D], both float32.

    Adam with decoupled weight decay; the learning rate falls to zero by a cosine.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = small_network(examples, num_outputs)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for chosen in balanced_batches(labels, seed=seed, count=updates):
        optimizer.zero_grad()
        loss(network, examples[chosen], labels[chosen]).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def balanced_batches(labels: Tensor, *, seed: int, count: int, size: int = BATCH) -> Iterator[Tensor]:
    """Indices int64 [size] of `count` batches: the classes in turn, the members of each in a shuffled order, again and
    again."""
    draws = torch.Generator().manual_seed(seed)
    members = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
    waiting = [torch.empty(0, dtype=torch.int64) for _ in members]
    for batch in range(count):
        chosen = []
        for place in range(size):
            label = (batch * size + place) % len(members)
            if not len(waiting[label]):
                waiting[label] = members[label][torch.randperm(len(members[label]), generator=draws)]
            chosen.append(waiting[label][0])
            waiting[label] = waiting[label][1:]
        yield torch.stack(chosen)


@torch.inference_mode()
def logits_of(network: nn.Module, examples: Tensor) -> Tensor:
    """[N, num_outputs], batch by batch."""
    return torch.cat([network(part) for part in examples.split(BATCH)])
