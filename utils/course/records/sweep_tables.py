"""The recorded sweep drawn together: a table, the lines of a picture, and what it says in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from utils.course.records.recorded_sweep import (
    ARMS,
    BOTH,
    HEADROOM,
    IN_WORDS,
    LABELS,
    LONGER,
    SCORES,
    SECOND,
    TEACHER,
    Cell,
)
from utils.course.records.recorded_tables import N_RESAMPLES
from utils.measure.ledger_table import DASH
from utils.rank import metrics
from utils.rank.metrics import Interval, Quality


def tabulate(cells: Sequence[Cell]) -> pd.DataFrame:
    """NDCG@10 on valid of every arm (columns) at each number of judged queries (lines), and what scores add to labels.

    The last column is scores and labels, less labels alone, with its 95% interval.
    """
    lines = []
    for n_judged in _sizes(cells):
        line = {"judged train queries": f"{n_judged:,}"}
        for arm in ARMS:
            found = of_arm(cells, arm, n_judged=n_judged)
            line[IN_WORDS[arm]] = f"{found.ndcg10:.3f}" if found else DASH
        worth = worth_of_scores(cells, n_judged=n_judged)
        lines.append(line | {"both less labels alone [95%]": worth.signed() if worth else DASH})
    return pd.DataFrame(lines).set_index("judged train queries") if lines else pd.DataFrame()


def of_arm(cells: Sequence[Cell], arm: str, *, n_judged: int) -> Quality | None:
    """Quality on valid of an arm, each query with its mean over the recorded seeds; None where none is recorded."""
    found = [cell.by_query for cell in cells if (cell.arm, cell.n_judged) == (arm, n_judged)]
    return Quality.of_values(np.mean(found, axis=0)) if found else None


def worth_of_scores(cells: Sequence[Cell], *, n_judged: int) -> Interval | None:
    """What scores and labels have over labels alone; None where one of them is not recorded."""
    both, alone = (of_arm(cells, arm, n_judged=n_judged) for arm in (BOTH, LABELS))
    return metrics.paired_bootstrap(both, alone, n_resamples=N_RESAMPLES) if both and alone else None


def lines(cells: Sequence[Cell]) -> dict[str, list[tuple[float, float]]]:
    """(judged queries, NDCG@10 on valid) of every arm, by its name in words."""
    found = {IN_WORDS[arm]: [(n, of_arm(cells, arm, n_judged=n)) for n in _sizes(cells)] for arm in ARMS}
    return {name: [(n, quality.ndcg10) for n, quality in points if quality] for name, points in found.items()}


def crossover(cells: Sequence[Cell]) -> str:
    """Up to how many judged queries the teacher's scores pay, in words; "" before it is recorded."""
    worth = {n: found for n in _sizes(cells) if (found := worth_of_scores(cells, n_judged=n))}
    if not worth:
        return ""
    pays = [n for n, interval in worth.items() if interval.low > 0]
    harms = [n for n, interval in worth.items() if interval.high < 0]
    said = [f"scores pay at {_listed(pays)} judged queries" if pays else "scores surely pay at none of these sizes"]
    if harms:
        said.append(f"labels alone are surely better at {_listed(harms)}")
    if unsure := [n for n in worth if n not in pays and n not in harms]:
        said.append(f"no difference is sure at {_listed(unsure)}")
    return "; ".join(said)


def plateau(cells: Sequence[Cell]) -> Interval | None:
    """What twice the steps give the teacher on valid; None where it is not recorded."""
    return _beside_teacher(cells, LONGER)


def at_plateau(cells: Sequence[Cell]) -> float | None:
    """NDCG@10 on valid of the teacher that `plateau` and `headroom` are held against; None where it is not recorded."""
    teacher = of_arm(cells, TEACHER, n_judged=_size_of(cells, LONGER))
    return teacher and teacher.ndcg10


def headroom(cells: Sequence[Cell]) -> Interval | None:
    """What every query judged and four times the steps give the teacher on valid; None where it is not recorded."""
    return _beside_teacher(cells, HEADROOM)


def second_start(cells: Sequence[Cell]) -> Interval | None:
    """What a student of scores and labels gains on valid by the second start; None where it is not recorded."""
    other, own = (of_arm(cells, arm, n_judged=_size_of(cells, SECOND)) for arm in (SECOND, BOTH))
    return metrics.paired_bootstrap(other, own, n_resamples=N_RESAMPLES) if other and own else None


def curve(cells: Sequence[Cell]) -> list[tuple[int, float]]:
    """(pairs seen, NDCG@10 on the looked-at queries of valid) of the longest teacher of the data as they are."""
    longer = [cell for cell in cells if cell.arm == LONGER]
    return max((cell.curve for cell in longer), key=len, default=[])


def _beside_teacher(cells: Sequence[Cell], arm: str) -> Interval | None:
    """An arm less the teacher of the data as they are, which is the one at the size at which LONGER was tried."""
    found = of_arm(cells, arm, n_judged=_size_of(cells, arm))
    teacher = of_arm(cells, TEACHER, n_judged=_size_of(cells, LONGER))
    return metrics.paired_bootstrap(found, teacher, n_resamples=N_RESAMPLES) if found and teacher else None


def _size_of(cells: Sequence[Cell], arm: str) -> int:
    """The judged queries of the first cell of an arm; 0 where there is none."""
    return next((cell.n_judged for cell in cells if cell.arm == arm), 0)


def _sizes(cells: Sequence[Cell]) -> list[int]:
    return sorted({cell.n_judged for cell in cells if cell.arm in (LABELS, SCORES, BOTH)})


def _listed(numbers: Sequence[int]) -> str:
    *others, last = (f"{n:,}" for n in numbers)
    return f"{', '.join(others)} and {last}" if others else last
