"""Running notebooks: one really executed, then what is run again, with execution replaced by a copy."""

import os
import shutil
import sys

import nbformat
import papermill
import pytest
from made import LABELS, RUN, notebook, write_shop
from papermill.exceptions import PapermillExecutionError

from utils import freshness, settings
from utils.course import execution, runner, stages


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
    with pytest.raises(execution.RunFailed, match=r"02_bad\.ipynb cell 2: ZeroDivisionError: division by zero"):
        runner.run(**RUN | {"seed": 7}, out=str(out), echo=lambda text: None)

    good = nbformat.read(out / "notebooks" / "01_good.ipynb", as_version=4)
    assert good.cells[-1].outputs[0].text.split() == ["7", "notebooks", sys.executable]
    assert good.metadata.rank_for_less.cells == freshness.of_cells(notebook(code))
    assert f"SEED = 7\nOUT = {str(out)!r}".replace("'", '"') in good.cells[1].source
    assert "PROFILE" not in good.cells[1].source
    assert states(seed=7, out=str(out)) == {"01_good": "fresh", "02_bad": "failed"}
    assert sorted(path.name for path in (out / "notebooks").iterdir()) == ["01_good.ipynb", "02_bad.failed.ipynb"]


def test_a_terminals_characters_and_a_backend_for_windows_leave_a_notebooks_output_and_pictures_alone(
    course, tmp_path, monkeypatch
):
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    picture = "import matplotlib.pyplot as plt; plt.plot([1, 2]);"
    course.write("01_one", notebook("print('ランニング →')", picture))
    runner.run(**RUN, out=str(tmp_path / "out"), echo=lambda text: None)
    *_, said, drawn = nbformat.read(tmp_path / "out" / "notebooks" / "01_one.ipynb", as_version=4).cells
    assert said.outputs[0].text == "ランニング →\n" and "image/png" in drawn.outputs[-1].data


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PapermillExecutionError(0, 1, "", "OSError", "[Errno 24] Too many open files", []),
            r"01_one\.ipynb stopped: OSError: .*Too many open files \(kept as .*let more files be open with: ulimit -n",
        ),
        (RuntimeError("Kernel didn't respond in 60 seconds"), r"01_one\.ipynb its kernel did not start: Kernel didn't"),
    ],
    ids=["too few files", "no kernel"],
)
def test_a_failure_that_no_cell_holds_is_said_with_its_own_words(course, monkeypatch, error, said):
    course.write("01_one", notebook("a = 1"))
    monkeypatch.setattr(papermill, "execute_notebook", lambda source, copy, **_: leave_and_raise(source, copy, error))
    with pytest.raises(execution.RunFailed, match=said):
        runner.run(**RUN, echo=lambda text: None)
    assert states() == {"01_one": "failed"}


def leave_and_raise(source, copy, error):
    """What a kernel that stopped before a cell could say why leaves: a copy without an error in it."""
    shutil.copy(source, copy)
    raise error


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
    with stages.whole(folder / "teacher", notebook="01_one"):
        pass
    assert states() == {"01_one": "fresh", "02_two": "changed"}


@pytest.fixture
def teacher(course, monkeypatch):
    """A run whose notebook made a stage of two files; gives the stage's folder."""
    course.write("01_one", notebook("a = 1"))

    def make_stage(job):
        with stages.whole(job.run_folder / "teacher", notebook=job.source.stem) as folder:
            (folder / "config.json").write_text("{}")
            (folder / "model.safetensors").write_bytes(bytes(1000))
        job.partial.write_bytes(job.source.read_bytes())

    monkeypatch.setattr(execution, "_papermill", make_stage)
    return runner.run(**RUN, echo=lambda text: None) / "teacher"


DAMAGE = {
    "deleted": (shutil.rmtree, "stage.json is missing"),
    "truncated": (lambda f: os.truncate(f / "model.safetensors", 10), "model.safetensors is damaged"),
    "corrupted": (lambda f: (f / "config.json").write_text("[]"), "config.json is damaged"),
    "a file lost": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "foreign": (lambda f: (f / "stage.json").write_text('{"format": 1}'), "stage.json is not one of this course's"),
    "not JSON": (lambda f: (f / "stage.json").write_text("{"), "stage.json is not one of this course's"),
    "another version": (
        lambda f: (f / "stage.json").write_text((f / "stage.json").read_text().replace('"format": 1', '"format": 99')),
        "made by another version of the course (format 99, here 1)",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_stage_that_cannot_be_used_is_named_and_made_again(teacher, name):
    damage, problem = DAMAGE[name]
    assert states() == {"01_one": "fresh"} and stages.problem(teacher) == ""
    damage(teacher)
    assert states() == {"01_one": "damaged"}
    said = []
    runner.run(**RUN, echo=said.append)
    assert problem in said[0] and said[0].startswith("01_one: stage 'teacher' cannot be used")
    assert states() == {"01_one": "fresh"} and stages.problem(teacher) == ""


def test_a_stage_made_again_with_the_same_bytes_is_still_looked_after(teacher, course):
    edit(course.folder / "01_one.ipynb", cell=1, source="a = 2")
    runner.run(**RUN, echo=lambda text: None)
    assert states() == {"01_one": "fresh"}
    (teacher / "config.json").unlink()
    assert states() == {"01_one": "damaged"}


def test_an_executed_copy_that_was_cut_short_is_made_again(course, executed):
    course.write("01_one", notebook("a = 1"))
    copy = runner.run(**RUN, echo=lambda text: None) / "notebooks" / "01_one.ipynb"
    os.truncate(copy, copy.stat().st_size // 2)
    assert states() == {"01_one": "changed"}
    runner.run(**RUN, echo=lambda text: None)
    assert states() == {"01_one": "fresh"} and len(executed) == 2


def test_parameters_of_one_notebook_reach_it_alone_and_decide_its_freshness(course, executed):
    turned = 'PROFILE = "laptop"\nDATASET = "synthetic"\nSEED = 0\nOUT = ""\nRATE = 1.0'
    course.write("01_one", notebook("a = 1", parameters=turned))
    course.write("02_two", notebook("b = 1"))
    parameters = {"01_one": {"RATE": 2.0}}
    for _ in range(2):
        runner.run(**RUN, parameters=parameters, echo=lambda text: None)
    assert executed == [("01_one", {"RATE": 2.0}), ("02_two", {})]
    runner.run(**RUN, echo=lambda text: None)
    assert executed[2:] == [("01_one", {})]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"02_two": {"RATIO": 1}}, r"02_two\.ipynb: no parameter RATIO \(has: PROFILE, DATASET, SEED, OUT\)"),
        ({"09_none": {"RATE": 1}}, "parameters are given for '09_none', which is no notebook"),
    ],
)
def test_an_unknown_parameter_is_refused_before_anything_is_made(course, executed, parameters, problem):
    course.write("01_one", notebook("a = 1"))
    course.write("02_two", notebook("b = 1"))
    with pytest.raises(ValueError, match=problem):
        runner.run(**RUN, parameters=parameters)
    assert executed == [] and not settings.ARTIFACTS.exists()


