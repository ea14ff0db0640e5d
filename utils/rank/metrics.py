"""How well a ranking serves shoppers: NDCG@10 and MRR@10 by `ir-measures`, paired bootstrap intervals, slices.

Judged quality ranks the products that have a label for a query; a query whose labels are all alike is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from datasets import Dataset
from ir_measures import RR, nDCG
from scipy.stats import rankdata


@dataclass(frozen=True)
class Quality:
    """NDCG@10 and MRR@10 per query_id, and the queries' kinds; means as properties."""

    ndcg10_by_query: dict[str, float]
    mrr10_by_query: dict[str, float]
    kinds: dict[str, str]

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
    def n_queries(self) -> int:
        return len(self.ndcg10_by_query)


@dataclass(frozen=True)
class Interval:
    """A mean difference with the ends of its interval."""

    mean: float
    low: float
    high: float


def evaluate(pairs: Dataset, scores: np.ndarray, *, top_gain: int) -> Quality:
    """Quality of `scores` (n_pairs,) on the judged pairs, gains taken as they are (not as 2^gain - 1).

    MRR counts a product with the gain `top_gain` as relevant; a query without one gets 0.

    Raises:
        ValueError: lengths differ, a score is not finite, or no query has two different labels.

    Source: Järvelin, Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002,
    https://doi.org/10.1145/582415.582418
    """
    if len(pairs) != len(scores):
        raise ValueError(f"{len(scores)} scores for {len(pairs)} pairs; score every pair once")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number; look at the model's outputs")
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    run: dict[str, dict[str, float]] = defaultdict(dict)
    columns = zip(pairs["query_id"], pairs["product_id"], pairs["gain"], scores, strict=True)
    for query_id, product_id, gain, score in columns:
        qrels[query_id][product_id] = gain
        run[query_id][product_id] = float(score)
    qrels = {query_id: gains for query_id, gains in qrels.items() if len(set(gains.values())) > 1}
    if not qrels:
        raise ValueError("no query has two different labels, so there is nothing to rank")
    kinds = dict(zip(pairs["query_id"], pairs["kind"], strict=True))
    return _quality(qrels, {query_id: run[query_id] for query_id in qrels}, kinds=kinds, top_gain=top_gain)


def ndcg10(gains: Sequence[int], *, scores: np.ndarray) -> float:
    """NDCG@10 of one query's products in the order of `scores` (n_products,), gains (n_products,) as they are."""
    names = [str(place) for place in range(len(gains))]
    qrels = {"": dict(zip(names, map(int, gains), strict=True))}
    return ir_measures.calc_aggregate([nDCG @ 10], qrels, {"": dict(zip(names, map(float, scores), strict=True))})[
        nDCG @ 10
    ]


def evaluate_candidates(
    candidates: Mapping[str, Sequence[str]], scores: Mapping[str, Sequence[float]], *, pairs: Dataset, top_gain: int
) -> Quality:
    """Quality of BM25's candidates in the order of `scores`, an unjudged product counted as 0.

    Args:
        candidates: the product_ids found for each query_id; scores: one score for each of them.
    """
    qrels = _positive(candidates, pairs=pairs)
    run = {q: dict(zip(candidates[q], map(float, scores[q]), strict=True)) or {"": 0.0} for q in qrels}
    return _quality(qrels, run, kinds=dict.fromkeys(qrels, ""), top_gain=top_gain)


def recall(candidates: Mapping[str, Sequence[str]], *, pairs: Dataset, top_gain: int) -> float:
    """The share of the best-labelled products, of all these queries together, that are among the candidates."""
    qrels = _positive(candidates, pairs=pairs)
    best = [(query_id, product_id) for query_id, gains in qrels.items() for product_id in gains]
    found = [product_id in candidates[q] for q, product_id in best if qrels[q][product_id] == top_gain]
    return float(np.mean(found))


def _positive(candidates: Mapping[str, Sequence[str]], *, pairs: Dataset) -> dict[str, dict[str, int]]:
    """The gains of each query's judged products, for the queries that have a good one."""
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for query_id, product_id, gain in zip(pairs["query_id"], pairs["product_id"], pairs["gain"], strict=True):
        if query_id in candidates:
            qrels[query_id][product_id] = gain
    return {query_id: gains for query_id, gains in qrels.items() if max(gains.values()) > 0}


def _quality(qrels: dict, run: dict, *, kinds: dict[str, str], top_gain: int) -> Quality:
    ndcg10, mrr10 = nDCG @ 10, RR(rel=top_gain) @ 10
    values: dict[str, dict[str, float]] = {str(ndcg10): {}, str(mrr10): {}}
    for metric in ir_measures.iter_calc([ndcg10, mrr10], qrels, run):
        values[str(metric.measure)][metric.query_id] = metric.value
    return Quality(values[str(ndcg10)], values[str(mrr10)], {query_id: kinds[query_id] for query_id in qrels})


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
    rows: dict[str, list[int]] = defaultdict(list)
    for i, query_id in enumerate(pairs["query_id"]):
        rows[query_id].append(i)
    fused = np.zeros(len(pairs))
    for scoring in scores:
        for indices in rows.values():
            fused[indices] += 1.0 / (k + rankdata(-np.asarray(scoring)[indices]))
    return fused
