"""From a folder to clips: what is found, what is used, what is prepared, and which frames a clip holds."""

import os
import shutil
import subprocess
import wave
from collections import namedtuple
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenImageIO as oiio
import pytest

from vidgan.clip import span
from vidgan.config import DataConfig
from vidgan.errors import FootageError, MediaError, RequestError
from vidgan.files import written_beside
from vidgan.footage import pictures
from vidgan.footage.clips import ClipSampler
from vidgan.footage.fit import fit_frames
from vidgan.footage.prepare import PreparedFootage, prepare_footage, prepared_bytes
from vidgan.footage.scan import scan_footage
from vidgan.footage.select import resampled, select_shots
from vidgan.media.movie_writer import write_movie
from vidgan.media.stills import write_still

NTSC_VIDEO = Fraction(30000, 1001)


def resampled_frames(num_frames, rate, new_rate):
    times = [index / Fraction(rate) for index in range(num_frames)]
    frames, blends = resampled(times, num_frames / Fraction(rate), Fraction(new_rate), blend=False)
    assert blends is None
    return frames


def settings(**changed):
    return DataConfig(**{"height": 8, "width": 8, "num_frames": 4, "holdout": 0, "leave_out": (), **changed})


def select(root, **changed):
    return select_shots(scan_footage(root, settings(**changed)), settings(**changed))


def prepare(root, *, progress=None, **changed):
    return prepare_footage(select(root, **changed), settings(**changed), progress=progress)


def levels(frames):
    """The one grey level of each frame."""
    assert (frames == frames[:, :1, :1, :1]).all()
    return frames[:, 0, 0, 0].tolist()


def all_levels(prepared):
    return [levels(frames) for frames in prepared.frames]


def reasons(holder):
    return {note.source: note.reason for note in holder.notes}


@pytest.fixture
def decoded(monkeypatch, in_this_process):
    """The names of the files whose pictures are read, in their order."""
    names = []
    open_movie, open_still = av.open, oiio.ImageInput.open

    def watched_movie(path, *mode, **options):
        if not mode:
            names.append(Path(path).name)
        return open_movie(path, *mode, **options)

    def watched_still(path, *config):
        names.append(Path(path).name)
        return open_still(path, *config)

    monkeypatch.setattr(av, "open", watched_movie)
    monkeypatch.setattr(oiio.ImageInput, "open", watched_still)
    return names


# Scanning


def test_a_movie_is_a_shot_that_says_what_it_is(footage):
    footage.movie("dawn/a.mkv", 12, rate=NTSC_VIDEO, height=10, width=14)
    (shot,) = scan_footage(footage.root, settings()).shots
    assert (shot.source, shot.kind, shot.first, shot.num_frames) == ("dawn/a.mkv", "movie", 0, 12)
    assert (shot.rate, shot.height, shot.width, shot.pixel_aspect) == (NTSC_VIDEO, 10, 14, 1)
    assert (shot.codec, shot.class_name) == ("ffv1", "dawn")


def test_the_first_folder_is_the_class(footage):
    footage.movie("fire/day/a.mkv", 5)
    footage.movie("water/b.mkv", 5)
    footage.movie("c.mkv", 5)
    shots = scan_footage(footage.root, settings()).shots
    found = {shot.source: shot.class_name for shot in shots}
    assert found == {"fire/day/a.mkv": "fire", "water/b.mkv": "water", "c.mkv": None}


def test_a_gap_in_time_parts_a_movie(footage):
    footage.movie("a.mkv", 10, times=[0, 1, 2, 3, 7, 8, 9, 10, 11, 12])
    shots = scan_footage(footage.root, settings()).shots
    assert [(shot.first, shot.num_frames) for shot in shots] == [(0, 4), (4, 6)]
    assert all("part of a movie with 1 gap in time" in shot.notes for shot in shots)


def test_a_missing_number_parts_a_frame_sequence(footage):
    footage.stills("dawn/shot.%04d.png", [1001, 1002, 1003, 1007, 1008], height=9, width=13)
    shots = scan_footage(footage.root, settings()).shots
    assert [(shot.source, shot.first, shot.num_frames) for shot in shots] == [
        ("dawn/shot.####.png", 1001, 3),
        ("dawn/shot.####.png", 1007, 2),
    ]
    assert {(shot.kind, shot.rate, shot.height, shot.width, shot.class_name) for shot in shots} == {
        ("stills", None, 9, 13, "dawn")
    }
    assert all(shot.notes == ("3 frame numbers are missing",) for shot in shots)


def test_the_missing_end_of_a_movie_is_noted(footage):
    whole = footage.path("a.mp4")
    noise = np.random.default_rng(0).integers(0, 256, (60, 64, 64, 3), dtype=np.uint8)
    write_movie(whole, noise, rate=Fraction(24))
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    scan = scan_footage(footage.root, settings())
    (shot,), (note,) = scan.shots, scan.notes
    assert 20 < shot.num_frames < 40
    assert note.source == "a.mp4"
    assert "decoding fails after frame" in note.reason or "its end is missing" in note.reason


def test_a_movie_whose_rate_varies_keeps_its_timestamps(footage):
    times = [0, 5, 7, 19, 22, 27, 29, 41, 44]
    footage.movie("a.mkv", 9, rate=100, times=times)
    (shot,) = scan_footage(footage.root, settings()).shots
    assert (shot.rate, shot.timestamps) == (None, tuple(Fraction(time, 100) for time in times))
    assert "its rate varies, resampled by its timestamps" in shot.notes


