"""Takes as files: movies, sidecars and sheets that say how they were made."""

import hashlib
import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from vidgan.clip import LUMA_WEIGHTS
from vidgan.config_files import build_config
from vidgan.errors import RequestError
from vidgan.media import sequences
from vidgan.media.formats import FORMATS
from vidgan.media.movies import read_header, read_movie
from vidgan.media.stills import read_still, write_still
from vidgan.media.xmp import MADE_BY_NETWORK
from vidgan.metrics.motion import motion_energy, variety
from vidgan.nn.build import build_generator
from vidgan.review.info import describe, in_lines
from vidgan.review.pictures import open_pictures
from vidgan.review.sheets import contact_sheet, strip_sheet
from vidgan.review.takes import write_takes
from vidgan.review.trace import record_of
from vidgan.sampling.choose import Choice, choose_takes
from vidgan.sampling.render import generate
from vidgan.sampling.take import load_take
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
    generator = build_generator(config, len(class_names))
    for parameter in generator.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, 0, 0.1)
    save_generator(folder / "generator.safetensors", generator, provenance)
    return load_generator(folder)


def chosen(loaded, takes=(), **wishes):
    return choose_takes(loaded, Choice(**wishes), takes)


def test_each_take_is_a_movie_of_the_rate_and_size_it_was_trained_at_with_a_sidecar(tmp_path):
    loaded = generator_in(tmp_path / "run")
    files = write_takes(loaded, chosen(loaded, seeds=[3, 4], settings={"num_frames": 6}), tmp_path / "out")
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


def test_a_sidecar_makes_its_take_again_whatever_was_asked_for(tmp_path):
    loaded = generator_in(tmp_path / "run")
    everything = {"num_frames": 12, "speed": 0.5, "truncation": 0.7, "directions": ((2, 1.5), (9, -1.0))}
    wishes = {"walk": [3, 17, 42], "motion": [9], "mix": {"walk": 0.7, "fire": 0.3}, "loop": True}
    first, *_ = write_takes(loaded, chosen(loaded, **wishes, settings=everything), tmp_path / "a", format="mkv")
    again = load_take(first.with_suffix(".json"), loaded)
    second, *_ = write_takes(loaded, chosen(loaded, [again]), tmp_path / "b", format="mkv")
    before, after = (json.loads(path.with_suffix(".json").read_text()) for path in (first, second))
    assert before == after
    assert before["pixels_sha256"] == hashlib.sha256(generate(loaded, [again])[0]).hexdigest()
    pictures = [np.stack([frame.rgb() for frame in read_movie(path)]) for path in (first, second)]
    assert np.array_equal(*pictures)
    assert np.array_equal(pictures[0], generate(loaded, [again])[0])


def test_a_take_file_of_other_weights_or_of_none_is_refused_in_words(tmp_path):
    loaded, other = generator_in(tmp_path / "run"), generator_in(tmp_path / "other")
    sidecar = write_takes(loaded, chosen(loaded, seeds=[1]), tmp_path / "out")[0].with_suffix(".json")
    with pytest.raises(RequestError, match=r"was made with other weights: generator\.safetensors"):
        load_take(sidecar, other)
    contents = json.loads(sidecar.read_text())
    for change, words in (
        ({"take": contents["take"] | {"sped": 2}}, r'unknown setting "sped" \(did you mean "speed"\?\)'),
        ({"take": contents["take"] | {"speed": -2}}, "speed is -2: .* greater than 0"),
        ({"take": {"looks": []}}, "looks is "),
        ({"take": {"looks": [{}], "num_frames": 3}}, "motion is missing"),
    ):
        sidecar.write_text(json.dumps(contents | change))
        with pytest.raises(RequestError, match=words):
            load_take(sidecar, loaded)
    for text in ("{}", "[1]", "no JSON"):
        sidecar.write_text(text)
        with pytest.raises(RequestError, match="take"):
            load_take(sidecar, loaded)


def test_the_seam_of_a_loop_stands_in_its_sidecar(tmp_path):
    loaded = generator_in(tmp_path / "run")
    wanted = chosen(loaded, seeds=[1], loop=True, settings={"num_frames": 24})
    sidecar = json.loads(write_takes(loaded, wanted, tmp_path)[0].with_suffix(".json").read_text())
    frames = generate(loaded, [wanted[0].take])[0].astype(float)
    seam = np.square(frames[-1] - frames[0]).mean() ** 0.5
    assert sidecar["loop_seam"]["seam"] == pytest.approx(seam, abs=1e-4)
    assert 0.2 < sidecar["loop_seam"]["ratio"] < 5


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    torch.manual_seed(0)
    return generator_in(tmp_path_factory.mktemp("run"))


