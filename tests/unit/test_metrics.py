"""Metrics against a plain reference, intervals, fusion."""

import math
from itertools import pairwise, permutations

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from utils.rank import metrics


def pairs_of(gains: list[list[int]]) -> Dataset:
    rows = [
        {"query_id": f"q{q}", "product_id": f"p{p:02d}", "gain": gain, "kind": "head" if q % 2 else "tail"}
        for q, products in enumerate(gains)
        for p, gain in enumerate(products)
    ]
    return Dataset.from_list(rows)


def plain_ndcg10(gains: list[int], scores: list[float]) -> float:
    def dcg(ordered):
        return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(ordered[:10]))

    by_score = [gain for _, gain in sorted(zip(scores, gains, strict=True), reverse=True)]
    return dcg(by_score) / dcg(sorted(gains, reverse=True))


lists = st.lists(st.sampled_from([0, 1, 10, 100]), min_size=2, max_size=25).filter(lambda g: len(set(g)) > 1)


@settings(max_examples=25, deadline=None)
@given(gains=lists, seed=st.integers(0, 99))
def test_ndcg_equals_the_plain_formula(gains, seed):
    scores = np.random.default_rng(seed).permutation(len(gains)).astype(float)
    found = metrics.evaluate(pairs_of([gains]), scores, top_gain=100).ndcg10
    assert found == pytest.approx(plain_ndcg10(gains, list(scores)), abs=1e-4)


@settings(max_examples=10, deadline=None)
@given(gains=lists, seed=st.integers(0, 99))
def test_ndcg_of_one_query_is_that_of_a_split_with_this_query_alone(gains, seed):
    scores = np.random.default_rng(seed).permutation(len(gains)).astype(float)
    whole = metrics.evaluate(pairs_of([gains]), scores, top_gain=100).ndcg10
    assert metrics.ndcg10(gains, scores=scores) == pytest.approx(whole)


tied_lists = st.lists(
    st.tuples(st.sampled_from([0, 1, 10, 100]), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=6
).filter(lambda products: len({gain for gain, _ in products}) > 1)


def plain_mrr10(gains: list[int]) -> float:
    return next((1 / place for place, gain in enumerate(gains[:10], start=1) if gain == 100), 0.0)


def mean_over_orders_of_ties(figure, products: list[tuple[int, float]], *, before: int = 0) -> float:
    """The mean of a figure of the gains over all orders that the scores allow, behind some worthless products."""
    orders = [order for order in permutations(products) if all(a[1] >= b[1] for a, b in pairwise(order))]
    return float(np.mean([figure([0] * before + [gain for gain, _ in order]) for order in orders]))


@settings(max_examples=40, deadline=None)
@given(products=tied_lists, before=st.integers(0, 9))
def test_tied_products_are_worth_the_mean_over_all_their_orders(products, before):
    gains = [0] * before + [gain for gain, _ in products]
    scores = np.array([2.0] * before + [score for _, score in products])
    quality = metrics.evaluate(pairs_of([gains]), scores, top_gain=100)
    in_order = list(range(len(gains), 0, -1))
    ndcg = mean_over_orders_of_ties(lambda ordered: plain_ndcg10(ordered, in_order), products, before=before)
    assert quality.ndcg10 == pytest.approx(ndcg)
    assert quality.mrr10 == pytest.approx(mean_over_orders_of_ties(plain_mrr10, products, before=before))


@settings(max_examples=25, deadline=None)
@given(gains=lists, scores=st.lists(st.sampled_from([-1.0, 0.0, 0.25]), min_size=25, max_size=25))
def test_ndcg_with_ties_is_that_of_scikit_learn(gains, scores):
    scores = np.array(scores[: len(gains)])
    assert metrics.ndcg10(gains, scores=scores) == pytest.approx(ndcg_score([gains], [scores], k=10))


@settings(max_examples=25, deadline=None)
@given(gains=lists, scores=st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=25, max_size=25), data=st.data())
def test_neither_the_order_of_the_file_nor_the_ids_move_a_figure(gains, scores, data):
    scores = np.array(scores[: len(gains)])
    order = data.draw(st.permutations(range(len(gains))))
    one = metrics.evaluate(pairs_of([gains]), scores, top_gain=100)
    other = metrics.evaluate(pairs_of([[gains[i] for i in order]]), scores[order], top_gain=100)
    assert other.ndcg10 == pytest.approx(one.ndcg10) and other.mrr10 == pytest.approx(one.mrr10)


def test_a_constant_ranker_is_worth_the_random_order_and_no_more_than_a_ranker_without_a_common_word():
    rng = np.random.default_rng(0)
    pairs = pairs_of([list(rng.choice([0, 1, 10, 100], size=6)) for _ in range(44)])
    constant = metrics.evaluate(pairs, np.zeros(len(pairs)), top_gain=100)
    chance = [metrics.evaluate(pairs, rng.random(len(pairs)), top_gain=100) for _ in range(60)]
    assert constant.ndcg10 == pytest.approx(np.mean([quality.ndcg10 for quality in chance]), abs=0.01)
    assert constant.mrr10 == pytest.approx(np.mean([quality.mrr10 for quality in chance]), abs=0.01)


@settings(max_examples=25, deadline=None)
@given(n_tied=st.integers(1, 30), n_relevant=st.integers(0, 30), before=st.integers(0, 12))
def test_the_first_relevant_place_of_a_long_tie_follows_the_counts_of_its_draws(n_tied, n_relevant, before):
    n_relevant = min(n_relevant, n_tied)
    relevant = np.array([False] * before + [True] * n_relevant + [False] * (n_tied - n_relevant))
    scores = np.array([1.0] * before + [0.0] * n_tied)
    first_at = [
        math.comb(n_tied - place, n_relevant - 1) / math.comb(n_tied, n_relevant) if n_relevant else 0.0
        for place in range(1, n_tied + 1)
    ]
    expected = sum(p / (before + i) for i, p in enumerate(first_at, start=1) if before + i <= 10)
    assert metrics.mrr10(relevant, scores=scores) == pytest.approx(expected)


