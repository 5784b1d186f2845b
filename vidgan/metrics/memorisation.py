"""Does a generator repeat its training footage? A verdict by the nearest training clip of each generated one.

A blurred or plain clip is near to everything and a copy of nothing. So what is judged is the relative distance: that
to the nearest training clip over the mean to all of them. Held-out clips, which cannot be copies, are the yardstick.
Mirror images count, too: what augmentation shows the discriminator, a generator may repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, comb, exp, lgamma, log, log1p

import numpy as np

from vidgan.errors import RequestError
from vidgan.metrics.nearest_clips import NearestClips, nearest_training_clips

# A clip is a copy if it is nearer to training than this share of the nearest held-out clip.
COPY_SHARE = 1 / 4

# A copier makes one copy in a hundred clips or more, which come as near by chance with less than this probability.
COPIER_SHARE = 0.01
CHANCE = 0.01

# Held-out clips that are needed to say how their distances are spread.
FEWEST_HELDOUT = 4


@dataclass(frozen=True)
class Memorisation:
    """How near generated clips come to training footage, by the measure of held-out ones."""

    generated: NearestClips
    heldout: NearestClips
    threshold: float
    """Relative distance of the nearest hundredth of held-out clips; of the nearest, if there are fewer than 200."""
    nearer: float
    """Share of generated clips below the threshold."""
    expected_nearer: float
    """What `nearer` is on average if generated and held-out clips have one origin."""
    nearer_p_value: float
    """How likely as many are below it by chance, whatever the distribution. Small also for a generator that clings to
    its training footage without copying it."""
    copies: float
    """Share of generated clips that are below a quarter of the threshold: half as far, measured as root mean square."""
    copies_p_value: float
    """How likely the nearest hundredth of generated clips comes as near as it does by chance, as far as the spread of
    held-out clips says. Not small where footage is so plain that every clip resembles one that was trained on."""

    @property
    def copier(self) -> bool:
        """Whether at least one clip in a hundred is a copy, and not by chance."""
        return self.copies >= COPIER_SHARE and self.copies_p_value < CHANCE


def memorisation(
    generated: np.ndarray,
    heldout: np.ndarray,
    shots: Iterable[np.ndarray],
    *,
    frame_stride: int = 1,
    mirror: bool = True,
) -> Memorisation:
    """Generated and held-out clips uint8 [N, T, H, W, C] against training shots, frames uint8 [T, H, W, C] each.

    Held-out clips should not overlap each other: twins are one witness, not two.
    """
    if generated.shape[1:] != heldout.shape[1:]:
        raise RequestError(f"generated clips are {generated.shape[1:]}, held-out ones {heldout.shape[1:]}")
    nearest = nearest_training_clips(
        np.concatenate([generated, heldout]), shots, frame_stride=frame_stride, mirror=mirror
    )
    return judged(_part(nearest, slice(None, len(generated))), _part(nearest, slice(len(generated), None)))


def judged(generated: NearestClips, heldout: NearestClips) -> Memorisation:
    """The verdict on distances that have been measured."""
    num_generated, num_heldout = len(generated.distances), len(heldout.distances)
    if not num_generated or num_heldout < FEWEST_HELDOUT:
        raise RequestError(
            f"{num_generated} generated and {num_heldout} held-out clips (expected at least 1 and {FEWEST_HELDOUT})"
        )
    rank = max(1, num_heldout // 100)
    threshold = float(np.sort(heldout.relative)[rank - 1])
    num_nearer = int((generated.relative < threshold).sum())
    needed = ceil(COPIER_SHARE * num_generated)
    farthest_needed = float(np.sort(generated.relative)[needed - 1])
    return Memorisation(
        generated=generated,
        heldout=heldout,
        threshold=threshold,
        nearer=num_nearer / num_generated,
        expected_nearer=rank / (num_heldout + 1),
        nearer_p_value=chance_of_nearer(num_nearer, num_generated, num_heldout, rank),
        copies=float((generated.relative < COPY_SHARE * threshold).mean()),
        copies_p_value=chance_of_so_many(needed, num_generated, share_below(farthest_needed, heldout.relative)),
    )


def chance_of_nearer(num_nearer: int, num_generated: int, num_heldout: int, rank: int) -> float:
    """Probability that so many of one set, or more, lie below the `rank`-th smallest of another of the same origin.

    Then fewer than `rank` of the `num_nearer + rank - 1` smallest of all belong to the other: a hypergeometric tail.
    """
    if num_nearer == 0:
        return 1.0
    drawn = num_nearer + rank - 1
    ways = sum(comb(num_heldout, others) * comb(num_generated, drawn - others) for others in range(rank))
    return ways / comb(num_heldout + num_generated, drawn)


def share_below(distance: float, sample: np.ndarray) -> float:
    """Share of clips expected below a distance that may be smaller than all of a sample [N], by its lower tail.

    The share below x falls as a power of x, whatever the clips: the higher, the more ways they differ in (for squared
    distances, half the number of their dimensions). The power is estimated from the nearer half (Hill 1975), and taken
    one standard deviation lower, which expects more.
    """
    nearer = np.maximum(np.sort(sample), np.finfo(np.float64).tiny)
    count = len(sample) // 2
    edge = nearer[count]
    spread = max(np.log(edge / nearer[:count]).sum(), 1e-9)
    power = (count - 1) / spread * (1 - 1 / count**0.5)
    return min(1.0, float(count / len(sample) * (distance / edge) ** power))


def chance_of_so_many(num_found: int, num_tried: int, share: float) -> float:
    """Probability that `num_found` (1 or more) or more of `num_tried` independent tries succeed, each by this share."""
    if share in (0, 1):
        return float(share)
    fewer = sum(
        exp(
            lgamma(num_tried + 1)
            - lgamma(found + 1)
            - lgamma(num_tried - found + 1)
            + found * log(share)
            + (num_tried - found) * log1p(-share)
        )
        for found in range(num_found)
    )
    return min(1.0, max(0.0, 1 - fewer))


def _part(nearest: NearestClips, part: slice) -> NearestClips:
    return NearestClips(**{name: values[part] for name, values in vars(nearest).items()})
