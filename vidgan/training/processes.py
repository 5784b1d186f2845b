"""Several processes that train one pair of networks together, as torchrun starts them; or one alone.

Each computes its share of every batch. Gradients and statistics are averaged over all shares, so that all processes
take the same step and hold the same weights. The first one writes files and speaks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from filelock import FileLock
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from vidgan.config import Config
from vidgan.errors import ConfigError, RequestError
from vidgan.files import writable_folder
from vidgan.footage.cache import cache_folder

CPU = torch.device("cpu")

# The others wait while the first process draws sheets or evaluates. One that has died is noticed by torchrun at once.
LONGEST_WAIT = timedelta(hours=2)


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether this one writes files and speaks."""
        return self.rank == 0

    def share(self, batch_size: int) -> slice:
        """The clips of a batch that this process computes."""
        size = batch_size // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def check(self, config: Config) -> None:
        """Raise `ConfigError` if a batch cannot be shared out, or a sharded model be trained so."""
        settings = config.train
        if settings.batch_size % (self.count * settings.accumulate):
            raise ConfigError(
                f"train.batch_size {settings.batch_size} cannot be shared by {self.count} processes in "
                f"accumulate={settings.accumulate} equal parts each; make it a multiple of "
                f"{self.count * settings.accumulate}"
            )

    def average_gradients(self, network: nn.Module) -> None:
        """Replace every gradient by its mean over all processes; those of a sharded network are averaged already."""
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        if self.count == 1 or not gradients or isinstance(gradients[0], DTensor):
            return
        together = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(together)
        parts = (together / self.count).split([gradient.numel() for gradient in gradients])
        torch._foreach_copy_(
            gradients, [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]
        )

    def average(self, statistics: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalars by name, each as its mean over all processes."""
        if self.count == 1 or not statistics:
            return statistics
        together = torch.stack([value.float() for value in statistics.values()])
        dist.all_reduce(together)
        return dict(zip(statistics, (together / self.count).unbind(), strict=True))

    def any(self, here: bool) -> bool:
        """Whether it is so in one of the processes at least."""
        if self.count == 1:
            return here
        flag = torch.tensor(float(here), device=self.device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)

    def same(self, number: int) -> bool:
        """Whether all processes give the same number."""
        if self.count == 1:
            return True
        ends = torch.tensor([number, -number], device=self.device)
        dist.all_reduce(ends, dist.ReduceOp.MAX)
        return int(ends[0]) == -int(ends[1])

    def wait(self) -> None:
        """Until all processes have come so far."""
        self.any(False)

    def shard(self, network: nn.Module) -> nn.Module:
        """Spread a network's weights over all processes, each block's brought together only while it computes.

        FSDP2: `torch.distributed.fsdp.fully_shard`, on the blocks of every list and on what is left.
        """
        mesh = init_device_mesh(self.device.type, (self.count,))
        network.to(memory_format=torch.contiguous_format)  # the only one that FSDP2 takes
        for blocks in [module for module in network.modules() if isinstance(module, nn.ModuleList)]:
            for block in blocks:
                fully_shard(block, mesh=mesh)
        return fully_shard(network, mesh=mesh)


ALONE = Processes()


def whole(tensor: Tensor) -> Tensor:
    """A tensor, brought together if it is spread over processes; all of them must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def under_torchrun() -> bool:
    """Whether torchrun, or a scheduler that does the same, has started this process."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def check_restarts(environment: Mapping[str, str]) -> None:
    """Raise `RequestError` if processes that are started again would be given the addresses of those that died.

    torchrun keeps them in a store that outlives its workers, unless told otherwise (pytorch/pytorch#135712).
    """
    restarts = int(environment.get("TORCHELASTIC_MAX_RESTARTS", "0"))
    if restarts and environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise RequestError(
            f"torchrun --max-restarts={restarts}: processes that are started again would not find each other; set "
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in the environment of torchrun"
        )


@contextmanager
def one_by_one() -> Iterator[None]:
    """Under torchrun, the processes of one machine enter one after another: what one prepares, the others find."""
    if not under_torchrun():
        yield
        return
    with FileLock(writable_folder(cache_folder()) / "torchrun.lock"):
        yield


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """This process among those that torchrun started, each on a GPU of its own if there are any; alone without it.

    Raises `RequestError` where torchrun would start processes again that could not find each other, or has started more
    than there are GPUs.
    """
    has_gpu = torch.cuda.is_available()
    if not under_torchrun():
        yield Processes(device=torch.device("cuda" if has_gpu else "cpu"))
        return
    check_restarts(os.environ)
    device = _gpu_of(int(os.environ["LOCAL_RANK"])) if has_gpu else CPU
    if has_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if has_gpu else "gloo", timeout=LONGEST_WAIT)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()


def _gpu_of(local_rank: int) -> torch.device:
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise RequestError(
            f"torchrun: process {local_rank + 1} of this machine has no GPU, of which there are {count}; make it "
            f"--nproc-per-node {count}, or set CUDA_VISIBLE_DEVICES= to train on CPU cores"
        )
    return torch.device("cuda", local_rank)
