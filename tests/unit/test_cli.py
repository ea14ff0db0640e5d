"""The command line: what it prints, and its exit status."""

import errno
import os
import re
import subprocess
import sys

import pytest
from made import LABELS, notebook, row, write_shop

from authoring import commands as authors
from utils import settings
from utils.course import cli, execution, runner
from utils.data import identity
from utils.measure import ledger as book

AS_TEXT = {"capture_output": True, "text": True}


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
    assert status == 0 and "./synthetic" in out and "judged queries by split: train 400, valid 500, test 1,500" in out
    assert "train queries without a label, kept as the shop's log: 8,000" in out


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


@pytest.mark.parametrize("more", [["--prepare"], ["--folds", "5"], ["--recipe", "shallow"], ["--dataset", "mine"]])
def test_a_sweep_of_anything_but_the_embedded_shop_and_its_own_arms_is_refused(capsys, more):
    status, _, err = run(capsys, "results", "--sweep", *more)
    assert status == 2 and "give it --seed and --profile alone" in err


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
    [
        ("run", "--only", "9"),
        ("run", "--profile", "huge"),
        ("report",),
        ("run", "-x"),
        *((command, "--dataset", "nowhere") for command in ("run", "status", "ledger", "report")),
        *((command, "--seed", seed) for command in ("run", "status") for seed in ("-1", str(2**32))),
    ],
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


def test_no_row_of_another_data_set_of_the_same_name_is_printed(course, capsys, tmp_path):
    for country, labels in (("en", LABELS), ("de", LABELS.replace("q2,p1,1", "q2,p1,0"))):
        (tmp_path / country).mkdir()
        write_shop(tmp_path / country / "shop", labels=labels)
    english, german = (str(tmp_path / country / "shop") for country in ("en", "de"))
    place = identity.run_folder(dataset=german, profile_name="laptop", seed=0)
    place.mkdir(parents=True)
    book.append(place / "ledger.jsonl", row(label="of the other"))
    assert "of the other" in run(capsys, "ledger", "--dataset", german)[1]
    status, out, err = run(capsys, "ledger", "--dataset", english)
    assert (status, out) == (2, "") and "no ledger yet" in err


def test_a_tilde_that_no_shell_has_replaced_makes_no_folder_of_that_name(
    course, executed, capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(course.folder)
    course.write("01_one", notebook("a = 1"))
    write_shop(tmp_path / "shop")
    status, out, _ = run(capsys, "run", "--out=~/made", "--dataset=~/shop")
    assert status == 0 and out.splitlines()[-1] == str(tmp_path / "made" / "report.html")
    assert executed == [("01_one", {"DATASET": str(tmp_path / "shop"), "OUT": str(tmp_path / "made")})]
    assert not (course.folder / "~").exists()
    assert run(capsys, "data", "check", "~/shop")[0] == 0


def test_the_embedded_shop_is_good_and_shown_when_it_is_checked_by_its_name(capsys):
    status, out, _ = run(capsys, "data", "check", "synthetic")
    assert status == 0 and "embedded shop, which is always there and good" in out and "products.csv: 5,000 lines" in out


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_a_pipe_that_knows_few_characters_ends_no_good_command(folder, encoding):
    (folder / "queries.csv").write_text(
        "query_id,query,split\nq1,ランニング,train\nq2,blue,valid\nq3,ランニング,test\nq4,red,train\n", encoding="utf-8"
    )
    labels = "".join(f"q{query},p{product},{2 - product}\n" for query in (2, 3, 4) for product in (1, 2))
    (folder / "labels.csv").write_text(f"query_id,product_id,label\n{labels}")
    command = [sys.executable, "-m", "utils.course.cli", "data", "check", str(folder)]
    where = {"cwd": settings.ROOT, "env": os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}}
    done = subprocess.run(command, capture_output=True, encoding="ascii", **where)
    assert (done.returncode, done.stderr) == (0, "") and r"\u30e9\u30f3" in done.stdout


