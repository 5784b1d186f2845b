"""The content of a take over time: the style that its generator is given for each frame."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidgan.sampling.directions import direction_vectors
from vidgan.sampling.latents import content_latent
from vidgan.sampling.styles import mean_style
from vidgan.sampling.take import Look, Take
from vidgan.weights import LoadedGenerator


class ContentPath:
    """The style of a take at any frame: a pure function of the frame, so that stretches are alike."""

    def __init__(self, loaded: LoadedGenerator, take: Take) -> None:
        styles = np.stack([style_of(loaded, look, take.truncation) for look in take.looks])
        for number, amount in take.directions:
            styles = styles + amount * direction_vectors(loaded)[number - 1]
        self.styles, self.loop, self.ease = styles, take.loop, take.ease
        self.walk_frames = take.walk_frames or take.num_frames

    def at(self, start: int, stop: int) -> Tensor:
        """float32 [style, frames] for the half-open range of frames, or [style, 1] if there is one look."""
        frames = range(start, stop if len(self.styles) > 1 else start + 1)
        path = np.stack([self._style(frame) for frame in frames], axis=1)
        return torch.from_numpy(path.astype(np.float32))

    def _style(self, frame: int) -> np.ndarray:
        if len(self.styles) == 1:
            return self.styles[0]
        if self.loop is not None:
            place = frame % self.loop / self.loop * len(self.styles)
        else:
            place = min(max(frame / max(self.walk_frames - 1, 1), 0.0), 1.0) * (len(self.styles) - 1)
        before = min(int(place), len(self.styles) - 1)
        share = place - before
        if self.ease == "smooth":
            share = share * share * (3 - 2 * share)
        return self.styles[before] * (1 - share) + self.styles[(before + 1) % len(self.styles)] * share


def style_of(loaded: LoadedGenerator, look: Look, truncation: float = 1.0) -> np.ndarray:
    """float64 [style] of a look, brought nearer to the mean of its classes, or further from it.

    The truncation trick of StyleGAN (Karras et al. 2019, app. B): mean + truncation * (style - mean).
    """
    known = loaded.provenance.class_names
    total = sum(look.classes.values())
    shares = {known.index(name): share / total for name, share in look.classes.items()} or {0: 1.0}
    if look.style is not None:
        style = np.array(look.style, np.float64)
    else:
        z = content_latent(look.seed, loaded.generator.content_dim)[None]
        style = sum(share * _style(loaded, z, label) for label, share in shares.items())
    if truncation == 1:
        return style
    mean = sum(share * mean_style(loaded.generator, label) for label, share in shares.items())
    return mean + truncation * (style - mean)


@torch.inference_mode()
def _style(loaded: LoadedGenerator, z: Tensor, label: int) -> np.ndarray:
    generator = loaded.generator
    device = next(generator.parameters()).device
    return generator.style(z.to(device), torch.tensor([label], device=device))[0].double().cpu().numpy()
