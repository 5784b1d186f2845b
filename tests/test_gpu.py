"""Promises that a GPU keeps in another way than a CPU: exact resuming, copies on a side stream, nccl.

Everything is done on the CPU, too, where the same must hold. All other tests run on the CPU alone, see conftest.py.
"""

import os
import socket
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from rich.console import Console
from tiny_runs import mending, newest, tiny, two_classes, with_penalties

from vidgan.footage.clips import ClipSampler
from vidgan.processor import set_up_processor
from vidgan.run import run_training
from vidgan.sampling.render import generate
from vidgan.sampling.take import seed_take
from vidgan.training.batches import Batches
from vidgan.training.processes import Processes, joined_processes
from vidgan.training.state import new_state
from vidgan.weights import load_generator

QUIET = Console(quiet=True)


def exact(family="conv3d", **settings):
    """A run in the precision of long ones, of a family."""
    config = with_penalties(total_kclips=0.064, deterministic=True, precision="bfloat16", **settings)
    return config.model_copy(update={"model": config.model.model_copy(update={"family": family})})


RUNS = {
    "conv3d": exact(),
    "finite differences": exact(penalty="finite_difference"),
    "recurrent": exact("recurrent"),
    "dcgan3d": exact("dcgan3d"),
    "mending": mending(exact()),
}
SHARDED = {
    name: with_penalties(total_kclips=0.016, penalty="finite_difference", shard=shard)
    for name, shard in (("sharded", True), ("not sharded", False))
}


def of_length(config, kclips):
    return config.model_copy(update={"train": config.train.model_copy(update={"total_kclips": kclips})})


def updates(config, processes, busy):
    """What each of eight updates works on; each is asked for while the device still computes."""
    state = new_state(config, 2, processes.device, labels=two_classes().labels)
    clips = ClipSampler(two_classes(), num_frames=4, frame_stride=1, seed=0)
    batches = Batches(clips, config, state.generator, processes.device, processes, state.shots)
    work, seen = torch.randn(512, 512, device=processes.device), []
    for update in range(8):
        (part,) = batches.parts(update * config.train.batch_size)
        for _ in range(busy):
            work = (work @ work).tanh()
        seen.append([each.clone() for each in (part.real, part.labels, *part.told, part.draws.z, part.draws.motion)])
    batches.close()
    return [[each.cpu() for each in update] for update in seen]


def on_a_device(name, folder):
    """All that the tests below compare."""
    torch.set_num_threads(1)
    set_up_processor(deterministic=True)
    processes = Processes(device=torch.device(name))
    for run, config in RUNS.items():
        run_training(config, two_classes(), folder / run / "whole", console=QUIET, processes=processes)
        for kclips in (0.016, 0.048, 0.064):
            torch.randn(5, device=name)  # the global random state must not matter
            part = of_length(config, kclips)
            run_training(part, two_classes(), folder / run / "parts", console=QUIET, processes=processes)
    torch.save(updates(tiny(), processes, busy=20), folder / "updates.pt")
    loaded = load_generator(folder / "conv3d" / "whole", name)
    take = seed_take(loaded, 3, label=0, num_frames=24)
    torch.save([torch.from_numpy(generate(loaded, [take])[0]) for _ in range(2)], folder / "takes.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}"}
    os.environ.update(world)
    with joined_processes() as together:
        for run, config in SHARDED.items():
            run_training(config, two_classes(), folder / run, console=QUIET, processes=together)
        total = torch.ones(3, device=together.device)
        dist.all_reduce(total)
        (folder / "joined.txt").write_text(f"{together.device.type} {dist.get_backend()} {total.tolist()}")


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request, tmp_path_factory):
    """The name of a device, and the folder that a process left which used it."""
    environment = dict(os.environ)
    if request.param == "cuda":
        del environment["CUDA_VISIBLE_DEVICES"]  # conftest.py hides GPUs
        asked = [sys.executable, "-c", "import torch; raise SystemExit(0 if torch.cuda.is_available() else 1)"]
        if subprocess.run(asked, env=environment, check=False).returncode:
            pytest.skip("there is no GPU here")
    folder = tmp_path_factory.mktemp(request.param)
    code = f"import pathlib, test_gpu; test_gpu.on_a_device({request.param!r}, pathlib.Path({str(folder)!r}))"
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return request.param, folder


@pytest.mark.parametrize("run", RUNS)
def test_a_deterministic_run_interrupted_twice_has_every_weight_of_one_that_was_not(device, run):
    _, folder = device
    whole, parts = newest(folder / run / "whole"), newest(folder / run / "parts")
    assert whole["num_clips"] == parts["num_clips"] == 64
    for network in ("generator", "discriminator", "generator_ema"):
        assert whole[network].keys() == parts[network].keys()
        for name, weight in whole[network].items():
            assert torch.equal(weight, parts[network][name]), f"{network}.{name}"


def test_batches_that_are_copied_while_the_device_computes_are_those_of_the_stream(device):
    _, folder = device
    plain = updates(tiny(), Processes(), busy=0)
    for update, expected in zip(torch.load(folder / "updates.pt"), plain, strict=True):
        assert all(torch.equal(*pair) for pair in zip(update, expected, strict=True))


def test_a_take_is_the_same_each_time_on_a_device_and_nearly_that_of_the_cpu(device):
    _, folder = device
    first, second = torch.load(folder / "takes.pt")
    assert torch.equal(first, second)
    loaded = load_generator(folder / "conv3d" / "whole")
    (expected,) = generate(loaded, [seed_take(loaded, 3, label=0, num_frames=24)])
    assert (first.int() - torch.from_numpy(expected).int()).abs().max() <= 4


def test_a_world_of_one_process_trains_sharded_and_adds_up(device):
    name, folder = device
    backend = {"cpu": "gloo", "cuda": "nccl"}[name]
    assert (folder / "joined.txt").read_text() == f"{name} {backend} [1.0, 1.0, 1.0]"
    sharded, plain = (newest(folder / run) for run in SHARDED)
    for network in ("generator", "discriminator", "generator_ema"):
        differences = [(plain[network][key] - sharded[network][key]).abs().flatten() for key in plain[network]]
        assert torch.cat(differences).quantile(0.99) < 1e-5
