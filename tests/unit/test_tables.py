"""What notebooks show of the data, and the bill: texts are escaped, figures follow from what was measured."""

import numpy as np
import pytest
from datasets import Dataset
from transformers import BertConfig

from utils.course import ledger_fields, price_table, run, tables
from utils.measure import cost, pricing
from utils.measure.timing import Rate
from utils.rank import metrics
from utils.rank.evaluation import EndToEnd

PAIRS = Dataset.from_list(
    [
        {"query_id": q, "query": "<b>sofa", "product_id": f"p{i}", "product": text, "kind": "head", "gain": gain}
        for q in ("q0", "q1")
        for i, (text, gain) in enumerate([("<script>alert(1)</script>", 0), ("good " * 40, 100)])
    ]
)


def test_page_shows_best_first_escapes_texts_and_cuts_long_ones():
    page = tables.search_page(PAIRS, "q0").data
    assert page.index("good good") < page.index("&lt;script&gt;") and "<script>" not in page
    assert "&lt;b&gt;sofa" in page and "good " * 25 not in page and "…" in page
    by_score = tables.search_page(PAIRS, "q0", scores=np.array([2.0, 1.0, 0.0, 0.0]), limit=1, note="<i>").data
    assert "gain 0" in by_score and "gain 100" not in by_score and "&lt;i&gt;" in by_score


def test_page_of_a_query_without_products_is_refused():
    with pytest.raises(ValueError, match="'q7' has no judged products"):
        tables.search_page(PAIRS, "q7")


def test_parts_show_a_dash_where_nothing_can_be_ranked():
    masks = {"both": np.array([True] * 4), "one": np.array([True, True, False, False]), "none": np.array([False] * 4)}
    table = tables.parts(PAIRS, {"right": np.array([0.0, 1, 0, 1])}, masks=masks, top_gain=100)
    assert list(table["right"]) == ["1.000", "1.000", "–"] and list(table["queries"]) == ["2", "1", "0"]


def test_qualities_show_the_difference_with_its_interval():
    good = metrics.evaluate(PAIRS, np.array([0.0, 1, 0, 1]), top_gain=100)
    table = tables.qualities({"a": good, "b": good}, against={"b": metrics.Interval(-0.1, -0.2, 0.05)})
    assert list(table["difference [95% interval]"]) == ["–", "-0.100 [-0.200, +0.050]"]


def test_differences_are_of_every_ranker_but_the_one_that_they_are_taken_to():
    found = {"a": quality_of(["k"] * 2, ndcg10=[0.5, 0.6]), "b": quality_of(["k"] * 2, ndcg10=[0.8, 0.9])}
    apart = tables.differences(found, to="b", n_resamples=20)
    assert list(apart) == ["a"] and apart["a"].mean == pytest.approx(-0.3)


def test_a_page_and_a_table_keep_formulas_away_from_prices_and_no_rows_are_an_empty_table():
    run.quiet()
    priced = tables.from_rows([{"kind": "<b>$5_ $6", "a query": "x"}]).to_html(notebook=True)
    assert "&lt;b&gt;$5_ $6" in priced and "mathjax_ignore" in priced
    assert "mathjax_ignore" in tables.search_page(PAIRS, "q0").data
    assert tables.from_rows([]).empty


def quality_of(kinds, *, ndcg10):
    names = [f"q{i}" for i in range(len(kinds))]
    values = dict(zip(names, ndcg10, strict=True))
    return metrics.Quality(values, values, dict(zip(names, kinds, strict=True)))


def test_gains_come_largest_first_with_both_means_and_parts_without_a_judged_query_are_left_out():
    teacher = quality_of(["a"] * 4, ndcg10=[0.5, 0.7, 0.9, 0.9])
    bm25 = quality_of(["a"] * 4, ndcg10=[0.4, 0.6, 0.2, 0.4])
    parts = {"little": {"q0", "q1"}, "much": ["q2", "q3", "never judged"], "none": ["never judged"]}
    found = tables.gains(teacher, over=bm25, parts=parts, n_resamples=50)
    assert list(found) == ["much", "little"]
    much = found["much"]
    assert (much.n_queries, much.before, much.after) == (2, pytest.approx(0.3), pytest.approx(0.9))
    assert much.interval.mean == pytest.approx(0.6) and much.interval.low == pytest.approx(0.5)
    table = tables.gain_table(found.values(), before="BM25", after="teacher")
    assert list(table["BM25"]) == ["0.300", "0.500"] and list(table["how many"]) == ["2", "2"]
    assert table["difference [95% interval]"]["little"] == "+0.100 [+0.100, +0.100]"


def test_kinds_of_queries_are_those_with_enough_of_them_and_one_without_a_name_says_so():
    kinds = ["head"] * 3 + ["tail"] * 3 + ["rare"] + [""] * 3
    parts = tables.by_kind_of_query(quality_of(kinds, ndcg10=[0.5] * 10), at_least=3)
    assert parts == {"head": ["q0", "q1", "q2"], "tail": ["q3", "q4", "q5"], "not given": ["q7", "q8", "q9"]}


