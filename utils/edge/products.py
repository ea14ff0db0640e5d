"""The catalogue's part of a bundle: what a ranker reads of each product, and beside it the facts that it does not read.

Price and stock change by the hour and are no words of a product. So they filter an answer after it was ranked, and
neither stored states nor cached answers have to be thrown away for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from utils import disk

TEXTS, FACTS = "products.json", "facts.json"


@dataclass(frozen=True)
class Facts:
    """What is true of a product today: its price in the shop's currency, and whether it can be had."""

    price: float
    in_stock: bool


def write(folder: Path, *, texts: Mapping[str, str], facts: Mapping[str, Facts]) -> Path:
    """Write both files, a line a product in the order of ids, so that equal catalogues are equal files.

    Raises:
        ValueError: a product has a text and no facts, or the reverse.
    """
    if unlike := sorted(texts.keys() ^ facts.keys()):
        raise ValueError(f"product '{unlike[0]}' has a text and no facts, or facts and no text; give both")
    with disk.whole_folder(folder) as new:
        disk.write_whole(new / TEXTS, _in_order(texts))
        disk.write_whole(new / FACTS, disk.json_text({name: list(astuple(facts[name])) for name in sorted(facts)}))
    return folder


def version_of(texts: Mapping[str, str]) -> str:
    """The catalogue's version: a hash of every product's id and text, 16 digits, the same as in a bundle of it."""
    return hashlib.sha256(_in_order(texts).encode()).hexdigest()[:16]


def _in_order(texts: Mapping[str, str]) -> str:
    return disk.json_text({name: texts[name] for name in sorted(texts)})


def read_texts(folder: Path) -> dict[str, str]:
    """What a ranker reads of each product, by its id."""
    return disk.read_object(folder / TEXTS)


def read_facts(folder: Path) -> dict[str, Facts]:
    """What is true of each product, by its id."""
    return {name: Facts(*of) for name, of in disk.read_object(folder / FACTS).items()}


def to_show(ranked: Sequence[str], *, facts: Mapping[str, Facts], limit: int = 10) -> list[tuple[str, float]]:
    """The best products that can be had, with today's price; those that vanished or are sold out are passed over."""
    available = (name for name in ranked if name in facts and facts[name].in_stock)
    return [(name, facts[name].price) for name in available][:limit]
