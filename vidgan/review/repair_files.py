"""Where a repair is written, and what of it is there already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vidgan.errors import RequestError
from vidgan.files import writable_folder, write_text
from vidgan.media.plates import Plates
from vidgan.media.sequences import FIRST_NUMBER, FrameSequence, is_pattern, parse_pattern
from vidgan.review.trace import sidecar_path


@dataclass(frozen=True)
class Frames:
    """Stills that are written one after another, the first at `first_number`; or one still, or a movie."""

    path: Path
    num_frames: int
    first_number: int = 0

    def frame(self, index: int) -> Path:
        """The file of a frame."""
        if not is_pattern(self.path):
            return self.path
        return FrameSequence(*parse_pattern(self.path), ()).path(self.first_number + index)

    def there(self) -> list[Path]:
        """The files that exist."""
        return [path for path in map(self.frame, range(self.num_frames)) if path.exists()]

    @property
    def first_missing(self) -> int:
        """Index of the first frame that does not exist; `num_frames` if all do."""
        missing = (index for index in range(self.num_frames) if not self.frame(index).exists())
        return next(missing, self.num_frames)


class RepairFiles:
    """The frames, the masks that are found, and the sidecar: all under names that follow from the output's."""

    def __init__(self, plates: Plates, target: Path, *, with_masks: bool) -> None:
        """`target` is a movie, a pattern of a frame sequence or a still."""
        self.plates, self.target = plates, target
        self.sidecar = sidecar_path(target)
        self._frames = Frames(target, plates.num_frames if plates.sequence else 1, plates.first_number)
        self.masks = self._masks() if with_masks else Frames(target, 0)

    def _masks(self) -> Frames:
        """`out_masks/out.####.png` beside `out.mov`."""
        stem, padding = stem_of(self.target), self.plates.sequence.padding if self.plates.sequence else 0
        pattern = self.target.parent / f"{stem}_masks" / f"{stem}.{'#' * (padding or 4)}.png"
        return Frames(pattern, self.plates.num_frames, self.plates.first_number if padding else FIRST_NUMBER)

    def frame(self, index: int) -> Path:
        """The still that a frame is written to."""
        return self._frames.frame(index)

    @property
    def first_missing(self) -> int:
        """Index of the first frame that is not there."""
        return self._frames.first_missing

    def look_what_is_there(self, description: dict[str, object], *, overwrite: bool) -> bool:
        """Whether this very repair is there already, whole.

        Raises `RequestError` if the output is the input, cannot be written, or exists and was made by another command.
        """
        if self.target.resolve() == self.plates.path.resolve():
            raise RequestError(f"{self.target}: is the input; give the output another name")
        writable_folder(self.target.resolve().parent)
        there = [*self._frames.there(), *self.masks.there()]
        if overwrite:
            for path in there:
                path.unlink()
            there = []
        if there and not self._was_begun(description):
            raise RequestError(f"{there[0]}: exists, made by another command; choose another name, or --overwrite")
        return len(self._frames.there()) == self._frames.num_frames

    def _was_begun(self, description: dict[str, object]) -> bool:
        try:
            return json.loads(self.sidecar.read_text(encoding="utf-8")) == description
        except (OSError, ValueError):
            return False

    def write_sidecar(self, description: dict[str, object]) -> None:
        """Say what is being made, before it is made: what was interrupted is known by it."""
        if self.masks.num_frames:
            writable_folder(self.masks.path.parent)
        write_text(self.sidecar, json.dumps(description, indent=2) + "\n")


def stem_of(output: Path) -> str:
    """ "out" of `out.mov`, `out.####.exr` and `out`."""
    return sidecar_path(output).name.removesuffix(".json").removesuffix(output.suffix)


def with_seed(output: Path, seed: int) -> Path:
    """An alternative's name: `out_seed0003.mov`, `out_seed0003.####.exr`."""
    stem, dot, rest = output.name.partition(".")
    return output.with_name(f"{stem}_seed{seed:04d}{dot}{rest}")
