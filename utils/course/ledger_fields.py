"""Groups of fields for ledger rows, each from the thing that was measured; a notebook puts them together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.measure import cost, memory, pricing
from utils.measure.ledger import Delta, Row
from utils.measure.timing import Timing
from utils.rank import metrics, models
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair
from utils.settings import N_CANDIDATES

ITSELF = "this is the teacher: there is no difference to itself"
NOT_OURS = "a baseline, not a model folder of the course"
ON_THE_WAY = "a model on its way to a stage: judged on valid, never written, timed or shipped"
SPEED = ("n_candidates", "batch_size", "latency_ms", "pairs_per_s", "instance", "usd_per_million_queries")
SIZE = (
    *("n_params", "n_params_nonzero", "n_params_embedding", "n_params_encoder"),
    *("model_hash", "disk_bytes", "peak_rss_bytes", "macs_per_pair"),
)
QUALITY = ("split", "n_queries", "ndcg10", "mrr10", "ndcg10_delta", "ndcg10_end_to_end", "recall")


def baseline_fields(stage: str, *, label: str, runtime: str) -> dict:
    """The fields of a row for a ranking that no transformer of ours made, with the reasons for what it cannot have."""
    reasons = dict.fromkeys(SIZE, NOT_OURS)
    reasons |= dict.fromkeys(SPEED, "a baseline of quality; its time is not what the course cuts")
    known = {"stage": stage, "label": label, "runtime": runtime, "precision": "fp32", "device": "cpu", "threads": 1}
    return known | {"why_null": reasons}


def quality_fields(quality: Quality, *, teacher: Quality | None, n_resamples: int) -> dict:
    """The quality fields of a row, on the test split; without a `teacher`, the difference to it is left out."""
    delta = {}
    if teacher is not None:
        interval = metrics.paired_bootstrap(quality, teacher, n_resamples=n_resamples)
        delta = {"ndcg10_delta": Delta(mean=interval.mean, low=interval.low, high=interval.high)}
    return delta | {
        "split": "test",
        "n_queries": quality.n_queries,
        "ndcg10": quality.ndcg10,
        "mrr10": quality.mrr10,
    }


def valid_fields(stage: str, *, label: str, quality: Quality, threads: int) -> dict:
    """The fields of a row for a model in PyTorch on its way to a stage, judged on queries of valid to choose by.

    Its stage is a name of its own, so that a gate can hold it to bounds.
    """
    names = {"stage": stage, "label": label, "runtime": "pytorch", "precision": "fp32", "device": "cpu"}
    figures = {"split": "valid", **{name: getattr(quality, name) for name in ("n_queries", "ndcg10", "mrr10")}}
    known = names | {"threads": threads} | figures
    empty = (*SIZE, *SPEED, *(set(QUALITY) - set(known)))
    return known | {"why_null": dict.fromkeys(empty, ON_THE_WAY)}


def size_fields(folder: Path, *, runtime: str, n_tokens: int) -> dict:
    """Parameters, MACs a pair of `n_tokens` tokens, bytes to ship and the identity of a model folder."""
    model, _ = models.load(folder)
    counts = cost.count_parameters(model)
    return vars(counts) | {
        "model_hash": models.weights_hash(folder, runtime=runtime),
        "macs_per_pair": cost.macs_per_pair(model, n_tokens=n_tokens, exported=runtime != "pytorch"),
        "disk_bytes": cost.disk_bytes(models.shipped_files(folder, runtime=runtime)),
    }


def speed_fields(
    timing: Timing,
    *,
    pairs_per_s: float,
    batch_size: int,
    threads: int,
    instance: str,
    n_candidates: int = N_CANDIDATES,
) -> dict:
    """Latency, throughput and the dollars that follow from it on an instance of the price table."""
    price = pricing.price(instance)
    rate = pricing.instance_queries_per_s(pairs_per_s, n_candidates=n_candidates, threads=threads, vcpus=price.vcpus)
    return {
        "latency_ms": timing.as_row(),
        "pairs_per_s": pairs_per_s,
        "batch_size": batch_size,
        "n_candidates": n_candidates,
        "threads": threads,
        "instance": instance,
        "usd_per_million_queries": pricing.usd_per_million_queries(price.usd_per_hour, queries_per_s=rate),
    }


def carried_quality(row: Row) -> dict:
    """The quality fields of an earlier row, for one of the same weights whose scores were found to be the same."""
    return {name: getattr(row, name) for name in QUALITY}


def memory_field(
    folder: Path, *, runtime: str, pairs: Sequence[Pair], threads: int, max_tokens: int, batch_size: int
) -> dict:
    """Peak memory of scoring the pairs in a process of its own."""
    found = memory.peak_rss_bytes(
        folder, runtime=runtime, pairs=pairs, threads=threads, max_tokens=max_tokens, batch_size=batch_size
    )
    return {"peak_rss_bytes": found}
