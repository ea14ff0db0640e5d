"""The final figures of stages: judged on the test split once, and timed by turns with the teacher.

Every notebook that makes a stage ends with these; its own experiments are judged on valid, and timed on the spot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pandas as pd

from utils.course import ledger_fields, stages, tables
from utils.course.run import Run
from utils.measure import load, memory, timing
from utils.measure.row_groups import Ranking, Row
from utils.measure.timing import Rate
from utils.measure.variant import Variant
from utils.rank import metrics, runtimes
from utils.rank.evaluation import EndToEnd
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair

PER_TURN = 2  # queries that a ranker scores at a time when its pairs a second are measured
TEACHER = "teacher, PyTorch"
TEACHER_VARIANT = Variant("teacher", "pytorch")
INT8_STAGE = "teacher_int8"
IN_INT8 = "teacher in int8, untrained"
REFERENCES = (TEACHER, IN_INT8)  # the labels of what results stand beside
ONLY_TEACHER = "measured for the teacher alone, in notebook 01"


def measure(run: Run, variants: Mapping[str, Variant], *, in_flight: Sequence[int] = ()) -> list[Row]:
    """Add a row for each variant, under its label, and one for each of the two references, on one thread.

    The references are the teacher in fp32 PyTorch and, once notebook 02 has made it, the teacher in int8, which is what
    anybody gets in minutes without training.

    Quality is that of the whole test split, with the interval of the difference to the teacher; judging takes all
    cores. Times are taken by turns, each variant on its own threads and device; the pairs a second of every turn are
    kept, so that `speedups` may divide them turn by turn.

    Args:
        in_flight: numbers of queries to keep under way at a time; each gives the row a group, "load_<number>".

    Raises:
        ValueError: the files of a variant are not of the precision that it claims.
    """
    every = references(run) | dict(variants)
    for variant in every.values():
        variant.require_precision(run.folder)
    limits = {"max_tokens": run.profile.max_tokens}
    rankers = {label: variant.open(run.folder, **limits) for label, variant in every.items()}
    queries = load.workload(run.catalogue, n_queries=run.profile.n_latency_queries)
    timings = timing.interleave_queries(rankers, queries=queries)
    work = [sum(queries[start : start + PER_TURN], []) for start in range(0, len(queries), PER_TURN)]
    rates = timing.throughput(rankers, work=work, batch_sizes=(16, 64))
    ways = {label: partial(variant.open, run.folder, **limits) for label, variant in every.items()}
    on_all_cores = load.rates_on_all_cores(ways, cores=run.machine["cores"], queries=queries)
    run.keep_rates({variant.key: rates[label].samples for label, variant in every.items()})
    peaks = _peaks(run, every, pairs=queries[0], rates=rates)
    n_tokens = run.mean_tokens()
    rows = []
    for label, variant in every.items():
        size, work_ = ledger_fields.size_and_work(
            run.stage(variant.stage), runtime=variant.runtime, n_tokens=n_tokens, peak_rss_bytes=peaks[label]
        )
        groups = {
            "size": size,
            "work": work_,
            "speed": ledger_fields.speed_of(timings[label], rates[label]),
            "money": ledger_fields.money_of(on_all_cores[label], machine=run.machine),
            "quality": _quality(run, variant),
        }
        open_one = partial(variant.open, run.folder, batch_size=rates[label].batch_size, **limits)
        for number in in_flight:
            groups[f"load_{number}"] = load.in_flight(open_one, queries=queries, n_in_flight=number)
        rows.append(run.add_row(variant, label=label, **groups))
    return rows


def references(run: Run) -> dict[str, Variant]:
    """What results stand beside, by label."""
    in_int8 = {IN_INT8: int8_variant(run)} if run.stage(INT8_STAGE).is_dir() else {}
    return {TEACHER: TEACHER_VARIANT} | in_int8


def int8_variant(run: Run) -> Variant:
    """The teacher in int8, in the engine in which it ranks better on valid."""
    return Variant(INT8_STAGE, stages.manifest(run.stage(INT8_STAGE))["runtime"], "int8")


def speedups(run: Run, rows: Sequence[Row]) -> pd.DataFrame:
    """What each row of this notebook keeps of the teacher's quality, and what is left of its cost.

    Of the ratios of pairs a second, turn by turn, the median and its 95% interval: to the teacher in PyTorch, and to
    the teacher in int8 where there is one.
    """
    by_label, rates = {row.label: row for row in rows}, run.rates()
    teacher = by_label[TEACHER]
    slow = {f"× {name} [95%]": rates[by_label[name].identity.variant.key] for name in REFERENCES if name in by_label}
    return tables.from_rows(
        {"row": row.label, "NDCG@10 kept": f"{row.quality.ndcg10 / teacher.quality.ndcg10:.1%}"}
        | {name: str(timing.rate_ratio(rates[row.identity.variant.key], of)) for name, of in slow.items()}
        | {
            "bytes to ship": f"{row.size.disk_bytes / teacher.size.disk_bytes:.1%}",
            "MACs": f"{row.work.macs_per_pair / teacher.work.macs_per_pair:.1%}",
        }
        for row in rows
    )


def _peaks(
    run: Run, variants: Mapping[str, Variant], *, pairs: Sequence[Pair], rates: Mapping[str, Rate]
) -> dict[str, int]:
    """The peak memory of each variant, by label; no clock runs, so as many run at a time as there are cores."""

    def peak(label: str) -> int:
        limits = {"batch_size": rates[label].batch_size, "max_tokens": run.profile.max_tokens}
        return memory.peak_rss_bytes(run.folder, variants[label], pairs=pairs, **limits)

    with ThreadPoolExecutor(max_workers=run.machine["cores"]) as pool:
        return dict(zip(variants, pool.map(peak, variants), strict=True))


def _quality(run: Run, variant: Variant) -> Ranking:
    """The teacher's is that of notebook 01; a stage's is judged here and kept, so that nobody has to score it again."""
    how = {"n_resamples": run.profile.n_bootstrap, "end_to_end": EndToEnd.absent(ONLY_TEACHER)}
    teacher = run.teacher_quality()
    if variant.stage == "teacher":
        return ledger_fields.test_quality(teacher, teacher=None, **how)
    return ledger_fields.test_quality(_judged_on_test(run, variant), teacher=teacher, **how)


def _judged_on_test(run: Run, variant: Variant) -> Quality:
    """The quality on test, judged once for the weights that a stage has."""
    weights = runtimes.weights_hash(run.stage(variant.stage), runtime=variant.runtime)
    if kept := run.kept_quality(variant.scores_key, weights=weights):
        return kept
    ranker = variant.open(run.folder, max_tokens=run.profile.max_tokens, threads=run.machine["cores"])
    quality = metrics.evaluate(
        run.catalogue.pairs["test"], ranker.score(run.pairs("test")), top_gain=run.catalogue.top_gain
    )
    run.save_quality(variant.scores_key, quality, weights=weights)
    return quality
