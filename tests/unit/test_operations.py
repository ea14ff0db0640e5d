"""Times by operation add up to the engine's own time of a pass, and each operation goes to one kind."""

import numpy as np
import pytest

from utils.speed import operations

BATCH = {name: np.ones((2, 8), dtype=np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}


def test_a_trace_gives_each_pass_its_kernels_and_what_lies_between_them_but_for_the_first_pass():
    def run(ts, dur):
        return {"name": "model_run", "ts": ts, "dur": dur, "args": {}}

    def kernel(ts, dur, op):
        return {"name": f"node{ts}_kernel_time", "ts": ts, "dur": dur, "args": {"op_name": op}}

    untimed = [run(0, 9000), kernel(10, 8000, "MatMul"), run(10000, 9000)]
    first = [kernel(20010, 1000, "MatMul"), kernel(21010, 500, "Softmax"), run(20000, 2000)]
    second = [run(30000, 1000), kernel(30010, 250, "MatMul"), {"name": "model_loading", "ts": 1, "dur": 5}]
    (found,) = operations._passes_of_trace(untimed + first + second, n_batches=2)
    assert found == pytest.approx({"MatMul": 1.25, "Softmax": 0.5, operations.BETWEEN: 1.25})


@pytest.mark.parametrize("file", ["onnx/model.onnx", "openvino/openvino_model.xml"])
def test_times_of_a_real_graph_name_its_products_first_and_none_is_negative(small_folder, file):
    large = {name: np.ones((32, 64), dtype=np.int64) for name in BATCH}
    times = operations.operation_times(small_folder / file, batches=[large], repeats=4)
    kinds = operations.by_kind(times)
    assert next(iter(kinds)) == operations.PRODUCTS and min(times.values()) > 0
    assert sum(kinds.values()) == pytest.approx(sum(times.values()))
    assert {"look-ups", operations.BETWEEN} <= set(kinds)


def test_an_operation_is_put_where_its_name_says_and_quantized_products_are_products():
    times = {"DynamicQuantizeMatMul": 4.0, "DynamicQuantizeLinear": 2.0, "MatMulIntegerToFloat": 1.0, "Xyz": 0.5}
    assert operations.by_kind(times) == {"matrix products": 5.0, "quantize, dequantize": 2.0, "others": 0.5}


def test_more_batches_take_longer_in_the_same_operations(small_folder):
    path = small_folder / "onnx" / "model.onnx"
    one, many = (set(operations.operation_times(path, batches=[BATCH] * n, repeats=2)) for n in (1, 3))
    assert one == many


def test_no_batches_and_other_files_are_refused(small_folder, tmp_path):
    with pytest.raises(ValueError, match="0 batches"):
        operations.operation_times(small_folder / "onnx" / "model.onnx", batches=[])
    with pytest.raises(ValueError, match="neither .onnx nor .xml"):
        operations.operation_times(tmp_path / "model.pt", batches=[BATCH])
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ValueError, match="damaged or no model"):
        operations.operation_times(tmp_path / "model.onnx", batches=[BATCH])