def files_of(path):
    """The file itself, or the frames of a pattern."""
    return sorted(path.parent.glob(path.name.replace("####", "*")))


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_of_every_format_says_which_take_it_holds(loaded, name, tmp_path):
    chosen_takes = chosen(loaded, seeds=[3], settings={"num_frames": 2})
    path, *sheets = write_takes(loaded, chosen_takes, tmp_path, format=name, scale=11)
    made = json.loads((tmp_path / "walk_seed0003.json").read_text())
    del made["pixels_sha256"]
    (tmp_path / "walk_seed0003.json").unlink()
    files = files_of(path)
    if FORMATS[name].kind == "stills":
        assert [file.stem for file in files] == ["walk_seed0003.1001", "walk_seed0003.1002"]
    for file in [*files, *sheets]:
        record = record_of([file])
        assert record.made_by == (made,)
        assert record.digital_source_type == MADE_BY_NETWORK
        assert f"/{MADE_BY_NETWORK}".encode() in file.read_bytes()
        (line,) = [line for line in in_lines(describe(file)) if line.startswith("made by vidgan")]
        assert '"seed": 3' in line
        assert loaded.weights_hash in line
    assert record_of(files).delivery["format"] == name


@pytest.mark.parametrize("format", ["h264", "hevc", "prores4444", "ffv1", "png16", "tiff16", "dpx", "exr"])
def test_a_take_looks_the_same_in_every_format(loaded, format, tmp_path):
    (take,) = chosen(loaded, seeds=[5], settings={"num_frames": 3})
    path, *_ = write_takes(loaded, [take], tmp_path, format=format, scale=2, crf=0 if format == "h264" else None)
    pictures = open_pictures(path)
    if path.suffix in (".mp4", ".mov", ".mkv"):
        assert pictures.rate == Fraction(24000, 1001)
    found = np.stack([*pictures]).astype(int)
    expected = generate(loaded, [take.take])[0].repeat(2, 1).repeat(2, 2)
    if FORMATS[format].kind == "movie" and format != "ffv1":  # they store half the colours, but all of the luma
        luma = [(each @ LUMA_WEIGHTS).ravel() for each in (found, expected)]
        assert np.corrcoef(*luma)[0, 1] > 0.98
    else:
        assert np.abs(found - expected).max() <= (1 if format == "exr" else 0)


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry.keeps_levels])
def test_formats_that_are_said_to_keep_levels_keep_all_of_them(name, tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    path = tmp_path / f"a{FORMATS[name].suffixes[0]}"
    write_still(path, levels, format=name)
    assert np.array_equal(read_still(path).rgb, levels)


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry.kind == "stills"])
def test_an_interrupted_frame_sequence_is_gone_on_with_and_is_the_same(loaded, name, tmp_path, monkeypatch):
    wanted = chosen(loaded, seeds=[1, 2], settings={"num_frames": 15})
    write_takes(loaded, wanted, tmp_path / "whole", format=name, scale=2)

    def interrupt(done, total):
        if done == 21:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_takes(loaded, wanted, tmp_path / "out", format=name, scale=2, progress=interrupt)
    written, counts = [], []
    monkeypatch.setattr(
        sequences, "write_still", lambda path, *how, **more: written.append(path) or write_still(path, *how, **more)
    )
    write_takes(
        loaded, wanted, tmp_path / "out", format=name, scale=2, progress=lambda *counted: counts.append(counted)
    )
    assert len(written) == 1 + 9  # all of the first were there, whose last is written again, and 6 of the second
    assert counts[-1] == (30, 30)
    assert len(counts) == (10 if FORMATS[name].keeps_levels else 30)  # others are rendered again to be told by a hash
    for path in (tmp_path / "whole").rglob("*"):
        again = tmp_path / "out" / path.relative_to(tmp_path / "whole")
        if path.suffix in (".exr", ".dpx"):  # their headers say when they were written
            assert read_still(path).digest == read_still(again).digest
        elif path.is_file() and path.name != "contact_sheet.mp4":
            assert path.read_bytes() == again.read_bytes()


