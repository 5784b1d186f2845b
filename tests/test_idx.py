"""Images from IDX files: what is read, how it becomes clips of one frame, and what is refused in words."""

import gzip
import hashlib
import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.config import DataConfig
from vidgan.errors import ConfigError, FootageError
from vidgan.footage.clips import ClipSampler
from vidgan.footage.idx import find_pairs, prepare_images, read_idx
from vidgan.footage.idx_files import read_shape, read_values

IMAGES, LABELS = "made-images-idx3-ubyte", "made-labels-idx1-ubyte"


def settings(**changed):
    plain = {"kind": "idx", "height": 8, "width": 8, "num_frames": 1, "channels": 1, "holdout": 0, "classes": "folders"}
    return DataConfig(**(plain | changed))


def prepare(path, *, split="train", **changed):
    data = settings(**changed)
    return prepare_images(read_idx(path, data), data, split=split)


def random_pictures(count, height=8, width=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width), np.uint8)


def flat(*levels):
    """One picture of 8x8 a level."""
    return np.array(levels, np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)


def levels(prepared):
    return [int(frames.max()) for frames in prepared.frames]


def named_classes(prepared):
    return [prepared.class_names[label] for label in prepared.labels]


def reasons(prepared):
    return {note.source: note.reason for note in prepared.notes}


def refusal(path, error=FootageError, **changed):
    with pytest.raises(error) as caught:
        prepare(path, **changed)
    return str(caught.value)


def vidgan(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "250"})
    assert result.exit_code in (0, 2), result.output
    return result


@pytest.fixture
def made(footage):
    """Four pictures of levels 10, 20, 30, 40 with labels 7, 2, 7, 11."""
    footage.idx(IMAGES, flat(10, 20, 30, 40))
    footage.idx(LABELS, np.array([7, 2, 7, 11], np.uint8))
    return footage


# What is read


def test_each_picture_is_a_shot_of_one_frame_with_its_own_levels(footage):
    pictures = random_pictures(5)
    prepared = prepare(footage.idx(IMAGES, pictures), classes="none")
    assert [frames.shape for frames in prepared.frames] == [(1, 8, 8, 1)] * 5
    assert (np.concatenate(prepared.frames)[..., 0] == pictures).all()
    assert prepared.rate is None
    assert prepared.num_clips(1, 1) == 5


def test_labels_are_classes_named_by_their_numbers_in_the_order_of_these(made):
    prepared = prepare(made.root)
    assert prepared.class_names == ("2", "7", "11")
    assert named_classes(prepared) == ["7", "2", "7", "11"]


def test_without_classes_labels_do_not_count(made):
    prepared = prepare(made.root, classes="none")
    assert (prepared.class_names, prepared.labels) == ((), (0, 0, 0, 0))


def test_pictures_are_read_only_views_of_one_array(made):
    prepared = prepare(made.root)
    assert len({id(frames.base) for frames in prepared.frames}) == 1
    with pytest.raises(ValueError, match="read-only"):
        prepared.frames[0][...] = 0


def test_three_channels_repeat_the_levels(made):
    prepared = prepare(made.root, channels=3)
    assert prepared.frames[0].shape == (1, 8, 8, 3)
    assert levels(prepared) == [10, 20, 30, 40]
    assert all((frames == frames[..., :1]).all() for frames in prepared.frames)


def test_pictures_of_another_size_are_cropped_or_put_on_black_as_footage_is(footage):
    stripes = np.zeros((1, 8, 16), np.uint8)
    stripes[:, :, 4:12] = 200
    path = footage.idx(IMAGES, stripes)
    assert (prepare(path, classes="none").frames[0] == 200).all()
    letterboxed = prepare(path, classes="none", fit="letterbox").frames[0]
    assert letterboxed.shape == (1, 8, 8, 1)
    assert (letterboxed[:, [0, 1, 6, 7]] == 0).all()
    assert letterboxed[0, 3, 4, 0] > 150


def test_flat_levels_stay_when_a_picture_is_enlarged(footage):
    prepared = prepare(footage.idx(IMAGES, np.arange(256, dtype=np.uint8)[:, None, None]), classes="none")
    assert levels(prepared) == list(range(256))


def test_several_pairs_are_put_together_whatever_their_sizes(made):
    made.idx("more-images-idx3-ubyte.gz", np.full((2, 16, 16), 50, np.uint8))
    made.idx("more-labels-idx1-ubyte.gz", np.array([3, 2], np.uint8))
    prepared = prepare(made.root)
    assert levels(prepared) == [10, 20, 30, 40, 50, 50]
    assert named_classes(prepared) == ["7", "2", "7", "11", "3", "2"]


