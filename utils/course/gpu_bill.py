"""A card against CPU instances, in dollars: what notebook 08 calculates from measured CPUs and a card's data sheet.

No card is measured here. Its rate is the peak of its data sheet times the share of it that a reader assumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from utils.course import deciding, tables
from utils.measure import plots_gpu, pricing
from utils.measure.pricing import Price
from utils.measure.row_groups import Row
from utils.settings import N_CANDIDATES
from utils.speed.gpu import break_even, cards
from utils.speed.gpu.break_even import Offer

PRECISION = "bf16"  # that the card is taken to multiply in
SHOWN = (1e4, 1e8)  # queries a day, the ends of the picture


@dataclass(frozen=True)
class Rivals:
    """One model on CPU instances, as they were measured, and on a card, as it is calculated."""

    cpu: Offer
    card: Offer

    @property
    def pays_from(self) -> float | None:
        """The least traffic, in queries a day, at which the card is the cheaper of the two; None: it never is."""
        return break_even.break_even_queries_per_day(self.cpu, self.card)


def rented_card(instance: str) -> Price:
    """The price of an instance that has a card; ValueError where it has none, or there is no such instance."""
    price = pricing.price(instance)
    if price.accelerator == "none":
        with_card = [one.instance for one in pricing.load_prices().values() if one.accelerator != "none"]
        raise ValueError(f"instance '{instance}' has no card; take {' or '.join(with_card)}, or add a line for yours")
    return price


def rivals(row: Row, *, card: Price, mfu: float, host_pairs_per_s: float) -> Rivals:
    """A ledger row's model on its CPU instance and on the card.

    Args:
        mfu: the share of the data sheet's peak that the card is taken to reach.
        host_pairs_per_s: pairs that one core of the card's host makes ready for it in a second.
    """
    cpu = pricing.price(row.money.instance)
    per_core = {"n_candidates": N_CANDIDATES, "cores": row.money.cores, "vcpus": cpu.vcpus}
    peak = cards.named(card.accelerator).tflops[PRECISION]
    alone = cards.pairs_per_s_at(mfu, macs_per_pair=row.work.macs_per_pair, peak_tflops=peak)
    pairs_per_s = cards.fed(alone, host_pairs_per_s=host_pairs_per_s, cores=card.vcpus)
    return Rivals(
        Offer(cpu.instance, cpu.usd_per_hour, pricing.instance_queries_per_s(row.money.pairs_per_s, **per_core)),
        Offer(card.instance, card.usd_per_hour, pairs_per_s / N_CANDIDATES),
    )


def compare(guess: float, pays_from: float | None) -> str:
    """A predicted traffic beside the calculated one, in a sentence; the card may pay at none."""
    of = "million queries a day from which the card pays"
    if pays_from is None:
        return (
            f"{of}: predicted {guess / 1e6:.2f}, calculated: it pays at no traffic, the CPU stays the cheaper machine"
        )
    return deciding.compare(guess / 1e6, pays_from / 1e6, of=of, form=".2f").replace("measured", "calculated")


def tabulate(found: Mapping[str, Rivals]) -> pd.DataFrame:
    """Queries a second of either machine, the CPU instances that a card is worth, and the traffic that it pays from."""
    return tables.from_rows(
        {
            "model": name,
            "queries/s of a CPU instance": f"{one.cpu.queries_per_s:,.1f}",
            "of a card, calculated": f"{one.card.queries_per_s:,.0f}",
            "a card does the work of": f"{one.card.queries_per_s / one.cpu.queries_per_s:,.1f} instances",
            "and costs as many as": f"{one.card.usd_per_hour / one.cpu.usd_per_hour:,.1f}",
            "pays from": "no traffic" if one.pays_from is None else f"{one.pays_from:,.0f} queries a day",
        }
        for name, one in found.items()
    )


def draw(found: Mapping[str, Rivals], *, title: str) -> Figure:
    """Dollars an hour against the traffic, of CPU instances and of cards, for each model."""
    traffic = np.geomspace(*SHOWN, num=400)
    dollars, crossings = {}, {}
    for name, one in found.items():
        for offer, words in ((one.cpu, "measured"), (one.card, "calculated")):
            line = [break_even.usd_per_hour(queries, offer=offer) for queries in traffic]
            dollars[f"{name}, {offer.name}, {words}"] = line
        if one.pays_from is not None and SHOWN[0] <= one.pays_from <= SHOWN[1]:
            crossings[name] = (one.pays_from, break_even.usd_per_hour(one.pays_from, offer=one.card))
    return plots_gpu.fleets(dollars, queries_per_day=traffic, crossings=crossings, title=title)
