"""What a notebook shows of the data: a search page as a shopper would see it, small tables, and what they say in words.

Every text of a catalogue is escaped, so that a title with HTML or a formula in it is shown and not run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from datasets import Dataset
from IPython.display import HTML

from utils.rank.evaluation import EndToEnd, on_part
from utils.rank.metrics import Interval, Quality, by_kind, paired_bootstrap

ALL_QUERIES = "all queries"
N_LOOKED_AT = 50  # good pairs among which an example is chosen
PAGE = (  # the class keeps MathJax away, which would read prices as formulas
    "<div class='tex2jax_ignore mathjax_ignore' "
    "style='max-width:46em;margin:.6em 0;padding:.5em .8em;border:1px solid #ccc;border-radius:6px'>"
    "<div style='font-weight:600'>{heading}</div>{note}<ol style='margin:.3em 0 0 0'>{products}</ol></div>"
)


def search_page(
    pairs: Dataset, query_id: str, *, scores: np.ndarray | None = None, limit: int = 10, note: str = ""
) -> HTML:
    """One query's judged products, best first: by `scores` (n_pairs,) of all of `pairs`, or by their labels."""
    rows = np.flatnonzero(np.array(pairs["query_id"]) == query_id)
    if not len(rows):
        raise ValueError(f"query_id '{query_id}' has no judged products in this split")
    order = np.asarray(pairs["gain"] if scores is None else scores)[rows]
    chosen = pairs.select(rows[np.argsort(-order, kind="stable")][:limit])
    products = "".join(_product(row) for row in chosen)
    heading = f"Query: {escape(chosen[0]['query'])}"
    return HTML(PAGE.format(heading=heading, note=f"<div>{escape(note)}</div>" if note else "", products=products))


def _product(row: Mapping) -> str:
    text = row["product"] if len(row["product"]) <= 110 else row["product"][:109] + "…"
    return f"<li>{escape(text)} <span style='color:#666'>· gain {row['gain']}</span></li>"


def stack(pages: Sequence[HTML]) -> HTML:
    """Several pages under one another."""
    return HTML("".join(page.data for page in pages))


def from_rows(rows: Iterable[Mapping]) -> pd.DataFrame:
    """Rows as a table whose index is the first column; without rows an empty table."""
    frame = pd.DataFrame(list(rows))
    return frame if frame.empty else frame.set_index(frame.columns[0])


def qualities(found: Mapping[str, Quality], *, against: Mapping[str, Interval] | None = None) -> pd.DataFrame:
    """NDCG@10 and MRR@10 of each ranker, and its difference to another with the 95% interval where one is given."""
    rows = []
    for name, quality in found.items():
        row = {"ranker": name, "NDCG@10": f"{quality.ndcg10:.3f}", "MRR@10": f"{quality.mrr10:.3f}"}
        if against and name in against:
            interval = against[name]
            row["difference [95% interval]"] = interval.signed()
        rows.append(row)
    return from_rows(rows).fillna("–")


def differences(found: Mapping[str, Quality], *, to: str, n_resamples: int) -> dict[str, Interval]:
    """NDCG@10 of every other ranker less that of the one named `to`, on the same queries."""
    others = {name: quality for name, quality in found.items() if name != to}
    return {name: paired_bootstrap(quality, found[to], n_resamples=n_resamples) for name, quality in others.items()}


def end_to_end(judged: EndToEnd) -> pd.DataFrame:
    """NDCG@10 and MRR@10 of BM25's order, the teacher's and the labels' own, of the same candidates."""
    names = {"BM25": "BM25", "ranker": "teacher", "labels": "order of the labels"}
    return qualities({names[order]: quality for order, quality in judged.quality.items()})


def say_end_to_end(judged: EndToEnd, *, n_candidates: int, n_resamples: int) -> str:
    """How many queries were judged end to end, and the difference of the two orders; or why there is no such figure."""
    if not judged.quality:
        return judged.why_null["ndcg10_end_to_end"]
    change = paired_bootstrap(judged.quality["ranker"], judged.quality["BM25"], n_resamples=n_resamples)
    return (
        f"{judged.n_queries} queries, {n_candidates} candidates each; {say_recall(judged, n_candidates=n_candidates)}\n"
        f"the teacher's order less BM25's: {change.signed()}"
    )


def say_recall(judged: EndToEnd, *, n_candidates: int) -> str:
    """What share of the best products the ranker gets at all, or why nobody can say."""
    if judged.recall is None:
        return f"how many of the best products they hold cannot be said: {judged.why_null['recall']}"
    return f"BM25's {n_candidates} candidates hold {judged.recall:.0%} of the products judged best"


