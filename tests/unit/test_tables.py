"""What notebooks show of the data, and the bill: texts are escaped, figures follow from what was measured."""

import numpy as np
import pytest
from datasets import Dataset
from transformers import BertConfig

from utils.course import ledger_fields, price_table, run, tables
from utils.course.price_table import Traffic
from utils.measure import cost, pricing
from utils.measure.timing import Rate, Timing
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


def billed(pairs_per_s, *, slow_ms=150.0, queries_per_day=1e6, cores=2, instance="m7g.large", **asked):
    """The only line of the bill of one ranker; `asked` is further traffic."""
    traffic = Traffic(queries_per_day, **asked)
    rates, timings = {"x": Rate((pairs_per_s,), 32)}, {"x": Timing((slow_ms,))}
    return price_table.tabulate(rates, timings, traffic=traffic, cores=cores, instance=instance).loc["x"]


def test_bill_follows_the_formula_and_rounds_instances_up():
    price = pricing.price("m7g.large")
    line = billed(100.0, queries_per_day=30_000, cores=1)
    per_million = price.usd_per_hour / (3600 * price.vcpus * 0.6) * 1e6
    assert line["$ a million queries"] == f"{per_million:,.2f}"
    assert line["queries/s of an instance"] == "2.00" and line["p95 within 200 ms"] == "yes, 150 ms"
    assert line["instances at 30,000 queries a day"] == "1"  # three times the mean is 1.04 a second, of 1.2
    twice = billed(100.0, queries_per_day=60_000, cores=1)
    assert twice["instances at 60,000 queries a day"] == "2"
    assert twice["$ a month for them"] == f"{2 * 730 * price.usd_per_hour:,.0f}"
    assert billed(100.0, slow_ms=1_234.0)["p95 within 200 ms"] == "no, 1,234 ms"


def test_bill_follows_the_peak_and_the_utilisation_of_the_traffic():
    count = "instances at 1,000,000 queries a day"
    mean, busy = billed(1_000.0, peak_factor=1.0), billed(1_000.0, peak_factor=6.0)
    assert (mean[count], busy[count]) == ("2", "12") and mean["$ a million queries"] == busy["$ a million queries"]
    full, half = (float(billed(1_000.0, utilisation=share)["$ a million queries"]) for share in (1.0, 0.5))
    assert half == pytest.approx(2 * full, abs=0.02)


def test_the_bill_and_the_ledger_price_one_rate_alike():
    money = ledger_fields.money_of(Rate((123.0,), 32), machine={"architecture": "x86_64", "cores": 2})
    line = billed(123.0, instance=money.instance)
    assert line["$ a million queries"] == f"{money.usd_per_million_queries:,.2f}"


def test_widget_shows_the_bill_of_its_sliders():
    rates, timings = {"x": Rate((100.0,), 32)}, {"x": Timing((150.0,))}
    *sliders, shown = price_table.show_widget(
        rates, timings, traffic=Traffic(1e6, peak_factor=2.0), cores=2, instance="m7g.large"
    ).children
    assert [slider.value for slider in sliders] == [1e6, 2.0, pricing.UTILISATION]
    assert len({slider.description for slider in sliders}) == 3 and shown.outputs is not None


def test_a_shorter_limit_costs_less_and_its_loss_stands_beside_it():
    whole, short = quality_of(["a"] * 2, ndcg10=[0.5, 0.7]), quality_of(["a"] * 2, ndcg10=[0.25, 0.45])
    config = BertConfig(num_labels=1)
    table = price_table.tabulate_limits(
        {10: short, 40: whole}, lengths=[8, 40], config=config, whole=40, n_resamples=20
    )
    assert list(table["tokens a pair"]) == ["9.0", "24.0"] and list(table["NDCG@10 on valid"]) == ["0.350", "0.600"]
    assert list(table["difference [95% interval]"]) == ["-0.250 [-0.250, -0.250]", "–"]
    of_limit = [[sum(cost.macs_by_hand(config, n_tokens=n).values()) for n in pair] for pair in ((8, 10), (8, 40))]
    ratio = sum(of_limit[0]) / sum(of_limit[1])  # of the mean work of both pairs, not the work of a mean pair
    assert list(table["of the work"]) == [f"{ratio:.0%}", "100%"]


def test_roofline_points_count_the_flops_of_the_measured_rate_and_of_the_tokens_that_were_computed():
    config = BertConfig(num_labels=1)
    macs = sum(cost.macs_by_hand(config, n_tokens=32).values())
    of = {"shapes": {"x": config}, "macs": {"x": macs}, "n_tokens": 32}
    intensity, gflops = price_table.roofline_points({"x": Rate((10.0,), 8)}, n_computed=32.0, **of)["x"]
    assert gflops == pytest.approx(2 * macs * 10 / 1e9)
    assert intensity == pytest.approx(8 * 2 * macs / cost.bytes_moved(config, n_tokens=32, batch_size=8))
    _, of_half = price_table.roofline_points({"x": Rate((10.0,), 8)}, n_computed=16.0, **of)["x"]
    assert of_half == pytest.approx(gflops / 2)
