"""The quality of an order of all candidates of a query, which is what a cascade decides about.

Judged quality ranks the few products that have a label, and a cascade may leave out any of the others for nothing. Here
a ranker orders BM25's candidates, all of them. Where the shop's rule grades every product the figures are complete;
elsewhere an unjudged product counts as worthless, and they are lower bounds. Depths and rules are chosen on valid; test
is for the final figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from utils.data import candidates
from utils.data.candidates import Bm25
from utils.data.catalogue import Catalogue
from utils.rank import metrics
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair, Ranker
from utils.settings import N_CANDIDATES


@dataclass(frozen=True)
class Lists:
    """Some queries of a split with their candidates, best first by BM25, and what those are worth.

    Attributes:
        split: where the queries are from.
        queries: the text of each query, by query_id, in the order of `pairs`.
        products: product_id and text of each query's candidates, by query_id.
        gains: the gain of each graded product, found or not, by query_id and product_id.
        bm25_scores: of every pair, (n_pairs,), float32.
        is_complete: whether every candidate is graded.
    """

    split: str
    queries: Mapping[str, str]
    products: Mapping[str, Mapping[str, str]]
    gains: Mapping[str, Mapping[str, int]]
    bm25_scores: np.ndarray
    top_gain: int
    is_complete: bool

    @cached_property
    def pairs(self) -> list[Pair]:
        """(query, product) of every candidate, query by query."""
        return [(self.queries[q], text) for q, of_query in self.products.items() for text in of_query.values()]

    @cached_property
    def query_ids(self) -> list[str]:
        """The query_id of every pair."""
        return [q for q, of_query in self.products.items() for _ in of_query]

    @cached_property
    def by_query(self) -> list[list[Pair]]:
        """The pairs of each query, those of queries without candidates left out."""
        texts = ((self.queries[q], of_query.values()) for q, of_query in self.products.items() if of_query)
        return [[(query, text) for text in of_query] for query, of_query in texts]

    @property
    def n_queries(self) -> int:
        return len(self.queries)


def lists(
    catalogue: Catalogue, *, split: str, n_queries: int, n_candidates: int = N_CANDIDATES, bm25: Bm25 | None = None
) -> Lists:
    """The first queries of a split that have a product with a gain above 0, each with BM25's candidates.

    Of queries with one text the first, since a cascade tells queries apart by their texts.

    Raises:
        ValueError: no query of the split has such a product.
    """
    pairs = catalogue.pairs[split]
    texts = dict(zip(pairs["query_id"][:], pairs["query"][:], strict=True))
    judged = metrics.gains_by_query(pairs, query_ids=set(texts))
    of_text = {texts[query_id]: query_id for query_id in reversed(texts) if query_id in judged}  # rankers know texts
    query_ids = [query_id for query_id in texts if of_text.get(texts[query_id]) == query_id][:n_queries]
    if not query_ids:
        raise ValueError(f"no {split} query has a product with a label above 0, so no order can be judged; add labels")
    bm25 = bm25 or candidates.build(catalogue)
    found = candidates.top(bm25, [texts[q] for q in query_ids], n_candidates=n_candidates)
    of_product = bm25.products["text"][:]
    named = zip(query_ids, found, strict=True)
    return Lists(
        split=split,
        queries={q: texts[q] for q in query_ids},
        products={q: {p: of_product[bm25.rows[p]] for p, _ in best} for q, best in named},
        gains={q: judged[q] if catalogue.rule is None else catalogue.rule(q) for q in query_ids},
        bm25_scores=np.array([score for best in found for _, score in best], dtype=np.float32),
        top_gain=catalogue.top_gain,
        is_complete=catalogue.rule is not None,
    )


def judge(lists: Lists, scores: np.ndarray) -> Quality:
    """The quality of the candidates in the order of `scores` (n_pairs,), beside the best order of all graded products.

    Raises:
        ValueError: not one score for every pair, or one that is not finite.
    """
    if len(scores) != len(lists.pairs):
        raise ValueError(f"{len(scores)} scores for {len(lists.pairs)} pairs; score every pair once")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number; look at the model's outputs")
    product_ids = {q: list(of_query) for q, of_query in lists.products.items()}
    ends = np.cumsum([len(of_query) for of_query in product_ids.values()])[:-1]
    by_query = dict(zip(product_ids, np.split(np.asarray(scores), ends), strict=True))
    return metrics.evaluate_candidates(product_ids, by_query, judged=lists.gains, top_gain=lists.top_gain)


def of_orders(lists: Lists, rankers: Mapping[str, Ranker]) -> dict[str, Quality]:
    """The quality of every ranker's order of the same candidates, by its name."""
    return {name: judge(lists, ranker.score(lists.pairs)) for name, ranker in rankers.items()}


def best_possible(lists: Lists) -> Quality:
    """The quality of the grades' own order: the best that any ranker could do with these candidates."""
    grades = [lists.gains[q].get(p, 0) for q, of_query in lists.products.items() for p in of_query]
    return judge(lists, np.array(grades, dtype=np.float32))
