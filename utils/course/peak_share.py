"""How much of the processor's int8 peak a tuned path reaches: BERT-base's shape in int8 with stored token ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from utils.course.run import Run
from utils.measure import timing
from utils.measure.timing import Rate
from utils.rank import models, runtimes
from utils.rank.ranker import Pair
from utils.speed import bound, engines, steps_of_query, stored_ids

AT_PEAK, BELOW_PEAK = "products, at the measured peak", "products, below the peak, and fillers"
NUMBERS, MOVES = "number by number: GELU, softmax, layer norm", "look-ups, moves, quantizing"
AROUND_PRODUCTS, AROUND = "between operations, and others", "around the engine: ids, rectangles"
LINES = {  # of the table in short, and the parts of `bound.gap_table` that each holds; all others count as the fifth
    AT_PEAK: ("at the measured peak",),
    BELOW_PEAK: ("products smaller than the peak's", "fillers", "products in the graph, beyond alone"),
    NUMBERS: ("number by number, fused or not", "GELU", "softmax", "layer norm"),
    MOVES: ("moves", "look-ups", "quantize, dequantize"),
    AROUND_PRODUCTS: (),
    AROUND: ("tokenize", "join and pad", "cast", "the rest"),
}
ENGINES = ("onnxruntime", "openvino")
PAIRS_A_TURN = 16  # BERT-base takes some 15 ms for one


@dataclass(frozen=True)
class Reached:
    """What one thread was measured to do, and what the peak would allow it.

    Attributes:
        engine: the faster of two.
        allowed: pairs a second if nothing but the multiplications of the pairs' own tokens took time.
    """

    engine: str
    rate: Rate
    allowed: float

    @property
    def share(self) -> float:
        """Of the peak, token ids, fillers and all else included."""
        return self.rate.median / self.allowed


def of_bert_base(run: Run, *, queries: Sequence[Sequence[Pair]], gops: float, work: Path) -> Reached:
    """Random weights of BERT-base's shape, which cost what trained ones do, in the better of two engines.

    Args:
        gops: the peak of one thread, `products.peak_gops`.
        work: a folder for what is made on the way, which is the caller's to remove.
    """
    folder, few = bound.bert_base_int8(work / "bert_base", seed=run.seed), [pairs[:PAIRS_A_TURN] for pairs in queries]
    texts = [product for pairs in few for _, product in pairs]
    limits, opened = {"max_tokens": run.profile.max_tokens}, {}
    for engine in ENGINES:
        beside = stored_ids.make(work / f"ids_{engine}", model=folder, runtime=engine, texts=texts, **limits)
        opened[engine] = runtimes.open_ranker(beside, runtime=engines.STORED_IDS, threads=1, **limits)
    rates = timing.throughput(opened, work=few, batch_sizes=(8, PAIRS_A_TURN))
    best = max(rates, key=lambda engine: rates[engine].median)
    lengths = [n for batch in steps_of_query.batches_of(opened[best], queries=few) for n in _own_tokens(batch)]
    macs_of = partial(bound.exported_macs, models.described(folder)[0])
    allowed = gops * 1e9 / (2 * float(np.mean([macs_of(n_tokens=n) for n in lengths])))
    return Reached(best, rates[best], allowed)


def _own_tokens(batch) -> list[int]:
    return [int(n) for n in batch["attention_mask"].sum(axis=1)]


def in_short(gap: Mapping[str, float]) -> dict[str, float]:
    """Microseconds of a pair in six lines, from `bound.gap_table`, with the same sum."""
    found = dict.fromkeys(LINES, 0.0)
    for part, us in gap.items():
        found[next((line for line, parts in LINES.items() if part in parts), AROUND_PRODUCTS)] += us
    return found
