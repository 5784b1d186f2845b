"""Whether the game has collapsed: what the articles say to look at, watched while it trains.

    sign            what is measured                                        what it shows
    overshoot       the discriminator's loss over that of logits that are   steps too large for it
                    all 0
    gap             distance of the mean logits of real and generated       the discriminator has won, and the generator
                    clips                                                   learns nothing (Arjovsky and Bottou 2017)
    variety         distance of generated clips of one class, as a share    dropped modes (Goodfellow 2016, sec. 5.1)
                    of that of real ones
    one clip        both distances are next to nothing                      footage that is one clip over and over
    dead            share of channels with no gradient at all               a saturated loss (Goodfellow et al. 2014,
                                                                            sec. 3), dead activations
    drift           distance of the averaged from the current weights, as   a generator that runs in circles (Yazici et
                    a share of the latter's norm                            al. 2019)

No single batch decides: figures are running means (of gap and overshoot, geometric ones) with a half-life of a hundred
updates, and nothing is said before two hundred. The limits lie outside of what sound runs showed, which stands beside
them. A state is left only some way back from its limit, so that it does not flicker.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import exp, expm1, isfinite, log, log1p, nan
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vidgan.config import Config
from vidgan.training.losses import objective_of
from vidgan.training.vitals import dead_share, distances_within_classes, weight_drift

if TYPE_CHECKING:
    from vidgan.training.state import TrainState

STATES = ("healthy", "warning", "collapsed")

# What is logged of the watch has names that begin so; distances on their way from an update to the watch, so.
WATCHED, _PAIRS = "watch/", "pairs/"

# In updates: between two looks at clips, gradients and weights; half-life of the means; the first verdict.
LOOK_INTERVAL, HALFLIFE, FIRST_VERDICT = 16, 100, 200

# Limits of a warning and of a collapse. Sound runs: 1.0.
OVERSHOOT_LIMITS = (1.25, 3.0)
# For losses that saturate. Sound runs: 8.
GAP_LIMITS = (15.0, 40.0)
# Sound runs: 0.09 and above. A class that has never been varied is given time to become so.
VARIETY_LIMITS, UPDATES_TO_VARY = (0.08, 0.03), 1000
# Of either network. Sound runs: 0.
DEAD_LIMITS = (0.5, 0.9)
# Sound runs: 0.14.
DRIFT_LIMITS = (0.4, 1.0)

# Clips -1..1 that are no further apart are one clip: real ones, and what a generator makes of them.
ONE_CLIP, ONE_CLIP_GENERATED = 0.01, 0.05

# What it takes to leave a state, as a share of the way from its limit.
WAY_BACK = 0.2

# Distances of fewer pairs of clips than this say nothing.
FEWEST_PAIRS = 8.0

Labels = tuple[int, ...]
"""Of classes that are taken together."""


@dataclass(frozen=True)
class Sign:
    """Something that is wrong."""

    name: str
    severity: int
    """1 a warning, 2 a collapse."""
    label: int = -1
    """The class that shows it, if one does."""


class Watch:
    """Running means of one game, and what they show. All of it lands in checkpoints."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.updates = 0
        self.sums: dict[str, float] = {}
        """By figure, over all updates, each counting half as much a half-life later."""
        self.weights: dict[str, float] = {}
        """What figures that were always 1 would have come to."""
        self.varied: list[Labels] = []
        """Groups of classes whose generated clips were varied at some time."""
        self.suspicion: Sign | None = None
        """The worst there was at the last look."""
        self.healthy_at = 0
        """Real clips shown when last there was none."""

    @property
    def sign(self) -> Sign | None:
        """What is wrong, once enough has been seen to say so."""
        return self.suspicion if self.updates >= FIRST_VERDICT else None

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return STATES[self.sign.severity if self.sign else 0]

    def is_due(self, num_clips: int, config: Config) -> bool:
        """Whether the update that begins at this clip looks at clips and weights: halfway between two penalties."""
        return (num_clips // config.train.batch_size) % LOOK_INTERVAL == LOOK_INTERVAL // 2

    def distances(self, real: Tensor, fake: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """What an update hands to `observe` among its statistics, of video [B, C, T, H, W] and labels [B]: scalars.

        They may be averaged on the way, over the parts of a batch or over processes.
        """
        found = {}
        for side, video in (("real", real), ("fake", fake)):
            sums, counts = distances_within_classes(video, labels, self.num_classes)
            for label, (distance, count) in enumerate(zip(sums, counts, strict=True)):
                found |= {f"{_PAIRS}{side}{label}": distance, f"{_PAIRS}count{label}": count}
        return found

    def observe(self, statistics: dict[str, float], state: TrainState, config: Config) -> dict[str, float]:
        """Take in the update just made, which has moved the clock; returns its statistics as they are to be logged.

        After a look, the running means are among them. An update that was dropped is not taken in.
        """
        pairs = {name: value for name, value in statistics.items() if name.startswith(_PAIRS)}
        statistics = {name: value for name, value in statistics.items() if name not in pairs}
        if state.trouble:
            return statistics
        self.updates += 1
        self._see({"log_gap": log1p(abs(statistics["logit_real"] - statistics["logit_fake"]))}, updates=1)
        self._see({"accuracy": statistics["accuracy"]}, updates=1)
        if "relative_loss" in statistics:
            self._see({"log_overshoot": log(max(statistics["relative_loss"], 1e-12))}, updates=1)
        if pairs:
            statistics |= self._look(pairs, state, config)
        if self.suspicion is None:
            self.healthy_at = state.num_clips
        return statistics

    def figures(self) -> dict[str, float]:
        """Running means: overshoot, gap, accuracy, variety (of the class with least), dead_*, drift; nan if unknown."""
        names = ("accuracy", "dead_generator", "dead_discriminator", "drift")
        return {
            "overshoot": exp(self._mean("log_overshoot")),
            "gap": expm1(self._mean("log_gap")),
            "variety": min(self._varieties().values(), default=nan),
            **{name: self._mean(name) for name in names},
        }

    def variety(self, label: int) -> float:
        """Of a class, or of all of them together where `Sign` names none (-1); nan if unknown."""
        varieties = self._varieties()
        return varieties.get((label,), min(varieties.values(), default=nan))

    def state_dict(self) -> dict[str, Any]:
        """Numbers and their names."""
        return copy.deepcopy(vars(self)) | {"suspicion": asdict(self.suspicion) if self.suspicion else None}

    def load_state_dict(self, contents: dict[str, Any]) -> None:
        """What `state_dict` returned."""
        suspicion = contents["suspicion"]
        vars(self).update(copy.deepcopy(contents) | {"suspicion": Sign(**suspicion) if suspicion else None})

    def _look(self, pairs: dict[str, float], state: TrainState, config: Config) -> dict[str, float]:
        """Judge by what has been seen, clips and weights of this update included; returns the running means."""
        dead = {f"dead_{name}": dead_share(getattr(state, name)) for name in ("generator", "discriminator")}
        drift = {"drift": weight_drift(state.generator_ema, state.generator)}
        self._see(pairs | dead | drift, updates=LOOK_INTERVAL)
        figures, varieties = self.figures(), self._varieties()
        varied = [labels for labels, variety in varieties.items() if variety > VARIETY_LIMITS[0]]
        self.varied += [labels for labels in varied if labels not in self.varied]
        self.suspicion = self._worst(list(self._signs(figures, config)))
        return {f"{WATCHED}{name}": value for name, value in figures.items() if isfinite(value)}

    def _worst(self, signs: list[Sign]) -> Sign | None:
        """Of equally bad ones that which was there before, else the first."""
        worst = max((sign.severity for sign in signs), default=0)
        signs = [sign for sign in signs if sign.severity == worst]
        return self.sign if self.sign in signs else next(iter(signs), None)

    def _see(self, figures: dict[str, float], *, updates: int) -> None:
        """One observation of each figure, so many updates after the last."""
        keep = 0.5 ** (updates / HALFLIFE)
        for name, value in figures.items():
            self.sums[name] = keep * self.sums.get(name, 0.0) + value
            self.weights[name] = keep * self.weights.get(name, 0.0) + 1

    def _mean(self, name: str) -> float:
        return self.sums[name] / self.weights[name] if name in self.sums else nan

    def _groups(self) -> list[Labels]:
        """Classes of which enough pairs were seen, each alone; if there are none, all of them together."""
        labels = tuple(range(max(1, self.num_classes)))
        alone: list[Labels] = [(label,) for label in labels if self._num_pairs((label,)) >= FEWEST_PAIRS]
        return alone or ([labels] if self._num_pairs(labels) >= FEWEST_PAIRS else [])

    def _num_pairs(self, labels: Labels) -> float:
        return sum(self.sums.get(f"{_PAIRS}count{label}", 0.0) for label in labels)

    def _distance(self, side: str, labels: Labels) -> float:
        """Mean distance of two clips of one class."""
        return sum(self.sums[f"{_PAIRS}{side}{label}"] for label in labels) / self._num_pairs(labels)

    def _varieties(self) -> dict[Labels, float]:
        """Of each group whose real clips are not all one."""
        distances = {labels: self._distance("real", labels) for labels in self._groups()}
        return {labels: self._distance("fake", labels) / real for labels, real in distances.items() if real > ONE_CLIP}

    def _signs(self, figures: dict[str, float], config: Config) -> Iterator[Sign]:
        """All that is wrong now, the likeliest cause of the others first."""
        yield from self._sign("overshoot", figures["overshoot"], OVERSHOOT_LIMITS)
        yield from self._sign("gap", figures["gap"], gap_limits(config))
        groups, varieties = self._groups(), self._varieties()
        if groups and not varieties:
            repeats = max(self._distance("fake", labels) for labels in groups) <= ONE_CLIP_GENERATED
            yield Sign("one clip", 2 if repeats else 1)
        few, very_few = (1 / limit for limit in VARIETY_LIMITS)
        for labels, variety in sorted(varieties.items(), key=lambda item: item[1]):
            if labels in self.varied or self.updates >= UPDATES_TO_VARY:
                label = labels[0] if len(labels) == 1 and self.num_classes else -1
                yield from self._sign("variety", 1 / max(variety, 1e-9), (few, very_few), label)
        for name in ("dead_discriminator", "dead_generator"):
            yield from self._sign(name, figures[name], DEAD_LIMITS)
        yield from self._sign("drift", figures["drift"], DRIFT_LIMITS)

    def _sign(self, name: str, figure: float, limits: tuple[float, float], label: int = -1) -> Iterator[Sign]:
        """The sign if a figure is above a limit; one that was seen before stays until it is some way below."""
        last = self.suspicion
        before = last.severity if last and (last.name, last.label) == (name, label) else 0
        for severity in (2, 1):
            if figure > limits[severity - 1] * (1 - WAY_BACK if before >= severity else 1):
                yield Sign(name, severity, label)
                return


def gap_limits(config: Config) -> tuple[float, float]:
    """Distances between logits that call for a warning and mean a collapse.

    Losses that saturate have nothing left to learn there. A loss without a lower bound (wasserstein) measures a
    distance: where its slopes are 1, as its penalty wants, it cannot exceed that of black and white clips.
    """
    far = torch.tensor(1e3)
    if objective_of(config.train.loss).discriminator(far, -far) >= 0:
        return GAP_LIMITS
    data = config.data
    furthest = 2 * (data.channels * data.num_frames * data.height * data.width) ** 0.5
    return furthest, 4 * furthest
