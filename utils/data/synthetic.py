"""The embedded shop: one fixed catalogue with queries, labels by rule from structured attributes, and users' events.

Nothing here is random between runs: the shop is the same on every machine. The words are in `shop_words`. Descriptions
mention other products, and titles use other words than shoppers do, as in real shops, so counting words is not enough.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from functools import cache

from utils.data.shop_words import ATTRIBUTES, BRANDS, TYPES, UNSEEN_TYPES

SHOP_SEED = 20_260
N_PRODUCTS = 5_000
N_QUERIES = {"train": 2_000, "valid": 500, "test": 1_500}
N_JUDGED = 20
NEW_PRODUCTS = 5  # one product in so many is judged for no train query
KINDS = {
    "head": 3, "attribute": 22, "tail": 16, "brand": 9, "natural": 15, "misspelled": 10, "synonym": 13, "negation": 8,
    "compatible": 4,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Type:
    """A product type: `names` stand in titles, `shopper_names` in queries, `unseen_name` in test queries alone."""

    name: str
    department: str
    names: tuple[str, ...]
    shopper_name: str
    unseen_name: str
    attributes: tuple[str, ...]
    goes_with: tuple[str, ...]
    purpose: str


@dataclass(frozen=True, eq=False)
class Product:
    """A product as the rules see it; its text is written from this."""

    product_id: str
    type: Type
    brand: str
    values: dict[str, str]


@dataclass(frozen=True)
class Intent:
    """What a shopper wants: a type, attribute values it must have, values it must not have, perhaps a brand."""

    type: Type
    wanted: dict[str, str]
    unwanted: dict[str, str]
    brand: str = ""


@cache
def types() -> dict[str, Type]:
    """Every product type by its name."""
    found = {}
    for department, lines in TYPES.items():
        for line in lines.strip().splitlines():
            name, titles, shoppers, attributes, goes_with, purpose = (part.strip() for part in line.split("|"))
            shopper_name, unseen_name = shoppers.split(", ")
            names = (name, *titles.split(", "))
            with_types = tuple(goes_with.split(", "))
            found[name] = Type(
                name, department, names, shopper_name, unseen_name, tuple(attributes.split()), with_types, purpose
            )
    return found


@cache
def words() -> dict[str, dict[str, tuple[list[str], list[str]]]]:
    """attribute -> value -> (words of products, words of shoppers)."""
    found: dict[str, dict[str, tuple[list[str], list[str]]]] = {}
    for attribute, text in ATTRIBUTES.items():
        found[attribute] = {}
        for entry in text.replace("\n", "|").split("|"):
            if entry.strip():
                value, forms = entry.strip().split(": ")
                products, shoppers = forms.split("; ")
                found[attribute][value] = (products.split(", "), shoppers.split(", "))
    return found


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
    said = {a: _word(rng, words()[a][v][0]) for a, v in product.values.items()}
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


def _word(rng: random.Random, forms: list[str]) -> str:
    """The usual word half of the time, else any of them."""
    return forms[0] if rng.random() < 0.5 else rng.choice(forms)


def _description(rng: random.Random, product: Product, *, other: str) -> str:
    """One sentence that does not describe the product itself: it mentions another type, value or purpose."""
    attribute = rng.choice(product.type.attributes)
    values = [value for value in words()[attribute] if value != product.values[attribute]]
    elsewhere = rng.choice(words()[attribute][rng.choice(values)][0])
    return rng.choice(
        (
            f"Goes well with our {other}",
            f"Also available in {elsewhere}",
            f"Not to be used as {other}",
            f"Customers also buy the {elsewhere} {other}",
            f"Replaces the older {elsewhere} version",
        )
    )


def grade(intent: Intent, product: Product) -> str:
    """The label of a product for an intent, on the ESCI scale.

    Exact: the type, and all that is wanted. Substitute: the type, but something wanted is missing. Complement: a type
    that goes with it. An accessory for another model is of no use, so it is irrelevant.
    """
    if product.type != intent.type:
        return "Complement" if product.type.name in intent.type.goes_with else "Irrelevant"
    if "fits" in intent.wanted and product.values["fits"] != intent.wanted["fits"]:
        return "Irrelevant"
    fulfilled = all(product.values[a] == v for a, v in intent.wanted.items())
    fulfilled &= all(product.values[a] != v for a, v in intent.unwanted.items())
    fulfilled &= intent.brand in ("", product.brand)
    return "Exact" if fulfilled else "Substitute"


def make_queries(rng: random.Random, *, products: list[Product]) -> tuple[list[dict], list[dict]]:
    """Queries with unique texts over the three splits, in random order, and their judged products."""
    queries, labels, texts = [], [], set()
    known = [product for number, product in enumerate(products) if number % NEW_PRODUCTS]
    stock = {"train": _by_type(known), "valid": _by_type(products), "test": _by_type(products)}
    splits = [split for split, n in N_QUERIES.items() for _ in range(n)]
    rng.shuffle(splits)
    for number, split in enumerate(splits):
        by_type = stock[split]
        while True:
            kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
            intent, text = make_query(rng, kind=kind, split=split, by_type=by_type)
            if text not in texts and any(grade(intent, p) == "Exact" for p in by_type[intent.type.name]):
                break
        texts.add(text)
        query_id = f"q{number:04d}"
        queries.append({"query_id": query_id, "query": text, "split": split, "kind": kind})
        for product in judged_products(rng, intent, by_type=by_type):
            labels.append({"query_id": query_id, "product_id": product.product_id, "label": grade(intent, product)})
    return queries, labels


def _by_type(products: list[Product]) -> dict[str, list[Product]]:
    found = defaultdict(list)
    for product in products:
        found[product.type.name].append(product)
    return found


def make_query(rng: random.Random, *, kind: str, split: str, by_type: dict) -> tuple[Intent, str]:
    """An intent taken from a product that exists, and the text a shopper would type for it."""
    names = [name for name in types() if split == "test" or name not in UNSEEN_TYPES]
    if kind == "compatible":
        names = ["phone case", "charger"]
    product = rng.choice(by_type[rng.choice(names)])
    usable = [a for a in product.values if a not in ("model", "fits")]
    n_wanted = {"head": 0, "tail": 3, "negation": 1, "compatible": 1, "brand": 1}.get(kind, 2)
    wanted = {a: product.values[a] for a in rng.sample(usable, min(n_wanted, len(usable)))}
    if kind == "natural" and rng.random() < 0.5:
        wanted = dict(list(wanted.items())[:1])
    unwanted: dict[str, str] = {}
    if kind == "negation":
        attribute, value = wanted.popitem()
        unwanted[attribute] = rng.choice([other for other in words()[attribute] if other != value])
    if kind == "compatible":
        wanted["fits"] = product.values["fits"]
    intent = Intent(product.type, wanted, unwanted, product.brand if kind == "brand" else "")
    return intent, write_query(rng, intent, kind=kind, split=split)


def write_query(rng: random.Random, intent: Intent, *, kind: str, split: str) -> str:
    """The words for an intent; what is typed depends on the kind of query."""
    chosen = intent.type
    name = rng.choice(chosen.names)
    if kind in ("synonym", "natural") and rng.random() < 0.7:
        name = chosen.unseen_name if split == "test" and rng.random() < 0.4 else chosen.shopper_name
    side = 1 if kind in ("synonym", "natural") or rng.random() < 0.5 else 0
    said = {a: _word(rng, words()[a][v][side]).lower() for a, v in intent.wanted.items()}
    fits = said.pop("fits", "")
    before = " ".join(said.values())
    if kind == "compatible":
        fits = fits if fits.startswith("for ") else f"for {fits}"
        return f"{before} {name} {fits}".strip()
    if kind == "negation":
        ((attribute, value),) = intent.unwanted.items()
        avoided = rng.choice(words()[attribute][value][1]).lower()
        return rng.choice((f"{name} not {avoided}", f"{name} but no {avoided}", f"{name} anything except {avoided}"))
    if kind == "natural":
        return _natural(rng, name=name, purpose=chosen.purpose, said=said)
    text = f"{intent.brand.lower()} {before} {name}".strip() if rng.random() < 0.7 else f"{name} {before}".strip()
    if kind == "brand" and intent.brand.lower() not in text:
        text = f"{text} {intent.brand.lower()}"
    return misspell(rng, text) if kind == "misspelled" else text


def _natural(rng: random.Random, *, name: str, purpose: str, said: dict[str, str]) -> str:
    properties = " and ".join(said.values())
    return rng.choice(
        (
            f"something {properties} for {purpose}",
            f"what do i need for {purpose}, should be {properties}",
            f"i am looking for a {name} that is {properties}",
            f"do you have any {name} in {properties}",
        )
    )


def misspell(rng: random.Random, text: str) -> str:
    """Drop, double or swap a letter in one of the longer words, twice in a long text."""
    letters = list(text)
    for _ in range(1 + (len(text) > 14)):
        places = [i for i in range(1, len(letters) - 1) if letters[i].isalpha() and letters[i + 1].isalpha()]
        i = rng.choice(places)
        edit = rng.choice(("drop", "double", "swap"))
        if edit == "drop":
            del letters[i]
        elif edit == "double":
            letters.insert(i, letters[i])
        else:
            letters[i], letters[i + 1] = letters[i + 1], letters[i]
    return "".join(letters)


def judged_products(rng: random.Random, intent: Intent, *, by_type: dict[str, list[Product]]) -> list[Product]:
    """About 20 products: some of each label, the irrelevant ones often alike in their attributes."""
    groups = defaultdict(list)
    for product in by_type[intent.type.name]:
        groups[grade(intent, product)].append(product)
    chosen = _sample(rng, groups["Exact"], rng.randint(1, 5)) + _sample(rng, groups["Substitute"], 9)
    chosen += _sample(rng, groups["Irrelevant"], 4)
    for name in (name for name in intent.type.goes_with if name in by_type):
        chosen += _sample(rng, by_type[name], 1)
    wanted = set(intent.wanted.items()) | set(intent.unwanted.items())
    others = [name for name in by_type if name != intent.type.name and name not in intent.type.goes_with]
    alike = [p for name in rng.sample(others, 12) for p in rng.choices(by_type[name], k=8)]
    alike = list(dict.fromkeys(alike))
    alike.sort(key=lambda p: -len(wanted & p.values.items()))
    chosen += alike[: N_JUDGED - len(chosen)]
    return rng.sample(chosen, len(chosen))


def _sample(rng: random.Random, products: list[Product], n: int) -> list[Product]:
    return rng.sample(products, min(n, len(products)))


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
