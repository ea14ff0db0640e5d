"""What recorded runs keep of the teacher, and what of its cost: against PyTorch, against int8, against labels alone.

Where the teacher itself is no better than a baseline, that is the result.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import pandas as pd

from utils.course.records.recorded import STUDY, Record, path_of_record
from utils.course.records.recorded_tables import N_RESAMPLES, beside_teacher, by_variant, mean_over, mean_rows
from utils.course.run import TEACHER_SCORES
from utils.measure import timing
from utils.measure.ledger_table import DASH
from utils.measure.row_groups import Row
from utils.measure.timing import Ratio
from utils.measure.variant import Variant
from utils.rank import baselines, metrics
from utils.rank.baselines import Lead
from utils.rank.metrics import Interval, Quality

TARGET = {  # what the chain is to reach on the embedded shop
    "NDCG@10 kept": 0.99,  # of the teacher's
    "its lower end": 0.98,  # of the 95% interval
    "× PyTorch": 20,  # pairs a second on one thread, over those of the teacher in fp32 PyTorch
    "× int8": 5,  # and over those of the teacher in int8
    "bytes to ship": 0.10,
    "MACs": 0.12,
}
IN_SHORT = {  # the rows of the short table by their labels, and what they are called there
    "teacher, PyTorch": "teacher, fp32 in PyTorch",
    "teacher in int8, untrained": "teacher in int8, untrained",
    "labels_alone, OpenVINO": "student from labels alone",
    "student, OpenVINO": "student from scores and labels",
    "quantized, OpenVINO": "that student in int8",
}
INT8 = "teacher_int8"
ALONE = "labels_alone"


def kept(records: Sequence[Record]) -> pd.DataFrame:
    """What each way of running a stage keeps of the teacher, over the recorded seeds; empty where none was judged.

    Quality is the pooled share of NDCG@10 with its 95% interval, and the difference to labels alone. Pairs a second are
    divided by those of the teacher in PyTorch, and of the teacher in int8, in the same run and on one thread: the
    median of all turns of all seeds, with its 95% interval. Bytes and MACs are medians over the seeds.
    The last column names what falls short of the course's target (`TARGET`); where the teacher is not surely ahead of
    the best baseline, it says to ship that one.
    """
    ways = [
        [(run, row) for run, row in found if {row.identity.variant.scores_key, TEACHER_SCORES} <= run.ndcg10.keys()]
        for found in by_variant(records)
    ]
    ahead = lead(records)
    lines = [_kept_line(found, ahead=ahead) for found in ways if found and found[0][1].identity.notebook == STUDY]
    return pd.DataFrame(lines).set_index("row") if lines else pd.DataFrame()


def in_short(records: Sequence[Record]) -> tuple[pd.DataFrame, dict[str, tuple[float, float]]]:
    """The way from the teacher to what is shipped in a few rows and columns; empty where one of them is not recorded.

    Returns:
        The table; and for a picture (dollars for a million queries, NDCG@10) by row.
    """
    rows, whole = mean_rows(records), kept(records)
    if not set(IN_SHORT) <= rows.keys():
        return pd.DataFrame(), {}
    points, lines = {}, []
    for label, name in IN_SHORT.items():
        row = rows[label]
        points[name] = (row.money.usd_per_million_queries, row.quality.ndcg10)
        line = whole.loc[label] if label in whole.index else {}
        lines.append(
            {
                "row": name,
                "NDCG@10": f"{row.quality.ndcg10:.3f}",
                "kept [95%]": line.get("NDCG@10 kept [95%]", DASH),
                "× teacher in PyTorch [95%]": line.get("× teacher in PyTorch [95%]", DASH),
                "MB to ship": f"{row.size.disk_bytes / 1e6:.1f}",
                "$ a million queries": f"{row.money.usd_per_million_queries:.2f}",
            }
        )
    return pd.DataFrame(lines).set_index("row"), points


def lead(records: Sequence[Record]) -> Lead | None:
    """The teacher's lead on test over the baseline that ranks best on valid, over all seeds; None if not known."""
    keys = {row.stage: row.identity.variant.scores_key for run in records for row in run.ledger_rows()}
    names = [name for name in baselines.NAMES if name in keys]
    runs = [run for run in records if {TEACHER_SCORES, *(keys[name] for name in names)} <= run.ndcg10.keys()]
    runs = [run for run in runs if set(names) <= run.on_valid.keys()]
    if not names or not runs:
        return None
    on_valid = {name: statistics.fmean(statistics.fmean(run.on_valid[name]) for run in runs) for name in names}
    on_test = {name: mean_over([run.ndcg10[keys[name]] for run in runs]) for name in names}
    teacher = mean_over([run.ndcg10[TEACHER_SCORES] for run in runs])
    return baselines.lead(teacher, on_test=on_test, on_valid=on_valid, n_resamples=N_RESAMPLES)


def smallest_that_keeps(records: Sequence[Record]) -> tuple[str | None, dict[str, Interval]]:
    """Of the stages that recipes end in the one with the least work that keeps `TARGET` of the teacher on valid.

    Returns:
        Its name, None where none keeps that much; and by stage what it keeps, over the seeds that have it, with its
        interval. Nothing of test has a say in it.
    """
    runs = [record for record in records if record.on_valid]
    rows = {row.stage: row for run in runs for row in run.ledger_rows() if row.identity.notebook == STUDY}
    shares = {}
    for stage in dict.fromkeys(stage for run in runs for stage in run.on_valid if stage.startswith("quantized")):
        both = [
            tuple(Quality.of_values(run.on_valid[name]) for name in (stage, "teacher"))
            for run in runs
            if stage in run.on_valid
        ]
        shares[stage] = metrics.pooled_share(both, n_resamples=N_RESAMPLES)
    good = [stage for stage, share in shares.items() if share.mean >= TARGET["NDCG@10 kept"]]
    return min(good, key=lambda stage: rows[stage].work.macs_per_pair, default=None), shares