def test_frames_of_other_bits_are_frames_of_another_delivery(loaded, tmp_path):
    wanted = chosen(loaded, seeds=[1])
    write_takes(loaded, wanted, tmp_path, format="png")
    write_takes(loaded, wanted, tmp_path, format="mp4")
    write_takes(loaded, wanted, tmp_path, format="png")  # a movie of the same take does not stand in its way
    with pytest.raises(RequestError, match="4 frames of another take are there"):
        write_takes(loaded, wanted, tmp_path, format="png16")


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"format": "prores"}, '--format "prores" is not known'),
        ({"format": "png", "crf": 12}, "--crf is for movies; PNG, 8 bits has none"),
        ({"format": "mov", "crf": 12}, "ProRes 422 HQ has one quality; leave out --crf"),
        ({"crf": 60}, r"crf is 60 \(expected 0, the best, to 51, the worst\)"),
        ({"format": "dnxhr_hq"}, r"takes are 24x16 \(width x height\) and DNxHR HQ begins at 256x120; .* --scale 11"),
    ],
)
def test_what_a_format_cannot_hold_is_told_before_anything_is_written(loaded, wishes, words, tmp_path):
    with pytest.raises(RequestError, match=words):
        write_takes(loaded, chosen(loaded, seeds=[1]), tmp_path / "out", **wishes)
    assert not (tmp_path / "out").exists()


def test_frames_of_another_take_are_not_mixed_with_new_ones(tmp_path):
    loaded = generator_in(tmp_path / "run")
    long = chosen(loaded, seeds=[1], settings={"num_frames": 9})
    write_takes(loaded, long, tmp_path / "out", format="png")
    short = chosen(loaded, seeds=[1], settings={"num_frames": 5})
    with pytest.raises(RequestError, match=r"9 frames of another take are there; choose another --out, or .*overwrite"):
        write_takes(loaded, short, tmp_path / "out", format="png")
    write_takes(loaded, short, tmp_path / "out", format="png", overwrite=True)
    assert len(list((tmp_path / "out" / "walk_seed0001").iterdir())) == 5


def test_a_take_has_the_same_pixels_alone_and_among_others(tmp_path):
    loaded = generator_in(tmp_path / "run")
    write_takes(loaded, chosen(loaded, seeds=[1, 2, 3], labels=[0]), tmp_path / "many")
    write_takes(loaded, chosen(loaded, seeds=[3], labels=[0]), tmp_path / "alone")
    many, alone = (
        [frame.rgb() for frame in read_movie(tmp_path / name / "fire_seed0003.mp4")] for name in ("many", "alone")
    )
    assert np.array_equal(many, alone)


def test_unconditional_and_grey_takes_need_no_class(tmp_path):
    loaded = generator_in(tmp_path / "run", class_names=(), channels=1)
    files = write_takes(loaded, chosen(loaded, seeds=[9]), tmp_path / "out", scale=2)
    assert files[0].name == "seed0009.mp4"
    assert read_header(files[0]).width == 48
    frame = next(read_movie(files[0])).rgb().astype(int)
    assert np.abs(frame - frame.mean(2, keepdims=True)).max() <= 1


def test_an_odd_size_is_refused_before_anything_is_written(tmp_path):
    loaded = generator_in(tmp_path / "run", width=25)
    one = chosen(loaded, seeds=[1])
    with pytest.raises(RequestError, match=r"takes are 25x16 .* H\.264 needs even sizes; enlarge them with --scale 2"):
        write_takes(loaded, one, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert write_takes(loaded, one, tmp_path / "out", scale=2)
    assert write_takes(loaded, one, tmp_path / "stills", format="png")


def test_a_wedge_is_numbered_and_its_sheet_says_what_is_what(tmp_path):
    loaded = generator_in(tmp_path / "run")
    wanted = chosen(loaded, seeds=[1, 2], sweep=("truncation", [0.5, 1.0, 1.5]))
    assert [each.name for each in wanted[:3]] == [
        "walk_seed0001_v01_truncation0.5",
        "walk_seed0001_v02_truncation1",
        "walk_seed0001_v03_truncation1.5",
    ]
    assert [each.take.truncation for each in wanted] == [0.5, 1.0, 1.5] * 2
    *_, still = write_takes(loaded, wanted, tmp_path)
    plain = contact_sheet(generate(loaded, [each.take for each in wanted]), columns=3)
    picture = read_still(still).rgb
    assert picture.shape[0] == plain.shape[1] + 24  # a line of words above the columns
    assert picture.shape[1] > plain.shape[2]  # and words before the rows


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
