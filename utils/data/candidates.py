"""BM25: scores for judged pairs, and the candidates a ranker re-orders in a shop's search.

The index is `bm25s` with its defaults over the words of `terms`. Candidates are what BM25 finds, nothing is added to
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bm25s
import numpy as np
from datasets import Dataset

from utils.data.catalogue import Catalogue, rows_by_query
from utils.data.terms import UNSPACED, words

__all__ = ["UNSPACED", "Bm25", "build", "score_judged", "top", "words"]


@dataclass(frozen=True)
class Bm25:
    """An index over the texts of a catalogue's products; `rows` maps a product_id to its row in the index.

    `index` is None where no product's text has a word: nothing is found then, and every score is 0.
    """

    index: bm25s.BM25 | None
    products: Dataset
    rows: dict[str, int]


def build(catalogue: Catalogue) -> Bm25:
    """Index every product's text.

    Source: Robertson, Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009,
    https://doi.org/10.1561/1500000019; Lù, "BM25S", 2024, https://arxiv.org/abs/2407.03618
    """
    texts, index = words(catalogue.products["text"][:]), None
    if any(texts):
        index = bm25s.BM25()
        index.index(texts, show_progress=False)
    return Bm25(index, catalogue.products, {p: row for row, p in enumerate(catalogue.products["product_id"][:])})


def score_judged(bm25: Bm25, pairs: Dataset) -> np.ndarray:
    """BM25's score of every judged pair: (n_pairs,), float32; 0 where query and product share no word."""
    scores = np.zeros(len(pairs), dtype=np.float32)
    queries = pairs["query"][:]
    product_rows = np.array([bm25.rows[p] for p in pairs["product_id"][:]])
    for rows in rows_by_query(pairs).values():
        scores[rows] = _all_scores(bm25, queries[rows[0]])[product_rows[rows]]
    return scores


def score_texts(bm25: Bm25, pairs: Dataset) -> np.ndarray:
    """As `score_judged`, of pairs whose products are known by their text alone."""
    rows = {text: row for row, text in enumerate(bm25.products["text"][:])}
    product_ids = bm25.products["product_id"][:]
    named = [product_ids[rows[text]] for text in pairs["product"][:]]
    queries = {name: pairs[name][:] for name in ("query_id", "query")}
    return score_judged(bm25, Dataset.from_dict(queries | {"product_id": named}))


def top(bm25: Bm25, queries: Sequence[str], *, n_candidates: int) -> list[list[tuple[str, float]]]:
    """For each query the best products as (product_id, score), best first; at most `n_candidates`, ties by row."""
    product_ids = bm25.products["product_id"][:]
    found = []
    for query in queries:
        scores = _all_scores(bm25, query)
        best = np.argsort(-scores, kind="stable")[:n_candidates]
        found.append([(product_ids[int(row)], float(scores[row])) for row in best if scores[row] > 0])
    return found


def _all_scores(bm25: Bm25, query: str) -> np.ndarray:
    """(n_products,): zeros when no word of the query is in the index."""
    known = [word for word in words([query])[0] if bm25.index is not None and word in bm25.index.vocab_dict]
    return bm25.index.get_scores(known) if known else np.zeros(len(bm25.products), dtype=np.float32)
