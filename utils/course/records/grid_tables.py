"""The recorded grid of distillation drawn together: tables, the lines of a picture, and what it says in sentences."""

from __future__ import annotations

import statistics

import numpy as np
import pandas as pd

from utils.course.records.recorded_grid import LABELS, LONG, SHORT, WHOLE, Cell
from utils.course.records.recorded_tables import N_RESAMPLES
from utils.rank import metrics
from utils.rank.metrics import Quality


def mean_over_seeds(cells: list[Cell]) -> list[Cell]:
    """One cell for each loss and shape, with the mean NDCG@10 of its seeds, and nothing of single queries."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.name, cell.shape), []).append(cell)
    means = ("ndcg10", "pruned_ndcg10", "teacher_ndcg10", "seconds")
    return [
        same[0].model_copy(
            update={name: statistics.fmean(getattr(cell, name) for cell in same) for name in means} | {"by_query": []}
        )
        for same in groups.values()
    ]


def tabulate_shapes(cells: list[Cell]) -> pd.DataFrame:
    """NDCG@10 on valid of every shape (lines) on labels and with what else was tried at more than one shape (columns).

    The mean over the seeds that are recorded.
    """
    lines: dict[str, dict[str, str]] = {}
    many = {cell.loss for cell in _of_many_shapes(cells)} | {LABELS}
    for cell in mean_over_seeds([cell for cell in _short(cells) if cell.loss in many] or cells):
        line = lines.setdefault(cell.shape, {"MACs": f"{cell.macs_per_pair / cell.teacher_macs_per_pair:.0%}"})
        line[cell.loss] = f"{cell.ndcg10:.3f}"
    return pd.DataFrame.from_dict(lines, orient="index").fillna("–").rename_axis(f"student, {_seeds(cells)}")


def tabulate_losses(cells: list[Cell]) -> pd.DataFrame:
    """NDCG@10 on valid of every loss at the shape at which most were tried, the mean over the recorded seeds.

    Sorted by the number of pairs, then by NDCG@10, the best first.
    """
    means = mean_over_seeds(cells)
    shape = statistics.mode(cell.shape for cell in means)
    found = sorted((cell for cell in means if cell.shape == shape), key=lambda cell: (cell.n_pairs, -cell.ndcg10))
    lines = [
        {
            f"{shape}; {_seeds(cells)}": cell.name,
            "what the student copies": cell.copies,
            "pairs": f"{cell.n_pairs:,}",
            "NDCG@10": f"{cell.ndcg10:.3f}",
            "of the teacher's": f"{cell.ndcg10 / cell.teacher_ndcg10:.1%}",
        }
        for cell in found
    ]
    frame = pd.DataFrame(lines)
    return frame.set_index(frame.columns[0])


def families(cells: list[Cell]) -> dict[str, list[tuple[float, float]]]:
    """(MACs a pair, mean NDCG@10) of the losses that were tried at more than one shape, by loss and width; then of the
    two models that they come from.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    cells = mean_over_seeds(cells)
    for cell in _of_many_shapes(cells):
        found.setdefault(f"{cell.loss}, {cell.width}", []).append((cell.macs_per_pair, cell.ndcg10))
    first = cells[0]
    found["pruned, the start of all"] = [(first.pruned_macs_per_pair, first.pruned_ndcg10)]
    return found | {"teacher": [(first.teacher_macs_per_pair, first.teacher_ndcg10)]}


def gaps(cells: list[Cell]) -> dict[str, float]:
    """By shape, the largest model first, what the teacher's scores give over labels; only shapes that have both."""
    cells = mean_over_seeds(cells)
    taught = {cell.shape: cell.ndcg10 for cell in _of_many_shapes(cells) if cell.loss != LABELS}
    alone = {cell.shape: cell.ndcg10 for cell in _short(cells) if cell.loss == LABELS}
    return {shape: ndcg10 - alone[shape] for shape, ndcg10 in taught.items() if shape in alone}


def verdict(cells: list[Cell]) -> str:
    """At how many shapes the teacher's scores beat labels, in words; "" before any shape has both."""
    if not (found := gaps(cells).values()):
        return ""
    won, ends = sum(gap > 0 for gap in found), [f"{end(found):+.2f}" for end in (min, max)]
    return f"in equal steps the teacher's scores beat labels at {won} of {len(found)} shapes ({' to '.join(ends)})"


def long_runs(cells: list[Cell]) -> dict[str, float]:
    """Mean NDCG@10 of the students that had as many steps as the recipe's, by loss."""
    return {cell.loss: cell.ndcg10 for cell in mean_over_seeds(cells) if cell.length == LONG}


def whole_runs(cells: list[Cell]) -> tuple[Quality, Quality] | None:
    """Quality on valid of the students of scores, then labels, and of those of labels alone in as many steps.

    Of the seeds that have both, made by the same code; each query has its mean over them. None where there are none.
    """
    whole = [cell for cell in cells if cell.length == WHOLE]
    pairs = [
        (taught.by_query, alone.by_query)
        for taught in whole
        for alone in whole
        if taught.loss != LABELS == alone.loss and (taught.seed, taught.code) == (alone.seed, alone.code)
    ]
    if not pairs:
        return None
    taught, alone = (Quality.of_values(np.mean(of_seeds, axis=0)) for of_seeds in zip(*pairs, strict=True))
    return taught, alone


def worth_of_scores(cells: list[Cell]) -> str:
    """Whether the teacher's scores paid in the whole recipe, in words; "" before that is recorded."""
    if not (both := whole_runs(cells)):
        return ""
    taught, alone = both
    worth = metrics.paired_bootstrap(taught, alone, n_resamples=N_RESAMPLES)
    if worth.low > 0:
        what = "the teacher's scores paid"
    elif worth.high < 0:
        what = "labels alone did better"
    else:
        what = "no difference is sure"
    return (
        f"in as many steps as the whole recipe: scores, then labels {taught.ndcg10:.3f}, labels alone "
        f"{alone.ndcg10:.3f}; the first minus the second {worth.signed()}: {what}"
    )


def _of_many_shapes(cells: list[Cell]) -> list[Cell]:
    """Cells of losses that were tried at more than one shape."""
    shapes: dict[str, set[str]] = {}
    for cell in _short(cells):
        shapes.setdefault(cell.loss, set()).add(cell.shape)
    return [cell for cell in _short(cells) if len(shapes[cell.loss]) > 1]


def _short(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.length == SHORT]


def _seeds(cells: list[Cell]) -> str:
    seeds = sorted({cell.seed for cell in cells})
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
