"""What is expected of every file of ../shared, worked out with ffprobe and by looking; skipped where it is absent."""

from fractions import Fraction
from pathlib import Path

import pytest

from vidgan.config import DataConfig
from vidgan.footage.scan import scan_footage

NTSC_FILM, NTSC_VIDEO = Fraction(24000, 1001), Fraction(30000, 1001)

# Frames of each shot, rate, width x height as shown, codec, and words that its notes must hold.
READ = {
    "bear-vp9-odd-dimensions.webm": ([30], NTSC_VIDEO, (161, 121), "vp9", ["untagged, read as smpte170m"]),
    "bt601.mp4": ([30], NTSC_VIDEO, (360, 240), "h264", []),
    "corrupted_after_28_frames.mp4": ([28], 10, (1280, 720), "h264", ["damaged", "untagged, read as bt709"]),
    "dnxhr_hq.mov": ([12], 24, (480, 270), "dnxhd", []),
    "edit_list_positive_shift.mp4": ([270], 30, (1920, 1080), "h264", []),
    "h264_10bits.mp4": ([30], 30, (200, 200), "h264", []),
    "h265_10bits.mp4": ([30], 30, (200, 200), "hevc", []),
    "hevc_8bit.mp4": ([48], 24, (480, 270), "hevc", []),
    "hlg10-color-test.mp4": ([9], Fraction(90000, 3001), (1920, 1080), "hevc", ["high dynamic range (arib-std-b67)"]),
    "interlaced_tff_h264.mp4": ([30], 30, (480, 272), "h264", ["interlaced, made whole with bwdif"]),
    "layered.exr": ([1], None, (256, 256), "exr", ["2 other layers: Logo Layer, Plasma Layer"]),
    "long_1080p_lowbitrate.mp4": ([10883], 30, (1920, 1080), "h264", []),
    "mjpeg.avi": ([48], 24, (480, 270), "mjpeg", []),
    "mpeg2.mxf": ([2], 25, (512, 512), "mpeg2video", []),
    "odd_161x121_ffv1.mkv": ([24], 24, (161, 121), "ffv1", []),
    "prores_ap4h.mov": ([2], 25, (512, 512), "prores", []),
    "prores_apch.mov": ([2], 25, (512, 512), "prores", []),
    "prores_apcs.mov": ([2], 25, (512, 512), "prores", []),
    "roadtrip-vp92-10bit.webm": ([72], NTSC_FILM, (426, 240), "vp9", []),
    "rotated_270.mov": ([3], 30, (320, 568), "h264", ["turned by 270 degrees"]),
    "rotated_90.mov": ([3], 30, (320, 568), "h264", ["turned by 90 degrees"]),
    "sample.avi": ([1, 95], NTSC_FILM, (960, 400), "mpeg4", ["1 gap in time"]),
    "sample_android_slow_motion.mp4": ([1, 6], 30, (1280, 720), "h264", ["1 gap in time"]),
    "sample_av1.mkv": ([30], 30, (720, 1280), "av1", ["high dynamic range (arib-std-b67)"]),
    "sample_edit_list_only_preroll_sync_sample.mp4": ([16], Fraction(23040000, 767849), (640, 360), "h264", []),
    "sample_h264.ts": ([30], 30, (854, 480), "h264", []),
    "sample_portrait.mp4": ([30], NTSC_VIDEO, (720, 1080), "h264", []),
    "sample_rotate_and_reflect.mp4": ([30], NTSC_VIDEO, (720, 1080), "h264", ["turned by 90 degrees, mirrored"]),
    "sample_with_invalid_nalu.mp4": ([26], NTSC_VIDEO, (1080, 720), "h264", ["damaged"]),
    "vfr_ms.mkv": ([48], None, (480, 270), "h264", ["its rate varies"]),
}

# Words of the reason why a file is not used, or not to its end.
NOTED = {
    "bitflips_200.mkv": "decoding fails at the first frame",
    "corrupted_after_28_frames.mp4": "decoding fails after frame 27",
    "sample_audio_only.mp4": "has no pictures (audio only)",
    "sample_fragmented_uuid.mp4": "decoding fails at the first frame",
    "sample_with_invalid_nalu.mp4": "decoding fails after frame 25",
    "text_renamed.mp4": "is not a movie",
    "truncated_60pct_moov_at_end.mp4": "is not a movie, or its end is missing",
    "zero_bytes.mp4": "is empty (0 bytes)",
}

