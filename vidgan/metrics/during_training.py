"""What is measured of a generator while it is trained: the figures of an evaluation that are cheap enough."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from vidgan.config import Config
from vidgan.files import writable_folder
from vidgan.footage.cache import cache_folder
from vidgan.footage.prepare import PreparedFootage
from vidgan.metrics.clip_sets import clips_of_footage, clips_of_generator
from vidgan.metrics.evaluate import Evaluator
from vidgan.metrics.features import find_i3d
from vidgan.weights import LoadedGenerator

LARGER_IS_BETTER = ("coverage", "density", "psnr")


class RunningEvaluation:
    """Compares takes of seeds 1, 2, ... with the same real clips each time. It draws nothing that training draws."""

    def __init__(self, footage: PreparedFootage, config: Config) -> None:
        data = config.data
        self.num_clips = config.evaluate.num_clips
        self._footage, self._data = footage, data
        self._real = clips_of_footage(footage, data.num_frames, data.frame_stride).limited(self.num_clips, seed=0)
        self._network, self.no_network = find_i3d()

    def figures(self, loaded: LoadedGenerator) -> dict[str, float]:
        """By name, with `seconds` that they took. What cannot be had is left out, such as the movement of images."""
        began = time.monotonic()
        with TemporaryDirectory(dir=writable_folder(cache_folder() / "evaluations")) as folder:
            file = Path(folder) / "clips.npy"
            generated = clips_of_generator(loaded, self.num_clips, self._data.num_frames, file)
            evaluator = Evaluator(
                train=self._real,
                heldout=None,
                footage=self._footage,
                generated=generated,
                network=self._network,
                no_network=self.no_network,
                frame_stride=self._data.frame_stride,
            )
            figures = evaluator.cheap_figures()
        return figures | {"seconds": time.monotonic() - began}


def is_better(figure: str | None, figures: dict[str, float], best: float | None) -> bool:
    """Whether a figure (a distance, or one of `LARGER_IS_BETTER`) is better than the best so far; not if missing."""
    if figure is None or figure not in figures:
        return False
    return best is None or (figures[figure] > best if figure in LARGER_IS_BETTER else figures[figure] < best)
