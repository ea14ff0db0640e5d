"""Files and folders that appear whole or not at all, what killed processes leave, and the lock."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from utils import disk

NOBODY = 65_534


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole_and_a_failure_leaves_the_old_one_alone(tmp_path):
    path = disk.write_whole(tmp_path / "page.html", "old")
    with pytest.raises(UnicodeEncodeError):
        disk.write_whole(path, "new \ud800")
    assert path.read_text() == "old" and names(tmp_path) == ["page.html"]
    assert disk.write_whole(path, "new\n").read_bytes() == b"new\n"


def test_a_folder_takes_the_place_of_an_older_one_and_no_file_of_that_is_left(tmp_path):
    for name in ("one", "two"):
        with disk.whole_folder(tmp_path / "stage") as folder:
            (folder / name).touch()
            assert names(tmp_path / "stage") == ["one"] if name == "two" else not (tmp_path / "stage").exists()
    assert names(tmp_path / "stage") == ["two"] and names(tmp_path) == ["stage"]


def test_a_folder_whose_filling_fails_leaves_the_older_one_alone(tmp_path):
    with disk.whole_folder(tmp_path / "stage") as folder:
        (folder / "one").touch()
    with pytest.raises(OSError, match="full"), disk.whole_folder(tmp_path / "stage") as folder:
        (folder / "two").touch()
        raise OSError("full")
    assert names(tmp_path / "stage") == ["one"] and names(tmp_path) == ["stage"]


def test_sweeping_removes_what_dead_processes_left_and_nothing_of_living_ones(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert not psutil.pid_exists(dead.pid)
    mine, other = disk.partial(tmp_path / "a" / "mine"), tmp_path / "a" / f".partial-{dead.pid}-other"
    other.mkdir(parents=True)
    (other / "file").touch()
    mine.touch()
    (tmp_path / f".partial-{dead.pid}-note.txt").touch()
    (tmp_path / "kept").touch()
    disk.sweep(tmp_path)
    assert names(tmp_path) == ["a", "kept"] and names(tmp_path / "a") == [mine.name]


def test_a_lock_that_is_held_is_refused_in_the_callers_words_and_free_afterwards(tmp_path):
    with (
        disk.lock(tmp_path / "new" / ".lock", busy="it is busy"),
        pytest.raises(ValueError, match="^it is busy$"),
        disk.lock(tmp_path / "new" / ".lock", busy="it is busy"),
    ):
        pass
    with disk.lock(tmp_path / "new" / ".lock", busy="it is busy"):
        pass


@pytest.fixture
def read_only():
    """A folder that this process cannot write; an administrator becomes nobody for the while."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    administrator = os.geteuid() == 0
    if administrator:
        os.seteuid(NOBODY)
    yield folder
    if administrator:
        os.seteuid(0)
    folder.rmdir()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work otherwise there")
@pytest.mark.parametrize("name", ["", "run"])
def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(read_only, name):
    place = read_only / name
    problem = f"^{place}: cannot be written \\(Permission denied\\); give another folder$"
    with pytest.raises(ValueError, match=problem), disk.lock(place / ".lock", busy="busy"):
        pass


@pytest.mark.parametrize("text", ["{", "[1]", "", None, b"\xff"])
def test_what_holds_no_object_is_read_as_nothing(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text('{"code": "é"}', encoding="utf-8")
    assert disk.read_object(path) == {"code": "é"}
    path.unlink() if text is None else path.write_bytes(text.encode() if isinstance(text, str) else text)
    assert disk.read_object(path) == {}
