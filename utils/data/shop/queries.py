"""The embedded shop's queries: an intent taken from a product, and the words a shopper types for it.

What was judged of them is in `judging`. Rarer product types and words stand in the log, in valid and in test, but in no
query that may be judged for training, so a ranker meets them in the log or not at all.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from utils.data.shop.rules import Intent, Product, by_type, grade, known, say, types, words
from utils.data.shop.words import UNSEEN_TYPES

N_QUERIES = {"train": 8_400, "valid": 500, "test": 1_500}
N_JUDGEABLE = 2_000  # of the train queries, the first ones: as many may be judged, if judges were cheap
RARE_WORD = 0.4  # share of the shoppers' own names for a type that are its rarer one, where those may stand
KINDS = {
    "head": 3, "attribute": 22, "tail": 16, "brand": 9, "natural": 15, "misspelled": 10, "synonym": 13, "negation": 8,
    "compatible": 4,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Query:
    """A query as the rules see it: its text is written from its intent."""

    query_id: str
    text: str
    split: str
    kind: str
    intent: Intent


def make_queries(rng: random.Random, *, products: list[Product]) -> list[Query]:
    """Queries with unique texts over the three splits, in random order; ids say nothing of the split."""
    known_stock, whole_stock = by_type(known(products)), by_type(products)
    splits = [split for split, n in N_QUERIES.items() for _ in range(n)]
    rng.shuffle(splits)
    queries, texts, n_train = [], set(), 0
    for number, split in enumerate(splits):
        n_train += split == "train"
        has_rare = split != "train" or n_train > N_JUDGEABLE
        stock = whole_stock if has_rare else known_stock
        while True:
            kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
            intent, text = make_query(rng, kind=kind, has_rare=has_rare, stock=stock)
            if text not in texts and any(grade(intent, p) == "Exact" for p in stock[intent.type.name]):
                break
        texts.add(text)
        queries.append(Query(f"q{number:05d}", text, split, kind, intent))
    return queries


def make_query(rng: random.Random, *, kind: str, has_rare: bool, stock: dict) -> tuple[Intent, str]:
    """An intent taken from a product that exists, and the text a shopper would type for it."""
    names = [name for name in types() if has_rare or name not in UNSEEN_TYPES]
    if kind == "compatible":
        names = ["phone case", "charger"]
    product = rng.choice(stock[rng.choice(names)])
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
    return intent, write_query(rng, intent, kind=kind, has_rare=has_rare)


def write_query(rng: random.Random, intent: Intent, *, kind: str, has_rare: bool) -> str:
    """The words for an intent; what is typed depends on the kind of query."""
    chosen = intent.type
    name = rng.choice(chosen.names)
    if kind in ("synonym", "natural") and rng.random() < 0.7:
        name = chosen.unseen_name if has_rare and rng.random() < RARE_WORD else chosen.shopper_name
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
