"""What a run found, in the three sentences with which its report begins: what to ship, what it costs, what it rests on.

They are read off the ledger and the kept qualities; nothing is measured here. No ranker is picked by its figure on
test: the end of the chain is what the recipe ships, and of its engines the cheapest. It has to be surely better than
the best baseline, or that one is what to ship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from utils.course.measure_stage import IN_INT8, TEACHER
from utils.course.records.recorded_kept import N_RESAMPLES, TARGET
from utils.measure.row_groups import Delta, Row
from utils.rank import baselines, metrics
from utils.rank.metrics import Interval, Quality

CHAIN = ("pruned", "student", "quantized")  # each made from the one before
ENOUGH = TARGET["NDCG@10 kept"]


def sentences(rows: Sequence[Row], *, on_test: Mapping[str, Quality]) -> list[str]:
    """Three sentences for whoever decides; fewer where notebooks that they need have not run.

    Args:
        on_test: quality of every test query by the `scores_key` of a row's variant, for intervals of differences.
    """
    baseline = _best_baseline(rows)
    said = [_what_to_ship(rows, baseline=baseline, on_test=on_test), _what_it_costs(rows)]
    if baseline is not None:
        said.append(_what_it_rests_on(rows, baseline=baseline))
    return [sentence for sentence in said if sentence]


def is_priced(row: Row) -> bool:
    """Whether a row has both dollars and NDCG@10 on test, timed on one thread as all that are compared."""
    figures = (row.money.usd_per_million_queries, row.quality.ndcg10)
    return row.identity.threads == 1 and row.quality.split == "test" and None not in figures


def chosen(rows: Sequence[Row]) -> Row | None:
    """The furthest stage of the chain in its cheapest engine; None before one is priced beside the teacher."""
    if _labelled(rows, TEACHER) is None:
        return None
    priced = [row for row in rows if row.stage in CHAIN and is_priced(row)]
    return max(priced, key=lambda row: (CHAIN.index(row.stage), -row.money.usd_per_million_queries), default=None)


def _what_to_ship(rows: Sequence[Row], *, baseline: Row | None, on_test: Mapping[str, Quality]) -> str:
    ranker = chosen(rows)
    if ranker is None:
        return "No ranker that is cheaper than the teacher has been made and priced yet: notebooks 03 to 06 do that."
    lead = _lead(ranker, over=baseline, on_test=on_test) if baseline else None
    if lead and lead.low <= 0:
        return (
            f"Ship the baseline {baseline.label}: '{ranker.label}' is not surely better than it "
            f"({lead.signed()} NDCG@10 on test)."
        )
    share = _share(ranker, of=_labelled(rows, TEACHER))
    kept = f"keeps {share:.1%} of the teacher's NDCG@10 ({ranker.quality.ndcg10_delta.signed()} on test)"
    if share < ENOUGH:
        return f"Do not ship '{ranker.label}' yet: it {kept}, and {ENOUGH:.0%} is wanted."
    ahead = f" and ranks {lead.signed()} above the best baseline, {baseline.label}" if lead else ""
    return f"Ship '{ranker.label}': it {kept}{ahead}."


def _lead(ranker: Row, *, over: Row, on_test: Mapping[str, Quality]) -> Interval | None:
    """What a ranker is ahead on the same test queries; None where the quality of one of them was not kept."""
    found = [on_test.get(row.identity.variant.scores_key) for row in (ranker, over)]
    return metrics.paired_bootstrap(*found, n_resamples=N_RESAMPLES) if all(found) else None


def _what_it_costs(rows: Sequence[Row]) -> str:
    ranker, teacher, in_int8 = chosen(rows), _labelled(rows, TEACHER), _labelled(rows, IN_INT8)
    if ranker is None:
        return ""
    beside = f", ${in_int8.money.usd_per_million_queries:.2f} with the teacher in int8" if in_int8 else ""
    return (
        f"A million queries cost ${ranker.money.usd_per_million_queries:.2f} with '{ranker.label}'{beside}, and "
        f"${teacher.money.usd_per_million_queries:.2f} with the teacher in PyTorch, on {ranker.money.instance}."
    )


def _what_it_rests_on(rows: Sequence[Row], *, baseline: Row) -> str:
    lead = _turned(baseline.quality.ndcg10_delta).signed()
    return (
        f"This rests on {baseline.quality.n_queries:,} test queries and one training (seed {baseline.identity.seed}); "
        f"the teacher is {lead} NDCG@10 ahead of the baseline that is best there, {baseline.label}."
    )


def _best_baseline(rows: Sequence[Row]) -> Row | None:
    """The one that is hardest to beat on test, so that luck on test speaks against the teacher and not for it."""
    found = [row for row in rows if row.stage in baselines.NAMES and row.quality.ndcg10_delta is not None]
    return max(found, key=lambda row: row.quality.ndcg10, default=None)


def _turned(delta: Delta) -> Delta:
    """The same difference seen from the teacher."""
    return Delta(mean=-delta.mean, low=-delta.high, high=-delta.low)


def _labelled(rows: Sequence[Row], label: str) -> Row | None:
    return next((row for row in rows if row.label == label and is_priced(row)), None)


def _share(row: Row, *, of: Row) -> float:
    return row.quality.ndcg10 / of.quality.ndcg10
