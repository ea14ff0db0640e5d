"""Metrics against a plain reference, intervals, fusion."""

import math

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

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
    pairs = pairs_of([[1, 0, 1]])
    found = {"q0": ["x", "p00"]}
    quality = metrics.evaluate_candidates(found, {"q0": [2.0, 1.0]}, pairs=pairs, top_gain=1)
    assert metrics.recall(found, pairs=pairs, top_gain=1) == 0.5
    assert quality.ndcg10 == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)), abs=1e-4)


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
