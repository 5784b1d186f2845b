"""Takes rendered in stretches of time: any length in constant memory, the same pixels every time.

Each number that the generator is given is a pure function of a take and of a frame or step (`performance`), nothing is
padded in time, and on a processor the layers compute a frame alike whatever is computed with it (`vidgan.nn.exact`): so
neither the stretch, nor where rendering began, nor other takes in the batch change a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from vidgan.clip import clip_to_frames
from vidgan.sampling.capabilities import is_steerable
from vidgan.sampling.performance import Performance
from vidgan.sampling.take import Take
from vidgan.weights import LoadedGenerator

# Pixels of video that are made at once: enough to keep two cores busy, and few enough for their caches.
PIXELS_AT_ONCE = 2**18


@torch.inference_mode()
def draw(performances: Sequence[Performance], first_frame: int, num_frames: int) -> Tensor:
    """Frames `first_frame` ... `first_frame + num_frames` of takes of one generator and precision, together.

    Returns video float32 [B, C, T, H, W], about -1..1.
    """
    generator, device = performances[0].generator, performances[0].device
    window = {"first_frame": first_frame, "num_frames": num_frames}
    if performances[0].take.precision == "bfloat16":
        precision = torch.autocast(device.type, torch.bfloat16)
    else:
        precision = nullcontext()
    with precision:
        if performances[0].steerable:
            steered = [each.steered(first_frame, num_frames) for each in performances]
            longest = max(style.shape[1] for style, _ in steered)
            style = torch.stack([style.expand(-1, longest) for style, _ in steered]).to(device)
            return generator.draw(style, torch.stack([signal for _, signal in steered]).to(device), **window)
        latents = [each.latents(first_frame, num_frames) for each in performances]
        z, motion = (torch.stack(each).to(device) for each in zip(*latents, strict=True))
        return generator(z, motion, torch.tensor([each.label for each in performances], device=device), **window)


def default_stretch(loaded: LoadedGenerator, *, exact: bool) -> int:
    """Frames that are made at once: whole periods of the network, as many as pay.

    Where kernels are not exact, the length of the stretch decides pixels; then it is two clips as trained, or one of a
    family that makes no others.
    """
    data, period = loaded.provenance.config.data, loaded.generator.first_frames
    if exact:
        return max(1, PIXELS_AT_ONCE // (data.height * data.width * period)) * period
    clips = 2 if is_steerable(loaded.generator) else 1
    return -(-clips * data.num_frames // period) * period


def render(
    loaded: LoadedGenerator, take: Take, *, first_frame: int = 0, stretch: int | None = None
) -> Iterator[np.ndarray]:
    """Yield the take's frames from `first_frame` on, uint8 [H, W, C], in order.

    `stretch` frames are made at once; neither it nor `first_frame` changes a pixel. Raises `RequestError` if this
    generator cannot make such a take.
    """
    for _, frames in render_takes(loaded, [take], first_frames=[first_frame], stretch=stretch):
        yield from frames


def generate(loaded: LoadedGenerator, takes: Sequence[Take], *, stretch: int | None = None) -> list[np.ndarray]:
    """All frames of several takes, rendered together: uint8 [T, H, W, C] each. Raises `RequestError` as `render`."""
    pieces = render_takes(loaded, takes, stretch=stretch)
    by_take = groupby(pieces, key=lambda piece: piece[0])
    return [np.ascontiguousarray(np.concatenate([frames for _, frames in of_take])) for _, of_take in by_take]


def render_takes(
    loaded: LoadedGenerator,
    takes: Sequence[Take],
    *,
    first_frames: Sequence[int] | None = None,
    stretch: int | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (index of a take, its next frames uint8 [T, H, W, C]), take after take, each from its first frame on.

    Short takes are rendered several at once, long ones in stretches; never more than about `stretch` frames are held.
    """
    starts = [0] * len(takes) if first_frames is None else first_frames
    performances = [Performance(loaded, take) for take in takes]
    alike = groupby(range(len(takes)), lambda index: (takes[index].num_frames, takes[index].precision, starts[index]))
    for (num_frames, _, start), indices in alike:
        indices = list(indices)
        exact = performances[indices[0]].exact
        at_once = stretch or default_stretch(loaded, exact=exact)
        together = max(1, at_once // (num_frames - start)) if exact else 1
        for some in (indices[place : place + together] for place in range(0, len(indices), together)):
            for index, frames in _render_alike([performances[index] for index in some], start, num_frames, at_once):
                yield some[index], frames


def _render_alike(
    performances: list[Performance], start: int, num_frames: int, stretch: int
) -> Iterator[tuple[int, np.ndarray]]:
    """As `render_takes`, for takes of one length: one in stretches, or several that fit one stretch together.

    Stretches begin at the same frames wherever rendering does. Where kernels are not exact they are also all of one
    size, so that a longer take still begins with the shorter one.
    """
    longest = performances[0].generator.longest
    for first in range(start // stretch * stretch, num_frames, stretch):
        stop = min(first + stretch, num_frames)
        whole = stop if performances[0].exact else first + stretch
        video = draw(performances, first, (whole if longest is None else min(whole, longest)) - first)
        for index, clip in enumerate(video):
            yield index, clip_to_frames(clip)[max(start - first, 0) : stop - first]
