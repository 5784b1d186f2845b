"""Which shots a run uses, at which rate, and which of their frames. Nothing is read here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from vidgan.clip import span
from vidgan.config import DataConfig
from vidgan.errors import FootageError
from vidgan.footage.shots import Note, Scan, Shot

# A picture enlarged more than this is worth a note: the networks would learn softness that no camera made.
NOTED_ENLARGEMENT = 2

# A movie whose frames would stand for more frames of the run than this is a slide show, or lies about its rate.
MOST_REPEATS = 100


@dataclass(frozen=True)
class SelectedShot:
    """A shot and its frames at the run's rate."""

    shot: Shot
    frames: tuple[int, ...]
    """Position in the shot of each frame at the run's rate; not descending."""
    blends: tuple[Fraction, ...] | None = None
    """How much of the following frame is mixed into each, 0 to 1; None if frames are taken as they are."""


@dataclass(frozen=True)
class Selection:
    """The shots of one split; every other one that cannot be used is in `notes`."""

    scan: Scan
    shots: tuple[SelectedShot, ...]
    num_set_aside: int
    """Shots of the other split."""
    notes: tuple[Note, ...]
    rate: Fraction | None
    """Frames a second of all shots; None if they are images."""
    class_names: tuple[str, ...]
    """Sorted; empty for an unconditional run."""

    @property
    def labels(self) -> tuple[int, ...]:
        """The class of each shot."""
        return labels_of(self.shots, self.class_names)

    def num_clips(self, data: DataConfig) -> int:
        """Clips that begin at different frames."""
        return sum(clip_positions(len(chosen.frames), data.num_frames, data.frame_stride) for chosen in self.shots)


def select_shots(scan: Scan, data: DataConfig, *, split: Literal["train", "holdout"] = "train") -> Selection:
    """The shots of a split that are long enough for a clip at the run's one rate.

    A class all of whose shots are set aside is trained on all the same, and has nothing to be evaluated on.
    Raises `FootageError` if no shot is left, with the first reasons.
    """
    rate = data.rate or commonest_rate(scan)
    notes = list(scan.notes)
    usable: list[SelectedShot] = []
    for shot in scan.shots:
        found = use_shot(shot, rate, data)
        if isinstance(found, str):
            notes.append(Note(source=shot.source, reason=found))
        else:
            usable.append(found)
    trainable = {_class_in_run(chosen.shot, data) for chosen in usable if chosen.shot.split == "train"}
    selected = [
        chosen
        for chosen in usable
        if (chosen.shot.split == "train" or _class_in_run(chosen.shot, data) not in trainable) == (split == "train")
    ]
    if not selected:
        reasons = "; ".join(f"{note.source}: {note.reason}" for note in notes[:3])
        more = f"; and {len(notes) - 3} more" if len(notes) > 3 else ""
        raise FootageError(
            f"{scan.root}: none of its {len(scan.shots)} shots and {len(scan.notes)} other files can be used "
            f"({reasons}{more})"
            if not usable
            else f"{scan.root}: none of its {len(usable)} shots is set aside for evaluation; raise data.holdout"
        )
    num_set_aside = len(usable) - len(selected)
    return Selection(scan, tuple(selected), num_set_aside, tuple(notes), rate, class_names_of(selected, data))


def _class_in_run(shot: Shot, data: DataConfig) -> str | None:
    return shot.class_name if data.classes == "folders" else None


def class_names_of(shots: list[SelectedShot], data: DataConfig) -> tuple[str, ...]:
    """Classes that have a shot, sorted; none for an unconditional run."""
    if data.classes == "none":
        return ()
    return tuple(sorted({chosen.shot.class_name for chosen in shots if chosen.shot.class_name is not None}))


def labels_of(shots: Iterable[SelectedShot], class_names: tuple[str, ...]) -> tuple[int, ...]:
    """The class of each shot; 0 in an unconditional run."""
    return tuple(class_names.index(chosen.shot.class_name) if class_names else 0 for chosen in shots)


