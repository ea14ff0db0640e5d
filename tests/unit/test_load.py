"""Queries in flight: as many as asked are under way at a time, and each is scored once."""

import threading

import numpy as np
import pytest

from utils.measure import load

QUERIES = [[(f"query {number}", "product")] for number in range(6)]


class Meeting:
    """A ranker whose timed calls wait until `n` of them are under way together; it notes who scored what."""

    def __init__(self, barrier, seen):
        self.barrier, self.seen, self.warm = barrier, seen, False

    def score(self, pairs):
        if not self.warm:  # the untimed call
            self.warm = True
            return
        self.barrier.wait(timeout=20)
        self.seen.append((id(self), pairs[0][0]))


@pytest.mark.parametrize("n_in_flight", [1, 2, 3])
def test_as_many_queries_are_under_way_as_asked_each_by_a_ranker_of_its_own(n_in_flight):
    barrier, seen = threading.Barrier(n_in_flight), []  # passed only when that many calls wait in it
    group = load.in_flight(lambda: Meeting(barrier, seen), queries=QUERIES, n_in_flight=n_in_flight)
    assert sorted(query for _, query in seen) == [query[0][0] for query in QUERIES]
    assert len({who for who, _ in seen}) == n_in_flight == group["in_flight"]


def test_queries_per_second_are_those_of_the_whole_time(monkeypatch):
    ticks = iter(range(0, 1000, 2))  # each look at the clock is 2 s after the one before

    class Ranker:
        def score(self, pairs):
            return None

    group = load.in_flight(Ranker, queries=QUERIES, n_in_flight=1, clock=lambda: float(next(ticks)))
    assert group["queries_per_s"] == 6 / (2 * 13)  # 12 looks by the worker between the first and the last one
    assert group["latency_ms"] == {"p50": 2000.0, "p95": 2000.0, "p99": 2000.0, "n": 6}


@pytest.mark.parametrize("n_in_flight", [0, 7])
def test_more_workers_than_queries_and_none_are_refused(n_in_flight):
    with pytest.raises(ValueError, match="give each at least one query"):
        load.in_flight(lambda: None, queries=QUERIES, n_in_flight=n_in_flight)


def test_a_failing_ranker_ends_the_measurement_with_its_error():
    class Broken:
        warm = False

        def score(self, pairs):
            if self.warm:
                raise RuntimeError("broken")
            self.warm = True

    with pytest.raises(RuntimeError, match="broken"):
        load.in_flight(Broken, queries=QUERIES, n_in_flight=2)


class OneOfSome:
    """A ranker whose score of a pair is its query's length; each call waits until `n` are under way together."""

    def __init__(self, barrier, opened, *, threads):
        self.barrier, self.opened, self.batch_size, self.threads = barrier, opened, 1, threads
        opened.append(self)

    def score(self, pairs):
        self.barrier.wait(timeout=20)
        return np.array([len(query) for query, _ in pairs], dtype=np.float32)


def test_rankers_side_by_side_score_their_parts_at_the_same_time_in_the_order_given():
    opened, barrier = [], threading.Barrier(2)
    beside = load.SideBySide([OneOfSome(barrier, opened, threads=1) for _ in range(2)])
    pairs = [("q" * n, "p") for n in (3, 1, 4, 1, 5)]
    assert beside.score(pairs).tolist() == [3, 1, 4, 1, 5]
    beside.batch_size = 16
    assert [ranker.batch_size for ranker in opened] == [16, 16] and beside.batch_size == 16


def test_a_whole_machine_is_as_many_queries_under_way_as_cores_each_on_one_thread():
    opened, barrier = [], threading.Barrier(3)

    def way(*, threads):
        return OneOfSome(barrier, opened, threads=threads)

    queries = [[("q", "p")] * 16] * 3
    rates = load.rates_on_all_cores({"a": way}, cores=3, queries=queries, batch_sizes=(4, 8))
    assert [ranker.threads for ranker in opened] == [1, 1, 1]
    assert rates["a"].median > 0 and len(rates["a"].samples) == 1  # three queries are one turn of three cores