def test_a_movie_whose_rate_varies_is_resampled_to_the_rate_of_the_run(footage):
    footage.movie("a.mkv", 9, rate=100, times=[0, 5, 7, 19, 22, 27, 29, 41, 44])
    footage.movie("b.mkv", 10, rate=25)  # a frame every 4 hundredths of a second
    a, b = all_levels(prepare(footage.root))
    assert a == [0, 10, 20, 20, 30, 30, 40, 50, 60, 70, 70, 80]  # 8 and 12 are nearest to 7, 16 and 20 to 19, ...
    assert b == [10 * i for i in range(10)]


def test_a_movie_whose_rate_varies_needs_a_rate_from_somewhere(footage):
    footage.movie("a.mkv", 9, rate=100, times=[0, 5, 7, 19, 22, 27, 29, 41, 44])
    with pytest.raises(FootageError, match=r"a.mkv: its rate varies \(mean 18.18 frames/s\): set data.rate"):
        select(footage.root)
    assert len(select(footage.root, rate=25).shots[0].frames) == 12


def test_a_movie_whose_rate_varies_is_left_out_where_other_rates_are_refused(footage):
    footage.movie("a.mkv", 9, rate=100, times=[0, 5, 7, 19, 22, 27, 29, 41, 44])
    footage.movie("b.mkv", 10, rate=25)
    selection = select(footage.root, other_rates="refuse")
    assert reasons(selection) == {"a.mkv": "its rate varies, the run's is 25 (data.other_rates is refuse)"}


def test_every_file_that_could_be_footage_ends_in_a_shot_or_a_note(footage):
    footage.movie("A.MKV", 5)
    footage.stills("seq.%02d.PNG", range(5))
    footage.stills("poster.jpg", [1])
    footage.path("text.mp4").write_text("shot list\n" * 100)
    footage.path("empty.mp4").touch()
    with wave.open(str(footage.path("sound.wav")), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    footage.path("sound.wav").rename(footage.path("sound.mov"))
    footage.path("gone.mkv").symlink_to(footage.root / "nowhere.mkv")
    footage.path("text.png").write_text("no picture")
    footage.path("plate.1001.exr").touch()
    footage.path("plate.1001.DPX").touch()
    footage.path("camera.R3D").touch()
    for name in (".DS_Store", ".hidden.mp4", "notes.txt"):
        footage.path(name).write_text("no footage")
    scan = scan_footage(footage.root, settings())
    assert [shot.source for shot in scan.shots] == ["A.MKV", "poster.jpg", "seq.##.PNG"]
    assert reasons(scan) == {
        "empty.mp4": "is empty (0 bytes)",
        "gone.mkv": "cannot be read (No such file or directory)",
        "plate.1001.DPX": "is empty (0 bytes)",
        "plate.1001.exr": "is empty (0 bytes)",
        "camera.R3D": "R3D files are not read; convert them to EXR, DPX or ProRes",
        "sound.mov": "has no pictures (audio only)",
        "text.mp4": "is not a movie, or its end is missing (Invalid data found when processing input); "
        "copy it again or leave it out",
        "text.png": "is no picture, or its header is damaged (Not a PNG file); copy it again or leave it out",
    }


def test_a_name_that_is_not_utf_8_is_noted(footage):
    footage.movie("a.mkv", 5)
    try:
        os.rename(footage.movie("b.mkv", 5), os.fsencode(footage.root) + b"/caf\xe9.mkv")  # noqa: PTH104
    except OSError:
        pytest.skip("this file system has no such names")
    scan = scan_footage(footage.root, settings())
    assert [shot.source for shot in scan.shots] == ["a.mkv"]
    assert reasons(scan) == {r"'caf\udce9.mkv'": "its name is not UTF-8; rename it"}


def test_a_folder_without_footage_is_refused_in_words(footage, tmp_path):
    footage.path("notes.txt").write_text("no footage")
    cases = {
        footage.root: "no footage in this folder or below it: looked at 1 files for movies "
        "(.mp4 .mov .mkv .avi .mxf ...) and stills (.bmp .cin .dpx .exr .jpeg .jpg .png .tga .tif .tiff)",
        footage.root / "notes.txt": "is a file (expected a folder with movies or frame sequences)",
        tmp_path / "gone": "no such folder (expected a folder with movies or frame sequences)",
    }
    for root, words in cases.items():
        with pytest.raises(FootageError) as error:
            scan_footage(root)
        assert str(error.value) == f"{root}: {words}"


def test_folder_links_are_followed_once(footage):
    footage.movie("a/a.mkv", 5)
    footage.path("a/back").symlink_to(footage.root)
    assert [shot.source for shot in scan_footage(footage.root, settings()).shots] == ["a/a.mkv"]


def test_the_progress_of_a_scan_counts_megabytes(footage):
    paths = [footage.movie("a.mkv", 25), footage.movie("b.mkv", 3)]
    footage.stills("s.%02d.png", [1])
    seen = []
    scan_footage(footage.root, progress=lambda done, total: seen.append((done, total)))
    size = sum(path.stat().st_size for path in [*paths, footage.path("s.01.png")]) / 1e6
    assert {total for _, total in seen} == {size}
    assert seen[-1][0] == pytest.approx(size)
    assert len(seen) > 3


# The memory of a scan


def test_a_second_scan_decodes_nothing_and_finds_the_same(footage, decoded):
    footage.movie("a.mkv", 10, times=[0, 1, 2, 3, 7, 8, 9, 10, 11, 12], rate=NTSC_VIDEO)
    footage.path("text.mp4").write_text("shot list\n" * 100)
    first = scan_footage(footage.root, settings())
    assert sorted(set(decoded)) == ["a.mkv", "text.mp4"]
    decoded.clear()
    assert scan_footage(footage.root, settings()) == first
    assert decoded == []


def test_a_changed_movie_is_scanned_again(footage, decoded):
    footage.movie("a.mkv", 10)
    footage.movie("b.mkv", 10)
    scan_footage(footage.root, settings())
    decoded.clear()
    footage.movie("b.mkv", 7)
    assert [shot.num_frames for shot in scan_footage(footage.root, settings()).shots] == [10, 7]
    assert set(decoded) == {"b.mkv"}


def test_a_movie_of_the_same_size_and_an_older_time_is_scanned_again(footage, decoded):
    path = footage.movie("a.mkv", 10)
    scan_footage(footage.root, settings())
    decoded.clear()
    os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**9))
    scan_footage(footage.root, settings())
    assert set(decoded) == {"a.mkv"}


