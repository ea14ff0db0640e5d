"""Timing any calls by turns, so that what is compared sees the same machine. `latency` times rankers with it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from utils.measure.ledger import Latency


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


def calls_by_turns(
    calls: Mapping[str, Callable[[], object]], *, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Time each call `repeats` times, by turns, after one untimed round; who goes first rotates.

    Raises:
        ValueError: no repeats.
    """
    if repeats < 1:
        raise ValueError(f"calls_by_turns: {repeats} repeats; give at least one")
    return steps_by_turns({name: [call] * repeats for name, call in calls.items()}, clock=clock)


def steps_by_turns(
    steps: Mapping[str, list[Callable[[], object]]],
    *,
    n_untimed: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time step 1 of each name, then step 2 of each, and so on; before that the first `n_untimed` of each, untimed.

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
