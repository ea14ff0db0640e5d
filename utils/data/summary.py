"""What a data set holds, in a few lines that a reader sees: files, columns not used, splits, leaks, labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from utils.data import columns, labels, splits
from utils.data.csv_files import Row, Tables
from utils.data.errors import shown

LABELS = 12  # different labels that are counted one by one


def lines(tables: Tables) -> list[str]:
    """One line for each file and for its columns that are not used, then the queries by split, and the labels."""
    return [
        *(f"{file}: {len(rows):,} lines" for file, rows in tables.items()),
        *_unused_columns(tables),
        *_queries(tables),
        *_labels(tables["labels.csv"]),
    ]


def _unused_columns(tables: Tables) -> Iterator[str]:
    for file, rows in tables.items():
        names = columns.unused(file, rows[0]) if rows else []
        if names:
            yield f"{file}, columns not used: " + ", ".join(shown(name) or "one without a name" for name in names)


def _queries(tables: Tables) -> Iterator[str]:
    judged = {row["query_id"] for row in tables["labels.csv"]}
    placed = splits.place(tables["queries.csv"], judged=judged)
    used, leaked = splits.each_text_once(placed), splits.shared_texts(placed)
    counts = Counter(split for row, split in used if row["query_id"] in judged)
    n_left_out, n_log = len(tables["queries.csv"]) - len(placed), len(used) - counts.total()
    if not any(row.get("split") for row in tables["queries.csv"]):
        yield "splits: none is given, so a hash of each query's text decides"
    yield "judged queries by split: " + ", ".join(f"{split} {counts[split]:,}" for split in splits.SPLITS)
    yield f"train queries without a label, kept as the shop's log: {n_log:,}"
    if n_left_out:
        yield f"valid and test queries without a label, left out: {n_left_out:,}"
    such = [
        f", such as '{shown(text)}'; used in the last one alone, so that none is learned and tested" for text in leaked
    ]
    yield "".join([f"query texts in more than one split: {len(leaked):,}", *such[:1]])


def _labels(rows: list[Row]) -> Iterator[str]:
    scale, counts = labels.label_scale(rows), Counter(row["label"] for row in rows)
    most = [f"{shown(label)} {n:,}" for label, n in counts.most_common(LABELS)]
    others = [f"and {len(counts) - LABELS:,} other values"] if len(counts) > LABELS else []
    yield "labels: " + ", ".join([*most, *others])
    if scale.lowest is not None and float(scale.lowest) > 0:
        yield (
            f"labels begin at {scale.lowest}, not at 0: {scale.lowest} counts as irrelevant, and every other label for "
            f"what it is above {scale.lowest}"
        )
