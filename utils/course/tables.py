"""What a notebook shows of the data: a search page as a shopper would see it, small tables, and what they say in words.

Every text of a catalogue is escaped, so that a title with HTML or a formula in it is shown and not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from datasets import Dataset
from IPython.display import HTML

from utils.rank.evaluation import EndToEnd, on_part
from utils.rank.metrics import Interval, Quality, by_kind, paired_bootstrap

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
    """A difference of NDCG@10: `where` it is, `ndcg10`, and a `note` on where it is least."""

    where: str
    ndcg10: float
    note: str


def largest_gain(ranker: Quality, *, over: Quality, at_least: int = 30) -> Gain:
    """On which kind of query `ranker` gains most over another, of the kinds with `at_least` queries.

    With fewer than two such kinds there is nothing to compare: the gain is that of the mean over all queries.
    """
    others = by_kind(over)
    gains = {kind: mean - others[kind][0] for kind, (mean, n) in by_kind(ranker).items() if n >= at_least}
    if len(gains) < 2:
        return Gain("in the mean", ranker.ndcg10 - over.ndcg10, f"fewer than two kinds have {at_least} queries")
    most, least = max(gains, key=gains.get), min(gains, key=gains.get)
    return Gain(f"most {_on(most)}", gains[most], f"least {_on(least)}: {gains[least]:+.3f}")


def _on(kind: str) -> str:
    """A kind in a sentence; data may leave it out for some queries, and may hold a long text."""
    line = " ".join(kind.split())
    return f"on '{line if len(line) <= 40 else line[:39] + '…'}' queries" if line else "on queries without a kind"


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
