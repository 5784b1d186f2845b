"""The generator as a program for other tools makes what the generator makes."""

import json

import numpy as np
import pytest
import torch
from test_sampling import generator_of

from vidgan.clip import clip_to_frames
from vidgan.errors import RequestError
from vidgan.sampling import portable
from vidgan.sampling.latents import content_latent, motion_noise
from vidgan.sampling.portable import METADATA_KEY, export_model
from vidgan.sampling.render import generate
from vidgan.sampling.take import seed_take


def seeded_inputs(loaded, metadata, seed, label, num_frames):
    """What a compositor's node would feed, by the file's own words, for the take of a seed."""
    generator = loaded.generator
    steps = num_frames // metadata["period"] + metadata["margin"]
    start, stop = generator.motion_window(0, num_frames)
    assert stop - start == steps
    z, motion = content_latent(seed, generator.content_dim), motion_noise(seed, generator.motion_dim, start, stop)
    return z[None], motion[None], torch.tensor([label])


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_an_exported_generator_makes_the_takes_of_seeds_at_any_batch_and_length(suffix, tmp_path):
    if suffix == ".onnx":
        onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
        pytest.importorskip("onnxscript", reason="needs the extra onnx")
    loaded = generator_of()
    written = export_model(loaded, tmp_path / f"model{suffix}")
    assert 0 < written.max_difference < 1e-5
    if suffix == ".onnx":
        session = onnxruntime.InferenceSession(written.path, providers=["CPUExecutionProvider"])
        metadata = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        run = lambda *inputs: session.run(  # noqa: E731
            None, dict(zip(("z", "motion", "labels"), (each.numpy() for each in inputs), strict=True))
        )[0]
    else:
        inside = {METADATA_KEY: ""}
        module = torch.export.load(written.path, extra_files=inside).module()
        metadata = json.loads(inside[METADATA_KEY])
        run = lambda *inputs: module(*inputs).detach().numpy()  # noqa: E731
    assert metadata == written.metadata
    assert metadata["classes"] == ["fire", "walk"]
    for num_frames in (2, 26):
        video = run(*seeded_inputs(loaded, metadata, 7, 1, num_frames))
        (frames,) = generate(loaded, [seed_take(loaded, 7, 1, num_frames=num_frames)])
        made = clip_to_frames(torch.from_numpy(video[0])).astype(int)
        assert np.abs(made - frames).max() <= 1
        assert (made != frames).mean() < 1e-3


def test_a_program_that_makes_something_else_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(portable, "LARGEST_DIFFERENCE", 0.0)
    with pytest.raises(RequestError, match=r"differs from the generator by .*; not written"):
        export_model(generator_of(), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


def test_another_suffix_is_refused_in_words(tmp_path):
    with pytest.raises(RequestError, match=r"not exported as \.pth \(expected \.onnx or \.pt2\)"):
        export_model(generator_of(), tmp_path / "model.pth")