def test_an_images_file_alone_is_read_with_the_labels_beside_it(made):
    made.idx("more-images-idx3-ubyte", flat(50))
    prepared = prepare(made.root / IMAGES)
    assert levels(prepared) == [10, 20, 30, 40]
    assert named_classes(prepared) == ["7", "2", "7", "11"]


def test_contents_say_what_a_file_is_and_names_what_belongs_together(footage):
    footage.idx("a.images.gz", flat(10))
    footage.idx("a.labels", np.array([1], np.uint8))
    footage.idx("b.images", flat(20, 30))
    footage.idx("b.labels.gz", np.array([4, 5], np.uint8))
    assert named_classes(prepare(footage.root)) == ["1", "4", "5"]


def test_an_unpacked_file_beside_its_packed_one_is_read_once(made):
    for name in (IMAGES, LABELS):
        made.path(f"{name}.gz").write_bytes(gzip.compress((made.root / name).read_bytes()))
    prepared = prepare(made.root)
    assert levels(prepared) == [10, 20, 30, 40]
    assert reasons(prepared) == {
        f"{name}.gz": f"has the same name as {name}, which is read" for name in (IMAGES, LABELS)
    }


def test_other_files_of_the_folder_are_noted(made):
    made.path("readme.txt").write_text("digits")
    made.idx("lonely-labels-idx1-ubyte", np.array([1], np.uint8))
    notes = reasons(prepare(made.root))
    assert set(notes) == {"readme.txt", "lonely-labels-idx1-ubyte"}
    assert notes["readme.txt"].startswith("is not an IDX file, it begins with 64 69 67 69")
    assert notes["lonely-labels-idx1-ubyte"] == "holds labels, and no file of this name holds the images"


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), count=st.integers(1, 20), height=st.integers(8, 40), width=st.integers(8, 40))
def test_what_is_written_is_read_whatever_its_size_and_labels(footage, data, count, height, width):
    labels = data.draw(st.lists(st.integers(0, 255), min_size=count, max_size=count))
    pictures = random_pictures(count, height, width, seed=data.draw(st.integers(0, 1000)))
    footage.idx(f"{IMAGES}.gz", pictures)
    footage.idx(LABELS, np.array(labels, np.uint8))
    prepared = prepare(footage.root, height=height, width=width)
    assert (np.concatenate(prepared.frames)[..., 0] == pictures).all()
    assert named_classes(prepared) == [str(label) for label in labels]
    assert prepared.class_names == tuple(str(label) for label in sorted(set(labels)))


def test_clips_are_sampled_with_their_labels(made):
    prepared = prepare(made.root)
    video, labels = ClipSampler(prepared, num_frames=1, frame_stride=1, seed=0).batch(0, 64)
    assert video.shape == (64, 1, 8, 8, 1)
    class_of = {10: "7", 20: "2", 30: "7", 40: "11"}
    found = {(int(clip.max()), prepared.class_names[label]) for clip, label in zip(video, labels, strict=True)}
    assert found == set(class_of.items())


# What is set aside


def test_what_is_in_a_picture_decides_whether_it_is_held_out(footage):
    pictures = random_pictures(400)
    path = footage.idx(IMAGES, pictures)
    held_out = [
        picture for picture in pictures if int(hashlib.sha256(picture.tobytes()).hexdigest()[:8], 16) < 0.25 * 2**32
    ]
    assert 60 < len(held_out) < 140
    train, holdout = (prepare(path, classes="none", holdout=0.25, split=split) for split in ("train", "holdout"))
    assert (np.concatenate(holdout.frames)[..., 0] == held_out).all()
    assert len(train.frames) + len(holdout.frames) == 400
    path = footage.idx(IMAGES, pictures[::-1])
    assert (
        np.concatenate(prepare(path, classes="none", holdout=0.25, split="holdout").frames)[::-1, ..., 0] == held_out
    ).all()


def test_a_class_that_would_be_held_out_whole_is_trained_on(footage):
    pictures = random_pictures(40)
    data = settings(classes="none", holdout=0.5)
    held_out = read_idx(footage.idx(IMAGES, pictures), data).held_out
    footage.idx(LABELS, np.where(held_out, 1, 0).astype(np.uint8))
    assert len(prepare(footage.root, holdout=0.5).frames) == 40
    assert "none of its 40 images is set aside for evaluation; raise data.holdout" in refusal(
        footage.root, holdout=0.5, split="holdout"
    )


