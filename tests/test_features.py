"""Features of clips are computed once, and never taken for those of other clips, changes or weights."""

import numpy as np
import pytest
import torch

from vidgan.metrics import features
from vidgan.metrics.features import remembered_features
from vidgan.metrics.i3d import I3D


@pytest.fixture
def embedded(monkeypatch):
    """Clips that were put through the network, in a stand-in for it that is quick."""
    seen = []

    def embed(network, clips):
        clips = list(clips)
        seen.append(len(clips))
        return np.full((len(clips), 400), float(network.logits.weight.detach().sum()) + clips[0].mean())

    monkeypatch.setattr(features, "embed", embed)
    return seen


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return I3D(), I3D()


def clips(level):
    return (np.full((9, 8, 8, 3), level, np.uint8) for _ in range(3))


def test_the_same_clips_are_put_through_once(networks, embedded):
    first = remembered_features(networks[0], "content", "", clips(10))
    again = remembered_features(networks[0], "content", "", clips(10))
    assert embedded == [3]
    assert (first == again).all()


def test_other_clips_other_changes_and_other_weights_have_features_of_their_own(networks, embedded):
    one = remembered_features(networks[0], "content", "", clips(10))
    for network, content, made in ((0, "other", ""), (0, "content", "mirrored 0"), (1, "content", "")):
        assert (remembered_features(networks[network], content, made, clips(20)) != one).all()
    assert embedded == [3, 3, 3, 3]


def test_damaged_features_are_made_again(networks, embedded, cache):
    first = remembered_features(networks[0], "content", "", clips(10))
    (file,) = (cache / "features").iterdir()
    file.write_bytes(b"lost")
    assert (remembered_features(networks[0], "content", "", clips(10)) == first).all()
    assert embedded == [3, 3]
