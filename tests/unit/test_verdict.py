"""The first sentences of a report say what to ship, what it costs and what that rests on, as the rows have it."""

from types import SimpleNamespace

import pytest
from priced import IN_INT8, LEDGER, PRUNED, STUDENT, TEACHER, baseline, ranker

from utils.course import running_picture, verdict
from utils.measure import plots
from utils.rank.metrics import Quality


def kept(*, student, bm25):
    """Qualities on test as a run keeps them, of the ranker that is shipped and of the best baseline."""
    pairs = ((STUDENT, student), (LEDGER[0], bm25))
    return {row.identity.variant.scores_key: Quality.of_values(values) for row, values in pairs}


def test_the_end_of_the_chain_is_shipped_in_its_cheapest_engine_whatever_test_says_of_others():
    elsewhere = ranker("student elsewhere", usd=0.9, ndcg10=0.99, stage="student")
    sparse = ranker("sparse", usd=0.1, ndcg10=0.99, stage="sparse")
    assert verdict.chosen([*LEDGER, elsewhere, sparse]) is STUDENT


def test_three_sentences_say_what_to_ship_what_it_costs_and_what_that_rests_on():
    on_test = kept(student=[0.9, 0.8, 0.9, 0.9], bm25=[0.5, 0.4, 0.5, 0.5])
    ship, cost, rests = verdict.sentences(LEDGER, on_test=on_test)
    assert ship == (
        "Ship 'student': it keeps 101.2% of the teacher's NDCG@10 (+0.000 [-0.010, +0.010] on test) and ranks +0.400 "
        "[+0.400, +0.400] above the best baseline, BM25."
    )
    assert cost == (
        "A million queries cost $0.60 with 'student', $4.50 with the teacher in int8, and $15.00 with the teacher in "
        "PyTorch, on c7i.large."
    )
    assert "1,500 test queries and one training (seed 0)" in rests
    assert "+0.160 [+0.150, +0.170] NDCG@10 ahead of the baseline that is best there, BM25" in rests


def test_where_the_end_of_the_chain_keeps_too_little_it_is_not_advised():
    ship, *_ = verdict.sentences([baseline(), TEACHER, IN_INT8, PRUNED], on_test={})
    assert ship.startswith("Do not ship 'pruned' yet: it keeps 95.2% of") and ship.endswith("and 99% is wanted.")


def test_where_what_would_be_shipped_is_not_surely_better_the_baseline_is_shipped():
    on_test = kept(student=[0.9, 0.4, 0.9, 0.5], bm25=[0.5, 0.8, 0.5, 0.8])
    ship, cost, _ = verdict.sentences(LEDGER, on_test=on_test)
    assert "$0.60 with 'student'" in cost  # and not with the baseline
    assert ship.startswith("Ship the baseline BM25: 'student' is not surely better than it (+0.025 [-0.3")


def test_a_student_may_be_surely_better_than_a_baseline_that_its_teacher_does_not_beat():
    on_test = kept(student=[0.9, 0.8, 0.9, 0.9], bm25=[0.5, 0.4, 0.5, 0.5])
    ship, *_ = verdict.sentences([baseline(low=-0.01, high=0.002), *LEDGER[1:]], on_test=on_test)
    assert ship.startswith("Ship 'student'")


@pytest.mark.parametrize("rows", [[], [baseline()], [baseline(), TEACHER, IN_INT8]])
def test_before_anything_is_priced_nothing_is_advised_and_no_picture_drawn(rows):
    assert "has been made and priced yet" in verdict.sentences(rows, on_test={})[0]
    assert running_picture.of_ledger(rows) is None


@pytest.mark.parametrize("change", [{"threads": 2}, {"split": "valid"}])
def test_rows_timed_otherwise_or_judged_elsewhere_are_not_compared(change):
    other = ranker("other", usd=0.1, ndcg10=0.9, stage="student", **change)
    assert verdict.chosen([*LEDGER, other]) is STUDENT


def test_the_picture_has_the_references_and_what_is_shipped_in_colour_and_the_rest_in_grey():
    (axes,) = running_picture.of_ledger(LEDGER).axes
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert {name for name, colour in colours.items() if colour == plots.GREY} == {"pruned"}
    assert colours.keys() == {"teacher, PyTorch", "teacher in int8, untrained", "student", "pruned"}
    assert axes.get_title(loc="left").replace("\\", "") == "student: 101.2% of NDCG@10 for $0.60 in place of $15.00"


def drawn(figure):
    (axes,) = figure.axes
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    return {name for name, colour in colours.items() if colour == plots.GREY}, set(colours), axes.get_title(loc="left")


def test_the_running_picture_has_new_points_in_colour_and_earlier_ones_in_grey():
    run = SimpleNamespace(rows=lambda: [*LEDGER, ranker("student", usd=9.0, ndcg10=0.5)])
    grey, every, title = drawn(running_picture.draw(run, [TEACHER, IN_INT8, STUDENT]))
    assert grey == {"pruned"} and every == {"teacher, PyTorch", "teacher in int8, untrained", "student", "pruned"}
    assert title.replace("\\", "") == "student: 101.2% of NDCG@10 for $0.60 in place of $15.00"


def test_the_running_picture_of_references_alone_is_of_the_cheaper_one():
    run = SimpleNamespace(rows=lambda: [])
    assert "teacher in int8, untrained: 99.8%" in drawn(running_picture.draw(run, [TEACHER, IN_INT8]))[2]


def test_a_running_picture_of_rows_without_money_says_what_to_give():
    with pytest.raises(ValueError, match="give those of measure_stage.measure"):
        running_picture.draw(SimpleNamespace(rows=lambda: []), [baseline()])
