"""What a notebook shows of the data: a search page as a shopper would see it, and small tables.

Every text of a catalogue is escaped, so that a title with HTML in it is shown and not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
from datasets import Dataset
from IPython.display import HTML

from utils.rank.evaluation import on_part
from utils.rank.metrics import Interval, Quality, by_kind

PAGE = (
    "<div style='max-width:46em;margin:.6em 0;padding:.5em .8em;border:1px solid #ccc;border-radius:6px'>"
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


def from_rows(rows: Sequence[Mapping]) -> pd.DataFrame:
    """Rows as a table whose index is the first column."""
    frame = pd.DataFrame(list(rows))
    return frame.set_index(frame.columns[0])


def qualities(found: Mapping[str, Quality], *, against: Mapping[str, Interval] | None = None) -> pd.DataFrame:
    """NDCG@10 and MRR@10 of each ranker, and its difference to another with the 95% interval where one is given."""
    rows = []
    for name, quality in found.items():
        row = {"ranker": name, "NDCG@10": f"{quality.ndcg10:.3f}", "MRR@10": f"{quality.mrr10:.3f}"}
        if against and name in against:
            interval = against[name]
            row["difference [95% interval]"] = f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
        rows.append(row)
    return from_rows(rows).fillna("–")


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
