"""OpenVINO asked for a short answer or for many: its two performance hints, and several batches in flight at a time.

One blocking call at a time hides what a throughput hint gives, so the ranker here hands its engine all batches of a
call before it waits for the first one, and `pairs_per_s` does so with the batches of many queries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from utils.measure import timing
from utils.measure.timing import Rate
from utils.rank import models
from utils.rank.ranker import Batch, Pair, encode
from utils.rank.runtimes import read_openvino
from utils.rank.runtimes.in_openvino import GRAPH

HINTS = ("LATENCY", "THROUGHPUT")
FP32_ELSEWHERE = {  # as in `runtimes.compile_openvino`: what is not int8 is fp32, and no thread is bound to a core
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    "ENABLE_CPU_PINNING": False,
}


@dataclass
class HintedRanker:
    """A ranker that has as many batches in flight as its engine has requests.

    Attributes:
        queue: an `openvino.AsyncInferQueue`.
        n_streams: how many batches the engine works on at a time, each on its share of the threads.
    """

    tokenizer: PreTrainedTokenizerBase
    queue: Any
    n_streams: int
    max_tokens: int
    batch_size: int
    runtime: str = "openvino"

    @property
    def n_requests(self) -> int:
        """Batches in flight at most."""
        return len(self.queue)

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """As `Ranker.score`."""
        return self.score_queries([pairs])[0]

    def score_queries(self, queries: Sequence[Sequence[Pair]]) -> list[np.ndarray]:
        """Scores (n_pairs,) of each query; the batches of the next query wait for none of the one before.

        Raises:
            ValueError: a score is not a finite number.
        """
        scores = [np.full(len(pairs), np.nan, dtype=np.float32) for pairs in queries]
        names = [port.get_any_name() for port in self.queue[0].model_inputs]
        try:
            for number, pairs in enumerate(queries):
                for rows, batch in self._batches(pairs):
                    self.queue.start_async([batch[name] for name in names], (scores[number], rows))
        finally:
            self.queue.wait_all()
        if unsound := [number for number, of_query in enumerate(scores) if not np.isfinite(of_query).all()]:
            raise ValueError(
                f"{self.runtime}: a score of query {unsound[0]} is not a finite number; make the model folder again, "
                "or open it in another runtime"
            )
        return scores

    def _batches(self, pairs: Sequence[Pair]) -> Iterator[tuple[np.ndarray, Batch]]:
        """Rows of the pairs and their padded batch, shortest first, as `BatchedRanker` makes them."""
        if not len(pairs):
            return
        encoded = encode(self.tokenizer, pairs, max_tokens=self.max_tokens)
        order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            chosen = {name: [values[i] for i in rows] for name, values in encoded.items()}
            padded = self.tokenizer.pad(chosen, padding=True, return_tensors="np")
            yield rows, {name: values.astype(np.int64) for name, values in padded.items()}


def open_hinted(folder: Path, *, hint: str, threads: int, max_tokens: int, batch_size: int = 32) -> HintedRanker:
    """A ranker over a model folder's OpenVINO graph, compiled for that hint on that many threads.

    "LATENCY" gives all threads to one batch; "THROUGHPUT" divides them among several streams, and has at least as many
    requests in flight. How many, OpenVINO decides. No thread is bound to a core.

    Raises:
        ValueError: another hint, a damaged folder, or a model that gives more than one score.
        FileNotFoundError: the folder has no OpenVINO graph.

    Source: OpenVINO documentation, "High-level performance hints" (2025),
    https://docs.openvino.ai/2025/openvino-workflow/running-inference/optimize-inference/high-level-performance-hints.html
    """
    import openvino

    if hint not in HINTS:
        raise ValueError(f"hint '{hint}' is not one of {', '.join(HINTS)}")
    path = Path(folder) / GRAPH
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: {path.name} is missing; make it with runtimes.export_openvino(folder)")
    asked = {**FP32_ELSEWHERE, "PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(read_openvino(path), "CPU", asked)
    queue = openvino.AsyncInferQueue(compiled)  # as many requests as the compiled model asks for
    queue.set_callback(_keep)
    _, tokenizer = models.described(Path(folder))
    return HintedRanker(tokenizer, queue, compiled.get_property("NUM_STREAMS"), max_tokens, batch_size)


def _keep(request, place: tuple[np.ndarray, np.ndarray]) -> None:
    """Put a batch's logits (n_pairs, 1) where they belong, before the request is used again."""
    scores, rows = place
    scores[rows] = request.get_output_tensor(0).data[:, 0]


def pairs_per_s(
    rankers: Mapping[str, HintedRanker],
    *,
    work: Sequence[Sequence[Sequence[Pair]]],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Rate]:
    """Pairs a second of each ranker with the queries of a whole turn in flight, by turns, after an untimed round.

    Args:
        work: the queries of each turn, each of them its pairs; give a turn some tenths of a second.

    Raises:
        ValueError: no work.
    """
    if not work:
        raise ValueError("pairs_per_s: no work; give the queries of at least one turn")
    steps = {name: [partial(ranker.score_queries, turn) for turn in work] for name, ranker in rankers.items()}
    timed = timing.interleave_steps(steps, n_untimed=len(work), clock=clock)
    n_pairs = [sum(map(len, turn)) for turn in work]
    return {
        name: Rate(_per_second(timed[name].samples_ms, n_pairs=n_pairs), ranker.batch_size)
        for name, ranker in rankers.items()
    }


def _per_second(samples_ms: Sequence[float], *, n_pairs: Sequence[int]) -> tuple[float, ...]:
    return tuple(1000 * n / ms for n, ms in zip(n_pairs, samples_ms, strict=True))
