"""What the open tasks of labs 07 and 08 are judged on: lists to stop in before their end, and a shop's traffic with the
machines that answer it. Everything is drawn, so nothing here is slow or depends on the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from utils.rank import metrics

N_CANDIDATES, BLOCK = 100, 10
GAINS = (100, 10, 1)  # of an exact product, a substitute, a complement
CPU_QUERIES_PER_S, CPU_USD = 6.0, 0.09  # of one instance, bursts allowed for; dollars an hour
CARD_QUERIES_PER_S, CARD_USD = 90.0, 1.0
LOST_USD = 0.0002  # of a query that nobody answers
HOURS, DAYS = 24, 7


@dataclass(frozen=True)
class ScoredLists:
    """Candidates of some queries, in the order of a first ranker.

    Attributes:
        first, second: (n_queries, n_candidates), scores of both rankers; gains: as many, what each product is worth.
    """

    first: np.ndarray
    second: np.ndarray
    gains: np.ndarray


def draw_lists(*, n_queries: int = 300, seed: int = 0) -> ScoredLists:
    """Lists as those of a shop: of some queries the good products come first, of others they lie all over the list."""
    rng = np.random.default_rng(seed)
    places, shape = np.arange(N_CANDIDATES), (n_queries, N_CANDIDATES)
    reach = np.clip(rng.lognormal(np.log(9), 0.9, (n_queries, 1)), 3, 80)  # places within which they mostly lie
    first = -np.sort(-(2 * np.exp(-places / reach) + rng.normal(0, 0.1, shape)), axis=1)
    turn = np.argsort(places / reach + rng.gumbel(size=shape), axis=1).argsort(axis=1)  # drawn, the early ones rather
    n_exact = rng.integers(3, 13, (n_queries, 1))
    kinds = np.select([turn < n_exact, turn < 2 * n_exact, turn < 4 * n_exact], [0, 1, 2], default=3)
    second = np.array([2.0, 1.2, 0.6, 0.0])[kinds] + rng.normal(0, 0.4, shape)
    return ScoredLists(first, second, np.array([*GAINS, 0])[kinds])


def depths_of(goes_on: Callable[[np.ndarray, np.ndarray], bool], lists: ScoredLists) -> np.ndarray:
    """How many candidates of each list are scored again, (n_queries,), where `goes_on` is asked after each block.

    Args:
        goes_on: from the first ranker's scores of all candidates, and the second's of those scored so far, whether
            the next block is scored as well.
    """
    depths = []
    for first, second in zip(lists.first, lists.second, strict=True):
        depth = BLOCK
        while depth < N_CANDIDATES and goes_on(first.copy(), second[:depth].copy()):
            depth += BLOCK
        depths.append(depth)
    return np.array(depths)


def ndcg_by_query(depths: np.ndarray, lists: ScoredLists) -> np.ndarray:
    """NDCG@10 of every query, (n_queries,), where of each list so many are scored again, and stand above the others."""
    found = []
    for depth, second, gains in zip(depths, lists.second, lists.gains, strict=True):
        scores = -np.arange(len(second), dtype=float) - 1e6
        scores[:depth] = second[:depth]
        found.append(metrics.ndcg10(gains, scores=scores))
    return np.array(found)


def fixed_depth(lists: ScoredLists, *, keep: float) -> int:
    """The least depth, the same for all lists, that keeps this share of the NDCG@10 of scoring everything again."""
    n_queries = len(lists.gains)
    whole = ndcg_by_query(np.full(n_queries, N_CANDIDATES), lists).mean()
    depths = range(BLOCK, N_CANDIDATES + 1, BLOCK)
    return next(one for one in depths if ndcg_by_query(np.full(n_queries, one), lists).mean() >= keep * whole)


def draw_traffic(*, n_weeks: int, seed: int = 0) -> np.ndarray:
    """Queries a second of every hour, (n_weeks, 7, 24): quiet nights, full evenings, more at weekends."""
    rng = np.random.default_rng(seed)
    hours = np.arange(HOURS)
    of_day = 0.15 + np.exp(-(((hours - 20) / 3.5) ** 2)) + 0.5 * np.exp(-(((hours - 12) / 3.0) ** 2))
    of_week = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.3, 1.5])
    weeks = rng.lognormal(0, 0.06, (n_weeks, 1, 1))
    days = rng.lognormal(0, 0.08, (n_weeks, DAYS, 1))
    each = rng.lognormal(0, 0.08, (n_weeks, DAYS, HOURS))
    return 110 * of_day * of_week[:, None] * weeks * days * each


def usd_a_week(machines: np.ndarray, weeks: np.ndarray) -> float:
    """What a week costs in the mean: the rent of the machines, and LOST_USD for each query that they cannot answer.

    Args:
        machines: (7, 24, 2), CPU instances and cards of every hour; weeks: (n_weeks, 7, 24), queries a second.

    Raises:
        ValueError: another shape, or numbers of machines that are not whole or are below 0.
    """
    machines = np.asarray(machines)
    if machines.shape != (DAYS, HOURS, 2):
        raise ValueError(f"machines of shape {machines.shape} came; give two numbers of every hour: {(DAYS, HOURS, 2)}")
    if not np.isfinite(machines).all() or (machines < 0).any() or (machines != np.round(machines)).any():
        raise ValueError("a number of machines is below 0 or not whole; only whole machines can be rented")
    rent = float((machines @ np.array([CPU_USD, CARD_USD])).sum())
    answered = machines @ np.array([CPU_QUERIES_PER_S, CARD_QUERIES_PER_S])
    lost = np.maximum(weeks - answered, 0) * 3_600
    return rent + float(lost.sum(axis=(1, 2)).mean()) * LOST_USD


def one_kind_an_hour(weeks: np.ndarray) -> np.ndarray:
    """For every hour the cheaper of instances alone and cards alone, as many as the most that was seen in it needs."""
    machines = np.zeros((DAYS, HOURS, 2), dtype=int)
    n_cpus, n_cards = (np.ceil(weeks.max(axis=0) / one).astype(int) for one in (CPU_QUERIES_PER_S, CARD_QUERIES_PER_S))
    is_cpu = n_cpus * CPU_USD <= n_cards * CARD_USD
    machines[..., 0], machines[..., 1] = np.where(is_cpu, n_cpus, 0), np.where(is_cpu, 0, n_cards)
    return machines
