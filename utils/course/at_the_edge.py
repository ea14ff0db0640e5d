"""Answers on many devices: the article's factors D' and S' as forecast from parts, and what devices lived in a replay.

The forecast multiplies parts that were measured alone, on the first half of the shop's events. Devices that live
through the second half, each with its own cache, then say how right it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from utils.course import tables
from utils.edge import placement, pseudonyms
from utils.measure.row_groups import Row
from utils.measure.timing import Timing, no_garbage_collection
from utils.speed import cache_replay
from utils.speed.cache import Cache, key_of
from utils.speed.cache_replay import EventClock, Search

Rank = Callable[[str], Sequence[str]]  # a query's products, best first


@dataclass(frozen=True)
class Parts:
    """What a forecast is made of, each measured alone.

    Attributes:
        round_trip_ms: to the server and back, without its work; `server_ms` is its work.
        device_ms: an answer that the device ranks itself, the look into its cache included; `hit_ms` one that it has.
        hit_rate: of the cache.
        server_bytes: what the server's model takes on its disk; `bundle_bytes` the bundle on the device.
        cache_bytes: what the cache may hold.
    """

    round_trip_ms: float
    server_ms: float
    device_ms: float
    hit_ms: float
    hit_rate: float
    server_bytes: int
    bundle_bytes: int
    cache_bytes: int


@dataclass(frozen=True)
class Factors:
    """D' = D · f_local · f_cache in milliseconds, and S' = S · f_local · f_cache in bytes."""

    delay_ms: float
    delay_local: float
    delay_cache: float
    storage_bytes: float
    storage_local: float
    storage_cache: float

    @property
    def new_delay_ms(self) -> float:
        """D', the mean time to an answer on the device."""
        return self.delay_ms * self.delay_local * self.delay_cache

    @property
    def new_storage_bytes(self) -> float:
        """S', what lies on one device."""
        return self.storage_bytes * self.storage_local * self.storage_cache


@dataclass(frozen=True)
class Lived:
    """What devices lived through in a replay, all searches of all devices together."""

    n_devices: int
    n_searches: int
    hit_rate: float
    timing: Timing
    cache_bytes: float

    @property
    def mean_ms(self) -> float:
        """Of a search."""
        return float(np.mean(self.timing.samples_ms))


def forecast(parts: Parts) -> Factors:
    """The factors from parts: local takes the round trip away, the cache the ranking of what was asked before.

    A cache makes D smaller and S larger.
    """
    delay = placement.at_server_ms(round_trip_ms=parts.round_trip_ms, server_ms=parts.server_ms)
    with_cache = parts.hit_rate * parts.hit_ms + (1 - parts.hit_rate) * parts.device_ms
    return Factors(
        delay_ms=delay,
        delay_local=parts.device_ms / delay,
        delay_cache=with_cache / parts.device_ms,
        storage_bytes=parts.server_bytes,
        storage_local=parts.bundle_bytes / parts.server_bytes,
        storage_cache=(parts.bundle_bytes + parts.cache_bytes) / parts.bundle_bytes,
    )


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


def by_the_ledger(server: Row, device: Row, *, round_trip_ms: float) -> tuple[float, float]:
    """f_local of the delay and of the storage as two rows of the ledger give them, without the catalogue's part."""
    at_server = placement.at_server_ms(round_trip_ms=round_trip_ms, server_ms=server.speed.latency_ms.p50)
    return device.speed.latency_ms.p50 / at_server, device.size.disk_bytes / server.size.disk_bytes


def halves(found: Sequence[Search]) -> tuple[list[Search], list[Search]]:
    """The searches of the first half of the time, and those of the second."""
    middle = found[-1].at_s / 2
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

    Args:
        of_users: the searches of each user, under a pseudonym, which names the cache's file.
        clock: seconds, by which answers are timed; the caches live in the events' own time.
    """
    samples, hits, n_bytes = [], 0, 0
    for user, found in of_users.items():
        events = EventClock()
        cache = Cache(folder / f"{user}.sqlite", max_bytes=max_bytes, ttl_s=ttl_s, clock=events)
        device = Device(rank, cache, model_hash, catalogue_version)
        with no_garbage_collection():
            for search in found:
                events.now_s, start = search.at_s, clock()
                _, is_hit = device.answer(search.query)
                samples.append(1000 * (clock() - start))
                hits += is_hit
        n_bytes += cache.stats.n_bytes
        cache.close()
    n_devices, n_searches = len(of_users), len(samples)
    return Lived(n_devices, n_searches, hits / max(1, n_searches), Timing(tuple(samples)), n_bytes / max(1, n_devices))


def compare(parts: Parts, factors: Factors, lived: Lived) -> pd.DataFrame:
    """Forecast beside lived: hit rate, the mean time to an answer, and the bytes on one device."""
    stored = parts.bundle_bytes + lived.cache_bytes
    figures = {
        "hit rate": (f"{parts.hit_rate:.0%}", f"{lived.hit_rate:.0%}"),
        "D', ms to an answer": (f"{factors.new_delay_ms:.2f}", f"{lived.mean_ms:.2f}"),
        "D' / D": (f"{factors.new_delay_ms / factors.delay_ms:.1%}", f"{lived.mean_ms / factors.delay_ms:.1%}"),
        "S', MB on a device": (f"{factors.new_storage_bytes / 1e6:.1f}", f"{stored / 1e6:.1f}"),
        "S' / S": (
            f"{factors.new_storage_bytes / factors.storage_bytes:.1%}",
            f"{stored / factors.storage_bytes:.1%}",
        ),
    }
    return tables.from_rows({"": name, "forecast": one, "lived": other} for name, (one, other) in figures.items())


def group(parts: Parts, factors: Factors, lived: Lived) -> dict[str, float | int]:
    """The group "local" of a ledger row: `run.add_row(variant, ..., local=group(...))`."""
    return {
        "round_trip_ms": parts.round_trip_ms,
        "server_ms": parts.server_ms,
        "device_ms": parts.device_ms,
        "forecast_ms": factors.new_delay_ms,
        "lived_ms": lived.mean_ms,
        "forecast_hit_rate": parts.hit_rate,
        "hit_rate": lived.hit_rate,
        "forecast_bytes": round(factors.new_storage_bytes),
        "device_bytes": round(parts.bundle_bytes + lived.cache_bytes),
        "n_devices": lived.n_devices,
        "n_searches": lived.n_searches,
    }


def private_searches(run, *, key_file: Path | None = None) -> list[Search]:
    """The searches of a run's events under pseudonyms, which is all that anything writes of its users.

    Args:
        run: as `course.begin` gives it.
        key_file: where the key lies; beside the runs' folders when not given.
    """
    key = pseudonyms.load_key(key_file or pseudonyms.key_file(), apart_from=run.folder)
    return cache_replay.searches(pseudonyms.applied(run.catalogue, key=key))


def sent_table(*, query: str, history: Sequence[str], **parts: object) -> pd.DataFrame:
    """What leaves the device for one query in each placement: fields, bytes, and what they tell.

    Args:
        parts: as `placement.request` takes them.
    """
    found = {name: placement.sent(name, query, history, **parts) for name in placement.PLACEMENTS}
    return tables.from_rows(
        {
            "placement": name,
            "fields": ", ".join(one.fields) or "–",
            "bytes": f"{one.n_bytes:,}",
            "tells": one.tells,
        }
        for name, one in found.items()
    )
