"""Any pictures in, any review format out; time is never guessed."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidgan.errors import MediaError, RequestError
from vidgan.media.movie_writer import write_movie
from vidgan.media.movies import read_header, read_movie
from vidgan.media.sequences import write_frame_sequence
from vidgan.media.stills import read_still
from vidgan.review.export import export

TOOL = Path(__file__).parents[1] / "tools" / "export_mp4.py"
NTSC_FILM = Fraction(24000, 1001)


@pytest.fixture
def frames():
    """uint8 [12, 32, 48, 3]; frame i is grey level 10 i."""
    return np.broadcast_to(10 * np.arange(12, dtype=np.uint8)[:, None, None, None], (12, 32, 48, 3)).copy()


def levels(path):
    return [int(frame.rgb()[9, 9, 0]) for frame in read_movie(path)]


def test_a_movie_keeps_its_rate_and_every_frame(tmp_path, frames):
    write_movie(tmp_path / "in.mkv", frames, rate=NTSC_FILM)
    result = export(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert (result.num_frames, result.rate, result.notes) == (12, NTSC_FILM, ())
    assert read_header(tmp_path / "out.mp4").rate == NTSC_FILM
    assert np.abs(np.array(levels(tmp_path / "out.mp4")) - 10 * np.arange(12)).max() <= 2


def test_a_stated_rate_retimes_a_movie_and_keeps_its_frames(tmp_path, frames):
    write_movie(tmp_path / "in.mkv", frames, rate=Fraction(25))
    assert export(tmp_path / "in.mkv", tmp_path / "out.mkv", rate=NTSC_FILM).num_frames == 12
    assert read_header(tmp_path / "out.mkv").rate == NTSC_FILM
    assert levels(tmp_path / "out.mkv") == [10 * i for i in range(12)]


@pytest.mark.parametrize("name", ["dawn", "dawn/dawn.####.png", "dawn/dawn.%04d.png"])
def test_a_frame_sequence_goes_in_by_folder_and_by_pattern(tmp_path, frames, name):
    write_frame_sequence(tmp_path / "dawn", frames)
    export(tmp_path / name, tmp_path / "out.mkv", rate=Fraction(24))
    assert levels(tmp_path / "out.mkv") == [10 * i for i in range(12)]


def test_a_frame_sequence_without_a_rate_is_refused(tmp_path, frames):
    write_frame_sequence(tmp_path / "dawn", frames)
    with pytest.raises(RequestError, match=r"a frame sequence has no rate; state it \(--rate 24000/1001\)"):
        export(tmp_path / "dawn", tmp_path / "out.mp4")
    with pytest.raises(RequestError, match="no rate"):
        export(frames, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_missing_frame_numbers_are_named(tmp_path, frames):
    write_frame_sequence(tmp_path / "dawn", frames)
    (tmp_path / "dawn" / "dawn.1005.png").unlink()
    (tmp_path / "dawn" / "dawn.1006.png").unlink()
    with pytest.raises(RequestError, match=r"2 frame numbers are missing \(1005, 1006\)"):
        export(tmp_path / "dawn", tmp_path / "out.mp4", rate=Fraction(24))


def test_two_sequences_in_a_folder_are_not_guessed_between(tmp_path, frames):
    write_frame_sequence(tmp_path / "dawn" / "a.####.png", frames)
    write_frame_sequence(tmp_path / "dawn" / "b.####.png", frames)
    with pytest.raises(RequestError, match=r"2 frame sequences \(a.####.png, b.####.png\)"):
        export(tmp_path / "dawn", tmp_path / "out.mp4", rate=Fraction(24))


def test_frames_in_memory_become_stills_movie_and_gif(tmp_path, frames):
    assert export(frames, tmp_path / "stills").rate is None
    assert int(read_still(tmp_path / "stills" / "stills.1012.png").rgb[0, 0, 0]) == 110
    export(frames, tmp_path / "grey.mkv", rate=Fraction(24))
    export(frames[..., :1], tmp_path / "grey1.mkv", rate=Fraction(24))
    assert levels(tmp_path / "grey1.mkv") == levels(tmp_path / "grey.mkv") == [10 * i for i in range(12)]
    assert export(frames, tmp_path / "a.gif", rate=Fraction(24)).num_frames == 12
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 12


def test_a_gap_in_the_timestamps_is_told(tmp_path, frames):
    import av

    with av.open(tmp_path / "in.mkv", "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.pix_fmt, stream.height, stream.width = "bgr0", 32, 48
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            frame.pts = index if index < 6 else index + 5
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    result = export(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert result.rate == 24
    assert result.notes == ("the timestamps of in.mkv have gaps, which are closed up: 1",)


def test_pixel_aspect_is_kept_or_its_loss_is_told(tmp_path, frames):
    write_movie(tmp_path / "in.mp4", frames, rate=Fraction(25), pixel_aspect=Fraction(12, 11))
    assert export(tmp_path / "in.mp4", tmp_path / "out.mp4").notes == ()
    assert read_header(tmp_path / "out.mp4").pixel_aspect == Fraction(12, 11)
    assert "12/11" in export(tmp_path / "in.mp4", tmp_path / "out.gif").notes[0]


def test_an_output_that_would_harm_or_puzzle_is_refused(tmp_path, frames):
    write_movie(tmp_path / "in.mp4", frames, rate=Fraction(25))
    write_frame_sequence(tmp_path / "dawn", frames)
    for input, output, words in [
        ("in.mp4", "in.mp4", "is the input"),
        ("dawn", "dawn/copy.####.png", "holds the input"),
        ("in.mp4", "out.avi", r"\.avi is not a format we write"),
        ("in.mp4", "out.png", "many frames do not fit one still"),
        ("missing.mp4", "out.mp4", "no such file"),
    ]:
        with pytest.raises((RequestError, MediaError), match=words):
            export(tmp_path / input, tmp_path / output)


def test_a_movie_that_was_cut_off_is_told(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (48, 32, 32, 3), dtype=np.uint8)
    for suffix in (".mkv", ".mp4"):
        write_movie(tmp_path / f"whole{suffix}", noise, rate=Fraction(24))
        assert export(tmp_path / f"whole{suffix}", tmp_path / "out.mkv").notes == ()
        content = (tmp_path / f"whole{suffix}").read_bytes()
        (tmp_path / f"cut{suffix}").write_bytes(content[: len(content) * 6 // 10])
        result = export(tmp_path / f"cut{suffix}", tmp_path / "out.mkv")
        missing = 48 - result.num_frames
        assert result.notes == (f"cut{suffix} is cut off: {missing} frames that its header promises are missing",)


def test_a_sequence_with_a_broken_frame_leaves_no_half_export(tmp_path, frames):
    write_frame_sequence(tmp_path / "dawn", frames)
    (tmp_path / "dawn" / "dawn.1008.png").write_bytes(b"lost")
    for output in ("out.mp4", "out.mkv", "out.gif"):
        with pytest.raises(MediaError, match=r"dawn\.1008\.png: is no picture"):
            export(tmp_path / "dawn", tmp_path / output, rate=Fraction(24))
    assert [path.name for path in tmp_path.iterdir()] == ["dawn"]


def test_the_tool_exports_and_its_errors_are_one_line(tmp_path, frames):
    write_frame_sequence(tmp_path / "dawn", frames)
    command = [sys.executable, str(TOOL), str(tmp_path / "dawn"), str(tmp_path / "out.mp4")]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.count("\n") == 1
    done = subprocess.run([*command, "--rate", "23.976"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert read_header(tmp_path / "out.mp4").rate == NTSC_FILM
