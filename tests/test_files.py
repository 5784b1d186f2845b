"""A file is whole or absent, whatever happens while it is written."""

import os

import pytest

from vidgan.errors import RequestError
from vidgan.files import writable_folder, write_text, written_beside


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
