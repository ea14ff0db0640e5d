"""The picture that runs through the notebooks: NDCG@10 on test against dollars, one more point in each.

What earlier notebooks measured is grey, what this one adds has a colour, and the two references are always named.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from utils.course.measure_stage import REFERENCES
from utils.course.run import Run
from utils.measure import plots
from utils.measure.row_groups import Row


def draw(run: Run, rows: Sequence[Row]) -> Figure:
    """All rows of this run that were timed on one thread and judged on test.

    Args:
        rows: of this notebook, as `measure_stage.measure` gave them; those that are no references are the new points.

    Raises:
        ValueError: none of them has both figures.
    """
    new = {row.label: _point(row) for row in rows if _is_shown(row)}
    if not new:
        raise ValueError("no row has both dollars and NDCG@10 on test; give those of measure_stage.measure")
    earlier = {row.label: _point(row) for row in run.rows() if _is_shown(row) and row.label not in new}
    return plots.quality_against_dollars(new, earlier=earlier, title=_title(rows))


def _point(row: Row) -> tuple[float, float]:
    return row.money.usd_per_million_queries, row.quality.ndcg10


def _is_shown(row: Row) -> bool:
    return row.identity.threads == 1 and row.quality.split == "test" and None not in _point(row)


def _title(rows: Sequence[Row]) -> str:
    """What the best of the new rows costs beside the teacher in PyTorch: of those that lose least, the cheapest."""
    teacher = next(row for row in rows if row.label == REFERENCES[0])
    added = [row for row in rows if _is_shown(row) and row.label not in REFERENCES] or list(rows[-1:])
    cheapest = min(added, key=lambda row: row.money.usd_per_million_queries)
    (dollars, ndcg10), (of_teacher, whole) = _point(cheapest), _point(teacher)
    return f"{cheapest.label}: {ndcg10 / whole:.1%} of NDCG@10 for ${dollars:.2f} in place of ${of_teacher:.2f}"
