"""Folds of one data set drawn together: their rows as the rows of one run, their lists one after the other."""

from __future__ import annotations

import copy
import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from utils.measure.variant import Variant

# What tells one way of running a stage from another. Not the engine: each fold takes the better one for its teacher in
# int8, and where a stage runs in several, the label names them.
WAY = ("stage", "precision", "device", "threads", "label")
OF_QUERIES = ("ndcg10", "random_ndcg10", "mrr10", "ndcg10_end_to_end", "recall")  # means over queries
MEDIANS = (  # of the folds
    *(("size", name) for name in ("n_params", "disk_bytes", "peak_rss_bytes")),
    *(("work", "macs_per_pair"), ("speed", "pairs_per_s")),
    *(("money", name) for name in ("pairs_per_s", "usd_per_million_queries")),
)


def joined(parts: Sequence[Mapping[str, list[float]]]) -> dict[str, list[float]]:
    """The lists of all parts one after the other, of the names that every part has."""
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: [value for part in parts for value in part[name]] for name in names}


def aligned(parts: Sequence[Mapping[str, list[float]]], *, rows: Sequence[Sequence[dict]]) -> list[dict]:
    """The lists of all folds by the keys of the first one, whose engine may be another one than theirs.

    Args:
        rows: of every fold; the row of a key tells which of the first fold's rows it stands beside.
    """
    first = {way(row["identity"]): _variant(row) for row in rows[0]}
    found = []
    for part, of_fold in zip(parts, rows, strict=True):
        renamed = {}
        for row in of_fold:
            own, other = _variant(row), first.get(way(row["identity"]), _variant(row))
            renamed |= {own.key: other.key, own.scores_key: other.scores_key}
        found.append({renamed.get(name, name): values for name, values in part.items()})
    return found


def pooled_rows(folds: Sequence[Sequence[dict]]) -> list[dict]:
    """The rows of several folds as those of one run: each way of running a stage that all folds have.

    Quality is the mean over the queries of all folds; sizes, work, times and money are medians over the folds.
    """
    ways = [{way(row["identity"]): row for row in rows} for rows in folds]
    shared = [one for one in ways[0] if all(one in fold for fold in ways)]
    return [_pooled([fold[one] for fold in ways]) for one in shared]


def way(identity: Mapping[str, object]) -> tuple:
    """What tells one way of running a stage from another, from a row's identity."""
    return tuple(identity[name] for name in WAY)


def _variant(row: dict) -> Variant:
    return Variant(**{field.name: row["identity"][field.name] for field in dataclasses.fields(Variant)})


def _pooled(rows: Sequence[dict]) -> dict:
    found = copy.deepcopy(rows[0])
    counts = [row["quality"]["n_queries"] for row in rows]
    if None not in counts:
        found["quality"]["n_queries"] = sum(counts)
        for name in OF_QUERIES:
            values = [row["quality"][name] for row in rows]
            if None not in values:
                found["quality"][name] = sum(n * value for n, value in zip(counts, values, strict=True)) / sum(counts)
    for group, name in MEDIANS:
        values = [row[group][name] for row in rows]
        if None not in values:
            found[group][name] = type(values[0])(statistics.median(values))
    return found
