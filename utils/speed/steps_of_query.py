"""Where the milliseconds of one query go, step by step; what happens inside the engine is in `operations`.

A ranker is watched from outside: a copy of it gets a tokenizer and a forward that note the time. Nothing of the ranker
itself changes, and the bare one is timed by turns with the watched one, so that watching is seen to cost nothing.
"""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from utils.measure import timing
from utils.rank.ranker import Batch, Pair, Ranker

TOKENIZE, JOIN, CAST, ENGINE, REST = "tokenize", "join and pad", "cast", "engine", "the rest"


@dataclass(frozen=True)
class Split:
    """Milliseconds of a query by step, which add up to the whole.

    Each is the mean over the middle half of the queries by their whole time, which the few slow ones do not move.

    Attributes:
        parts_ms: by step: "tokenize", "join and pad" (Python between the others), "cast" (to the integers that the
            engine takes), "engine", "the rest" (what follows the last batch).
        bare_ms: the median of the ranker when nobody watches, timed by turns with the watched one.
    """

    parts_ms: dict[str, float]
    bare_ms: float

    @property
    def whole_ms(self) -> float:
        """The sum of the parts."""
        return sum(self.parts_ms.values())


def split_time(
    ranker: Ranker, *, queries: Sequence[Sequence[Pair]], clock: Callable[[], float] = time.perf_counter
) -> Split:
    """Where the time of one query goes, of one ranker; several are compared by `split_times`, which raises the same."""
    return split_times({"it": ranker}, queries=queries, clock=clock)["it"]


def split_times(
    rankers: Mapping[str, Ranker],
    *,
    queries: Sequence[Sequence[Pair]],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Split]:
    """Where the time of one query goes, for each ranker, which take turns query by query.

    Args:
        rankers: each with a `tokenizer` and a `forward`, such as a `BatchedRanker`.
        queries: the pairs of each query, all of them scored in one call.

    Raises:
        ValueError: no queries, or a ranker without tokenizer or forward, such as a cascade: split each of its rankers.
    """
    if not queries:
        raise ValueError("split_times: no queries to time; give at least one query with its pairs")
    watches = {name: _Watch(ranker, name=name, clock=clock) for name, ranker in rankers.items()}
    steps = {(name, "bare"): [partial(ranker.score, pairs) for pairs in queries] for name, ranker in rankers.items()}
    steps |= {(name, "watched"): [partial(watch.score, pairs) for pairs in queries] for name, watch in watches.items()}
    timings = timing.interleave_steps(steps, n_untimed=len(queries), clock=clock)
    return {
        name: Split(mean_of_middle(watch.noted[len(queries) :]), timings[name, "bare"].percentile(50))
        for name, watch in watches.items()
    }


def mean_of_middle(samples: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every part over the samples whose sum lies in the middle half: unlike medians, these add up."""
    ordered = sorted(samples, key=lambda parts: sum(parts.values()))
    cut = len(ordered) // 4
    middle = ordered[cut : len(ordered) - cut]
    names = dict.fromkeys(name for parts in samples for name in parts)
    return {name: sum(parts.get(name, 0.0) for parts in middle) / len(middle) for name in names}


def batches_of(ranker: Ranker, *, queries: Sequence[Sequence[Pair]]) -> list[Batch]:
    """The padded batches (n_pairs, n_tokens) that a ranker hands to its engine for these queries, one by one."""
    seen: list[Batch] = []
    watched, forward = copy.copy(ranker), ranker.forward

    def note(batch: Batch) -> np.ndarray:
        seen.append({name: np.array(values, dtype=np.int64) for name, values in batch.items()})
        return forward(batch)

    watched.forward = note
    for pairs in queries:
        watched.score(pairs)
    return seen


class _Watch:
    """A copy of a ranker that notes the parts of each call in `noted`, milliseconds by step."""

    def __init__(self, ranker: Ranker, *, name: str, clock: Callable[[], float]) -> None:
        if missing := [part for part in ("tokenizer", "forward") if not hasattr(ranker, part)]:
            raise ValueError(f"'{name}' has no {missing[0]}, so its steps cannot be told apart; split its own rankers")
        self.ranker, self.clock, self.noted = copy.copy(ranker), clock, []
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.engine_ended, self._forward = 0.0, ranker.forward
        self.ranker.tokenizer = _WatchedTokenizer(ranker.tokenizer, self)
        self.ranker.forward = self.forward

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """As the ranker's own."""
        self.spent.clear()
        start = self.engine_ended = self.clock()
        scores = self.ranker.score(pairs)
        end = self.clock()
        inside, rest = self.spent[TOKENIZE] + self.spent[ENGINE], end - self.engine_ended
        seconds = {TOKENIZE: self.spent[TOKENIZE], JOIN: end - start - inside - rest, CAST: self.spent[CAST]}
        seconds |= {ENGINE: self.spent[ENGINE] - self.spent[CAST], REST: rest}
        self.noted.append({step: 1000 * value for step, value in seconds.items()})
        return scores

    def forward(self, batch: Batch) -> np.ndarray:
        """The engine's logits (n_pairs,); casts of its inputs are noted apart."""
        with self.noting(ENGINE):
            scores = self._forward({name: _watched(values, self) for name, values in batch.items()})
        self.engine_ended = self.clock()
        return scores

    @contextmanager
    def noting(self, step: str) -> Iterator[None]:
        """What the block takes is this step's."""
        start = self.clock()
        yield
        self.spent[step] += self.clock() - start


class _WatchedTokenizer:
    """A tokenizer whose calls are noted; all else is the tokenizer's own."""

    def __init__(self, tokenizer, watch: _Watch) -> None:
        self._own, self._watch = tokenizer, watch

    def __getattr__(self, name: str):
        return getattr(self._own, name)

    def __call__(self, *args, **kwargs):
        with self._watch.noting(TOKENIZE):
            return self._own(*args, **kwargs)

    @property
    def backend_tokenizer(self):
        """The library's tokenizer underneath, watched too."""
        return _WatchedBackend(self._own.backend_tokenizer, self._watch)


class _WatchedBackend(_WatchedTokenizer):
    """The library's tokenizer; the ids are taken out of what it gives within the time noted, for that copies them."""

    def encode_batch_fast(self, *args, **kwargs):
        with self._watch.noting(TOKENIZE):
            return [_Ids(encoding.ids) for encoding in self._own.encode_batch_fast(*args, **kwargs)]


@dataclass
class _Ids:
    ids: list[int]

    def __len__(self) -> int:
        return len(self.ids)


class _WatchedArray(np.ndarray):
    """An array that notes how long casting it takes."""

    def astype(self, *args, **kwargs) -> np.ndarray:
        with self.watch.noting(CAST):
            return self.view(np.ndarray).astype(*args, **kwargs)


def _watched(values: np.ndarray, watch: _Watch) -> np.ndarray:
    array = values.view(_WatchedArray)
    array.watch = watch
    return array
