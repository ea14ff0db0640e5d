"""What judges said of the embedded shop: which products of a query they were shown, and where they were wrong.

They judge all queries of valid and test, and the first of train; the other train queries are the shop's log. On train
they are one grade off now and then, as judges are; valid and test are exact, as if several had agreed on them.
"""

from __future__ import annotations

import random
from collections import defaultdict

from utils.data.shop.queries import Query
from utils.data.shop.rules import GRADES, Intent, Product, by_type, grade, known

N_JUDGED_QUERIES = 400  # of train: with 20 products each, what 8,000 judgements pay for
N_JUDGED = 20  # products of a query
SLIPS = 0.1  # share of the train labels that are one grade off


def judge(queries: list[Query], *, products: list[Product], n_judged_queries: int, seed: int) -> list[dict]:
    """The rows of labels.csv: the products that were judged for each query, with their labels.

    What is judged of a query does not depend on how many others are: each draws from a seed of its own.
    """
    stocks = {"train": by_type(known(products))} | dict.fromkeys(("valid", "test"), by_type(products))
    labels = []
    for query in _judged(queries, n_judged_queries=n_judged_queries):
        rng = random.Random(f"{seed} {query.query_id}")
        slips = SLIPS if query.split == "train" else 0.0
        for product in shown_products(rng, query.intent, stock=stocks[query.split]):
            label = read_off(rng, grade(query.intent, product), slips=slips)
            labels.append({"query_id": query.query_id, "product_id": product.product_id, "label": label})
    return labels


def _judged(queries: list[Query], *, n_judged_queries: int) -> list[Query]:
    """All queries of valid and test, and the first of train."""
    train = [query.query_id for query in queries if query.split == "train"]
    log = set(train[n_judged_queries:])
    return [query for query in queries if query.query_id not in log]


def read_off(rng: random.Random, label: str, *, slips: float) -> str:
    """The label, or with the chance `slips` one of those beside it."""
    if rng.random() >= slips:
        return label
    place = GRADES.index(label)
    return rng.choice([GRADES[near] for near in (place - 1, place + 1) if 0 <= near < len(GRADES)])


def shown_products(rng: random.Random, intent: Intent, *, stock: dict[str, list[Product]]) -> list[Product]:
    """N_JUDGED products: some of each label, the irrelevant ones often alike in their attributes."""
    groups = defaultdict(list)
    for product in stock[intent.type.name]:
        groups[grade(intent, product)].append(product)
    wanted = set(intent.wanted.items()) | set(intent.unwanted.items())
    chosen = _sample(rng, groups["Exact"], rng.randint(1, 5)) + _sample(rng, groups["Substitute"], 9)
    chosen += _sample(rng, groups["Irrelevant"], 4)
    for name in (name for name in intent.type.goes_with if name in stock):
        chosen += _sample(rng, stock[name], 1)
    others = [name for name in stock if name != intent.type.name and name not in intent.type.goes_with]
    alike = [p for name in rng.sample(others, 12) for p in rng.choices(stock[name], k=8)]
    alike = list(dict.fromkeys(alike))
    alike.sort(key=lambda p: -len(wanted & p.values.items()))
    chosen += alike[: N_JUDGED - len(chosen)]
    return rng.sample(chosen, len(chosen))


def _sample(rng: random.Random, products: list[Product], n: int) -> list[Product]:
    return rng.sample(products, min(n, len(products)))
