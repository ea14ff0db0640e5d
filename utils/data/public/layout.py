"""Writing the layout that `utils.data.catalogue` reads, and leaving out what it refuses in other people's files.

What is left out is counted under a sentence of its own, which a reader sees when the data are fetched.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

TEXT_LIMIT = 20_000  # characters; the layout's reader refuses a field of more than 131,072
QUERY_COLUMNS = ("query_id", "query")
PRODUCT_COLUMNS = ("product_id", "title", "brand", "category", "attributes", "description")
LABEL_COLUMNS = ("query_id", "product_id", "label")

NO_QUERY_TEXT = "queries without a text"
NO_TITLE = "products without a title"
QUERY_TWICE = "queries given twice (the first is kept)"
PRODUCT_TWICE = "products given twice (the first is kept)"
PAIR_TWICE = "pairs judged twice (the first judgement is kept)"
LABEL_ASTRAY = "labels whose query or product is in no file"
LABEL_LEFT = "labels of queries or products that are left out"
TEXT_IN_TEST = "queries of train whose text stands in test too"
REASONS = (
    NO_QUERY_TEXT,
    TEXT_IN_TEST,
    NO_TITLE,
    QUERY_TWICE,
    PRODUCT_TWICE,
    PAIR_TWICE,
    LABEL_ASTRAY,
    LABEL_LEFT,
)


def write_csv(path: Path, *, columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write the columns of `rows`, in UTF-8, one at a time; other keys are left out."""
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, fieldnames=list(columns), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def squeeze(text: str | None) -> str:
    """The text on one line with single spaces, cut at TEXT_LIMIT; '' for None."""
    return " ".join((text or "").split())[:TEXT_LIMIT]


def first_of_each(
    rows: Iterable[Mapping[str, str]], *, key: str, text: str, left_out: Counter[str]
) -> dict[str, Mapping[str, str]]:
    """Rows by their id, the first of each; those without a text are counted, and still among them.

    Args:
        key: the column of the id.
        text: the column that the layout needs filled, 'query' or 'title'.
    """
    empty, twice = {"query": (NO_QUERY_TEXT, QUERY_TWICE), "title": (NO_TITLE, PRODUCT_TWICE)}[text]
    found: dict[str, Mapping[str, str]] = {}
    for row in rows:
        if row[key] in found:
            left_out[twice] += 1
        else:
            found[row[key]] = row
            left_out[empty] += not row[text]
    return found


def usable_labels(
    labels: Iterable[Mapping[str, str]],
    *,
    queries: Mapping[str, bool],
    products: Mapping[str, bool],
    left_out: Counter[str],
) -> list[Mapping[str, str]]:
    """The first judgement of every pair whose query and product are kept.

    Args:
        queries, products: every id in the files, and whether it is kept.
        left_out: counts what is not among the result.
    """
    kept: dict[tuple[str, str], Mapping[str, str]] = {}
    for label in labels:
        pair = (label["query_id"], label["product_id"])
        ends = (queries.get(pair[0]), products.get(pair[1]))
        if None in ends:
            left_out[LABEL_ASTRAY] += 1
        elif not all(ends):
            left_out[LABEL_LEFT] += 1
        elif pair in kept:
            left_out[PAIR_TWICE] += 1
        else:
            kept[pair] = label
    return list(kept.values())
