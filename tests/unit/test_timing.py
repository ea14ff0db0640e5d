"""Percentiles and ratios of known samples, and turns on a clock that only the test moves."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.measure import timing

SAMPLES = st.lists(st.floats(0.1, 1e4), min_size=1, max_size=30)


class Clock:
    def __init__(self):
        self.now, self.calls, self.n_pairs = 0.0, [], []

    def __call__(self):
        return self.now


class FakeRanker:
    """Takes seconds from its list, one a call; remembers whether garbage was collected meanwhile."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.collected = clock, list(seconds), []

    def score(self, pairs):
        self.collected.append(gc.isenabled())
        self.clock.now += self.seconds.pop(0)


@given(samples=SAMPLES)
def test_percentiles_rise_and_stay_within_the_samples(samples):
    row = timing.Timing(tuple(samples)).as_row()
    assert min(samples) <= row.p50 <= row.p95 <= row.p99 <= max(samples)
    assert row.p50 == pytest.approx(float(np.median(samples))) and row.n == len(samples)


@given(samples=SAMPLES, factor=st.floats(0.1, 10))
def test_ratio_of_a_scaled_timing_is_the_factor_on_every_query(samples, factor):
    slow = timing.Timing(tuple(factor * value for value in samples))
    ratio = timing.ratio(slow, timing.Timing(tuple(samples)))
    assert (ratio.low, ratio.median, ratio.high) == pytest.approx((factor, factor, factor))


def test_ratio_is_taken_query_by_query_and_not_between_medians():
    ratio = timing.ratio(timing.Timing((2.0, 3.0, 40.0)), timing.Timing((1.0, 10.0, 10.0)))
    assert ratio.median == 2.0 and (ratio.low, ratio.high) == (
        0.3,
        4.0,
    )  # of three turns: anything from the least to the largest


@pytest.mark.parametrize("n", [1, 2])
def test_timings_of_different_queries_have_no_ratio(n):
    with pytest.raises(ValueError, match="3 and"):
        timing.ratio(timing.Timing((1.0, 2.0, 3.0)), timing.Timing((1.0,) * n))


def test_each_ranker_gets_its_own_times_and_the_warm_up_none():
    clock = Clock()
    rankers = {"a": FakeRanker(clock, [9.0, 9.0, 1.0, 2.0]), "b": FakeRanker(clock, [9.0, 9.0, 4.0, 8.0])}
    timings = timing.interleave_queries(rankers, queries=[[("q", "p")]] * 2, clock=clock)
    assert timings["a"].samples_ms == (1000.0, 2000.0) and timings["b"].samples_ms == (4000.0, 8000.0)


def test_garbage_is_not_collected_while_timing_and_is_again_after_a_failure():
    clock = Clock()
    ranker = FakeRanker(clock, [1.0, 1.0, 1.0])
    with pytest.raises(IndexError):
        timing.interleave_queries({"a": ranker}, queries=[[("q", "p")]] * 2, clock=clock)
    assert ranker.collected == [True, True, False, False] and gc.isenabled()


def test_timing_no_queries_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match="at least one query"):
        timing.interleave_queries({"a": FakeRanker(Clock(), [])}, queries=[])


class SteadyRanker:
    """Takes a set number of seconds a call on a clock that only it moves."""

    def __init__(self, clock, name, seconds):
        self.clock, self.name, self.seconds, self.batch_size = clock, name, seconds, 1

    def score(self, pairs):
        self.clock.now += self.seconds / self.batch_size
        self.clock.calls.append(self.name)
        self.clock.n_pairs.append(len(pairs))


def test_rankers_take_turns_and_the_first_changes():
    clock = Clock()
    rankers = {"a": SteadyRanker(clock, "a", 2.0), "b": SteadyRanker(clock, "b", 1.0)}
    timings = timing.interleave_queries(rankers, queries=[[("q", "p")]] * 3, clock=clock)
    assert "".join(clock.calls) == "aaa" + "bbb" + "ab" + "ba" + "ab"  # all queries once, untimed; then turns
    assert timings["a"].samples_ms == (2000.0, 2000.0, 2000.0)
    assert timing.ratio(timings["a"], timings["b"]) == timing.Ratio(2.0, 2.0, 2.0)
    assert timings["b"].as_row().p95 == 1000.0


