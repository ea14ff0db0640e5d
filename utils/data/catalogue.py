"""A shop's data in one layout: products, queries with a split, and labels of how well a product answers a query.

Three CSV files (queries, products, labels; events if there are any) become a `datasets.DatasetDict` of judged pairs,
one entry a split. Reading and checking them, downloading and making data live in the modules beside this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset, DatasetDict

from utils import settings
from utils.data import checks, csv_files, labels, splits
from utils.data.columns import TEXT_COLUMNS
from utils.data.csv_files import Row, Tables
from utils.data.errors import DataError
from utils.data.splits import normal_text

__all__ = ["Catalogue", "DataError", "build", "load", "normal_text", "read", "read_folder", "rows_by_query", "texts_of"]


@dataclass(frozen=True)
class Catalogue:
    """One shop, checked and joined.

    Attributes:
        queries: query_id, query, split, kind ("" when the data does not say): the judged queries of each split, and
            train queries that nobody judged, which are the shop's log.
        products: product_id, title, text (the words a ranker reads).
        pairs: judged pairs per split: query_id, product_id, query, product, kind, gain (a whole number).
        events: what users did, or None.
        top_gain: the gain of the best label; a product with it counts as relevant for MRR and recall.
        hash: sha256 of the files' contents, the first 16 hexadecimal digits.
        rule: gives the gain of every product for a query_id, in a shop whose rule can grade every pair; None elsewhere,
            where what nobody judged is not known.
    """

    name: str
    queries: Dataset
    products: Dataset
    pairs: DatasetDict
    events: Dataset | None
    top_gain: int
    hash: str
    rule: Callable[[str], Mapping[str, int]] | None = None

    def train_queries(self) -> list[str]:
        """The texts of all train queries, those of the log too, each once."""
        columns = zip(self.queries["query"][:], self.queries["split"][:], strict=True)
        return list(dict.fromkeys(query for query, split in columns if split == "train"))


def load(dataset: str | Path, *, profile: settings.Profile) -> Catalogue:
    """Load `synthetic` (the embedded shop), a fetched set by its name, or a folder; cut to the profile's sizes.

    Raises:
        DataError: a file, column, line or value is unusable, or a split is, at whatever profile.
        ValueError: a public set that has not been fetched.
    """
    rule = None
    if str(dataset) == settings.EMBEDDED:
        from utils.data.shop import synthetic

        rule = synthetic.gains
    return build(read(dataset), name=settings.dataset_name(str(dataset)), profile=profile, rule=rule)


def read(dataset: str | Path) -> Tables:
    """The checked tables of `synthetic`, of a fetched set by its name, or of a folder; raises as `load` does."""
    if str(dataset) != settings.EMBEDDED:
        return read_folder(settings.data_folder(dataset))
    from utils.data.shop import synthetic

    return synthetic.tables()


def read_folder(folder: Path) -> Tables:
    """Rows of the three files (and events.csv when there is one), each row with its `line`, after `checks.check`."""
    tables = csv_files.read_files(folder)
    checks.check(tables)
    return tables


def texts_of(pairs: Dataset) -> list[tuple[str, str]]:
    """The texts of judged pairs as a ranker reads them: (query, product) of each, in their order."""
    return list(zip(pairs["query"][:], pairs["product"][:], strict=True))


def rows_by_query(pairs: Dataset) -> dict[str, list[int]]:
    """The rows of each query_id in `pairs`, queries in the order of their first row."""
    rows: dict[str, list[int]] = {}
    for row, query_id in enumerate(pairs["query_id"][:]):
        rows.setdefault(query_id, []).append(row)
    return rows


def build(
    tables: Tables,
    *,
    name: str,
    profile: settings.Profile,
    rule: Callable[[str], Mapping[str, int]] | None = None,
) -> Catalogue:
    """Join checked tables into a Catalogue; `profile` bounds the judged queries of each split, in file order.

    A query whose text stands in a later split too is left out, and so is a valid or test query that nobody judged.
    """
    judged = {row["query_id"] for row in tables["labels.csv"]}
    placed = splits.each_text_once(splits.place(tables["queries.csv"], judged=judged))
    kept = splits.cut(placed, judged=judged, profile=profile)
    queries = {row["query_id"]: _query(row, split=split) for row, split in kept}
    products = {row["product_id"]: _product(row) for row in tables["products.csv"]}
    gains = labels.label_scale(tables["labels.csv"]).gains
    pairs: dict[str, list[dict]] = {split: [] for split in splits.SPLITS}
    for row in tables["labels.csv"]:
        if row["query_id"] in queries:
            query, product = queries[row["query_id"]], products[row["product_id"]]
            pairs[query["split"]].append(_pair(query, product, gain=gains[row["label"]]))
    return Catalogue(
        name=name,
        queries=Dataset.from_list(list(queries.values())),
        products=Dataset.from_list(list(products.values())),
        pairs=DatasetDict({split: Dataset.from_list(rows) for split, rows in pairs.items()}),
        events=_events(tables),
        top_gain=max(gains[row["label"]] for row in tables["labels.csv"]),
        hash=_hash(tables),
        rule=rule,
    )


def _query(row: Row, *, split: str) -> dict:
    return {"query_id": row["query_id"], "query": row["query"].strip(), "split": split, "kind": row.get("kind", "")}


def _product(row: Row) -> dict:
    return {"product_id": row["product_id"], "title": row["title"].strip(), "text": product_text(row)}


def product_text(row: Row) -> str:
    """The words a ranker reads of a product: its text columns in the order of TEXT_COLUMNS, those it has."""
    return " ".join(row[column].strip() for column in TEXT_COLUMNS if row.get(column, "").strip())


def _pair(query: dict, product: dict, *, gain: int) -> dict:
    identity = {key: query[key] for key in ("query_id", "query", "kind")}
    texts = {"product_id": product["product_id"], "product": product["text"]}
    return identity | texts | {"gain": gain}


def _events(tables: Tables) -> Dataset | None:
    rows = tables.get("events.csv")
    return Dataset.from_list([{k: v for k, v in row.items() if k != "line"} for row in rows]) if rows else None


def _hash(tables: Tables) -> str:
    digest = hashlib.sha256()
    for file in sorted(tables):
        for row in tables[file]:
            digest.update(repr([file, *((k, v) for k, v in sorted(row.items()) if k != "line")]).encode())
    return digest.hexdigest()[:16]
