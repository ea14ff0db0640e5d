"""Rows of the ledger as a table for readers. A later notebook shows its own groups by columns of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from utils.measure.row_groups import Delta, Row

DASH = "–"  # stands where a row has no figure
AT_LEAST = "≥"  # before an end-to-end figure in which products that nobody judged count as worthless
Column = tuple[str, str]  # the place of a figure, and the format it is written in

COLUMNS: Mapping[str, Column] = {
    "NDCG@10": ("quality.ndcg10", "{:.3f}"),
    "of the way from random": ("quality.share_of_way", "{:.0%}"),
    "to the teacher": ("quality.ndcg10_delta", "{}"),
    "end to end": ("quality.ndcg10_end_to_end", "{:.3f}"),
    "M parameters": ("size.n_params", "{:.1f}"),
    "MB": ("size.disk_bytes", "{:.1f}"),
    "G MACs a pair": ("work.macs_per_pair", "{:.2f}"),
    "threads": ("identity.threads", "{:.0f}"),
    "ms a query of 100 (p50)": ("speed.latency_ms.p50", "{:,.0f}"),
    "pairs/s": ("speed.pairs_per_s", "{:,.0f}"),
    "pairs/s, all cores": ("money.pairs_per_s", "{:,.0f}"),
    "$ a million queries": ("money.usd_per_million_queries", "{:,.2f}"),
}
UNITS = {"M parameters": 1e6, "MB": 1e6, "G MACs a pair": 1e9}  # what a figure is divided by


def tabulate(rows: Sequence[Row], *, columns: Mapping[str, Column] = COLUMNS) -> pd.DataFrame:
    """Rows as a reader wants them: quality, size, work, time and money, one line a label.

    A dash stands where a row has no figure; a column that no row fills is left out, and so are the threads where all
    timed rows were timed on as many.

    Args:
        columns: the place of a figure (as `Row.value` takes it, the part of a figure after another dot) and its format,
            by the column's title.
    """
    cells = {title: [_cell(row, title, column) for row in rows] for title, column in columns.items()}
    cells = {title: written for title, written in cells.items() if set(written) != {DASH}}
    if len(set(cells.get("threads", ())) - {DASH}) == 1:
        del cells["threads"]
    return pd.DataFrame(cells, index=pd.Index([row.label for row in rows], name="row"))


def _cell(row: Row, title: str, column: Column) -> str:
    place, form = column
    if title == "threads" and row.speed.latency_ms is None:  # of a row without times they say nothing
        return DASH
    figure = _figure(row, place)
    if figure is None:
        return DASH
    written = form.format(figure.signed() if isinstance(figure, Delta) else figure / UNITS.get(title, 1))
    is_bound = place == "quality.ndcg10_end_to_end" and row.quality.end_to_end_is_lower_bound
    return f"{AT_LEAST} {written}" if is_bound else written


def _figure(row: Row, place: str) -> Any:
    group, name, *part = place.split(".")
    figure = row.value(f"{group}.{name}")
    return getattr(figure, part[0]) if part and figure is not None else figure