EVERYTHING = DataConfig(leave_out=(), cuts="none")


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """One scan of all hard files, for all tests of this file."""
    folder = Path(__file__).parents[2] / "shared" / "hard"
    if not folder.is_dir():
        pytest.skip("needs hard files in ../shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        return folder, scan_footage(folder, EVERYTHING)


@pytest.mark.parametrize("name", READ)
def test_a_hard_file_is_read_as_expected(hard, name):
    folder, scan = hard
    if not (folder / name).exists():
        pytest.skip(f"needs hard/{name} of ../shared")
    counts, rate, size, codec, words = READ[name]
    shots = [shot for shot in scan.shots if shot.source == name]
    assert [shot.num_frames for shot in shots] == counts
    assert {(shot.rate, (shot.width, shot.height), shot.codec) for shot in shots} == {(rate, size, codec)}
    notes = "; ".join(shots[0].notes)
    assert all(word in notes for word in words), notes


@pytest.mark.parametrize("name", NOTED)
def test_a_broken_file_is_noted_as_expected(hard, name):
    folder, scan = hard
    if not (folder / name).exists():
        pytest.skip(f"needs hard/{name} of ../shared")
    (reason,) = [note.reason for note in scan.notes if note.source == name]
    assert NOTED[name] in reason
    assert (name in READ) == any(shot.source == name for shot in scan.shots)


def test_every_hard_file_has_a_verdict_and_none_is_unexpected(hard):
    folder, scan = hard
    verdicts = {shot.source for shot in scan.shots} | {note.source for note in scan.notes}
    assert verdicts == {path.name for path in folder.iterdir()}
    assert {note.source for note in scan.notes} <= set(NOTED)


# Frames of each file, and what all files of a folder share: rate, width x height, pixel aspect, codec.
PEOPLE = {"again": 77, "bird": 63, "book": 109, "brother": 65, "eat": 47, "help": 58, "hungry": 49, "learn": 61}
PEOPLE |= {"milk": 51, "night": 68, "no": 66, "please": 73, "school": 72, "sister": 87, "sorry": 73, "student": 52}
PEOPLE |= {"thanks": 51, "walk": 89, "want": 47, "yes": 65}
ACTIONS = {
    "bend": [61, 61, 63, 64, 93, 65, 63, 85, 84],
    "jack": [103, 105, 56, 146, 70, 54, 51, 55, 89],
    "wave1": [61, 60, 54, 53, 103, 55, 125, 60, 82],
    "wave2": [59, 62, 57, 79, 114, 67, 54, 51, 81],
}
ELEMENTS = {
    "cloth/flag.avi": (250, 25, (352, 288), Fraction(12, 11), "mpeg4"),
    "fire/fire.avi": (260, 25, (1280, 720), 1, "msmpeg4v2"),
    "fire/flame.mp4": (116, NTSC_VIDEO, (1280, 720), 1, "h264"),
    "water/boiling.avi": (250, 25, (352, 288), Fraction(12, 11), "mpeg4"),
    "water/fountain.avi": (250, 25, (352, 288), Fraction(12, 11), "mpeg4"),
}
SHOTS = {
    "concert_multishot.mp4": (1441, 24, (176, 144), 1, "h264"),
    "dog.mp4": (289, NTSC_VIDEO, (1280, 720), 1, "h264"),
}


def scanned(shared, name):
    if not (shared / name).is_dir():
        pytest.skip(f"needs {name} of ../shared")
    return scan_footage(shared / name, EVERYTHING)


def facts(shot):
    return shot.num_frames, shot.rate, (shot.width, shot.height), shot.pixel_aspect, shot.codec


def test_all_people_are_read_to_their_last_frame(shared):
    scan = scanned(shared, "footage/people")
    frames = dict.fromkeys(PEOPLE, 0)
    for shot in scan.shots:
        frames[shot.source.removesuffix(".mkv")] += shot.num_frames
    assert frames == PEOPLE
    assert {facts(shot)[1:] for shot in scan.shots} == {(30, (640, 480), 1, "h264")}
    assert [shot.first for shot in scan.shots if shot.source == "brother.mkv"] == [0, 1]  # frames were lost after it
    assert scan.notes == ()


def test_all_actions_are_read_to_their_last_frame(shared):
    scan = scanned(shared, "footage/actions")
    expected = {
        f"{action}/p{index:02d}.mp4": count for action, counts in ACTIONS.items() for index, count in enumerate(counts)
    }
    assert {shot.source: shot.num_frames for shot in scan.shots} == expected
    assert {facts(shot)[1:] for shot in scan.shots} == {(25, (64, 64), 1, "h264")}
    assert {shot.source.split("/")[0] == shot.class_name for shot in scan.shots} == {True}


@pytest.mark.parametrize(("name", "expected"), [("footage/elements", ELEMENTS), ("footage/shots", SHOTS)])
def test_elements_and_long_shots_are_read_as_expected(shared, name, expected):
    scan = scanned(shared, name)
    assert {shot.source: facts(shot) for shot in scan.shots} == expected
    assert scan.notes == ()


def test_plates_are_frame_sequences_of_twelve(shared):
    dpx, exr = scanned(shared, "plates").shots
    for shot, suffix, bits in ((dpx, "dpx", 10), (exr, "exr", 16)):
        assert shot.source == f"{suffix}/juggle.####.{suffix}"
        assert (shot.first, shot.num_frames, shot.rate) == (1001, 12, None)
        assert ((shot.width, shot.height), shot.pixel_aspect, shot.codec) == ((320, 180), 1, suffix)
        assert shot.bit_depth == bits
    assert dpx.content_hash != exr.content_hash
