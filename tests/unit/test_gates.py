"""The gates of the notebooks: what they let pass, and each thing they refuse, by name."""

import pytest
import yaml
from made import row

from authoring import gates

TEXT = {"budget_s": 60, "rows": {"teacher": {"ndcg10": [0.6, 0.8], "n_params": [1, 2]}}}
GOOD = row(notebook="01_one", stage="teacher", ndcg10=0.7, n_params=1)


def gate(**changes):
    return gates.Gate.model_validate(TEXT | changes)


def test_a_notebook_within_its_bounds_passes_and_rows_of_others_do_not_count():
    other = row(notebook="02_two", stage="teacher", ndcg10=0.1)
    assert gates.problems("01_one", gate(), seconds=60, rows=[GOOD, other]) == []


@pytest.mark.parametrize(
    ("seconds", "changes", "problem"),
    [
        (61, {}, "01_one: took 61 s, its budget is 60 s"),
        (1, {"ndcg10": 0.59}, "01_one: teacher: ndcg10 is 0.59, not within [0.6, 0.8]"),
        (1, {"ndcg10": 0.81}, "01_one: teacher: ndcg10 is 0.81, not within [0.6, 0.8]"),
        (1, {"ndcg10": None, "why_null": {"ndcg10": "lost"}}, "01_one: teacher: ndcg10 is null in every row"),
        (1, {"stage": "student"}, "01_one: wrote no row of stage 'teacher'"),
        (1, {"notebook": "02_two"}, "01_one: wrote no row of stage 'teacher'"),
    ],
)
def test_each_breach_is_named(seconds, changes, problem):
    bad = row(**{"notebook": "01_one", "stage": "teacher", "ndcg10": 0.7, "n_params": 1} | changes)
    assert gates.problems("01_one", gate(), seconds=seconds, rows=[bad]) == [problem]


def test_one_bad_row_among_good_ones_is_enough():
    bad = GOOD.changed(quality={"ndcg10": 0.1})
    assert len(gates.problems("01_one", gate(), seconds=1, rows=[GOOD, bad])) == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rows": {}}, "bound one of its fields"),
        ({"rows": {"teacher": {}}}, "teacher: bound a field"),
        ({"rows": {"teacher": {"ndcg": [0.1, 0.2]}}}, "ndcg is not one of"),
        ({"rows": {"teacher": {"pairs_per_s": [1, 2]}}}, "pairs_per_s is not one of"),
        ({"rows": {"teacher": {"ndcg10": [0.8, 0.6]}}}, "needs two bounds"),
        ({"rows": {"teacher": {"ndcg10": [0, 1]}}}, "the lower one above 0"),
        ({"rows": {"teacher": {"ndcg10": [0.5, float("inf")]}}}, "needs two bounds"),
        ({"rows": {"teacher": {"ndcg10": [0.5]}}}, "01_one.rows.teacher.ndcg10"),
        ({"budget_s": 0}, "01_one.budget_s"),
        ({"bugdet_s": 60}, "01_one.bugdet_s"),
    ],
)
def test_a_gate_that_cannot_fail_or_is_misspelt_is_refused(tmp_path, monkeypatch, changes, problem):
    monkeypatch.setattr(gates, "GATES", tmp_path / "notebooks.yaml")
    gates.GATES.write_text(yaml.safe_dump({"01_one": TEXT | changes}))
    with pytest.raises(ValueError, match=problem):
        gates.read()
