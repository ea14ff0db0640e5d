"""Devices that rank for themselves and keep their answers, and what they live through in a replay of a shop's events.

Each has a cache of its own, and knows nothing of the others. How a ranker works, and on what states, is the caller's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.measure.timing import Timing, no_garbage_collection
from utils.speed import cache_replay
from utils.speed.cache import Cache, key_of
from utils.speed.cache_replay import EventClock, Search

Rank = Callable[[str], Sequence[str]]  # a query's products, best first


@dataclass
class Device:
    """A device that ranks for itself and keeps its answers.

    Attributes:
        catalogue_version: stands in the key of every answer, with the model's hash; a wrong one gives stale answers.
    """

    rank: Rank
    cache: Cache
    model_hash: str
    catalogue_version: str

    def answer(self, query: str) -> tuple[list[str], bool]:
        """The products of a query, best first, and whether the cache had them."""
        key = key_of(model_hash=self.model_hash, catalogue_version=self.catalogue_version, query=query)
        if (kept := self.cache.get(key)) is not None:
            return json.loads(kept), True
        ranked = list(self.rank(query))
        self.cache.put(key, json.dumps(ranked).encode())
        return ranked, False


def answer_times(
    device: Device, queries: Sequence[str], *, clock: Callable[[], float] = time.perf_counter
) -> tuple[Timing, Timing]:
    """Milliseconds of each query when the device ranks it, and when it has the answer: each is asked twice.

    Raises:
        ValueError: the cache had one of them before.
    """
    samples: dict[bool, list[float]] = {False: [], True: []}
    with no_garbage_collection():
        for query in dict.fromkeys(queries):
            for expected in (False, True):
                start = clock()
                _, was_cached = device.answer(query)
                samples[expected].append(1000 * (clock() - start))
                if was_cached != expected:
                    raise ValueError(f"'{query}' is to be asked of an empty cache that has room for it; give another")
    return Timing(tuple(samples[False])), Timing(tuple(samples[True]))


@dataclass(frozen=True)
class Lived:
    """What devices lived through in a replay, all searches of all devices together.

    Attributes:
        cache_bytes: of a device's cache on its disk, the mean.
    """

    n_devices: int
    n_searches: int
    hit_rate: float
    timing: Timing
    cache_bytes: float

    @property
    def mean_ms(self) -> float:
        """Of a search."""
        return float(np.mean(self.timing.samples_ms))


def halves(found: Sequence[Search]) -> tuple[list[Search], list[Search]]:
    """The searches of the first half of the time, and those of the second."""
    middle = found[-1].at_s / 2 if found else 0.0
    return [one for one in found if one.at_s < middle], [one for one in found if one.at_s >= middle]


def of_devices(found: Sequence[Search], *, n_devices: int) -> dict[str, list[Search]]:
    """The searches of the users who search most, a device each; ValueError where there are fewer users."""
    of_users = cache_replay.by_user(found)
    if len(of_users) < n_devices:
        raise ValueError(f"{n_devices} devices and {len(of_users)} users in the events; take fewer devices")
    return dict(list(of_users.items())[:n_devices])


def live(
    of_users: Mapping[str, Sequence[Search]],
    *,
    folder: Path,
    rank: Rank,
    model_hash: str,
    catalogue_version: str,
    max_bytes: int,
    ttl_s: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Lived:
    """Each user's searches on a device of their own, which begins with an empty cache in `folder`.

    A cache that an earlier life left there is removed, so a second run lives as the first one did.

    Args:
        of_users: the searches of each user, under a pseudonym, which names the cache's file.
        clock: seconds, by which answers are timed; the caches live in the events' own time.
    """
    samples, hits, n_bytes = [], 0, 0
    for user, found in of_users.items():
        events = EventClock()
        for old in folder.glob(f"{user}.sqlite*"):
            old.unlink()
        cache = Cache(folder / f"{user}.sqlite", max_bytes=max_bytes, ttl_s=ttl_s, clock=events)
        device = Device(rank, cache, model_hash, catalogue_version)
        with no_garbage_collection():
            for search in found:
                events.now_s, start = search.at_s, clock()
                _, is_hit = device.answer(search.query)
                samples.append(1000 * (clock() - start))
                hits += is_hit
        cache.close()
        n_bytes += cache.path.stat().st_size
    n_devices, n_searches = len(of_users), len(samples)
    return Lived(n_devices, n_searches, hits / max(1, n_searches), Timing(tuple(samples)), n_bytes / max(1, n_devices))
