"""WANDS, Wayfair's data set of product search, from its own three files into the layout of the course.

Source: Chen, Liu, Liu, Sun, Malltore, "WANDS: Dataset for Product Search Relevance Assessment", ECIR 2022,
https://github.com/wayfair/WANDS
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from utils.data.errors import DataError
from utils.data.public import layout

COLUMNS = {
    "query.csv": ("query_id", "query"),
    "product.csv": (
        "product_id",
        "product_name",
        "product_class",
        "category hierarchy",
        "product_description",
        "product_features",
    ),
    "label.csv": ("query_id", "product_id", "label"),
}


def convert(files: Mapping[str, Path], *, folder: Path) -> Counter[str]:
    """Write queries, products and labels into `folder`; returns what was left out, counted by reason.

    The queries get no split: a hash of their text decides when they are read.

    Raises:
        DataError: a file is not tab-separated text, or a column is missing.
    """
    left_out: Counter[str] = Counter()
    rows = map(_query, _read(files["query.csv"]))
    queries = layout.first_of_each(rows, key="query_id", text="query", left_out=left_out)
    rows = map(_product, _read(files["product.csv"]))
    products = layout.first_of_each(rows, key="product_id", text="title", left_out=left_out)
    labels = layout.usable_labels(
        _read(files["label.csv"]),
        queries={key: bool(row["query"]) for key, row in queries.items()},
        products={key: bool(row["title"]) for key, row in products.items()},
        left_out=left_out,
    )
    kept = (row for row in queries.values() if row["query"])
    layout.write_csv(folder / "queries.csv", columns=layout.QUERY_COLUMNS, rows=kept)
    kept = (row for row in products.values() if row["title"])
    layout.write_csv(folder / "products.csv", columns=layout.PRODUCT_COLUMNS, rows=kept)
    layout.write_csv(folder / "labels.csv", columns=layout.LABEL_COLUMNS, rows=labels)
    return left_out


def _query(row: dict[str, str]) -> dict[str, str]:
    return {"query_id": row["query_id"], "query": layout.squeeze(row["query"])}


def _product(row: dict[str, str]) -> dict[str, str]:
    return {
        "product_id": row["product_id"],
        "title": layout.squeeze(row["product_name"]),
        "category": layout.squeeze(row["category hierarchy"]) or layout.squeeze(row["product_class"]),
        "attributes": _attributes(row["product_features"]),
        "description": layout.squeeze(row["product_description"]),
    }


def _attributes(features: str) -> str:
    """'color : red|color : red|width:3' as 'color : red, color : red, width:3'."""
    return ", ".join(filter(None, map(layout.squeeze, features.split("|"))))[: layout.TEXT_LIMIT]


def _read(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file, all of it text."""
    columns = list(COLUMNS[path.name])
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: not a table of tab-separated text ({error}); get a fresh copy") from error
    missing = [column for column in columns if column not in table]
    if missing:
        found = ", ".join(map(str, table.columns[:10]))
        raise DataError(f"{path.name}: column '{missing[0]}' is missing (found: {found}); get a fresh copy")
    return table[columns].fillna("").to_dict("records")  # a line that ends early
