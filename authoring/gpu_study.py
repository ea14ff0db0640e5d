"""`course results --gpu`: one card measured in at most eight minutes, and recorded under data/results/gpu/.

The ways take no turns: a card that is lent to one process gives the same time twice, and the median of many calls is
taken. What fails, or finds no time, is recorded as null with its reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from transformers import BertConfig, PreTrainedModel, PreTrainedTokenizerBase

from authoring import gpu_ways
from authoring.gpu_ways import Way
from utils.course.run import Run
from utils.measure import cost, load
from utils.rank import metrics, models, runtimes
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair, Ranker, mean_tokens
from utils.speed.gpu import cards, compilers, device_ranker, overlap, power, training_steps
from utils.speed.gpu.device import Device
from utils.speed.gpu.recorded import Row

LIMIT_S = 8 * 60
LEAST_S, LEAST_CALLS = 1.5, 5  # that each rate is measured over
N_PAIRS_OF_BERT, TOKENS_OF_BERT = 8_192, 64
TRAINED = (("fp32", None), ("tf32", None), ("bf16", None), ("bf16, compiled", compilers.compiled))


@dataclass(frozen=True)
class Task:
    """A model and the pairs that it scores.

    Attributes:
        macs: of one pair, at the pairs' mean length.
        exact: its scores (n_pairs,) in fp32 on the CPU, and `judge` gives their quality; None: random weights.
        queries: the pairs of single queries, for the latency.
    """

    what: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    pairs: Sequence[Pair]
    queries: Sequence[Sequence[Pair]]
    max_tokens: int
    macs: int
    exact: np.ndarray | None = None
    judge: Callable[[np.ndarray], Quality] | None = None


def of_teacher(run: Run) -> Task:
    """The run's teacher on every judged pair of valid."""
    model, tokenizer = models.load(run.stage("teacher"))
    pairs, limit = run.pairs("valid"), run.profile.max_tokens
    sizes = {"threads": run.machine["cores"], "max_tokens": limit}
    exact = runtimes.wrap_torch(model, tokenizer=tokenizer, **sizes).score(pairs)

    def judge(scores: np.ndarray) -> Quality:
        return metrics.evaluate(run.catalogue.pairs["valid"], scores, top_gain=run.catalogue.top_gain)

    n_tokens = round(mean_tokens(tokenizer, pairs, max_tokens=limit))
    macs = cost.macs_per_pair(model, n_tokens=n_tokens)
    queries = load.workload(run.catalogue, n_queries=run.profile.n_latency_queries)
    return Task("teacher, pairs of valid", model, tokenizer, pairs, queries, limit, macs, exact, judge)


def of_bert_base(run: Run, *, config: BertConfig | None = None, n_pairs: int = N_PAIRS_OF_BERT) -> Task:
    """BERT-base with random weights, on pairs that are long enough to be cut to 64 tokens: a cost without a quality."""
    _, tokenizer = models.described(run.stage("teacher"))
    model = models.build_untrained(config or BertConfig(num_labels=1), seed=run.seed)
    some = run.pairs("valid")
    long = [(query, f"{text} " * TOKENS_OF_BERT) for query, text in (some[i % len(some)] for i in range(n_pairs))]
    queries = [long[:100]] * run.profile.n_latency_queries
    macs = cost.macs_per_pair(model, n_tokens=TOKENS_OF_BERT)
    what = f"BERT-base shape, {TOKENS_OF_BERT} tokens"
    return Task(what, model, tokenizer, long, queries, TOKENS_OF_BERT, macs)


