"""Answers on many devices: the article's factors D' and S' as forecast from parts, and what devices lived in a replay.

The forecast multiplies parts that were measured alone, on the first half of the shop's events. Devices that live
through the second half, each with its own cache, then say how right it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from utils import disk
from utils.course import releases, tables
from utils.course.releases import Shop
from utils.data import candidates
from utils.data.candidates import Bm25
from utils.edge import engines, in_split, manifest, placement, product_store, pseudonyms, split_folder
from utils.edge.devices import Lived
from utils.measure.row_groups import Row
from utils.rank import runtimes
from utils.rank.ranker import Ranker
from utils.speed import cache_replay
from utils.speed.cache_replay import Search


def ranked(query: str, *, texts: Mapping[str, str], bm25: Bm25, ranker: Ranker, n_candidates: int) -> list[str]:
    """A query's products, best first: BM25's candidates of those that the shop has, in the ranker's order.

    Args:
        texts: what the shop has today, by product_id; the index may be of another day.
    """
    (found,) = candidates.top(bm25, [query], n_candidates=n_candidates)
    ids = [one for one, _ in found if one in texts]
    scores = ranker.score([(query, texts[one]) for one in ids])
    return [ids[place] for place in np.argsort(-scores, kind="stable")]


def in_shop(**how: object) -> Callable[[Shop, str], list[str]]:
    """How a query is ranked in the shop of one day, for `releases.faults_by_update`.

    Args:
        how: what else `ranked` takes.
    """
    return lambda shop, query: ranked(query, texts=shop.texts, **how)


def release(run, shop: Shop, *, version: int, folder: Path) -> Path:
    """A bundle of the stage `split` for this day's shop: its graphs, and the states of every product in int8.

    The weights stay behind: on the device the graphs are run.
    """
    stage = run.stage("split")
    shipped = [path.relative_to(stage) for path in runtimes.shipped_files(stage, runtime=engines.SPLIT)]
    files = [str(path) for path in shipped if path.parts[0] != in_split.STORE]
    model, tokenizer = split_folder.load(stage)
    with disk.scratch(folder.with_name(f"{folder.name}-states")) as store:
        product_store.build(shop.texts.values(), model=model, tokenizer=tokenizer, folder=store / in_split.STORE)
        parts = {"model": stage, "store": store / in_split.STORE, "weights": in_split.FACTS, "files": files}
        return releases.release(folder, shop, version=version, **parts)


def open_bundle(folder: Path, *, threads: int) -> in_split.SplitRanker:
    """The ranker of an installed bundle: its graphs, and the states beside them."""
    return in_split.open_parts(folder / manifest.MODEL, store=folder / manifest.STATES, threads=threads)


def server_of(ranker: Ranker, **how: object) -> Callable[[dict], dict]:
    """What a server answers with this ranker: from a request's query to the products in order.

    Args:
        how: as `ranked` takes them.
    """

    def answer(request: dict) -> dict:
        return {"ranked": ranked(request["query"], ranker=ranker, **how)}

    return answer


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


def by_the_ledger(server: Row, device: Row, *, round_trip_ms: float) -> tuple[float, float]:
    """f_local of the delay and of the storage as two rows of the ledger give them, without the catalogue's part."""
    at_server = placement.at_server_ms(round_trip_ms=round_trip_ms, server_ms=server.speed.latency_ms.p50)
    return device.speed.latency_ms.p50 / at_server, device.size.disk_bytes / server.size.disk_bytes


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


STAND_IN = {"n_searches": 4000, "n_users": 70}  # where a shop has no events; as many as the embedded shop has


def private_searches(run, *, key_file: Path | None = None) -> list[Search]:
    """The searches of a run's events under pseudonyms, which is all that anything writes of its users.

    A shop without events gets `cache_replay.drawn` in their place.

    Args:
        run: as `course.begin` gives it.
        key_file: where the key lies; beside the runs' folders when not given.
    """
    if run.catalogue.events is None:
        return cache_replay.drawn(run.catalogue.train_queries(), **STAND_IN, seed=0)
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
