"""What is good data: the one judgement that `course data check` and every run share.

A run can finish with what passes here, at every profile; what is refused here, no run takes. The first problem is
named with its file, line, value and remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from utils import settings
from utils.data import labels, splits
from utils.data.csv_files import Row, Tables
from utils.data.errors import DataError, fail, shown, trimmed


def check(tables: Tables) -> None:
    """Raise DataError at the first unusable value, or for a split that no ranker could be trained or judged on."""
    query_ids = _unique_ids(tables["queries.csv"], file="queries.csv", column="query_id", text="query")
    product_ids = _unique_ids(tables["products.csv"], file="products.csv", column="product_id", text="title")
    _check_splits(tables["queries.csv"])
    scale = labels.label_scale(tables["labels.csv"])
    _check_pairs(tables["labels.csv"], query_ids=query_ids, product_ids=product_ids)
    for row in tables.get("events.csv", []):
        _check_event(row, query_ids=query_ids, product_ids=product_ids)
    _check_orders(tables, gains=scale.gains)


def _unique_ids(rows: list[Row], *, file: str, column: str, text: str) -> set[str]:
    seen: set[str] = set()
    if not rows:
        raise DataError(f"{file}: no lines after the header; add some")
    for row in rows:
        if not row[column]:
            fail(file, row, column, "is empty; give it an id")
        if row[column] in seen:
            fail(file, row, column, "appears twice; ids must be unique")
        if not trimmed(row[text]):
            fail(file, row, text, "is empty; give it a text or leave the line out")
        seen.add(row[column])
    return seen


def _check_splits(queries: list[Row]) -> None:
    if any(row.get("split") for row in queries):
        for row in queries:
            if row["split"] not in splits.SPLITS:
                fail("queries.csv", row, "split", f"is not one of {', '.join(splits.SPLITS)}")


def _check_pairs(rows: list[Row], *, query_ids: set[str], product_ids: set[str]) -> None:
    judged: set[tuple[str, str]] = set()
    for row in rows:
        _known(row, query_ids, file="labels.csv", column="query_id")
        _known(row, product_ids, file="labels.csv", column="product_id")
        pair = (row["query_id"], row["product_id"])
        if pair in judged:
            fail("labels.csv", row, "product_id", f"is judged twice for query '{shown(pair[0])}'; keep one line")
        judged.add(pair)


def _known(row: Row, ids: set[str], *, file: str, column: str) -> None:
    if row[column] not in ids:
        owner = "queries.csv" if column == "query_id" else "products.csv"
        fail(file, row, column, f"is not in {owner}; add it there or leave the line out")


def _check_event(row: Row, *, query_ids: set[str], product_ids: set[str]) -> None:
    _known(row, query_ids, file="events.csv", column="query_id")
    _known(row, product_ids, file="events.csv", column="product_id")
    if not _is_time(row["time"]):
        fail("events.csv", row, "time", "is not a date or time; write it as 2026-01-31 or 2026-01-31T12:00:00")
    if not row["position"].isascii() or not row["position"].isdigit() or int(row["position"]) < 1:
        fail("events.csv", row, "position", "is not a whole number from 1 on; 1 is the top of the page")


def _is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _check_orders(tables: Tables, *, gains: Mapping[str, int]) -> None:
    """Refuse labels that are all alike, in the whole or in a split as any profile cuts it."""
    gains_of: dict[str, set[int]] = {}
    for row in tables["labels.csv"]:
        gains_of.setdefault(row["query_id"], set()).add(gains[row["label"]])
    if len(set().union(*gains_of.values())) < 2:
        label = shown(tables["labels.csv"][0]["label"])
        raise DataError(
            f"labels.csv: every label is '{label}', so nothing can be ranked; judge good and bad products for each "
            "query, a bad one with the lowest label of the scale"
        )
    placed = splits.each_text_once(splits.place(tables["queries.csv"], judged=gains_of.keys()))
    _check_split_orders(placed, gains_of=gains_of)
    for profile in settings.PROFILES.values():
        taken = splits.cut(placed, judged=gains_of.keys(), profile=profile)
        _check_split_orders(taken, gains_of=gains_of, taken_by=profile.name)


def _check_split_orders(
    placed: list[splits.Placed], *, gains_of: Mapping[str, set[int]], taken_by: str | None = None
) -> None:
    """Refuse a split in which no query has two different labels; `taken_by` names the profile that cut the splits."""
    for split in splits.SPLITS:
        queries = [row["query_id"] for row, of in placed if of == split and row["query_id"] in gains_of]
        if not queries:
            raise DataError(
                f"labels.csv: no label for a query of the split '{split}' whose text is in no later split too; "
                "judge some, or give fewer splits"
            )
        if all(len(gains_of[query_id]) == 1 for query_id in queries):
            which = f"first {len(queries):,} judged queries" if taken_by else f"{len(queries):,} judged queries"
            whose = f", those that the profile '{taken_by}' takes," if taken_by else ""
            remedy = ", or put such queries first in queries.csv" if taken_by else ""
            raise DataError(
                f"labels.csv: none of the {which} of the split '{split}'{whose} has two different labels, so there is "
                f"no order to learn or to judge; judge good and bad products for some of them{remedy}"
            )