def test_a_damaged_memory_is_made_again(footage, cache):
    footage.movie("a.mkv", 10)
    first = scan_footage(footage.root, settings())
    (remembered,) = (cache / "scans").iterdir()
    for damage in (b"", b"{}", b"\xff\xfe"):
        remembered.write_bytes(damage)
        again = scan_footage(footage.root, settings())
        assert again.shots[0].model_copy(update={"scan_seconds": first.shots[0].scan_seconds}) == first.shots[0]


def test_a_movie_that_may_be_read_now_is_scanned_again(footage, decoded, monkeypatch):
    footage.movie("a.mkv", 10)
    with monkeypatch.context() as locked:
        locked.setattr(os, "access", lambda path, mode: False)
        scan_footage(footage.root, settings())
    decoded.clear()
    scan_footage(footage.root, settings())
    assert set(decoded) == {"a.mkv"}


def test_two_names_of_one_movie_keep_their_classes(footage):
    path = footage.movie("fire/a.mkv", 5)
    footage.path("water/a.mkv").symlink_to(path)
    for _ in range(2):
        shots = scan_footage(footage.root, settings()).shots
        assert [(shot.source, shot.class_name) for shot in shots] == [("fire/a.mkv", "fire"), ("water/a.mkv", "water")]
    assert prepare(footage.root, classes="folders").labels == (0, 1)


def test_a_cache_that_cannot_be_written_is_named(footage, tmp_path, monkeypatch):
    footage.movie("a.mkv", 5)
    (tmp_path / "file").touch()
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(RequestError, match=r"file/scans: cannot write files there \(Not a directory\)"):
        scan_footage(footage.root, settings())


# Selecting


def test_the_rate_of_most_frames_wins(footage):
    footage.movie("a.mkv", 20, rate=24)
    footage.movie("b.mkv", 9, rate=25)
    footage.movie("c.mkv", 9, rate=25)
    assert select(footage.root).rate == 24
    footage.movie("d.mkv", 9, rate=25)
    assert select(footage.root).rate == 25


def test_of_equally_common_rates_the_slower_wins(footage):
    footage.movie("a.mkv", 20, rate=25)
    footage.movie("b.mkv", 20, rate=24)
    assert select(footage.root).rate == 24


def test_the_stated_rate_wins_over_the_commonest(footage):
    footage.movie("a.mkv", 20, rate=25)
    selection = select(footage.root, rate="30000/1001")
    assert selection.rate == NTSC_VIDEO
    assert selection.shots[0].frames == resampled_frames(20, Fraction(25), NTSC_VIDEO)
    assert "resampled from 25 to 30000/1001 frames/s" in selection.shots[0].shot.notes


def test_other_rates_can_be_refused(footage):
    footage.movie("a.mkv", 20, rate=24)
    footage.movie("b.mkv", 10, rate=25)
    selection = select(footage.root, other_rates="refuse")
    assert [chosen.shot.source for chosen in selection.shots] == ["a.mkv"]
    assert reasons(selection) == {"b.mkv": "its rate is 25, the run's is 24 (data.other_rates is refuse)"}


@pytest.mark.parametrize("num_frames", [1, 2, 7, 100])
@pytest.mark.parametrize(
    ("rate", "new_rate"),
    [(25, NTSC_VIDEO), (NTSC_VIDEO, 25), (24, Fraction(24000, 1001)), (60, 24), (24, 60), (24, 48), (50, 25)],
)
def test_resampling_takes_the_frame_nearest_in_time(num_frames, rate, new_rate):
    rate, new_rate = Fraction(rate), Fraction(new_rate)
    frames = resampled_frames(num_frames, rate, new_rate)
    for k, frame in enumerate(frames):
        distances = [abs(index / rate - k / new_rate) for index in range(num_frames)]
        assert frame == distances.index(min(distances))  # the earlier of two equally near
    assert abs(len(frames) / new_rate - num_frames / rate) <= max(1 / new_rate, 1 / rate) / 2 or len(frames) == 1


def test_25_to_30000_1001_shows_some_frames_twice_and_none_never():
    frames = resampled_frames(250, Fraction(25), NTSC_VIDEO)
    assert len(frames) == 300
    assert set(frames) == set(range(250))
    assert frames[:9] == (0, 1, 2, 3, 3, 4, 5, 6, 7)


