"""ONNX graphs that multiply whole numbers of 8 bits, by ONNX Runtime's quantization tools.

Each function reads an fp32 graph as `runtimes.export_onnx` wrote it and writes another, whole or not at all. Give it
that graph, not one that ONNX Runtime has optimized: its fused operators hide the types from the tools (they ask for
`DefaultTensorType`, see `untyped_is_float`), and MatMuls that were fused away cannot be quantized. Weights alone are
in `onnx_weights`.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import onnx
from onnxruntime import quantization as ort
from onnxruntime.quantization.shape_inference import quant_pre_process

from utils import disk
from utils.rank.ranker import Batch

METHODS = {
    "min-max": ort.CalibrationMethod.MinMax,
    "entropy": ort.CalibrationMethod.Entropy,
    "percentile": ort.CalibrationMethod.Percentile,
}
MULTIPLIED, LOOKED_UP = ("MatMul", "Gemm"), ("Gather",)


def dynamic(
    source: Path,
    target: Path,
    *,
    per_channel: bool = True,
    reduce_range: bool = False,
    operators: Sequence[str] = (*MULTIPLIED, *LOOKED_UP),
    untyped_is_float: bool = False,
) -> Path:
    """Weights become int8 now; the range of each activation is found anew in every batch, of the whole batch.

    So a score depends on what else is in its batch, padding included: compare scores of identical batches only.

    Args:
        reduce_range: 7 bits for the weights, for processors without VNNI, whose 16-bit sums saturate.
        operators: what is quantized; `Gather` holds the embedding tables.
        untyped_is_float: take every tensor whose type the tool cannot tell for fp32, as in a graph that was optimized.
    """
    with _prepared(source, beside=target) as graph, disk.whole_file(target) as new, _quiet():
        ort.quantize_dynamic(
            graph,
            new,
            op_types_to_quantize=list(operators),
            per_channel=per_channel,
            reduce_range=reduce_range,
            weight_type=ort.QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT} if untyped_is_float else {},
        )
    return target


def static(
    source: Path,
    target: Path,
    *,
    batches: Sequence[Batch],
    method: str = "min-max",
    operators: Sequence[str] | None = (*MULTIPLIED, *LOOKED_UP),
    keep: Sequence[str] = (),
) -> Path:
    """Weights int8 per channel; activations get one range for good, measured on calibration batches (QDQ format).

    Args:
        batches: from `calibration.batches`.
        method: min-max, entropy (least Kullback-Leibler divergence) or percentile (99.999).
        operators: what is quantized; None is the library's own list, which holds Add too. The sum of attention scores
            and mask is such an Add: where a batch has padding, it reaches down to the mask's value (-1e4 in our graphs,
            -3.4e38 in most), and nearly all of the range is lost on that.
        keep: names of nodes that stay fp32.

    Raises:
        ValueError: an unknown method, or no batches.
    """
    if method not in METHODS or not batches:
        raise ValueError(f"static: method '{method}' is not one of {', '.join(METHODS)}, or there are no batches")
    with _prepared(source, beside=target) as graph, disk.whole_file(target) as new, _quiet():
        ort.quantize_static(
            graph,
            new,
            _Reader(batches),
            op_types_to_quantize=list(operators) if operators else None,
            nodes_to_exclude=list(keep),
            per_channel=True,
            activation_type=ort.QuantType.QUInt8,
            weight_type=ort.QuantType.QInt8,
            calibrate_method=METHODS[method],
            extra_options={
                "CalibStridedMinMax": 1,  # one batch at a time, for they differ in length
                "OpTypesToExcludeOutputQuantization": [*MULTIPLIED, *LOOKED_UP],  # what reads them computes in fp32
            },
        )
    return target


def steps(path: Path) -> dict[str, float]:
    """One step of the grid of every tensor that a static graph rounds, by the tensor's name: its range over 255.

    Weights are not among them, for they are stored rounded.
    """
    graph = onnx.load(path).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    rounding = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    return {node.input[0]: float(values[node.input[1]]) for node in rounding}


class _Reader(ort.CalibrationDataReader):
    """Hands the batches out, all or those of a range, as the tools ask for them."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches, self.left = batches, iter(batches)

    def get_next(self) -> Batch | None:
        return next(self.left, None)

    def __len__(self) -> int:
        return len(self.batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        self.left = iter(self.batches[start_index:end_index])


@contextmanager
def _prepared(source: Path, *, beside: Path) -> Iterator[Path]:
    """The graph with its shapes inferred and nothing fused, in a file of its own for as long as the block lasts."""
    with disk.scratch(Path(beside).with_name("prepared")) as folder, _quiet():
        quant_pre_process(source, folder / "model.onnx", skip_symbolic_shape=True, skip_optimization=True)
        yield folder / "model.onnx"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the tools print, and remarks that advise what is done here already.

    Remarks to the root logger give it a handler, through which every other library would then be heard.
    """
    level, handlers = logging.root.manager.disable, list(logging.root.handlers)
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
        logging.root.handlers[:] = handlers
