"""Where the engine's milliseconds go, by type of operation, as its own profiler tells; no step in Python is here."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.rank import models
from utils.rank.ranker import Batch
from utils.rank.runtimes import SLOW_FUSIONS, read_openvino
from utils.speed.hints import FP32_ELSEWHERE
from utils.speed.steps_of_query import mean_of_middle

BETWEEN = "between operations"
PRODUCTS = "matrix products"
ELEMENTWISE = "number by number, fused or not"
KINDS = {
    PRODUCTS: ("MatMul", "Gemm", "FullyConnected", "InnerProduct", "Attention", "ScaledDotProduct"),
    "softmax": ("Softmax", "SoftMax"),
    "layer norm": ("LayerNorm", "MVN", "ReduceMean"),
    "GELU": ("Gelu", "Erf"),
    "quantize, dequantize": ("Quantize",),
    "look-ups": ("Gather",),
    ELEMENTWISE: ("Subgraph", "Eltwise", "Add", "Mul", "Div", "Sub", "Pow", "Sqrt", "Where"),  # Subgraph is OpenVINO's
    "moves": (
        "Transpose",
        "Reshape",
        "Reorder",
        "Concat",
        "Split",
        "Slice",
        "Expand",
        "Squeeze",
        "Broadcast",
        "Cast",
        "Convert",
    ),
}  # an operation is of the first kind of which a word stands in its name: DynamicQuantizeMatMul multiplies


def operation_times(path: Path, *, batches: Sequence[Batch], threads: int = 1, repeats: int = 10) -> dict[str, float]:
    """Milliseconds in each type of operation for all the batches together, the longest first.

    What the engine spends beside them, such as deciding which comes next, is "between operations"; all add up to the
    time of its calls. After an untimed pass over the batches, the mean of the middle half of the passes is taken; of
    OpenVINO, which keeps no single ones, that of all passes. Profiling itself costs some microseconds an operation, so
    hold the sum against a time without it.

    Args:
        path: a graph for ONNX Runtime (.onnx) or OpenVINO (.xml, its .bin beside it).
        batches: int64 arrays (n_pairs, n_tokens) by input, such as those of `steps_of_query.batches_of`.

    Raises:
        ValueError: no batches or no repeats, another ending, or a file that cannot be read.
    """
    if not batches or repeats < 1:
        raise ValueError(f"operation_times: {len(batches)} batches, {repeats} repeats; give at least one of each")
    if path.suffix not in PROFILERS:
        raise ValueError(f"{path}: is neither .onnx nor .xml; give a graph for ONNX Runtime or OpenVINO")
    passes = PROFILERS[path.suffix](path, batches=batches, threads=threads, repeats=repeats)
    return _longest_first(mean_of_middle(passes))


def by_kind(times: Mapping[str, float]) -> dict[str, float]:
    """Times of operation types put together by what they are for, the longest first; the sum stays."""
    found: defaultdict[str, float] = defaultdict(float)
    for operation, ms in times.items():
        kinds = (kind for kind, words in KINDS.items() if any(word in operation for word in words))
        found[BETWEEN if operation == BETWEEN else next(kinds, "others")] += ms
    return _longest_first(found)


def _longest_first(times: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(times.items(), key=lambda item: -item[1]))


def _onnx_passes(path: Path, *, batches: Sequence[Batch], threads: int, repeats: int) -> list[dict[str, float]]:
    """Milliseconds by operation type of every timed pass, out of the trace that ONNX Runtime writes."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "trace")
        with models.readable(path):
            providers, off = ["CPUExecutionProvider"], list(SLOW_FUSIONS)
            session = onnxruntime.InferenceSession(str(path), options, providers, disabled_optimizers=off)
        names = [node.name for node in session.get_inputs()]
        for batch in list(batches) * (1 + repeats):
            session.run(None, {name: batch[name] for name in names})
        events = json.loads(Path(session.end_profiling()).read_text())
    return _passes_of_trace(events, n_batches=len(batches))


def _passes_of_trace(events: Sequence[Mapping], *, n_batches: int) -> list[dict[str, float]]:
    """Milliseconds by operation type of each pass but the first; an event of a run lies within the run's time."""
    runs = sorted((event for event in events if event["name"] == "model_run"), key=lambda event: event["ts"])
    kernels = [event for event in events if event["name"].endswith("_kernel_time")]
    starts = [run["ts"] for run in runs]
    passes: list[Counter] = [Counter() for _ in range(len(runs) // n_batches)]
    for number, run in enumerate(runs):
        passes[number // n_batches][BETWEEN] += run["dur"] / 1000
    for kernel in kernels:
        of_pass = passes[(int(np.searchsorted(starts, kernel["ts"], side="right")) - 1) // n_batches]
        of_pass[kernel["args"]["op_name"]] += kernel["dur"] / 1000
        of_pass[BETWEEN] -= kernel["dur"] / 1000
    return [dict(one) for one in passes[1:]]


def _openvino_passes(path: Path, *, batches: Sequence[Batch], threads: int, repeats: int) -> list[dict[str, float]]:
    """Milliseconds by layer type of the mean timed pass, the only one: OpenVINO's counters are means since it began."""
    import openvino

    asked = {**FP32_ELSEWHERE, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERF_COUNT": True}
    compiled = openvino.Core().compile_model(read_openvino(path), "CPU", asked)
    request, names = compiled.create_infer_request(), [port.get_any_name() for port in compiled.inputs]
    untimed, whole = Counter(), 0.0
    for number in range(1 + repeats):
        start = time.perf_counter()
        for batch in batches:
            request.infer([batch[name] for name in names])
        if number == 0:
            untimed = _spent(request, n_calls=len(batches))
        else:
            whole += 1000 * (time.perf_counter() - start)
    spent = _spent(request, n_calls=len(batches) * (1 + repeats))
    spent.subtract(untimed)
    times = {layer: ms / repeats for layer, ms in spent.items() if ms > 0}
    return [times | {BETWEEN: whole / repeats - sum(times.values())}]


def _spent(request, *, n_calls: int) -> Counter[str]:
    """Milliseconds by layer type of all calls of a request so far, of which there were so many."""
    spent: Counter[str] = Counter()
    for layer in request.get_profiling_info():
        spent[layer.node_type] += 1000 * n_calls * layer.real_time.total_seconds()
    return spent


PROFILERS = {".onnx": _onnx_passes, ".xml": _openvino_passes}
