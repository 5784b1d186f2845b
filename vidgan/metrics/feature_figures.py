"""Figures by the features of I3D: how far generated clips are from real ones, and how varied they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vidgan.errors import VidganError
from vidgan.metrics import frame_features as frames_of
from vidgan.metrics.clip_sets import ClipSet, together
from vidgan.metrics.evaluation import KernelFigure, VarietyFigure, Yardsticks
from vidgan.metrics.features import remembered_features
from vidgan.metrics.frechet import (
    Frechet,
    Moments,
    frechet_distance,
    frechet_distance_of_features,
    streamed_moments,
)
from vidgan.metrics.i3d import I3D
from vidgan.metrics.kernel import kernel_distance
from vidgan.metrics.neighbours import mean_pairwise_distance, neighbourhoods

# Real clips that yardsticks are made of. Each costs as much as a clip to judge, four times over.
YARDSTICK_CLIPS = 192

I3D_NAME = "I3D, Kinetics-400 logits"

# Below this share of the real clips' variety, a class has collapsed.
COLLAPSED = 0.5


@dataclass
class FeatureFigures:
    """Compares sets of clips by their features."""

    train: ClipSet
    heldout: ClipSet | None
    generated: ClipSet
    class_names: tuple[str, ...]
    network: I3D | None
    no_network: str
    """Why there is none."""
    seed: int = 0
    progress: Callable[[int, int], None] | None = None
    _embedded: int = 0

    @cached_property
    def real(self) -> ClipSet:
        """All real clips, training and held-out."""
        return self.train if self.heldout is None else together(self.train, self.heldout)

    def fvd(self) -> Frechet:
        """Generated to all real clips."""
        return frechet_distance_of_features(self.features_of_real, self.features_of_generated)

    def yardsticks(self) -> Yardsticks:
        """What other sets made of the same real clips are apart."""
        real, some = self.features_of_real, self.real.limited(YARDSTICK_CLIPS, self.seed)
        of_some = real[self.real.some(len(some), self.seed)]
        order = np.random.default_rng([self.seed, 0]).permutation(len(real))
        shuffling, noise = (np.random.default_rng([self.seed, purpose]) for purpose in (1, 2))
        half = len(real) // 2

        def apart(first: np.ndarray, second: np.ndarray) -> float:
            return frechet_distance_of_features(first, second).value

        def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> float:
            return apart(of_some, self.features(some, name, change))

        shape = some.clips[0].shape
        return Yardsticks(
            half_half=apart(real[order[:half]], real[order[half : 2 * half]]),
            mirrored=changed("mirrored", lambda clip: clip[:, :, ::-1]),
            shuffled=changed("shuffled", lambda clip: clip[shuffling.permutation(len(clip))]),
            frozen=changed("frozen", lambda clip: np.repeat(clip[:1], len(clip), 0)),
            noise=changed("noise", lambda clip: noise.integers(0, 256, shape, np.uint8)),
            heldout=None
            if self.heldout is None or len(self.heldout) < 2
            else apart(self.features(self.train), self.features(self.heldout)),
            num_clips=len(some),
        )

    def kvd(self) -> KernelFigure:
        """Generated to all real clips."""
        found = kernel_distance(self.features_of_real, self.features_of_generated, seed=self.seed)
        return KernelFigure(
            value=found.value,
            subset_mean=found.subset_mean,
            subset_deviation=found.subset_deviation,
            subset_size=found.subset_size,
        )

    def frame_frechet(self) -> Frechet:
        """Of single frames, by the random network."""
        return frechet_distance(*(of_frames for of_frames, _ in self._frames))

    @cached_property
    def _frames(self) -> list[tuple[Moments, np.ndarray]]:
        """Of real and of generated clips, by the random network; both `frame_frechet` and `variety` need it."""
        return [_features_of_frames(of) for of in (self.real, self.generated)]

    def variety(self) -> VarietyFigure:
        """By I3D if it is there, else by the random network's features of whole clips."""
        if self.network is None:
            features, name = [means for _, means in self._frames], frames_of.NAME
        else:
            features, name = [self.features_of_real, self.features_of_generated], I3D_NAME
        names = self.class_names or ("all",)
        spread = [
            {names[label]: distance for label, distance in mean_pairwise_distance(of, labels).items()}
            for of, labels in zip(features, (self.real.labels, self.generated.labels), strict=True)
        ]
        near = neighbourhoods(*features)
        collapsed = any(
            real is not None and generated is not None and generated < COLLAPSED * real
            for real, generated in ((spread[0].get(name), spread[1].get(name)) for name in names)
        )
        return VarietyFigure(
            real=spread[0],
            generated=spread[1],
            coverage=near.coverage,
            expected_coverage=near.expected_coverage,
            density=near.density,
            precision=near.precision,
            recall=near.recall,
            network=name,
            collapsed=collapsed,
        )

    @cached_property
    def features_of_real(self) -> np.ndarray:
        """Of training and of held-out clips, each remembered by itself."""
        return np.concatenate([self.features(of) for of in (self.train, self.heldout) if of is not None])

    @cached_property
    def features_of_generated(self) -> np.ndarray:
        """Of clips that nobody may ask for again, which are put through the network once all the same."""
        return self.features(self.generated)

    def features(
        self, of: ClipSet, name: str = "", change: Callable[[np.ndarray], np.ndarray] = lambda clip: clip
    ) -> np.ndarray:
        """I3D logits float64 [N, 400], remembered by what the clips are."""
        if self.network is None:
            raise VidganError(self.no_network)
        made = f"{name} {self.seed}" if name else ""
        return remembered_features(self.network, of.content, made, self._counted(change(clip) for clip in of.clips))

    def _counted(self, clips: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        total = len(self.generated) + len(self.real) + 4 * min(len(self.real), YARDSTICK_CLIPS)
        for clip in clips:
            yield clip
            self._embedded += 1
            if self.progress:
                self.progress(self._embedded, max(total, self._embedded))


def _features_of_frames(of: ClipSet) -> tuple[Moments, np.ndarray]:
    """The moments over all frames, and the mean of each clip, float64 [N, 256]."""
    network, means = frames_of.random_network(), np.empty((len(of), frames_of.NUM_FEATURES))

    def by_clip() -> Iterator[np.ndarray]:
        for index, clip in enumerate(of.clips):
            features = frames_of.frame_features(network, clip)
            means[index] = features.mean(0)
            yield features

    return streamed_moments(by_clip()), means
