"""A learner's copies: begun once, kept when begun anew, checked as they are, and remembered."""

import json
import shutil

import nbformat
import pytest

from utils import settings
from utils.course import cli
from utils.course.labs import checks, workbook

FUSE = """def fuse(bm25, cosine):
    return sum(1 / (61 + np.argsort(np.argsort(-scores))) for scores in (bm25, cosine))"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A course in a folder of its own whose lab_01 ends after its second task; where a learner's copies lie."""
    place = tmp_path / "labs" / "release" / "lab_01" / "lab_01.ipynb"
    place.parent.mkdir(parents=True)
    nb = nbformat.read(workbook.release("lab_01"), as_version=4)
    ends = next(
        i for i, cell in enumerate(nb.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == "check-lab_01-ndcg"
    )
    nb.cells = nb.cells[: ends + 1]
    nbformat.write(nb, place)
    shutil.copytree(workbook.master("lab_01").parent, tmp_path / "labs" / "source" / "lab_01")
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(checks, "labs", lambda: ["lab_01"])
    return tmp_path / "labs" / "mine"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def write(place, task, source):
    nb = nbformat.read(place, as_version=4)
    next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == task).source = source
    nbformat.write(nb, place)


def holds(place, source):
    return any(cell.source == source for cell in nbformat.read(place, as_version=4).cells)


def test_a_lab_is_begun_once_and_begun_anew_with_a_backup(mine, capsys):
    assert run(capsys, "lab", "start", "lab_01")[0] == 0
    place = mine / "lab_01" / "lab_01.ipynb"
    write(place, "lab_01-fuse", FUSE)
    status, _, err = run(capsys, "lab", "start", "lab_01")
    assert status == 2 and "course lab reset lab_01" in err and holds(place, FUSE)
    status, out, _ = run(capsys, "lab", "reset", "lab_01")
    assert status == 0 and not holds(place, FUSE)
    kept = list((mine / "backup").rglob("lab_01.ipynb"))
    assert len(kept) == 1 and str(kept[0].parent) in out
    assert holds(kept[0], FUSE)
    run(capsys, "lab", "reset", "lab_01")
    assert len(list((mine / "backup").iterdir())) == 2


def test_a_copy_is_checked_as_it_is_and_what_is_solved_is_remembered(mine, capsys):
    place = workbook.start("lab_01")
    write(place, "lab_01-fuse", FUSE)
    before = place.read_bytes()
    status, out, _ = run(capsys, "check", "lab_01")
    assert status == 1 and place.read_bytes() == before
    fuse, ndcg = out.splitlines()
    assert fuse.split() == ["lab_01.fuse", "solved"] and ndcg.split()[:3] == ["lab_01.ndcg", "not", "written"]
    assert "1 of 2 solved" in run(capsys, "progress")[1]
    write(place, "lab_01-ndcg", "def ndcg(gains, scores, depth):\n    return 0.5")
    status, out, _ = run(capsys, "lab", "check", "lab_01")
    assert status == 1 and "not yet" in out and "0.796708 is expected, 0.5 came" in out


def test_a_function_without_an_end_is_stopped_and_the_next_task_is_checked(mine, capsys, monkeypatch):
    monkeypatch.setattr(workbook, "SECONDS_A_CELL", 20)  # the set-up cell needs a few of them
    place = workbook.start("lab_01")
    write(place, "lab_01-fuse", "def fuse(bm25, cosine):\n    while True:\n        pass")
    status, out, err = run(capsys, "check", "lab_01")
    fuse, ndcg = out.splitlines()
    assert status == 1 and "took more than 20 s, and was stopped" in fuse and "not written" in ndcg and err == ""


def test_a_slip_in_the_cell_above_is_told_and_not_what_follows_from_it(mine, capsys):
    write(workbook.start("lab_01"), "lab_01-fuse", "def fuse(bm25, cosine)\n    return 1")
    fuse, ndcg = run(capsys, "check", "lab_01")[1].splitlines()
    assert "a cell above stopped: SyntaxError: expected ':'" in fuse and "not written" in ndcg


def test_a_kernel_that_dies_is_told(mine, capsys):
    write(workbook.start("lab_01"), "lab_01-fuse", "import os\nos._exit(1)")
    status, _, err = run(capsys, "check", "lab_01")
    assert status == 2 and "labs/mine/lab_01: the kernel died at work" in err


def test_a_check_in_the_notebook_itself_is_remembered_beside_it_and_nowhere_else(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checks.verify("lab_01.fuse", checks.find("lab_01.fuse").right)
    assert not (tmp_path / checks.PROGRESS).exists()
    monkeypatch.chdir(workbook.start("lab_01").parent)
    checks.verify("lab_01.fuse", checks.find("lab_01.fuse").right)
    with pytest.raises(checks.NotYet):
        checks.judge("lab_01.more_features", yours=0.5, to_beat=0.6, what="NDCG@10")
    checks.judge("lab_01.more_features", yours=0.7, to_beat=0.6, what="NDCG@10")
    assert json.loads((mine / "lab_01" / checks.PROGRESS).read_text())["solved"] == [
        "lab_01.fuse",
        "lab_01.more_features",
    ]
    lines = [json.loads(line) for line in (mine / "lab_01" / checks.LEADERBOARD).read_text().splitlines()]
    assert [line["value"] for line in lines] == [0.5, 0.7]


def test_progress_names_the_command_for_a_lab_that_was_not_begun(mine, capsys):
    assert "0 of 2 solved   begin with: course lab start lab_01" in run(capsys, "progress")[1]


def test_progress_is_exported_as_a_table_with_the_last_figure_of_an_open_task(mine, capsys, tmp_path):
    folder = workbook.start("lab_01").parent
    (folder / checks.PROGRESS).write_text('{"solved": ["lab_01.ndcg"]}')
    noted = [{"task": "lab_01.ndcg", "figure": "NDCG@10 on valid", "value": value} for value in (0.5, 0.7)]
    (folder / checks.LEADERBOARD).write_text("\n".join([*map(json.dumps, noted), "cut sho"]))
    status, out, _ = run(capsys, "progress", "--export", str(tmp_path / "mine.csv"))
    assert status == 0 and "1 of 2 solved" in out
    assert (tmp_path / "mine.csv").read_text().splitlines() == [
        "lab,task,solved,figure,last_value",
        "lab_01,lab_01.fuse,0,,",
        "lab_01,lab_01.ndcg,1,NDCG@10 on valid,0.7",
    ]
    status, _, err = run(capsys, "progress", "--export", str(tmp_path / "nowhere" / "mine.csv"))
    assert status == 1 and "nowhere" in err and not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", [["lab", "start"], ["lab", "reset"], ["check"], ["lab", "solution"]])
def test_an_unknown_lab_is_refused_with_those_there_are(mine, capsys, command):
    status, _, err = run(capsys, *command, "lab_77")
    assert status == 2 and "'lab_77' is no lab; there are lab_01" in err


def test_a_copy_that_is_not_there_or_no_notebook_is_refused_with_a_remedy(mine, capsys):
    assert "course lab start lab_01" in run(capsys, "check", "lab_01")[2]
    workbook.start("lab_01").write_text("{")
    status, _, err = run(capsys, "check", "lab_01")
    assert status == 2 and "is no notebook" in err and "course lab reset lab_01" in err


def test_a_solution_is_shown_on_request(mine, capsys):
    status, out, _ = run(capsys, "lab", "solution", "lab_01")
    assert status == 0 and "BEGIN SOLUTION" in out and "def listwise_loss" in out