def test_the_hash_changes_with_a_pixel_a_label_and_a_deciding_setting_and_not_with_the_place(made):
    before = prepare(made.root).manifest_hash
    hashes = {before, prepare(made.root, fit="letterbox").manifest_hash, prepare(made.root, channels=3).manifest_hash}
    made.idx(LABELS, np.array([7, 2, 7, 12], np.uint8))
    hashes.add(prepare(made.root).manifest_hash)
    made.idx(LABELS, np.array([7, 2, 7, 11], np.uint8))
    made.idx(IMAGES, flat(10, 20, 30, 41))
    hashes.add(prepare(made.root).manifest_hash)
    assert len(hashes) == 5
    made.idx(IMAGES, flat(10, 20, 30, 40))
    moved = made.root.rename(made.root.with_name("moved"))
    assert prepare(moved).manifest_hash == before


# What is refused


def header(*lengths, value_type=8):
    return struct.pack(f">HBB{len(lengths)}I", 0, value_type, len(lengths), *lengths)


WHOLE = header(2, 8, 8) + bytes(128)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "is empty (expected an IDX file of images or labels)"),
        (gzip.compress(b""), "is empty (expected an IDX file of images or labels)"),
        (b"\0\0\x08", "is not an IDX file, it begins with 00 00 08 (expected 00 00 08 03 for images"),
        (b"\x89PNG\r\n", "is not an IDX file, it begins with 89 50 4e 47 (expected 00 00 08 03 for images"),
        (header(1, 8, 8, value_type=0x0D) + bytes(256), "of type 0x0d, floats (expected 0x08, unsigned bytes)"),
        (header(1, 8, 8, value_type=0x07) + bytes(64), "of type 0x07, which IDX does not know (expected 0x08"),
        (header(1, 8, 8, 3) + bytes(192), "has 4 axes (expected 3 for images or 1 for labels)"),
        (WHOLE[:10], "ends after 10 bytes (expected a header of 16)"),
        (WHOLE[:-1], "holds only 127 values (expected 128: its header says 2 x 8 x 8)"),
        (WHOLE + b"\0", "holds more values (expected 128: its header says 2 x 8 x 8)"),
        (gzip.compress(WHOLE[:-1]), "holds only 127 values (expected 128: its header says 2 x 8 x 8)"),
        (header(0, 28, 28), "holds nothing, its header says 0 x 28 x 28 (expected 1 or more)"),
        (gzip.compress(WHOLE)[:-9], "is damaged (Compressed file ended"),
        (gzip.compress(WHOLE)[:-8] + bytes(8), "is damaged (CRC check failed"),
        (gzip.compress(WHOLE)[:10] + b"\xff" * 30, "is damaged (Error -3 while decompressing"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_a_broken_file_is_refused_in_words_that_name_it(footage, contents, words):
    path = footage.path(IMAGES)
    path.write_bytes(contents)
    for given_path in (path, footage.root):
        message = refusal(given_path, classes="none")
        assert message.startswith(f"{path}: ")
        assert words in message
        assert "\n" not in message


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_with_huge_sizes_takes_no_memory(footage, pack):
    path = footage.path(IMAGES)
    path.write_bytes(pack(header(2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(100)))
    tracemalloc.start()
    try:
        assert "holds only 100 values" in refusal(path, classes="none")
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_the_rest_of_a_file_that_is_larger_than_its_header_says_is_not_read(footage):
    path = footage.path(IMAGES)
    path.write_bytes(gzip.compress(header(1, 8, 8) + bytes(200_000_000), compresslevel=1))
    tracemalloc.start()
    try:
        assert "holds more values" in refusal(path, classes="none")
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_another_number_of_labels_than_of_images_is_refused(made):
    made.idx(LABELS, np.array([1, 2, 3], np.uint8))
    for classes in ("folders", "none"):
        message = refusal(made.root, classes=classes)
        assert f"{made.root / LABELS}: holds 3 labels (expected 4, one for each picture of {IMAGES})" in message


def test_classes_without_labels_are_refused_and_the_missing_file_is_named(made):
    (made.root / LABELS).unlink()
    message = refusal(made.root)
    assert f"{made.root / IMAGES}: has no labels (data.classes is folders; expected {LABELS} beside it)" in message


def test_a_folder_without_images_is_refused_with_what_is_there(footage):
    assert f"{footage.root}: no IDX file of images among its 0 files (it is empty)" in refusal(footage.root)
    footage.path("a.txt").write_text("no picture")
    assert "among its 1 files (a.txt: is not an IDX file" in refusal(footage.root)
    footage.idx(LABELS, np.array([1], np.uint8))
    assert f"{LABELS}: holds labels, and no file of this name holds the images" in refusal(footage.root)


def test_a_labels_file_given_as_images_is_refused(made):
    assert "holds labels (expected images, with 3 axes)" in refusal(made.root / LABELS)


def test_a_path_that_is_not_there_is_refused(footage):
    assert "no such file or folder" in refusal(footage.root / "missing")
    assert "missing: cannot be opened" in refusal(footage.root / "missing" / "file")


def test_more_than_one_frame_is_refused(made):
    message = refusal(made.root, ConfigError, num_frames=16)
    assert message.startswith("data.num_frames is 16 (expected 1: data.kind is idx")
    assert message.endswith("set data.num_frames=1")


@pytest.mark.parametrize("changed", [{"rate": 24}, {"exposure": 1.0}, {"cuts": "none"}, {"leave_out": ()}])
def test_a_setting_that_means_nothing_for_images_is_refused_and_not_ignored(made, changed):
    (name,) = changed
    message = refusal(made.root, ConfigError, **changed)
    assert message.startswith(f"data.{name} is ")
    assert message.endswith("it says nothing of IDX files (data.kind is idx); leave it out")


# The commands

OVERRIDES = ["data.kind=idx", "data.num_frames=1", "data.channels=1", "data.height=16", "data.width=16"]
TINY = [
    "model.generator_channels=8",
    "model.discriminator_channels=8",
    "train.batch_size=4",
    "train.total_kclips=0.008",
]


@pytest.fixture
def many(footage):
    footage.idx(f"{IMAGES}.gz", random_pictures(200, 12, 12))
    footage.idx(LABELS, np.arange(200, dtype=np.uint8) % 4)
    return footage.root


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("data: {kind: idx, num_frames: 1, channels: 1, height: 16, width: 16, classes: folders}\n")
    return path


def test_scan_says_in_a_line_what_the_files_hold(many, config, tmp_path):
    result = vidgan("scan", many, "data.holdout=0", "--config", config)
    assert result.output.strip() == f"{many}: 200 images, 4 classes: 0, 1, 2, 3"
    refused = vidgan("scan", many, "--config", config, "--json", tmp_path / "scan.json")
    assert refused.exit_code == 2
    assert "--json and --html list shots of movies and stills (data.kind is idx); leave them out" in refused.output


def test_a_mistake_in_the_files_is_one_line(many, config):
    (many / LABELS).unlink()
    refused = vidgan("prepare", many, "--config", config)
    assert refused.exit_code == 2
    assert refused.output.startswith("error: ")
    assert len(refused.output.splitlines()) == 1


def test_what_prepare_and_a_dry_run_say_is_what_is_trained_on(many, config, tmp_path):
    held_out = int(read_idx(many, settings(holdout=0.1)).held_out.sum())
    assert held_out
    for output in (
        vidgan("prepare", many, "--config", config).output,
        vidgan("train", config, "--footage", many, "--run", tmp_path / "run", "--dry-run").output,
    ):
        assert f"{many}: {200 - held_out} images, 4 classes: 0, 1, 2, 3" in output
        assert f"{held_out} more images are set aside for evaluation" in output
    assert f"clips: {200 - held_out} from {200 - held_out} shots" in output
    assert not (tmp_path / "run").exists()


def test_a_run_trains_on_images_and_is_evaluated_against_them(many, config, tmp_path):
    trained = vidgan("train", config, *TINY, "--footage", many, "--run", tmp_path / "run")
    assert "finished at 0.0 kclips" in trained.output
    report = tmp_path / "evaluation.json"
    judged = vidgan("evaluate", tmp_path / "run", "--footage", many, "--num-clips", 8, "--json", report)
    assert judged.exit_code == 0, judged.output
    assert json.loads(report.read_text())["protocol"]["num_real"] == 200


# Real files


def test_the_test_images_of_mnist_are_read_as_published(shared):
    folder = shared / "mnist"
    if not folder.is_dir():
        pytest.skip("needs mnist of ../shared")
    pairs, notes = find_pairs(folder)
    assert ([images.name for images, _ in pairs], notes) == (["t10k-images-idx3-ubyte.gz"], [])
    prepared = prepare(folder, height=28, width=28)
    assert len(prepared.frames) == 10_000
    assert prepared.class_names == tuple("0123456789")
    assert named_classes(prepared)[:10] == list("7210414959")
    published = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]  # images of each digit
    assert np.bincount(prepared.labels).tolist() == published
    (images, labels) = pairs[0]
    assert read_shape(images) == (10_000, 28, 28)
    assert (np.concatenate(prepared.frames)[..., 0] == read_values(images)).all()
    assert read_values(labels)[0] == 7