def test_queries_with_one_label_only_are_left_out():
    quality = metrics.evaluate(pairs_of([[1, 1], [0, 1]]), np.array([0.1, 0.2, 0.3, 0.4]), top_gain=1)
    assert (quality.n_queries, quality.ndcg10, quality.mrr10) == (1, 1.0, 1.0)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not a finite number"):
        metrics.evaluate(pairs_of([[0, 1]]), np.array([np.nan, 1]), top_gain=1)


def test_interval_holds_the_mean_and_excludes_zero_for_a_clear_winner():
    pairs = pairs_of([[0, 0, 1]] * 30)
    good = metrics.evaluate(pairs, np.tile([0.0, 1.0, 2.0], 30), top_gain=1)
    bad = metrics.evaluate(pairs, np.tile([2.0, 1.0, 0.0], 30), top_gain=1)
    interval = metrics.paired_bootstrap(good, bad, n_resamples=200)
    assert interval.mean == pytest.approx(0.5) and 0 < interval.low <= interval.mean <= interval.high


def test_interval_of_a_ranking_against_itself_is_zero():
    quality = metrics.evaluate(pairs_of([[0, 1], [1, 0]]), np.array([1.0, 0, 1, 0]), top_gain=1)
    assert metrics.paired_bootstrap(quality, quality, n_resamples=50) == metrics.Interval(0.0, 0.0, 0.0)


def test_slices_add_up_to_the_whole():
    quality = metrics.evaluate(pairs_of([[0, 1], [1, 0], [0, 1]]), np.array([1.0, 0, 1, 0, 0, 1]), top_gain=1)
    slices = metrics.by_kind(quality)
    assert sum(mean * n for mean, n in slices.values()) / 3 == pytest.approx(quality.ndcg10)
    assert {kind: n for kind, (_, n) in slices.items()} == {"head": 1, "tail": 2}


def test_fusion_follows_two_rankings_that_agree_and_balances_two_that_do_not():
    pairs = pairs_of([[0, 1, 0]])
    one = np.array([0.1, 0.9, 0.5])
    assert metrics.reciprocal_rank_fusion(pairs, one, 10 * one).argmax() == 1
    fused = metrics.reciprocal_rank_fusion(pairs, one, -one)
    assert fused[1] == pytest.approx(fused[0])


def test_fusion_gives_products_with_the_same_score_the_same_rank_wherever_they_stand():
    pairs = pairs_of([[1, 0, 0]])
    fused = metrics.reciprocal_rank_fusion(pairs, np.array([0.0, 0.0, 1.0]))
    assert fused[0] == fused[1] == pytest.approx(1 / 62.5) and fused[2] == pytest.approx(1 / 61)


def test_end_to_end_counts_unjudged_products_as_nothing_and_misses_in_recall():
    found, judged = {"q0": ["x", "p00"]}, {"q0": {"p00": 1, "p01": 0, "p02": 1}}
    quality = metrics.evaluate_candidates(found, {"q0": [2.0, 1.0]}, judged=judged, top_gain=1)
    assert metrics.recall(found, judged=judged, top_gain=1) == 0.5
    assert quality.ndcg10 == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)), abs=1e-4)


def test_end_to_end_judges_no_candidate_one_candidate_and_ties_among_them():
    found = {"q0": [], "q1": ["p00"], "q2": ["x", "p00"]}
    judged = dict.fromkeys(found, {"p00": 1, "p01": 0})
    quality = metrics.evaluate_candidates(found, {"q0": [], "q1": [3.0], "q2": [1.0, 1.0]}, judged=judged, top_gain=1)
    expected = {"q0": 0.0, "q1": 1.0, "q2": (1 + 1 / math.log2(3)) / 2}
    assert quality.ndcg10_by_query == pytest.approx(expected)
    assert quality.mrr10_by_query == pytest.approx({"q0": 0.0, "q1": 1.0, "q2": 0.75})


def test_recall_does_not_exist_where_no_product_has_the_best_label():
    assert metrics.recall({"q0": ["p00"]}, judged={"q0": {"p00": 1, "p01": 0}}, top_gain=2) is None


def quality_of(values):
    return metrics.Quality({f"q{i}": value for i, value in enumerate(values)}, {}, {})


def test_pooled_share_divides_the_means_and_counts_a_query_once_however_many_seeds_rank_it():
    a, b = np.linspace(0.2, 0.8, 40), np.linspace(0.4, 0.9, 40)[::-1]
    one = metrics.pooled_share([(quality_of(a), quality_of(b))], n_resamples=500)
    twice = metrics.pooled_share([(quality_of(a), quality_of(b))] * 2, n_resamples=500)
    assert one.mean == pytest.approx(a.mean() / b.mean()) and one.low < one.mean < one.high
    assert (twice.low, twice.high) == pytest.approx((one.low, one.high))  # the same seed again is no new evidence
    same = metrics.pooled_share([(quality_of(b), quality_of(b))], n_resamples=50)
    assert (same.low, same.mean, same.high) == (1, 1, 1)


def test_pooled_share_refuses_other_queries_and_nothing():
    with pytest.raises(ValueError, match="different queries"):
        metrics.pooled_share([(quality_of([1, 0]), quality_of([1]))], n_resamples=5)
    with pytest.raises(ValueError, match="nothing to pool"):
        metrics.pooled_share([], n_resamples=5)
