"""Running notebooks, their fingerprints, publishing, the report and the commands, on tiny notebooks made here."""

import re
import sys
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from matplotlib.figure import Figure

from utils import settings
from utils.course import cli, fingerprint, publish, report, runner
from utils.measure import ledger, plots

PARAMETERS = 'PROFILE = "laptop"\nDATASET = "synthetic"\nSEED = 0\nOUT = ""'
RUN = {"profile": "laptop", "dataset": "synthetic", "seed": 0}


def notebook(*sources, parameters=PARAMETERS, needs=()):
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "rank_for_less": {"needs": list(needs)}}
    )


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of no notebooks yet, whose runs land in a temporary folder; `write` adds a notebook."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(settings, "NOTEBOOKS", folder)
    monkeypatch.setattr(settings, "ARTIFACTS", tmp_path / "artifacts")
    monkeypatch.setattr(publish, "README", tmp_path / "README.md")
    publish.README.write_text(f"before {publish.BEGIN} old {publish.END} after")
    return SimpleNamespace(folder=folder, write=lambda name, nb: nbformat.write(nb, folder / f"{name}.ipynb"))


@pytest.fixture
def executed(monkeypatch):
    """Notebooks are 'executed' by copying them; holds (name, parameters passed) of each."""
    calls = []

    def copy(job):
        calls.append((job.source.stem, job.passed))
        job.partial.write_bytes(job.source.read_bytes())

    monkeypatch.setattr(runner, "_papermill", copy)
    return calls


def states(**changes):
    return {each.name: each.state for each in runner.status(**RUN | changes)}


def edit(path, *, cell, **changes):
    nb = nbformat.read(path, as_version=4)
    nb.cells[cell].update(changes)
    nbformat.write(nb, path)


# --- notebooks really executed: a kernel each ---


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


def test_published_notebooks_keep_outputs_and_lose_what_is_papermills_and_a_default_run_injects_nothing(course):
    course.write("01_good", notebook("print(SEED + 1)"))
    path = course.folder / "01_good.ipynb"
    before = nbformat.read(path, as_version=4)
    assert publish.publish(echo=lambda text: None) == [path]
    after = nbformat.read(path, as_version=4)
    assert [cell.source for cell in after.cells] == [cell.source for cell in before.cells]
    assert after.cells[1].outputs[0].text == "1\n" and after.cells[1].execution_count == 2
    assert after.cells[1].metadata == {} and "papermill" not in path.read_text()
    assert after.metadata.rank_for_less == {"needs": [], "cells": fingerprint.cells_hash(after)}
    assert "artifacts" not in path.read_text() and states() == {"01_good": "fresh"}


# --- what is run again, with execution replaced by a copy ---


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


QUERIES = "query_id,query,split\nq1,red,train\nq2,blue,valid\nq3,tall,test\n"
LABELS = "query_id,product_id,label\nq1,p1,1\nq2,p1,1\nq3,p1,1\n"


def write_shop(folder, *, labels=LABELS):
    folder.mkdir(exist_ok=True)
    (folder / "queries.csv").write_text(QUERIES)
    (folder / "products.csv").write_text("product_id,title\np1,Sofa\n")
    (folder / "labels.csv").write_text(labels)


def test_changed_data_in_a_folder_reruns_and_its_path_is_passed_absolute(course, executed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path / "shop")
    course.write("01_one", notebook("a = 1"))
    runner.run(**RUN | {"dataset": "shop"}, echo=lambda text: None)
    assert executed == [("01_one", {"DATASET": str(tmp_path / "shop")})]
    assert states(dataset="shop") == {"01_one": "fresh"}
    write_shop(tmp_path / "shop", labels=LABELS.replace("q1,p1,1", "q1,p1,2"))
    assert states(dataset="shop") == {"01_one": "changed"}


def test_bad_data_is_refused_with_status_2_before_anything_is_executed_or_written(course, executed, tmp_path, capsys):
    course.write("01_one", notebook("a = 1"))
    write_shop(tmp_path / "shop", labels=LABELS.replace("q2", "q7"))
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", "--dataset", str(tmp_path / "shop")])
    assert stop.value.code == 2 and executed == [] and not settings.ARTIFACTS.exists()
    assert capsys.readouterr().err == (
        "course: labels.csv line 3: query_id 'q7' is not in queries.csv; add it there or leave the line out\n"
    )


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


@pytest.mark.parametrize(
    ("stream", "text", "fault"),
    [
        ("stderr", "a warning", "01_one.ipynb cell 1: standard error: a warning"),
        ("stdout", f"saved in {settings.ROOT}/artifacts/x", "01_one.ipynb cell 1: an output holds a path"),
    ],
)
def test_publishing_is_refused_whole_when_one_output_should_not_be_seen(course, executed, stream, text, fault):
    course.write("00_fine", notebook("a = 1"))
    nb = notebook("b = 1")
    nb.cells[1].outputs = [nbformat.v4.new_output("stream", name=stream, text=text)]
    course.write("01_one", nb)
    before = {path.name: path.read_bytes() for path in course.folder.iterdir()}
    with pytest.raises(runner.RunFailed, match=re.escape(fault)):
        publish.publish(echo=lambda text: None)
    assert {path.name: path.read_bytes() for path in course.folder.iterdir()} == before


