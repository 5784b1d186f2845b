"""Can a small network tell generated clips from real ones, forwards from backwards, one class from another?

Each is trained from nothing and judged on clips it has not seen; an accuracy always comes with its interval. A network
that cannot tell is no proof that nobody can, but one that can is a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, floor, sqrt

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgan.errors import RequestError
from vidgan.metrics.small_network import UPDATES, logits_of, small_video, train_small

# Standard deviations that hold 95 % of a normal distribution.
Z95 = 1.959963984540054


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers, with the 95 % interval of what it would be on endlessly many clips."""

    value: float
    low: float
    high: float
    num_test: int
    """Answers that count as independent."""


@dataclass(frozen=True)
class TwoSampleTest:
    """Whether real and generated clips can be told apart; 50 % is chance."""

    accuracy: Accuracy
    p_value: float
    """How likely chance alone tells as many apart, or more; one-sided, exact binomial."""
    num_clips: int
    """Of each side: as many as the smaller side has."""


@dataclass(frozen=True)
class TimeArrow:
    """Whether clips can be told from themselves played backwards; 50 % is chance."""

    real: Accuracy
    """On held-out real clips."""
    generated: Accuracy

    @property
    def has_arrow(self) -> bool:
        """Whether real footage can be told at all; if not, `generated` says nothing."""
        return self.real.low > 0.5

    @property
    def in_words(self) -> str:
        """One line."""
        real, generated = f"{self.real.value:.0%}", f"{self.generated.value:.0%}"
        if not self.has_arrow:
            return f"the footage has no arrow: held-out clips are told from their reverse in {real} of cases"
        if self.generated.high < 0.5:
            return f"generated clips play backwards: {generated} are taken to play forwards ({real} of real ones)"
        if self.generated.low <= 0.5:
            return f"generated clips have no arrow of time: {generated} are told ({real} of real ones)"
        return f"generated clips have an arrow of time: {generated} are told ({real} of real ones)"


@dataclass(frozen=True)
class ClassAccuracy:
    """How well classes are recognised by a network that has learnt them from real clips."""

    real: Accuracy
    """On held-out real clips: what can be expected."""
    generated: Accuracy
    """Of generated clips, as the class they were asked for."""
    real_confusion: np.ndarray
    """Clips of the class of the row that are recognised as that of the column, int64 [K, K]."""
    generated_confusion: np.ndarray


def wilson(num_right: float, num_test: int) -> Accuracy:
    """Share and interval of `num_right` of `num_test` independent answers. Wilson 1927."""
    if num_test < 1:
        raise RequestError("no clips to judge by (expected at least 1)")
    share, square = num_right / num_test, Z95**2 / num_test
    middle = (share + square / 2) / (1 + square)
    reach = Z95 / (1 + square) * sqrt(share * (1 - share) / num_test + square / (4 * num_test))
    return Accuracy(share, max(0.0, middle - reach), min(1.0, middle + reach), num_test)


def chance_of(num_right: int, num_test: int) -> float:
    """Probability of at least `num_right` heads of `num_test` fair coins, exactly."""
    tail = sum(comb(num_test, right) for right in range(max(0, num_right), num_test + 1))
    return float(Fraction(tail, 2**num_test))


def two_sample_test(
    real: np.ndarray | Tensor,
    generated: np.ndarray | Tensor,
    *,
    seed: int,
    real_groups: Sequence[int] | None = None,
    updates: int = UPDATES,
) -> TwoSampleTest:
    """Classifier two-sample test, of clips uint8 [N, T, H, W, C] or of features [N, D]. Lopez-Paz and Oquab 2017.

    As many of each side are taken as the smaller one has. They are cut into halves, and each half is judged by a
    network that learnt from the other. `real_groups` (such as the shot of each clip) keeps clips that resemble each
    other in one half: without it, what is recognised may be the shot.

    Two networks that learn and judge crosswise err together: if a half leans to one side by accident, so does what it
    teaches and what it is asked. So both halves make the share more exact by no more than one of them is worth, and
    the interval and the p-value count the answers of one.
    """
    draws = np.random.default_rng(seed)
    examples, side, half = [], [], []
    count = min(len(real), len(generated))
    for label, (clips, groups) in enumerate(((generated, None), (real, real_groups))):
        chosen = draws.permutation(len(clips))[:count]
        examples.append(_examples(clips[chosen]))
        half.append(halves(count, draws, None if groups is None else np.asarray(groups)[chosen]))
        side.append(torch.full((count,), label))
    return _judge_crosswise(torch.cat(examples), torch.cat(side), torch.cat(half), seed=seed, updates=updates)


