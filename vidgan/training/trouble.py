"""Numbers that are not finite: an update that has them is dropped, and what is known of it is written down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vidgan.files import writable_folder, write_text, written_beside
from vidgan.training.processes import whole


def not_finite(network: nn.Module) -> str | None:
    """The first parameter whose gradient is not finite, and what it holds; None if all are."""
    gradients = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
    norms = torch.stack([whole(norm) for norm in torch._foreach_norm(list(gradients.values()))])
    if norms.isfinite().all():
        return None
    name = next(name for name, norm in zip(gradients, norms.tolist(), strict=True) if not np.isfinite(norm))
    bad = (~whole(gradients[name]).isfinite()).sum().item()
    return f"gradient of {name}: {bad} of {gradients[name].numel()} values are not finite"


def write_diagnosis(
    folder: Path, *, num_clips: int, reason: str, statistics: dict[str, float], frames: np.ndarray, labels: np.ndarray
) -> Path:
    """What was wrong after so many clips, and the batch it was wrong with: frames uint8 [B, T, H, W, C], labels [B].

    Returns the JSON; the batch is beside it. Latents follow from the seed and the clips seen.
    """
    path = writable_folder(folder) / f"{num_clips:09d}_clips.json"
    batch = path.with_suffix(".npz")
    with written_beside(batch) as beside:
        np.savez_compressed(beside, frames=frames, labels=labels)
    said = {name: value if np.isfinite(value) else str(value) for name, value in statistics.items()}
    write_text(path, json.dumps({"num_clips": num_clips, "reason": reason, "statistics": said, "batch": batch.name}))
    return path
