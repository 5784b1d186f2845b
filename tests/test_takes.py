"""Takes as files: movies, sidecars and sheets that say how they were made."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from vidgan.config_files import build_config
from vidgan.errors import RequestError
from vidgan.media.movies import read_header, read_movie
from vidgan.metrics.motion import motion_energy, variety
from vidgan.nn.build import build_generator
from vidgan.review.sheets import contact_sheet, strip_sheet
from vidgan.review.takes import Take, choose_takes, write_takes
from vidgan.weights import Provenance, load_generator, save_generator


def generator_in(folder, *, width=24, class_names=("fire", "walk"), channels=3):
    config = build_config(
        {
            "data": {"height": 16, "width": width, "num_frames": 4, "channels": channels},
            "model": {"generator_channels": 8, "max_channels": 8},
        }
    )
    provenance = Provenance(config, Fraction(24000, 1001), class_names, manifest_hash="ab" * 32, num_clips=5000)
    folder.mkdir(exist_ok=True)
    save_generator(folder / "generator.safetensors", build_generator(config, len(class_names)), provenance)
    return load_generator(folder)


def test_each_take_is_a_movie_of_the_rate_and_size_it_was_trained_at_with_a_sidecar(tmp_path):
    loaded = generator_in(tmp_path / "run")
    takes = choose_takes(loaded, [3, 4], None)
    files = write_takes(loaded, takes, tmp_path / "out", num_frames=6)
    assert [path.name for path in files] == [
        "walk_seed0003.mp4",
        "fire_seed0004.mp4",
        "contact_sheet.mp4",
        "contact_sheet.png",
    ]
    header = read_header(files[0])
    assert (header.width, header.height, header.rate, header.num_frames) == (24, 16, Fraction(24000, 1001), 6)
    assert (header.color.primaries, header.color.transfer, header.color.matrix) == ("bt709",) * 3
    sidecar = json.loads(files[0].with_suffix(".json").read_text())
    assert sidecar["seed"] == 3
    assert sidecar["class"] == "walk"
    assert sidecar["rate"] == "24000/1001"
    assert sidecar["weights_sha256"] == loaded.weights_hash
    assert sidecar["config"]["data"]["width"] == 24


def test_a_take_has_the_same_pixels_alone_and_among_others(tmp_path):
    loaded = generator_in(tmp_path / "run")
    write_takes(loaded, choose_takes(loaded, [1, 2, 3], [0]), tmp_path / "many")
    write_takes(loaded, choose_takes(loaded, [3], [0]), tmp_path / "alone")
    many, alone = (
        [frame.rgb() for frame in read_movie(tmp_path / name / "fire_seed0003.mp4")] for name in ("many", "alone")
    )
    assert np.array_equal(many, alone)


def test_classes_asked_for_are_each_made_with_every_seed(tmp_path):
    loaded = generator_in(tmp_path / "run")
    assert choose_takes(loaded, [5, 6], [1, 0]) == [Take(5, 1), Take(6, 1), Take(5, 0), Take(6, 0)]


def test_unconditional_and_grey_takes_need_no_class(tmp_path):
    loaded = generator_in(tmp_path / "run", class_names=(), channels=1)
    files = write_takes(loaded, choose_takes(loaded, [9], None), tmp_path / "out", scale=2)
    assert files[0].name == "seed0009.mp4"
    assert read_header(files[0]).width == 48
    frame = next(read_movie(files[0])).rgb().astype(int)
    assert np.abs(frame - frame.mean(2, keepdims=True)).max() <= 1


def test_an_odd_size_is_refused_before_anything_is_written(tmp_path):
    loaded = generator_in(tmp_path / "run", width=25)
    with pytest.raises(RequestError, match=r"takes are 25x16 .* H\.264 needs even sizes; enlarge them with --scale 2"):
        write_takes(loaded, [Take(1, 0)], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert write_takes(loaded, [Take(1, 0)], tmp_path / "out", scale=2)


def test_a_contact_sheet_shows_every_take_in_reading_order_and_is_even():
    takes = [np.full((2, 33, 35, 3), level, dtype=np.uint8) for level in (50, 100, 150)]
    sheet = contact_sheet(takes, columns=2, row_labels=["upper", "lower"])
    assert sheet.shape[0] == 2
    assert sheet.shape[1] % 2 == sheet.shape[2] % 2 == 0
    assert sheet[0, 50, -60].tolist() == [100] * 3
    assert sheet[1, -50, 120].tolist() == [150] * 3


def test_a_strip_lays_a_take_out_from_its_first_frame_to_its_last():
    take = np.repeat(np.arange(16, dtype=np.uint8)[:, None, None, None] * 10, 96, axis=1).repeat(96, axis=2)
    strip = strip_sheet([take], columns=4)
    assert [strip[50, 50 + 98 * column, 0] for column in range(4)] == [0, 50, 100, 150]


def test_a_frozen_clip_has_no_motion_and_equal_clips_no_variety():
    video = torch.randn(1, 3, 1, 4, 4).expand(5, 3, 6, 4, 4)
    assert motion_energy(video).tolist() == [0] * 5
    assert variety(video) == 0
    assert motion_energy(torch.tensor([-1.0, 1.0]).reshape(1, 1, 2, 1, 1)).item() == 4
    assert variety(torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1, 1)).item() == 2
