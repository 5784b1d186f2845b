"""What a run looks at while it trains: sheets of takes from fixed seeds beside real clips; how both move and vary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from vidgan.clip import clip_to_frames, frames_to_clip
from vidgan.config import Config
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.metrics.mending import damage_kinds, fixed_clips, mended_clips
from vidgan.metrics.motion import motion_energy, variety
from vidgan.review.takes import write_sheets, write_strip
from vidgan.review.trace import Record
from vidgan.sampling.names import class_name, name_of
from vidgan.sampling.render import generate
from vidgan.sampling.take import Take, seed_take
from vidgan.training.batches import real_video
from vidgan.weights import LoadedGenerator, Provenance

# On a picture of damage, the grey of what is to be found; the hole is white.
FOUND_LEVEL = 128

# Takes on a sheet of samples: so many without classes; so many of each class, or as many as come to the most in all.
SHEET_TAKES = 16
SHEET_TAKES_PER_CLASS = 6
MOST_SHEET_TAKES = 48


def draw_repairs(folder: Path, repairer: nn.Module, footage: PreparedFootage, provenance: Provenance) -> Path:
    """Write a sheet of fixed clips with each kind of damage, as they came, mended, and the truth; returns it."""
    clips = fixed_clips(footage, provenance.config, len(damage_kinds(provenance.config)))
    shown = [
        (clip.kind, name, clip_to_frames(video))
        for clip in mended_clips(repairer, *clips)
        for name, video in (("damaged", clip.damaged), ("mended", clip.mended), ("truth", clip.truth))
    ]
    kinds, names, frames = zip(*shown, strict=True)
    sheet, _ = write_sheets(
        folder / f"{provenance.num_clips:09d}_clips",
        frames,
        names=[f"{kind}, {name}" for kind, name in zip(kinds, names, strict=True)],
        classes=kinds,
        rate=provenance.rate,
        made_by=Record((provenance.facts(),), all_made=False),
    )
    return sheet


def draw_damage(path: Path, footage: PreparedFootage, config: Config) -> None:
    """Write a picture of each kind of damage on some footage: what is seen, and below it the hole in white and in grey
    what is to be found."""
    _, kinds, damaged = fixed_clips(footage, config, len(damage_kinds(config)))
    rows, names = [], []
    for index, (kind, grain) in enumerate(zip(kinds, damaged.grain.tolist(), strict=True)):
        seen = damaged.frames[index].numpy()
        levels = 255 * damaged.hole[index].numpy() + FOUND_LEVEL * damaged.found[index].numpy()
        rows += [seen, np.broadcast_to(levels[..., None].astype(np.uint8), seen.shape)]
        names += [f"{kind} {grain:.2f}" if grain else kind, "hole / found"]
    write_strip(path, rows, names=names)


def takes_on_sheet(loaded: LoadedGenerator) -> list[Take]:
    """From the first seeds of each class; of very many classes, one take each of some that lie evenly among them."""
    num_classes = len(loaded.provenance.class_names)
    if not num_classes:
        return [seed_take(loaded, seed) for seed in range(1, SHEET_TAKES + 1)]
    of_each = max(1, min(SHEET_TAKES_PER_CLASS, MOST_SHEET_TAKES // num_classes))
    shown = np.unique(np.linspace(0, num_classes - 1, min(num_classes, MOST_SHEET_TAKES)).round().astype(int))
    return [seed_take(loaded, seed, int(label)) for label in shown for seed in range(1, of_each + 1)]


def draw_samples(
    folder: Path, generator: nn.Module, clips: ClipSampler, provenance: Provenance
) -> tuple[Path, dict[str, float]]:
    """Write sheets of takes from fixed seeds and of as many real clips.

    Returns the sheet of takes and four figures: motion and variety of both. Of a network that mends, the sheet that
    `draw_repairs` writes, and no figures.
    """
    folder.mkdir(exist_ok=True)
    config = provenance.config
    if config.repairs:
        return draw_repairs(folder, generator, clips.footage, provenance), {}
    loaded = LoadedGenerator(generator, provenance, weights_hash="", path=folder)
    takes = takes_on_sheet(loaded)
    rendered = generate(loaded, takes)
    frames, labels = clips.batch(provenance.num_clips, len(takes))
    real = real_video(frames)
    real_classes = [provenance.class_names[label] if provenance.class_names else "" for label in labels]
    order = sorted(range(len(takes)), key=lambda index: real_classes[index])

    stem = folder / f"{provenance.num_clips:09d}_clips"
    sheet, _ = write_sheets(
        stem,
        rendered,
        names=[name_of(take) for take in takes],
        classes=[class_name(take) for take in takes],
        rate=provenance.rate,
        made_by=Record((provenance.facts(),)),
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