def test_a_resampled_shot_holds_the_nearest_frames(footage):
    footage.movie("a.mkv", 20, rate=25)
    footage.stills("s.%02d.png", range(9))
    prepared = prepare(footage.root, rate="30000/1001")
    expected = [10 * frame for frame in resampled_frames(20, Fraction(25), NTSC_VIDEO)]
    assert all_levels(prepared) == [expected, [10 * i for i in range(9)]]
    assert prepared.rate == NTSC_VIDEO


def test_a_frame_sequence_without_a_rate_is_noted(footage):
    footage.movie("a.mkv", 10)
    footage.stills("s.%04d.png", range(1001, 1011))
    selection = select(footage.root)
    assert reasons(selection) == {"s.####.png": "a frame sequence has no rate: set data.rate"}
    assert len(select(footage.root, rate=24).shots) == 2


def test_frame_sequences_alone_without_a_rate_are_refused(footage):
    footage.stills("s.%04d.png", range(1001, 1011))
    with pytest.raises(FootageError) as error:
        select(footage.root)
    assert str(error.value) == (
        f"{footage.root}: none of its 1 shots and 0 other files can be used "
        "(s.####.png: a frame sequence has no rate: set data.rate)"
    )


def test_images_need_no_rate(footage):
    footage.stills("s.%04d.png", range(1001, 1011))
    footage.stills("poster.png", [3])
    footage.movie("a.mkv", 10, rate=25)
    footage.movie("b.mkv", 5, rate=24)
    selection = select(footage.root, num_frames=1)
    assert [len(chosen.frames) for chosen in selection.shots] == [10, 5, 1, 10]
    assert selection.notes == ()
    prepared = prepare(footage.root, num_frames=1)
    assert len(prepared.frames[2]) == 1
    assert ClipSampler(prepared, num_frames=1, frame_stride=1, seed=0).num_clips == 26


def test_a_shot_shorter_than_a_clip_is_noted_and_never_read_at_another_stride(footage):
    footage.movie("a.mkv", 10)
    footage.movie("b.mkv", 9)
    selection = select(footage.root, frame_stride=3)
    assert [chosen.shot.source for chosen in selection.shots] == ["a.mkv"]
    assert reasons(selection) == {"b.mkv": "too short: 9 frames from frame 0, a clip spans 10"}
    assert selection.num_clips(settings(frame_stride=3)) == 1


def test_no_shot_left_is_refused_with_three_reasons(footage):
    for name in "abcde":
        footage.movie(f"{name}.mkv", 2)
    with pytest.raises(FootageError) as error:
        select(footage.root)
    reason = "too short: 2 frames from frame 0, a clip spans 4"
    assert str(error.value) == (
        f"{footage.root}: none of its 5 shots and 0 other files can be used "
        f"(a.mkv: {reason}; b.mkv: {reason}; c.mkv: {reason}; and 2 more)"
    )


def test_a_picture_enlarged_more_than_twice_is_used_with_a_note(footage):
    footage.movie("a.mkv", 5, height=16, width=40)
    footage.movie("b.mkv", 5, height=24, width=25)
    notes = {chosen.shot.source: chosen.shot.notes for chosen in select(footage.root, height=48, width=48).shots}
    assert "enlarged 3.0 times, from 40x16 (width x height)" in notes["a.mkv"]
    assert not any("enlarged" in note for note in notes["b.mkv"])


def test_folders_are_classes_only_if_the_config_says_so(footage):
    footage.movie("water/a.mkv", 5)
    footage.movie("fire/b.mkv", 5)
    footage.movie("c.mkv", 5)
    prepared = prepare(footage.root, classes="folders")
    assert (prepared.class_names, prepared.labels) == (("fire", "water"), (0, 1))
    assert reasons(prepared) == {"c.mkv": "lies in no class folder (data.classes is folders)"}
    prepared = prepare(footage.root)
    assert (prepared.class_names, prepared.labels) == ((), (0, 0, 0))


# Preparing


def test_prepared_frames_hold_the_levels_of_their_source(footage):
    footage.movie("a.mkv", 20)
    footage.movie("b.mkv", 10, times=[0, 1, 2, 3, 7, 8, 9, 10, 11, 12])
    footage.stills("s.%02d.png", [1, 2, 3, 4, 11, 12, 13, 14])
    prepared = prepare(footage.root, rate=24)
    assert all_levels(prepared) == [
        [10 * i for i in range(20)],
        [0, 10, 20, 30],
        [40, 50, 60, 70, 80, 90],
        [10, 20, 30, 40],
        [110, 120, 130, 140],
    ]
    assert all(frames.dtype == np.uint8 and not frames.flags.writeable for frames in prepared.frames)


@pytest.mark.parametrize(
    "name",
    [
        "img@2x.png",
        "cut#.png",
        "cut#%d.png",
        "a@2x.%04d.png",
        "a#b.%04d.png",
        "-1.%04d.png",
        "x.%04d.ao.png",
        "t%d.png",
    ],
)
def test_stills_with_odd_names_are_prepared(footage, name):
    footage.stills(name, [8, 9, 10, 11])
    prepared = prepare(footage.root, num_frames=1)
    assert all_levels(prepared) == [[80, 90, 100, 110] if "%" in name else [110]]
    assert prepared.notes == ()


