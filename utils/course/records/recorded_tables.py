"""Recorded runs drawn together over their seeds: tables of quality and cost. What is kept is in `recorded_kept`."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from utils.course.records import folded
from utils.course.records.recorded import STUDY, Record
from utils.course.run import TEACHER_SCORES
from utils.measure import ledger_table
from utils.measure.row_groups import Delta, Latency, Row
from utils.rank import metrics
from utils.rank.metrics import Quality

N_RESAMPLES = 2_000  # of the pooled interval


def tabulate(records: Sequence[Record]) -> pd.DataFrame:
    """Recorded runs of a data set as the ledger shows rows, with the span of NDCG@10 over the seeds."""
    return _tabulate(by_variant(records), records=records)


def tabulate_notebooks(records: Sequence[Record]) -> pd.DataFrame:
    """As `tabulate`, of the rows that notebooks wrote, without those that recipes end in."""
    of_notebooks = [found for found in by_variant(records) if found[0][1].identity.notebook != STUDY]
    return _tabulate(of_notebooks, records=records)


def mean_rows(records: Iterable[Record]) -> dict[str, Row]:
    """One row for each way of running a stage, drawn together over the seeds, by its label."""
    return {found[-1][1].label: _mean_row(found) for found in by_variant(records)}


def by_variant(runs: Iterable[Record]) -> list[list[tuple[Record, Row]]]:
    """For each way of running a stage the runs that have it, each with its row.

    The teacher in int8 is one way, whichever engine each run found better for it. Of models of several sizes under one
    name, as when a recipe has changed since some of the runs, the newest count.
    """
    ways: dict[tuple, list[tuple[Record, Row]]] = {}
    for run in runs:
        for row in run.ledger_rows():
            ways.setdefault(folded.way(row.identity.model_dump()), []).append((run, row))
    newest = (max((row for _, row in found), key=lambda row: row.identity.time_utc) for found in ways.values())
    return [
        [(run, row) for run, row in found if row.size.n_params == last.size.n_params]
        for found, last in zip(ways.values(), newest, strict=True)
    ]


def _mean_row(found_in: Sequence[tuple[Record, Row]]) -> Row:
    """Means of quality over the runs, medians of times and of money.

    The interval of the difference to the teacher is pooled: queries are drawn anew, each with the mean of its values
    over the seeds. There is none where the runs did not keep the quality of every query.
    """
    _, rows = zip(*found_in, strict=True)
    changed: dict[str, dict] = {}
    for place, drawn_together in DRAWN_TOGETHER.items():
        group, _, name = place.partition(".")
        values = [row.value(place) for row in rows]
        if None not in values:
            changed.setdefault(group, {})[name] = drawn_together(values)
    if rows[0].quality.ndcg10_delta is not None:
        delta = _pooled_delta(found_in)
        reasons = {} if delta else {"ndcg10_delta": "the quality of every query was not kept"}
        changed["quality"] |= {"ndcg10_delta": delta, "why_null": rows[0].quality.why_null | reasons}
    return rows[0].changed(**changed)


def _median_latency(latencies: Sequence[Latency]) -> Latency:
    parts = {part: statistics.median(getattr(one, part) for one in latencies) for part in ("p50", "p95", "p99")}
    return Latency(**parts, n=sum(one.n for one in latencies))


DRAWN_TOGETHER = {  # how the figures of several seeds become one
    **dict.fromkeys(
        ("quality.ndcg10", "quality.mrr10", "quality.ndcg10_end_to_end", "quality.recall"), statistics.fmean
    ),
    **dict.fromkeys(("speed.pairs_per_s", "money.pairs_per_s", "money.usd_per_million_queries"), statistics.median),
    "speed.latency_ms": _median_latency,
}


def beside_teacher(found_in: Sequence[tuple[Record, Row]]) -> list[tuple[list[float], list[float]]]:
    """NDCG@10 of every query, of each row and of its run's teacher, for the runs that kept both."""
    keys = [(run.ndcg10, row.identity.variant.scores_key) for run, row in found_in]
    return [(kept[key], kept[TEACHER_SCORES]) for kept, key in keys if {key, TEACHER_SCORES} <= kept.keys()]


def _pooled_delta(found_in: Sequence[tuple[Record, Row]]) -> Delta | None:
    """The difference to the teacher over all runs that kept both, or None."""
    both = beside_teacher(found_in)
    if not both:
        return None
    ours, teachers = (mean_over(values) for values in zip(*both, strict=True))
    found = metrics.paired_bootstrap(ours, teachers, n_resamples=N_RESAMPLES)
    return Delta(mean=found.mean, low=found.low, high=found.high)


def mean_over(seeds: Sequence[Sequence[float]]) -> Quality:
    """Each query with the mean of its values over the seeds."""
    return Quality.of_values(np.mean(seeds, axis=0))


def _tabulate(by_variant: Sequence[Sequence[tuple[Record, Row]]], *, records: Sequence[Record]) -> pd.DataFrame:
    frame = ledger_table.tabulate([_mean_row(found) for found in by_variant])
    spans = [_span(found, n_runs=len(records)) for found in by_variant]
    frame.insert(1, f"seeds {', '.join(str(record.seed) for record in records)}", spans)
    return frame


def _span(found: Sequence[tuple[Record, Row]], *, n_runs: int) -> str:
    """NDCG@10 from the lowest to the highest; with the seeds it comes from where those are not all."""
    values = [row.quality.ndcg10 for _, row in found if row.quality.ndcg10 is not None]
    ends = dict.fromkeys(f"{end(values):.3f}" for end in (min, max)) if values else ["–"]
    seeds = ", ".join(str(run.seed) for run, _ in found)
    return " to ".join(ends) + (f" (seed{'s' * (len(found) > 1)} {seeds})" if len(found) < n_runs else "")