def _judge_crosswise(examples: Tensor, side: Tensor, half: Tensor, *, seed: int, updates: int) -> TwoSampleTest:
    shares = []
    for judged in (0, 1):
        train, test = half != judged, half == judged
        network = train_small(examples[train], side[train], num_outputs=2, seed=seed, updates=updates)
        right = logits_of(network, examples[test]).argmax(1) == side[test]
        # Each side counts the same, so that chance is 50 % even where groups make the halves uneven.
        shares.append(torch.stack([right[side[test] == label].double().mean() for label in (0, 1)]).mean().item())
    num_test = min(int((half == judged).sum()) for judged in (0, 1))
    share = sum(shares) / 2
    return TwoSampleTest(
        accuracy=wilson(share * num_test, num_test),
        p_value=chance_of(floor(share * num_test + 1e-9), num_test),
        num_clips=len(side) // 2,
    )


def halves(count: int, draws: np.random.Generator, groups: np.ndarray | None = None) -> Tensor:
    """0 or 1 for each of `count` clips, int64, nearly as many of each; a group is never cut. Each half has a clip."""
    groups = np.arange(count) if groups is None else np.asarray(groups)
    names = draws.permutation(np.unique(groups))
    if len(names) < 2:
        raise RequestError(f"{len(names)} group of clips cannot be cut into halves (expected at least 2)")
    half, sizes = torch.zeros(count, dtype=torch.int64), [0, 0]
    for name in names:
        members = torch.from_numpy(groups == name)
        smaller = int(sizes[1] < sizes[0])
        half[members] = smaller
        sizes[smaller] += int(members.sum())
    return half


def time_arrow_test(
    real: np.ndarray, heldout: np.ndarray, generated: np.ndarray, *, seed: int, updates: int = UPDATES
) -> TimeArrow:
    """Learn from real clips which way they play, and judge held-out and generated ones; all uint8 [N, T, H, W, C].

    The answer compares a clip with its reverse, logit against logit, so that chance is 50 % by construction; a clip
    that equals its reverse, such as a frozen one, counts as half right.
    """

    def forwards_loss(network: nn.Module, video: Tensor, _: Tensor) -> Tensor:
        return F.softplus(network(video.flip(2)) - network(video)).mean()

    def judged(clips: np.ndarray) -> Accuracy:
        video = _examples(clips)
        margin = logits_of(network, video) - logits_of(network, video.flip(2))
        same = (video == video.flip(2)).flatten(1).all(1)
        return wilson(float(torch.where(same, 0.5, (margin.flatten() > 0).double()).sum()), len(video))

    video = _examples(real)
    labels = torch.zeros(len(video), dtype=torch.int64)
    network = train_small(video, labels, num_outputs=1, seed=seed, updates=updates, loss=forwards_loss)
    return TimeArrow(real=judged(heldout), generated=judged(generated))


def class_accuracy(
    real: np.ndarray | Tensor,
    real_labels: np.ndarray,
    heldout: np.ndarray | Tensor,
    heldout_labels: np.ndarray,
    generated: np.ndarray | Tensor,
    generated_labels: np.ndarray,
    *,
    num_classes: int,
    seed: int,
    updates: int = UPDATES,
) -> ClassAccuracy:
    """Learn classes from real clips uint8 [N, T, H, W, C] or features [N, D], and judge held-out and generated ones.

    Labels are int [N], 0..K-1.
    """
    examples, labels = _examples(real), _labels(real_labels, len(real), num_classes)
    network = train_small(examples, labels, num_outputs=num_classes, seed=seed, updates=updates)

    def judged(clips: np.ndarray | Tensor, asked: np.ndarray) -> tuple[Accuracy, np.ndarray]:
        asked = _labels(asked, len(clips), num_classes)
        recognised = logits_of(network, _examples(clips)).argmax(1)
        confusion = torch.bincount(asked * num_classes + recognised, minlength=num_classes**2)
        return wilson(int((asked == recognised).sum()), len(asked)), confusion.view(num_classes, -1).numpy()

    of_real, real_confusion = judged(heldout, heldout_labels)
    of_generated, generated_confusion = judged(generated, generated_labels)
    return ClassAccuracy(of_real, of_generated, real_confusion, generated_confusion)


def _examples(clips: np.ndarray | Tensor) -> Tensor:
    """Clips uint8 [N, T, H, W, C] -> small video; features [N, D] as float32."""
    return torch.as_tensor(clips).float() if clips.ndim == 2 else small_video(clips)


def _labels(labels: np.ndarray, count: int, num_classes: int) -> Tensor:
    labels = torch.as_tensor(labels).long()
    if labels.shape != (count,) or (count and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes):
        raise RequestError(f"labels {tuple(labels.shape)} of {count} clips (expected one each, 0 to {num_classes - 1})")
    return labels
