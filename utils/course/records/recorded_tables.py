"""Recorded runs drawn together over their seeds: tables of quality and cost, and what is kept of the teacher."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from utils.course.records.recorded import STUDY, Record, path_of_record
from utils.course.run import TEACHER_SCORES
from utils.measure import ledger_table, timing
from utils.measure.row_groups import Delta, Latency, Row
from utils.measure.variant import Variant
from utils.rank import metrics
from utils.rank.metrics import Quality

N_RESAMPLES = 2_000  # of the pooled interval
TARGET = {  # what the chain is to reach on the embedded shop, against the fp32 teacher in PyTorch on one thread
    "NDCG@10 kept": 0.99,
    "its lower end": 0.98,  # of the 95% interval
    "pairs/s": 20,
    "bytes to ship": 0.10,
    "MACs": 0.12,
}


def tabulate(records: Sequence[Record]) -> pd.DataFrame:
    """Recorded runs of a data set as the ledger shows rows, with the span of NDCG@10 over the seeds."""
    return _tabulate(_by_variant(records), records=records)


def tabulate_notebooks(records: Sequence[Record]) -> pd.DataFrame:
    """As `tabulate`, of the rows that notebooks wrote, without those that recipes end in."""
    of_notebooks = [found for found in _by_variant(records) if found[0][1].identity.notebook != STUDY]
    return _tabulate(of_notebooks, records=records)


def kept(records: Sequence[Record]) -> pd.DataFrame:
    """What each way of running a stage keeps of the teacher, over the recorded seeds; empty where none was judged.

    Quality is the pooled share of NDCG@10 with its 95% interval. The rest is measured against the teacher's row in
    PyTorch of the same run, on one thread: of the ratios of pairs a second, of all turns of all seeds,
    the median and its 95% interval; of the others the median over the seeds. The last column names what falls short of
    the course's target (`TARGET`).
    """
    ways = [
        [(run, row) for run, row in found if {row.identity.variant.scores_key, TEACHER_SCORES} <= run.ndcg10.keys()]
        for found in _by_variant(records)
    ]
    lines = [_kept_line(found) for found in ways if found and found[0][1].identity.notebook == STUDY]
    return pd.DataFrame(lines).set_index("row") if lines else pd.DataFrame()


def smallest_that_keeps(records: Sequence[Record]) -> tuple[str | None, dict[str, float]]:
    """Of the stages that recipes end in the one with the least work that keeps `TARGET` of the teacher on valid.

    Returns:
        Its name, None where none keeps that much; and by stage what it keeps, over the seeds that have it. Nothing of
        test has a say in it.
    """
    runs = [record for record in records if record.on_valid]
    work = {row.stage: row.work.macs_per_pair for run in runs for row in run.ledger_rows()}
    shares = {}
    for stage in dict.fromkeys(stage for run in runs for stage in run.on_valid if stage != "teacher"):
        both = [(run.on_valid[stage], run.on_valid["teacher"]) for run in runs if stage in run.on_valid]
        ours, teachers = map(sum, zip(*both, strict=True))
        shares[stage] = ours / teachers
    good = [stage for stage, share in shares.items() if share >= TARGET["NDCG@10 kept"]]
    return min(good, key=work.get, default=None), shares


def _by_variant(runs: Iterable[Record]) -> list[list[tuple[Record, Row]]]:
    """For each way of running a stage the runs that have it, each with its row.

    Of models of several sizes under one name, as when a recipe has changed since some of the runs, the newest count.
    """
    ways: dict[str, list[tuple[Record, Row]]] = {}
    for run in runs:
        for row in run.ledger_rows():
            ways.setdefault(row.identity.variant.key, []).append((run, row))
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
    runs, rows = zip(*found_in, strict=True)
    changed: dict[str, dict] = {}
    for place, drawn_together in DRAWN_TOGETHER.items():
        group, _, name = place.partition(".")
        values = [row.value(place) for row in rows]
        if None not in values:
            changed.setdefault(group, {})[name] = drawn_together(values)
    if rows[0].quality.ndcg10_delta is not None:
        delta = _pooled_delta(rows[0].identity.variant, runs=runs)
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


def _pooled_delta(variant: Variant, *, runs: Sequence[Record]) -> Delta | None:
    """The difference to the teacher over all runs that kept both, or None."""
    keys = (variant.scores_key, TEACHER_SCORES)
    both = [tuple(run.ndcg10[key] for key in keys) for run in runs if set(keys) <= run.ndcg10.keys()]
    if not both:
        return None
    ours, teachers = (Quality.of_values(np.mean(values, axis=0)) for values in zip(*both, strict=True))
    found = metrics.paired_bootstrap(ours, teachers, n_resamples=N_RESAMPLES)
    return Delta(mean=found.mean, low=found.low, high=found.high)


def _tabulate(by_variant: Sequence[Sequence[tuple[Record, Row]]], *, records: Sequence[Record]) -> pd.DataFrame:
    frame = ledger_table.tabulate([_mean_row(found) for found in by_variant])
    spans = [_span(found, n_runs=len(records)) for found in by_variant]
    frame.insert(1, f"seeds {', '.join(str(record.seed) for record in records)}", spans)
    return frame


def _kept_line(found: Sequence[tuple[Record, Row]]) -> dict[str, str]:
    runs, keys = [run for run, _ in found], (found[0][1].identity.variant.scores_key, TEACHER_SCORES)
    both = [tuple(Quality.of_values(run.ndcg10[key]) for key in keys) for run in runs]
    share = metrics.pooled_share(both, n_resamples=N_RESAMPLES)
    against = [(row, _teacher(run)) for run, row in found]
    speed = timing.rate_ratio(*(sum(samples, []) for samples in zip(*map(_rates, found), strict=True)))
    size, work = (
        statistics.median(row.value(place) / teacher.value(place) for row, teacher in against)
        for place in ("size.disk_bytes", "work.macs_per_pair")
    )
    short = {
        "NDCG@10": share.mean < TARGET["NDCG@10 kept"] or share.low < TARGET["its lower end"],
        "pairs/s": speed.median < TARGET["pairs/s"],
        "bytes": size > TARGET["bytes to ship"],
        "MACs": work > TARGET["MACs"],
    }
    return {
        "row": found[-1][1].label,
        "seeds": ", ".join(str(run.seed) for run in runs),
        "NDCG@10 kept": f"{_share(share.mean, target=TARGET['NDCG@10 kept'])} [{share.low:.1%}, {share.high:.1%}]",
        "pairs/s [95%]": str(speed),
        "bytes to ship": f"{size:.1%}",
        "MACs": f"{work:.1%}",
        "short of the target": ", ".join(what for what, falls in short.items() if falls) or "nothing",
    }


def _share(value: float, *, target: float) -> str:
    """A share to a tenth of a percent, or to a hundredth where a tenth would lift it to the target that it misses."""
    return f"{value:.2%}" if value < target <= round(value, 3) else f"{value:.1%}"


def _teacher(run: Record) -> Row:
    """The teacher's row in fp32 PyTorch on one thread."""
    return next(row for row in run.ledger_rows() if row.identity.variant == Variant("teacher", "pytorch"))


def _rates(of: tuple[Record, Row]) -> tuple[list[float], list[float]]:
    """Pairs a second of a row and of the teacher, turn by turn; ValueError where the record has none."""
    run, row = of
    names = [each.identity.variant.key for each in (row, _teacher(run))]
    if missing := [name for name in names if name not in run.rates]:
        raise ValueError(
            f"{path_of_record(run).name}: has no pairs a second of '{missing[0]}'; delete it, then run: course results"
        )
    return run.rates[names[0]], run.rates[names[1]]


def _span(found: Sequence[tuple[Record, Row]], *, n_runs: int) -> str:
    """NDCG@10 from the lowest to the highest; with the seeds it comes from where those are not all."""
    values = [row.quality.ndcg10 for _, row in found if row.quality.ndcg10 is not None]
    ends = dict.fromkeys(f"{end(values):.3f}" for end in (min, max)) if values else ["–"]
    seeds = ", ".join(str(run.seed) for run, _ in found)
    return " to ".join(ends) + (f" (seed{'s' * (len(found) > 1)} {seeds})" if len(found) < n_runs else "")
