"""ESCI, Amazon's shopping queries, task 1, into the layout of the course: from its parquet files or from the hub.

Both give rows of one query, one product and one judgement, which `convert` writes in one pass over the products.

Source: Reddy et al., "Shopping Queries Dataset", 2022, https://arxiv.org/abs/2206.06588
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import datasets
from datasets import Dataset

from utils.data.errors import DataError
from utils.data.public import layout
from utils.data.splits import normal_text

HUB_NAME = "tasksource/esci"
VALID_SHARE = 0.1  # of the train queries; the set has no valid split of its own
BATCH_ROWS = 4_096
JUDGEMENT_COLUMNS = ("query_id", "query", "product_id", "product_locale", "esci_label", "small_version", "split")
TEXT_COLUMNS = ("product_title", "product_description", "product_bullet_point", "product_brand", "product_color")


class HubError(OSError):
    """The hub does not give the set: the message says what else there is."""


def convert(rows: Iterable[Mapping[str, object]], *, folder: Path, locale: str = "us") -> Counter[str]:
    """Write queries, products and labels into `folder`; returns what was left out, counted by reason.

    Queries are written in the order of a hash of their text, so that the first ones, which a small profile takes, are
    a fair sample and not those that begin with a digit. No query text stands in two splits.

    Args:
        rows: JUDGEMENT_COLUMNS and TEXT_COLUMNS of every judgement; without TEXT_COLUMNS where the product is missing.
        locale: the market that is kept: us, es or jp.

    Raises:
        DataError: a split is neither train nor test.
    """
    left_out: Counter[str] = Counter()
    wanted = (row for row in rows if int(row["small_version"]) == 1 and row["product_locale"] == locale)
    queries, titled, labels = _read(wanted, products_file=folder / "products.all.csv")
    left_out[layout.NO_TITLE] = sum(not has_title for has_title in titled.values())
    kept = _kept_queries(queries, left_out=left_out)
    in_file = {key: key in kept for key in queries}
    labels = layout.usable_labels(labels, queries=in_file, products=titled, left_out=left_out)
    place = {key: n for n, key in enumerate(kept)}
    labels.sort(key=lambda label: place[label["query_id"]])
    layout.write_csv(folder / "queries.csv", columns=(*layout.QUERY_COLUMNS, "split"), rows=kept.values())
    layout.write_csv(folder / "labels.csv", columns=layout.LABEL_COLUMNS, rows=labels)
    _keep_judged(folder / "products.all.csv", judged={label["product_id"] for label in labels})
    return left_out


def _read(
    rows: Iterable[Mapping[str, object]], *, products_file: Path
) -> tuple[dict[str, dict], dict[str, bool], list[dict]]:
    """Queries by id, whether each product has a title, and all judgements; products go to a file as they come."""
    queries: dict[str, dict] = {}
    titled: dict[str, bool] = {}
    labels: list[dict] = []

    def products() -> Iterator[dict[str, str]]:
        for row in rows:
            query_id, product_id = str(row["query_id"]), str(row["product_id"])
            labels.append({"query_id": query_id, "product_id": product_id, "label": row["esci_label"]})
            if query_id not in queries:
                queries[query_id] = _query(row)
            if "product_title" in row and product_id not in titled:
                product = _product(row)
                titled[product_id] = bool(product["title"])
                yield product

    layout.write_csv(products_file, columns=layout.PRODUCT_COLUMNS, rows=products())
    return queries, titled, labels


def _query(row: Mapping[str, object]) -> dict[str, str]:
    text, split = layout.squeeze(row["query"]), row["split"]
    if split not in ("train", "test"):
        raise DataError(f"query {row['query_id']}: split '{split}' is neither train nor test; get a fresh copy")
    valid = split == "train" and _hash(text) < VALID_SHARE
    return {"query_id": str(row["query_id"]), "query": text, "split": "valid" if valid else split}


def _product(row: Mapping[str, object]) -> dict[str, str]:
    text = {column: layout.squeeze(row[column]) for column in TEXT_COLUMNS}
    return {
        "product_id": str(row["product_id"]),
        "title": text["product_title"],
        "brand": text["product_brand"],
        "attributes": text["product_color"],
        "description": layout.squeeze(f"{text['product_bullet_point']} {text['product_description']}"),
    }


def _kept_queries(queries: Mapping[str, dict], *, left_out: Counter[str]) -> dict[str, dict]:
    """Queries with a text, in the order of its hash, without those of train whose text stands in test."""
    tested = {normal_text(row["query"]) for row in queries.values() if row["split"] == "test"}
    kept = {}
    for key, row in sorted(queries.items(), key=lambda item: (_hash(item[1]["query"]), item[0])):
        if not row["query"]:
            left_out[layout.NO_QUERY_TEXT] += 1
        elif row["split"] != "test" and normal_text(row["query"]) in tested:
            left_out[layout.TEXT_IN_TEST] += 1
        else:
            kept[key] = row
    return kept


def _hash(query: str) -> float:
    """A number from 0 up to 1 that only the normalised text decides."""
    return int(hashlib.sha256(normal_text(query).encode()).hexdigest()[:12], 16) / 16**12


def _keep_judged(every: Path, *, judged: set[str]) -> None:
    with every.open(encoding="utf-8", newline="") as opened:
        rows = (row for row in csv.DictReader(opened) if row["product_id"] in judged)
        layout.write_csv(every.with_name("products.csv"), columns=layout.PRODUCT_COLUMNS, rows=rows)
    every.unlink()


def parquet_rows(examples: Path, *, products: Path, locale: str = "us") -> Iterator[dict[str, object]]:
    """Every judgement of task 1 with its product, in the order of the products file, which is read in pieces.

    Raises:
        DataError: a file is not parquet, or a column is missing.
    """
    waiting = defaultdict(list)
    for row in _pieces(examples, columns=JUDGEMENT_COLUMNS, where={"small_version": 1, "product_locale": locale}):
        waiting[row["product_id"]].append(row)
    for product in _pieces(products, columns=("product_id", *TEXT_COLUMNS), where={"product_locale": locale}):
        for row in waiting.pop(product["product_id"], ()):
            yield row | product
    for rows in waiting.values():
        yield from rows


def hub_rows(name: str = HUB_NAME) -> Iterator[dict[str, object]]:
    """Every judgement of the set on the Hugging Face hub (or in a folder of parquet files), where it is joined already.

    Raises:
        HubError: the hub cannot be reached, or does not have the set.
        DataError: a column is missing.
    """
    splits = _from_hub(name)
    columns = [column for column in (*JUDGEMENT_COLUMNS, *TEXT_COLUMNS) if column != "split"]
    for split, rows in splits.items():
        _require(columns, found=rows.column_names, where=f"{name}, split {split}")
        for row in rows.select_columns(columns):
            yield row | {"split": split}


def _from_hub(name: str) -> Mapping[str, Dataset]:
    """The set's splits. The hub is asked once beforehand, for a load without network tries on for half a minute."""
    import huggingface_hub

    try:
        if not Path(name).is_dir() and not huggingface_hub.constants.HF_HUB_OFFLINE:
            huggingface_hub.HfApi().dataset_info(name, timeout=10)
        return datasets.load_dataset(name)
    except Exception as error:
        raise HubError(
            f"{name} cannot be had from the Hugging Face hub ({type(error).__name__}); check the network or "
            "HF_ENDPOINT, or fetch the set's own files: course data fetch esci"
        ) from error


def _pieces(path: Path, *, columns: Iterable[str], where: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Rows of a parquet file that have the values of `where`, never more than BATCH_ROWS of them in memory."""
    import pyarrow
    from pyarrow import compute, parquet

    columns = list(dict.fromkeys((*columns, *where)))
    try:
        file = parquet.ParquetFile(path, memory_map=True)
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path.name}: not a parquet file ({error}); get a fresh copy") from error
    with file:
        _require(columns, found=file.schema_arrow.names, where=path.name)
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            for column, value in where.items():
                batch = batch.filter(compute.equal(batch[column], value))
            yield from batch.to_pylist()


def _require(columns: Iterable[str], *, found: Iterable[str], where: str) -> None:
    missing = [column for column in columns if column not in found]
    if missing:
        raise DataError(f"{where}: column '{missing[0]}' is missing (found: {', '.join(found)}); get a fresh copy")
