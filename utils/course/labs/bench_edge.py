"""What the open tasks of labs 11 and 12 are judged on: searches that a cache on a device answers, and the tokens that a
runtime of fixed shapes computes. Everything is drawn, so nothing here is slow or depends on the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

N_DAYS, N_QUERIES = 10, 3_000  # of a stream, and how many there are to choose from
ONCE = 0.35  # of the searches are for something that nobody else looks for
CACHE_BYTES = 40_000
LONGEST, N_LENGTHS, N_ROWS = 64, 3, 20  # tokens of a pair at most; forms of a runtime, and the rows of each


@dataclass(frozen=True)
class Search:
    """A search: when, for what, and how many bytes the answer would take in the cache, its key included."""

    at_s: float
    key: str
    n_bytes: int


@dataclass(frozen=True)
class Entry:
    """What a cache knows of an entry: its size, how often it was asked for since it came, and when that was."""

    n_bytes: int
    n_uses: int
    stored_s: float
    used_s: float


def draw_searches(*, n_searches: int = 4_000, seed: int = 0) -> list[Search]:
    """Searches of some days: a few queries come again and again, many only once, and every day has favourites."""
    rng = np.random.default_rng(seed)
    at_s = np.sort(rng.uniform(0, N_DAYS * 86_400, n_searches))
    sizes = np.clip(rng.lognormal(np.log(500), 1.0, N_QUERIES), 80, 8_000).astype(int)
    favour = 1 / (1 + rng.permutation(N_QUERIES)) ** 0.9
    of_day = [favour * rng.lognormal(0, 1.0, N_QUERIES) for _ in range(N_DAYS)]
    found = []
    for number, second in enumerate(at_s):
        if rng.random() < ONCE:
            found.append(
                Search(float(second), f"once {number}", int(np.clip(rng.lognormal(np.log(500), 1.0), 80, 8_000)))
            )
            continue
        shares = of_day[min(int(second // 86_400), N_DAYS - 1)]
        query = int(rng.choice(N_QUERIES, p=shares / shares.sum()))
        found.append(Search(float(second), f"query {query}", int(sizes[query])))
    return found


def hit_rate(
    to_evict: Callable[[dict[str, Entry], float], str], searches: Sequence[Search], *, max_bytes: int = CACHE_BYTES
) -> float:
    """The share of the searches that a cache answers; what it does not know it keeps, and others go until it fits.

    Args:
        to_evict: from the entries by key, and the time in seconds, the key of the one that goes.

    Raises:
        ValueError: `to_evict` gives a key that is not in the cache.
    """
    entries: dict[str, Entry] = {}
    n_bytes = n_hits = 0
    for search in searches:
        if one := entries.get(search.key):
            n_hits += 1
            entries[search.key] = Entry(one.n_bytes, one.n_uses + 1, one.stored_s, search.at_s)
            continue
        while entries and n_bytes + search.n_bytes > max_bytes:
            key = to_evict(dict(entries), search.at_s)
            if key not in entries:
                raise ValueError(f"{key!r} came; give the key of an entry, such as {next(iter(entries))!r}")
            n_bytes -= entries.pop(key).n_bytes
        entries[search.key] = Entry(search.n_bytes, 1, search.at_s, search.at_s)
        n_bytes += search.n_bytes
    return n_hits / len(searches)


def least_recently_used(entries: Mapping[str, Entry], now_s: float) -> str:
    """The key that nobody has asked for longest."""
    return min(entries, key=lambda key: entries[key].used_s)


def draw_tokens(*, n_queries: int = 200, n_candidates: int = 100, seed: int = 0) -> np.ndarray:
    """Tokens of the pairs of some queries, (n_queries, n_candidates): most titles are short, some fill the limit."""
    rng = np.random.default_rng(seed)
    of_query = rng.integers(4, 11, (n_queries, 1))
    is_long = rng.random((n_queries, n_candidates)) < rng.beta(1, 6, (n_queries, 1))
    of_product = np.where(is_long, rng.normal(48, 8, is_long.shape), rng.normal(16, 4, is_long.shape))
    return np.clip(of_query + of_product.astype(int), 8, LONGEST)


def tokens_a_query(lengths: Sequence[int], n_tokens: np.ndarray) -> float:
    """Tokens that are computed for a query in the mean, fillers included.

    A query's pairs go from the shortest to the longest, N_ROWS at a time, each time in the shortest form that holds
    the longest of them.

    Args:
        lengths: N_LENGTHS of them at most, the longest of which holds every pair; n_tokens: (n_queries, n_candidates).

    Raises:
        ValueError: there are more, one is not a whole number, or the longest is too short.
    """
    forms = sorted(set(lengths))
    if not 0 < len(forms) <= N_LENGTHS or any(one != int(one) or one < 1 for one in forms):
        raise ValueError(f"{list(lengths)} came; give {N_LENGTHS} whole numbers of tokens at most")
    if forms[-1] < LONGEST:
        raise ValueError(f"the longest form has {forms[-1]} tokens; pairs have up to {LONGEST}")
    in_order = np.sort(n_tokens, axis=1)
    last_of_each = in_order[:, [*range(N_ROWS - 1, in_order.shape[1] - 1, N_ROWS), in_order.shape[1] - 1]]
    computed = np.array(forms)[np.searchsorted(forms, last_of_each)] * N_ROWS
    return float(computed.sum(axis=1).mean())


def even_lengths() -> list[int]:
    """The longest pair cut into equal steps: the forms that come to mind first."""
    return [round(LONGEST * (step + 1) / N_LENGTHS) for step in range(N_LENGTHS)]
