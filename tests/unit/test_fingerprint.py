"""The fingerprint of the course's own notebooks: it changes with what decides the outcome, and with nothing else."""

import nbformat
import pytest
from made import RUN, notebook, replace_once

from utils import settings
from utils.course import fingerprint, runner

EDITS = {  # a file, the start of a function in it, and the notebooks that use that function
    "shrink/sparsify/sparsity.py": ("def arrays(", {"05"}),
    "shrink/prune/pruning.py": ("def head_importance(", {"02", "03", "04", "06"}),
    "rank/training.py": ("def fine_tune(", {"01", "02", "03", "04", "05"}),
    "course/report.py": ("def write(", set()),
}


def test_a_second_run_executes_what_an_edited_function_is_used_by_and_nothing_after_an_edited_comment(
    source, executed, tmp_path
):
    def run():
        executed.clear()
        runner.run(**RUN, out=str(tmp_path / "run"), echo=lambda line: None)
        return {name[:2] for name, _ in executed}

    assert run() == {path.stem[:2] for path in runner.notebooks()}
    path = source / "utils" / "settings.py"
    replace_once(path, "# products a ranker gets for one query", "# how many products a ranker gets for a query")
    replace_once(
        path, '"""The command line that makes this run."""', '"""The command line of this run, to be typed."""'
    )
    assert run() == set()
    for file, (start, users) in EDITS.items():
        replace_once(source / "utils" / file, start, f"@cache\n{start}")
        assert run() == users, file


def test_the_fingerprint_changes_with_parameters_and_upstream():
    nb = notebook("a = 1")
    values = [({"SEED": 0}, {}), ({"SEED": 1}, {}), ({"SEED": 0}, {"teacher": "x"}), ({"SEED": 0}, {"teacher": "y"})]
    assert len({fingerprint.fingerprint(nb, parameters=p, upstream=u) for p, u in values}) == 4


@pytest.mark.parametrize(("code", "same"), [("pricing.price('m7g.large')", False), ("pricing.UTILISATION", True)])
def test_prices_count_for_a_notebook_that_reads_them(tmp_path, monkeypatch, code, same):
    monkeypatch.setattr(settings, "DATA", tmp_path)
    nb, found = notebook(f"from utils.measure import pricing\n{code}"), []
    for dollars in ("0.1", "0.2"):
        (tmp_path / "prices.csv").write_text(f"m7g.large,{dollars}\n")
        found.append(fingerprint.fingerprint(nb, parameters={}, upstream={}))
    assert (found[0] == found[1]) is same


@pytest.mark.parametrize(
    ("code", "counting"),
    [
        ("show_recorded.kept(1)", {"recorded synthetic-laptop-0.json"}),
        ("show_recorded.plateau(1)", {"recorded sweep/synthetic-laptop-0-400-both.json"}),
    ],
)
def test_recorded_results_count_for_a_notebook_that_shows_them(results, code, counting):
    for file in ("synthetic-laptop-0.json", "own-laptop-0.json", "sweep/synthetic-laptop-0-400-both.json"):
        (results / file).parent.mkdir(parents=True, exist_ok=True)
        (results / file).write_text(file)
    shows = notebook(f"from utils.course.records import show_recorded\n{code}")
    assert fingerprint.recorded_hashes(shows, dataset="synthetic").keys() == counting
    assert not fingerprint.recorded_hashes(notebook("a = 1"), dataset="synthetic")


def test_edited_prose_and_comments_leave_every_notebook_of_the_course_fresh():
    for path in runner.notebooks():
        nb = nbformat.read(path, as_version=4)
        before = fingerprint.fingerprint(nb, parameters={}, upstream={})
        for cell in nb.cells:
            cell.source += " More words." if cell.cell_type == "markdown" else "\n# More words."
        assert fingerprint.fingerprint(nb, parameters={}, upstream={}) == before
