"""Time, measured so that it can be compared: what is compared takes turns, and ratios are quoted.

A single absolute time says little on a shared machine; the ratio of two measured side by side says much.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from utils.measure.row_groups import Latency
from utils.rank.ranker import Pair, Ranker
from utils.rank.runtimes import SizedRanker

N_RESAMPLES = 2_000  # of the turns, for the interval of a ratio
N_BATCHES_LOOKED_AT = 2  # of the largest size, by which the batch size is chosen
PAUSE_S = 0.01  # before each timed call; threads that wait for more work of the call before are asleep by then
LEAST_TURN_MS = 100  # that a rate is measured over; a fast ranker scores its piece of work several times


@dataclass(frozen=True)
class Timing:
    """Milliseconds of each timed call, in their order."""

    samples_ms: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """Milliseconds that this share of the calls stays within."""
        return float(np.percentile(self.samples_ms, percent))

    def as_row(self) -> Latency:
        """The ledger's form."""
        p50, p95, p99 = (self.percentile(p) for p in (50, 95, 99))
        return Latency(p50=p50, p95=p95, p99=p99, n=len(self.samples_ms))


@dataclass(frozen=True)
class Ratio:
    """How many times longer one takes than another: the median over the turns, and its 95% interval over them.

    An interval that holds 1 says that no difference was found.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.1f} × [{self.low:.1f}, {self.high:.1f}]"


def interleave_queries(
    rankers: Mapping[str, Ranker], *, queries: Sequence[Sequence[Pair]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Time each ranker on each query, by turns, after an untimed round of all queries; who goes first rotates.

    The untimed round is for runtimes that prepare themselves for every new shape of a batch, which a server does once.

    Args:
        queries: the pairs of each query, all of them scored in one call.

    Raises:
        ValueError: no queries.
    """
    if not queries:
        raise ValueError("interleave_queries: no queries to time; give at least one query with its pairs")
    steps = {name: [partial(ranker.score, pairs) for pairs in queries] for name, ranker in rankers.items()}
    return interleave_steps(steps, n_untimed=len(queries), clock=clock)


@dataclass(frozen=True)
class Rate:
    """Pairs a second of each timed turn, in their order, at the batch size that did best."""

    samples: tuple[float, ...]
    batch_size: int

    @property
    def median(self) -> float:
        """Of the turns."""
        return float(np.median(self.samples))


def ratio(slow: Timing, fast: Timing) -> Ratio:
    """`slow` over `fast`, query by query; ValueError when they were not timed on the same number of queries."""
    if len(slow.samples_ms) != len(fast.samples_ms):
        raise ValueError(
            f"{len(slow.samples_ms)} and {len(fast.samples_ms)} queries; time both in one call of by_turns"
        )
    return _with_interval(np.array(slow.samples_ms) / np.array(fast.samples_ms))


def rate_ratio(fast: Sequence[float], slow: Sequence[float]) -> Ratio:
    """How many times the pairs a second of `slow` those of `fast` are, turn by turn, from the samples of both."""
    if len(slow) != len(fast):
        raise ValueError(f"{len(fast)} and {len(slow)} turns; time both in one call of throughput")
    return _with_interval(np.array(fast) / np.array(slow))


