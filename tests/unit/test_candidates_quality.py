"""Orders of all candidates are judged by the rule where there is one, by labels elsewhere, query by query."""

from dataclasses import replace

import numpy as np
import pytest
from small_shop import change, load, write

from utils import settings
from utils.data import catalogue
from utils.rank import metrics
from utils.speed import candidates_quality


@pytest.fixture(scope="module")
def shop():
    return catalogue.load("synthetic", profile=replace(settings.profile("ci"), n_valid_queries=8))


@pytest.fixture(scope="module")
def lists(shop):
    return candidates_quality.lists(shop, split="valid", n_queries=5, n_candidates=30)


class ByLength:
    def score(self, pairs):
        return np.array([-len(product) for _, product in pairs], dtype=np.float32)


def test_candidates_are_bm25s_best_first_and_graded_by_the_rule(shop, lists):
    assert lists.n_queries == 5 and lists.is_complete and lists.split == "valid"
    assert max(len(of_query) for of_query in lists.products.values()) == 30
    assert len(lists.pairs) == len(lists.query_ids) == len(lists.bm25_scores) == sum(map(len, lists.by_query))
    for query_id, of_query in lists.products.items():
        scores = lists.bm25_scores[[q == query_id for q in lists.query_ids]]
        assert (np.diff(scores) <= 0).all() and len(scores) == len(of_query)
        assert lists.gains[query_id] == shop.rule(query_id)
    texts = dict(zip(shop.products["product_id"][:], shop.products["text"][:], strict=True))
    assert all(texts[p] == text for of_query in lists.products.values() for p, text in of_query.items())


def test_an_order_is_worth_what_a_sum_by_hand_says(lists):
    scores = ByLength().score(lists.pairs)
    quality = candidates_quality.judge(lists, scores)
    query_id = lists.query_ids[0]
    places = [i for i, q in enumerate(lists.query_ids) if q == query_id]
    gains = np.array([lists.gains[query_id].get(p, 0) for p in lists.products[query_id]])
    by_hand = metrics.ndcg10(gains, scores=scores[places], judged=list(lists.gains[query_id].values()))
    assert quality.ndcg10_by_query[query_id] == pytest.approx(by_hand)
    assert list(quality.ndcg10_by_query) == list(lists.queries)


def test_orders_by_name_and_none_is_better_than_the_grades_own(lists):
    found = candidates_quality.of_orders(lists, {"length": ByLength()})
    bm25, best = candidates_quality.judge(lists, lists.bm25_scores), candidates_quality.best_possible(lists)
    assert found["length"].ndcg10 < bm25.ndcg10 < best.ndcg10 <= 1.0
    assert all(best.ndcg10_by_query[q] >= value for q, value in bm25.ndcg10_by_query.items())


def test_without_a_rule_labels_grade_and_an_unjudged_candidate_is_worth_nothing(tmp_path):
    made = candidates_quality.lists(load(write(tmp_path)), split="valid", n_queries=9)
    assert not made.is_complete and made.queries == {"q2": "blue mug"} and made.pairs == [("blue mug", "Mug")]
    assert candidates_quality.judge(made, np.array([1.0])).ndcg10 == 1.0
    change(tmp_path, "queries.csv", "blue mug", "sofa mug")
    more = candidates_quality.lists(load(tmp_path), split="valid", n_queries=9)
    assert {product for _, product in more.pairs} == {"Mug", "Sofa red Acme"}
    worse = [float(product != "Mug") for _, product in more.pairs]
    assert candidates_quality.judge(more, np.array(worse)).ndcg10 == pytest.approx(1 / np.log2(3))


def test_of_two_queries_with_one_text_the_first_alone_is_judged(tmp_path):
    write(tmp_path)
    change(tmp_path, "queries.csv", "q3,tall lamp,test", "q3,tall lamp,test\nq4,blue mug,valid\nq5,lamp,valid")
    with (tmp_path / "labels.csv").open("a") as file:
        file.writelines(
            f"{q},{p},{label}\n" for q in ("q4", "q5") for p, label in (("p1", "Irrelevant"), ("p3", "Exact"))
        )
    assert list(candidates_quality.lists(load(tmp_path), split="valid", n_queries=9).queries) == ["q2", "q5"]


def test_a_query_without_candidates_gets_nothing_and_has_no_pairs(tmp_path):
    write(tmp_path)
    change(tmp_path, "queries.csv", "blue mug", "zzz")
    made = candidates_quality.lists(load(tmp_path), split="valid", n_queries=9)
    assert made.pairs == [] and made.by_query == []
    assert candidates_quality.judge(made, np.empty(0)).ndcg10 == 0.0


def test_a_split_without_a_good_product_and_scores_that_do_not_fit_are_refused(tmp_path, lists):
    small = load(write(tmp_path))
    worthless = small.pairs["valid"].map(lambda row: {"gain": 0})
    with pytest.raises(ValueError, match="no valid query has a product with a label above 0"):
        candidates_quality.lists(replace(small, pairs={"valid": worthless}), split="valid", n_queries=9)
    with pytest.raises(ValueError, match=f"3 scores for {len(lists.pairs)} pairs"):
        candidates_quality.judge(lists, np.ones(3))
    with pytest.raises(ValueError, match="not a finite number"):
        candidates_quality.judge(lists, np.full(len(lists.pairs), np.nan))
