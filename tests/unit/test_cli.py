"""The command line: what it prints, and its exit status."""

import pytest
from made import LABELS, notebook, write_shop

from utils import settings
from utils.course import cli, execution


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.fixture
def folder(tmp_path):
    write_shop(tmp_path)
    return tmp_path


def test_check_counts_what_is_there(capsys, folder):
    status, out, _ = run(capsys, "data", "check", str(folder))
    assert status == 0
    assert "labels.csv: 6 lines" in out and "train 1, valid 1, test 1" in out and "1 3, 0 3" in out


def test_check_knows_the_embedded_shop_and_how_a_folder_of_that_name_is_given(capsys):
    status, out, _ = run(capsys, "data", "check", "synthetic")
    assert status == 0 and "./synthetic" in out and "judged queries by split: train 2,000, valid 500, test 1,500" in out


def test_check_names_a_query_text_that_stands_in_two_splits(capsys, folder):
    assert "in more than one split: 0\n" in run(capsys, "data", "check", str(folder))[1]
    queries = folder / "queries.csv"
    queries.write_text(queries.read_text() + "q4, BLUE,train\n")
    assert "in more than one split: 1, such as 'blue'; used in the last" in run(capsys, "data", "check", str(folder))[1]
    queries.write_text(queries.read_text().replace("tall", "RED"))
    assert "the split 'train' whose text is in no later split too" in run(capsys, "data", "check", str(folder))[2]


def test_bad_input_ends_with_status_2_and_one_paragraph(capsys, folder):
    (folder / "labels.csv").write_text("query_id,product_id,label\nq1,p7,1\n")
    status, _, err = run(capsys, "data", "check", str(folder))
    assert status == 2
    assert "labels.csv line 2: product_id 'p7'" in err and "Traceback" not in err


def test_missing_folder_ends_with_status_2(capsys, tmp_path):
    status, _, err = run(capsys, "data", "check", str(tmp_path / "none"))
    assert status == 2 and "no such folder" in err


def test_ledger_without_rows_says_what_to_do(capsys, tmp_path):
    status, _, err = run(capsys, "ledger", "--out", str(tmp_path))
    assert status == 2 and "run the notebooks first" in err


def test_unknown_command_ends_with_status_2(capsys):
    assert run(capsys, "dance")[0] == 2


def test_bad_data_is_refused_with_status_2_before_anything_is_executed_or_written(course, executed, tmp_path, capsys):
    course.write("01_one", notebook("a = 1"))
    write_shop(tmp_path / "shop", labels=LABELS.replace("q2", "q7"))
    assert run(capsys, "run", "--dataset", str(tmp_path / "shop")) == (
        2,
        "",
        "course: labels.csv line 3: query_id 'q7' is not in queries.csv; add it there or leave the line out\n",
    )
    assert executed == [] and not settings.ARTIFACTS.exists()


def test_the_command_run_ends_with_the_reports_path(course, executed, capsys):
    course.write("01_one", notebook("a = 1"))
    status, out, _ = run(capsys, "run", "-p", "ci", "--only", "1")
    page = settings.ARTIFACTS / "synthetic-ci-0" / "report.html"
    assert status == 0 and out.splitlines()[-1] == str(page) and page.exists()
    assert executed == [("01_one", {"PROFILE": "ci"})]
    assert run(capsys, "status", "-p", "ci")[1].split()[:2] == ["01_one", "fresh"]


@pytest.mark.parametrize(
    "arguments",
    [("run", "--only", "9"), ("run", "--profile", "huge"), ("run", "--dataset", "nowhere"), ("report",), ("run", "-x")],
)
def test_a_wrong_call_exits_with_2_and_one_paragraph(course, executed, capsys, arguments):
    course.write("01_one", notebook("a = 1"))
    status, out, err = run(capsys, *arguments)
    assert (status, out, executed) == (2, "", []) and err and "Traceback" not in err


def test_a_failed_run_exits_with_1_and_shows_its_traceback_only_with_debug(course, capsys, monkeypatch):
    def fail(job):
        raise execution.RunFailed("01_one.ipynb cell 1:\n\nKeyError: 'x'")

    course.write("01_one", notebook("a = 1"))
    monkeypatch.setattr(execution, "_papermill", fail)
    assert run(capsys, "run") == (1, "", "course: 01_one.ipynb cell 1: KeyError: 'x'\n")
    with pytest.raises(execution.RunFailed):
        cli.main(["--debug", "run"])