def test_prepared_bytes_are_what_is_written(footage, cache):
    footage.movie("a.mkv", 20)
    footage.movie("b.mkv", 11, rate=25)
    changed = {"height": 36, "width": 64, "channels": 1}
    size = prepared_bytes(select(footage.root, **changed), settings(**changed))
    prepared = prepare(footage.root, **changed)
    assert size == sum(frames.size for frames in prepared.frames)
    assert size < sum(path.stat().st_size for path in (cache / "frames").iterdir()) < size + 1000


def test_preparing_again_decodes_nothing(footage, decoded):
    footage.movie("a.mkv", 10)
    footage.stills("s.%02d.png", range(5))
    first = prepare(footage.root, rate=24)
    assert {"a.mkv", "s.00.png"} <= set(decoded)
    decoded.clear()
    again = prepare(footage.root, rate=24, progress=lambda done, total: pytest.fail("frames were made again"))
    assert decoded == []
    assert all_levels(again) == all_levels(first)
    assert again.manifest_hash == first.manifest_hash


def test_a_frame_shown_twice_is_read_once(footage, decoded):
    footage.stills("s.%02d.png", range(1, 6))
    footage.stills("s.%02d.png", range(11, 16))
    selection = select(footage.root, rate=24)
    decoded.clear()
    prepare_footage(selection, settings(rate=24))
    assert sorted(decoded) == [f"s.{number:02d}.png" for number in (*range(1, 6), *range(11, 16))]


@pytest.mark.parametrize(
    "changed", [{"height": 10}, {"width": 9}, {"channels": 1}, {"fit": "letterbox"}, {"rate": 48}], ids=str
)
def test_a_changed_setting_makes_other_frames(footage, changed):
    footage.movie("a.mkv", 10, height=8, width=16)
    before, after = prepare(footage.root), prepare(footage.root, **changed)
    assert before.manifest_hash != after.manifest_hash
    assert before.frames[0].shape != after.frames[0].shape or not (before.frames[0] == after.frames[0]).all()
    assert prepare(footage.root).manifest_hash == before.manifest_hash


def test_a_setting_that_changes_no_pixel_keeps_the_frames(footage, decoded):
    footage.movie("a.mkv", 10)
    prepare(footage.root)
    decoded.clear()
    prepare(footage.root, num_frames=3, frame_stride=2)
    assert decoded == []


def test_a_changed_source_is_never_answered_with_old_frames(footage):
    path = footage.movie("a.mkv", [10] * 6)
    assert all_levels(prepare(footage.root)) == [[10] * 6]
    footage.movie("a.mkv", [200] * 6)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    assert all_levels(prepare(footage.root)) == [[200] * 6]


def test_a_changed_source_of_the_same_time_is_never_answered_with_old_frames(footage):
    for level, size in [(10, 8), (200, 16)]:
        path = footage.movie("a.mkv", [level] * 6, height=size, width=size)
        os.utime(path, ns=(10**18, 10**18))
        assert all_levels(prepare(footage.root)) == [[level] * 6]


def test_shots_of_one_length_in_one_movie_are_not_mixed_up(footage):
    footage.movie("a.mkv", 8, times=[0, 1, 2, 3, 7, 8, 9, 10])
    assert all_levels(prepare(footage.root)) == [[0, 10, 20, 30], [40, 50, 60, 70]]


def test_one_changed_still_of_the_same_size_is_enough(footage):
    def write(number, level, time):
        path = footage.path(f"s.{number}.png")
        write_still(path, np.full((8, 8, 3), level, np.uint8))
        path.write_bytes(path.read_bytes().ljust(500, b"\0"))
        os.utime(path, ns=(time, time))

    for number in range(5):
        write(number, 10 * number, 10**18)
    before = prepare(footage.root, rate=24)
    write(2, 250, 10**18 + 10**9)
    after = prepare(footage.root, rate=24)
    assert all_levels(after) == [[0, 10, 250, 30, 40]]
    assert after.manifest_hash != before.manifest_hash


def test_progress_counts_frames(footage):
    footage.movie("a.mkv", 10)
    footage.movie("b.mkv", 5)
    seen = []
    prepare(footage.root, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (15, 15)
    assert {total for _, total in seen} == {15}


def test_a_crash_between_shots_is_continued(footage, cache, decoded):
    footage.movie("a.mkv", 10)
    footage.movie("b.mkv", 5)

    def crash(done, total):
        if done > 10:
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError):
        prepare(footage.root, progress=crash)
    (path,) = (cache / "frames").iterdir()
    assert (path.suffix, path.name[0] == ".") == (".npy", False)
    decoded.clear()
    assert all_levels(prepare(footage.root)) == [[10 * i for i in range(10)], [10 * i for i in range(5)]]
    assert decoded == ["b.mkv"]


@pytest.fixture
def break_movie(in_this_process):
    """From now on, decoding this movie fails after some frames."""

    def break_movie(monkeypatch, name, error, after=3):
        read = pictures.read_movie

        def read_broken(path, **options):
            for frame in read(path, **options):
                if path.name == name and frame.index == after:
                    raise error
                yield frame

        monkeypatch.setattr(pictures, "read_movie", read_broken)

    return break_movie


def test_a_crash_within_a_shot_leaves_nothing_under_its_name(footage, cache, monkeypatch, break_movie):
    footage.movie("b.mkv", range(40))
    selection = select(footage.root)
    with monkeypatch.context() as patch:
        break_movie(patch, "b.mkv", KeyboardInterrupt(), after=30)
        with pytest.raises(KeyboardInterrupt):
            prepare_footage(selection, settings())
    assert list((cache / "frames").iterdir()) == []
    assert all_levels(prepare(footage.root)) == [list(range(40))]


