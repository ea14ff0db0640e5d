"""The embedded shop: one fixed catalogue with queries, judgements of some of them, and users' events.

Nothing here is random between runs: the shop is the same on every machine. Its types and words are in `rules` and
`words`, its queries in `queries`, what judges said in `judging`. Descriptions mention other products, and titles use
other words than shoppers do, as in real shops, so counting words is not enough.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache, cached_property

from utils.data import labels
from utils.data.shop import judging
from utils.data.shop.judging import N_JUDGED_QUERIES
from utils.data.shop.queries import Query, make_queries
from utils.data.shop.rules import Product, by_type, grade, say, types, words
from utils.data.shop.words import BRANDS

SHOP_SEED = 20_260
N_PRODUCTS = 5_000


GAINS = labels.NAMED["ESCI"]  # of the labels that the rule gives


@dataclass(frozen=True, eq=False)
class Shop:
    """Products and queries as the rules see them, and the products as the shop describes them."""

    products: list[Product]
    queries: list[Query]
    rows: list[dict]

    @cached_property
    def queries_by_id(self) -> dict[str, Query]:
        """Every query, the log's too."""
        return {query.query_id: query for query in self.queries}

    def true_labels(self, query_id: str) -> dict[str, str]:
        """The label of every product for a query, by the rule and without any judge's slip."""
        intent = self.queries_by_id[query_id].intent
        return {product.product_id: grade(intent, product) for product in self.products}


@cache
def shop() -> Shop:
    """The shop; made once per process, in seconds."""
    rng = random.Random(SHOP_SEED)
    products = make_products(rng)
    queries = make_queries(rng, products=products)
    return Shop(products, queries, [product_row(rng, product) for product in products])


def gains(query_id: str) -> dict[str, int]:
    """The gain of every product of the shop for a query, by the rule."""
    return {product_id: GAINS[label] for product_id, label in shop().true_labels(query_id).items()}


@cache
def tables(*, n_judged_queries: int = N_JUDGED_QUERIES) -> dict[str, list[dict]]:
    """The shop's files as rows, in the layout of `catalogue`.

    Args:
        n_judged_queries: of train; the others are the log, from which the events are drawn.
    """
    found, seed = shop(), SHOP_SEED
    judgements = judging.judge(found.queries, products=found.products, n_judged_queries=n_judged_queries, seed=seed)
    judged = {row["query_id"] for row in judgements}
    log = [query for query in found.queries if query.query_id not in judged]
    rows = {
        "queries.csv": [query_row(query) for query in found.queries],
        "products.csv": [dict(row) for row in found.rows],
        "labels.csv": judgements,
        "events.csv": make_events(random.Random(SHOP_SEED), log=log, products=found.products),
    }
    for table in rows.values():
        for line, row in enumerate(table, start=2):
            row["line"] = line
    return rows


def make_products(rng: random.Random) -> list[Product]:
    """Products of all types in equal numbers, ids in random order so that an id says nothing."""
    ids = rng.sample(range(N_PRODUCTS), N_PRODUCTS)
    kinds = list(types().values())
    products = []
    for i, number in enumerate(ids):
        kind = kinds[i % len(kinds)]
        values = {attribute: rng.choice(list(words()[attribute])) for attribute in kind.attributes}
        products.append(Product(f"p{number:04d}", kind, rng.choice(BRANDS), values))
    return sorted(products, key=lambda product: product.product_id)


def product_row(rng: random.Random, product: Product) -> dict:
    """How the shop describes a product: a part of what is true in the title, the rest in the attributes."""
    said = {a: say(rng, words()[a][v][0]) for a, v in product.values.items()}
    in_title = [a for a in said if rng.random() < 0.6 or a in ("model", "fits")]
    rng.shuffle(in_title)
    before = [said[a] for a in in_title if a not in ("fits", "model")]
    after = [said[a] for a in in_title if a in ("fits", "model")]
    other = rng.choice(product.type.goes_with)
    return {
        "product_id": product.product_id,
        "title": " ".join([*before, rng.choice(product.type.names), *after]).strip(),
        "brand": product.brand,
        "category": product.type.department,
        "attributes": ", ".join(said[a] for a in said if a not in in_title),
        "description": _description(rng, product, other=other),
    }


def _description(rng: random.Random, product: Product, *, other: str) -> str:
    """One sentence that does not describe the product itself: it mentions values it does not have, perhaps a type."""
    elsewhere = []
    for attribute in rng.sample([a for a in product.type.attributes if a not in ("fits", "model")], 2):
        values = [value for value in words()[attribute] if value != product.values[attribute]]
        elsewhere.append(rng.choice(words()[attribute][rng.choice(values)][0]))
    one, two = elsewhere
    return rng.choice(
        (
            f"Goes well with our {one} {other}",
            f"Also available in {one} and {two}",
            f"Not to be used as {other}",
            f"Customers also buy the {one} {other}",
            f"Replaces the older {one} {two} version",
        )
    )


def query_row(query: Query) -> dict:
    """How a query stands in queries.csv; nothing in it says whether somebody judged it."""
    return {"query_id": query.query_id, "query": query.text, "split": query.split, "kind": query.kind}


def make_events(rng: random.Random, *, log: list[Query], products: list[Product], n_events: int = 20_000) -> list[dict]:
    """Impressions and clicks over 28 days: queries of the log, drawn Zipf-like with a drift, clicks falling with the
    position. What is clicked follows the rule's labels.

    Source: Craswell et al., "An experimental comparison of click position-bias models", WSDM 2008,
    https://doi.org/10.1145/1341531.1341545
    """
    stock = by_type(products)
    gain = {"Exact": 0.6, "Substitute": 0.25, "Complement": 0.1, "Irrelevant": 0.03}
    weights = [1 / (rank + 1) for rank in range(len(log))]
    events = []
    for number in range(n_events // 5):
        day = number * 28 // (n_events // 5)
        rank = rng.choices(range(len(log)), weights=weights)[0]
        query = log[(rank + 7 * day) % len(log)]
        found = judging.shown_products(rng, query.intent, stock=stock)
        grades = {product.product_id: grade(query.intent, product) for product in found}
        shown = sorted(grades, key=lambda product_id: -gain[grades[product_id]] - 0.4 * rng.random())[:5]
        user = f"u{int(rng.paretovariate(1.2)) % 400:03d}"
        for position, product_id in enumerate(shown, start=1):
            clicked = rng.random() < gain[grades[product_id]] / position**0.7
            identity = {"time": f"2026-01-{day + 1:02d}", "user_id": user, "query_id": query.query_id}
            event = {"product_id": product_id, "event": "click" if clicked else "view", "position": str(position)}
            events.append(identity | event)
    return events