def headline(records: Sequence[Record]) -> str:
    """What the default recipe's ranker gives over both references and over labels alone, in a sentence.

    "" where nothing of it is recorded.
    """
    frame, row = kept(records), "quantized, OpenVINO"
    if row not in frame.index:
        return ""
    line = frame.loc[row]
    over_pytorch, over_int8 = (line[f"× teacher in {name} [95%]"] for name in ("PyTorch", "int8"))
    return (
        f"The ranker that is shipped keeps {line['NDCG@10 kept [95%]']} of the teacher's NDCG@10, which "
        f"is {line['less labels alone [95%]']} over labels alone. It ranks {over_pytorch} the pairs a second of the "
        f"teacher in fp32 PyTorch, and {over_int8} those of the teacher in int8, with {line['bytes to ship']} of the "
        f"bytes and {line['MACs']} of the MACs. (Seeds of training: {line['seeds']}; in brackets, 95% intervals.)"
    )


def _kept_line(found: Sequence[tuple[Record, Row]], *, ahead: Lead | None) -> dict[str, str]:
    both = [tuple(map(Quality.of_values, two)) for two in beside_teacher(found)]
    share = metrics.pooled_share(both, n_resamples=N_RESAMPLES)
    over_labels = _over_labels_alone(found)
    faster = {name: _times_as_fast(found, name) for name in ("teacher", INT8)}
    size, work = (
        statistics.median(row.value(place) / _reference(run, "teacher").value(place) for run, row in found)
        for place in ("size.disk_bytes", "work.macs_per_pair")
    )
    short = {
        "NDCG@10": share.mean < TARGET["NDCG@10 kept"] or share.low < TARGET["its lower end"],
        "labels alone": over_labels is not None and over_labels.low <= 0,
        "× PyTorch": faster["teacher"].median < TARGET["× PyTorch"],
        "× int8": faster[INT8] is not None and faster[INT8].median < TARGET["× int8"],
        "bytes": size > TARGET["bytes to ship"],
        "MACs": work > TARGET["MACs"],
    }
    kept_share = f"{_share(share.mean, target=TARGET['NDCG@10 kept'])} [{share.low:.1%}, {share.high:.1%}]"
    falls_short = ", ".join(what for what, falls in short.items() if falls) or "nothing"
    return {
        "row": found[-1][1].label,
        "seeds": ", ".join(str(run.seed) for run, _ in found),
        "NDCG@10 kept [95%]": kept_share,
        "less labels alone [95%]": over_labels.signed() if over_labels else DASH,
        "× teacher in PyTorch [95%]": str(faster["teacher"]),
        "× teacher in int8 [95%]": str(faster[INT8] or DASH),
        "bytes to ship": f"{size:.1%}",
        "MACs": f"{work:.1%}",
        "short of the target": ahead.advice if ahead and not ahead.is_sure else falls_short,
    }


def _over_labels_alone(found: Sequence[tuple[Record, Row]]) -> Interval | None:
    """The difference of a student's NDCG@10 to that of labels alone of the same shape; None for what is no student."""
    stage, _, recipe = found[0][1].stage.partition("_")
    if stage not in ("student", "quantized"):
        return None
    names = ["_".join(filter(None, (ALONE, recipe))), ALONE]
    both = []
    for run, own in found:
        keys = (row.identity.variant.scores_key for name in names for row in run.ledger_rows() if row.stage == name)
        if alone := next((one for one in keys if one in run.ndcg10), None):
            both.append((run.ndcg10[own.identity.variant.scores_key], run.ndcg10[alone]))
    if not both:
        return None
    ours, others = (mean_over(values) for values in zip(*both, strict=True))
    return metrics.paired_bootstrap(ours, others, n_resamples=N_RESAMPLES)


def _times_as_fast(found: Sequence[tuple[Record, Row]], reference: str) -> Ratio | None:
    """How many times the pairs a second of a reference, over all turns of all runs; None where no run has it."""
    sides = [(run, row, _reference(run, reference)) for run, row in found]
    both = [(_rates(run, row), _rates(run, of)) for run, row, of in sides if of is not None]
    return timing.rate_ratio(*(sum(samples, []) for samples in zip(*both, strict=True))) if both else None


def _share(value: float, *, target: float) -> str:
    """A share to a tenth of a percent, or to a hundredth where a tenth would lift it to the target that it misses."""
    return f"{value:.2%}" if value < target <= round(value, 3) else f"{value:.1%}"


def _reference(run: Record, stage: str) -> Row | None:
    """The row that others are held against: the teacher in fp32 PyTorch on one thread, or the teacher in int8."""
    rows = (row for row in run.ledger_rows() if row.stage == stage and row.identity.notebook == STUDY)
    return next((row for row in rows if stage == INT8 or row.identity.variant == Variant("teacher", "pytorch")), None)


def _rates(run: Record, row: Row) -> list[float]:
    """Pairs a second of a row, turn by turn; ValueError where the record has none."""
    key = row.identity.variant.key
    if key not in run.rates:
        name = path_of_record(run).name
        raise ValueError(f"{name}: has no pairs a second of '{key}'; delete it, then run: course results")
    return run.rates[key]
