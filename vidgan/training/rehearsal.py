"""How much memory training needs, from updates on tensors that have sizes and no contents.

    needed = framework + state + SPREAD * (peak - state)

The loop's own functions are run for an update with all penalties that follows another, with gradients and Adam's means
there, and every tensor that they make is counted for as long as it lives: state is what stays after the update, peak
the most there was within it. It takes seconds, whatever the size, and no memory to speak of.

On a CPU, framework and SPREAD are measured: what a process holds once all is imported, and how much more it holds than
its tensors, since convolutions reorder them and the heap has gaps. Over 14 configurations (three families; 32x32 to
128x128; batches of 4 to 32; penalties of both kinds and none; bfloat16 and float32; in parts; activations computed
twice; a second discriminator), which peaked at 1.1 to 2.9 GB, predictions were between 10 % below and 20 % above what
`vidgan plan` measured, all but two within 9 %.

On a GPU only tensors count, as `torch.cuda.max_memory_allocated` does; that has not been compared with one, and
workspaces come on top. What `train.compile` changes is not predicted.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vidgan.config import Config
from vidgan.config_files import build_config
from vidgan.config_values import Schedule
from vidgan.footage.damage import Damaged
from vidgan.nn.build import build_generator, heeds, normalises_batches
from vidgan.training.batches import Told, cut_batch
from vidgan.training.draws import draw_update
from vidgan.training.loop import set_rates, update_discriminator, update_ema, update_generator
from vidgan.training.schedules import r1_gamma, r2_gamma, settle_loss
from vidgan.training.state import TrainState, new_state, optimizer_of

FRAMEWORK_BYTES = 850_000_000
SPREAD = 1.8

# A change is worth naming if it saves this share; else this is said.
WORTH_NAMING = 0.02
NOTHING_TO_CHANGE = "no setting needs much less: make memory free, or take a larger machine"


@dataclass(frozen=True)
class Change:
    """Settings that need less memory."""

    overrides: tuple[str, ...]
    """Such as ("train.accumulate=4",)."""
    needed_bytes: int
    same_update: bool
    """Whether training does the same with them, so that a run can go on."""

    def in_words(self) -> str:
        """Such as "train.accumulate=4 needs 1.10 GB"."""
        return f"{' '.join(self.overrides)} needs {self.needed_bytes / 1e9:.2f} GB"


def needed_bytes(config: Config, num_classes: int, device: torch.device) -> int:
    """Bytes of memory that training takes at its most: of this process on a CPU, of tensors on a GPU."""
    state_bytes, peak_bytes = rehearse(config, num_classes, device)
    if device.type == "cuda":
        return peak_bytes
    return round(FRAMEWORK_BYTES + state_bytes + SPREAD * (peak_bytes - state_bytes))


def rehearse(config: Config, num_classes: int, device: torch.device) -> tuple[int, int]:
    """Bytes of all tensors that stay from update to update, gradients included, and of all there are at the most.

    A loss that is left to the footage is taken for the one that needs most.
    """
    config = settle_loss(config, ())
    train = config.train.model_copy(
        update={"r1_gamma": _most(r1_gamma(config)), "r2_gamma": _most(r2_gamma(config)), "shard": False}
    )
    config = config.model_copy(update={"train": train})
    counter = _TensorCounter(device)
    with torch.device("meta"):
        state = new_state(config, num_classes, torch.device("meta"))
    draws = draw_update(config, state.generator, torch.Generator())
    with FakeTensorMode(allow_non_fake_inputs=True), counter:
        _take_place(state, config, device)
        clip = (config.data.num_frames, config.data.height, config.data.width, config.data.channels)
        frames = torch.empty((train.batch_size, *clip), dtype=torch.uint8)
        labels = torch.zeros(train.batch_size, dtype=torch.long, device=device)
        masks = [torch.zeros(frames.shape[:4], dtype=torch.bool) for _ in range(2)] if config.repairs else []
        damaged = Damaged(frames, *masks, torch.zeros(train.batch_size)) if masks else None
        batch = [each and each.each(lambda tensor: tensor.to(device)) for each in (draws, damaged)]
        parts = cut_batch(frames.to(device), labels, Told(labels, labels), batch[0], config, batch[1])
        set_rates(state, config)  # at no clips, where all penalties are due
        _, fakes = update_discriminator(state, parts[:2], config)  # a third would need no more than the second
        update_generator(state, parts[:2], fakes, config)
        update_ema(state, config)
        del parts, fakes, frames
    return counter.live_bytes, counter.peak_bytes


def changes_that_need_less(
    config: Config, num_classes: int, device: torch.device, *, needed: int, available: int
) -> tuple[Change, ...]:
    """What to change, with the memory predicted for each: in parts as large as fit, and others that save much.

    `needed` are the bytes that the config needs as it is.
    """

    def change(*overrides: str, same_update: bool = False) -> Change:
        changed = build_config(config.model_dump(), list(overrides))
        return Change(overrides, needed_bytes(changed, num_classes, device), same_update)

    size = config.train.batch_size
    with torch.device("meta"):
        together = normalises_batches(build_generator(config, num_classes))
    fewest = 2 if together else 1
    cuts = [parts for parts in range(config.train.accumulate + 1, size // fewest + 1) if size % parts == 0]
    changes = []
    for parts in cuts:
        accumulate = change(f"train.accumulate={parts}", same_update=not together)
        if accumulate.needed_bytes <= available or parts == cuts[-1]:
            changes.append(accumulate)
            break
    if heeds(config, "train.checkpoint_activations") and not config.train.checkpoint_activations:
        changes.append(change("train.checkpoint_activations=true", same_update=True))
    height, width = max(8, config.data.height // 2), max(8, config.data.width // 2)
    changes.append(change(f"data.height={height}", f"data.width={width}"))
    if config.data.num_frames > 1:
        changes.append(change(f"data.num_frames={config.data.num_frames // 2}"))
    return tuple(each for each in changes if each.needed_bytes < (1 - WORTH_NAMING) * needed)


class _TensorCounter(TorchDispatchMode):
    """Counts the bytes of all tensors made on a device while they live. A number asked of one is 1."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.live_bytes = self.peak_bytes = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if operation is torch.ops.aten._local_scalar_dense.default:
            return 1
        made = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and tensor.device.type == self.device.type:
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata
        if place not in self._sizes:
            self._sizes[place] = storage.nbytes()
            self.live_bytes += storage.nbytes()
            self.peak_bytes = max(self.peak_bytes, self.live_bytes)
            weakref.finalize(storage, self._forget, place)

    def _forget(self, place: int) -> None:
        self.live_bytes -= self._sizes.pop(place)


def _take_place(state: TrainState, config: Config, device: torch.device) -> None:
    """Give a state of networks without storage one that counts, as an update leaves it; for optimisers made anew."""
    for network in (state.generator, state.discriminator, state.generator_ema):
        network.to_empty(device=device)
    state.generator_optimizer = optimizer_of(state.generator, config)
    state.discriminator_optimizer = optimizer_of(state.discriminator, config)
    for network, optimizer in (
        (state.generator, state.generator_optimizer),
        (state.discriminator, state.discriminator_optimizer),
    ):
        for parameter in network.parameters():
            parameter.grad = torch.empty_like(parameter)
        optimizer.step()


def _most(schedule: Schedule) -> float:
    return max(schedule.values()) if isinstance(schedule, dict) else schedule
