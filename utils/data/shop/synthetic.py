"""The embedded shop: one fixed catalogue with queries, labels by rule from structured attributes, and users' events.

Nothing here is random between runs: the shop is the same on every machine. Its types and words are in `rules` and
`words`, its queries in `queries`. Descriptions mention other products, and titles use other words than shoppers do, as
in real shops, so counting words is not enough.
"""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache

from utils.data.shop.queries import make_queries
from utils.data.shop.rules import Product, say, types, words
from utils.data.shop.words import BRANDS

SHOP_SEED = 20_260
N_PRODUCTS = 5_000


@cache
def tables() -> dict[str, list[dict]]:
    """The shop's files as rows, in the layout of `catalogue`; made once per process, in seconds."""
    rng = random.Random(SHOP_SEED)
    products = make_products(rng)
    queries, labels = make_queries(rng, products=products)
    events = make_events(rng, queries=queries, labels=labels)
    rows = {
        "queries.csv": queries,
        "products.csv": [product_row(rng, product) for product in products],
        "labels.csv": labels,
        "events.csv": events,
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
        "price": f"{rng.lognormvariate(3.5, 0.8):.2f}",
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


def make_events(rng: random.Random, *, queries: list[dict], labels: list[dict], n_events: int = 20_000) -> list[dict]:
    """Impressions and clicks over 28 days: queries drawn Zipf-like with a drift, clicks falling with the position.

    Source: Craswell et al., "An experimental comparison of click position-bias models", WSDM 2008,
    https://doi.org/10.1145/1341531.1341545
    """
    judged = defaultdict(list)
    for row in labels:
        judged[row["query_id"]].append(row)
    gain = {"Exact": 0.6, "Substitute": 0.25, "Complement": 0.1, "Irrelevant": 0.03}
    weights = [1 / (rank + 1) for rank in range(len(queries))]
    events = []
    for number in range(n_events // 5):
        day = number * 28 // (n_events // 5)
        rank = rng.choices(range(len(queries)), weights=weights)[0]
        query = queries[(rank + 7 * day) % len(queries)]
        shown = sorted(judged[query["query_id"]], key=lambda row: -gain[row["label"]] - 0.4 * rng.random())[:5]
        user = f"u{int(rng.paretovariate(1.2)) % 400:03d}"
        for position, row in enumerate(shown, start=1):
            clicked = rng.random() < gain[row["label"]] / position**0.7
            events.append(_event(day, user, row, event="click" if clicked else "view", position=position))
    return events


def _event(day: int, user: str, row: dict, *, event: str, position: int) -> dict:
    identity = {"time": f"2026-01-{day + 1:02d}", "user_id": user, "query_id": row["query_id"]}
    return identity | {"product_id": row["product_id"], "event": event, "position": str(position)}
