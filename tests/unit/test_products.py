"""A rate is work over time: every shape counts by the time it takes, and the better engine is the roof."""

import numpy as np
import pytest

from utils.shrink.quantize import int8_openvino
from utils.speed import products


def test_rates_of_shapes_are_joined_by_their_times_and_not_averaged():
    gops = {(1, 1, 1): 2.0, (1, 1, 3): 1.0}
    found = products.gops_of_shapes({(1, 1, 1): 2, (1, 1, 3): 1}, threads=1, peak=lambda threads, shape: gops[shape])
    assert found == pytest.approx((4 + 6) / (4 / 2 + 6 / 1))


def test_the_better_engine_is_the_peak_and_each_repeats_until_its_time_can_be_read(monkeypatch):
    calls = {"onnxruntime": [], "openvino": []}
    monkeypatch.setattr(products, "_onnx_product", lambda shape, threads: lambda: calls["onnxruntime"].append(threads))
    monkeypatch.setattr(products, "_openvino_product", lambda shape, threads: lambda: calls["openvino"].append(threads))
    seconds_a_call = {"onnxruntime": 4e-3, "openvino": 1e-3}

    def timed(given, *, repeats):
        found = {}
        for name, call in given.items():
            lists = {engine: len(made) for engine, made in calls.items()}
            call()
            spent = sum(1000 * seconds_a_call[e] * (len(calls[e]) - n) for e, n in lists.items())
            found[name] = products.timing.Timing((spent, 2 * spent))
        return found

    monkeypatch.setattr(products.timing, "interleave_calls", timed)
    assert products.peak_gops(threads=2, shape=(10, 100, 1000)) == pytest.approx(2 * 1e6 / 1e-3 / 1e9)
    assert set(calls["openvino"]) == {2} and len(calls["openvino"]) == 1 + 2  # one look, then 2 times 1 ms


def test_both_engines_multiply_whole_numbers_and_give_the_same_product():
    shape = (3, 8, 4)
    a, b = products._numbers(shape)
    exact = a.astype(np.int32) @ b.astype(np.int32)
    (in_onnx,) = products._onnx_product(shape, threads=1)()
    assert np.array_equal(in_onnx, exact)
    compiled = products.compile_product(shape, threads=1)
    assert compiled([a])[0] == pytest.approx(exact * 0.01 * 0.01, rel=1e-4, abs=1e-5)


def test_a_large_product_is_computed_in_whole_numbers_by_openvino():
    assert set(int8_openvino.multiplied_in(products.compile_product((64, 64, 64), threads=1))) <= {"u8", "i8"}


def test_a_peak_is_a_positive_rate_of_the_shape_asked_for():
    assert 0 < products.peak_gops(threads=1, shape=(64, 64, 64)) < 1e6


def test_no_shapes_have_no_rate():
    with pytest.raises(ValueError, match="no shapes"):
        products.gops_of_shapes({}, threads=1)
