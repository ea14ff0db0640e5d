"""The rows that single notebooks add to the ledger beside those of `measure_stage`: one call each.

A field that a row cannot have says why, so that a gap is never an accident.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch.nn import Module

from utils.course import ledger_fields
from utils.course.run import Run
from utils.measure import cost, load, memory
from utils.measure.row_groups import Money, Ranking, Row, Speed, Work
from utils.measure.timing import Rate, Timing
from utils.measure.variant import Variant
from utils.rank import baselines
from utils.rank.evaluation import EndToEnd
from utils.rank.metrics import Quality
from utils.shrink.sparsify import sparse_folder

TOGETHER = "teacher and tuned bi-encoder"
TEACHER_IN_ONNX = Variant("teacher", "onnxruntime")
BASELINES = {
    "BM25": Variant("bm25", "bm25s"),
    "bi-encoder": Variant("bi_encoder", "pytorch"),
    "fused": Variant("fused", "bm25s+pytorch"),
    baselines.NAMES[baselines.TUNED]: Variant(baselines.TUNED, "pytorch"),
    TOGETHER: Variant("teacher_fused", "pytorch+onnxruntime"),
}


def add_random_order(run: Run, quality: Quality) -> Row:
    """The floor, of notebook 00: a random order judged on test."""
    later = dict.fromkeys(("ndcg10_delta", *ledger_fields.END_TO_END), "notebook 01 makes teacher and candidates")
    figures = {"n_queries": quality.n_queries, "ndcg10": quality.ndcg10, "mrr10": quality.mrr10}
    ranking = Ranking(split="test", random_ndcg10=quality.random_ndcg10, **figures, why_null=later)
    return run.add_baseline(Variant("random", "none"), label="random order", quality=ranking)


def add_rankers(run: Run, qualities: Mapping[str, Quality], *, end_to_end: EndToEnd) -> list[Row]:
    """The baselines and the teacher, of notebook 01, judged on test; each quality is kept for later notebooks.

    Args:
        qualities: of 'teacher' and of every name in `BASELINES`.
        end_to_end: of BM25's order and the teacher's.
    """
    teacher, n_resamples = qualities["teacher"], run.profile.n_bootstrap
    not_run = EndToEnd.absent("only BM25 and the teacher are run end to end")
    rows = []
    for name, variant in BASELINES.items():
        judged = end_to_end if name == "BM25" else not_run
        how = {"n_resamples": n_resamples, "end_to_end": judged, "order": "BM25"}
        ranking = ledger_fields.test_quality(qualities[name], teacher=teacher, **how)
        rows.append(run.add_baseline(variant, label=name, quality=ranking))
        run.save_quality(variant.scores_key, qualities[name])
    return [*rows, _add_teacher(run, teacher, end_to_end=end_to_end)]


def _add_teacher(run: Run, quality: Quality, *, end_to_end: EndToEnd) -> Row:
    later = "notebook 02 measures time and memory"
    variant = Variant("teacher", "onnxruntime", threads=run.machine["cores"])
    size, work = ledger_fields.size_and_work(
        run.stage("teacher"), runtime="onnxruntime", n_tokens=run.mean_tokens(), why_no_peak=later
    )
    ranking = ledger_fields.test_quality(
        quality, teacher=None, n_resamples=run.profile.n_bootstrap, end_to_end=end_to_end
    )
    run.save_quality(variant.scores_key, quality)
    not_timed = {"speed": Speed.absent(later), "money": Money.absent(later)}
    return run.add_row(variant, label="teacher", size=size, work=work, quality=ranking, **not_timed)


def add_priced_teacher(
    run: Run,
    timings: Mapping[str, Timing],
    rates: Mapping[str, Rate],
    *,
    runtime_of: Mapping[str, str],
    instance: str,
    drift: float,
) -> list[Row]:
    """The teacher in several runtimes, timed on all cores in notebook 02; its quality is that of notebook 01.

    Args:
        timings: of one query with its candidates, and `rates` of pairs, by label.
        runtime_of: the runtime of each label that gets a row.
        instance: a line of the price table; empty: one of this machine's kind.
        drift: the largest difference of two runtimes' scores, for which the quality is taken over.
    """
    measured = run.row_of("teacher", runtime="onnxruntime").quality
    elsewhere = f"measured in ONNX Runtime, whose scores differ by {drift:.0e} at most"
    pairs = load.workload(run.catalogue, n_queries=1)[0]
    rows = []
    for label, runtime in runtime_of.items():
        variant = Variant("teacher", runtime, threads=run.machine["cores"])
        scoring = {"batch_size": rates[label].batch_size, "max_tokens": run.profile.max_tokens}
        peak = memory.peak_rss_bytes(run.folder, variant, pairs=pairs, **scoring)
        folder, n_tokens = run.stage("teacher"), run.mean_tokens()
        size, work = ledger_fields.size_and_work(folder, runtime=runtime, n_tokens=n_tokens, peak_rss_bytes=peak)
        missing = {} if runtime == "onnxruntime" else dict.fromkeys(ledger_fields.END_TO_END, elsewhere)
        groups = {
            "size": size,
            "work": work,
            "speed": ledger_fields.speed_of(timings[label], rates[label]),
            "money": ledger_fields.money_of(rates[label], machine=run.machine, instance=instance),
            "quality": ledger_fields.carried_quality(measured, but=missing),
        }
        rows.append(run.add_row(variant, label=label, **groups))
    return rows


def add_cost_only(run: Run, model: Module, timing: Timing, rate: Rate, *, macs: int, instance: str) -> Row:
    """BERT-base with random weights, of notebook 02: a cost without a quality."""
    why = ledger_fields.WITHOUT_QUALITY
    return run.add_row(
        Variant("bert_base_cost", "pytorch", threads=run.machine["cores"]),
        label="BERT-base, cost only",
        why_no_hash=why,
        size=ledger_fields.size_in_memory(model),
        work=Work(macs_per_pair=macs),
        speed=ledger_fields.speed_of(timing, rate),
        money=ledger_fields.money_of(rate, machine=run.machine, instance=instance),
        quality=Ranking.absent(why),
    )


def add_packed(run: Run, in_torch: Row) -> Row:
    """The packed file of the stage `sparse`, of notebook 05: other bytes of the very weights of `in_torch`."""
    stored_only = f"a way of storing: it runs as the row '{in_torch.label}'"
    folder = run.stage("sparse")
    size = in_torch.size.model_copy(
        update={
            "disk_bytes": cost.disk_bytes(sparse_folder.shipped_files(folder)),
            "peak_rss_bytes": None,
            "why_null": {"peak_rss_bytes": stored_only},
        }
    )
    return run.add_row(
        Variant("sparse_packed", "pytorch"),
        label="sparse, packed",
        parent="sparse",
        model_hash=sparse_folder.weights_hash(folder),
        size=size,
        work=in_torch.work,
        quality=in_torch.quality,
        speed=Speed.absent(stored_only),
        money=Money.absent(stored_only),
    )
