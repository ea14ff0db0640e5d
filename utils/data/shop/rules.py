"""What the embedded shop is made of: product types, the words for their attributes, and the rule that grades a product.

The words are data and live in `words`; products are made of them in `synthetic`, queries in `queries`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from utils.data.shop.words import ATTRIBUTES, TYPES

GRADES = ("Exact", "Substitute", "Complement", "Irrelevant")  # of the ESCI scale, best first
NEW_PRODUCTS = 5  # one product in so many is new


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


def say(rng: random.Random, forms: list[str]) -> str:
    """The usual word half of the time, else any of them."""
    return forms[0] if rng.random() < 0.5 else rng.choice(forms)


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


def by_type(products: Sequence[Product]) -> dict[str, list[Product]]:
    """The products of each type, by its name."""
    found: dict[str, list[Product]] = defaultdict(list)
    for product in products:
        found[product.type.name].append(product)
    return found


def known(products: Sequence[Product]) -> list[Product]:
    """The products without the new ones, which no judge has seen for a train query."""
    return [product for number, product in enumerate(products) if number % NEW_PRODUCTS]
