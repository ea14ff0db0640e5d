"""The fingerprint: it changes with what decides a notebook's outcome, and with nothing else."""

import shutil

import nbformat
import pytest
from made import notebook

from utils.course import fingerprint, runner


@pytest.fixture
def package(tmp_path, monkeypatch):
    files = {
        "__init__.py": "",
        "settings.py": "",
        "rank/__init__.py": "",
        "rank/models.py": "def load():\n    from . import deep\n",
        "rank/deep.py": "import utils.data.words",
        "rank/aside.py": "",
        "data/__init__.py": "",
        "data/words.py": "WORDS = 1",
    }
    for name, source in files.items():
        path = tmp_path / "utils" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    monkeypatch.setattr(fingerprint, "PACKAGE", tmp_path / "utils")
    return tmp_path / "utils"


def test_modules_are_closed_under_imports_and_hold_nothing_unreached(package):
    nb = notebook("%matplotlib inline\nfrom utils.rank import models", "not python (")
    names = {str(path.relative_to(package)) for path in fingerprint.modules(nb)}
    assert names == {
        "__init__.py",
        "rank/__init__.py",
        "rank/models.py",
        "rank/deep.py",
        "data/__init__.py",
        "data/words.py",
    }


def test_every_module_of_the_closure_reaches_only_modules_of_the_closure():
    found = fingerprint.modules(notebook("from utils.data import catalogue"))
    assert fingerprint.PACKAGE / "data" / "synthetic.py" in found
    for path in found:
        name = ".".join(("utils", *path.relative_to(fingerprint.PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        assert fingerprint.modules(notebook(f"import {name}")) <= found


@pytest.mark.parametrize(("name", "same"), [("data/words.py", False), ("rank/aside.py", True)])
def test_the_fingerprint_changes_with_a_reached_module_and_not_with_another(package, name, same):
    nb = notebook("from utils.rank.models import load")
    before = fingerprint.fingerprint(nb, parameters={}, upstream={})
    (package / name).write_text("WORDS = 2")
    assert (fingerprint.fingerprint(nb, parameters={}, upstream={}) == before) is same


def test_the_fingerprint_changes_with_parameters_and_upstream():
    nb = notebook("a = 1")
    values = [({"SEED": 0}, {}), ({"SEED": 1}, {}), ({"SEED": 0}, {"teacher": "x"}), ({"SEED": 0}, {"teacher": "y"})]
    assert len({fingerprint.fingerprint(nb, parameters=p, upstream=u) for p, u in values}) == 4


def test_the_cells_hash_passes_over_prose_and_injected_parameters_but_not_over_the_order_of_cells():
    one = notebook("a = 1", "b = 2")
    other = notebook("a = 1", "b = 2")
    injected = nbformat.v4.new_code_cell("SEED = 1", metadata={"tags": ["injected-parameters"]})
    other.cells[1:1] = [nbformat.v4.new_markdown_cell("prose"), injected]
    assert fingerprint.cells_hash(one) == fingerprint.cells_hash(other)
    assert fingerprint.cells_hash(one) != fingerprint.cells_hash(notebook("b = 2", "a = 1"))


@pytest.mark.parametrize(("name", "same"), [("shrink/pruning.py", True), ("rank/training.py", False)])
def test_the_ranker_is_built_again_when_training_changes_and_not_when_pruning_does(tmp_path, monkeypatch, name, same):
    copy = shutil.copytree(fingerprint.PACKAGE, tmp_path / "utils")
    (copy / "shrink").mkdir(exist_ok=True)
    (copy / "shrink" / "__init__.py").touch()
    (copy / "shrink" / "pruning.py").touch()
    monkeypatch.setattr(fingerprint, "PACKAGE", copy)
    (path,) = runner.notebooks("01")
    nb = nbformat.read(path, as_version=4)
    before = fingerprint.fingerprint(nb, parameters={}, upstream={})
    with (copy / name).open("a") as file:
        file.write("# edited\n")
    assert (fingerprint.fingerprint(nb, parameters={}, upstream={}) == before) is same


def test_edited_prose_leaves_every_notebook_of_the_course_fresh():
    for path in runner.notebooks():
        nb = nbformat.read(path, as_version=4)
        before = fingerprint.fingerprint(nb, parameters={}, upstream={})
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source += " More words."
        assert fingerprint.fingerprint(nb, parameters={}, upstream={}) == before
