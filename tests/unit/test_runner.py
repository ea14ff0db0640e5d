"""Running notebooks: one really executed, then what is run again, with execution replaced by a copy."""

import sys

import nbformat
import pytest
from made import LABELS, RUN, notebook, write_shop

from utils.course import fingerprint, runner


def states(**changes):
    return {each.name: each.state for each in runner.status(**RUN | changes)}


def edit(path, *, cell, **changes):
    nb = nbformat.read(path, as_version=4)
    nb.cells[cell].update(changes)
    nbformat.write(nb, path)


def test_a_run_executes_in_place_stamps_the_copy_and_a_failure_names_the_cell(course, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "import os, sys; print(SEED, os.path.basename(os.getcwd()), sys.executable)"
    course.write("01_good", notebook(code))
    course.write("02_bad", notebook("x = 1", "1 / 0", "print('never')"))
    out = tmp_path / "o{u}t"
    with pytest.raises(runner.RunFailed, match=r"02_bad\.ipynb cell 2: ZeroDivisionError: division by zero"):
        runner.run(**RUN | {"seed": 7}, out=str(out), echo=lambda text: None)

    good = nbformat.read(out / "notebooks" / "01_good.ipynb", as_version=4)
    assert good.cells[-1].outputs[0].text.split() == ["7", "notebooks", sys.executable]
    assert good.metadata.rank_for_less.cells == fingerprint.cells_hash(notebook(code))
    assert f"SEED = 7\nOUT = {str(out)!r}".replace("'", '"') in good.cells[1].source
    assert "PROFILE" not in good.cells[1].source
    assert states(seed=7, out=str(out)) == {"01_good": "fresh", "02_bad": "failed"}
    assert sorted(path.name for path in (out / "notebooks").iterdir()) == ["01_good.ipynb", "02_bad.failed.ipynb"]


def test_only_what_changed_is_run_again(course, executed):
    course.write("01_one", notebook("a = 1"))
    course.write("02_two", notebook("b = 1"))
    prose = notebook("c = 1")
    prose.cells.append(nbformat.v4.new_markdown_cell("some words"))
    course.write("03_prose", prose)
    assert set(states().values()) == {"never run"}
    said = []
    runner.run(**RUN, echo=said.append)
    runner.run(**RUN, echo=said.append)
    assert len(executed) == 3 and said[3:] == ["01_one: unchanged", "02_two: unchanged", "03_prose: unchanged"]

    edit(course.folder / "02_two.ipynb", cell=1, source="b = 2")
    edit(course.folder / "03_prose.ipynb", cell=2, source="other words")
    assert states() == {"01_one": "fresh", "02_two": "changed", "03_prose": "fresh"}
    runner.run(**RUN, echo=said.append)
    assert [name for name, _ in executed[3:]] == ["02_two"]


def test_a_changed_stage_reruns_the_notebooks_that_need_it_and_no_others(course, executed):
    course.write("01_one", notebook("a = 1"))
    course.write("02_two", notebook("b = 1", needs=["teacher"]))
    folder = runner.run(**RUN, echo=lambda text: None)
    (folder / "teacher").mkdir()
    (folder / "teacher" / "stage.json").write_text("{}")
    assert states() == {"01_one": "fresh", "02_two": "changed"}


def test_a_notebook_whose_stage_was_deleted_is_run_again(course, monkeypatch):
    course.write("01_one", notebook("a = 1"))

    def make_stage(job):
        (job.run_folder / "teacher").mkdir(exist_ok=True)
        (job.run_folder / "teacher" / "stage.json").write_text("{}")
        job.partial.write_bytes(job.source.read_bytes())

    monkeypatch.setattr(runner, "_papermill", make_stage)
    folder = runner.run(**RUN, echo=lambda text: None)
    assert states() == {"01_one": "fresh"}
    (folder / "teacher" / "stage.json").unlink()
    assert states() == {"01_one": "changed"}


def test_changed_data_in_a_folder_reruns_and_its_path_is_passed_absolute(course, executed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path / "shop")
    course.write("01_one", notebook("a = 1"))
    runner.run(**RUN | {"dataset": "shop"}, echo=lambda text: None)
    assert executed == [("01_one", {"DATASET": str(tmp_path / "shop")})]
    assert states(dataset="shop") == {"01_one": "fresh"}
    write_shop(tmp_path / "shop", labels=LABELS.replace("q1,p1,1", "q1,p1,2"))
    assert states(dataset="shop") == {"01_one": "changed"}


def test_a_parameter_that_the_notebook_lacks_is_refused(course, executed):
    course.write("01_one", notebook("a = 1", parameters='PROFILE = "laptop"\nDATASET = "synthetic"'))
    with pytest.raises(ValueError, match=r"01_one\.ipynb: no parameter SEED \(has: PROFILE, DATASET\)"):
        runner.run(**RUN)
    assert executed == []


@pytest.mark.parametrize("name", ["2", "02", "two", "02_two", "02_two.ipynb"])
def test_a_notebook_is_found_by_number_and_by_name(course, name):
    for stem in ("03_three", "01_one", "02_two", "notes"):
        course.write(stem, notebook())
    assert [path.stem for path in runner.notebooks(only=name)] == ["02_two"]
    assert [path.stem for path in runner.notebooks(from_=name)] == ["02_two", "03_three"]


def test_an_unknown_notebook_is_answered_with_those_there_are(course):
    course.write("01_one", notebook())
    with pytest.raises(ValueError, match="notebook '9' is not one of 01_one"):
        runner.notebooks(only="9")
