"""A shop that changes overnight: titles, prices, stock, products that vanish; and what is then wrong of an answer.

Days are made from the course's catalogue, which has neither prices nor stock, with a seed. What a device shows is
compared with the shop of today, and what prevents a wrong answer is counted in bytes.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pandas as pd

from utils import disk
from utils.course import tables
from utils.data.catalogue import Catalogue
from utils.edge import bundle, delta, products
from utils.edge.manifest import CATALOGUE
from utils.edge.products import Facts

SHARES = {"titles": 0.01, "prices": 0.05, "stock": 0.03, "gone": 0.005}  # of all products, a day
NOTHING = "yesterday's answers"
FACTS_ONLY = "yesterday's order, today's prices and stock"
DELTA = "today's delta, version in the key"
DEAREST = 200.0  # about, in the shop's currency


@dataclass(frozen=True)
class Shop:
    """What a shop sells on one day.

    Attributes:
        texts: what a ranker reads of each product, by its id.
        facts: price and stock of each.
    """

    day: int
    texts: Mapping[str, str]
    facts: Mapping[str, Facts]

    @property
    def version(self) -> str:
        """The catalogue's version, which stands in the key of what is cached: of the texts alone."""
        return products.version_of(self.texts)


@dataclass(frozen=True)
class Changes:
    """How many products differ between two days, by what differs."""

    titles: int
    prices: int
    stock: int
    gone: int


@dataclass(frozen=True)
class Line:
    """One line of an answer as a device showed it."""

    product_id: str
    text: str
    price: float


@dataclass(frozen=True)
class Faults:
    """What is wrong with lines that were shown, held against the shop of today."""

    n_lines: int
    gone: int
    sold_out: int
    other_text: int
    other_price: int

    @property
    def n_wrong(self) -> int:
        """All faults together; a line that is gone has no other fault."""
        return self.gone + self.sold_out + self.other_text + self.other_price


def opening(catalogue: Catalogue, *, seed: int) -> Shop:
    """The shop on day 1: the catalogue's products with prices and stock."""
    rng = random.Random(seed)
    ids, texts = catalogue.products["product_id"][:], catalogue.products["text"][:]
    facts = {one: Facts(round(rng.uniform(0.02, 1) * DEAREST, 2), rng.random() > SHARES["stock"]) for one in ids}
    return Shop(1, dict(zip(ids, texts, strict=True)), facts)


def next_day(shop: Shop, *, seed: int) -> Shop:
    """The shop a day later: of each kind of change SHARES of all products, at least one, but never the last product.

    A title takes one word of another product's text in the place of one of its own.
    """
    rng = random.Random(f"{seed}-{shop.day}")
    texts, facts, ids = dict(shop.texts), dict(shop.facts), sorted(shop.texts)
    some = {kind: rng.sample(ids, max(1, round(share * len(ids)))) for kind, share in SHARES.items()}
    for one in some["titles"]:
        texts[one] = _retold(rng, texts[one], other=texts[rng.choice(ids)])
    for one in some["prices"]:
        facts[one] = replace(facts[one], price=round(facts[one].price * rng.choice((0.8, 0.9, 1.1, 1.25)), 2))
    for one in some["stock"]:
        facts[one] = replace(facts[one], in_stock=not facts[one].in_stock)
    for one in some["gone"][: len(ids) - 1]:
        del texts[one], facts[one]
    return Shop(shop.day + 1, texts, facts)


def _retold(rng: random.Random, text: str, *, other: str) -> str:
    words = text.split() or [""]
    place = rng.randrange(min(4, len(words)))  # the first words are the title's
    words[place] = rng.choice([word for word in other.split() if word != words[place]] or ["new"])
    return " ".join(words)


def changes(before: Shop, after: Shop) -> Changes:
    """How many products changed in each way, and how many vanished."""
    both = before.texts.keys() & after.texts.keys()
    return Changes(
        titles=sum(before.texts[one] != after.texts[one] for one in both),
        prices=sum(before.facts[one].price != after.facts[one].price for one in both),
        stock=sum(before.facts[one].in_stock != after.facts[one].in_stock for one in both),
        gone=len(before.texts.keys() - after.texts.keys()),
    )


