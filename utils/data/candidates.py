"""BM25: scores for judged pairs, and the candidates a ranker re-orders in a shop's search.

The index is `bm25s` with its defaults, but that a Chinese character or a Japanese kana is a token of its own, for such
texts have no spaces. Candidates are what BM25 finds, nothing is added to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bm25s
import numpy as np
from datasets import Dataset

from utils.data.catalogue import Catalogue

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # kana and ideographs
TOKEN = rf"[{UNSPACED}]|(?:(?![{UNSPACED}])\w){{2,}}"  # one of those, or a word of two letters and more


@dataclass(frozen=True)
class Bm25:
    """An index over the texts of a catalogue's products; `rows` maps a product_id to its row in the index."""

    index: bm25s.BM25
    products: Dataset
    rows: dict[str, int]


def words(texts: Sequence[str]) -> list[list[str]]:
    """The tokens of each text that BM25 counts: lower case, without English stop words."""
    return bm25s.tokenize(list(texts), token_pattern=TOKEN, return_ids=False, show_progress=False)


def build(catalogue: Catalogue) -> Bm25:
    """Index every product's text.

    Source: Robertson, Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009,
    https://doi.org/10.1561/1500000019; Lù, "BM25S", 2024, https://arxiv.org/abs/2407.03618
    """
    index = bm25s.BM25()
    index.index(words(catalogue.products["text"]), show_progress=False)
    return Bm25(index, catalogue.products, {p: row for row, p in enumerate(catalogue.products["product_id"][:])})


def score_judged(bm25: Bm25, pairs: Dataset) -> np.ndarray:
    """BM25's score of every judged pair: (n_pairs,), float32; 0 where query and product share no word."""
    scores = np.zeros(len(pairs), dtype=np.float32)
    by_query: dict[str, list[int]] = {}
    for i, query in enumerate(pairs["query"]):
        by_query.setdefault(query, []).append(i)
    product_rows = np.array([bm25.rows[p] for p in pairs["product_id"]])
    for query, indices in by_query.items():
        scores[indices] = _all_scores(bm25, query)[product_rows[indices]]
    return scores


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
    known = [token for token in words([query])[0] if token in bm25.index.vocab_dict]
    return bm25.index.get_scores(known) if known else np.zeros(len(bm25.products), dtype=np.float32)
