"""Groups of a ledger row, each from the thing that was measured; a notebook puts them together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from utils.measure import cost, pricing
from utils.measure.row_groups import Delta, Money, Ranking, Size, Speed, Work
from utils.measure.timing import Rate, Timing
from utils.rank import metrics, models, runtimes
from utils.rank.evaluation import EndToEnd
from utils.rank.metrics import Quality
from utils.settings import N_CANDIDATES

ITSELF = "this is the teacher: there is no difference to itself"
NOT_OURS = "a baseline, not a model folder of the course"
NOT_TIMED = "a baseline of quality; its time is not what the course cuts"
ON_THE_WAY = "a model on its way to a stage: judged on valid, never written, timed or shipped"
END_TO_END = ("ndcg10_end_to_end", "end_to_end_is_lower_bound", "recall")
WITHOUT_QUALITY = "random weights, never saved: a cost without a quality"


def nothing_but_quality(why: str, *, not_timed: str = "") -> dict[str, Size | Work | Speed | Money]:
    """All groups of a row but its identity and its quality, absent for one reason; times for another if given."""
    timed = not_timed or why
    absent = {"size": Size.absent(why), "work": Work.absent(why)}
    return absent | {"speed": Speed.absent(timed), "money": Money.absent(timed)}


def test_quality(
    quality: Quality, *, teacher: Quality | None, n_resamples: int, end_to_end: EndToEnd, order: str = "ranker"
) -> Ranking:
    """Quality on the test split; `teacher` is None for the teacher itself.

    Args:
        end_to_end: what was judged there, or why nothing was (`EndToEnd.absent`).
        order: whose order of the candidates counts, as in `EndToEnd.quality`.
    """
    reasons, delta = dict(end_to_end.why_null), None
    if teacher is None:
        reasons["ndcg10_delta"] = ITSELF
    else:
        interval = metrics.paired_bootstrap(quality, teacher, n_resamples=n_resamples)
        delta = Delta(mean=interval.mean, low=interval.low, high=interval.high)
    found = end_to_end.ndcg10(order)
    if found is None:
        reasons["end_to_end_is_lower_bound"] = reasons["ndcg10_end_to_end"]
    return Ranking(
        split="test",
        n_queries=quality.n_queries,
        ndcg10=quality.ndcg10,
        random_ndcg10=quality.random_ndcg10,
        mrr10=quality.mrr10,
        ndcg10_delta=delta,
        ndcg10_end_to_end=found,
        end_to_end_is_lower_bound=None if found is None else not end_to_end.is_complete,
        recall=end_to_end.recall,
        why_null=reasons,
    )


def valid_quality(quality: Quality) -> Ranking:
    """Quality on all queries of valid, of a model on its way to a stage."""
    figures = {"n_queries": quality.n_queries, "ndcg10": quality.ndcg10, "mrr10": quality.mrr10}
    reasons = dict.fromkeys(("ndcg10_delta", *END_TO_END), ON_THE_WAY)
    return Ranking(split="valid", random_ndcg10=quality.random_ndcg10, **figures, why_null=reasons)


def carried_quality(quality: Ranking, *, but: dict[str, str] | None = None) -> Ranking:
    """The quality of an earlier row, for one of the same weights whose scores were found to be the same.

    Args:
        but: fields that are not carried over, with the reasons.
    """
    but = but or {}
    carried = {name: value for name, value in quality.figures().items() if name not in but}
    return Ranking(**carried, why_null=quality.why_null | but)


def size_and_work(
    folder: Path, *, runtime: str, n_tokens: int, peak_rss_bytes: int | None = None, why_no_peak: str = ""
) -> tuple[Size, Work]:
    """Parameters, bytes to ship, and MACs of a pair of `n_tokens` tokens, of a model folder in an engine.

    Of an engine that runs several models the sums; the MACs of each count by the share of pairs that it scores.
    """
    total, macs = cost.ParameterCounts(0, 0, 0, 0), 0.0
    for part in runtimes.named(runtime).parts_of(folder):
        model, _ = models.load(part.folder)
        skips = runtimes.named(part.runtime).skips_unread_work
        total += cost.count_parameters(model)
        macs += part.share * cost.macs_per_pair(model, n_tokens=n_tokens, exported=skips)
    disk_bytes = cost.disk_bytes(runtimes.shipped_files(folder, runtime=runtime))
    reasons = {} if peak_rss_bytes is not None else {"peak_rss_bytes": why_no_peak}
    size = Size(**vars(total), disk_bytes=disk_bytes, peak_rss_bytes=peak_rss_bytes, why_null=reasons)
    return size, Work(macs_per_pair=round(macs))


def size_in_memory(model: torch.nn.Module) -> Size:
    """Parameters of a model that was never saved, such as one with random weights."""
    never = dict.fromkeys(("disk_bytes", "peak_rss_bytes"), WITHOUT_QUALITY)
    return Size(**vars(cost.count_parameters(model)), why_null=never)


def speed_of(timing: Timing, rate: Rate, *, n_candidates: int = N_CANDIDATES) -> Speed:
    """Latency and throughput on the variant's own threads."""
    return Speed(
        n_candidates=n_candidates, batch_size=rate.batch_size, latency_ms=timing.as_row(), pairs_per_s=rate.median
    )


def money_of(rate: Rate, *, machine: Mapping, instance: str = "", n_candidates: int = N_CANDIDATES) -> Money:
    """Dollars of a whole instance.

    Args:
        rate: of pairs, with all of this machine's cores.
        machine: this one, as `machine.describe` gives it.
        instance: a line of the price table; empty: one of this machine's kind.
    """
    price = pricing.price(instance or pricing.default_instance(machine["architecture"]))
    per_second = pricing.instance_queries_per_s(
        rate.median, n_candidates=n_candidates, cores=machine["cores"], vcpus=price.vcpus
    )
    return Money(
        instance=price.instance,
        cores=machine["cores"],
        pairs_per_s=rate.median,
        usd_per_million_queries=pricing.usd_per_million_queries(price.usd_per_hour, queries_per_s=per_second),
    )
