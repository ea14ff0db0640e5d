"""How far two rankers agree is counted within a query, by ranks alone."""

import warnings

import numpy as np
import pytest
from datasets import Dataset

from utils.shrink.distil import agreement

QUERIES = ["sofa"] * 4 + ["lamp"] * 4
TEACHER = [3.0, 2.0, 1.0, 0.0, 13.0, 12.0, 11.0, 10.0]


class Knows:
    """A ranker that gives the scores that it was made with."""

    def __init__(self, scores):
        self.scores = np.array(scores, dtype=np.float32)

    def score(self, pairs):
        assert pairs[0] == ("sofa", "product 0")
        return self.scores[: len(pairs)]


def agree(student, *, teacher=TEACHER):
    columns = {"query": QUERIES, "product": [f"product {i % 4}" for i in range(8)], "score": teacher}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a notebook would show them
        return agreement.rank_agreement(Knows(student), Dataset.from_dict(columns))


@pytest.mark.parametrize(
    ("student", "expected"),
    [
        (TEACHER, 1.0),
        ([9, 8, 7, 6, 0.4, 0.3, 0.2, 0.1], 1.0),  # the level of a query, and how far scores are apart, do not count
        ([0, 1, 2, 3, 10, 11, 12, 13], -1.0),
        ([3, 2, 1, 0, 10, 11, 12, 13], 0.0),  # the mean of 1 and -1
        ([2, 3, 1, 0, 13, 12, 11, 10], 0.9),  # 1 - 6 · 2 / (4 · 15) = 0.8 for the first query
    ],
    ids=["the same", "the same order", "turned round", "one of two turned round", "two neighbours changed places"],
)
def test_agreement_is_the_mean_rank_correlation_within_queries(student, expected):
    assert agree(student) == pytest.approx(expected)


def test_a_query_without_an_order_takes_no_part():
    assert agree([1, 1, 1, 1, 13, 12, 11, 10]) == pytest.approx(1.0)
    assert agree(TEACHER, teacher=[5.0] * 4 + TEACHER[4:]) == pytest.approx(1.0)


def test_where_no_query_has_an_order_nothing_agrees():
    assert agree([1.0] * 8) == 0.0