def test_publishing_leaves_widgets_out(course, executed):
    nb = notebook("b = 1")
    shown = {publish.WIDGET: {"model_id": "1"}, "text/plain": "VBox()"}
    nb.cells[1].outputs = [
        nbformat.v4.new_output("display_data", data=data) for data in (shown, {"text/plain": "kept"})
    ]
    course.write("01_one", nb)
    publish.publish(echo=lambda text: None)
    outputs = nbformat.read(course.folder / "01_one.ipynb", as_version=4).cells[1].outputs
    assert [output.data for output in outputs] == [{"text/plain": "kept"}]


def test_results_stand_between_the_marks_of_the_page_and_replace_the_old_ones(rows):
    page = f"a\n{publish.BEGIN}\nold\n{publish.END}\nz\n"
    table = "|  | NDCG@10 |\n| --- | --- |\n| teacher | 0.812 |\n| random | – |\n"
    machine = "Measured on this machine: processor zen4, 2 cores, 8 GiB of memory, no GPU, Linux."
    found = publish.with_results(page, rows=rows)
    assert found == f"a\n{publish.BEGIN}\n{table}\n{machine}\n{publish.END}\nz\n"
    assert publish.with_results(found, rows=rows) == found
    with pytest.raises(ValueError, match="the marks .* are missing"):
        publish.with_results("no marks", rows=rows)


# --- the fingerprint ---


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


# --- the report and the commands ---


@pytest.fixture
def rows(monkeypatch):
    """Two rows that the report reads instead of a ledger, one without a latency; pictures are empty figures."""
    machine = {"processor": "zen4", "cores": 2, "memory_bytes": 8 * 2**30, "gpu": None, "system": "Linux"}
    base = {"machine": machine, "versions": {"torch": "2.13.0"}}
    made = [
        SimpleNamespace(label="teacher <b>", why_null={}, **base),
        SimpleNamespace(label="random", why_null={"ndcg10": "random weights", "mrr10": "random weights"}, **base),
    ]
    monkeypatch.setattr(ledger, "current", lambda path: made)
    monkeypatch.setattr(
        ledger, "table", lambda rows: pd.DataFrame({"NDCG@10": ["0.812", "–"]}, index=["teacher", "random"])
    )
    for name in ("quality_against_latency", "size_and_work"):
        monkeypatch.setattr(plots, name, lambda rows, title: Figure(), raising=False)
    return made


def test_the_report_is_one_page_with_pictures_footnotes_and_escaped_text(rows, tmp_path):
    path = report.write(tmp_path, profile="ci", dataset="my shop/<x>", seed=3)
    page = path.read_text()
    assert path == tmp_path / "report.html" and list(tmp_path.iterdir()) == [path]
    assert "teacher &lt;b&gt;" in page and "<b>" not in page and "<x>" not in page
    assert page.count('src="data:image/png;base64,') == page.count("alt=") == 2
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert '<li id="note-1">No ndcg10, mrr10: random weights</li>' in page and 'href="#note-1"' in page
    assert "2 cores, 8 GiB of memory, no GPU" in page and "torch 2.13.0" in page and "0.812" in page
    assert "course run --profile ci --dataset &#39;my shop/&lt;x&gt;&#39; --seed 3" in page


def test_a_report_before_any_row_says_so(tmp_path):
    assert "No rows yet" in report.write(tmp_path, **RUN).read_text()


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def test_the_command_run_ends_with_the_reports_path(course, executed, capsys):
    course.write("01_one", notebook("a = 1"))
    status, out, _ = command(capsys, "run", "-p", "ci", "--only", "1")
    page = settings.ARTIFACTS / "synthetic-ci-0" / "report.html"
    assert status == 0 and out.splitlines()[-1] == str(page) and page.exists()
    assert executed == [("01_one", {"PROFILE": "ci"})]
    assert command(capsys, "status", "-p", "ci")[1].split()[:2] == ["01_one", "fresh"]


@pytest.mark.parametrize(
    "arguments",
    [("run", "--only", "9"), ("run", "--profile", "huge"), ("run", "--dataset", "nowhere"), ("report",), ("run", "-x")],
)
def test_a_wrong_call_exits_with_2_and_one_paragraph(course, executed, capsys, arguments):
    course.write("01_one", notebook("a = 1"))
    status, out, err = command(capsys, *arguments)
    assert (status, out, executed) == (2, "", []) and err and "Traceback" not in err


def test_a_failed_run_exits_with_1_and_shows_its_traceback_only_with_debug(course, capsys, monkeypatch):
    def fail(job):
        raise runner.RunFailed("01_one.ipynb cell 1:\n\nKeyError: 'x'")

    course.write("01_one", notebook("a = 1"))
    monkeypatch.setattr(runner, "_papermill", fail)
    assert command(capsys, "run") == (1, "", "course: 01_one.ipynb cell 1: KeyError: 'x'\n")
    with pytest.raises(runner.RunFailed):
        cli.main(["--debug", "run"])
