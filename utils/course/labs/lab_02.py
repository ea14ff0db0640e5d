"""The tasks of lab 02: the operations of attention, what padding costs, the interval of a ratio, and a fleet's bill."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from utils.course.labs.checks import Case, Task

HOURS_A_MONTH = 720
SECONDS_A_DAY = 86_400


def attention_macs(n_tokens: int, d_model: int, n_heads: int) -> int:
    """Multiplications, each with its addition, of one attention layer on one sequence."""
    return _attention(n_tokens, d_model, n_heads)


def padded_tokens(n_tokens: Sequence[int], batch_size: int) -> int:
    """Tokens that are computed, padding included, where sequences are sorted by length before they are batched."""
    return _padded(sorted(n_tokens), batch_size)


def ratio_interval(slow_ms: np.ndarray, fast_ms: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    """The median ratio of turns, and the ends of its 95% percentile bootstrap interval.

    Args:
        slow_ms, fast_ms: (n_turns,); draws: (n_resamples, n_turns), the turns that each resample is made of.
    """
    return _interval(slow_ms / fast_ms, draws)


def fleet(
    queries_per_day: float,
    peak_factor: float,
    pairs_per_s: float,
    n_candidates: int,
    utilisation: float,
    usd_per_hour: float,
) -> tuple[int, float]:
    """Whole instances for the busiest hour, and dollars a month of 720 hours."""
    return _fleet(queries_per_day, peak_factor, pairs_per_s, n_candidates, utilisation, usd_per_hour)


def _attention(
    n_tokens: int, d_model: int, n_heads: int, *, n_projections: int = 4, n_products: int = 2, is_wide: bool = False
) -> int:
    products = n_products * n_tokens**2 * d_model * (n_heads if is_wide else 1)
    return n_projections * n_tokens * d_model**2 + products


def _padded(n_tokens: Sequence[int], batch_size: int) -> int:
    batches = [n_tokens[first : first + batch_size] for first in range(0, len(n_tokens), batch_size)]
    return sum(max(batch) * len(batch) for batch in batches)


def _interval(
    ratios: np.ndarray,
    draws: np.ndarray,
    middle: Callable = np.median,
    ends: tuple[float, float] = (0.025, 0.975),
) -> tuple[float, float, float]:
    low, high = np.quantile(middle(ratios[draws], axis=1), ends)
    return float(middle(ratios)), float(low), float(high)


def _interval_of(slow_ms: np.ndarray, fast_ms: np.ndarray, draws: np.ndarray, **how: Any) -> tuple[float, float, float]:
    return _interval(slow_ms / fast_ms, draws, **how)


def _fleet(
    queries_per_day: float,
    peak_factor: float,
    pairs_per_s: float,
    n_candidates: int,
    utilisation: float,
    usd_per_hour: float,
    *,
    has_peak: bool = True,
    exponent: int = 1,
    is_whole: bool = True,
    rounds: Callable[[float], int] = math.ceil,
    is_billed_whole: bool = True,
) -> tuple[float, float]:
    """`exponent` of the utilisation: 0 leaves it out, -1 makes an instance answer more than it can."""
    asked = queries_per_day / SECONDS_A_DAY * (peak_factor if has_peak else 1)
    n_instances = asked / (pairs_per_s / n_candidates * utilisation**exponent)
    billed = rounds(n_instances) if is_whole else n_instances
    return billed, (billed if is_billed_whole else n_instances) * usd_per_hour * HOURS_A_MONTH


def _attention_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    drawn = {"n_tokens": int(rng.integers(20, 90)), "d_model": 384, "n_heads": 12}
    return [
        Case("small enough to count", {"n_tokens": 3, "d_model": 4, "n_heads": 2}),
        Case("one head", {"n_tokens": 25, "d_model": 384, "n_heads": 1}),
        Case("a short pair", drawn),
        Case("a long document", {"n_tokens": 4_096, "d_model": 384, "n_heads": 12}),
    ]


def _padding_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        Case("two batches", {"n_tokens": [5, 20, 7, 18], "batch_size": 2}),
        Case("a last batch that is not full", {"n_tokens": [9, 3, 6], "batch_size": 2}),
        Case("a batch larger than all", {"n_tokens": [4, 8], "batch_size": 64}),
        Case("one at a time", {"n_tokens": [12, 30, 7], "batch_size": 1}),
        Case("a hundred pairs", {"n_tokens": rng.integers(8, 96, 100).tolist(), "batch_size": 32}),
    ]


def _ratio_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    draws = rng.integers(9, size=(400, 9))
    even = rng.normal(10, 0.1, 9)
    busy = np.where(np.arange(9) == 4, 5.0, 1.0)  # the machine was busy during one turn, for both
    return [
        Case("nine turns", {"slow_ms": 3 * even + rng.normal(0, 1, 9), "fast_ms": even, "draws": draws}),
        Case("a turn that was slow for both", {"slow_ms": 2 * even * busy, "fast_ms": even * busy, "draws": draws}),
        Case("a thing against itself", {"slow_ms": even, "fast_ms": even + rng.normal(0, 0.5, 9), "draws": draws}),
    ]


def _fleet_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    shop = {
        **{"queries_per_day": 1e7, "peak_factor": 3.0, "pairs_per_s": 1_000.0},
        **{"n_candidates": 100, "utilisation": 0.6, "usd_per_hour": 0.1},
    }
    return [
        Case("ten million queries a day", shop),
        Case("a small shop", shop | {"queries_per_day": 20_000.0}),
        Case("a faster ranker", shop | {"pairs_per_s": 5_000.0 + float(rng.integers(1_000))}),
        Case(
            "six instances to the last query",
            shop | {"queries_per_day": 86_400.0 * 9, "peak_factor": 4.0, "utilisation": 0.5, "pairs_per_s": 1_200.0},
        ),
        Case("a deeper list", shop | {"n_candidates": 400}),
    ]


def _of_medians(slow_ms: np.ndarray, fast_ms: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    of_draws = np.median(slow_ms[draws], axis=1) / np.median(fast_ms[draws], axis=1)
    low, high = np.quantile(of_draws, (0.025, 0.975))
    return float(np.median(slow_ms) / np.median(fast_ms)), float(low), float(high)


def _of_turns(slow_ms: np.ndarray, fast_ms: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    ratios = slow_ms / fast_ms
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(np.median(ratios)), float(low), float(high)


def _of_means(slow_ms: np.ndarray, fast_ms: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    return _interval(slow_ms / fast_ms, draws, middle=np.mean)


def _upside_down(slow_ms: np.ndarray, fast_ms: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    return _interval(fast_ms / slow_ms, draws)


def _to_the_longest(n_tokens: Sequence[int], batch_size: int) -> int:
    return max(n_tokens) * len(n_tokens)


def _without_padding(n_tokens: Sequence[int], batch_size: int) -> int:
    return sum(n_tokens)


def _full_batches(n_tokens: Sequence[int], batch_size: int) -> int:
    longest = [max(sorted(n_tokens)[first : first + batch_size]) for first in range(0, len(n_tokens), batch_size)]
    return sum(longest) * batch_size


def _flops(n_tokens: int, d_model: int, n_heads: int) -> int:
    return 2 * _attention(n_tokens, d_model, n_heads)


TASKS = {
    "attention_macs": Task(
        right=attention_macs,
        cases=_attention_cases,
        misconceptions={
            "the products between tokens are left out": partial(_attention, n_products=0),
            "one of the four projections is left out": partial(_attention, n_projections=3),
            "one of the two products between tokens is left out": partial(_attention, n_products=1),
            "every head is as wide as the whole layer": partial(_attention, is_wide=True),
            "a multiplication and its addition are counted as two": _flops,
        },
    ),
    "padded_tokens": Task(
        right=padded_tokens,
        cases=_padding_cases,
        misconceptions={
            "the sequences are batched in the order in which they came": _padded,
            "the longest sequences come first": lambda n_tokens, batch_size: _padded(
                sorted(n_tokens, reverse=True), batch_size
            ),
            "every batch is padded to the longest sequence of all": _to_the_longest,
            "padding is not counted": _without_padding,
            "a last batch that is not full counts as a full one": _full_batches,
        },
    ),
    "ratio_interval": Task(
        right=ratio_interval,
        cases=_ratio_cases,
        misconceptions={
            "medians are divided by each other, so that what slowed a turn of both no longer cancels": _of_medians,
            "the mean of the turns is taken and not their median": _of_means,
            "the ratio is upside down": _upside_down,
            "the interval is that of single turns, and not that of their median": _of_turns,
            "twice as much is cut off at each end": partial(_interval_of, ends=(0.05, 0.95)),
        },
    ),
    "fleet": Task(
        right=fleet,
        cases=_fleet_cases,
        misconceptions={
            "the fleet is built for the mean hour and not for the busiest": partial(_fleet, has_peak=False),
            "an instance is kept busy all the time": partial(_fleet, exponent=0),
            "a lower utilisation makes an instance answer more": partial(_fleet, exponent=-1),
            "a part of an instance is rented": partial(_fleet, is_whole=False),
            "instances are whole, and the bill is of a part of one": partial(_fleet, is_billed_whole=False),
            "the last instance is rounded away": partial(_fleet, rounds=math.floor),
            "one instance is added where none is needed": partial(_fleet, rounds=lambda n: math.floor(n) + 1),
        },
    ),
}
