"""BM25's scores and candidates, a ranker's end-to-end quality on them, and quality on a part of the pairs."""

import dataclasses

import numpy as np
import pytest
from datasets import Dataset

from utils import settings
from utils.data import candidates, catalogue
from utils.rank import bi_encoder, evaluation

PRODUCTS = ("red velvet sofa", "blue sofa", "desk lamp", "red kettle")
QUERIES = (("q0", "red sofa", "test"), ("q1", "zzz", "test"), ("q2", "lamp", "train"), ("q3", "kettle", "valid"))


@pytest.fixture(scope="module")
def shop():
    """Four products, all judged for all queries; the exact one of q0 is the red sofa, of q1 the lamp."""
    exact = {"q0": 0, "q1": 2, "q2": 2, "q3": 3}
    tables = {
        "queries.csv": [{"query_id": q, "query": text, "split": split} for q, text, split in QUERIES],
        "products.csv": [{"product_id": f"p{i}", "title": title} for i, title in enumerate(PRODUCTS)],
        "labels.csv": [
            {"query_id": q, "product_id": f"p{i}", "label": "1" if exact[q] == i else "0"}
            for q, _, _ in QUERIES
            for i in range(len(PRODUCTS))
            if (q, i) != ("q0", 3)
        ],
    }
    return catalogue.build(tables, name="tiny", profile=settings.profile("gpu"))


@pytest.fixture(scope="module")
def bm25(shop):
    return candidates.build(shop)


def test_scores_count_shared_words_and_rare_ones_more(shop, bm25):
    scores = candidates.score_judged(bm25, shop.pairs["test"])
    both, common, none = scores[:3]
    assert both > common > none == 0
    assert not scores[3:].any()  # no product has the word of the second query


def test_candidates_come_best_first_and_hold_only_products_with_a_word_of_the_query(bm25):
    found, nothing = candidates.top(bm25, ["red sofa", "zzz"], n_candidates=10)
    assert [product_id for product_id, _ in found][0] == "p0" and {p for p, _ in found} == {"p0", "p1", "p3"}
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert nothing == []
    assert len(candidates.top(bm25, ["red sofa"], n_candidates=2)[0]) == 2


class Backwards:
    """Scores products by how late they stand among the pairs."""

    def score(self, pairs):
        return np.arange(len(pairs), dtype=np.float32)


def test_end_to_end_adds_nothing_to_the_candidates_and_the_labels_give_the_best_order(shop, bm25):
    judged = evaluation.evaluate_end_to_end(shop, bm25, Backwards(), n_queries=2, n_candidates=3)
    assert judged.recall == 0.5  # nothing is found for q1, whose exact product is not added
    by_query = {order: quality.ndcg10_by_query for order, quality in judged.quality.items()}
    assert by_query["BM25"]["q0"] == by_query["labels"]["q0"] == 1.0 > by_query["ranker"]["q0"]
    assert by_query["labels"]["q1"] == 0.0
    assert judged.ndcg10("ranker") == judged.quality["ranker"].ndcg10
    assert judged.why_null == {} and judged.n_queries == 2


def test_end_to_end_a_rule_grades_what_nobody_judged_and_says_that_the_figures_are_complete(shop, bm25):
    gains = {"q0": {"p0": 1, "p1": 0, "p2": 0, "p3": 1}, "q1": {"p0": 0, "p1": 0, "p2": 1, "p3": 0}}
    whole = dataclasses.replace(shop, rule=gains.get)
    by_labels, by_rule = (
        evaluation.evaluate_end_to_end(one, bm25, Backwards(), n_queries=2, n_candidates=3) for one in (shop, whole)
    )
    assert (by_labels.is_complete, by_rule.is_complete) == (False, True)
    assert by_labels.recall == 0.5 and by_rule.recall == pytest.approx(2 / 3)  # p3 is found for q0, p2 not for q1
    assert by_rule.quality["ranker"].ndcg10_by_query["q0"] > by_labels.quality["ranker"].ndcg10_by_query["q0"]


def with_test_labels(labels: dict[tuple[str, str], str], *, queries: dict[str, str]):
    """A shop of those products whose test split has those queries and labels; one train label has the best gain, 2."""
    texts = queries | {"q2": "lamp", "q3": "kettle"}
    splits = dict.fromkeys(queries, "test") | {"q2": "train", "q3": "valid"}
    others = {("q2", "p2"): "2", ("q2", "p0"): "0", ("q3", "p3"): "2", ("q3", "p0"): "0"}
    tables = {
        "queries.csv": [{"query_id": q, "query": text, "split": splits[q]} for q, text in texts.items()],
        "products.csv": [{"product_id": f"p{i}", "title": title} for i, title in enumerate(PRODUCTS)],
        "labels.csv": [{"query_id": q, "product_id": p, "label": label} for (q, p), label in (labels | others).items()],
    }
    return catalogue.build(tables, name="tiny", profile=settings.profile("gpu"))


