"""The steps of a query add up to its time, on a clock that only the test moves, and watching changes no score."""

from types import SimpleNamespace

import numpy as np
import pytest

from utils.rank import runtimes
from utils.speed import steps_of_query
from utils.speed.steps_of_query import Split

PAIRS = [("red sofa", "a couch"), ("red sofa", "a lamp of brass"), ("red sofa", "rug")]


class Slow:
    """Does what the thing underneath does and moves the clock by so many milliseconds a call."""

    def __init__(self, clock, own=None):
        self.clock, self.own = clock, own

    def __getattr__(self, name):
        return getattr(self.own, name)


class Backend(Slow):
    def encode_batch_fast(self, texts, add_special_tokens):
        self.clock.now += 0.003
        return [SimpleNamespace(ids=[1, 2]) for _ in texts]


class Ranker:
    """Tokenizes in 3 ms, joins in 2, scores in 5 (of which casting 1, where `astype` is called), and ends in 4."""

    def __init__(self, clock, *, n_batches=2):
        self.clock, self.n_batches, self.batch_size = clock, n_batches, 1
        self.tokenizer = SimpleNamespace(backend_tokenizer=Backend(clock))
        self.forward = self._forward

    def score(self, pairs):
        self.tokenizer.backend_tokenizer.encode_batch_fast(["x"], add_special_tokens=False)
        for _ in range(self.n_batches):
            self.clock.now += 0.002
            self.forward({"input_ids": np.ones((1, 2), dtype=np.int32)})
        self.clock.now += 0.004
        return np.zeros(len(pairs), dtype=np.float32)

    def _forward(self, batch):
        self.clock.now += 0.005
        return batch["input_ids"].astype(np.int64)[:, 0]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_each_step_gets_the_time_that_passes_in_it_and_all_add_up_to_the_whole():
    clock = Clock()
    split = steps_of_query.split_time(Ranker(clock), queries=[PAIRS] * 3, clock=clock)
    assert split.parts_ms == pytest.approx({"tokenize": 3, "join and pad": 4, "cast": 0, "engine": 10, "the rest": 4})
    assert split.whole_ms == pytest.approx(21) and split.bare_ms == pytest.approx(21)


def test_casting_within_the_engine_is_a_step_of_its_own(monkeypatch):
    clock = Clock()
    own = np.ndarray.view

    def slow_view(array, kind):  # what the watched array calls when it is cast
        if kind is np.ndarray:
            clock.now += 0.001
        return own(array, kind)

    monkeypatch.setattr(steps_of_query._WatchedArray, "view", slow_view)
    split = steps_of_query.split_time(Ranker(clock, n_batches=1), queries=[PAIRS], clock=clock)
    assert split.parts_ms["cast"] == pytest.approx(1) and split.parts_ms["engine"] == pytest.approx(5)


def test_parts_of_the_middle_half_are_averaged_so_that_a_slow_query_moves_nothing_and_the_sum_stays():
    samples = [{"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 1.0}, {"a": 2.0, "b": 3.0}, {"a": 900.0, "c": 1.0}]
    assert steps_of_query.mean_of_middle(samples) == {"a": 2.0, "b": 2.0, "c": 0.0}


@pytest.mark.parametrize("runtime", ["pytorch", "onnxruntime", "openvino"])
def test_watching_a_real_ranker_leaves_it_and_its_scores_as_they_are(small_folder, runtime):
    ranker = runtimes.open_ranker(small_folder, runtime=runtime, threads=1, max_tokens=64, batch_size=2)
    before, parts = ranker.score(PAIRS), dict(vars(ranker))
    watch = steps_of_query._Watch(ranker, name="it", clock=Clock())
    assert np.array_equal(watch.score(PAIRS), before) and vars(ranker) == parts
    split = steps_of_query.split_time(ranker, queries=[PAIRS] * 4)
    assert isinstance(split, Split) and min(split.parts_ms.values()) >= 0
    assert split.parts_ms["engine"] > split.parts_ms["cast"] and split.parts_ms["tokenize"] > 0


def test_rankers_are_split_by_turns_each_with_its_own_times():
    clock = Clock()
    found = steps_of_query.split_times(
        {"two": Ranker(clock, n_batches=2), "one": Ranker(clock, n_batches=1)}, queries=[PAIRS], clock=clock
    )
    assert found["two"].whole_ms == pytest.approx(21) and found["one"].whole_ms == pytest.approx(14)


def test_batches_are_those_that_the_engine_gets(small_folder):
    ranker = runtimes.open_ranker(small_folder, runtime="onnxruntime", threads=1, max_tokens=64, batch_size=2)
    batches = steps_of_query.batches_of(ranker, queries=[PAIRS, PAIRS[:1]])
    assert [len(batch["input_ids"]) for batch in batches] == [2, 1, 1]
    assert all(values.dtype == np.int64 for batch in batches for values in batch.values())
    found = np.concatenate([ranker.forward(batch) for batch in batches])
    assert sorted(found[:3]) == pytest.approx(sorted(ranker.score(PAIRS)), abs=1e-5)


def test_no_queries_and_a_ranker_without_a_forward_are_refused():
    with pytest.raises(ValueError, match="at least one query"):
        steps_of_query.split_time(Ranker(Clock()), queries=[])
    cascade = SimpleNamespace(tokenizer=None, score=lambda pairs: np.zeros(len(pairs)))
    with pytest.raises(ValueError, match="has no forward.*split its own rankers"):
        steps_of_query.split_times({"cascade": cascade}, queries=[PAIRS])