def measure(
    run: Run,
    *,
    device: Device,
    echo: Callable[[str], object] = print,
    limit_s: float = LIMIT_S,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[float, list[Row]]:
    """NDCG@10 of the teacher in fp32 on the CPU, and the rows of all ways, in the time that there is."""
    end = clock() + limit_s
    teacher, bert = of_teacher(run), of_bert_base(run)
    steps: list[tuple[str, str, Callable[[], Row]]] = []
    for task, ways in ((bert, gpu_ways.OF_BERT_BASE[:1]), (teacher, gpu_ways.WAYS), (bert, gpu_ways.OF_BERT_BASE[1:])):
        steps += [(task.what, way.name, lambda task=task, way=way: of_way(task, way, device=device)) for way in ways]
    steps += [
        (teacher.what, name, lambda name=name, change=change: of_training(teacher, name, change=change, device=device))
        for name, change in TRAINED
    ]
    steps.append((teacher.what, "bf16, packed, nothing overlapped", lambda: of_plain_copies(teacher, device=device)))
    steps.append((teacher.what, "ONNX Runtime, CUDA", lambda: of_onnxruntime(run, teacher, device=device)))
    rows = []
    for what, how, step in steps:
        rows.append(_row(what, how, step) if clock() < end else Row.of(what, how, why_others="found no time"))
        echo(f"{what}: {how}: {_said(rows[-1])}")
    return teacher.judge(teacher.exact).ndcg10, rows


def of_way(task: Task, way: Way, *, device: Device) -> Row:
    """The row of one way; raises what the way raises."""
    ranker = _open(task, way, device=device)
    encoded = ranker.encode(task.pairs)
    batches = ranker.layout.batches(encoded, batch_size=ranker.batch_size)
    scores = ranker.score_batches(batches)
    with power.watched() as drawn:
        known = len(task.pairs) / _seconds(lambda: ranker.score_batches(batches), device=device, least_s=LEAST_S)
    overlapped = overlap.OverlappedRanker(ranker)
    tokenized = len(task.pairs) / _seconds(lambda: overlapped.score(task.pairs), device=device, least_s=LEAST_S)
    figures = {"pairs_per_s": known, "pairs_per_s_tokenized": tokenized, "watts": drawn.mean_watts}
    figures["latency_ms"] = 1000 * _latency(ranker, task.queries, device=device)
    figures["mfu"] = _mfu(known, task, precision=way.peak or way.precision, device=device)
    figures |= _judged(task, scores)
    return Row.of(task.what, way.name, why_others="not to be had for this way, or on this machine", **figures)


def of_plain_copies(task: Task, *, device: Device) -> Row:
    """Packed in bf16, but tokenized first and copied from memory that is not pinned: what overlapping is worth."""
    ranker = _open(task, gpu_ways.WAYS[0], device=replace(device, pins=False))
    rate = len(task.pairs) / _seconds(lambda: ranker.score(task.pairs), device=device, least_s=LEAST_S)
    why = "only what overlapping changes is measured"
    return Row.of(task.what, "bf16, packed, nothing overlapped", pairs_per_s_tokenized=rate, why_others=why)


def of_onnxruntime(run: Run, task: Task, *, device: Device) -> Row:
    """The teacher's graph in ONNX Runtime on the card."""
    sizes = {"tokenizer": task.tokenizer, "max_tokens": task.max_tokens}
    ranker = gpu_ways.in_onnxruntime(run.stage("teacher"), **sizes)
    rate = len(task.pairs) / _seconds(lambda: ranker.score(task.pairs), device=device, least_s=LEAST_S)
    figures = {"pairs_per_s_tokenized": rate, "latency_ms": 1000 * _latency(ranker, task.queries, device=device)}
    figures |= _judged(task, ranker.score(task.pairs))
    return Row.of(task.what, "ONNX Runtime, CUDA", why_others="this engine is timed as a whole", **figures)


def of_training(task: Task, name: str, *, change: Callable | None, device: Device, n_pairs: int = 32) -> Row:
    """Training steps of `n_pairs` pairs, all padded to the longest of them."""
    layout = gpu_ways.WAYS[1].layout(task.tokenizer, task.max_tokens)
    encoded = _open(task, gpu_ways.WAYS[1], device=device).encode(task.pairs[:n_pairs])
    batch = layout.batches(encoded, batch_size=n_pairs)[0][1].tensors
    how = {"targets": torch.linspace(-1, 1, n_pairs), "precision": name.split(",")[0], "change": change}
    steps = training_steps.measure(task.model, batch, device=device, **how)
    if not steps.last_loss < steps.first_loss:
        raise ValueError(f"the loss did not fall: {steps.first_loss:.4f} to {steps.last_loss:.4f}")
    name = f"training steps of {n_pairs} pairs in {name}"
    return Row.of(task.what, name, steps_per_s=steps.per_s, why_others="a training step scores nothing")


def _open(task: Task, way: Way, *, device: Device) -> device_ranker.DeviceRanker:
    sizes = {"max_tokens": task.max_tokens, "batch_size": gpu_ways.BATCH_SIZE}
    how = {"layout": way.layout(task.tokenizer, task.max_tokens), "precision": way.precision, "change": way.change}
    return device_ranker.build(task.model, tokenizer=task.tokenizer, device=device, **sizes, **how)


def _row(what: str, how: str, step: Callable[[], Row]) -> Row:
    """The step's row, or one without figures that says why."""
    try:
        return step()
    except (
        Exception
    ) as error:  # of a compiler, a library that is missing, a card that cannot: it is said, and all goes on
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return Row.of(what, how, why_others=f"{type(error).__name__}: {reason[:200]}")


def _said(row: Row) -> str:
    known = row.pairs_per_s or row.pairs_per_s_tokenized
    if known:
        return f"{known:,.0f} pairs/s"
    return f"{row.steps_per_s:.1f} steps/s" if row.steps_per_s else next(iter(row.why_null.values()))


def _seconds(call: Callable[[], object], *, device: Device, least_s: float) -> float:
    """The median of as many calls as fill the time, five at least, after two untimed ones."""
    for _ in range(2):
        call()
    taken: list[float] = []
    while sum(taken) < least_s or len(taken) < LEAST_CALLS:
        device.wait()
        start = time.perf_counter()
        call()
        device.wait()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def _latency(ranker: Ranker, queries: Sequence[Sequence[Pair]], *, device: Device) -> float:
    """Seconds of one query with its candidates: the median over queries, each as `_seconds`."""
    return float(np.median([_seconds(lambda q=q: ranker.score(q), device=device, least_s=0) for q in queries]))


def _mfu(rate: float, task: Task, *, precision: str, device: Device) -> float | None:
    """None where the data sheet has no peak of that precision, or there is no data sheet."""
    try:
        peak = cards.named(device.name).tflops.get(precision)
    except ValueError:
        return None
    return peak and cards.mfu(rate, macs_per_pair=task.macs, peak_tflops=peak)


def _judged(task: Task, scores: np.ndarray) -> dict[str, float]:
    """Quality and distance of the scores to those of fp32 on the CPU; nothing for random weights."""
    if task.exact is None:
        return {}
    found, exact = task.judge(scores), task.judge(task.exact)
    change = metrics.paired_bootstrap(found, exact, n_resamples=1_000)
    return {
        "ndcg10": found.ndcg10,
        "change_low": change.low,
        "change_high": change.high,
        "score_difference": float(abs(scores - task.exact).max()),
    }
