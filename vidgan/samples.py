"""What a run looks at while it trains: sheets of takes from fixed seeds beside real clips; how both move and vary."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from vidgan import __version__
from vidgan.clip import clip_to_frames, frames_to_clip
from vidgan.footage.augment import augment_video, draw_augmentation
from vidgan.footage.clips import ClipSampler
from vidgan.metrics.motion import motion_energy, variety
from vidgan.review.takes import write_sheets
from vidgan.review.trace import Record
from vidgan.sampling.names import class_name, name_of
from vidgan.sampling.render import generate
from vidgan.sampling.take import seed_take
from vidgan.training.batches import real_video
from vidgan.weights import LoadedGenerator, Provenance

# Takes on a sheet of samples: so many of each class, or so many in all.
SHEET_TAKES_PER_CLASS = 6
SHEET_TAKES = 16


def draw_samples(
    folder: Path, generator: nn.Module, clips: ClipSampler, provenance: Provenance
) -> tuple[Path, dict[str, float]]:
    """Write sheets of takes from fixed seeds and of real clips as the discriminator sees them.

    Returns the sheet of takes and four figures: motion and variety of both.
    """
    folder.mkdir(exist_ok=True)
    config = provenance.config
    loaded = LoadedGenerator(generator, provenance, weights_hash="", path=folder)
    num_classes = len(provenance.class_names)
    takes = (
        [seed_take(loaded, seed, label) for label in range(num_classes) for seed in range(1, SHEET_TAKES_PER_CLASS + 1)]
        if num_classes
        else [seed_take(loaded, seed) for seed in range(1, SHEET_TAKES + 1)]
    )
    rendered = generate(loaded, takes)
    draws = torch.Generator().manual_seed(config.train.seed)
    frames, labels = clips.batch(provenance.num_clips, len(takes))
    real = augment_video(real_video(frames), config.augment, draw_augmentation(len(frames), draws))
    real_classes = [provenance.class_names[label] if num_classes else "" for label in labels]
    order = sorted(range(len(takes)), key=lambda index: real_classes[index])

    stem = folder / f"{provenance.num_clips:09d}_clips"
    sheet, _ = write_sheets(
        stem,
        rendered,
        names=[name_of(take) for take in takes],
        classes=[class_name(take) for take in takes],
        rate=provenance.rate,
        made_by=Record((_made_while_training(provenance),)),
    )
    write_sheets(
        stem.with_name(f"{stem.name}_real"),
        [clip_to_frames(real[index]) for index in order],
        names=[real_classes[index] or "real" for index in order],
        classes=[real_classes[index] for index in order],
        rate=provenance.rate,
        made_by=Record(),
    )
    generated = torch.stack([frames_to_clip(take) for take in rendered])
    return sheet, {
        "motion_generated": motion_energy(generated).mean().item(),
        "motion_real": motion_energy(real).mean().item(),
        "variety_generated": variety(generated).item(),
        "variety_real": variety(real).item(),
    }


def _made_while_training(provenance: Provenance) -> dict[str, object]:
    """What is known of a generator that is in no file yet."""
    return {
        "vidgan_version": __version__,
        "footage_manifest_sha256": provenance.manifest_hash,
        "trained_kclips": provenance.num_clips / 1000,
        "config": provenance.config.model_dump(mode="json"),
    }
