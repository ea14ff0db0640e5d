"""The final figures of a stage: judged on the test split once, and timed by turns with the teacher on one thread.

Every notebook that makes a stage ends with these; its own experiments are judged on valid, and timed on the spot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd

from utils.course import ledger_fields, tables
from utils.course.run import Run
from utils.measure import timing
from utils.measure.ledger import Row
from utils.measure.timing import Rate
from utils.rank import metrics, runtimes
from utils.rank.metrics import Quality
from utils.rank.ranker import BatchedRanker, Pair, mean_tokens

INSTANCE = "m7g.large"  # a line of data/prices.csv
THREADS = 1
PER_TURN = 2  # queries that a ranker scores at a time when its pairs a second are measured
TEACHER = "teacher, PyTorch"


@dataclass(frozen=True)
class Way:
    """One way of running a stage; `parent` is the stage it was made from."""

    stage: str
    runtime: str
    precision: str = "fp32"
    parent: str | None = None

    @property
    def name(self) -> str:
        """What its judged queries are kept under."""
        return f"{self.stage}-{self.runtime}-{self.precision}"


def measure(run: Run, ways: Mapping[str, Way]) -> list[Row]:
    """Add a row for each way of running a stage, under its label, and one for the teacher in fp32 PyTorch.

    Quality is that of the whole test split, with the interval of the difference to the teacher; judging takes all
    cores. Times are on one thread, with the teacher timed by turns beside the others; the pairs a second of every turn
    are kept, so that `speedups` may divide them turn by turn.
    """
    every = {TEACHER: Way("teacher", "pytorch")} | dict(ways)
    rankers = {label: _open(run, way, threads=THREADS) for label, way in every.items()}
    queries = timing.workload(run.catalogue, n_queries=run.profile.n_latency_queries)
    timings = timing.interleave_queries(rankers, queries=queries)
    work = [sum(queries[start : start + PER_TURN], []) for start in range(0, len(queries), PER_TURN)]
    rates = timing.throughput(rankers, work=work, batch_sizes=(16, 64))
    run.keep_rates({way.name: rates[label].samples for label, way in every.items()})
    memory = _memory(run, every, pairs=queries[0], rates=rates)
    some, tokenizer = run.pairs("valid")[:2000], rankers[TEACHER].tokenizer
    n_tokens = round(mean_tokens(tokenizer, some, max_tokens=run.profile.max_tokens))
    found = []
    for label, way in every.items():
        rate = rates[label]
        at = {"threads": THREADS, "batch_size": rate.batch_size}
        fields = ledger_fields.size_fields(run.stage(way.stage), runtime=way.runtime, n_tokens=n_tokens)
        fields |= _quality(run, way) | memory[label]
        fields |= ledger_fields.speed_fields(timings[label], pairs_per_s=rate.median, instance=INSTANCE, **at)
        reasons = dict.fromkeys(("ndcg10_end_to_end", "recall"), "measured for the teacher alone, in notebook 01")
        reasons |= {"ndcg10_delta": ledger_fields.ITSELF} if way.stage == "teacher" else {}
        names = {"stage": way.stage, "runtime": way.runtime, "precision": way.precision, "parent": way.parent}
        found.append(run.add_row(label=label, device="cpu", **names, **fields, why_null=reasons))
    return found


def speedups(run: Run, found: Sequence[Row]) -> pd.DataFrame:
    """What each row of this notebook keeps of the teacher's quality, and what is left of its cost.

    Of the ratios of pairs a second, turn by turn, the median and the quartiles.
    """
    teacher, rates = next(row for row in found if row.label == TEACHER), run.rates()
    return tables.from_rows(
        {
            "row": row.label,
            "NDCG@10 kept": f"{row.ndcg10 / teacher.ndcg10:.1%}",
            "pairs/s [quartiles]": str(timing.rate_ratio(rates[_way_of(row).name], rates[_way_of(teacher).name])),
            "bytes to ship": f"{row.disk_bytes / teacher.disk_bytes:.1%}",
            "MACs": f"{row.macs_per_pair / teacher.macs_per_pair:.1%}",
        }
        for row in found
    )


def _way_of(row: Row) -> Way:
    return Way(row.stage, row.runtime, row.precision)


def _open(run: Run, way: Way, *, threads: int) -> BatchedRanker:
    at = {"threads": threads, "max_tokens": run.profile.max_tokens}
    return runtimes.open_ranker(run.stage(way.stage), runtime=way.runtime, precision=way.precision, **at)


def _memory(run: Run, ways: Mapping[str, Way], *, pairs: Sequence[Pair], rates: Mapping[str, Rate]) -> dict[str, dict]:
    """The peak memory of each way, by label; no clock runs, so as many are measured at a time as there are cores."""

    def field(label: str) -> dict:
        at = {"threads": THREADS, "batch_size": rates[label].batch_size, "max_tokens": run.profile.max_tokens}
        way = ways[label]
        return ledger_fields.memory_field(run.stage(way.stage), runtime=way.runtime, pairs=pairs, **at)

    with ThreadPoolExecutor(max_workers=run.machine["cores"]) as pool:
        return dict(zip(ways, pool.map(field, ways), strict=True))


def _quality(run: Run, way: Way) -> dict:
    """The teacher's is that of notebook 01; a stage's is judged here and kept, so that nobody has to score it again."""
    n_resamples = run.profile.n_bootstrap
    teacher = run.load_quality("teacher")
    if way.stage == "teacher":
        return ledger_fields.quality_fields(teacher, teacher=None, n_resamples=n_resamples)
    scores = _open(run, way, threads=run.machine["cores"]).score(run.pairs("test"))
    quality: Quality = metrics.evaluate(run.catalogue.pairs["test"], scores, top_gain=run.catalogue.top_gain)
    run.save_quality(way.name, quality)
    return ledger_fields.quality_fields(quality, teacher=teacher, n_resamples=n_resamples)
