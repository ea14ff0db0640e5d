"""What each lever of notebook 07 is worth in dollars for a million queries, alone and together, beside its quality.

All ways are timed in one run, by turns, on the whole machine, so that their ratios have intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from utils.course import fast_path, ledger_fields, measure_stage, tables
from utils.course.fast_path import Judged
from utils.course.run import Run
from utils.measure import load, timing
from utils.measure.row_groups import Row
from utils.measure.timing import Rate, Ratio, Timing
from utils.measure.variant import Variant
from utils.rank import metrics
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair, Ranker
from utils.speed import candidates_quality, cascade, engines
from utils.speed.candidates_quality import Lists

TEACHER = measure_stage.TEACHER
ALONE_CASCADE = "cascade in front of the teacher"
ALONE_MODEL = "small int8 model"
MODEL_AND_IDS = "small int8 model, stored ids"
TOGETHER = "all three"
IN_ONNX = Variant("teacher", "onnxruntime")  # scores as PyTorch does (notebook 02), in a third of the time
TEACHER_CASCADE = "cascade_of_teacher"  # a stage: the first stage in front of the teacher in PyTorch


@dataclass(frozen=True)
class Lever:
    """What a way of answering costs: dollars for a million queries, and how many times fewer than the teacher's."""

    usd: float
    cheaper: Ratio


def ways(run: Run) -> dict[str, Variant]:
    """The ways that are compared, the teacher first, by name."""
    return {
        TEACHER: measure_stage.TEACHER_VARIANT,
        measure_stage.IN_INT8: measure_stage.int8_variant(run),
        ALONE_CASCADE: Variant(TEACHER_CASCADE, fast_path.CASCADE.runtime),
        ALONE_MODEL: fast_path.MODEL,
        MODEL_AND_IDS: fast_path.FAST,
        TOGETHER: fast_path.CASCADE,
    }


def rates(run: Run, *, depth: int) -> dict[str, Rate]:
    """Pairs a second of every way on all cores, by turns; the cascades are made first."""
    fast_path.make_cascade(run, depth=depth, second=measure_stage.TEACHER_VARIANT, name=TEACHER_CASCADE)
    limits = {"max_tokens": run.profile.max_tokens}
    opened = {name: partial(variant.open, run.folder, **limits) for name, variant in ways(run).items()}
    queries = load.workload(run.catalogue, n_queries=run.profile.n_latency_queries)
    return load.rates_on_all_cores(opened, cores=run.machine["cores"], queries=queries)


def levers(run: Run, found: Mapping[str, Rate]) -> dict[str, Lever]:
    """Dollars of each way, and the ratio of its rate to the teacher's, turn by turn."""
    teacher = found[TEACHER].samples
    return {
        name: Lever(
            ledger_fields.money_of(rate, machine=run.machine).usd_per_million_queries,
            timing.rate_ratio(rate.samples, teacher),
        )
        for name, rate in found.items()
    }


def tabulate(found: Mapping[str, Lever], *, judged: Mapping[str, Judged]) -> pd.DataFrame:
    """One line a way: dollars, how many times fewer, and NDCG@10 over all candidates beside the teacher's."""
    return tables.from_rows(
        {
            "way": name,
            "$ a million queries": f"{lever.usd:,.2f}",
            "times fewer [95%]": str(lever.cheaper),
            "NDCG@10, all candidates": f"{judged[name].quality.ndcg10:.3f}",
            "less the teacher [95%]": judged[name].delta.signed() if name != TEACHER else "–",
        }
        for name, lever in found.items()
    )


def judge(run: Run, *, depth: int) -> dict[str, Judged]:
    """Every way judged over all candidates of test queries, once, beside the teacher."""
    lists = candidates_quality.lists(
        run.catalogue, split="test", n_queries=fast_path.QUERIES * run.profile.n_end_to_end_queries
    )
    first, teacher, in_int8, fast = (
        _scores(run, variant, lists.pairs)
        for variant in (fast_path.FIRST, IN_ONNX, measure_stage.int8_variant(run), fast_path.FAST)
    )
    plain = _scores(run, fast_path.MODEL, lists.pairs)
    behind = {"queries": lists.query_ids, "depth": depth}
    scores = {
        TEACHER: teacher,
        measure_stage.IN_INT8: in_int8,
        ALONE_CASCADE: cascade.merge(first, teacher, **behind),
        ALONE_MODEL: plain,
        MODEL_AND_IDS: fast,
        TOGETHER: cascade.merge(first, fast, **behind),
    }
    found = {name: candidates_quality.judge(lists, of_pairs) for name, of_pairs in scores.items()}
    how = {"teacher": found[TEACHER], "n_resamples": run.profile.n_bootstrap}
    return {name: fast_path.beside(quality, **how) for name, quality in found.items()}


