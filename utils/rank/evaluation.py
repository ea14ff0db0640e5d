"""A ranker at work: BM25's candidates put in its order, and its quality on products it has or has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset

from utils.data.candidates import Bm25, top
from utils.data.catalogue import Catalogue
from utils.rank import metrics
from utils.rank.metrics import Quality
from utils.rank.ranker import Ranker

NO_GOOD_PRODUCT = "no test query has a product with a label above 0, so there is no order to judge end to end"
NO_BEST_PRODUCT = "no product has the best label for any of the {n} queries that were run end to end"


@dataclass(frozen=True)
class EndToEnd:
    """BM25's candidates of some test queries, judged in several orders.

    Attributes:
        quality: of "BM25", "ranker" and "labels", the orders of the same candidates; empty when no query can be judged.
            The labels' order is the best that any ranker could do with these candidates.
        is_complete: whether every candidate was graded. Else an unjudged one counts as worthless, although it may be
            good: the figures are lower bounds, and what counts is the difference of two orders.
        recall: the share of the best-labelled products that are among the candidates; None when there is none.
        why_null: the reason for each figure that does not exist, by its name in the ledger.
    """

    quality: Mapping[str, Quality]
    recall: float | None
    why_null: Mapping[str, str]
    is_complete: bool = False

    @property
    def n_queries(self) -> int:
        return max((quality.n_queries for quality in self.quality.values()), default=0)

    @classmethod
    def absent(cls, why: str) -> EndToEnd:
        """What was not judged end to end, for this reason."""
        return cls({}, None, dict.fromkeys(("ndcg10_end_to_end", "recall"), why))

    def ndcg10(self, order: str) -> float | None:
        """The mean of one order; None has its reason in `why_null`."""
        return self.quality[order].ndcg10 if order in self.quality else None


def evaluate_end_to_end(
    catalogue: Catalogue, bm25: Bm25, ranker: Ranker, *, n_queries: int, n_candidates: int
) -> EndToEnd:
    """Judge the orders of BM25, the ranker and the labels on BM25's candidates, nothing added to them.

    The queries are the first `n_queries` of the test split that have a good product, for nothing can be said of others.
    Where the catalogue has a rule, it grades every product of the shop.
    """
    pairs = catalogue.pairs["test"]
    query_ids = _first_judgeable(pairs, n_queries=n_queries)
    if not query_ids:
        return EndToEnd.absent(NO_GOOD_PRODUCT)
    judged = _judged(catalogue, query_ids=query_ids)
    texts = dict(zip(pairs["query_id"][:], pairs["query"][:], strict=True))
    ranked = top(bm25, [texts[q] for q in query_ids], n_candidates=n_candidates)
    candidates = {q: [product_id for product_id, _ in best] for q, best in zip(query_ids, ranked, strict=True)}
    scores = {
        "BM25": {q: [score for _, score in best] for q, best in zip(query_ids, ranked, strict=True)},
        "ranker": _ranker_scores(ranker, candidates, bm25=bm25, texts=texts),
        "labels": {q: [judged[q].get(p, 0) for p in product_ids] for q, product_ids in candidates.items()},
    }
    known = {"judged": judged, "top_gain": catalogue.top_gain}
    quality = {order: metrics.evaluate_candidates(candidates, of, **known) for order, of in scores.items()}
    recall = metrics.recall(candidates, **known)
    why_null = {} if recall is not None else {"recall": NO_BEST_PRODUCT.format(n=len(query_ids))}
    return EndToEnd(quality, recall, why_null, is_complete=catalogue.rule is not None)


def _first_judgeable(pairs: Dataset, *, n_queries: int) -> list[str]:
    """The first queries that have a product with a gain above 0, in the order of the pairs."""
    query_ids = list(dict.fromkeys(pairs["query_id"][:]))
    judgeable = metrics.gains_by_query(pairs, query_ids=set(query_ids))
    return [query_id for query_id in query_ids if query_id in judgeable][:n_queries]


def _ranker_scores(
    ranker: Ranker, candidates: Mapping[str, Sequence[str]], *, bm25: Bm25, texts: Mapping[str, str]
) -> dict[str, list[float]]:
    products = bm25.products["text"][:]
    pairs = [(texts[q], products[bm25.rows[p]]) for q, product_ids in candidates.items() for p in product_ids]
    scores = iter(ranker.score(pairs))
    return {q: [float(next(scores)) for _ in product_ids] for q, product_ids in candidates.items()}


def _judged(catalogue: Catalogue, *, query_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """The gain of every product that somebody, or the shop's rule, has graded for these test queries."""
    if catalogue.rule is not None:
        return {query_id: catalogue.rule(query_id) for query_id in query_ids}
    return metrics.gains_by_query(catalogue.pairs["test"], query_ids=set(query_ids))


def on_part(pairs: Dataset, scores: np.ndarray, *, mask: np.ndarray, top_gain: int) -> Quality | None:
    """Quality when only the judged pairs in `mask` (n_pairs,) are ranked; None when no query has two labels there.

    Raises:
        ValueError: a score is not finite.
    """
    part = pairs.select(np.flatnonzero(mask))
    return metrics.evaluate(part, scores[mask], top_gain=top_gain) if metrics.rows_to_rank(part) else None
