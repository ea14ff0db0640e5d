"""From which traffic a card is cheaper than CPU instances. Whole machines are rented, so both bills are staircases.

Prices and the share of its time that a machine may be busy are those of `utils.measure.pricing`. Nothing is measured
here: what a machine answers in a second is put in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from utils.measure import pricing

MOST_QUERIES_PER_DAY = 1e10  # as many as the largest search engines answer; beyond it nobody shops


@dataclass(frozen=True)
class Offer:
    """One kind of machine that can be rented.

    Attributes:
        queries_per_s: that one whole machine answers at most, each with all its candidates.
    """

    name: str
    usd_per_hour: float
    queries_per_s: float


def instances(queries_per_day: float, *, offer: Offer) -> int:
    """Whole machines for a day's traffic at its busiest hour, one at least: who sells is never closed."""
    return max(1, pricing.n_instances(queries_per_day, queries_per_s=offer.queries_per_s))


def usd_per_hour(queries_per_day: float, *, offer: Offer) -> float:
    """What the machines for that traffic cost together."""
    return instances(queries_per_day, offer=offer) * offer.usd_per_hour


def break_even_queries_per_day(usual: Offer, other: Offer, *, at_most: float = MOST_QUERIES_PER_DAY) -> float | None:
    """The least traffic, in whole queries a day, at which the other offer costs less than the usual one.

    The bill of the usual offer rises where one of its machines is full, and the other can only become the cheaper one
    there. With more traffic the two may change places again, where the other needs its next machine.

    Returns:
        0 where the other is cheaper from the first query on; None where it is not up to `at_most`.
    """
    if other.usd_per_hour < usual.usd_per_hour:
        return 0.0
    for traffic in _steps(usual, at_most=at_most):
        dearer = _machines(traffic, usual) * usual.usd_per_hour > _machines(traffic, other) * other.usd_per_hour
        if dearer.any():
            return float(traffic[dearer.argmax()])
    return None


def _steps(offer: Offer, *, at_most: float, at_once: int = 1 << 16) -> Iterator[np.ndarray]:
    """The traffics at which the offer needs one machine more, the least first, in pieces of many."""
    day = 86_400 * offer.queries_per_s * pricing.UTILISATION / pricing.PEAK_FACTOR  # queries that fill one machine
    n_full = int(at_most // day)
    for start in range(1, n_full + 1, at_once):
        yield np.floor(np.arange(start, min(start + at_once, n_full + 1)) * day) + 1


def _machines(queries_per_day: np.ndarray, offer: Offer) -> np.ndarray:
    """As `instances`, for many traffics at once."""
    busiest = queries_per_day * pricing.PEAK_FACTOR / (86_400 * offer.queries_per_s * pricing.UTILISATION)
    return np.maximum(1, np.ceil(busiest))