@pytest.mark.parametrize("kinds", [["head"] * 4, [""] * 4, ["head"] * 3 + [""], ["a", "b", "c", "d"]])
def test_all_queries_are_one_part_where_no_two_kinds_have_enough_queries(kinds):
    parts = tables.by_kind_of_query(quality_of(kinds, ndcg10=[0.5] * 4), at_least=3)
    assert parts == {tables.ALL_QUERIES: ["q0", "q1", "q2", "q3"]}


def test_a_long_kind_is_cut_to_one_line_and_kinds_that_look_alike_then_are_one_part():
    kinds = ["with\nlines " * 30] * 2 + ["with\nlines " * 31] + ["b"] * 2
    parts = tables.by_kind_of_query(quality_of(kinds, ndcg10=[1] * 5), at_least=2)
    (long,) = (kind for kind in parts if kind != "b")
    assert "\n" not in long and len(long) == 40 and parts[long] == ["q0", "q1", "q2"]


def test_an_example_is_the_good_pair_with_the_highest_score_or_any_pair_where_no_good_one_has_a_score():
    assert tables.example_row(PAIRS, scores=np.array([9.0, 1, 0, 2])) == 3
    assert tables.example_row(PAIRS, scores=np.array([1.0, 0, 4, 0])) == 2


def test_end_to_end_is_said_with_its_difference_or_with_the_reason_why_there_is_none():
    better, worse = quality_of(["a"] * 2, ndcg10=[0.5, 0.7]), quality_of(["a"] * 2, ndcg10=[0.25, 0.45])
    judged = EndToEnd({"BM25": worse, "ranker": better, "labels": better}, 0.5, {})
    said = tables.say_end_to_end(judged, n_candidates=100, n_resamples=20)
    assert said.startswith("2 queries, 100 candidates each; BM25's 100 candidates hold 50%") and "+0.250 [" in said
    assert list(tables.end_to_end(judged).index) == ["BM25", "teacher", "order of the labels"]
    no_best = EndToEnd(judged.quality, None, {"recall": "no best label"})
    assert tables.say_recall(no_best, n_candidates=100).endswith("cannot be said: no best label")
    nothing = EndToEnd({}, None, {"ndcg10_end_to_end": "no good product", "recall": "no good product"})
    assert tables.say_end_to_end(nothing, n_candidates=100, n_resamples=20) == "no good product"
    assert tables.end_to_end(nothing).empty


def test_bill_follows_the_formula_and_rounds_instances_up():
    price = pricing.price("m7g.large")
    traffic = {"slow_ms": {"x": 150.0}, "cores": 1, "instance": "m7g.large"}
    table = price_table.tabulate({"x": (100.0, 32)}, queries_per_day=30_000, **traffic)
    per_million = price.usd_per_hour / (3600 * price.vcpus * 0.6) * 1e6
    assert table.loc["x", "$ a million queries"] == f"{per_million:,.2f}"
    assert table.loc["x", "queries/s of an instance"] == "2.00" and table.loc["x", "p95 within 200 ms"] == "yes, 150 ms"
    assert table.loc["x", "instances at 30,000 queries a day"] == "1"  # three times the mean is 1.04 a second, of 1.2
    twice = price_table.tabulate({"x": (100.0, 32)}, queries_per_day=60_000, **traffic)
    assert twice.loc["x", "instances at 60,000 queries a day"] == "2"
    assert twice.loc["x", "$ a month for them"] == f"{2 * 730 * price.usd_per_hour:,.0f}"
    slow = price_table.tabulate({"x": (100.0, 32)}, queries_per_day=1, **traffic | {"slow_ms": {"x": 1_234.0}})
    assert slow.loc["x", "p95 within 200 ms"] == "no, 1,234 ms"


def test_the_bill_and_the_ledger_price_one_rate_alike():
    machine, rate = {"architecture": "x86_64", "cores": 2}, Rate((123.0,), 32)
    money = ledger_fields.money_of(rate, machine=machine)
    of_rate = {"x": (rate.median, rate.batch_size)}
    at = {"slow_ms": {"x": 1.0}, "queries_per_day": 1e6, "cores": machine["cores"], "instance": money.instance}
    line = price_table.tabulate(of_rate, **at).loc["x"]
    assert line["$ a million queries"] == f"{money.usd_per_million_queries:,.2f}"


def test_widget_offers_no_instance_whose_accelerator_was_not_measured():
    traffic = {"slow_ms": {"x": 150.0}, "queries_per_day": 1e6, "cores": 1}
    offered = price_table.show_widget({"x": (100.0, 32)}, **traffic).children[1].options
    assert "m7g.large" in offered and "g5.xlarge" not in offered


def test_roofline_point_counts_the_flops_of_the_measured_rate():
    config = BertConfig(num_labels=1)
    macs = sum(cost.macs_by_hand(config, n_tokens=32).values())
    flops = 2 * macs
    intensity, gflops = price_table.roofline_point(config, macs=macs, n_tokens=32, rate=10.0, batch_size=8)
    assert gflops == pytest.approx(flops * 10 / 1e9)
    assert intensity == pytest.approx(8 * flops / cost.bytes_moved(config, n_tokens=32, batch_size=8))
