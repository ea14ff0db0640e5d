"""How well a ranking serves shoppers: NDCG@10 and MRR@10, paired bootstrap intervals, slices.

Judged quality ranks the products that have a label for a query; a query whose labels are all alike is left out.
Products with equal scores have no order, so both figures are the mean over all orders of them: neither the order of a
file nor an id decides anything. Equal means equal as floating-point numbers.

Source: McSherry, Najork, "Computing information retrieval performance measures efficiently in the presence of tied
scores", ECIR 2008, https://doi.org/10.1007/978-3-540-78646-7_38
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from datasets import Dataset
from scipy.stats import rankdata

from utils.data.catalogue import rows_by_query

DEPTH = 10  # positions that both figures look at
DISCOUNTS = 1 / np.log2(np.arange(DEPTH) + 2)


@dataclass(frozen=True)
class Quality:
    """NDCG@10 and MRR@10 per query_id, the queries' kinds, and the NDCG@10 of a random order; means as properties."""

    ndcg10_by_query: dict[str, float]
    mrr10_by_query: dict[str, float]
    kinds: dict[str, str]
    random_by_query: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of_values(cls, ndcg10: Sequence[float]) -> Quality:
        """NDCG@10 alone, one value a query, where the queries are known by their places and not by their names."""
        return cls({str(place): value for place, value in enumerate(ndcg10)}, {}, {})

    @property
    def ndcg10(self) -> float:
        return float(np.mean(list(self.ndcg10_by_query.values())))

    @property
    def mrr10(self) -> float:
        return float(np.mean(list(self.mrr10_by_query.values())))

    @property
    def random_ndcg10(self) -> float:
        """What a random order of the same products is expected to get; it is high where most labels are good."""
        return float(np.mean(list(self.random_by_query.values())))

    @property
    def share_of_way(self) -> float:
        """How far NDCG@10 is on the way from a random order, 0, to a perfect one, 1."""
        return (self.ndcg10 - self.random_ndcg10) / (1 - self.random_ndcg10)

    @property
    def n_queries(self) -> int:
        return len(self.ndcg10_by_query)


