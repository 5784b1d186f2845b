"""What `vidgan evaluate --json` writes: every figure with the protocol that it was made by."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from vidgan.metrics.frechet import Frechet
from vidgan.metrics.seams import Seam
from vidgan.metrics.two_sample import Accuracy

EVALUATION_FORMAT = 1


class Part(BaseModel):
    """Strict base of all parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Protocol(Part):
    """How the figures were made; figures of two protocols cannot be compared."""

    generated: str
    """The weights file, or the folder of clips."""
    footage: str
    num_real: int
    num_generated: int
    num_frames: int
    frame_stride: int
    height: int
    width: int
    rate: str | None
    real_clips: str
    """Which clips of the footage."""
    seeds: str
    """Seeds of the generated takes, and of the evaluation's own draws."""
    features: str
    """The network behind fvd, kvd, variety and coverage, and how pictures come to its size."""


class Yardsticks(Part):
    """The same distance of the same real clips to what is made of them: what a value means here."""

    half_half: float
    """One random half of the real clips to the other: the floor. Half as many clips, hence biased upwards."""
    mirrored: float
    shuffled: float
    """To clips whose frames are in random order."""
    frozen: float
    """To clips that repeat their first frame."""
    noise: float
    heldout: float | None
    """Held-out shots to training shots; None without any."""
    num_clips: int
    """Real clips that were mirrored, shuffled, frozen or made noise; each set is compared with these same ones."""

    def marks(self) -> dict[str, float]:
        """The distances by name."""
        return {name: value for name, value in self if name != "num_clips" and value is not None}


class KernelFigure(Part):
    """Unbiased polynomial MMD^2, with its spread over subsets."""

    value: float
    subset_mean: float
    subset_deviation: float
    subset_size: int


class MotionFigure(Part):
    """Movement of generated against real clips; 0 where they move alike."""

    energy_decibels: float
    spectrum_decibels: float
    flicker_levels: float
    flow_heights: float
    frequencies: tuple[float, ...]
    real_spectrum: tuple[float, ...]
    generated_spectrum: tuple[float, ...]
    real_flow: tuple[float, ...]
    generated_flow: tuple[float, ...]


class TimeArrowFigure(Part):
    """How often a network that learnt it from real clips tells forwards from backwards."""

    real: Accuracy
    generated: Accuracy
    verdict: str


class VarietyFigure(Part):
    """How different clips are from each other, and how much of the footage they reach."""

    real: dict[str, float | None]
    """Mean pairwise distance of features, by class."""
    generated: dict[str, float | None]
    coverage: float
    expected_coverage: float
    density: float
    precision: float
    recall: float
    network: str
    collapsed: bool
    """Whether clips of some class are less than half as different from each other as real ones."""


class MemorisationFigure(Part):
    """How near clips come to training footage, by the measure of held-out footage."""

    copies: float
    nearer: float
    expected_nearer: float
    p_value: float
    copier: bool


class TwoSampleFigure(Part):
    """How often a network tells held-out real clips from generated ones; 50 % is the goal."""

    accuracy: Accuracy
    p_value: float


class ClassFigure(Part):
    """How often classes are recognised by a network that learnt them from real clips."""

    real: Accuracy
    generated: Accuracy
    by_class: dict[str, float]
    """Share of generated clips that are recognised as the class they were asked for."""


class Evaluation(Part):
    """Everything that an evaluation found; None where a figure could not be had, with the reason in `missing`."""

    version: int = EVALUATION_FORMAT
    protocol: Protocol
    fvd: Frechet | None = None
    yardsticks: Yardsticks | None = None
    kvd: KernelFigure | None = None
    frame_frechet: Frechet | None = None
    """Of single frames, by a convolutional network with random weights: colours and textures, not things. Not FID."""
    motion: MotionFigure | None = None
    time_arrow: TimeArrowFigure | None = None
    variety: VarietyFigure | None = None
    memorisation: MemorisationFigure | None = None
    two_sample: TwoSampleFigure | None = None
    classes: ClassFigure | None = None
    loop_seam: Seam | None = None
    """Of clips that are said to be loops."""
    stretch_seam: Seam | None = None
    """Of takes that are longer than what is rendered at once."""
    curves: dict[str, tuple[tuple[float, float], ...]] = {}
    """What training measured along the way (`evaluate.every_kclips`): (kclips, value) of each figure."""
    missing: dict[str, str] = {}
    """Why a figure is not there."""
    seconds: dict[str, float] = {}
    """What each figure cost."""
