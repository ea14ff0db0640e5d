"""Time, measured so that it can be compared: rankers take turns on the same queries, and ratios are quoted.

A single absolute time says little on a shared machine; the ratio of two measured side by side says much.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from utils.data import candidates
from utils.data.catalogue import Catalogue
from utils.measure import turns
from utils.measure.turns import Timing
from utils.rank.ranker import BatchedRanker, Pair, Ranker
from utils.settings import N_CANDIDATES


@dataclass(frozen=True)
class Ratio:
    """How many times longer one takes than another: the median over queries and the quartiles around it."""

    median: float
    low: float
    high: float


def by_turns(
    rankers: Mapping[str, Ranker], *, queries: Sequence[Sequence[Pair]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Time each ranker on each query, by turns, after one untimed round; who goes first rotates.

    Args:
        queries: the pairs of each query, all of them scored in one call.

    Raises:
        ValueError: no queries.
    """
    if not queries:
        raise ValueError("by_turns: no queries to time; give at least one query with its pairs")
    steps = {name: [partial(ranker.score, pairs) for pairs in queries] for name, ranker in rankers.items()}
    return turns.steps_by_turns(steps, clock=clock)


def ratio(slow: Timing, fast: Timing) -> Ratio:
    """`slow` over `fast`, query by query; ValueError when they were not timed on the same number of queries."""
    if len(slow.samples_ms) != len(fast.samples_ms):
        raise ValueError(
            f"{len(slow.samples_ms)} and {len(fast.samples_ms)} queries; time both in one call of by_turns"
        )
    ratios = np.array(slow.samples_ms) / np.array(fast.samples_ms)
    return Ratio(float(np.median(ratios)), float(np.quantile(ratios, 0.25)), float(np.quantile(ratios, 0.75)))


def throughput(
    rankers: Mapping[str, BatchedRanker],
    *,
    pairs: Sequence[Pair],
    batch_sizes: Sequence[int] = (8, 16, 32, 64),
    repeats: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, tuple[float, int]]:
    """Pairs a second of each ranker at its best batch size (the median of the repeats), and that size, which it keeps.

    By turns, so that all see the same machine. Sizes above the number of pairs are left out.

    Raises:
        ValueError: fewer pairs than the smallest batch size.
    """
    sizes = [size for size in batch_sizes if size <= len(pairs)]
    if not sizes:
        raise ValueError(f"throughput: {len(pairs)} pairs fill no batch of {min(batch_sizes)}; give more pairs")
    rates: dict[tuple[str, int], list[float]] = {(name, size): [] for name in rankers for size in sizes}
    for ranker in rankers.values():
        ranker.score(pairs[: max(sizes)])
    with turns.no_garbage_collection():
        for _ in range(repeats):
            for size in sizes:
                for name, ranker in rankers.items():
                    ranker.batch_size = size
                    start = clock()
                    ranker.score(pairs)
                    rates[name, size].append(len(pairs) / (clock() - start))
    found = {}
    for name, ranker in rankers.items():
        ranker.batch_size = max(sizes, key=lambda size: np.median(rates[name, size]))
        found[name] = (float(np.median(rates[name, ranker.batch_size])), ranker.batch_size)
    return found


def workload(catalogue: Catalogue, *, n_queries: int, n_candidates: int = N_CANDIDATES) -> list[list[Pair]]:
    """Queries of `valid` as a server gets them: each with the texts of exactly `n_candidates` products.

    They are BM25's candidates; where it finds fewer, products in the shop's order fill the list, so that every query
    is the same amount of work.
    """
    bm25 = candidates.build(catalogue)
    texts = list(catalogue.products["text"])
    asked = list(dict.fromkeys(catalogue.pairs["valid"]["query"]))[:n_queries]
    found = candidates.top(bm25, asked, n_candidates=n_candidates)
    lists = ([texts[bm25.rows[product_id]] for product_id, _ in best] for best in found)
    filled = ((chosen + texts * (1 + n_candidates // len(texts)))[:n_candidates] for chosen in lists)
    return [[(query, text) for text in chosen] for query, chosen in zip(asked, filled, strict=True)]
