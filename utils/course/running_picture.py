"""The picture that tells a run: NDCG@10 on test against dollars, the two references and what is shipped in colour."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from utils.course import verdict
from utils.course.measure_stage import REFERENCES, TEACHER
from utils.measure import plots
from utils.measure.row_groups import Row


def of_ledger(rows: Sequence[Row]) -> Figure | None:
    """All rows that were timed on one thread and judged on test; None before one of the chain is."""
    priced = [row for row in rows if verdict.is_priced(row)]
    ranker = verdict.chosen(rows)
    if ranker is None:
        return None
    new = [row for row in priced if row.label in (*REFERENCES, ranker.label)]
    teacher = next(row for row in new if row.label == TEACHER)
    title = _title(ranker, teacher=teacher)
    return plots.quality_against_dollars(_points(new), earlier=_points(priced), title=title)


def _points(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    return {row.label: (row.money.usd_per_million_queries, row.quality.ndcg10) for row in rows}


def _title(ranker: Row, *, teacher: Row) -> str:
    kept = ranker.quality.ndcg10 / teacher.quality.ndcg10
    dollars, before = (row.money.usd_per_million_queries for row in (ranker, teacher))
    return f"{ranker.label}: {kept:.1%} of NDCG@10 for ${dollars:.2f} in place of ${before:.2f}"
