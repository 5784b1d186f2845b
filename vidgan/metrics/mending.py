"""What is measured of a network that mends: how near it comes to the truth of clips that we have damaged."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import log10
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from vidgan.clip import to_float
from vidgan.config import Config, DamageKind
from vidgan.footage.clips import ClipSampler
from vidgan.footage.damage import Damaged, damage_clips
from vidgan.footage.prepare import PreparedFootage
from vidgan.sampling.repair import damage_in
from vidgan.weights import LoadedRepairer

# Clips that are mended at once.
BATCH_SIZE = 8

# Fixed damage, which no run is trained on: one seed for all of them.
DAMAGE_SEED = 2**31


@dataclass(frozen=True)
class MendedClip:
    """One damaged clip and what a network made of it; videos [C, T, H, W] -1..1."""

    kind: DamageKind
    truth: Tensor
    damaged: Tensor
    """As it came; where it is to be made, mid-grey."""
    mended: Tensor
    """Where it was damaged, and as it came elsewhere."""
    made: Tensor
    """Where it was damaged, whether that was told or not: bool [1, T, H, W]."""
    found: Tensor
    """Where there was damage to be found, bool [1, T, H, W]."""
    logits: Tensor
    """Where the network finds it, [1, T, H, W]."""


def damage_kinds(config: Config) -> list[DamageKind]:
    """The kinds of damage that a network learns to mend."""
    return [kind for kind, share in config.repair.kinds.items() if share]


def fixed_clips(footage: PreparedFootage, config: Config, count: int) -> tuple[Tensor, list[DamageKind], Damaged]:
    """Clips of footage, uint8 [N, T, H, W, C], all kinds of damage of a config in turn, and the clips damaged so."""
    data, kinds = config.data, damage_kinds(config)
    clips = ClipSampler(footage, num_frames=data.num_frames, frame_stride=data.frame_stride, seed=0)
    frames, _ = clips.batch(0, count)
    in_turn = [kinds[index % len(kinds)] for index in range(count)]
    return frames, in_turn, damage_clips(frames, in_turn, 0, config.repair, DAMAGE_SEED)


@torch.no_grad()
def mended_clips(
    repairer: nn.Module, frames: Tensor, kinds: list[DamageKind], damaged: Damaged
) -> Iterator[MendedClip]:
    """Each clip mended; of the alternatives for a hole, the one that is expected."""
    device = next(repairer.parameters()).device
    for first in range(0, len(frames), BATCH_SIZE):
        part = slice(first, first + BATCH_SIZE)
        truth, video = (to_float(each[part]).permute(0, 4, 1, 2, 3) for each in (frames, damaged.frames))
        hole, found, grain = damaged.hole[part][:, None], damaged.found[part][:, None], damaged.grain[part]
        sides = (side // repairer.multiple for side in video.shape[3:])
        noise = torch.zeros(len(video), repairer.noise_dim, video.shape[2], *sides)
        given = (each.to(device) for each in (video, hole.float(), grain, noise))
        whole, logits = (each.cpu() for each in repairer(*given))
        made = hole | found | (grain > 0).view(-1, 1, 1, 1, 1)
        mended = torch.where(made, whole.clamp(-1, 1), video)
        for index in range(len(video)):
            yield MendedClip(
                kind=kinds[first + index],
                truth=truth[index],
                damaged=torch.where(hole[index], 0, video[index]),
                mended=mended[index],
                made=made[index],
                found=found[index],
                logits=logits[index],
            )


def squared_error(clip: MendedClip) -> tuple[float, int]:
    """Sum of squared differences from the truth where a clip was damaged, and of how many voxels."""
    squares = (clip.mended - clip.truth).square() * clip.made
    return squares.sum().item(), int(clip.made.sum()) * clip.truth.shape[0]


def psnr(squares: float, count: int) -> float:
    """Peak signal-to-noise ratio in dB of voxels -1..1: 10 log10(4 / mean squared error)."""
    return 10 * log10(4 * count / max(squares, 1e-12))


class RunningRepairs:
    """Mends the same clips each time. It draws nothing that training draws."""

    no_network = ""

    def __init__(self, footage: PreparedFootage, config: Config) -> None:
        self.num_clips = config.evaluate.num_clips
        self._frames, self._kinds, self._damaged = fixed_clips(footage, config, self.num_clips)

    def figures(self, loaded: LoadedRepairer) -> dict[str, float]:
        """PSNR in dB where clips were damaged, by kind and (`psnr`) their mean; overlap of damage that was to be found
        with what is found (intersection over union), by kind and (`overlap`) their mean; `seconds` that they took."""
        began = time.monotonic()
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0])
        found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for clip in mended_clips(loaded.repairer, self._frames, self._kinds, self._damaged):
            squares, count = squared_error(clip)
            sums[clip.kind] = [sums[clip.kind][0] + squares, sums[clip.kind][1] + count]
            if clip.found.any():
                seen = torch.from_numpy(np.stack([damage_in(frame) for frame in clip.logits[0].numpy()]))[None]
                found[clip.kind][0] += int((seen & clip.found).sum())
                found[clip.kind][1] += int((seen | clip.found).sum())
        psnrs = {f"psnr_{kind}": psnr(*each) for kind, each in sums.items() if each[1]}
        overlaps = {f"overlap_{kind}": both / either for kind, (both, either) in found.items()}
        means = {"psnr": fmean(psnrs.values())} if psnrs else {}
        means |= {"overlap": fmean(overlaps.values())} if overlaps else {}
        return means | psnrs | overlaps | {"seconds": time.monotonic() - began}
