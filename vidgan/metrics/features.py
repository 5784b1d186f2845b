"""I3D if it is there, and its features, remembered by what the clips are: real footage goes through it once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vidgan.errors import WeightsError
from vidgan.files import writable_folder, written_beside
from vidgan.footage.cache import cache_folder
from vidgan.metrics.i3d import I3D, embed
from vidgan.metrics.i3d_weights import load_i3d

# Counted up whenever the same clip would have other features.
FEATURES_VERSION = 1


def find_i3d(path: Path | None = None) -> tuple[I3D | None, str]:
    """I3D, or none and the reason; as `load_i3d` raises `WeightsError` for a file that is named and cannot be used."""
    try:
        return load_i3d(path), ""
    except WeightsError as error:
        if path is not None:
            raise
        return None, str(error)


def remembered_features(network: I3D, content: str, made: str, clips: Iterable[np.ndarray]) -> np.ndarray:
    """Logits float64 [N, 400] of clips uint8 [T, H, W, C], read only if they are not there from an earlier time.

    `content` is the hash of what the clips are, `made` says what was done to them. Without a hash, nothing is.
    """
    if not content:
        return embed(network, clips)
    weights = hashlib.sha256(network.logits.weight.detach().cpu().numpy().tobytes()).hexdigest()
    decisive = f"{FEATURES_VERSION} {weights} {content} {made}"
    file = writable_folder(cache_folder() / "features") / f"{hashlib.sha256(decisive.encode()).hexdigest()}.npy"
    try:
        return np.load(file)
    except (OSError, ValueError):
        features = embed(network, clips)
        with written_beside(file) as beside:
            np.save(beside, features)
        return features
