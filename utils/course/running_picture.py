"""The picture that runs through the notebooks: NDCG@10 on test against dollars, one more point in each.

What earlier notebooks measured is grey, what this one adds has a colour, and the two references are always named.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from utils.course import verdict
from utils.course.measure_stage import REFERENCES, TEACHER
from utils.course.run import Run
from utils.measure import plots
from utils.measure.row_groups import Row

KNOWN = (*REFERENCES, *(f"{name}, OpenVINO" for name in ("pruned", "student", "quantized", "labels alone", "sparse")))


def draw(run: Run, rows: Sequence[Row]) -> Figure:
    """All rows of this run that were timed on one thread and judged on test.

    Args:
        rows: of this notebook, as `measure_stage.measure` gave them; those that are no references are the new points.

    Raises:
        ValueError: none of them has both figures.
    """
    new = [row for row in rows if verdict.is_priced(row)]
    if not new:
        raise ValueError("no row has both dollars and NDCG@10 on test; give those of measure_stage.measure")
    earlier = [row for row in run.rows() if verdict.is_priced(row)]
    return plots.quality_against_dollars(
        _points(new), earlier=_points(earlier), title=_title(_shown(new), teacher=_teacher(new)), known=KNOWN
    )


def of_ledger(rows: Sequence[Row]) -> Figure | None:
    """All rows that were timed on one thread and judged on test; None before one of the chain is."""
    priced = [row for row in rows if verdict.is_priced(row)]
    ranker = verdict.chosen(rows)
    if ranker is None:
        return None
    new = [row for row in priced if row.label in (*REFERENCES, ranker.label)]
    title = _title(ranker, teacher=_teacher(new))
    return plots.quality_against_dollars(_points(new), earlier=_points(priced), title=title, known=KNOWN)


def _teacher(rows: Sequence[Row]) -> Row:
    return next(row for row in rows if row.label == TEACHER)


def _shown(rows: Sequence[Row]) -> Row:
    """Of the rows that a notebook adds the cheapest; a reference where it adds no other."""
    added = [row for row in rows if row.label not in REFERENCES] or list(rows)
    return min(added, key=lambda row: row.money.usd_per_million_queries)


def _points(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    return {row.label: (row.money.usd_per_million_queries, row.quality.ndcg10) for row in rows}


def _title(ranker: Row, *, teacher: Row) -> str:
    kept = ranker.quality.ndcg10 / teacher.quality.ndcg10
    dollars, before = (row.money.usd_per_million_queries for row in (ranker, teacher))
    return f"{ranker.label}: {kept:.1%} of NDCG@10 for ${dollars:.2f} in place of ${before:.2f}"