def commonest_rate(scan: Scan) -> Fraction | None:
    """The rate of the most movie frames; the slower of equals. None without movies."""
    frames: Counter[Fraction] = Counter()
    for shot in scan.shots:
        if shot.rate is not None:
            frames[shot.rate] += shot.num_frames
    return min(frames, key=lambda rate: (-frames[rate], rate), default=None)


def use_shot(shot: Shot, rate: Fraction | None, data: DataConfig) -> SelectedShot | str:
    """The shot's frames at this rate, or the reason why it is not used."""
    if data.classes == "folders" and shot.class_name is None:
        return "lies in no class folder (data.classes is folders)"
    frames, blends, about = tuple(range(shot.num_frames)), None, []
    if data.num_frames > 1 and shot.num_frames > 1:
        if shot.timestamps is None and shot.rate is None and data.rate is None:
            what = "a frame sequence" if shot.kind == "stills" else "a movie without timestamps"
            return f"{what} has no rate: set data.rate"
        if shot.timestamps is not None or shot.rate not in (None, rate):
            its_rate = "varies" if shot.rate is None else f"is {shot.rate}"
            if rate is None:
                return f"its rate {its_rate} (mean {float(shot.num_frames / shot.seconds):.2f} frames/s): set data.rate"
            if data.other_rates == "refuse":
                return f"its rate {its_rate}, the run's is {rate} (data.other_rates is refuse)"
            if shot.seconds * rate > MOST_REPEATS * shot.num_frames:
                apart = float(shot.seconds / shot.num_frames)
                return f"its frames are {apart:.3g} seconds apart: a slide show, or its header is damaged"
            before = "a variable rate" if shot.rate is None else str(shot.rate)
            about.append(f"resampled from {before} to {rate} frames/s")
            times = shot.timestamps or [index / shot.rate for index in range(shot.num_frames)]
            frames, blends = resampled(times, shot.seconds, rate, blend=data.other_rates == "blend")
    needed = span(data.num_frames, data.frame_stride)
    if len(frames) < needed:
        plural = "frame" if len(frames) == 1 else "frames"
        return f"too short: {len(frames)} {plural} from frame {shot.first}, a clip spans {needed}"
    scale = fitted_scale(shot.height, shot.width, shot.pixel_aspect, data)
    if scale > NOTED_ENLARGEMENT:
        about.append(f"enlarged {float(scale):.1f} times, from {shot.width}x{shot.height} (width x height)")
    return SelectedShot(shot.model_copy(update={"notes": (*shot.notes, *about)}), frames, blends)


def clip_positions(num_frames_of_shot: int, num_frames: int, frame_stride: int) -> int:
    """Frames of a shot at which a clip can begin; 0 if the shot is too short for one."""
    return max(0, num_frames_of_shot - span(num_frames, frame_stride) + 1)


def resampled(
    times: Sequence[Fraction], seconds: Fraction, rate: Fraction, *, blend: bool
) -> tuple[tuple[int, ...], tuple[Fraction, ...] | None]:
    """For each moment k / rate of a shot, the position of the frame nearest in time, the earlier of two equally near.

    `times` is when each frame is first shown, from 0; the shot lasts `seconds`, and so do the new frames, rounded to
    whole ones. With `blend`, the position of the frame shown at that moment, and how much of the next one is mixed
    into it: the share of the way there that has passed.
    """
    frames, blends, position = [], [], 0
    for moment in (k / rate for k in range(max(1, round(seconds * rate)))):
        while position + 1 < len(times) and times[position + 1] <= moment:
            position += 1
        passed = Fraction(0)
        if position + 1 < len(times):
            passed = (moment - times[position]) / (times[position + 1] - times[position])
        frames.append(position if blend or passed <= Fraction(1, 2) else position + 1)
        blends.append(passed)
    return tuple(frames), tuple(blends) if blend else None


def fitted_scale(height: int, width: int, pixel_aspect: Fraction, data: DataConfig) -> Fraction:
    """How many times a picture's rows are enlarged to cover the training frame ("crop") or to fit in it."""
    choose = max if data.fit == "crop" else min
    return choose(Fraction(data.height, height), data.width / (width * pixel_aspect))
