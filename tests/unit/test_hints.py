"""With either hint scores are those of one blocking call, whatever is in flight; rates count the pairs of a turn."""

import numpy as np
import pytest

from utils.rank import runtimes
from utils.speed import hints

PAIRS = [("red sofa", "a couch " + "very " * n + "soft") for n in range(20)]
LIMITS = {"threads": 2, "max_tokens": 64, "batch_size": 4}


@pytest.mark.parametrize("hint", hints.HINTS)
def test_scores_are_those_of_the_plain_engine_in_the_order_given(small_folder, hint):
    ranker = hints.open_hinted(small_folder, hint=hint, **LIMITS)
    exact = runtimes.open_ranker(small_folder, runtime="openvino", **LIMITS)
    assert ranker.score(PAIRS[::-1]) == pytest.approx(exact.score(PAIRS)[::-1], abs=1e-5)
    assert ranker.score([]).shape == (0,) and np.ptp(ranker.score(PAIRS)) > 0


def test_queries_in_flight_together_get_each_its_own_scores(small_folder):
    ranker = hints.open_hinted(small_folder, hint="THROUGHPUT", **LIMITS)
    queries = [PAIRS[:7], PAIRS[7:9], [], PAIRS[9:]]
    found = ranker.score_queries(queries)
    assert [len(scores) for scores in found] == [7, 2, 0, 11]
    assert np.concatenate(found) == pytest.approx(ranker.score(PAIRS), abs=1e-5)


def test_throughput_divides_the_threads_and_latency_does_not_and_neither_binds_them(small_folder):
    opened = {hint: hints.open_hinted(small_folder, hint=hint, **LIMITS) for hint in hints.HINTS}
    assert opened["LATENCY"].n_streams == 1 <= opened["THROUGHPUT"].n_streams
    assert opened["THROUGHPUT"].n_requests >= opened["THROUGHPUT"].n_streams
    for ranker in opened.values():
        compiled = ranker.queue[0].get_compiled_model()
        assert not compiled.get_property("ENABLE_CPU_PINNING")
        assert compiled.get_property("INFERENCE_NUM_THREADS") == 2
        assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


def test_a_score_that_is_no_number_is_refused_and_nothing_stays_in_flight(small_folder, monkeypatch):
    ranker = hints.open_hinted(small_folder, hint="LATENCY", **LIMITS)
    ranker.queue.set_callback(lambda request, place: None)  # nobody writes the scores down
    with pytest.raises(ValueError, match="query 1 is not a finite number"):
        ranker.score_queries([[], PAIRS])
    assert ranker.queue.is_ready()


class Turn:
    """Takes 10 ms a query on a clock of its own."""

    batch_size = 8

    def __init__(self, clock):
        self.clock = clock

    def score_queries(self, queries):
        self.clock.now += 0.01 * len(queries)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_pairs_a_second_are_all_pairs_of_a_turn_over_its_time():
    clock = Clock()
    work = [[PAIRS[:5], PAIRS[:15]], [PAIRS[:10]]]
    found = hints.pairs_per_s({"it": Turn(clock)}, work=work, clock=clock)
    assert found["it"].samples == pytest.approx((1000.0, 1000.0)) and found["it"].batch_size == 8
    with pytest.raises(ValueError, match="no work"):
        hints.pairs_per_s({"it": Turn(clock)}, work=[])


def test_other_hints_and_folders_without_a_graph_are_refused(small_folder, tmp_path):
    with pytest.raises(ValueError, match="'FAST' is not one of LATENCY, THROUGHPUT"):
        hints.open_hinted(small_folder, hint="FAST", **LIMITS)
    with pytest.raises(FileNotFoundError, match="export_openvino"):
        hints.open_hinted(tmp_path, hint="LATENCY", **LIMITS)