@dataclass(frozen=True)
class Gain:
    """How much better one ranker ranks than another on some of the queries.

    Attributes:
        where: which queries, in words.
        before, after: NDCG@10 of the other ranker and of this one.
        interval: of the difference.
    """

    where: str
    n_queries: int
    before: float
    after: float
    interval: Interval


def gains(ranker: Quality, *, over: Quality, parts: Mapping[str, Collection[str]], n_resamples: int) -> dict[str, Gain]:
    """The gain of a ranker over another on each part of the queries, the largest first; without empty parts.

    Args:
        parts: query_ids by the name of their part; queries that neither ranker was judged on are passed over.
    """
    found = []
    for where, query_ids in parts.items():
        if not ranker.ndcg10_by_query.keys() & set(query_ids):
            continue
        after, before = (_of_queries(quality, query_ids) for quality in (ranker, over))
        interval = paired_bootstrap(after, before, n_resamples=n_resamples)
        found.append(Gain(where, after.n_queries, before.ndcg10, after.ndcg10, interval))
    return {gain.where: gain for gain in sorted(found, key=lambda gain: -gain.interval.mean)}


def _of_queries(quality: Quality, query_ids: Collection[str]) -> Quality:
    """NDCG@10 alone, on some of the queries."""
    kept = set(query_ids)
    return Quality({q: value for q, value in quality.ndcg10_by_query.items() if q in kept}, {}, {})


def by_kind_of_query(quality: Quality, *, at_least: int = 30) -> dict[str, list[str]]:
    """The query_ids of every kind that has `at_least` queries, by the kind's name on one line.

    With fewer than two such kinds there is nothing to compare: all queries are one part.
    """
    found: dict[str, list[str]] = {}
    for query_id in quality.ndcg10_by_query:
        found.setdefault(_name(quality.kinds[query_id]), []).append(query_id)
    large = {kind: query_ids for kind, query_ids in found.items() if len(query_ids) >= at_least}
    return large if len(large) > 1 else {ALL_QUERIES: list(quality.ndcg10_by_query)}


def _name(kind: str) -> str:
    """A kind as a word of a sentence; data may leave it out for some queries, and may hold a long text."""
    line = " ".join(kind.split()) or "not given"
    return line if len(line) <= 40 else line[:39] + "…"


def gain_table(found: Iterable[Gain], *, before: str, after: str) -> pd.DataFrame:
    """NDCG@10 of two rankers on each part of the queries, by their names, and the difference with its interval."""
    return from_rows(
        {
            "queries": gain.where,
            "how many": f"{gain.n_queries:,}",
            before: f"{gain.before:.3f}",
            after: f"{gain.after:.3f}",
            "difference [95% interval]": gain.interval.signed(),
        }
        for gain in found
    )


def example_row(pairs: Dataset, *, scores: np.ndarray) -> int:
    """The row of a pair worth looking at: of the first products with the best label the one with the highest score.

    Where none of those has a score above 0, the highest of all.

    Args:
        scores: of all of `pairs`, (n_pairs,).
    """
    gains_of = np.asarray(pairs["gain"][:])
    good = np.flatnonzero(gains_of == gains_of.max())[:N_LOOKED_AT]
    rows = good if scores[good].max() > 0 else np.arange(len(pairs))
    return int(rows[scores[rows].argmax()])


def kinds(found: Mapping[str, Quality]) -> dict[str, dict[str, tuple[float, int]]]:
    """`metrics.by_kind` of each ranker, as `plots.quality_by_kind` wants it."""
    return {name: by_kind(quality) for name, quality in found.items()}


def parts(
    pairs: Dataset, scores: Mapping[str, np.ndarray], *, masks: Mapping[str, np.ndarray], top_gain: int
) -> pd.DataFrame:
    """NDCG@10 of each ranker on parts of the judged pairs; a mask (n_pairs,) is true for the pairs of its part.

    `queries` counts those that have two different labels within the part.
    """
    rows = []
    for part, mask in masks.items():
        found = {name: on_part(pairs, scoring, mask=mask, top_gain=top_gain) for name, scoring in scores.items()}
        numbers = {name: f"{quality.ndcg10:.3f}" if quality else "–" for name, quality in found.items()}
        n_queries = max((quality.n_queries for quality in found.values() if quality), default=0)
        rows.append({"part": part, "queries": f"{n_queries:,}", **numbers})
    return from_rows(rows)