def test_throughput_finds_the_best_batch_size_then_times_by_turns_and_leaves_the_size_set():
    clock = Clock()
    rankers = {"a": SteadyRanker(clock, "a", 2.0), "b": SteadyRanker(clock, "b", 1.0)}
    pairs = [("q", "p")] * 8
    found = timing.throughput(rankers, work=[pairs, pairs[:4], pairs], batch_sizes=(1, 4, 16), clock=clock)
    assert found == {"a": timing.Rate((16.0, 8.0, 16.0), 4), "b": timing.Rate((32.0, 16.0, 32.0), 4)}
    assert found["a"].median == 16.0
    assert rankers["a"].batch_size == rankers["b"].batch_size == 4
    looks, untimed = "a" * 6 + "b" * 6, "aaa" + "bbb"  # two sizes, each three times; then all work, untimed
    assert "".join(clock.calls) == looks + untimed + "ab" + "ba" + "ab"
    ratio = timing.rate_ratio(found["b"].samples, found["a"].samples)
    assert ratio == timing.Ratio(2.0, 2.0, 2.0) and str(ratio) == "2.0 × [2.0, 2.0]"


def test_the_batch_size_is_chosen_by_two_batches_of_the_largest_size_and_timed_on_all_the_work():
    clock = Clock()
    timing.throughput({"a": SteadyRanker(clock, "a", 2.0)}, work=[[("q", "p")] * 20], batch_sizes=(1, 4), clock=clock)
    assert clock.n_pairs == [8] * 6 + [20, 20]  # two sizes, each three times; then an untimed round and a timed one


def test_throughput_of_fewer_pairs_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="2 pairs fill no batch of 8"):
        timing.throughput({}, work=[[("q", "p")] * 2])
    with pytest.raises(ValueError, match="0 pairs fill no batch of 8"):
        timing.throughput({}, work=[])


def test_two_copies_of_one_ranker_have_a_ratio_whose_interval_holds_1_nearly_always():
    held = [timing.ratio(*noisy_timings(seed, slower=1.0)) for seed in range(200)]
    assert 0.9 <= np.mean([ratio.low <= 1 <= ratio.high for ratio in held]) <= 0.99
    slower = [timing.ratio(*noisy_timings(seed, slower=1.3)) for seed in range(200)]
    assert np.mean([ratio.low > 1 for ratio in slower]) > 0.9


def noisy_timings(seed, *, slower):
    """Two rankers by turns on a made clock, whose machine is now and then busy; the first one takes `slower` times."""
    rng, clock = np.random.default_rng(seed), Clock()

    def call(factor):
        clock.now += factor * rng.lognormal(0.0, 0.1) * (3.0 if rng.random() < 0.05 else 1.0)

    calls = {"a": lambda: call(slower), "b": lambda: call(1.0)}
    timings = timing.interleave_calls(calls, repeats=24, clock=clock)
    return timings["a"], timings["b"]


def test_rates_of_other_turns_are_not_divided():
    with pytest.raises(ValueError, match="2 and 1 turns"):
        timing.rate_ratio([1.0, 2.0], [1.0])


class QuickRanker(SteadyRanker):
    """Takes a set number of seconds a pair."""

    def score(self, pairs):
        self.clock.now += self.seconds * len(pairs)
        self.clock.n_pairs.append(len(pairs))


def test_a_fast_ranker_scores_its_work_as_often_as_fills_a_turn_and_keeps_its_rate():
    clock, pairs = Clock(), [("q", "p")] * 8
    found = timing.throughput({"a": QuickRanker(clock, "a", 0.005)}, work=[pairs], batch_sizes=(4,), clock=clock)
    assert found["a"].samples == (pytest.approx(200.0),)
    assert clock.n_pairs == [8] * 3 + [8] * 3 + [8] * 3  # looks; then 3 times 40 ms fill 100, untimed and timed
