"""`vidgan export`, `compare` and `info` on the command line: what they print, and a mistake as one line."""

from fractions import Fraction

import numpy as np
import pytest
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.media.movie_writer import write_movie
from vidgan.media.movies import read_header
from vidgan.media.sequences import write_frame_sequence


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a.mp4, 24 frames/s, b.mp4, 25 frames/s, 6 frames each, a sequence, a text and an empty folder."""
    made = tmp_path_factory.mktemp("made")
    for name, rate in (("a.mp4", 24), ("b.mp4", 25)):
        write_movie(made / name, np.full((6, 32, 48, 3), 99, np.uint8), rate=Fraction(rate))
    (made / "notes.txt").write_text("hello")
    (made / "notes").mkdir()
    write_frame_sequence(made / "frames", np.full((6, 32, 48, 3), 99, np.uint8))
    return made


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.chdir(made)
    return made


def vidgan(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_settings_on_the_command_line_reach_the_file(folder):
    result = vidgan(
        *("export", "a.mp4", "sq010.mov", "--format", "prores4444", "--frame", "512x256", "--filter", "nearest"),
        *("--burn-in", "{shot} {version}|{timecode}|{frame}", "--slate", "--timecode", "01:00:00:00", "--new-version"),
        *("--range", "1-4", "--handles", "2", "--first", "9"),
    )
    assert result.exit_code == 0, result.output
    assert "sq010_v001.mov: 9 frames at 24 frames/s" in result.output
    assert "note: handles: the first frame stands for 1 more, the last for 1" in result.output
    header = read_header(folder / "sq010_v001.mov")
    assert (header.width, header.height, header.codec) == (512, 256, "prores")
    said = vidgan("info", "sq010_v001.mov").output
    for line in ("timecode: 00:59:59:23", "delivery first number: 8", "size: 512x256", "title: sq010"):
        assert line in said.splitlines()
    assert '"delivery"' in vidgan("info", "sq010_v001.mov", "--json").output


def test_comparisons_are_made_from_the_command_line(folder):
    result = vidgan("compare", "a.mp4", "b.mp4", "frames", "--layout", "sheet", "--rate", "24", "--out", "all.mp4")
    assert result.exit_code == 0, result.output
    assert "all.mp4: 6 frames at 24 frames/s" in result.output


MISTAKES = [
    ("export missing.mov out.mp4", "missing.mov: no such file"),
    ("export frames out.mp4", "a frame sequence has no rate; state it"),
    ("export a.mp4 out.avi", ".avi is not a format we write"),
    ("export a.mp4 out.exr", "6 frames, and many frames do not fit one still; give out.####.exr"),
    ("export a.mp4 out.mp4 --format prores422hq", "ProRes 422 HQ is not written as .mp4; name it out.mov"),
    ("export a.mp4 out.mov --timecode 1:0:0", "expected hours:minutes:seconds:frames"),
    ("export a.mp4 out.mov --burn-in {seeed}", 'burn-in {seeed} is not known (did you mean "seed"?)'),
    ("export a.mp4 out.mov --burn-in {shot}", "48 pixels wide and words need 256: enlarge them"),
    ("export a.mp4 out.mp4 --frame 1080", '--frame "1080" is no size (did you mean "1080p"?)'),
    ("export a.mp4 out.mp4 --filter nearest", "state it (--frame 1080p)"),
    ("export a.mp4 out.####.exr --color rec709", "scene-linear light, which rec709 is not"),
    ("export a.mp4 out.mp4 --display Cinema", "display 'Cinema' is not in the OpenColorIO config"),
    ("export a.mp4 out.mp4 --range 3", "expected first and last frame, such as 1009-1056"),
    ("export a.mp4 out.mp4 --bitrate fast", "expected bits a second, such as 8M"),
    ("export a.mp4 out.mp4 --audio a.mp4", "has no sound"),
    ("export a.mp4 a.mp4", "is the input"),
    ("compare a.mp4 b.mp4", "the rates differ"),
    ("compare a.mp4", "inputs, not 1"),
    ("export . out.mp4", ".: holds movies (a.mp4, "),
    ("export notes.txt out.mp4", "notes.txt: is not a movie"),
    ("info nothing.mov", "no such file"),
    ("info notes.txt", "notes.txt: is no movie, still or animation that can be read"),
    (
        "info frames",
        "holds no generator.safetensors yet (expected a run folder of `vidgan train`); for pictures name a",
    ),
    ("review nowhere", "nowhere: no such folder"),
    ("review notes", "notes: no footage in this folder or below it"),
    ("review . --export picks.pdf", "picks.pdf: picks cannot be written as '.pdf' (expected .otio, .edl, .csv, .mp4)"),
    ("generate demo --format prores", '--format "prores" is not known (did you mean "prores4444"?)'),
    ("generate demo --format dnxhr_hq", "DNxHR HQ begins at 256x120; enlarge them with --scale 8"),
    ("generate demo --format exr --crf 12", "--crf is for movies; EXR, half float has none"),
]


@pytest.mark.parametrize(("command", "words"), MISTAKES, ids=[command for command, _ in MISTAKES])
def test_a_supervisors_mistake_is_one_clear_line(folder, command, words):
    before = sorted(folder.rglob("*"))
    result = vidgan(*command.split())
    assert result.exit_code == 2
    (line,) = [line for line in result.output.splitlines() if line.strip()]
    assert line.startswith("error: ")
    assert words in line
    assert sorted(folder.rglob("*")) == before
