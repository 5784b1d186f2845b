"""A generator as a program for other tools: ONNX, or torch's own .pt2, with any batch and any number of steps.

    z       float32 [batch, content_dim]           unit normal numbers: content
    motion  float32 [batch, motion_dim, steps]     unit normal numbers: noise over time
    labels  int64   [batch]                        class, 0 ... ; read by generators with classes alone
    video   float32 [batch, channels, frames, height, width], about -1..1, display-referred Rec.709

`frames` is (steps - margin) * period, from the take's frame 0 on; `margin`, `period` and all else that a user of the
file has to know is metadata inside: one JSON text under "vidgan".
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vidgan import __version__
from vidgan.errors import RequestError
from vidgan.files import written_beside
from vidgan.sampling.capabilities import is_steerable
from vidgan.weights import LoadedGenerator

SUFFIXES = (".onnx", ".pt2")
METADATA_KEY = "vidgan"

# Batches and steps beyond the margin that a program is compared at; none is what it was traced with.
CHECKED = ((1, 1), (2, 6), (4, 3))
_TRACED = (3, 5)

# Of values about -1..1: a fiftieth of a level of 255. Beyond it a program is not the generator.
LARGEST_DIFFERENCE = 2e-4

Run = Callable[[Tensor, Tensor, Tensor], np.ndarray]


@dataclass(frozen=True)
class ExportedModel:
    """What was written."""

    path: Path
    max_difference: float
    """Of its video from the generator's, over batches and lengths that it was not traced with."""
    metadata: dict[str, object]


class _Program(nn.Module):
    """The generator from a take's first frame on; the steps say how many frames."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator, self.period = generator, generator.first_frames
        start, stop = generator.motion_window(0, self.period)
        self.margin = stop - start - 1

    def forward(self, z: Tensor, motion: Tensor, labels: Tensor) -> Tensor:
        num_frames = (motion.shape[2] - self.margin) * self.period
        return self.generator(z, motion, labels, first_frame=0, num_frames=num_frames)

    def inputs(self, batch: int, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        draws = torch.Generator().manual_seed(0)
        z = torch.randn(batch, self.generator.content_dim, generator=draws)
        motion = torch.randn(batch, self.generator.motion_dim, self.margin + steps, generator=draws)
        return z, motion, torch.zeros(batch, dtype=torch.long)


def export_model(loaded: LoadedGenerator, path: str | Path) -> ExportedModel:
    """Write the generator as `path`, .onnx or .pt2, and compare what it makes with the generator.

    Raises `RequestError` for another suffix, a family that cannot be exported, a missing extra, and a program that
    makes anything else than the generator; then nothing is written.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise RequestError(f"{path}: a generator is not exported as {path.suffix or 'this'} (expected .onnx or .pt2)")
    if not is_steerable(loaded.generator):
        family = loaded.provenance.config.model.family
        raise RequestError(f"{loaded.path}: the family {family} cannot be exported (conv3d can)")
    program = _Program(copy.deepcopy(loaded.generator).cpu()).eval()
    metadata = _metadata(loaded, program)
    write = _write_onnx if path.suffix == ".onnx" else _write_pt2
    with written_beside(path) as beside, torch.no_grad(), _quietly():
        run = write(program, beside, {METADATA_KEY: json.dumps(metadata)})
        difference = _max_difference(program, run)
        if difference > LARGEST_DIFFERENCE:
            raise RequestError(f"{path}: differs from the generator by {difference:.1e}; not written")
    return ExportedModel(path, difference, metadata)


def _write_pt2(program: _Program, path: Path, metadata: dict[str, str]) -> Run:
    exported = torch.export.export(program, program.inputs(*_TRACED), dynamic_shapes=_shapes(program), strict=False)
    torch.export.save(exported, path, extra_files=metadata)
    module = torch.export.load(path).module()
    return lambda *inputs: module(*inputs).numpy()


def _write_onnx(program: _Program, path: Path, metadata: dict[str, str]) -> Run:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401, torch's exporter needs it
    except ImportError as error:
        raise RequestError(f"{error.name} is not installed; ONNX needs it: pip install vidgan[onnx]") from None
    names = ["z", "motion", "labels"]
    exported = torch.onnx.export(
        program,
        program.inputs(*_TRACED),
        dynamo=True,
        verbose=False,
        dynamic_shapes=_shapes(program),
        input_names=names,
        output_names=["video"],
    )
    exported.model.metadata_props.update(metadata)
    exported.save(path, external_data=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = [each.name for each in session.get_inputs()]  # a generator without classes does not read labels

    def run(*inputs: Tensor) -> np.ndarray:
        fed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True) if name in found}
        return session.run(None, fed)[0]

    return run


def _shapes(program: _Program) -> dict[str, dict[int, torch.export.Dim]]:
    batch = torch.export.Dim("batch", min=1, max=2**16)
    steps = torch.export.Dim("steps", min=program.margin + 1, max=2**20)
    return {"z": {0: batch}, "motion": {0: batch, 2: steps}, "labels": {0: batch}}


def _max_difference(program: _Program, run: Run) -> float:
    differences = []
    for batch, steps in CHECKED:
        inputs = program.inputs(batch, steps)
        differences.append(np.abs(run(*inputs) - program(*inputs).numpy()).max())
    return float(max(differences))


def _metadata(loaded: LoadedGenerator, program: _Program) -> dict[str, object]:
    provenance = loaded.provenance
    return {
        "vidgan_version": __version__,
        "weights_sha256": loaded.weights_hash,
        "footage_manifest_sha256": provenance.manifest_hash,
        "rate": None if provenance.rate is None else str(provenance.rate),
        "classes": list(provenance.class_names),
        "height": provenance.config.data.height,
        "width": provenance.config.data.width,
        "channels": provenance.config.data.channels,
        "color": "display-referred Rec.709, -1..1",
        "period": program.period,
        "margin": program.margin,
        "frames": "(steps - margin) * period",
    }


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch says to the people who make it."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
