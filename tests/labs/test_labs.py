"""Every lab: the release is made from the master and fails every check, the master passes, wrong ways are named."""

import importlib
import shutil
import time

import nbformat
import papermill
import pytest
from nbgrader.validator import Validator

from authoring import labs as authors
from utils.course.labs import checks, small_ranker, workbook

LABS = checks.labs()
BUDGET_S = 180  # of a whole master, on a machine that does other things as well
WRONG = [
    pytest.param(f"{lab}.{task}", function, words, id=f"{lab}.{function.__name__}")
    for lab in LABS
    for task, function, words in importlib.import_module(f"wrong_{lab[-2:]}").WRONG
]


@pytest.fixture(scope="module", autouse=True)
def ranker():
    """The small ranker of labs 03 and 04, which takes longer to make than nbgrader waits for a cell."""
    small_ranker.open_ranker()


@pytest.mark.parametrize("lab", LABS)
def test_a_release_is_what_its_master_gives(lab):
    assert workbook.release(lab).read_text(encoding="utf-8") == authors.released(lab), "run: course release"


@pytest.mark.parametrize("lab", LABS)
def test_an_untouched_release_fails_every_check_because_nothing_is_written_yet(lab, tmp_path):
    place = shutil.copy(workbook.release(lab), tmp_path)
    nb = nbformat.read(place, as_version=4)
    names = [cell.metadata.nbgrader.grade_id for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert len(names) >= 3
    validator = Validator()
    validator.ignore_checksums = True
    failed = validator.validate(str(place))["failed"]
    assert {cell["source"] for cell in failed} >= {cell.source for _, cell in workbook.graded(nb)}
    assert all("NotImplementedError" in cell["error"] or "AssertionError" in cell["error"] for cell in failed)
    first = next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("solution"))
    set_up = [cell.source for cell in nb.cells[: nb.cells.index(first)] if cell.cell_type == "code"]
    assert set_up and not {cell["source"] for cell in failed} & set(set_up)


@pytest.mark.parametrize("lab", LABS)
def test_a_master_passes_every_check_within_its_budget(lab, tmp_path):
    began = time.monotonic()
    papermill.execute_notebook(workbook.master(lab), tmp_path / "done.ipynb", cwd=tmp_path, progress_bar=False)
    assert time.monotonic() - began < BUDGET_S
    nb = nbformat.read(tmp_path / "done.ipynb", as_version=4)
    for task, cell in workbook.graded(nb):
        assert any(f"{task}: solved" in output.get("text", "") for output in cell.outputs), task


@pytest.mark.parametrize(("name", "function", "words"), WRONG)
def test_a_wrong_way_is_refused_and_named(name, function, words):
    with pytest.raises(checks.NotYet, match="(?s).*" + words):
        checks.verify(name, function)


def test_each_task_has_three_wrong_ways_at_least():
    for lab in LABS:
        told = [name for name, _, _ in (one.values for one in WRONG)]
        for task in checks.tasks_of(lab):
            assert told.count(f"{lab}.{task}") >= 3, f"{lab}.{task}"


@pytest.mark.parametrize("lab", LABS)
def test_every_misconception_is_told_apart_from_the_right_answer_and_from_the_others(lab):
    for name, task in checks.tasks_of(lab).items():
        checks.verify(f"{lab}.{name}", task.right)
        for words, wrong in task.misconceptions.items():
            with pytest.raises(checks.NotYet) as told:
                checks.verify(f"{lab}.{name}", wrong)
            assert words in str(told.value)
