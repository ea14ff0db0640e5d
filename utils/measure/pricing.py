"""Dollars for a million queries, from pairs a second and a table of instances' list prices (data/prices.csv)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from utils import settings

UTILISATION = 0.6


@dataclass(frozen=True)
class Price:
    """An instance's list price on demand, with where and when it was read; `accelerator` is "none" or its name."""

    instance: str
    provider: str
    vcpus: int
    memory_gib: float
    accelerator: str
    usd_per_hour: float
    region: str
    source: str
    date: str


def load_prices(path: Path = settings.DATA / "prices.csv") -> dict[str, Price]:
    """The price table by instance name."""
    with path.open(newline="") as file:
        rows = [
            row
            | {
                "vcpus": int(row["vcpus"]),
                "memory_gib": float(row["memory_gib"]),
                "usd_per_hour": float(row["usd_per_hour"]),
            }
            for row in csv.DictReader(file)
        ]
    return {row["instance"]: Price(**row) for row in rows}


def price(instance: str) -> Price:
    """The price of an instance; ValueError naming those there are."""
    prices = load_prices()
    if instance not in prices:
        raise ValueError(
            f"data/prices.csv: no instance '{instance}'; there are {', '.join(prices)}; add a line for yours"
        )
    return prices[instance]


def instance_queries_per_s(pairs_per_s: float, *, n_candidates: int, threads: int, vcpus: int) -> float:
    """Queries a second of a whole instance, from pairs a second on `threads` threads of this machine.

    Two assumptions: a virtual CPU does what one thread here does, and throughput grows in step with their number.
    """
    return pairs_per_s / n_candidates * vcpus / threads


def usd_per_million_queries(usd_per_hour: float, *, queries_per_s: float, utilisation: float = UTILISATION) -> float:
    """Dollars for a million queries on instances busy for that share of the time."""
    if not queries_per_s > 0 or not 0 < utilisation <= 1:
        raise ValueError("queries_per_s must be above 0, and utilisation above 0 and at most 1")
    return usd_per_hour / (3600 * queries_per_s * utilisation) * 1e6
