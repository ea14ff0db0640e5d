"""A small data set in folds: every judged query is a test query once, so that all of them speak.

Each fold is a data set of its own in the usual layout, with the same products and labels and other splits.
"""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

from utils import disk
from utils.data import catalogue
from utils.data.catalogue import normal_text
from utils.data.csv_files import Row, Tables

VALID_OF = 5  # of the queries that are not a fold's test queries one in so many is its valid


def write(dataset: str, *, n_folds: int, folder: Path) -> list[Path]:
    """The folds of a data set under `folder`, one folder each; the same queries always fall into the same fold.

    Raises:
        ValueError: the data cannot be used, or there are too few judged queries for so many folds.
    """
    tables = catalogue.read(dataset)
    judged = {row["query_id"] for row in tables["labels.csv"]}
    texts = sorted({normal_text(row["query"]) for row in tables["queries.csv"] if row["query_id"] in judged}, key=_hash)
    if not 2 <= n_folds <= len(texts) // 2:
        raise ValueError(f"{dataset}: {len(texts)} judged queries make no {n_folds} folds; give fewer, at least two")
    splits = [_splits(texts, fold=fold, n_folds=n_folds) for fold in range(n_folds)]
    return [_write_one(tables, split=one, folder=folder / f"fold-{fold}") for fold, one in enumerate(splits)]


def _splits(texts: list[str], *, fold: int, n_folds: int) -> dict[str, str]:
    """The split of every judged text in a fold."""
    others = [text for place, text in enumerate(texts) if place % n_folds != fold]
    found = dict.fromkeys(others, "train") | dict.fromkeys(others[::VALID_OF], "valid")
    return found | dict.fromkeys(texts[fold::n_folds], "test")


def _write_one(tables: Tables, *, split: dict[str, str], folder: Path) -> Path:
    queries = [row | {"split": split.get(normal_text(row["query"]), "train")} for row in tables["queries.csv"]]
    with disk.whole_folder(folder) as partial:
        for name, rows in (tables | {"queries.csv": queries}).items():
            (partial / name).write_text(_csv(rows), encoding="utf-8", newline="")
    return folder


def _csv(rows: list[Row]) -> str:
    names = [name for name in rows[0] if name != "line"]
    page = io.StringIO()
    writer = csv.DictWriter(page, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return page.getvalue()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