def test_changed_data_begins_another_run_and_the_path_of_its_folder_is_passed_absolute(
    course, executed, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path / "shop")
    course.write("01_one", notebook("a = 1"))
    runner.run(**RUN | {"dataset": "shop"}, echo=lambda text: None)
    assert executed == [("01_one", {"DATASET": str(tmp_path / "shop")})]
    assert states(dataset="shop") == {"01_one": "fresh"}
    write_shop(tmp_path / "shop", labels=LABELS.replace("q1,p1,1", "q1,p1,2"))
    assert states(dataset="shop") == {"01_one": "never run"}
    write_shop(tmp_path / "shop")
    assert states(dataset="shop") == {"01_one": "fresh"}, "the first run is still there"


def test_changed_data_reruns_in_a_folder_that_was_chosen(course, executed, tmp_path):
    write_shop(tmp_path / "shop")
    course.write("01_one", notebook("a = 1"))
    chosen = {"dataset": str(tmp_path / "shop"), "out": str(tmp_path / "out")}
    runner.run(**RUN | chosen, echo=str)
    assert states(**chosen) == {"01_one": "fresh"}
    write_shop(tmp_path / "shop", labels=LABELS.replace("q1,p1,1", "q1,p1,2"))
    assert states(**chosen) == {"01_one": "changed"}


def test_runs_of_two_shops_of_one_name_stand_side_by_side_and_one_that_was_moved_is_found_again(
    course, executed, tmp_path
):
    course.write("01_one", notebook("a = 1"))
    shops = []
    for country, labels in (("en", LABELS), ("de", LABELS.replace("q2,p1,1", "q2,p1,2"))):
        (tmp_path / country).mkdir()
        shops.append(tmp_path / country / "shop")
        write_shop(shops[-1], labels=labels)
        runner.run(**RUN | {"dataset": str(shops[-1])}, echo=str)
    assert [passed["DATASET"] for _, passed in executed] == [str(shop) for shop in shops]
    assert len(list(settings.ARTIFACTS.iterdir())) == 2
    shops[0].rename(tmp_path / "shop")
    assert states(dataset=str(tmp_path / "shop")) == states(dataset=str(shops[1])) == {"01_one": "fresh"}


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused_before_anything_is_executed(course, executed, seed):
    course.write("01_one", notebook("a = 1"))
    with pytest.raises(ValueError, match=f"seed {seed} is not a whole number from 0 to"):
        runner.run(**RUN | {"seed": seed})
    assert executed == [] and not settings.ARTIFACTS.exists()


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


@pytest.mark.parametrize("name", ["01b", "curious", "01b_curious", "01b_curious.ipynb"])
def test_a_notebook_for_the_curious_is_found_alone_and_is_in_no_run(course, executed, name):
    course.write("01_one", notebook("1"))
    (settings.NOTEBOOKS / "more").mkdir()
    course.write("more/01b_curious", notebook("2"))
    assert [path.stem for path in runner.notebooks(name)] == ["01b_curious"]
    runner.run(**RUN)
    assert [stem for stem, _ in executed] == ["01_one"] and list(states()) == ["01_one"]
    runner.run(**RUN, only=name)
    assert [stem for stem, _ in executed] == ["01_one", "01b_curious"]


def test_an_unknown_notebook_is_answered_with_those_there_are(course):
    course.write("01_one", notebook())
    with pytest.raises(ValueError, match="notebook '9' is not one of 01_one"):
        runner.notebooks(only="9")


def test_fetched_set_is_run_by_its_name_and_other_files_of_it_are_another_run(course, executed, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "DATA", tmp_path)
    course.write("01_one", notebook("a = 1"))
    chosen = RUN | {"dataset": "wands"}
    with pytest.raises(ValueError, match="fetch it with: course data fetch wands"):
        runner.run(**chosen)
    write_shop(tmp_path / "wands")
    assert runner.run(**chosen, echo=str).name.startswith("wands-")
    assert executed == [("01_one", {"DATASET": "wands"})]
    assert states(dataset="wands") == {"01_one": "fresh"}
    write_shop(tmp_path / "wands", labels=LABELS.replace("q2,p1,1", "q2,p1,2"))
    assert states(dataset="wands") == {"01_one": "never run"}