@dataclass(frozen=True)
class Interval:
    """A mean difference with the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def standard_error(self) -> float:
        """Of the mean, read off the interval as if it were a normal distribution's."""
        return (self.high - self.low) / (2 * 1.96)

    def signed(self, *, digits: int = 3) -> str:
        """The difference as all tables of the course write it, such as +0.012 [-0.003, +0.027]."""
        mean, low, high = (f"{value:+.{digits}f}" for value in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"


def evaluate(pairs: Dataset, scores: np.ndarray, *, top_gain: int) -> Quality:
    """Quality of `scores` (n_pairs,) on the judged pairs, gains taken as they are (not as 2^gain - 1).

    MRR counts a product with the gain `top_gain` as relevant; a query without one gets 0. Equal scores share what the
    orders of their products are worth in the mean.

    Raises:
        ValueError: lengths differ, a score is not finite, or no query has two different labels.

    Source: Järvelin, Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002,
    https://doi.org/10.1145/582415.582418
    """
    if len(pairs) != len(scores):
        raise ValueError(f"{len(scores)} scores for {len(pairs)} pairs; score every pair once")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number; look at the model's outputs")
    rows = rows_to_rank(pairs)
    if not rows:
        raise ValueError("no query has two different labels, so there is nothing to rank")
    gains, scores = np.array(pairs["gain"][:]), np.asarray(scores)
    kinds = dict(zip(pairs["query_id"][:], pairs["kind"][:], strict=True))
    return Quality(
        {query_id: ndcg10(gains[places], scores=scores[places]) for query_id, places in rows.items()},
        {query_id: mrr10(gains[places] == top_gain, scores=scores[places]) for query_id, places in rows.items()},
        {query_id: kinds[query_id] for query_id in rows},
        {query_id: ndcg10(gains[places], scores=np.zeros(len(places))) for query_id, places in rows.items()},
    )


def rows_to_rank(pairs: Dataset) -> dict[str, list[int]]:
    """The rows of each query whose products have two different labels, by query_id; none where labels are alike."""
    gains = pairs["gain"][:]
    return {query_id: rows for query_id, rows in rows_by_query(pairs).items() if len({gains[row] for row in rows}) > 1}


def ndcg10(gains: Sequence[int], *, scores: np.ndarray, judged: Sequence[int] | None = None) -> float:
    """NDCG@10 of one query's products in the order of `scores` (n_products,), gains (n_products,) as they are.

    Args:
        judged: the gains that the best possible order is made of, one above 0; those of the products when not given.
    """
    best = np.sort(gains if judged is None else judged)[::-1][:DEPTH]
    return _dcg10(gains, scores) / float(best @ DISCOUNTS[: len(best)])


def _dcg10(gains: Sequence[int], scores: np.ndarray) -> float:
    """DCG@10, where every product of a tie counts with the tie's mean gain, which is the mean over its orders."""
    _, ties = np.unique(-np.asarray(scores), return_inverse=True)  # the number of each product's tie, best first
    means = np.bincount(ties, weights=gains) / np.bincount(ties)
    expected = means[np.sort(ties)][:DEPTH]
    return float(expected @ DISCOUNTS[: len(expected)])


def mrr10(relevant: np.ndarray, *, scores: np.ndarray) -> float:
    """The expected reciprocal rank of the first relevant product among the first ten, 0 when there is none.

    Only the products with the score of the best relevant one matter: those before them are irrelevant. Their places are
    filled from the top; `none_yet` is the chance that the products drawn so far are irrelevant.

    Args:
        relevant: (n_products,), true or false; scores: (n_products,).
    """
    relevant, scores = np.asarray(relevant, dtype=bool), np.asarray(scores)
    if not relevant.any():
        return 0.0
    best = scores[relevant].max()
    n_before, n_tied = int((scores > best).sum()), int((scores == best).sum())
    n_relevant = int(relevant[scores == best].sum())
    expected, none_yet = 0.0, 1.0
    for drawn in range(min(n_tied - n_relevant + 1, DEPTH - n_before)):
        chance = n_relevant / (n_tied - drawn)  # of a relevant product here, when none was drawn before
        expected += none_yet * chance / (n_before + drawn + 1)
        none_yet *= 1 - chance
    return expected


def evaluate_candidates(
    candidates: Mapping[str, Sequence[str]],
    scores: Mapping[str, Sequence[float]],
    *,
    judged: Mapping[str, Mapping[str, int]],
    top_gain: int,
) -> Quality:
    """Quality of BM25's candidates in the order of `scores`, an unjudged product counted as 0.

    The best possible order is that of all judged products, found or not.

    Args:
        candidates: the product_ids found for each query_id; scores: one score for each of them.
        judged: the gain of each judged product by query_id, one above 0 for every query.
    """
    gains = {q: np.array([judged[q].get(p, 0) for p in candidates[q]], dtype=int) for q in judged}
    ordered = {q: np.asarray(scores[q], dtype=float) for q in judged}
    return Quality(
        {q: ndcg10(gains[q], scores=ordered[q], judged=list(judged[q].values())) for q in judged},
        {q: mrr10(gains[q] == top_gain, scores=ordered[q]) for q in judged},
        dict.fromkeys(judged, ""),
    )


def recall(
    candidates: Mapping[str, Sequence[str]], *, judged: Mapping[str, Mapping[str, int]], top_gain: int
) -> float | None:
    """The share of the best-labelled products, of all these queries together, that are among the candidates.

    None where no product has the best label for any of them, for then there is no such share.
    """
    best = [(q, product_id) for q, gains in judged.items() for product_id, gain in gains.items() if gain == top_gain]
    return float(np.mean([product_id in candidates[q] for q, product_id in best])) if best else None


def gains_by_query(pairs: Dataset, *, query_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """The gain of each judged product by query_id, for those of these queries that have a good one."""
    gains: dict[str, dict[str, int]] = defaultdict(dict)
    columns = (pairs[name][:] for name in ("query_id", "product_id", "gain"))
    for query_id, product_id, gain in zip(*columns, strict=True):
        if query_id in query_ids:
            gains[query_id][product_id] = gain
    return {query_id: of_query for query_id, of_query in gains.items() if max(of_query.values()) > 0}


def paired_bootstrap(a: Quality, b: Quality, *, n_resamples: int, seed: int = 0) -> Interval:
    """NDCG@10 of `a` less that of `b` on the same queries: the mean and its 95% percentile bootstrap interval.

    Source: Sakai, "Evaluating evaluation metrics based on the bootstrap", SIGIR 2006,
    https://doi.org/10.1145/1148170.1148261
    """
    if a.ndcg10_by_query.keys() != b.ndcg10_by_query.keys():
        raise ValueError("the two rankings were judged on different queries; judge both on the same split")
    differences = np.array([value - b.ndcg10_by_query[q] for q, value in a.ndcg10_by_query.items()])
    picks = np.random.default_rng(seed).integers(len(differences), size=(n_resamples, len(differences)))
    means = differences[picks].mean(axis=1)
    return Interval(float(differences.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975)))


def pooled_share(pairs: Sequence[tuple[Quality, Quality]], *, n_resamples: int, seed: int = 0) -> Interval:
    """The share of NDCG@10 that `a` keeps of `b`, pooled over several (a, b), such as the seeds of a training.

    The mean of all a divided by the mean of all b. Queries are drawn with replacement, each with its values of every
    seed, since the same query is no new evidence when another seed ranks it; the interval is the middle 95%.

    Raises:
        ValueError: nothing to pool, or two rankings were judged on different queries.
    """
    if not pairs:
        raise ValueError("pooled_share: nothing to pool; give at least one pair of rankings")
    queries = list(pairs[0][0].ndcg10_by_query)
    if any(quality.ndcg10_by_query.keys() != set(queries) for pair in pairs for quality in pair):
        raise ValueError("the rankings were judged on different queries; judge all on the same split")
    values = np.array([[[quality.ndcg10_by_query[q] for q in queries] for quality in pair] for pair in pairs])
    kept, whole = values.sum(axis=0)  # (n_queries,) each, summed over the seeds
    picks = np.random.default_rng(seed).integers(len(queries), size=(n_resamples, len(queries)))
    shares = kept[picks].sum(axis=1) / whole[picks].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Interval(float(kept.sum() / whole.sum()), float(low), float(high))


def by_kind(quality: Quality) -> dict[str, tuple[float, int]]:
    """Mean NDCG@10 and the number of queries of each kind, kinds in alphabetical order."""
    values: dict[str, list[float]] = defaultdict(list)
    for query_id, value in quality.ndcg10_by_query.items():
        values[quality.kinds[query_id]].append(value)
    return {kind: (float(np.mean(values[kind])), len(values[kind])) for kind in sorted(values)}


def reciprocal_rank_fusion(pairs: Dataset, *scores: np.ndarray, k: int = 60) -> np.ndarray:
    """Fuse several scorings of the same pairs: (n_pairs,), the sum of 1 / (k + rank within the query).

    Products with the same score share their mean rank, so that the order of the file says nothing.

    Source: Cormack, Clarke, Büttcher, "Reciprocal rank fusion", SIGIR 2009, https://doi.org/10.1145/1571941.1572114
    """
    fused, grouped = np.zeros(len(pairs)), rows_by_query(pairs).values()
    for scoring in scores:
        for rows in grouped:
            fused[rows] += 1.0 / (k + rankdata(-np.asarray(scoring)[rows]))
    return fused
