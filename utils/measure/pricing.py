"""Dollars for a million queries, from pairs a second and a table of instances' list prices (data/prices.csv).

There is one rule: a whole instance is paid for, so what counts is what a machine does with all of its cores.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from utils import settings

UTILISATION = 0.6  # share of its time that an instance is kept busy; the rest is room for what comes in bursts
PEAK_FACTOR = 3.0  # queries a second of the busiest hour over those of the mean one
ARM = ("arm64", "aarch64")


@dataclass(frozen=True)
class Price:
    """An instance's list price on demand, with where and when it was read; `accelerator` is "none" or its name."""

    instance: str
    provider: str
    architecture: str
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


def default_instance(architecture: str) -> str:
    """The instance that a machine's figures are priced by: a CPU of its own kind, as `platform.machine()` calls it."""
    kind = "arm64" if architecture.lower() in ARM else "x86_64"
    return next(p.instance for p in load_prices().values() if (p.architecture, p.accelerator) == (kind, "none"))


def instance_queries_per_s(pairs_per_s: float, *, n_candidates: int, cores: int, vcpus: int) -> float:
    """Queries a second of a whole instance, from pairs a second of this machine with all of its cores.

    Two assumptions: a virtual CPU does what a core here does, and where the instance has another number of them,
    throughput grows in step.
    """
    return pairs_per_s / n_candidates * vcpus / cores


def usd_per_million_queries(usd_per_hour: float, *, queries_per_s: float, utilisation: float = UTILISATION) -> float:
    """Dollars for a million queries on instances busy for that share of the time."""
    if not queries_per_s > 0 or not 0 < utilisation <= 1:
        raise ValueError("queries_per_s must be above 0, and utilisation above 0 and at most 1")
    return usd_per_hour / (3600 * queries_per_s * utilisation) * 1e6


def n_instances(
    queries_per_day: float,
    *,
    queries_per_s: float,
    peak_factor: float = PEAK_FACTOR,
    utilisation: float = UTILISATION,
) -> int:
    """Whole instances for a day's traffic at its busiest, each of which answers `queries_per_s` at most."""
    if not queries_per_s > 0 or not 0 < utilisation <= 1 or not peak_factor >= 1:
        raise ValueError("queries_per_s must be above 0, utilisation above 0 and at most 1, peak_factor at least 1")
    return math.ceil(queries_per_day * peak_factor / (86_400 * queries_per_s * utilisation))
