"""The fast path of notebook 07 as stages and rows: the final model with stored token ids, and behind a first stage.

A cascade decides about all candidates of a query at once, so it is judged over all of them, and not over the few that
somebody labelled. What its parts are made of lives in `utils.speed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from utils.course import ledger_fields, stages
from utils.course.run import Run
from utils.measure import cost, memory
from utils.measure.row_groups import Ranking, Row, Size, Work
from utils.measure.timing import Rate, Timing
from utils.measure.variant import Variant
from utils.rank import baselines, metrics, models
from utils.rank.metrics import Interval, Quality
from utils.settings import N_CANDIDATES
from utils.speed import cascade, engines, stored_ids, vectors_ranker

MODEL = Variant("quantized", "openvino", precision="int8")
FAST = Variant("fast", engines.STORED_IDS, precision="int8")
FIRST = Variant("first_stage", engines.STORED_VECTORS, precision="int8")
CASCADE = Variant("cascade", engines.CASCADE, precision="int8")
NOT_LABELLED = "a cascade orders all candidates of a query; the labelled products alone are no such list"
QUERIES = 3  # times as many queries as `n_end_to_end_queries`, since intervals of single queries are wide


def make_fast(run: Run) -> Path:
    """The final model as it is, with the token ids of every product stored beside it."""
    folder = run.stage(FAST.stage)
    with stages.whole(folder, notebook=run.notebook, facts={"parent": MODEL.stage}) as partial:
        stored_ids.fill(partial, model=run.stage(MODEL.stage), runtime=MODEL.runtime, **_texts(run))
    return folder


def make_first(run: Run) -> Path:
    """The tuned bi-encoder: its vectors of all products, stored, and its encoder of queries in int8."""
    folder, encoder = run.stage(FIRST.stage), SentenceTransformer(str(run.stage(baselines.TUNED)), device="cpu")
    with stages.whole(folder, notebook=run.notebook, facts={"parent": baselines.TUNED}) as partial:
        vectors_ranker.fill(partial, encoder=encoder, **_texts(run))
    return folder


def make_cascade(run: Run, *, depth: int, second: Variant = FAST, name: str = CASCADE.stage) -> Path:
    """The first stage in front of another ranker, which sees the best `depth` candidates of a query."""
    folder = run.stage(name)
    with stages.whole(folder, notebook=run.notebook, facts={"parent": second.stage}) as partial:
        cascade.fill(partial, first=(FIRST.stage, FIRST.runtime), second=(second.stage, second.runtime), depth=depth)
    return folder


def _texts(run: Run) -> dict:
    return {"texts": run.catalogue.products["text"][:], "max_tokens": run.profile.max_tokens}


@dataclass(frozen=True)
class Judged:
    """An order of all candidates of some test queries, and what it keeps of the teacher's.

    Attributes:
        share: NDCG@10 over that of the teacher, and `delta` less that of the teacher.
    """

    quality: Quality
    share: float
    delta: Interval


def beside(quality: Quality, *, teacher: Quality, n_resamples: int) -> Judged:
    """An order judged beside the teacher's of the same candidates."""
    delta = metrics.paired_bootstrap(quality, teacher, n_resamples=n_resamples)
    return Judged(quality, quality.ndcg10 / teacher.ndcg10, delta)


def add_cascade(
    run: Run, judged: Judged, *, depth: int, timing: Timing, rate: Rate, on_all_cores: Rate, is_complete: bool
) -> Row:
    """The row of the stage `cascade`, judged over all candidates of test queries.

    Args:
        timing: of one query, and `rate` of pairs, on one thread; `on_all_cores` of the whole machine.
        is_complete: whether every candidate was graded.
    """
    absent = dict.fromkeys(("ndcg10", "random_ndcg10", "mrr10", "ndcg10_delta", "recall"), NOT_LABELLED)
    quality = Ranking(
        split="test",
        n_queries=judged.quality.n_queries,
        ndcg10_end_to_end=judged.quality.ndcg10,
        end_to_end_is_lower_bound=not is_complete,
        why_null=absent,
    )
    return run.add_row(
        CASCADE,
        label=f"cascade of {depth}",
        size=_size(run, batch_size=rate.batch_size),
        work=Work(macs_per_pair=round(_macs(run, depth=depth))),
        speed=ledger_fields.speed_of(timing, rate),
        quality=quality,
        money=ledger_fields.money_of(on_all_cores, machine=run.machine),
        end_to_end={"delta": vars(judged.delta), "share_of_teacher": judged.share, "depth": depth},
    )


def _size(run: Run, *, batch_size: int) -> Size:
    """Of both models; the stored ids and vectors are shipped, too."""
    encoder = _encoder(run)
    total = cost.count_parameters(models.load(run.stage(MODEL.stage))[0]) + cost.count_parameters(encoder)
    shipped = cascade.shipped_files(run.stage(CASCADE.stage))
    pairs = run.pairs("valid")[:N_CANDIDATES]
    limits = {"max_tokens": run.profile.max_tokens, "batch_size": batch_size}
    peak = memory.peak_rss_bytes(run.folder, CASCADE, pairs=pairs, **limits)
    return Size(**vars(total), disk_bytes=cost.disk_bytes(shipped), peak_rss_bytes=peak)


def _macs(run: Run, *, depth: int) -> float:
    """Of a pair: its share of the second stage, and of the query's vector, which all candidates have in common."""
    model, _ = models.load(run.stage(MODEL.stage))
    of_pair = cost.macs_per_pair(model, n_tokens=run.mean_tokens(), exported=True)
    encoder, n_tokens = _encoder(run), _mean_query_tokens(run)
    of_query = sum(cost.macs_by_hand(encoder.config, n_tokens=n_tokens).values())
    return of_pair * depth / N_CANDIDATES + of_query / N_CANDIDATES


def _encoder(run: Run):
    return SentenceTransformer(str(run.stage(baselines.TUNED)), device="cpu")[0].auto_model


def _mean_query_tokens(run: Run) -> int:
    _, tokenizer = models.described(run.stage(MODEL.stage))
    queries = list(dict.fromkeys(query for query, _ in run.pairs("valid")))
    return round(float(np.mean([len(ids) for ids in tokenizer(queries)["input_ids"]])))
