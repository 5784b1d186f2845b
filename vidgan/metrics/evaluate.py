"""All figures of an evaluation, each by its own module; what cannot be had is named with the reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from vidgan.clip import span
from vidgan.errors import VidganError
from vidgan.footage.prepare import PreparedFootage
from vidgan.metrics.clip_sets import ClipSet
from vidgan.metrics.evaluation import (
    ClassFigure,
    Evaluation,
    MemorisationFigure,
    MotionFigure,
    Protocol,
    TimeArrowFigure,
    TwoSampleFigure,
)
from vidgan.metrics.feature_figures import FeatureFigures
from vidgan.metrics.i3d import I3D
from vidgan.metrics.memorisation import memorisation
from vidgan.metrics.movement import compare_movement, describe_movement
from vidgan.metrics.nearest_clips import NearestClips
from vidgan.metrics.seams import loop_seam, stretch_seam
from vidgan.metrics.two_sample import class_accuracy, time_arrow_test, two_sample_test

# Clips that the small networks learn from and judge, and that are searched for in the training footage; more would make
# the figures little sharper, and would have to lie in memory at once.
MOST_IN_MEMORY = 512

# Generated clips that are shown beside the training clips they resemble most.
NUM_PAIRS = 20


@dataclass
class Evaluator:
    """Compares generated clips with the footage they should resemble."""

    train: ClipSet
    heldout: ClipSet | None
    footage: PreparedFootage
    """The training shots, of which copies are searched for."""
    generated: ClipSet
    network: I3D | None
    no_network: str
    """Why there is none."""
    frame_stride: int
    loops: Iterable[np.ndarray] | None = None
    """Whole loops, uint8 [T, H, W, C] each, if the clips are such."""
    long_takes: Iterable[np.ndarray] | None = None
    """Takes of several stretches of `stretch` frames each."""
    stretch: int = 0
    period: int = 1
    """Frames after which the steps of long takes are of one kind."""
    seed: int = 0
    progress: Callable[[int, int], None] | None = None
    missing: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    pairs: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    """After `memorisation`: the generated clips that resemble training clips most, beside these."""

    def evaluate(
        self, protocol: Protocol, curves: dict[str, tuple[tuple[float, float], ...]] | None = None
    ) -> Evaluation:
        """Every figure that can be had; one that cannot leaves its reason in `missing`. `curves` are passed on."""
        figures: dict[str, object] = {}
        steps: dict[str, Callable[[], object]] = {
            "motion": self.motion,
            "time_arrow": self.time_arrow,
            "two_sample": self.two_sample,
            "classes": self.classes,
            "memorisation": self.memorisation,
            "frame_frechet": self.of_features.frame_frechet,
            "fvd": self.of_features.fvd,
            "yardsticks": self.of_features.yardsticks,
            "kvd": self.of_features.kvd,
            "variety": self.of_features.variety,
        }
        if self.loops is not None:
            steps["loop_seam"] = lambda: loop_seam(self.loops, seed=self.seed)
        if self.long_takes is not None:
            steps["stretch_seam"] = lambda: stretch_seam(
                self.long_takes, self.stretch, period=self.period, seed=self.seed
            )
        for name, measure in steps.items():
            began = time.monotonic()
            try:
                figures[name] = measure()
            except VidganError as error:
                self.missing[name] = str(error)
            self.seconds[name] = round(time.monotonic() - began, 2)
        return Evaluation(protocol=protocol, **figures, curves=curves or {}, missing=self.missing, seconds=self.seconds)

    def cheap_figures(self) -> dict[str, float]:
        """What can be measured often, by name: movement, coverage, single frames, and FVD if I3D is there."""

        def of_motion() -> dict[str, float]:
            motion = self.motion()
            names = "energy_decibels", "spectrum_decibels", "flicker_levels", "flow_heights"
            return {f"motion_{name}": getattr(motion, name) for name in names}

        def of_variety() -> dict[str, float]:
            variety = self.of_features.variety()
            return {"coverage": variety.coverage, "density": variety.density}

        figures: dict[str, float] = {}
        for measure in (
            of_motion,
            of_variety,
            lambda: {"frame_frechet": self.of_features.frame_frechet().value},
            lambda: {"fvd": self.of_features.fvd().value},
        ):
            with suppress(VidganError):  # clips too short or too few for it, or no I3D
                figures |= measure()
        return figures

    @cached_property
    def of_features(self) -> FeatureFigures:
        """What is measured by I3D, and by the random network."""
        return FeatureFigures(
            train=self.train,
            heldout=self.heldout,
            generated=self.generated,
            class_names=self.footage.class_names,
            network=self.network,
            no_network=self.no_network,
            seed=self.seed,
            progress=self.progress,
        )

    @property
    def real(self) -> ClipSet:
        """All real clips, training and held-out."""
        return self.of_features.real

    # Figures by small networks and by arithmetic

    def motion(self) -> MotionFigure:
        """All real against all generated clips."""
        real, generated = (describe_movement(clip[None] for clip in of.clips) for of in (self.real, self.generated))
        distance = compare_movement(real, generated)
        return MotionFigure(
            **vars(distance),
            frequencies=tuple(real.frequencies),
            real_spectrum=tuple(real.spectrum),
            generated_spectrum=tuple(generated.spectrum),
            real_flow=tuple(real.flow),
            generated_flow=tuple(generated.flow),
        )

    def time_arrow(self) -> TimeArrowFigure:
        """Learnt from training clips, judged on held-out and generated ones."""
        found = time_arrow_test(
            self._some(self.train), self._some(self._heldout()), self._some(self.generated), seed=self.seed
        )
        return TimeArrowFigure(real=found.real, generated=found.generated, verdict=found.in_words)

    def two_sample(self) -> TwoSampleFigure:
        """Held-out real against generated clips."""
        heldout = self._heldout()
        chosen = heldout.some(MOST_IN_MEMORY, self.seed)
        found = two_sample_test(
            heldout.array(chosen),
            self._some(self.generated),
            seed=self.seed,
            real_groups=heldout.shots[chosen].tolist(),
        )
        return TwoSampleFigure(accuracy=found.accuracy, p_value=found.p_value)

    def classes(self) -> ClassFigure:
        """Learnt from training clips, judged on held-out and generated ones."""
        names = self.footage.class_names
        if len(names) < 2:
            raise VidganError("there are no classes to tell apart")
        heldout = self._heldout()
        chosen = [of.some(MOST_IN_MEMORY, self.seed) for of in (self.train, heldout, self.generated)]
        parts = [
            (of.array(some), of.labels[some])
            for of, some in zip((self.train, heldout, self.generated), chosen, strict=True)
        ]
        found = class_accuracy(*(part for pair in parts for part in pair), num_classes=len(names), seed=self.seed)
        asked = found.generated_confusion.sum(1)
        right = found.generated_confusion.diagonal()
        return ClassFigure(
            real=found.real,
            generated=found.generated,
            by_class={name: float(right[label] / asked[label]) for label, name in enumerate(names) if asked[label]},
        )

    def memorisation(self) -> MemorisationFigure:
        """Every start of every training shot, and its mirror image."""
        found = memorisation(
            self._some(self.generated),
            self._some(self._heldout()),
            self.footage.frames,
            frame_stride=self.frame_stride,
        )
        self.pairs = self._nearest_pairs(found.generated)
        return MemorisationFigure(
            copies=found.copies,
            nearer=found.nearer,
            expected_nearer=found.expected_nearer,
            p_value=found.nearer_p_value,
            copier=bool(found.copier),
        )

    def _nearest_pairs(self, nearest: NearestClips) -> list[tuple[np.ndarray, np.ndarray]]:
        """Generated clips and the training clips that they resemble most, the most alike first."""
        positions, pairs = self.generated.some(MOST_IN_MEMORY, self.seed), []
        for index in np.argsort(nearest.relative)[:NUM_PAIRS].tolist():
            clip = self.generated.clips[positions[index]]
            start = int(nearest.starts[index])
            stop = start + span(len(clip), self.frame_stride)
            training = self.footage.frames[nearest.shots[index]][start : stop : self.frame_stride]
            pairs.append((clip, training[:, :, ::-1] if nearest.mirrored[index] else training))
        return pairs

    def _heldout(self) -> ClipSet:
        if self.heldout is None or len(self.heldout) < 2:
            raise VidganError("no shots are set aside to judge by; add footage or raise data.holdout")
        return self.heldout

    def _some(self, of: ClipSet) -> np.ndarray:
        return of.array(of.some(MOST_IN_MEMORY, self.seed))
