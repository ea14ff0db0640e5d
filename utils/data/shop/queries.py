"""The embedded shop's queries: an intent taken from a product, the words a shopper types for it, and what was judged.

Test queries may ask for product types, and use words, that no train query has; train queries never meet new products.
"""

from __future__ import annotations

import random
from collections import defaultdict

from utils.data.shop.rules import Intent, Product, grade, say, types, words
from utils.data.shop.words import UNSEEN_TYPES

N_QUERIES = {"train": 2_000, "valid": 500, "test": 1_500}
N_JUDGED = 20
NEW_PRODUCTS = 5  # one product in so many is judged for no train query
KINDS = {
    "head": 3, "attribute": 22, "tail": 16, "brand": 9, "natural": 15, "misspelled": 10, "synonym": 13, "negation": 8,
    "compatible": 4,
}  # fmt: skip


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
    said = {a: say(rng, words()[a][v][side]).lower() for a, v in intent.wanted.items()}
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
    """20 products: some of each label, the irrelevant ones often alike in their attributes."""
    groups = defaultdict(list)
    for product in by_type[intent.type.name]:
        groups[grade(intent, product)].append(product)
    wanted = set(intent.wanted.items()) | set(intent.unwanted.items())
    chosen = _sample(rng, groups["Exact"], rng.randint(1, 5)) + _sample(rng, groups["Substitute"], 9)
    chosen += _sample(rng, groups["Irrelevant"], 4)
    for name in (name for name in intent.type.goes_with if name in by_type):
        chosen += _sample(rng, by_type[name], 1)
    others = [name for name in by_type if name != intent.type.name and name not in intent.type.goes_with]
    alike = [p for name in rng.sample(others, 12) for p in rng.choices(by_type[name], k=8)]
    alike = list(dict.fromkeys(alike))
    alike.sort(key=lambda p: -len(wanted & p.values.items()))
    chosen += alike[: N_JUDGED - len(chosen)]
    return rng.sample(chosen, len(chosen))


def _sample(rng: random.Random, products: list[Product], n: int) -> list[Product]:
    return rng.sample(products, min(n, len(products)))
