"""Timing of any calls by turns, as `latency` does it for rankers: what is compared sees the same machine."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

from utils.measure.latency import Timing


def calls_by_turns(
    calls: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time each call `repeats` times, by turns, after one untimed round; who goes first rotates.

    Raises:
        ValueError: no repeats.
    """
    if repeats < 1:
        raise ValueError(f"calls_by_turns: {repeats} repeats; give at least one")
    names = list(calls)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for call in calls.values():
        call()
    gc.collect()
    for turn in range(repeats):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = clock()
            calls[name]()
            samples[name].append(1000 * (clock() - start))
    return {name: Timing(tuple(values)) for name, values in samples.items()}


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """PyTorch computes on that many threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