def judge(shop, *, n_queries):
    bm25 = candidates.build(shop)
    return evaluation.evaluate_end_to_end(shop, bm25, Backwards(), n_queries=n_queries, n_candidates=3)


def test_queries_without_a_good_product_are_passed_over_end_to_end():
    labels = {("q0", "p0"): "0", ("q0", "p1"): "0", ("q1", "p0"): "2", ("q1", "p1"): "0"}
    judged = judge(with_test_labels(labels, queries={"q0": "blue sofa", "q1": "red sofa"}), n_queries=1)
    assert list(judged.quality["BM25"].ndcg10_by_query) == ["q1"] and judged.recall == 1.0


def test_recall_is_none_with_its_reason_where_no_test_query_has_the_best_label():
    labels = {("q0", "p0"): "1", ("q0", "p1"): "0"}
    judged = judge(with_test_labels(labels, queries={"q0": "red sofa"}), n_queries=5)
    assert (judged.ndcg10("BM25"), judged.recall) == (1.0, None)
    assert set(judged.why_null) == {"recall"} and "best label" in judged.why_null["recall"]


def test_without_a_good_product_there_is_no_end_to_end_figure_and_a_reason_for_each():
    judged = judge(with_test_labels({("q0", "p0"): "0"}, queries={"q0": "red sofa"}), n_queries=5)
    assert (judged.ndcg10("ranker"), judged.recall, judged.n_queries) == (None, None, 0)
    assert set(judged.why_null) == {"ndcg10_end_to_end", "recall"}


def test_one_text_under_two_query_ids_is_two_queries_with_labels_of_their_own():
    labels = {("q0", "p0"): "2", ("q0", "p1"): "0", ("q1", "p0"): "0", ("q1", "p1"): "2"}
    judged = judge(with_test_labels(labels, queries={"q0": "red sofa", "q1": "red sofa"}), n_queries=5)
    assert judged.quality["labels"].ndcg10_by_query == {"q0": 1.0, "q1": 1.0}
    assert judged.quality["BM25"].ndcg10_by_query["q0"] == 1.0 > judged.quality["BM25"].ndcg10_by_query["q1"]


def test_quality_on_a_part_ranks_only_that_part_and_is_none_where_labels_are_alike(shop):
    pairs = shop.pairs["test"]
    wrong = np.array([0.0, 1.0, 2.0] + [0.0] * 4)
    whole = evaluation.on_part(pairs, wrong, mask=np.array([True] * 3 + [False] * 4), top_gain=1)
    part = evaluation.on_part(pairs, wrong, mask=np.array([True, True, False] + [False] * 4), top_gain=1)
    assert (whole.mrr10, part.mrr10) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert evaluation.on_part(pairs, wrong, mask=np.array([False, True, True] + [False] * 4), top_gain=1) is None


def test_quality_on_a_part_refuses_a_score_that_is_not_finite(shop):
    scores, mask = np.array([0.0, np.nan, 2.0] + [0.0] * 4), np.array([True] * 3 + [False] * 4)
    with pytest.raises(ValueError, match="not a finite number"):
        evaluation.on_part(shop.pairs["test"], scores, mask=mask, top_gain=1)


def test_bi_encoder_puts_the_text_with_the_meaning_first(shop):
    scores = bi_encoder.scores(bi_encoder.open_encoder(), shop.pairs["test"])
    assert scores.dtype == np.float32 and scores[:3].argmax() == 0 and scores[:3].min() == scores[2]


def test_the_end_of_a_text_that_the_bi_encoder_does_not_read_changes_no_score_and_is_not_tokenized(monkeypatch):
    encoder, lengths = bi_encoder.open_encoder(), []
    products = ["red velvet sofa " * 100, "red velvet sofa " * 4_000, "desk lamp"]
    pairs = Dataset.from_dict({"query": ["red sofa"] * 3, "product": products})
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts, **how: lengths.extend(map(len, texts)) or encode(texts, **how))
    scores = bi_encoder.scores(encoder, pairs)
    whole = encode(["red sofa", *products], normalize_embeddings=True)
    np.testing.assert_allclose(scores, whole[1:] @ whole[0], atol=1e-5)
    assert max(lengths) < 4_000