def test_a_movie_that_fails_while_it_is_read_is_left_out_with_a_note(footage, cache, monkeypatch, break_movie):
    footage.movie("a.mkv", 10)
    footage.movie("b.mkv", 10)
    footage.movie("c.mkv", 5)
    selection = select(footage.root)
    with monkeypatch.context() as patch:
        break_movie(patch, "b.mkv", MediaError("decoding fails after frame 2: the disk is old"))
        prepared = prepare_footage(selection, settings())
    assert [len(frames) for frames in prepared.frames] == [10, 5]
    assert reasons(prepared) == {"b.mkv": "decoding fails after frame 2: the disk is old"}
    assert len(list((cache / "frames").iterdir())) == 2
    assert [len(frames) for frames in prepare(footage.root).frames] == [10, 10, 5]


def test_no_shot_that_can_be_read_is_refused(footage, monkeypatch, break_movie):
    footage.movie("b.mkv", 10)
    selection = select(footage.root)
    break_movie(monkeypatch, "b.mkv", MediaError("decoding fails after frame 2: the disk is old"))
    with pytest.raises(FootageError) as error:
        prepare_footage(selection, settings())
    assert str(error.value) == (
        f"{footage.root}: no shot could be prepared (b.mkv: decoding fails after frame 2: the disk is old)"
    )


def test_a_broken_link_parts_a_frame_sequence(footage):
    footage.stills("s.%02d.png", [*range(4), *range(5, 9)])
    footage.path("s.04.png").symlink_to(footage.root / "nowhere.png")
    scan = scan_footage(footage.root, settings())
    assert [(shot.first, shot.num_frames) for shot in scan.shots] == [(0, 4), (5, 4)]
    assert reasons(scan) == {"s.04.png": "cannot be read (No such file or directory)"}


def test_a_still_that_cannot_be_read_or_is_of_another_size_ends_a_run(footage):
    footage.stills("s.%02d.png", range(20))
    footage.path("s.05.png").write_text("no picture")
    footage.stills("s.%02d.png", [12], height=12, width=10)
    prepared = prepare(footage.root, rate=24)
    assert all_levels(prepared) == [[10 * i for i in run] for run in (range(5), range(6, 12), range(13, 20))]
    assert reasons(prepared) == {
        "s.05.png": "is no picture, or its header is damaged (Not a PNG file); copy it again or leave it out",
        "s.##.png": "too short: 1 frame from frame 12, a clip spans 4",
    }


def test_a_still_that_fails_while_it_is_read_costs_its_run_and_no_other(footage):
    footage.stills("s.%02d.png", [0, 1, 2, 3, 6, 7, 8, 9])
    selection = select(footage.root, rate=24)
    footage.path("s.02.png").write_text("no picture")
    prepared = prepare_footage(selection, settings())
    assert all_levels(prepared) == [[60, 70, 80, 90]]
    (note,) = prepared.notes
    assert note.source == "s.##.png"
    assert "s.02.png: is no picture" in note.reason


def test_footage_that_changes_between_scan_and_prepare_is_noted(footage):
    footage.movie("a.mkv", 5)
    footage.movie("b.mkv", 9)
    footage.movie("c.mkv", 9)
    footage.stills("s.%02d.png", range(6))
    selection = select(footage.root, rate=24)
    footage.path("b.mkv").unlink()
    footage.movie("c.mkv", 7)
    footage.path("s.02.png").unlink()
    prepared = prepare_footage(selection, settings())
    assert all_levels(prepared) == [[0, 10, 20, 30, 40]]
    found = reasons(prepared)
    assert list(found) == ["b.mkv", "s.##.png", "c.mkv"]
    assert found["b.mkv"].startswith("cannot be read any more (No such file or directory)")
    assert found["s.##.png"].startswith("cannot be read any more (No such file or directory)")
    assert "frame 7" in found["c.mkv"]


def test_a_class_whose_shots_all_fail_is_no_class(footage, monkeypatch, break_movie):
    footage.movie("fire/b.mkv", 10)
    footage.movie("water/a.mkv", 10)
    selection = select(footage.root, classes="folders")
    break_movie(monkeypatch, "b.mkv", MediaError("decoding fails after frame 2: the disk is old"))
    prepared = prepare_footage(selection, settings(classes="folders"))
    assert (prepared.class_names, prepared.labels) == (("water",), (0,))


