"""The gate on imports, `make lint`'s `lint-imports` and ruff, refuses what pyproject.toml forbids."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture
def tree(tmp_path):
    """A copy of the packages and of the rules."""
    for name in ("utils", "authoring"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def check(tree, *command):
    environment = {"PYTHONPATH": str(tree), "PATH": ""}
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=tree, env=environment, capture_output=True, text=True)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_the_packages_as_they_are_pass(tree):
    status, said = check(tree, "lint-imports", "--no-cache")
    assert status == 0 and "3 kept, 0 broken" in said


@pytest.mark.parametrize(
    ("path", "line", "broken"),
    [
        ("utils/rank/metrics.py", "from utils.course import tables", "A package of utils imports only"),
        ("utils/data/candidates.py", "def f():\n    import utils.measure.timing", "A package of utils imports only"),
        ("utils/course/stages.py", "from authoring import gates", "What learners install never imports"),
        ("utils/rank/ranker.py", "from utils.rank import training", "No packages and no modules import each other"),
        ("utils/helpers/__init__.py", "", "A package of utils imports only"),
    ],
    ids=["upwards", "upwards inside a function", "the authors' tools", "a circle", "a package that no layer names"],
)
def test_a_wrong_arrow_is_refused_by_name(tree, path, line, broken):
    (tree / path).parent.mkdir(exist_ok=True)
    with (tree / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    status, said = check(tree, "lint-imports", "--no-cache")
    assert status != 0 and broken in said


@pytest.mark.parametrize("source", ["import sys\nsys.path.insert(0, '.')\n", "from sys import path\nprint(path)\n"])
def test_touching_the_search_path_is_refused(tree, source):
    (tree / "utils" / "rank" / "made.py").write_text(source)
    status, said = check(tree, "ruff", "check", "utils/rank/made.py", "--no-cache")
    assert status != 0 and "nothing of the course touches the search path" in said


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for name in ("utils", "authoring") for path in (ROOT / name).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
