"""A ranker at work: BM25's candidates put in its order, and its quality on products it has or has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from datasets import Dataset

from utils.data.candidates import Bm25, top
from utils.data.catalogue import Catalogue
from utils.rank import metrics
from utils.rank.metrics import Quality
from utils.rank.ranker import Ranker


def evaluate_end_to_end(
    catalogue: Catalogue, bm25: Bm25, ranker: Ranker, *, query_ids: Sequence[str], n_candidates: int
) -> tuple[dict[str, Quality], float]:
    """BM25's candidates for test queries: quality in BM25's order, the ranker's and the labels' own, and their recall.

    The labels' order is the best that any ranker could do with these candidates.
    """
    pairs = catalogue.pairs["test"]
    texts = dict(zip(pairs["query_id"], pairs["query"], strict=True))
    found = dict(zip(query_ids, top(bm25, [texts[q] for q in query_ids], n_candidates=n_candidates), strict=True))
    candidates = {q: [product_id for product_id, _ in best] for q, best in found.items()}
    products = list(bm25.products["text"])
    asked = [(texts[q], products[bm25.rows[p]]) for q, ids in candidates.items() for p in ids]
    scores = iter(ranker.score(asked))
    bm25_order = {q: [score for _, score in best] for q, best in found.items()}
    ranker_order = {q: [next(scores) for _ in ids] for q, ids in candidates.items()}
    gains = dict(zip(zip(pairs["query_id"], pairs["product_id"], strict=True), pairs["gain"], strict=True))
    best_order = {q: [gains.get((q, p), 0) for p in ids] for q, ids in candidates.items()}
    judge = partial(metrics.evaluate_candidates, candidates, pairs=pairs, top_gain=catalogue.top_gain)
    quality = {"BM25": judge(bm25_order), "ranker": judge(ranker_order), "labels": judge(best_order)}
    return quality, metrics.recall(candidates, pairs=pairs, top_gain=catalogue.top_gain)


def on_part(pairs: Dataset, scores: np.ndarray, *, mask: np.ndarray, top_gain: int) -> Quality | None:
    """Quality when only the judged pairs in `mask` (n_pairs,) are ranked; None when no query has two labels there."""
    part = pairs.select(np.flatnonzero(mask))
    try:
        return metrics.evaluate(part, scores[mask], top_gain=top_gain)
    except ValueError:
        return None
