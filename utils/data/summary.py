"""What a data set holds, in a few lines that a reader sees: files, splits, labels, leaks."""

from __future__ import annotations

from collections import Counter

from utils.data import catalogue


def lines(tables: dict[str, list[dict]]) -> list[str]:
    """One line for each file, then the queries by split, the texts in two splits, and the labels."""
    split_of = [
        (row["query"], row.get("split") or catalogue.split_by_hash(row["query"])) for row in tables["queries.csv"]
    ]
    splits = Counter(split for _, split in split_of)
    leaked = catalogue.shared_texts(split_of)
    labels = Counter(row["label"] for row in tables["labels.csv"])
    return [
        *(f"{file}: {len(rows):,} lines" for file, rows in tables.items()),
        "queries by split: " + ", ".join(f"{split} {splits[split]:,}" for split in catalogue.SPLITS),
        f"query texts in more than one split: {len(leaked):,}"
        + (
            f", such as '{leaked[0]}'; used in the last one alone, so that none is learned and tested" if leaked else ""
        ),
        "labels: " + ", ".join(f"{label} {n:,}" for label, n in labels.most_common()),
    ]
