"""The ledger refuses what is incomplete, counting agrees with arithmetic, turns are taken fairly."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import BertConfig

from utils.measure import cost, latency, ledger, machine, memory
from utils.rank import models

TEXT = dict.fromkeys(
    [
        "stage",
        "label",
        "notebook",
        "model_hash",
        "runtime",
        "precision",
        "device",
        "dataset",
        "dataset_hash",
        "profile",
        "git_revision",
        "time_utc",
        "split",
        "instance",
    ],
    "x",
)
COUNTS = dict.fromkeys(
    [
        "seed",
        "n_params",
        "n_params_nonzero",
        "n_params_embedding",
        "n_params_encoder",
        "disk_bytes",
        "peak_rss_bytes",
        "macs_per_pair",
        "threads",
        "n_candidates",
        "batch_size",
        "n_queries",
    ],
    1,
)
NUMBERS = dict.fromkeys(
    ["pairs_per_s", "ndcg10", "mrr10", "ndcg10_end_to_end", "recall", "usd_per_million_queries"], 0.5
)
NESTED = {
    "latency_ms": {"p50": 1.0, "p95": 2.0, "p99": 3.0, "n": 4},
    "ndcg10_delta": {"mean": 0.0, "low": -0.1, "high": 0.1},
    "machine": {"cores": 2},
    "versions": {"torch": "2"},
}
GOOD = {"parent": None, "why_null": {}} | TEXT | COUNTS | NUMBERS | NESTED


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(label=st.text(), ndcg=st.floats(0, 1), n=st.integers(0, 10**12))
def test_row_is_read_as_it_was_written(tmp_path, label, ndcg, n):
    row = ledger.Row(**GOOD | {"label": label, "ndcg10": ndcg, "disk_bytes": n})
    path = tmp_path / "ledger.jsonl"
    ledger.append(path, row)
    assert ledger.read(path)[-1] == row


@pytest.mark.parametrize("field", sorted(set(GOOD)))
def test_row_with_a_forgotten_field_is_refused(field):
    with pytest.raises(ValidationError, match=field):
        ledger.Row(**{name: value for name, value in GOOD.items() if name != field})


@pytest.mark.parametrize(
    "change",
    [{"ndcg10": float("nan")}, {"ndcg10": None}, {"why_null": {"ndcg10": "none"}}, {"ndgc10": 1.0}],
    ids=["NaN", "null without a reason", "reason without a null", "misspelled field"],
)
def test_dishonest_row_is_refused(change):
    with pytest.raises(ValidationError):
        ledger.Row(**GOOD | change)


def test_half_written_line_is_never_a_row_and_spoils_no_other(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger.append(path, ledger.Row(**GOOD))
    path.write_text(path.read_text() + json.dumps(GOOD)[:50])
    assert len(ledger.read(path)) == 1
    ledger.append(path, ledger.Row(**GOOD | {"stage": "second"}))
    with pytest.warns(UserWarning, match="cut short"):
        assert [row.stage for row in ledger.read(path)] == ["x", "second"]


def test_whole_line_that_is_no_row_is_an_error_with_its_place(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"stage": "x"}\n')
    with pytest.raises(ValueError, match="ledger.jsonl line 1"):
        ledger.read(path)


def test_latest_keeps_the_last_row_of_each_way_of_running():
    rows = [ledger.Row(**GOOD | {"ndcg10": q, "runtime": r}) for q, r in ((0.1, "a"), (0.2, "b"), (0.3, "a"))]
    assert [row.ndcg10 for row in ledger.latest(rows)] == [0.3, 0.2]


def tiny_bert():
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=1
    )
    return models.build_untrained(config, seed=0)


def test_macs_by_hand_agree_with_the_counter():
    model = tiny_bert()
    assert cost.macs_per_pair(model, n_tokens=7) == sum(cost.macs_by_hand(model.config, n_tokens=7).values())


def test_counts_split_the_parameters():
    counts = cost.count_parameters(tiny_bert())
    assert counts.n_params == sum(p.numel() for p in tiny_bert().parameters())
    assert counts.n_params_embedding > 50 * 16 and counts.n_params_encoder > 2 * (4 * 16 * 16 + 2 * 16 * 32)
    assert counts.n_params_nonzero < counts.n_params


def test_dollars_follow_the_formula():
    assert cost.usd_per_million_queries(3.6, queries_per_s=10, utilisation=0.5) == pytest.approx(200.0)
    assert cost.instance_queries_per_s(1000, n_candidates=100, threads=1, vcpus=4) == pytest.approx(40.0)
    with pytest.raises(ValueError):
        cost.usd_per_million_queries(1, queries_per_s=0)


def test_unknown_instance_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="m7g.large"):
        cost.price("nowhere.large")


def test_factors_multiply_and_a_negative_one_is_refused_by_name():
    assert cost.scaled(100.0, f_prune=0.5, f_quant=0.25) == pytest.approx(12.5)
    with pytest.raises(ValueError, match="f_prune"):
        cost.scaled(1.0, f_prune=-1)


class FakeRanker:
    """Takes a set number of seconds a call on a clock that only it moves."""

    def __init__(self, clock, name, seconds):
        self.clock, self.name, self.seconds, self.batch_size = clock, name, seconds, 1

    def score(self, pairs):
        self.clock.now += self.seconds / self.batch_size
        self.clock.calls.append(self.name)


class Clock:
    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now


def test_rankers_take_turns_and_the_first_changes():
    clock = Clock()
    rankers = {"a": FakeRanker(clock, "a", 2.0), "b": FakeRanker(clock, "b", 1.0)}
    timings = latency.by_turns(rankers, queries=[[("q", "p")]] * 3, clock=clock)
    assert "".join(clock.calls) == "ab" + "ab" + "ba" + "ab"
    assert timings["a"].samples_ms == (2000.0, 2000.0, 2000.0)
    assert latency.ratio(timings["a"], timings["b"]) == latency.Ratio(2.0, 2.0, 2.0)
    assert timings["b"].as_row().p95 == 1000.0


def test_throughput_finds_the_best_batch_size_by_turns_and_leaves_it_set():
    clock = Clock()
    rankers = {"a": FakeRanker(clock, "a", 2.0), "b": FakeRanker(clock, "b", 1.0)}
    pairs = [("q", "p")] * 8
    found = latency.throughput(rankers, pairs=pairs, batch_sizes=(1, 4, 16), repeats=1, clock=clock)
    assert found == {"a": (16.0, 4), "b": (32.0, 4)}
    assert rankers["a"].batch_size == rankers["b"].batch_size == 4
    assert "".join(clock.calls) == "ab" + "ab" + "ab"  # once to warm up, then for each size that the pairs can fill


def test_throughput_of_fewer_pairs_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="2 pairs fill no batch of 8"):
        latency.throughput({}, pairs=[("q", "p")] * 2)


def test_roofline_is_a_slope_and_then_flat():
    assert machine.roofline_gflops(2.0, peak_gflops=100, gb_per_s=10) == 20
    assert machine.roofline_gflops(50.0, peak_gflops=100, gb_per_s=10) == 100


def test_description_names_the_machine_and_nobody():
    description = machine.describe()
    assert description["cores"] >= 1 and description["memory_bytes"] > 1e9
    json.dumps(description)
    assert not {"user", "host", "node"} & set(description)


def test_memory_of_scoring_holds_at_least_the_weights(small_folder):
    weights = (small_folder / "model.safetensors").stat().st_size
    pairs = [("red sofa", "a couch")] * 4
    found = memory.peak_rss_bytes(small_folder, runtime="onnxruntime", pairs=pairs, threads=1, max_tokens=64)
    assert 0.5 * weights < found < 20 * weights


def test_memory_of_a_folder_that_does_not_open_is_an_error_in_its_words(tmp_path):
    with pytest.raises(RuntimeError, match="is missing"):
        memory.peak_rss_bytes(tmp_path, runtime="pytorch", pairs=[], threads=1, max_tokens=64)