def shown(ranked: Sequence[str], *, shop: Shop, limit: int = 10) -> list[Line]:
    """The lines that a device with this shop's catalogue shows for an order of products."""
    available = products.to_show(ranked, facts=shop.facts, limit=limit)
    return [Line(one, shop.texts[one], price) for one, price in available]


def faults(lines: Sequence[Line], *, today: Shop) -> Faults:
    """What is wrong with lines that are shown today."""
    there = [line for line in lines if line.product_id in today.texts]
    return Faults(
        n_lines=len(lines),
        gone=len(lines) - len(there),
        sold_out=sum(not today.facts[line.product_id].in_stock for line in there),
        other_text=sum(today.texts[line.product_id] != line.text for line in there),
        other_price=sum(today.facts[line.product_id].price != line.price for line in there),
    )


def faults_by_update(
    queries: Sequence[str], *, before: Shop, after: Shop, rank: Callable[[Shop, str], Sequence[str]]
) -> dict[str, Faults]:
    """The faults in today's answers, by what a device got of today: nothing, the facts alone, or all by a delta.

    Without a delta the order of yesterday stands, as a cache without a version in its key gives it.

    Args:
        rank: the products of a query in that shop, best first.
    """
    old, new = ([rank(shop, query) for query in queries] for shop in (before, after))
    believed = {
        NOTHING: (old, before),
        FACTS_ONLY: (old, Shop(after.day, before.texts, after.facts)),
        DELTA: (new, after),
    }
    lines = {
        way: [line for ranked in orders for line in shown(ranked, shop=shop)]
        for way, (orders, shop) in believed.items()
    }
    return {way: faults(of_way, today=after) for way, of_way in lines.items()}


def fault_table(found: Mapping[str, Faults]) -> pd.DataFrame:
    """One line a way of answering: how many lines it showed, and the faults by their kind."""
    names = {field.name: field.name.replace("_", " ") for field in fields(Faults)} | {"n_lines": "lines shown"}
    rows = ({names[name]: value for name, value in vars(one).items()} for one in found.values())
    return tables.from_rows({"answered by": way} | row for way, row in zip(found, rows, strict=True))


@dataclass(frozen=True)
class Update:
    """What a day's change costs a device in bytes, by how it is sent; `facts` are prices and stock alone, packed."""

    whole: int
    delta: int
    facts: int


def release(
    folder: Path,
    shop: Shop,
    *,
    version: int,
    model: Path,
    store: Path,
    weights: str = "model.safetensors",
    files: Iterable[str] | None = None,
) -> Path:
    """A bundle of this day's shop with a model and the states that it made; arguments and errors of `bundle.make`."""
    with disk.scratch(folder.with_name(f"{folder.name}-catalogue")) as beside:
        catalogue = products.write(beside / CATALOGUE, texts=shop.texts, facts=shop.facts)
        parts = {"model": model, "store": store, "catalogue": catalogue}
        bundle.make(folder, version=version, weights=weights, files=files, **parts)
    return folder


def update(old: Path, new: Path, *, folder: Path) -> Update:
    """The bytes of an update from one bundle to the next; the delta is written into `folder`.

    Raises:
        Refused: a bundle is damaged.
    """
    of_delta = delta.make(old, new, folder=folder)
    facts = zlib.compress((new / CATALOGUE / products.FACTS).read_bytes(), 9)
    return Update(whole=delta.n_bytes(new), delta=of_delta, facts=len(facts))


def prevention_table(update: Update, *, found: Mapping[str, Faults], cached_bytes: int) -> pd.DataFrame:
    """What each way of answering sends to the device, what it throws away of its cache, and the faults that are left.

    Args:
        found: as `faults_by_update` gives them.
        cached_bytes: of answers that are made anew because the catalogue's version stands in their key.
    """
    sent = {NOTHING: 0, FACTS_ONLY: update.facts, DELTA: update.delta}
    return tables.from_rows(
        {
            "answered by": way,
            "bytes sent": f"{n_bytes:,}",
            "of a whole bundle": f"{n_bytes / update.whole:.2%}",
            "cached bytes made anew": f"{cached_bytes if way == DELTA else 0:,}",
            "wrong of lines shown": f"{found[way].n_wrong:,} of {found[way].n_lines:,}",
        }
        for way, n_bytes in sent.items()
    )
