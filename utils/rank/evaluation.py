"""A ranker at work: BM25's candidates put in its order, and its quality on products it has or has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from datasets import Dataset

from utils.data.candidates import Bm25, top
from utils.data.catalogue import Catalogue
from utils.rank import metrics
from utils.rank.metrics import Quality
from utils.rank.ranker import Ranker


def end_to_end(
    catalogue: Catalogue, bm25: Bm25, ranker: Ranker, *, query_ids: Sequence[str], n_candidates: int
) -> tuple[Quality, Quality, float]:
    """BM25's candidates for test queries: quality in BM25's own order, in the ranker's, and recall of both."""
    pairs = catalogue.pairs["test"]
    texts = dict(zip(pairs["query_id"], pairs["query"], strict=True))
    found = dict(zip(query_ids, top(bm25, [texts[q] for q in query_ids], n_candidates=n_candidates), strict=True))
    candidates = {q: [product_id for product_id, _ in best] for q, best in found.items()}
    products = list(bm25.products["text"])
    asked = [(texts[q], products[bm25.rows[p]]) for q, ids in candidates.items() for p in ids]
    scores = iter(ranker.score(asked))
    bm25_order = {q: [score for _, score in best] for q, best in found.items()}
    ranker_order = {q: [next(scores) for _ in ids] for q, ids in candidates.items()}
    before, recall = metrics.end_to_end(candidates, bm25_order, pairs=pairs, top_gain=catalogue.top_gain)
    after, _ = metrics.end_to_end(candidates, ranker_order, pairs=pairs, top_gain=catalogue.top_gain)
    return before, after, recall


def on_part(pairs: Dataset, scores: np.ndarray, *, mask: np.ndarray, top_gain: int) -> Quality | None:
    """Quality when only the judged pairs in `mask` (n_pairs,) are ranked; None when no query has two labels there."""
    part = pairs.select(np.flatnonzero(mask))
    try:
        return metrics.judged(part, scores[mask], top_gain=top_gain)
    except ValueError:
        return None
