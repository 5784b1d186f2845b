"""What each update works on, made one update ahead by a thread, so that the networks do not wait for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from vidgan.clip import to_float
from vidgan.config import Config
from vidgan.footage.augment import mirror_clips
from vidgan.footage.damage import Damaged, damage_batch
from vidgan.nn.conditions import shots_of_latents
from vidgan.nn.family import Generator, Repairer
from vidgan.training.draws import Draws, draws_of_update
from vidgan.training.processes import Processes


class Clips(Protocol):
    """Where real clips come from: item n is the same whenever it is asked for."""

    def batch(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Frames uint8 [B, T, H, W, C] and labels int64 [B] of items first, first + 1, ..."""

    def shots(self, first: int, count: int) -> Tensor:
        """Which shots they are of, int64 [B]; asked for only if networks are told."""


@dataclass(frozen=True)
class DamagedVideo:
    """`vidgan.footage.damage.Damaged` as networks see it."""

    video: Tensor
    """[B, C, T, H, W] -1..1."""
    hole: Tensor
    """float32 [B, 1, T, H, W], 1 where pixels are to be made."""
    found: Tensor
    """float32 [B, 1, T, H, W], 1 where damage is to be found."""
    grain: Tensor
    """float32 [B], the standard deviation of noise to be taken off, of voxels -1..1."""

    @property
    def made(self) -> Tensor:
        """Where the truth differs from what came, whether that is told or not: float32 [B, 1, T, H, W]."""
        noisy = (self.grain > 0).to(self.hole.dtype).view(-1, 1, 1, 1, 1)
        return torch.maximum(torch.maximum(self.hole, self.found), noisy)


class Told(NamedTuple):
    """What the discriminator is told of clips: the numbers of their shots, or else their classes; int64 [B]."""

    real: Tensor
    fake: Tensor
    """Of generated ones, whose classes are those of the real ones."""


@dataclass(frozen=True)
class Part:
    """What one pass of the networks works on: a batch, or one of the parts it is cut into."""

    real: Tensor
    """Video [B, C, T, H, W] -1..1."""
    labels: Tensor
    """Classes, int64 [B]."""
    told: Told
    draws: Draws
    damaged: DamagedVideo | None
    """The same clips as a network that mends is given them; None where clips are made from noise."""


@dataclass(frozen=True)
class _Batch:
    """One process' share of a batch, on its device."""

    frames: Tensor
    labels: Tensor
    told: Told
    draws: Draws
    damaged: Damaged | None
    copied: torch.cuda.Event | None
    """When the copies to a GPU are done; None on a CPU."""


class Batches:
    """Each update's share of real clips and draws for one process; the same whoever asks when."""

    def __init__(
        self,
        clips: Clips,
        config: Config,
        generator: Generator | Repairer,
        device: torch.device,
        processes: Processes,
        shots: Sequence[int] = (),
    ) -> None:
        """`shots` are the classes of those that the networks are told, see `vidgan.nn.conditions`."""
        self._clips, self._config, self._generator, self._shots = clips, config, generator, shots
        self._device, self._processes = device, processes
        self._side = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._ahead: dict[int, Future[_Batch]] = {}
        self._current: _Batch | None = None
        self.seconds_waited = 0.0
        """Since the start."""

    def parts(self, num_clips: int) -> list[Part]:
        """What the update that begins at this clip works on, in `train.accumulate` parts of one size."""
        began = time.perf_counter()
        ahead = self._ahead.pop(num_clips, None)
        batch = self._make(num_clips) if ahead is None else ahead.result()
        following = num_clips + self._config.train.batch_size
        self._ahead = {following: self._thread.submit(self._make, following)}
        if batch.copied is not None:
            torch.cuda.current_stream().wait_event(batch.copied)
        self._current = batch  # whose memory must not be given to the next copies while this update runs
        self.seconds_waited += time.perf_counter() - began
        return cut_batch(batch.frames, batch.labels, batch.told, batch.draws, self._config, batch.damaged)

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(cancel_futures=True)

    def _make(self, num_clips: int) -> _Batch:
        share = self._processes.share(self._config.train.batch_size)
        items = num_clips + share.start, share.stop - share.start
        frames, labels = self._clips.batch(*items)
        draws, told = draws_of_update(self._config, self._generator, num_clips).part(share), Told(labels, labels)
        if self._shots:
            told = Told(self._clips.shots(*items), shots_of_latents(draws.z, labels, self._shots))
        damaged = None
        if self._config.repairs:
            damaged = damage_batch(frames, num_clips + share.start, self._config.repair, self._config.train.seed)
        if self._side is None:
            return _Batch(frames, labels, told, draws, damaged, None)
        with torch.cuda.stream(self._side):
            frames, labels, told = self._copied(frames), self._copied(labels), Told(*map(self._copied, told))
            draws = draws.each(self._copied)
            damaged = damaged and damaged.each(self._copied)
            return _Batch(frames, labels, told, draws, damaged, self._side.record_event())

    def _copied(self, tensor: Tensor) -> Tensor:
        """To the GPU, while it computes: from memory that is not paged out, and in a stream of its own."""
        return tensor.pin_memory().to(self._device, non_blocking=True)


def cut_batch(
    frames: Tensor, labels: Tensor, told: Told, draws: Draws, config: Config, damaged: Damaged | None = None
) -> list[Part]:
    """Frames uint8 [B, T, H, W, C], labels [B] and what is told of them as `train.accumulate` parts of one size."""
    size = len(labels) // config.train.accumulate
    parts = []
    for first in range(0, len(labels), size):
        clips = slice(first, first + size)
        drawn = draws.part(clips)
        mirrored = drawn.mirrored if config.augment.mirror else None
        given = damaged and damaged_video(damaged.each(lambda tensor, clips=clips: tensor[clips]), mirrored)
        told_here = Told(*(each[clips] for each in told))
        parts.append(Part(real_video(frames[clips], mirrored), labels[clips], told_here, drawn, given))
    return parts


def damaged_video(damaged: Damaged, mirrored: Tensor | None = None) -> DamagedVideo:
    """As `real_video` does with the clips."""
    masks = [mask.float()[:, None] for mask in (damaged.hole, damaged.found)]
    hole, found = masks if mirrored is None else (mirror_clips(mask, mirrored) for mask in masks)
    return DamagedVideo(real_video(damaged.frames, mirrored), hole, found, damaged.grain)


def real_video(frames: Tensor, mirrored: Tensor | None = None) -> Tensor:
    """frames uint8 [B, T, H, W, C] -> video [B, C, T, H, W] -1..1, mirrored where `mirrored`, bool [B], is true."""
    video = to_float(frames).permute(0, 4, 1, 2, 3)
    return video if mirrored is None else mirror_clips(video, mirrored)