def test_a_full_disk_is_told_in_numbers_before_anything_is_decoded(footage, cache, decoded, monkeypatch):
    footage.movie("a.mkv", 25)
    selection = select(footage.root, height=4000, width=6000)
    decoded.clear()
    usage = namedtuple("usage", "total used free")(10**12, 10**12 - 10**9, 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(FootageError) as error:
        prepare_footage(selection, settings(height=4000, width=6000))
    assert str(error.value) == (
        f"{cache / 'frames'}: prepared frames need 1.8 GB, 1.0 GB are free; "
        "make room, choose another place with $VIDGAN_CACHE, or lower data.height and data.width"
    )
    assert decoded == []


def test_a_full_disk_does_not_matter_to_frames_that_are_there(footage, monkeypatch):
    footage.movie("a.mkv", 10)
    prepare(footage.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: namedtuple("usage", "free")(0))
    assert len(prepare(footage.root).frames) == 1


def test_half_made_files_of_dead_processes_are_removed_and_of_living_ones_kept(footage, cache):
    footage.movie("a.mkv", 10)
    process = subprocess.Popen(["true"])
    process.wait()
    folder = cache / "frames"
    folder.mkdir()
    with written_beside(folder / "0123abcd.npy") as living:
        pass
    dead = living.with_name(living.name.replace(f"-{os.getpid()}.", f"-{process.pid}."))
    dead.touch()
    living.touch()
    prepare(footage.root)
    assert not dead.exists()
    assert living.exists()


# Fitting a picture


def disc(height, width, pixel_aspect=1, radius=0.3):
    """A white disc as shown, in the middle of a black picture whose pixels are `pixel_aspect` wide."""
    y, x = np.mgrid[:height, :width] + 0.5
    distance = np.hypot(y - height / 2, (x - width / 2) * float(pixel_aspect))
    return np.repeat((distance < radius * min(height, width * pixel_aspect)).astype(np.uint8)[..., None] * 255, 3, -1)


def shape_of_light(picture):
    """Width over height of what is bright, and the (y, x) of its middle."""
    light = picture[..., 0] / 255.0
    y, x = np.mgrid[: light.shape[0], : light.shape[1]] + 0.5
    middle = [(axis * light).sum() / light.sum() for axis in (y, x)]
    height, width = (((axis - at) ** 2 * light).sum() ** 0.5 for axis, at in zip((y, x), middle, strict=True))
    return width / height, middle


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
@pytest.mark.parametrize("size", [(36, 64), (48, 112), (64, 64), (64, 36)], ids=str)
@pytest.mark.parametrize("source", [(90, 160), (160, 90), (100, 100), (144, 176)], ids=str)
@pytest.mark.parametrize("pixel_aspect", [Fraction(1), Fraction(12, 11), Fraction(2)], ids=str)
def test_a_circle_stays_a_circle(fit, size, source, pixel_aspect):
    frames = disc(*source, pixel_aspect, radius=0.15)[None]
    (fitted,) = fit_frames(frames, pixel_aspect, settings(height=size[0], width=size[1], fit=fit))
    assert fitted.shape == (*size, 3)
    elongation, middle = shape_of_light(fitted)
    assert elongation == pytest.approx(1, abs=0.05)
    assert middle == pytest.approx([size[0] / 2, size[1] / 2], abs=0.6)


def test_crop_leaves_no_black_and_letterbox_leaves_nothing_out():
    frames = np.full((2, 90, 160, 3), 200, np.uint8)
    cropped = fit_frames(frames, Fraction(1), settings(height=48, width=48))
    assert (cropped == 200).all()
    boxed = fit_frames(frames, Fraction(1), settings(height=48, width=48, fit="letterbox"))
    rows = boxed[0, :, 24, 0]
    assert (boxed[0] == rows[:, None, None]).all()
    assert rows.tolist() == [0] * 10 + [200] * 27 + [0] * 11 or rows.tolist() == [0] * 11 + [200] * 27 + [0] * 10


def test_crop_cuts_evenly():
    columns = np.repeat(np.arange(0, 128, dtype=np.uint8)[None, None, :, None], 64, 1).repeat(3, -1)
    cropped = fit_frames(columns, Fraction(1), settings(height=64, width=64))
    assert cropped[0, 5, :, 1].tolist() == list(range(32, 96))


def test_sharp_edges_do_not_wrap_around_black_or_white():
    edge = np.where(np.arange(96) < 48, 0, 255).astype(np.uint8)[None, None, :, None].repeat(96, 1).repeat(3, -1)
    for size in (40, 64, 200):
        row = fit_frames(edge, Fraction(1), settings(height=size, width=size))[0, size // 2, :, 0].astype(int)
        assert row[: size // 2 - 4].max() < 10
        assert row[size // 2 + 4 :].min() > 245


def test_grey_is_rounded_rec_709_luma():
    colors = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    grey = fit_frames(colors, Fraction(1), settings(channels=1))
    assert grey.shape == (3, 8, 8, 1)
    assert (grey[..., 0] == np.rint(colors @ np.array([0.2126, 0.7152, 0.0722]))).all()
    assert fit_frames(np.full((1, 8, 8, 3), 255, np.uint8), Fraction(1), settings(channels=1)).min() == 255


def test_pixels_that_are_not_square_become_square(footage):
    aspect = Fraction(12, 11)
    write_movie(footage.path("a.mp4"), [disc(144, 176, aspect)] * 5, rate=Fraction(25), pixel_aspect=aspect)
    selection = select(footage.root, height=96, width=96)
    assert selection.shots[0].shot.pixel_aspect == aspect
    prepared = prepare_footage(selection, settings(height=96, width=96))
    assert shape_of_light(prepared.frames[0][0])[0] == pytest.approx(1, abs=0.02)


# Clips


def memory(*shots, labels=None):
    """Prepared footage of shots given by the grey levels of their frames."""
    frames = tuple(np.array(shot, np.uint8).reshape(-1, 1, 1, 1) for shot in shots)
    return PreparedFootage(frames, tuple(labels or [0] * len(shots)), (), Fraction(24), (), "")


SHOTS = memory(range(0, 10), range(100, 106), range(200, 207), labels=[2, 0, 1])


def test_an_item_is_a_function_of_seed_and_number_alone():
    sampler = ClipSampler(SHOTS, num_frames=3, frame_stride=2, seed=5)
    forward = [sampler.clip(n)[0].ravel().tolist() for n in range(50)]
    again = ClipSampler(SHOTS, num_frames=3, frame_stride=2, seed=5)
    assert [again.clip(n)[0].ravel().tolist() for n in reversed(range(50))] == forward[::-1]
    other = ClipSampler(SHOTS, num_frames=3, frame_stride=2, seed=6)
    assert [other.clip(n)[0].ravel().tolist() for n in range(50)] != forward


def test_any_batch_is_its_items():
    sampler = ClipSampler(SHOTS, num_frames=3, frame_stride=2, seed=5)
    for first, count in [(0, 1), (0, 8), (3, 5), (10**9, 4)]:
        frames, labels_ = sampler.batch(first, count)
        assert (str(frames.dtype), str(labels_.dtype)) == ("torch.uint8", "torch.int64")
        assert tuple(frames.shape) == (count, 3, 1, 1, 1)
        for index in range(count):
            clip, label = sampler.clip(first + index)
            assert (frames[index].numpy() == clip).all()
            assert labels_[index] == label


@pytest.mark.parametrize(("num_frames", "frame_stride"), [(1, 1), (1, 4), (2, 1), (3, 2), (4, 1), (2, 5), (6, 1)])
def test_the_clips_are_all_that_fit_in_a_shot_and_no_others(num_frames, frame_stride):
    sampler = ClipSampler(SHOTS, num_frames=num_frames, frame_stride=frame_stride, seed=0)
    found = []
    for position in range(sampler.num_clips):
        clip, label = sampler.clip_at(position)
        found.append((label, clip.ravel().tolist()))
    expected = [
        (label, [first + step * frame_stride for step in range(num_frames)])
        for label, shot in zip(SHOTS.labels, SHOTS.frames, strict=True)
        for first in range(int(shot[0, 0, 0, 0]), int(shot[-1, 0, 0, 0]) - (num_frames - 1) * frame_stride + 1)
    ]
    assert found == expected
    assert SHOTS.num_clips(num_frames, frame_stride) == sampler.num_clips


def test_every_clip_is_equally_likely():
    sampler = ClipSampler(SHOTS, num_frames=3, frame_stride=2, seed=0)
    drawn = [int(sampler.clip(n)[0][0, 0, 0, 0]) for n in range(3000)]
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == sampler.num_clips == 6 + 2 + 3
    assert (np.abs(counts - 3000 / 11) < 75).all()


def test_a_shot_shorter_than_a_clip_is_not_sampled():
    with pytest.raises(RequestError, match="the shortest shot has 6 frames, a clip spans 7"):
        ClipSampler(SHOTS, num_frames=4, frame_stride=2, seed=0)


@pytest.mark.parametrize(("num_frames", "frame_stride"), [(4, 1), (3, 3)])
def test_no_clip_of_a_folder_crosses_a_gap_or_a_shot(footage, num_frames, frame_stride):
    footage.movie("a.mkv", 20, times=[*range(10), *range(13, 23)])
    footage.movie("b.mkv", [*range(3, 13)])
    footage.stills("s.%02d.png", [1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 18, 19, 20, 21])
    changed = {"num_frames": num_frames, "frame_stride": frame_stride, "rate": 24}
    selection = select(footage.root, **changed)
    prepared = prepare_footage(selection, settings(**changed))
    sampler = ClipSampler(prepared, num_frames=num_frames, frame_stride=frame_stride, seed=0)
    clips = [levels(sampler.clip_at(position)[0]) for position in range(sampler.num_clips)]
    runs = [range(0, 100, 10), range(100, 200, 10), range(3, 13), range(10, 90, 10), range(150, 220, 10)]
    needed = span(num_frames, frame_stride)
    assert clips == [
        list(run[first : first + needed : frame_stride]) for run in runs for first in range(len(run) - needed + 1)
    ]
    assert len(clips) == selection.num_clips(settings(**changed)) == prepared.num_clips(num_frames, frame_stride)


# Real footage


def real(shared, name):
    if not (shared / name).is_dir():
        pytest.skip(f"needs {name} of ../shared")
    return shared / name


def test_the_actions_are_36_shots_of_4_classes(shared):
    selection = select(real(shared, "footage/actions"), num_frames=16, classes="folders")
    assert len(selection.shots) == 36
    assert selection.class_names == ("bend", "jack", "wave1", "wave2")
    assert sum(len(chosen.frames) for chosen in selection.shots) == 2645
    assert (selection.rate, selection.notes) == (25, ())


def test_the_elements_are_5_shots_at_25_frames_a_second(shared):
    selection = select(real(shared, "footage/elements"), num_frames=16, classes="folders")
    assert (len(selection.shots), selection.rate, selection.notes) == (5, 25, ())
    assert selection.class_names == ("cloth", "fire", "water")
    flag, _, flame = (chosen.shot for chosen in selection.shots[:3])
    assert flag.pixel_aspect == Fraction(12, 11)
    assert "resampled from 30000/1001 to 25 frames/s" in flame.notes


def test_a_movie_that_fails_after_28_frames_is_a_shot_of_28_and_a_note(shared, footage):
    source = shared / "hard" / "corrupted_after_28_frames.mp4"
    if not source.exists():
        pytest.skip("needs hard/corrupted_after_28_frames.mp4 of ../shared")
    footage.path("a.mp4").write_bytes(source.read_bytes())
    scan = scan_footage(footage.root, settings())
    assert [shot.num_frames for shot in scan.shots] == [28]
    assert reasons(scan)["a.mp4"].startswith("decoding fails after frame 27: ")
    assert len(prepare(footage.root).frames[0]) == 28
