"""The row of the stage `split`: no model folder that other tools load, so its figures are put together here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from utils.course import ledger_fields
from utils.course.measure_stage import ONLY_TEACHER, PER_TURN
from utils.course.run import Run
from utils.course.split_sweep import Lengths
from utils.course.splitting import SPLIT
from utils.edge import split_cost
from utils.edge.split_model import SplitModel
from utils.measure import cost, load, memory, timing
from utils.measure.row_groups import Ranking, Row, Size, Work
from utils.rank import metrics, models, runtimes
from utils.rank.evaluation import EndToEnd
from utils.rank.ranker import Pair
from utils.settings import N_CANDIDATES

LABEL = "split, stored states"
BATCH_SIZE = 32  # has no meaning where tokens meet: a query meets all of its products at a time


def add(run: Run, model: SplitModel, *, queries: Sequence[Sequence[Pair]], local: dict) -> Row:
    """Measure the stage on one thread and on all cores, judge it on test, and add its row; the references come before.

    Args:
        queries: each with its candidates, `load.workload`.
        local: the group of what devices lived, `at_the_edge.group`.
    """
    open_one = partial(SPLIT.open, run.folder, max_tokens=run.profile.max_tokens)
    alone, how = {LABEL: open_one()}, {"batch_sizes": (BATCH_SIZE,)}
    work = [sum(queries[start : start + PER_TURN], []) for start in range(0, len(queries), PER_TURN)]
    rate = timing.throughput(alone, work=work, **how)[LABEL]
    of_all = load.rates_on_all_cores({LABEL: open_one}, cores=run.machine["cores"], queries=queries, **how)[LABEL]
    run.keep_rates(run.rates() | {SPLIT.key: rate.samples})
    return run.add_row(
        SPLIT,
        label=LABEL,
        parent="student",
        size=_size(run, model, pairs=queries[0]),
        work=Work(macs_per_pair=macs_per_pair(run, model)),
        speed=ledger_fields.speed_of(timing.interleave_queries(alone, queries=queries)[LABEL], rate),
        quality=_quality(run),
        money=ledger_fields.money_of(of_all, machine=run.machine),
        local=local,
    )


def macs_per_pair(run: Run, model: SplitModel) -> int:
    """At request time, of a query with its candidates: a candidate's share. What is made once does not count."""
    _, tokenizer = models.described(run.stage("student"))
    lengths = Lengths(run, tokenizer).of(model.plan)
    found = split_cost.at_request(model.config, model.plan, n_candidates=N_CANDIDATES, **lengths)
    return max(1, round(found.total / N_CANDIDATES))


def _size(run: Run, model: SplitModel, *, pairs: Sequence[Pair]) -> Size:
    """Of the weights, with the files that a device needs, the stored states among them."""
    layers = [*model.lower.parameters(), *model.upper.parameters()]
    limits = {"max_tokens": run.profile.max_tokens, "batch_size": BATCH_SIZE}
    return Size(
        n_params=sum(one.numel() for one in model.parameters()),
        n_params_nonzero=sum(int(one.count_nonzero()) for one in model.parameters()),
        n_params_embedding=sum(one.numel() for one in model.embeddings.parameters()),
        n_params_encoder=sum(one.numel() for one in layers),
        disk_bytes=cost.disk_bytes(runtimes.shipped_files(run.stage(SPLIT.stage), runtime=SPLIT.runtime)),
        peak_rss_bytes=memory.peak_rss_bytes(run.folder, SPLIT, pairs=pairs, **limits),
    )


def _quality(run: Run) -> Ranking:
    """On test, judged once for the weights that the stage has."""
    weights = runtimes.weights_hash(run.stage(SPLIT.stage), runtime=SPLIT.runtime)
    quality = run.kept_quality(SPLIT.scores_key, weights=weights)
    if quality is None:
        ranker = SPLIT.open(run.folder, max_tokens=run.profile.max_tokens)
        test, scores = run.catalogue.pairs["test"], ranker.score(run.pairs("test"))
        quality = metrics.evaluate(test, scores, top_gain=run.catalogue.top_gain)
        run.save_quality(SPLIT.scores_key, quality, weights=weights)
    how = {"n_resamples": run.profile.n_bootstrap, "end_to_end": EndToEnd.absent(ONLY_TEACHER)}
    return ledger_fields.test_quality(quality, teacher=run.teacher_quality(), **how)
