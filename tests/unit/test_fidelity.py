"""The gate that exports pass, and what it refuses."""

import dataclasses

import numpy as np
import pytest
from datasets import Dataset

from utils.edge.exports import fidelity
from utils.rank.metrics import Interval

N_QUERIES, N_PRODUCTS = 12, 8
GAINS = [i % 4 for i in range(N_PRODUCTS)]


@pytest.fixture
def judged():
    rows = [
        (f"q{q}", f"query {q}", f"p{p}", f"product {p}", GAINS[p], "any")
        for q in range(N_QUERIES)
        for p in range(N_PRODUCTS)
    ]
    names = ("query_id", "query", "product_id", "text", "gain", "kind")
    return Dataset.from_dict({name: [row[i] for row in rows] for i, name in enumerate(names)})


@pytest.fixture
def exact():
    """Scores that order every query's products as their gains do."""
    return np.array([gain + 0.01 * i for i, gain in enumerate(GAINS * N_QUERIES)], dtype=np.float32)


def kept(scores, exact, judged):
    return fidelity.compare(scores, exact, pairs=judged, top_gain=3, n_resamples=200)


def test_the_same_scores_lose_nothing_and_pass_in_fp32(judged, exact):
    same = kept(exact.copy(), exact, judged)

    assert (same.largest_difference, same.rank_correlation, same.change.mean) == (0.0, pytest.approx(1), 0.0)
    fidelity.require(same, precision="fp32", name="same")


def test_scaled_scores_are_refused_in_fp32_and_pass_in_int8(judged, exact):
    scaled = kept(exact * 1.01, exact, judged)

    fidelity.require(scaled, precision="int8", name="scaled")
    with pytest.raises(ValueError, match=r"scaled in fp32 leaves its tolerance: a score differs by 0\.0"):
        fidelity.require(scaled, precision="fp32", name="scaled")


def test_scores_in_a_shifted_order_are_refused_with_every_figure(judged, exact):
    shifted = kept(np.roll(exact, 1), exact, judged)

    with pytest.raises(ValueError, match=r"rank correlation is .* NDCG@10 changes by -0\."):
        fidelity.require(shifted, precision="int8", name="shifted")


def test_a_score_that_is_no_number_is_refused(judged, exact):
    exact_with_nan = exact.copy()
    exact_with_nan[3] = np.nan

    with pytest.raises(ValueError, match="not a finite number"):
        kept(exact_with_nan, exact, judged)


def test_scores_that_are_all_alike_have_no_rank_correlation(judged, exact):
    assert kept(np.ones_like(exact), exact, judged).rank_correlation == 0.0


def test_a_loss_within_chance_passes_and_one_beyond_it_does_not():
    fine = fidelity.Fidelity(0.1, 0.999, 0.8, Interval(-0.01, -0.03, 0.01))
    fidelity.require(fine, precision="int8", name="few queries")

    lost = dataclasses.replace(fine, change=Interval(-0.01, -0.02, -0.001))
    with pytest.raises(ValueError, match=r"NDCG@10 changes by -0\.0100"):
        fidelity.require(lost, precision="int8", name="lost")
