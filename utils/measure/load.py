"""Load: the queries that a ranker is timed on, and several of them in flight at a time.

One query at a time is timed in `timing`, where rankers take turns. What a whole machine does is as many queries under
way as it has cores, each on one thread: nothing has to be divided, and no core waits for another.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from utils.data import candidates
from utils.data.catalogue import Catalogue
from utils.measure import timing
from utils.measure.timing import Rate, Timing
from utils.rank.ranker import Pair, Ranker
from utils.rank.runtimes import SizedRanker
from utils.settings import N_CANDIDATES


class OpenOn(Protocol):
    """Opens a ranker on that many threads."""

    def __call__(self, *, threads: int) -> SizedRanker: ...


@dataclass
class SideBySide:
    """A ranker that gives each of its rankers a part of the pairs, in their order; all work at the same time.

    Attributes:
        rankers: of the same model, none of which shares a tokenizer with another.
    """

    rankers: Sequence[SizedRanker]

    @property
    def batch_size(self) -> int:
        """Of every one of them."""
        return self.rankers[0].batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        for ranker in self.rankers:
            ranker.batch_size = size

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """As `Ranker.score`."""
        n, n_parts = len(pairs), len(self.rankers)
        parts = [pairs[n * i // n_parts : n * (i + 1) // n_parts] for i in range(n_parts)]
        with ThreadPoolExecutor(max_workers=n_parts) as pool:
            scores = list(pool.map(lambda ranker, part: ranker.score(part), self.rankers, parts))
        return np.concatenate(scores)


def rates_on_all_cores(
    ways: Mapping[str, OpenOn], *, cores: int, queries: Sequence[Sequence[Pair]], batch_sizes: Sequence[int] = (16, 64)
) -> dict[str, Rate]:
    """Pairs a second of each way of running a model on a whole machine, by turns, at its best batch size.

    In a turn as many queries are under way as there are cores, each on one thread.

    Raises:
        ValueError: no queries, or too few pairs for a batch.
    """
    rankers = {name: SideBySide([open_one(threads=1) for _ in range(cores)]) for name, open_one in ways.items()}
    work = [sum(queries[start : start + cores], []) for start in range(0, len(queries), cores)]
    return timing.throughput(rankers, work=work, batch_sizes=batch_sizes)


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


def in_flight(
    open_ranker: Callable[[], Ranker],
    *,
    queries: Sequence[Sequence[Pair]],
    n_in_flight: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, object]:
    """Score the queries with `n_in_flight` of them under way at any time, as a server under load does.

    Each worker has a ranker of its own, since tokenizers cannot be shared, and has scored one query untimed before the
    clock starts.

    Returns:
        The group "load" of a ledger row: in_flight, queries_per_s over the whole time, and latency_ms of a query.

    Raises:
        ValueError: no query for every worker.
    """
    if not 1 <= n_in_flight <= len(queries):
        raise ValueError(f"in_flight: {n_in_flight} workers and {len(queries)} queries; give each at least one query")
    rankers = [open_ranker() for _ in range(n_in_flight)]
    for ranker in rankers:
        ranker.score(queries[0])
    waiting, samples = itertools.count(), [0.0] * len(queries)

    def work(ranker: Ranker) -> None:
        while (number := next(waiting)) < len(queries):
            begun = clock()
            ranker.score(queries[number])
            samples[number] = 1000 * (clock() - begun)

    start = clock()
    with ThreadPoolExecutor(max_workers=n_in_flight) as pool:
        list(pool.map(work, rankers))
    seconds = clock() - start
    latency = Timing(tuple(samples)).as_row().model_dump()
    return {"in_flight": n_in_flight, "queries_per_s": len(queries) / seconds, "latency_ms": latency}
