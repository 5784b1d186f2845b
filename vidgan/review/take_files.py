"""The files of one take: its pictures, and beside them a sidecar that says how they were made and makes them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from einops import repeat

from vidgan import __version__
from vidgan.errors import MediaError, RequestError
from vidgan.files import write_text
from vidgan.media.movie_writer import write_movie
from vidgan.media.sequences import FIRST_NUMBER, FrameSequence, continue_frame_sequence, frame_sequence_from_pattern
from vidgan.media.stills import read_still
from vidgan.metrics.seams import LoopSteps
from vidgan.sampling.choose import NamedTake
from vidgan.sampling.names import class_name
from vidgan.sampling.take import take_as_json
from vidgan.weights import LoadedGenerator

# Images have no rate; their one-frame movies are written at this one.
STILL_RATE = Fraction(24)


class TakeFiles:
    """Where a take is written, as a movie ("mp4", "mkv") or as a frame sequence ("png") that can be gone on with."""

    def __init__(
        self, loaded: LoadedGenerator, named: NamedTake, folder: Path, *, scale: int, crf: int, format: str
    ) -> None:
        self.take, self.scale, self.crf, self.format = named.take, scale, crf, format
        self.rate = loaded.provenance.rate or STILL_RATE
        self.channels = loaded.provenance.config.data.channels
        self.period = loaded.generator.first_frames
        self.description = describe_take(loaded, named, scale=scale, format=format)
        self.sidecar = folder / f"{named.name}.json"
        if format == "png":
            self.path = folder / named.name / f"{named.name}.####.png"
        else:
            self.path = folder / f"{named.name}.{format}"
        self.num_there = 0
        """Frames that an interruption left, but for a last one."""

    def look_what_is_there(self, *, overwrite: bool) -> None:
        """Count the frames of this take that exist. Raises `RequestError` for those of another take."""
        if self.format != "png":
            return
        found = self._sequence()
        if found is not None and not overwrite:
            if not self._was_begun():
                raise RequestError(
                    f"{self.path}: {len(found.numbers)} frames of another take are there; choose another --out, or "
                    "replace them with --overwrite"
                )
            whole = found.runs()[0] if found.numbers[0] == FIRST_NUMBER else ()
            self.num_there = min(len(whole), self.take.num_frames - 1)
        self._write_sidecar({})

    def write(self, frames: Iterator[np.ndarray], num_kept: int) -> np.ndarray:
        """Write frames uint8 [H, W, C], those after `num_there`, and the sidecar; return the first `num_kept`."""
        pixels, kept, seam = hashlib.sha256(), [], LoopSteps(self.take.loop or 0, period=self.period)

        def watched(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
            for frame in frames:
                pixels.update(np.ascontiguousarray(frame))
                seam.add(frame)
                if len(kept) < num_kept:
                    kept.append(frame)
                yield frame

        for _ in watched(self._frames_there()):
            pass
        enlarged = (repeat(frame, "h w c -> (h y) (w x) c", y=self.scale, x=self.scale) for frame in watched(frames))
        if self.format == "png":
            continue_frame_sequence(self.path, enlarged, num_there=self.num_there)
        else:
            metadata = {"comment": json.dumps(self.description)}
            crf = self.crf if self.format == "mp4" else None  # the other is lossless
            write_movie(self.path, enlarged, rate=self.rate, crf=crf, metadata=metadata)
        results: dict[str, object] = {"pixels_sha256": pixels.hexdigest()}
        if self.take.loop is not None:
            results["loop_seam"] = seam.figures()
        self._write_sidecar(results)
        return np.stack(kept) if kept else np.empty(0)

    def _frames_there(self) -> Iterator[np.ndarray]:
        """uint8 [H, W, C] of the frames that stay, at the generator's size."""
        sequence = self._sequence() if self.num_there else None
        for path in sequence.paths()[: self.num_there] if sequence else ():
            yield read_still(path).rgb[:: self.scale, :: self.scale, : self.channels]

    def _sequence(self) -> FrameSequence | None:
        try:
            return frame_sequence_from_pattern(self.path)
        except MediaError:
            return None

    def _was_begun(self) -> bool:
        """Whether the sidecar describes this very take."""
        try:
            contents = json.loads(self.sidecar.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return all(contents.get(key) == value for key, value in self.description.items())

    def _write_sidecar(self, results: dict[str, object]) -> None:
        write_text(self.sidecar, json.dumps(self.description | results, indent=2) + "\n")


def describe_take(loaded: LoadedGenerator, named: NamedTake, *, scale: int, format: str) -> dict[str, object]:
    """What makes a take again, and where it comes from: the contents of its sidecar, which is a take file."""
    provenance, take = loaded.provenance, named.take
    return {
        "vidgan_version": __version__,
        "seed": take.looks[0].seed,
        "class": class_name(take) or None,
        "num_frames": take.num_frames,
        "scale": scale,
        "rate": None if provenance.rate is None else str(provenance.rate),
        "color": _colors(format),
        **take_as_json(take, loaded),
        "footage_manifest_sha256": provenance.manifest_hash,
        "trained_kclips": provenance.num_clips / 1000,
        "config": provenance.config.model_dump(mode="json"),
    }


def _colors(format: str) -> dict[str, str]:
    if format == "mp4":
        return {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "limited"}
    return {"primaries": "bt709", "transfer": "bt709", "matrix": "rgb", "range": "full"}
