"""A shop's data in one layout: products, queries with a split, and labels that say how well a product answers a query.

Three CSV files (queries, products, labels; events if there are any) are read, checked line by line, and become a
`datasets.DatasetDict` of judged pairs, one entry a split. Downloading and making data live elsewhere.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict

from utils import settings

SPLITS = ("train", "valid", "test")
TEXT_COLUMNS = ("title", "brand", "category", "attributes", "description")
SCALES = {
    "ESCI": {"Exact": 100, "Substitute": 10, "Complement": 1, "Irrelevant": 0},
    "ESCI letters": {"E": 100, "S": 10, "C": 1, "I": 0},
    "WANDS": {"Exact": 2, "Partial": 1, "Irrelevant": 0},
}
REQUIRED = {
    "queries.csv": ("query_id", "query"),
    "products.csv": ("product_id", "title"),
    "labels.csv": ("query_id", "product_id", "label"),
    "events.csv": ("time", "user_id", "query_id", "product_id", "event", "position"),
}


class DataError(ValueError):
    """Data that cannot be used: the message names the file, the line, the value and the remedy."""


@dataclass(frozen=True)
class Catalogue:
    """One shop, checked and joined.

    Attributes:
        queries: query_id, query, split, kind ("" when the data does not say).
        products: product_id, title, text (the words a ranker reads).
        pairs: judged pairs per split: query_id, product_id, query, product, kind, gain (a whole number).
        events: what users did, or None.
        top_gain: the gain of the best label; a product with it counts as relevant for MRR and recall.
        hash: sha256 of the files' contents, the first 16 hexadecimal digits.
    """

    name: str
    queries: Dataset
    products: Dataset
    pairs: DatasetDict
    events: Dataset | None
    top_gain: int
    hash: str


def load(dataset: str | Path, *, profile: settings.Profile) -> Catalogue:
    """Load `synthetic` (the embedded shop), a fetched set by its name, or a folder; cut to the profile's sizes.

    Raises:
        DataError: a file, column, line or value is unusable.
        ValueError: a public set that has not been fetched.
    """
    if str(dataset) == "synthetic":
        from utils.data.shop import synthetic

        tables = synthetic.tables()
    else:
        tables = read_folder(settings.data_folder(dataset))
    return build(tables, name=settings.dataset_name(str(dataset)), profile=profile)


def read_folder(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Rows of the three files (and events.csv when there is one), each row with its `line`, after `check`."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give 'synthetic' or a folder with {', '.join(list(REQUIRED)[:3])}")
    names = [name for name in REQUIRED if name != "events.csv" or (folder / name).exists()]
    tables = {name: read_csv(folder / name) for name in names}
    check(tables)
    return tables


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of one file as text, with the number of the line each ends on."""
    if not path.is_file():
        raise DataError(
            f"{path.name}: not found in {path.parent}; it needs the columns {', '.join(REQUIRED[path.name])}"
        )
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path.name} line {line}: byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = [column for column in REQUIRED[path.name] if column not in (reader.fieldnames or [])]
    if missing:
        found = ", ".join(reader.fieldnames or ["none"])
        raise DataError(f"{path.name} line 1: column '{missing[0]}' is missing (found: {found}); add it to the header")
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                n_columns = len(reader.fieldnames)
                raise DataError(
                    f"{path.name} line {reader.line_num}: not {n_columns} values; quote texts that hold commas"
                )
            rows.append(row | {"line": reader.line_num})
    except csv.Error as error:
        raise DataError(f"{path.name} line {reader.line_num}: {error}; check the quotation marks") from None
    return rows


