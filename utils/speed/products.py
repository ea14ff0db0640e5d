"""How fast this machine multiplies whole numbers of 8 bits, as a square product and in a model's own shapes.

A product is timed in ONNX Runtime and in OpenVINO by turns, and the better one counts, so that no ranker of ours runs
above the roof. fp32 and memory are in `measure.machine`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from utils.measure import timing
from utils.speed.hints import FP32_ELSEWHERE

Shape = tuple[int, int, int]  # of a product: rows, d_in, d_out
SQUARE: Shape = (1024, 1024, 1024)
LEAST_MS = 2.0  # of a timed call, which multiplies as often as fills them
REPEATS = 10


def peak_gops(*, threads: int, shape: Shape = SQUARE) -> float:
    """G operations a second of uint8 inputs times int8 weights of that shape, a MAC counting two: the best of repeats.

    Waiting threads do not spin, as in our rankers.
    """
    calls = {
        "onnxruntime": _onnx_product(shape, threads=threads),
        "openvino": _openvino_product(shape, threads=threads),
    }
    times = {name: _times_to_fill(call) for name, call in calls.items()}
    often = {name: _often(call, times=times[name]) for name, call in calls.items()}
    timed = timing.interleave_calls(often, repeats=REPEATS)
    best_ms = min(min(timed[name].samples_ms) / times[name] for name in calls)
    return 2 * math.prod(shape) / best_ms / 1e6


def gops_of_shapes(shapes: Mapping[Shape, int], *, threads: int, peak: Callable[..., float] = peak_gops) -> float:
    """G operations a second of products of these shapes, each as often as it is given, one after the other.

    Args:
        shapes: how often each occurs, such as `shapes_of_batches` counts them.
        peak: measures one shape.

    Raises:
        ValueError: no shapes.
    """
    if not shapes:
        raise ValueError("gops_of_shapes: no shapes; count those of some batches with bound.shapes_of_batches")
    work = {shape: 2 * math.prod(shape) * n for shape, n in shapes.items()}
    seconds = sum(work[shape] / peak(threads=threads, shape=shape) for shape in shapes)
    return sum(work.values()) / seconds


def _times_to_fill(call: Callable[[], object]) -> int:
    """How often a product is to be computed in one timed call; the first look warms it up."""
    ms = min(timing.interleave_calls({"it": call}, repeats=3)["it"].samples_ms)
    return max(1, math.ceil(LEAST_MS / max(ms, 1e-3)))


def _often(call: Callable[[], object], *, times: int) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(times):
            call()

    return repeat


def _numbers(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows, d_in) uint8 and weights (d_in, d_out) int8, of seven bits: also right without VNNI."""
    rng, (rows, d_in, d_out) = np.random.default_rng(0), shape
    return rng.integers(0, 128, (rows, d_in), np.uint8), rng.integers(-64, 64, (d_in, d_out), np.int8)


def _onnx_product(shape: Shape, *, threads: int) -> Callable[[], object]:
    """A product of whole numbers to int32, as in a quantized Linear of ONNX Runtime."""
    import onnxruntime
    from onnx import TensorProto, helper

    a, b = _numbers(shape)
    inputs = [helper.make_tensor_value_info("a", TensorProto.UINT8, a.shape)]
    outputs = [helper.make_tensor_value_info("c", TensorProto.INT32, (len(a), b.shape[1]))]
    weights = [helper.make_tensor("b", TensorProto.INT8, b.shape, b.tobytes(), raw=True)]
    node = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "product", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a})


def _openvino_product(shape: Shape, *, threads: int) -> Callable[[], object]:
    """A product of whole numbers, scaled to fp32, as in OpenVINO's graphs of 8 bits."""
    import openvino

    request = compile_product(shape, threads=threads).create_infer_request()
    request.set_input_tensor(openvino.Tensor(_numbers(shape)[0]))
    return request.infer


def compile_product(shape: Shape, *, threads: int):
    """A product of uint8 inputs and constant int8 weights, compiled by OpenVINO, which multiplies whole numbers.

    Its own graphs of 8 bits look like this: the inputs are said to lie on a grid of 256 steps, the weights are scaled.
    """
    import openvino
    from openvino import opset13 as ops

    inputs, weights = ops.parameter(shape[:2], np.uint8), np.ascontiguousarray(_numbers(shape)[1].T)
    low, high, top = (ops.constant(np.float32(value)) for value in (0.0, 255.0, 2.55))
    rounded = ops.fake_quantize(ops.convert(inputs, "f32"), low, high, low, top, 256)
    scales = ops.constant(np.full((shape[2], 1), 0.01, dtype=np.float32))
    scaled = ops.multiply(ops.convert(ops.constant(weights), "f32"), scales)
    model = openvino.Model([ops.matmul(rounded, scaled, False, True)], [inputs])
    asked = {**FP32_ELSEWHERE, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    return openvino.Core().compile_model(model, "CPU", asked)
