"""A file is whole or absent, whatever happens while it is written."""

import os
import signal
import subprocess
import sys

import pytest

from vidgan.errors import RequestError
from vidgan.files import hidden_folder, writable_folder, write_text, written_beside

# Writes in the folder of its first argument and never ends.
WRITE = """
import sys, time
from pathlib import Path
from vidgan.files import hidden_folder, written_beside
folder = Path(sys.argv[1])
with written_beside(folder / "take.mp4") as beside, hidden_folder(folder, "dawn.exr") as hidden:
    beside.write_text("half of it")
    (hidden / "dawn.1001.exr").write_text("a frame")
    print("written", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has half of a file and a hidden folder in the folder `shared`."""
    (tmp_path / "shared").mkdir()
    process = subprocess.Popen([sys.executable, "-c", WRITE, tmp_path / "shared"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "written\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("trouble", [RuntimeError, KeyboardInterrupt])
def test_trouble_while_writing_leaves_the_old_file_and_nothing_beside_it(tmp_path, trouble):
    path = tmp_path / "take.mp4"
    path.write_text("old")

    def write_half():
        with written_beside(path) as beside:
            beside.write_text("half of the n")
            raise trouble

    with pytest.raises(trouble):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_file_replaces_the_old_one_only_at_the_end(tmp_path):
    path = tmp_path / "take.mp4"
    path.write_text("old")
    with written_beside(path) as beside:
        assert beside.suffix == ".mp4"
        assert beside.parent == tmp_path
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_file_has_the_permissions_of_any_new_file_even_if_a_library_makes_it_private(tmp_path):
    (tmp_path / "plain").touch()
    with written_beside(tmp_path / "weights") as beside:
        beside.unlink()
        os.close(os.open(beside, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "weights").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_is_made_and_one_that_cannot_be_is_named(tmp_path):
    assert writable_folder(tmp_path / "a" / "b").is_dir()
    write_text(tmp_path / "file", "")
    with pytest.raises(RequestError, match=r"file/out: cannot write files there \(Not a directory\); choose another"):
        writable_folder(tmp_path / "file" / "out")


def write_from_another_process(folder):
    """The first write of a process into the folder."""
    code = "import sys; from vidgan.files import write_text; write_text(sys.argv[1] + '/new.json', '{}')"
    subprocess.run([sys.executable, "-c", code, folder], check=True)


def test_what_a_killed_process_left_half_made_is_removed_by_the_next_write_into_the_folder(writer, tmp_path):
    folder = tmp_path / "shared"
    half_made = sorted(folder.iterdir())
    assert [path.name.partition(".part")[2] for path in half_made] == ["", ".mp4"]
    write_from_another_process(folder)
    assert set(half_made) < set(folder.iterdir())  # its writer is alive
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    write_from_another_process(folder)
    assert [path.name for path in folder.iterdir()] == ["new.json"]


def test_what_another_machine_writes_in_a_shared_folder_is_left_alone(writer, tmp_path):
    folder = tmp_path / "shared"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    ours = sorted(folder.iterdir())
    theirs = []
    for path in ours:
        machine = path.name.split(".")[-2 if path.suffix == ".part" else -3].partition("-")[0]
        theirs.append(path.rename(path.with_name(path.name.replace(machine, "0123abcd"))))
    for name in (".take.mp4", ".part", ".notes.part.txt", ".0123-99999999.part.mp4"):
        (folder / name).touch()
    write_from_another_process(folder)
    assert set(theirs) < set(folder.iterdir())
    assert len(list(folder.iterdir())) == len(theirs) + 5


def test_a_hidden_folder_goes_with_all_that_is_left_in_it(tmp_path):
    with hidden_folder(tmp_path, "dawn.exr") as hidden:
        (hidden / "a").touch()
    assert list(tmp_path.iterdir()) == []
