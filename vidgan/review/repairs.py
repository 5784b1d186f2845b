"""Repairs as files: plates in, the same plates out with their damage made good, and a record of what did it.

    what is asked          what is made           where it is put
    masks, boxes           holes filled           into the holes
    missing frames         whole frames           into frames that are new; other layers are the neighbour's
    find                   masks, then holes      masks beside the output, then into the holes
    degrain                pictures without noise the difference, everywhere

A frame sequence is written frame by frame and gone on with after an interruption; a movie is whole or absent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from vidgan.errors import RequestError
from vidgan.media.formats import Format
from vidgan.media.plate_movies import write_plate_movie
from vidgan.media.plate_stills import Change, write_plate_still
from vidgan.media.plates import Plates, open_plates, plate_format, plate_target
from vidgan.media.read_as import ReadAs
from vidgan.media.stills import write_still
from vidgan.review.holes import Holes, holes_of_boxes, holes_of_frames, holes_of_mask, parse_missing
from vidgan.review.repair_files import RepairFiles
from vidgan.review.repair_request import Wanted
from vidgan.review.trace import Record, record_of
from vidgan.sampling.repair import Mender, damage_in, with_grain
from vidgan.sampling.stretches import View, first_needed, in_stretches, runs_of, stretches_around, stretches_of
from vidgan.weights import LoadedRepairer

# Levels of 8 bits in half of the voxels' range -1..1, and in the whole of a picture's 0..1.
_LEVELS_OF_VOXELS, _LEVELS_OF_PICTURE = 127.5, 255

HIGHLIGHTS_NOTE = (
    "in the hole there is no light above what the view shows as white; with --exposure -2 that is four times as much"
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Repaired:
    """What was written."""

    plates: Plates
    target: Path
    """The movie, the pattern of the frame sequence, or the still."""
    masks: Path | None
    """The pattern of the masks that were found."""
    holes: Holes | None
    notes: tuple[str, ...]


class Repair:
    """One repair on its way: checked when it is made, written by `write`."""

    def __init__(
        self,
        loaded: LoadedRepairer,
        input: str | Path,
        output: str | Path,
        wanted: Wanted,
        *,
        format: str | None = None,
        read_as: ReadAs = ReadAs(),
        overwrite: bool = False,
    ) -> None:
        """Raises `RequestError`, `MediaError` or `WeightsError` for everything that cannot be had, before any work."""
        self.loaded, self.wanted, self.data = loaded, wanted, loaded.provenance.config.data
        self._check_weights()
        self.plates = open_plates(input, read_as)
        target = plate_target(self.plates, Path(output))
        self.format: Format | None = plate_format(self.plates, target, format)
        self.files = RepairFiles(self.plates, target, with_masks=wanted.find)
        if self.plates.missing and wanted.missing is None:
            shown = ", ".join(str(self.plates.first_number + index) for index in self.plates.missing[:8])
            raise RequestError(
                f"{self.plates.path}: frame numbers are missing ({shown}); fill them first: --missing gaps"
            )
        self.given_holes = self._given_holes()
        self.description = self._description()
        self.finished = self.files.look_what_is_there(self.description, overwrite=overwrite)

    def _check_weights(self) -> None:
        config, degrain = self.loaded.provenance.config, self.wanted.degrain
        if self.data.channels != 3:
            raise RequestError(f"{self.loaded.path}: mends grey clips; colour needs weights of data.channels=3")
        if degrain is not None and degrain > (most := config.repair.most_noise * _LEVELS_OF_VOXELS):
            raise RequestError(
                f"--degrain is {degrain:g} levels, more than these weights have learnt (at most {most:.0f})"
            )

    def _given_holes(self) -> Holes | None:
        """None where they are found, or nowhere."""
        wanted, plates = self.wanted, self.plates
        if wanted.mask is not None:
            return holes_of_mask(wanted.mask, plates, grow=wanted.grow)
        if wanted.boxes:
            return holes_of_boxes(list(wanted.boxes), plates, grow=wanted.grow)
        if wanted.missing is not None:
            self._check_gaps()
            return holes_of_frames(self._made_anew, plates)
        return None

    @cached_property
    def _made_anew(self) -> list[int]:
        return parse_missing(self.wanted.missing, self.plates)

    def _check_gaps(self) -> None:
        most, longest = self.data.num_frames - 2, max(map(len, runs_of(self._made_anew)))
        if longest > most:
            sees = f"see {self.data.num_frames} frames at once and can fill {max(most, 0)} in a row"
            raise RequestError(f"--missing: {longest} frames in a row are to be made; these weights {sees}")

    def _description(self) -> dict[str, object]:
        """Everything that decides the output, for its sidecar."""
        files = self._input_files()
        wanted = {name: value for name, value in asdict(self.wanted).items() if name != "mask"}
        mine = {
            "weights_sha256": self.loaded.weights_hash,
            **self.loaded.provenance.facts(),
            "repair": {
                "input": str(self.plates.path),
                "input_files_sha256": _digest_of(files),
                "mask": None if self.wanted.mask is None else str(self.wanted.mask),
                "holes": self.given_holes.digest if self.given_holes else None,
                "read_as": asdict(self.plates.read_as),
                "format": self.format.name if self.format else None,
                **wanted,
            },
        }
        source = record_of(files[:1])
        made_by = (*source.made_by, mine)
        made = Record(made_by, bool(source.made_by) and source.all_made, source.delivery)
        return json.loads(json.dumps(made.as_dict()))

    def _input_files(self) -> list[Path]:
        return self.plates.sequence.paths() if self.plates.sequence else [self.plates.path]

    def write(self, progress: Progress | None = None) -> Repaired:
        """Write what is not there yet."""
        holes, notes = self.given_holes, list(self.plates.notes)
        self.files.write_sidecar(self.description)
        if self.wanted.find:
            self._find_masks(progress and _first_half(progress))
            holes = holes_of_mask(self.files.masks.path, self.plates, grow=self.wanted.grow, may_be_empty=True)
            notes += [] if any(holes.areas) else ["no damage was found"]
            progress = progress and _second_half(progress)
        if self.finished:
            pass
        elif self.format:
            changes = self._changes(holes, 0, progress)
            notes += write_plate_movie(self.plates.path, self.files.target, changes, self.format, self.plates.rate)
        else:
            first = self.files.first_missing
            self._write_stills(self._changes(holes, first, progress), first)
            notes += self._still_notes()
        masks = self.files.masks.path if self.wanted.find else None
        return Repaired(self.plates, self.files.target, masks, holes, tuple(notes))

    def _write_stills(self, changes: Iterable[Change | None], first: int) -> None:
        missing = set(self.plates.missing)
        for index, change in enumerate(changes, first):
            source, same_frame = self.plates.file(index), index not in missing
            write_plate_still(source, self.files.frame(index), change, self.plates.read_as, same_frame=same_frame)

    def _still_notes(self) -> list[str]:
        notes = []
        if self.plates.in_light and self.wanted.is_in_holes:
            notes.append(HIGHLIGHTS_NOTE)
        if self.plates.missing:
            notes.append(
                "frames that were missing have the header, alpha and other layers of the frame before, no timecode"
            )
        return notes

    def _stretches(self) -> list[range]:
        if self.wanted.missing is not None:
            return stretches_around(runs_of(self._made_anew), self.plates.num_frames, self.data.num_frames)
        return stretches_of(self.plates.num_frames, self.data.num_frames)

    def _mender(self) -> Mender:
        grain = (self.wanted.degrain or 0.0) / _LEVELS_OF_VOXELS
        return Mender(
            self.loaded.repairer, height=self.data.height, width=self.data.width, seed=self.wanted.seed, grain=grain
        )

    def _views(self, holes: Holes | None, start: int) -> Iterator[View]:
        nothing = np.zeros((self.plates.height, self.plates.width), bool)
        blank = np.zeros((*nothing.shape, 3), np.float32)
        of_frames = holes.from_frame(start) if holes else (nothing for _ in range(start, self.plates.num_frames))
        for picture, hole in zip(self.plates.pictures(start), of_frames, strict=True):
            yield View(blank if picture is None else picture, hole)

    def _changes(self, holes: Holes | None, first: int, progress: Progress | None) -> Iterator[Change | None]:
        """What each frame from `first` on becomes; None for those that stay."""
        mender, stretches, total = self._mender(), self._stretches(), self.plates.num_frames
        views = self._views(holes, first_needed(stretches, first))
        make, everywhere = (mender.fill, False) if self.wanted.is_in_holes else (mender.denoise, True)
        results = in_stretches(
            views, stretches, total, make, first=first, wanted=lambda view: everywhere or bool(view.hole.any())
        )
        for index, (view, made) in enumerate(results, first):
            yield None if made is None else self._change(view, made, index)
            if progress:
                progress(index + 1, total)

    def _change(self, view: View, made: np.ndarray, index: int) -> Change:
        if self.wanted.regrain:
            strength = self.wanted.regrain / _LEVELS_OF_PICTURE
            made = with_grain(made, strength, seed=self.wanted.seed or 0, frame=index)
        return Change(made.clip(0, 1), view.hole if self.wanted.is_in_holes else None)

    def _find_masks(self, progress: Progress | None) -> None:
        """Write masks of the damage that the network finds, those that are not there yet."""
        total, masks, stretches = self.plates.num_frames, self.files.masks, self._stretches()
        first = masks.first_missing
        views = self._views(None, first_needed(stretches, first)) if first < total else iter(())
        results = in_stretches(views, stretches, total, self._mender().find, first=first, wanted=lambda _: True)
        for index, (_, logits) in enumerate(results, first):
            found = damage_in(logits[..., 0])
            write_still(masks.frame(index), np.where(found, np.uint8(255), np.uint8(0))[..., None])
            if progress:
                progress(index + 1, total)


def _first_half(progress: Progress) -> Progress:
    return lambda done, total: progress(done, 2 * total)


def _second_half(progress: Progress) -> Progress:
    return lambda done, total: progress(total + done, 2 * total)


def _digest_of(files: list[Path]) -> str:
    """Of their names, sizes and times: another one means that a file was changed."""
    stats = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()


def check_not_finished(repairs: list[Repair]) -> None:
    """Raise `RequestError` if there is nothing left to do."""
    if all(repair.finished for repair in repairs):
        raise RequestError(f"{repairs[0].files.target}: exists, made by this very command; --overwrite makes it again")