def check(tables: dict[str, list[dict]]) -> None:
    """Raise DataError at the first unusable value."""
    query_ids = _unique_ids(tables["queries.csv"], file="queries.csv", column="query_id", text="query")
    product_ids = _unique_ids(tables["products.csv"], file="products.csv", column="product_id", text="title")
    for row in tables["queries.csv"]:
        if "split" in row and row["split"] not in SPLITS:
            _fail("queries.csv", row, "split", f"is not one of {', '.join(SPLITS)}")
    scale = label_scale(tables["labels.csv"])
    judged: set[tuple[str, str]] = set()
    for row in tables["labels.csv"]:
        _known(row, query_ids, file="labels.csv", column="query_id")
        _known(row, product_ids, file="labels.csv", column="product_id")
        pair = (row["query_id"], row["product_id"])
        if pair in judged:
            _fail("labels.csv", row, "product_id", f"is judged twice for query '{pair[0]}'; keep one line")
        judged.add(pair)
    if not any(scale[row["label"]] > 0 for row in tables["labels.csv"]):
        raise DataError("labels.csv: no positive label, so nothing can be ranked; label some products as relevant")
    for row in tables.get("events.csv", []):
        _known(row, query_ids, file="events.csv", column="query_id")
        _known(row, product_ids, file="events.csv", column="product_id")
        if not _is_time(row["time"]):
            _fail("events.csv", row, "time", "is not a date or time; write it as 2026-01-31 or 2026-01-31T12:00:00")
        if not row["position"].isascii() or not row["position"].isdigit() or int(row["position"]) < 1:
            _fail("events.csv", row, "position", "is not a whole number from 1 on; 1 is the top of the page")


def label_scale(labels: Iterable[dict]) -> dict[str, int]:
    """Gain of every label text. Names must belong to one known scale; numbers are scaled to whole gains."""
    rows = list(labels)
    counts = Counter(row["label"] for row in rows)
    for scale in SCALES.values():
        if counts and set(counts) <= set(scale):
            return scale
    if _is_number(next(iter(counts), "")):
        return _numeric_scale(rows, counts)
    scale = max(SCALES.values(), key=lambda names: sum(counts[name] for name in names))
    stray = next((row for row in rows if row["label"] not in scale), None)
    if stray is None:
        raise DataError("labels.csv: no lines; add judged pairs")
    return _fail("labels.csv", stray, "label", f"is not one of {', '.join(scale)}")


def _numeric_scale(rows: list[dict], counts: Counter) -> dict[str, int]:
    for row in rows:
        if not _is_number(row["label"]):
            _fail("labels.csv", row, "label", "is not a number like the others; use one scale")
        if not 0 <= float(row["label"]) <= 1_000_000:
            _fail("labels.csv", row, "label", "is below 0 or above 1,000,000; use 0 for irrelevant")
    factor = next((f for f in (1, 10, 100) if all(_whole(float(label) * f) for label in counts)), None)
    if factor is None:
        raise DataError("labels.csv: labels have more than two decimals; round them")
    return {label: round(float(label) * factor) for label in counts}


def _is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-9


def _unique_ids(rows: list[dict], *, file: str, column: str, text: str) -> set[str]:
    seen: set[str] = set()
    if not rows:
        raise DataError(f"{file}: no lines after the header; add some")
    for row in rows:
        if not row[column].strip():
            _fail(file, row, column, "is empty; give it an id")
        if row[column] in seen:
            _fail(file, row, column, "appears twice; ids must be unique")
        if not row[text].strip():
            _fail(file, row, text, "is empty; give it a text or leave the line out")
        seen.add(row[column])
    return seen


def _known(row: dict, ids: set[str], *, file: str, column: str) -> None:
    if row[column] not in ids:
        owner = "queries.csv" if column == "query_id" else "products.csv"
        _fail(file, row, column, f"is not in {owner}; add it there or leave the line out")


def _fail(file: str, row: dict, column: str, problem: str):
    raise DataError(f"{file} line {row['line']}: {column} '{row[column]}' {problem}")


def product_text(row: dict[str, str]) -> str:
    """The words a ranker reads of a product: its text columns in the order of TEXT_COLUMNS, those it has."""
    return " ".join(row[column].strip() for column in TEXT_COLUMNS if row.get(column, "").strip())


def split_by_hash(query: str) -> str:
    """A split for a query that has none: 60% train, 15% valid, 25% test by a hash of its normalised text."""
    share = int(hashlib.sha256(normal_text(query).encode()).hexdigest()[:8], 16) / 16**8
    return "train" if share < 0.60 else "valid" if share < 0.75 else "test"


