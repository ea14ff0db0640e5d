"""Splits: which query is learned from, which one chosen by, which one tested on, and how many a profile keeps.

Every text is in one split alone. Labels decide what a query is: judged, or a line of the shop's log.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from utils import settings
from utils.data.csv_files import Row

SPLITS = ("train", "valid", "test")

Placed = tuple[Row, str]  # a row of queries.csv and its split


def place(queries: Iterable[Row], *, judged: AbstractSet[str]) -> list[Placed]:
    """The queries with their splits, in file order; those of valid and test that nobody judged are left out.

    Args:
        judged: the query_ids that have a label. A train query without one stays: it is a line of the shop's log.
    """
    placed = ((row, row.get("split") or split_by_hash(row["query"])) for row in queries)
    return [(row, split) for row, split in placed if split == "train" or row["query_id"] in judged]


def split_by_hash(query: str) -> str:
    """A split for a query that has none: 60% train, 15% valid, 25% test by a hash of its normalised text."""
    share = int(hashlib.sha256(normal_text(query).encode()).hexdigest()[:8], 16) / 16**8
    return "train" if share < 0.60 else "valid" if share < 0.75 else "test"


def shared_texts(placed: Iterable[Placed]) -> list[str]:
    """Texts, in lower case, that stand in more than one split: a ranker is tested there on what it has learned."""
    splits: dict[str, set[str]] = {}
    for row, split in placed:
        splits.setdefault(normal_text(row["query"]), set()).add(split)
    return [text for text, found in splits.items() if len(found) > 1]


def each_text_once(placed: Sequence[Placed]) -> list[Placed]:
    """The queries, each text in one split alone: test goes before valid, valid before train.

    The same text in an earlier split is left out, or a ranker would be tested on labels that it has learned.
    """
    last: dict[str, str] = {}
    for row, split in placed:
        text = normal_text(row["query"])
        last[text] = max(last.get(text, split), split, key=SPLITS.index)
    return [(row, split) for row, split in placed if last[normal_text(row["query"])] == split]


def cut(placed: Iterable[Placed], *, judged: AbstractSet[str], profile: settings.Profile) -> list[Placed]:
    """The queries that a profile keeps: of each split the first judged ones, and the whole log."""
    limits = dict(zip(SPLITS, (profile.n_train_queries, profile.n_valid_queries, profile.n_test_queries), strict=True))
    kept: list[Placed] = []
    counts: Counter = Counter()
    for row, split in placed:
        is_judged = row["query_id"] in judged
        if is_judged and limits[split] is not None and counts[split] >= limits[split]:
            continue
        counts[split] += is_judged
        kept.append((row, split))
    return kept


def normal_text(query: str) -> str:
    """The query as two of them are compared: lower case, single spaces."""
    return " ".join(query.lower().split())