def allowed_by_mode(path, wanted):
    """What `os.access` says to a user who may only do what the mode lets the owner do, as the administrator may all."""
    return (os.stat(path).st_mode >> 6) & wanted == wanted


@pytest.mark.parametrize(
    ("closed", "mode", "asked", "remedy"),
    [
        ("shop/labels.csv", 0o200, "shop/labels.csv", "make it readable"),
        ("shop", 0o000, "shop/labels.csv", "make {closed} readable"),
        ("shop", 0o500, "shop/new.txt", "make it writable, or give another folder with --out"),
        ("shop/labels.csv", 0o400, "shop/labels.csv", "make it writable, or give another folder with --out"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_what_may_not_be_read_is_to_be_made_readable_and_what_may_not_be_written_writable(
    course, capsys, tmp_path, monkeypatch, closed, mode, asked, remedy
):
    def refuse(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / asked))

    write_shop(tmp_path / "shop")
    monkeypatch.setattr(os, "access", allowed_by_mode)
    monkeypatch.setattr(runner, "status", refuse)
    (tmp_path / closed).chmod(mode)
    status, _, err = run(capsys, "status")
    (tmp_path / closed).chmod(0o700)
    remedy = remedy.format(closed=tmp_path / closed)
    assert status == 2 and err.startswith(f"course: {tmp_path / asked}: Permission denied; {remedy}, then")


class Entry:
    """An entry point of a package that offers commands, or is half removed."""

    def __init__(self, name, commands):
        self.name, self.commands = name, commands

    def load(self):
        if self.commands is None:
            raise ModuleNotFoundError("No module named 'gone'")
        return self.commands


def commands_offered(capsys, monkeypatch, *entries):
    monkeypatch.setattr(cli, "entry_points", lambda *, group: [one for one in entries if group == cli.COMMANDS])
    status, out, err = run(capsys, "--help")
    assert status == 0
    return set(re.findall(r"^│ ([a-z]+) ", out, re.MULTILINE)), err


def test_without_packages_that_offer_commands_there_are_only_the_learners(capsys, monkeypatch):
    found, err = commands_offered(capsys, monkeypatch)
    others = {"export", "converter"}
    assert found == {"run", "status", "ledger", "report", "data", "lab", "warm", "check", "progress"} | others
    assert err == ""
    assert run(capsys, "publish")[0] == 2


def test_commands_of_an_installed_package_stand_beside_them_and_leave_nothing_behind(capsys, monkeypatch):
    found, _ = commands_offered(capsys, monkeypatch, Entry("authoring", authors.app))
    assert {"run", "data", "publish", "results", "lint", "tidy", "new", "release"} <= found
    assert "publish" not in commands_offered(capsys, monkeypatch)[0]


def test_commands_that_cannot_be_loaded_are_said_and_stop_nothing(capsys, monkeypatch):
    found, err = commands_offered(capsys, monkeypatch, Entry("others", None), Entry("authoring", authors.app))
    assert {"run", "publish"} <= found
    assert err == "course: the commands of 'others' cannot be loaded (No module named 'gone') and are left out\n"


SHADOWS = {"a module": "utils.py", "a package": "utils/__init__.py"}


@pytest.mark.parametrize("name", SHADOWS.values(), ids=SHADOWS)
def test_another_package_called_utils_is_named_with_the_remedy_and_not_imported(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('imported')")
    path = os.pathsep.join([str(tmp_path), str(settings.ROOT)])
    command = [sys.executable, "-c", "from rank_for_less import main; main()", "status"]
    done = subprocess.run(command, cwd=tmp_path.parent, env=os.environ | {"PYTHONPATH": path}, **AS_TEXT)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"course: another 'utils' comes before this course's: {tmp_path / 'utils'}")
    assert "take its folder out of PYTHONPATH" in done.stderr


def test_where_the_command_begins_our_own_utils_is_let_through():
    command = [sys.executable, "-m", "rank_for_less", "--help"]
    done = subprocess.run(command, cwd=settings.ROOT, **AS_TEXT)
    assert done.returncode == 0 and "Usage: course" in done.stdout