def shared_texts(queries: Iterable[tuple[str, str]]) -> list[str]:
    """Texts, in lower case, that stand in more than one split: a ranker is tested there on what it has learned.

    Args:
        queries: the text and the split of each query.
    """
    splits: dict[str, set[str]] = {}
    for text, split in queries:
        splits.setdefault(normal_text(text), set()).add(split)
    return [text for text, found in splits.items() if len(found) > 1]


def of_splits(rows: Iterable[dict[str, str]]) -> Iterator[tuple[dict[str, str], str]]:
    """The queries with their splits, in file order, each text in one split alone: test goes before valid, valid before
    train. The same text in an earlier split is left out, or a ranker would be tested on labels that it has learned.
    """
    split_of = [(row, row.get("split") or split_by_hash(row["query"])) for row in rows]
    last: dict[str, str] = {}
    for row, split in split_of:
        text = normal_text(row["query"])
        last[text] = max(last.get(text, split), split, key=SPLITS.index)
    return ((row, split) for row, split in split_of if last[normal_text(row["query"])] == split)


def normal_text(query: str) -> str:
    """The query as two of them are compared: lower case, single spaces."""
    return " ".join(query.lower().split())


def build(tables: dict[str, list[dict]], *, name: str, profile: settings.Profile) -> Catalogue:
    """Join checked tables into a Catalogue; `profile` bounds the queries of each split, in file order.

    A query whose text stands in a later split too is left out, as `of_splits` says.
    """
    limits = dict(zip(SPLITS, (profile.n_train_queries, profile.n_valid_queries, profile.n_test_queries), strict=True))
    queries: dict[str, dict] = {}
    kept: Counter = Counter()
    for row, split in of_splits(tables["queries.csv"]):
        if limits[split] is None or kept[split] < limits[split]:
            kept[split] += 1
            queries[row["query_id"]] = _query(row, split=split)
    products = {row["product_id"]: _product(row) for row in tables["products.csv"]}
    scale = label_scale(tables["labels.csv"])
    top_gain = max(scale[row["label"]] for row in tables["labels.csv"])
    pairs: dict[str, list[dict]] = {split: [] for split in SPLITS}
    for row in tables["labels.csv"]:
        if row["query_id"] in queries:
            query, product = queries[row["query_id"]], products[row["product_id"]]
            pairs[query["split"]].append(_pair(query, product, gain=scale[row["label"]]))
    empty = [split for split in SPLITS if not pairs[split]]
    if empty:
        raise DataError(
            f"labels.csv: no label for a query of the split '{empty[0]}' whose text is in no later split too; "
            "judge some, or give fewer splits"
        )
    return Catalogue(
        name=name,
        queries=Dataset.from_list(list(queries.values())),
        products=Dataset.from_list(list(products.values())),
        pairs=DatasetDict({split: Dataset.from_list(rows) for split, rows in pairs.items()}),
        events=_events(tables),
        top_gain=top_gain,
        hash=_hash(tables),
    )


def _query(row: dict, *, split: str) -> dict:
    return {"query_id": row["query_id"], "query": row["query"].strip(), "split": split, "kind": row.get("kind", "")}


def _product(row: dict) -> dict:
    return {"product_id": row["product_id"], "title": row["title"].strip(), "text": product_text(row)}


def _pair(query: dict, product: dict, *, gain: int) -> dict:
    identity = {key: query[key] for key in ("query_id", "query", "kind")}
    texts = {"product_id": product["product_id"], "product": product["text"]}
    return identity | texts | {"gain": gain}


def _events(tables: dict[str, list[dict]]) -> Dataset | None:
    rows = tables.get("events.csv")
    return Dataset.from_list([{k: v for k, v in row.items() if k != "line"} for row in rows]) if rows else None


def _hash(tables: dict[str, list[dict]]) -> str:
    digest = hashlib.sha256()
    for file in sorted(tables):
        for row in tables[file]:
            digest.update(repr([file, *((k, v) for k, v in sorted(row.items()) if k != "line")]).encode())
    return digest.hexdigest()[:16]
