"""Takes rendered frame by frame: any length in constant memory, the same pixels every time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from vidgan.clip import clip_to_frames
from vidgan.errors import RequestError, did_you_mean
from vidgan.sampling.latents import content_latent, motion_noise
from vidgan.weights import LoadedGenerator, Provenance


@torch.inference_mode()
def render_take(loaded: LoadedGenerator, seed: int, label: int, num_frames: int) -> Iterator[np.ndarray]:
    """Yield the take's frames, uint8 [H, W, C], in order.

    Every take is rendered alone, in float32, in stretches of the clip length it was trained at that always
    begin at the same frames: so neither other seeds nor the length asked for change a single pixel.
    Raises `RequestError` for more frames than the generator's family can make.
    """
    generator, stretch = loaded.generator, loaded.provenance.config.data.num_frames
    if generator.longest is not None and num_frames > generator.longest:
        family = loaded.provenance.config.model.family
        raise RequestError(
            f"{loaded.path}: {num_frames} frames asked for; the family {family} makes clips of {generator.longest} "
            "frames and no longer ones (conv3d makes any length)"
        )
    device = next(generator.parameters()).device
    z = content_latent(seed, generator.content_dim)[None].to(device)
    labels = torch.tensor([label], device=device)
    for first in range(0, num_frames, stretch):
        start, stop = generator.motion_window(first, stretch)
        motion = motion_noise(seed, generator.motion_dim, start, stop)[None].to(device)
        video = generator(z, motion, labels, first_frame=first, num_frames=stretch)
        yield from clip_to_frames(video[0])[: num_frames - first]


def class_of_seed(seed: int, provenance: Provenance) -> int:
    """The class of a take when none is asked for: the classes in turn, so that it depends on the seed alone."""
    return seed % len(provenance.class_names) if provenance.class_names else 0


def parse_classes(text: str, provenance: Provenance) -> list[int]:
    """Labels from "walk,fire" or "all". Raises `RequestError` for an unknown class."""
    known = provenance.class_names
    if not known:
        raise RequestError(f"--classes {text}: these weights are unconditional, they know no classes")
    if text.strip() == "all":
        return list(range(len(known)))
    labels = []
    for name in (part.strip() for part in text.split(",")):
        if name not in known:
            raise RequestError(f'--classes {text}: unknown class "{name}"{did_you_mean(name, known)}')
        labels.append(known.index(name))
    return labels