def _with_interval(ratios: np.ndarray) -> Ratio:
    """The median of the turns' ratios and its percentile bootstrap interval: turns are drawn anew, many times.

    Source: Kalibera, Jones, "Rigorous benchmarking in reasonable time", ISMM 2013,
    https://doi.org/10.1145/2464157.2464160 (which asks for an interval of the ratio, and not of each time)
    """
    picks = np.random.default_rng(0).integers(len(ratios), size=(N_RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(ratios[picks], axis=1), (0.025, 0.975))
    return Ratio(float(np.median(ratios)), float(low), float(high))


def throughput(
    rankers: Mapping[str, SizedRanker],
    *,
    work: Sequence[Sequence[Pair]],
    batch_sizes: Sequence[int] = (8, 16, 32, 64),
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Rate]:
    """Pairs a second of each ranker at its best batch size, which it keeps: a turn for each piece of work.

    The size is chosen first, by the best of three looks at the start of the first piece (of which the first may be
    slow: it warms up), so that no timed turn has a say in it. Then all rankers score one piece after the other, by
    turns, after an untimed round as in `interleave_queries`; a ranker that needs less than LEAST_TURN_MS for a piece
    scores it as often as fills them. Sizes above the number of pairs are left out.

    Args:
        work: the pairs of each turn.

    Raises:
        ValueError: no work, or fewer pairs in its first piece than the smallest batch size.
    """
    n_pairs = len(work[0]) if work else 0
    sizes = [size for size in batch_sizes if size <= n_pairs]
    if not sizes:
        raise ValueError(f"throughput: {n_pairs} pairs fill no batch of {min(batch_sizes)}; give more pairs")
    start = work[0][: N_BATCHES_LOOKED_AT * max(sizes)]
    steps, scored = {}, {}
    for name, ranker in rankers.items():
        looks = {size: [partial(_score, ranker, pairs=start, batch_size=size)] * 3 for size in sizes}
        best_ms = {
            size: min(found.samples_ms) for size, found in interleave_steps(looks, n_untimed=0, clock=clock).items()
        }
        ranker.batch_size = min(sizes, key=best_ms.__getitem__)
        ms_a_pair = best_ms[ranker.batch_size] / len(start)
        times = [_times_to_fill(len(pairs) * ms_a_pair) for pairs in work]
        steps[name] = [partial(_score_often, ranker, pairs=p, times=n) for p, n in zip(work, times, strict=True)]
        scored[name] = [len(pairs) * n for pairs, n in zip(work, times, strict=True)]
    timed = interleave_steps(steps, n_untimed=len(work), clock=clock)
    return {name: Rate(_per_second(timed[name], scored[name]), ranker.batch_size) for name, ranker in rankers.items()}


def _score(ranker: SizedRanker, *, pairs: Sequence[Pair], batch_size: int) -> None:
    ranker.batch_size = batch_size
    ranker.score(pairs)


def _times_to_fill(ms: float) -> int:
    """How often something of so many milliseconds fills a turn."""
    return max(1, math.ceil(LEAST_TURN_MS / max(ms, 1e-3)))


def _score_often(ranker: SizedRanker, *, pairs: Sequence[Pair], times: int) -> None:
    for _ in range(times):
        ranker.score(pairs)


def _per_second(timing: Timing, n_pairs: Sequence[int]) -> tuple[float, ...]:
    """Pairs a second of every turn, in which so many pairs were scored."""
    return tuple(1000 * n / ms for n, ms in zip(n_pairs, timing.samples_ms, strict=True))


def interleave_calls(
    calls: Mapping[str, Callable[[], object]], *, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Time each call `repeats` times, by turns, after one untimed round; who goes first rotates.

    Raises:
        ValueError: no repeats.
    """
    if repeats < 1:
        raise ValueError(f"interleave_calls: {repeats} repeats; give at least one")
    return interleave_steps({name: [call] * repeats for name, call in calls.items()}, clock=clock)


def interleave_steps(
    steps: Mapping[str, list[Callable[[], object]]],
    *,
    n_untimed: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time step 1 of each name, then step 2 of each, and so on; before that the first `n_untimed` of each, untimed.

    Before each timed step stands a pause: a library's threads go on waiting for work for some milliseconds, and would
    take the processor from whoever is timed next.

    Args:
        steps: as many for every name, one at least.
    """
    names = list(steps)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        for step in steps[name][:n_untimed]:
            step()
    with no_garbage_collection():
        for turn in range(len(steps[names[0]])):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                time.sleep(PAUSE_S)
                start = clock()
                steps[name][turn]()
                samples[name].append(1000 * (clock() - start))
    return {name: Timing(tuple(values)) for name, values in samples.items()}


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Nothing is collected within the block, whose pauses would fall on whoever is timed."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
