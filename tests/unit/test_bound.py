"""The work of an exported graph by hand is what a counter finds, and the gap adds up to what was measured."""

import numpy as np
import pytest
from transformers import BertConfig

from utils.measure import cost
from utils.rank import models, runtimes
from utils.rank.runtimes import in_onnxruntime, in_openvino
from utils.speed import bound
from utils.speed.steps_of_query import Split

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_labels": 1, "vocab_size": 30522}
ONE, TWO = (BertConfig(num_hidden_layers=n, **SMALL) for n in (1, 2))
PRUNED = BertConfig(num_hidden_layers=2, pruned_heads={0: [1], 1: [0, 2]}, **SMALL)


@pytest.mark.parametrize("config", [ONE, TWO, PRUNED])
@pytest.mark.parametrize("n_tokens", [1, 9, 30])
def test_macs_by_hand_are_those_that_a_counter_finds_in_the_exported_graph(config, n_tokens):
    model = models.build_untrained(config, seed=0)
    counted = cost.macs_per_pair(model, n_tokens=n_tokens, exported=True)
    assert bound.exported_macs(config, n_tokens=n_tokens) == counted


def test_the_last_layer_has_rows_of_first_tokens_but_for_keys_and_values():
    shapes = bound.linear_shapes(ONE, n_pairs=2, n_tokens=5)
    assert shapes[:6] == [(2, 32, 32), (10, 32, 32), (10, 32, 32), (2, 32, 32), (2, 32, 48), (2, 48, 32)]
    assert shapes[6:] == [(2, 32, 32), (2, 32, 1)]


def test_shapes_of_batches_are_counted_each_as_often_as_it_occurs():
    batches = [{"input_ids": np.ones((2, 5))}, {"input_ids": np.ones((2, 7))}]
    counts = bound.shapes_of_batches(ONE, batches=batches)
    assert counts[(10, 32, 32)] == counts[(14, 32, 32)] == 2 and counts[(2, 32, 1)] == 2
    assert sum(counts.values()) == 2 * len(bound.linear_shapes(ONE, n_pairs=2, n_tokens=5))


def test_the_bound_is_the_peak_over_two_operations_a_mac():
    macs = bound.exported_macs(TWO, n_tokens=10)
    assert bound.allowed_pairs_per_s(TWO, n_tokens=10, gops=2 * macs / 1e9) == pytest.approx(1.0)
    assert bound.allowed_pairs_per_s(TWO, n_tokens=20, gops=1.0) < bound.allowed_pairs_per_s(TWO, n_tokens=10, gops=1.0)


MASKED = {"input_ids": np.ones((2, 6)), "attention_mask": np.array([[1] * 6, [1, 1, 0, 0, 0, 0]])}
STEPS = {"tokenize": 2.0, "join and pad": 1.0, "cast": 0.5, "engine": 6.0, "the rest": 0.5}
SPENT = {"MatMul": 2.0, "Softmax": 0.5, "between operations": 0.5}


def gap(**changed):
    given = {"batches": [MASKED], "gops": 4.0, "shapes_gops": 2.0, "operation_ms": SPENT, "n_candidates": 10}
    return bound.gap_table(TWO, split=Split(STEPS, bare_ms=10.0), **(given | changed))


def test_the_gap_adds_up_to_the_measured_whole():
    assert sum(gap().values()) == pytest.approx(1000.0)  # 10 ms for 10 pairs, in microseconds of one


def test_each_part_of_the_gap_is_worked_out_by_hand():
    found = gap()
    real = bound.exported_macs(TWO, n_tokens=6) + bound.exported_macs(
        TWO, n_tokens=2
    )  # of two pairs: 2 operations a MAC
    padded = 2 * bound.exported_macs(TWO, n_tokens=6)
    assert found["at the measured peak"] == pytest.approx(real / 4.0 / 1000)
    assert found["products smaller than the peak's"] == pytest.approx(real / 2.0 / 1000 - real / 4.0 / 1000)
    assert found["fillers"] == pytest.approx((padded - real) / 2.0 / 1000)
    assert found["products in the graph, beyond alone"] == pytest.approx(400 - padded / 2.0 / 1000)
    assert found["softmax"] == pytest.approx(100) and found["tokenize"] == pytest.approx(200)


def test_pairs_without_fillers_have_none_in_the_gap_and_no_batches_are_refused():
    full = {"input_ids": np.ones((2, 6)), "attention_mask": np.ones((2, 6))}
    assert gap(batches=[full])["fillers"] == 0
    with pytest.raises(ValueError, match="no batches"):
        gap(batches=[])


def test_an_untrained_model_is_whole_in_both_engines_in_int8_and_keeps_no_fp32_weights(tmp_path):
    folder = bound.untrained_int8(tmp_path / "untrained", config=TWO, seed=0)
    assert in_onnxruntime.stored_precision(folder) == in_openvino.stored_precision(folder) == "int8"
    assert not (folder / "model.safetensors").exists()
    pairs = [("red sofa", "a couch"), ("lamp", "a lamp of brass")]
    for runtime in ("onnxruntime", "openvino"):
        ranker = runtimes.open_ranker(folder, runtime=runtime, threads=1, max_tokens=32)
        assert np.ptp(ranker.score(pairs)) > 0


def test_bert_base_has_its_shape(monkeypatch, tmp_path):
    monkeypatch.setattr(bound, "untrained_int8", lambda folder, *, config, seed: (folder, config, seed))
    folder, config, seed = bound.bert_base_int8(tmp_path, seed=3)
    assert (config.num_hidden_layers, config.hidden_size, config.intermediate_size, seed) == (12, 768, 3072, 3)
    assert 80e6 < bound.exported_macs(config, n_tokens=1) < 90e6  # that of its 85 million encoder weights
