"""The files of one take: its pictures, and beside them a sidecar that says how they were made and makes them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import numpy as np
from einops import repeat

from vidgan.errors import MediaError, RequestError
from vidgan.files import write_text
from vidgan.media.delivery_color import DeliveryColor, plan_color
from vidgan.media.formats import Format
from vidgan.media.sequences import FIRST_NUMBER, FrameSequence, frame_sequence_from_pattern
from vidgan.media.stills import read_still
from vidgan.metrics.seams import LoopSteps
from vidgan.review.delivery import Delivery, Job
from vidgan.review.pictures import Pictures
from vidgan.review.trace import Record, record_of
from vidgan.review.writing import write_delivery
from vidgan.sampling.choose import NamedTake
from vidgan.sampling.names import class_name
from vidgan.sampling.take import take_as_json
from vidgan.weights import LoadedGenerator

# Images have no rate; their one-frame movies are written at this one.
STILL_RATE = Fraction(24)


class TakeFiles:
    """Where a take is written, as a movie, an animation, or a frame sequence that can be gone on with."""

    def __init__(
        self,
        loaded: LoadedGenerator,
        named: NamedTake,
        folder: Path,
        *,
        scale: int = 1,
        crf: int | None = None,
        format: Format,
    ) -> None:
        self.named, self.take, self.scale, self.format = named, named.take, scale, format
        self.rate = loaded.provenance.rate or (None if format.kind == "stills" else STILL_RATE)
        self.channels = loaded.provenance.config.data.channels
        self.period = loaded.generator.first_frames
        self.wanted = Delivery(crf=crf, shot=named.name)
        self.description = describe_take(loaded, named, scale=scale, format=format)
        self.sidecar = folder / f"{named.name}.json"
        suffix = format.suffixes[0]
        is_sequence = format.kind == "stills"
        self.path = (
            folder / named.name / f"{named.name}.####{suffix}" if is_sequence else folder / (named.name + suffix)
        )
        self.num_there = 0
        """Frames that an interruption left, but for a last one."""

    @property
    def first_frame(self) -> int:
        """Where rendering begins: frames that do not come back as they were are rendered once more for the sidecar."""
        return self.num_there if self.format.keeps_levels else 0

    def look_what_is_there(self, *, overwrite: bool) -> None:
        """Count the frames of this take that exist. Raises `RequestError` for those of another take."""
        if self.format.kind != "stills":
            return
        found = self._sequence()
        if found is not None and not overwrite:
            job = self._job(iter(()))
            if record_of(found.paths()).as_text() != job.record().as_text():
                raise RequestError(
                    f"{self.path}: {len(found.numbers)} frames of another take are there; choose another --out, or "
                    "replace them with --overwrite"
                )
            whole = found.runs()[0] if found.numbers[0] == FIRST_NUMBER else ()
            self.num_there = min(len(whole), self.take.num_frames - 1)
        self._write_sidecar({})

    def write(self, frames: Iterator[np.ndarray], num_kept: int) -> np.ndarray:
        """Write frames uint8 [H, W, C], those from `first_frame` on, and the sidecar; return the first `num_kept`."""
        pixels, kept, seam = hashlib.sha256(), [], LoopSteps(self.take.loop or 0, period=self.period)

        def watched(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
            for frame in frames:
                pixels.update(np.ascontiguousarray(frame))
                seam.add(frame)
                if len(kept) < num_kept:
                    kept.append(frame)
                yield frame

        whole = watched(chain(self._frames_there(), frames))
        for _ in islice(whole, self.num_there):
            pass
        job = self._job(repeat(frame, "h w c -> (h y) (w x) c", y=self.scale, x=self.scale) for frame in whole)
        write_delivery(job, job, num_there=self.num_there)
        results: dict[str, object] = {"pixels_sha256": pixels.hexdigest()}
        if self.take.loop is not None:
            results["loop_seam"] = seam.figures()
        self._write_sidecar(results)
        return np.stack(kept) if kept else np.empty(0)

    def _job(self, frames: Iterator[np.ndarray]) -> Job:
        pictures = Pictures(self.named.name, lambda: frames, self.take.num_frames, self.rate)
        color = plan_color(DeliveryColor(), self.format)
        return Job(pictures, self.path, self.format, self.wanted, color, Record((self.description,)))

    def _frames_there(self) -> Iterator[np.ndarray]:
        """uint8 [H, W, C] of the frames before `first_frame`, at the generator's size."""
        sequence = self._sequence() if self.first_frame else None
        for path in sequence.paths()[: self.first_frame] if sequence else ():
            yield read_still(path).rgb[:: self.scale, :: self.scale, : self.channels]

    def _sequence(self) -> FrameSequence | None:
        try:
            return frame_sequence_from_pattern(self.path)
        except MediaError:
            return None

    def _write_sidecar(self, results: dict[str, object]) -> None:
        write_text(self.sidecar, json.dumps(self.description | results, indent=2) + "\n")


def describe_take(loaded: LoadedGenerator, named: NamedTake, *, scale: int, format: Format) -> dict[str, object]:
    """What makes a take again, and where it comes from: the contents of its sidecar, which is a take file."""
    provenance, take = loaded.provenance, named.take
    return {
        "seed": take.looks[0].seed,
        "class": class_name(take) or None,
        "num_frames": take.num_frames,
        "scale": scale,
        "rate": None if provenance.rate is None else str(provenance.rate),
        "color": _colors(format),
        **take_as_json(take, loaded),
        **provenance.facts(),
    }


def _colors(format: Format) -> dict[str, str]:
    is_yuv = format.codec is not None and format.codec.pixel_format.startswith("yuv")
    return {
        "primaries": "bt709",
        "transfer": "linear" if format.scene_linear else "bt709",
        "matrix": "bt709" if is_yuv else "rgb",
        "range": "limited" if is_yuv else "full",
    }
