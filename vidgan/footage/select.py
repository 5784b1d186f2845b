"""Which shots a run uses, at which rate, and which of their frames. Nothing is read here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from vidgan.clip import span
from vidgan.config import DataConfig
from vidgan.errors import FootageError
from vidgan.footage.shots import Note, Scan, Shot

# A picture enlarged more than this is worth a note: the networks would learn softness that no camera made.
NOTED_ENLARGEMENT = 2


@dataclass(frozen=True)
class SelectedShot:
    """A shot and its frames at the run's rate."""

    shot: Shot
    frames: tuple[int, ...]
    """Position in the shot of each frame at the run's rate; not descending."""


@dataclass(frozen=True)
class Selection:
    """The shots of a run; every other one is in `notes`."""

    scan: Scan
    shots: tuple[SelectedShot, ...]
    notes: tuple[Note, ...]
    rate: Fraction | None
    """Frames a second of all shots; None if they are images."""
    class_names: tuple[str, ...]
    """Sorted; empty for an unconditional run."""

    def num_clips(self, data: DataConfig) -> int:
        """Clips that begin at different frames."""
        return sum(clip_positions(len(chosen.frames), data.num_frames, data.frame_stride) for chosen in self.shots)


def select_shots(scan: Scan, data: DataConfig) -> Selection:
    """The shots long enough for a clip at the run's one rate.

    Raises `FootageError` if none is left, with the first reasons.
    """
    rate = data.rate or commonest_rate(scan)
    notes = list(scan.notes)
    selected: list[SelectedShot] = []
    for shot in scan.shots:
        usable = use_shot(shot, rate, data)
        if isinstance(usable, str):
            notes.append(Note(source=shot.source, reason=usable))
        else:
            selected.append(usable)
    if not selected:
        reasons = "; ".join(f"{note.source}: {note.reason}" for note in notes[:3])
        more = f"; and {len(notes) - 3} more" if len(notes) > 3 else ""
        raise FootageError(
            f"{scan.root}: none of its {len(scan.shots)} shots and {len(scan.notes)} other files can be used "
            f"({reasons}{more})"
        )
    return Selection(scan, tuple(selected), tuple(notes), rate, class_names_of(selected, data))


def class_names_of(shots: list[SelectedShot], data: DataConfig) -> tuple[str, ...]:
    """Classes that have a shot, sorted; none for an unconditional run."""
    if data.classes == "none":
        return ()
    return tuple(sorted({chosen.shot.class_name for chosen in shots if chosen.shot.class_name is not None}))


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
    frames, about = tuple(range(shot.num_frames)), []
    if shot.kind == "stills":
        if data.num_frames > 1 and shot.num_frames > 1 and data.rate is None:
            return "a frame sequence has no rate: set data.rate"
    elif shot.rate != rate and data.num_frames > 1:
        if data.other_rates == "refuse":
            return f"its rate is {shot.rate}, the run's is {rate} (data.other_rates is refuse)"
        about.append(f"resampled from {shot.rate} to {rate} frames/s")
        frames = resampled_frames(shot.num_frames, shot.rate, rate)
    needed = span(data.num_frames, data.frame_stride)
    if len(frames) < needed:
        plural = "frame" if len(frames) == 1 else "frames"
        return f"too short: {len(frames)} {plural} from frame {shot.first}, a clip spans {needed}"
    scale = fitted_scale(shot.height, shot.width, shot.pixel_aspect, data)
    if scale > NOTED_ENLARGEMENT:
        about.append(f"enlarged {float(scale):.1f} times, from {shot.width}x{shot.height} (width x height)")
    return SelectedShot(shot.model_copy(update={"notes": (*shot.notes, *about)}), frames)


def clip_positions(num_frames_of_shot: int, num_frames: int, frame_stride: int) -> int:
    """Frames of a shot at which a clip can begin; 0 if the shot is too short for one."""
    return max(0, num_frames_of_shot - span(num_frames, frame_stride) + 1)


def resampled_frames(num_frames: int, rate: Fraction, new_rate: Fraction) -> tuple[int, ...]:
    """For each moment k / new_rate of a shot, the frame nearest in time, the earlier of two equally near.

    The new frames cover what the old ones do: num_frames / rate seconds, rounded to whole frames.
    """
    step = rate / new_rate
    count = max(1, round(num_frames / step))
    return tuple(min(ceil(k * step - Fraction(1, 2)), num_frames - 1) for k in range(count))


def fitted_scale(height: int, width: int, pixel_aspect: Fraction, data: DataConfig) -> Fraction:
    """How many times a picture's rows are enlarged to cover the training frame ("crop") or to fit in it."""
    choose = max if data.fit == "crop" else min
    return choose(Fraction(data.height, height), data.width / (width * pixel_aspect))