def _scores(run: Run, variant: Variant, pairs: Sequence[Pair]) -> np.ndarray:
    return variant.open(run.folder, max_tokens=run.profile.max_tokens, threads=run.machine["cores"]).score(pairs)


def add_cascade(run: Run, *, judged: Judged, on_all_cores: Rate, depth: int) -> Row:
    """The row of the whole cascade, timed on one thread by turns with the teacher."""
    variants = {TEACHER: measure_stage.TEACHER_VARIANT, TOGETHER: fast_path.CASCADE}
    rankers = {name: one.open(run.folder, max_tokens=run.profile.max_tokens) for name, one in variants.items()}
    queries = load.workload(run.catalogue, n_queries=run.profile.n_latency_queries)
    timed = timing.interleave_queries(rankers, queries=queries)
    rate = timing.throughput({TOGETHER: rankers[TOGETHER]}, work=queries, batch_sizes=(16, 64))[TOGETHER]
    is_complete = run.catalogue.rule is not None
    how = {"timing": timed[TOGETHER], "rate": rate, "on_all_cores": on_all_cores, "is_complete": is_complete}
    return fast_path.add_cascade(run, judged, depth=depth, **how)


def depths_on_labelled(run: Run, *, first: Ranker, second: Ranker, depths: Sequence[int]) -> dict[int, Quality]:
    """Quality on valid when a cascade of each depth orders the labelled products alone: a trap of notebook 07."""
    pairs, texts = run.catalogue.pairs["valid"], run.pairs("valid")
    scores, queries = (first.score(texts), second.score(texts)), [query for query, _ in texts]
    merged = {depth: cascade.merge(*scores, queries=queries, depth=depth) for depth in depths}
    return {depth: metrics.evaluate(pairs, of, top_gain=run.catalogue.top_gain) for depth, of in merged.items()}


def engine_table(rates: Mapping[str, Rate], timed: Mapping[str, Timing], *, over: Mapping[str, Ratio]) -> pd.DataFrame:
    """One line an engine: milliseconds of a query, pairs a second at its best batch size, and times the first one's."""
    return tables.from_rows(
        {
            "engine": name,
            "ms a query, median": f"{timed[name].percentile(50):.1f}",
            "p95": f"{timed[name].percentile(95):.1f}",
            "pairs/s": f"{rate.median:,.0f}",
            "best batch": rate.batch_size,
            f"× {next(iter(rates))} [95%]": str(over[name]),
        }
        for name, rate in rates.items()
    )


def engines_of(run: Run) -> dict[str, Variant]:
    """The ways of running the student, and the same in int8; the compiled one where there is a C++ compiler."""
    compiled = {"PyTorch, compiled": Variant("student", engines.PYTORCH_COMPILED)}
    return {
        "PyTorch": Variant("student", "pytorch"),
        **(compiled if run.machine["cxx_compiler"] else {}),
        "ONNX Runtime": Variant("student", "onnxruntime"),
        "OpenVINO": Variant("student", "openvino"),
        "ONNX Runtime, int8": Variant("quantized", "onnxruntime", "int8"),
        "OpenVINO, int8": fast_path.MODEL,
    }


def qualities_by_depth(
    lists: Lists, *, first: np.ndarray, second: np.ndarray, depths: Sequence[int]
) -> dict[int, Quality]:
    """Quality over all candidates of cascades of these depths, where both rankers' scores of all pairs are known."""
    merged = {d: cascade.merge(first, second, queries=lists.query_ids, depth=d) for d in depths}
    return {depth: candidates_quality.judge(lists, scores) for depth, scores in merged.items()}


def curve(quality_at: Mapping[int, Quality]) -> list[tuple[int, float]]:
    """(depth, NDCG@10) of every depth."""
    return [(depth, quality.ndcg10) for depth, quality in quality_at.items()]


def factors(found: Mapping[str, Rate]) -> dict[str, float]:
    """What each lever gives on what it is put on: the first two on the teacher, stored ids on the small model."""
    pairs = {
        "cascade": (ALONE_CASCADE, TEACHER),
        "small int8 model": (ALONE_MODEL, TEACHER),
        "stored ids": (MODEL_AND_IDS, ALONE_MODEL),
    }
    return {
        lever: timing.rate_ratio(found[fast].samples, found[slow].samples).median
        for lever, (fast, slow) in pairs.items()
    }
