"""A skip that is not listed fails, and one that is listed does not."""

import os
import subprocess
import sys

import pytest
import skips

from utils import settings

SKIPPED = "import pytest\n\n@pytest.mark.parametrize('n', [1, 2])\ndef test_listed(n):\n    pytest.skip('x')\n"


def outcome(folder, text, *, lists=()):
    """The exit status and the words of pytest with the hook, in a folder with one file of tests."""
    (folder / "test_made.py").write_text(text)
    (folder / "listing.py").write_text(f"import skips\nskips.SKIPS |= dict.fromkeys({list(lists)!r}, 'a reason')\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    paths = os.pathsep.join([str(settings.ROOT / "tests"), str(folder)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "skips", "-p", "listing", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_skip_that_is_not_listed_fails_and_says_where_to_list_it(tmp_path):
    status, said = outcome(tmp_path, SKIPPED)
    assert status == 1 and "test_made.py::test_listed was skipped and is not in tests/skips.py" in said


def test_a_listed_skip_passes_for_all_of_its_parameters(tmp_path):
    status, said = outcome(tmp_path, SKIPPED, lists=["test_made.py::test_listed"])
    assert status == 0 and "2 skipped" in said


@pytest.mark.parametrize(
    "how", ["@pytest.mark.skip\ndef test_a(): ...", "def test_a():\n    pytest.importorskip('gone')"]
)
def test_marks_and_missing_packages_are_skips_too(tmp_path, how):
    assert outcome(tmp_path, f"import pytest\n\n{how}\n")[0] == 1


def test_a_file_that_is_skipped_whole_fails(tmp_path):
    text = "import pytest\npytest.importorskip('gone')\n\ndef test_a(): ...\n"
    assert outcome(tmp_path, text)[0] != 0


def test_a_test_that_is_expected_to_fail_is_no_skip(tmp_path):
    assert outcome(tmp_path, "import pytest\n\n@pytest.mark.xfail\ndef test_a():\n    assert 0\n")[0] == 0


def test_every_listed_test_is_there_and_has_a_reason():
    for nodeid, reason in skips.SKIPS.items():
        path, _, name = nodeid.partition("::")
        assert reason and f"def {name}(" in (settings.ROOT / path).read_text(encoding="utf-8"), nodeid
