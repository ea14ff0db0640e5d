"""A shop's event stream played through a cache: how many searches it would have answered, by its size.

The stream is `Catalogue.events`; each search of it is asked once, in the order of time, at the time it was made.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from utils.data.catalogue import Catalogue
from utils.speed.cache import Cache, Stats, key_of


@dataclass(frozen=True)
class Search:
    """One search of the event stream; `at_s` is seconds since the first one, as exact as the events' times are."""

    at_s: float
    user_id: str
    query: str


@dataclass
class EventClock:
    """A clock that shows the time of the search that is being replayed."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def searches(catalogue: Catalogue) -> list[Search]:
    """The searches behind a shop's events, in the order of time.

    A search is the rows of one user, time and query whose positions rise: where the position falls, or stays, the next
    one begins.

    Raises:
        ValueError: the shop has no events, or a time is not ISO 8601; names the row.
    """
    if catalogue.events is None:
        raise ValueError(f"{catalogue.name} has no events.csv; add one, or use the embedded shop")
    queries = dict(zip(catalogue.queries["query_id"][:], catalogue.queries["query"][:], strict=True))
    columns = (catalogue.events[name][:] for name in ("time", "user_id", "query_id", "position"))
    found, last = [], None
    for row, (time, user_id, query_id, position) in enumerate(zip(*columns, strict=True)):
        identity, place = (time, user_id, query_id), float(position)
        begins = last is None or last[0] != identity or place <= last[1]
        last = (identity, place)
        if begins and query_id in queries:
            found.append((_seconds(time, row=row), user_id, queries[query_id]))
    found.sort(key=lambda one: one[0])
    return [Search(at_s - found[0][0], user_id, query) for at_s, user_id, query in found]


def drawn(queries: Sequence[str], *, n_searches: int, n_users: int, seed: int) -> list[Search]:
    """A stand-in for shops without events: searches drawn from their queries, a minute apart.

    The n-th most frequent query and the n-th most busy user are drawn with a share that falls as 1 / n, as in many logs
    of searches. So the hit rates of such a replay say how a cache works, and not what it will do in that shop.

    Source: Breslau et al., "Web Caching and Zipf-like Distributions", 1999, https://doi.org/10.1109/INFCOM.1999.749260
    """
    rng = np.random.default_rng(seed)
    order, ranks = rng.permutation(len(queries)), np.arange(1, len(queries) + 1)
    asked = rng.choice(order, size=n_searches, p=1 / ranks / (1 / ranks).sum())
    of_users = np.arange(1, n_users + 1)
    users = rng.choice(of_users, size=n_searches, p=1 / of_users / (1 / of_users).sum())
    pairs = enumerate(zip(asked, users, strict=True))
    return [Search(60.0 * number, f"u{user:03d}", queries[row]) for number, (row, user) in pairs]


def _seconds(time: str, *, row: int) -> float:
    try:
        found = datetime.fromisoformat(time)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        raise ValueError(f"events.csv row {row + 1}: '{time}' is no time; write it as 2026-01-31T08:30:00") from None


def by_user(found: Sequence[Search]) -> dict[str, list[Search]]:
    """The searches of each user, those with the most searches first."""
    of_users: dict[str, list[Search]] = {}
    for search in found:
        of_users.setdefault(search.user_id, []).append(search)
    return dict(sorted(of_users.items(), key=lambda item: -len(item[1])))


def replay(
    found: Sequence[Search],
    *,
    cache: Cache,
    clock: EventClock,
    answer: Callable[[str], bytes],
    model_hash: str = "",
    version_at: Callable[[float], str] = lambda at_s: "",
) -> Stats:
    """Ask a cache for every search in turn, and put in what it does not have; what it saw in this replay.

    Args:
        clock: the clock that the cache was made with.
        answer: the bytes to keep for a query. It is called once a miss, so that a model may stand behind it; work is
            saved in the share `Stats.hit_rate` of all answers.
        version_at: the catalogue's version at a time, in seconds since the first search.

    Raises:
        ValueError: the cache has another clock.
    """
    if cache.clock is not clock:
        raise ValueError("the cache must be made with the replay's own clock: Cache(..., clock=clock)")
    for search in found:
        clock.now_s = search.at_s
        key = key_of(model_hash=model_hash, catalogue_version=version_at(search.at_s), query=search.query)
        if cache.get(key) is None:
            cache.put(key, answer(search.query))
    return cache.stats


def by_size(found: Sequence[Search], *, sizes: Sequence[int], value: bytes, ttl_s: float | None) -> dict[int, Stats]:
    """What caches of these sizes, in bytes, see of the same stream, when every answer is kept as `value`."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            clock = EventClock()
            cache = Cache(Path(folder) / f"{size}.sqlite", max_bytes=size, ttl_s=ttl_s, clock=clock)
            results[size] = replay(found, cache=cache, clock=clock, answer=lambda query: value)
            cache.close()
    return results


def hit_rates_of_devices(
    of_users: Mapping[str, Sequence[Search]], *, sizes: Sequence[int], value: bytes
) -> dict[int, float]:
    """The hit rate of devices that have a cache of these bytes each, all searches of all devices together."""
    each = [by_size(found, sizes=sizes, value=value, ttl_s=None) for found in of_users.values()]
    n_searches = sum(map(len, of_users.values()))
    return {size: sum(one[size].hits for one in each) / max(1, n_searches) for size in sizes}


def most_possible(found: Sequence[Search]) -> float:
    """The hit rate of a cache that forgets nothing: the share of searches whose query came before."""
    queries = {key_of(model_hash="", catalogue_version="", query=search.query) for search in found}
    return 1 - len(queries) / max(1, len(found))


def work(stats: Stats, *, macs_a_query: int) -> Mapping[str, int]:
    """MACs that were saved and spent, where a miss costs so many."""
    return {"saved": stats.hits * macs_a_query, "spent": stats.misses * macs_a_query}
