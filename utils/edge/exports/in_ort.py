"""ONNX Runtime's own format: a graph that was optimized ahead, as its small builds for phones read it.

A build for a phone has only the operators that its models need and cannot read .onnx; this file is what it loads.
"""

from __future__ import annotations

from pathlib import Path

from utils import disk
from utils.rank import models
from utils.rank.ranker import BatchedRanker
from utils.rank.runtimes import in_onnxruntime
from utils.rank.runtimes.base import Runtime

GRAPH = Path("ort") / "model.ort"
NARROW_NOTE = Path("ort") / "precision.txt"  # an .ort file cannot be asked for the types of its weights


def open_ort(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> BatchedRanker:
    """A ranker over a model folder's `ort/model.ort`."""
    path = Path(folder) / GRAPH
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: {GRAPH.as_posix()} is missing; make it with exports.make(..., to='ort')")
    forward = in_onnxruntime.onnx_forward(path, threads=threads)
    _, tokenizer = models.described(folder)
    return BatchedRanker(tokenizer, forward, "ort", max_tokens=max_tokens, batch_size=batch_size)


def export_ort(folder: Path) -> Path:
    """Write `ort/model.ort` from the folder's `onnx/model.onnx`, fp32 or int8, and return its path.

    Optimized for any processor: what depends on this one's instructions is left to the device.

    Source: "ORT model format", https://onnxruntime.ai/docs/performance/model-optimizations/ort-format-models.html
    """
    import onnxruntime

    source, target = Path(folder) / in_onnxruntime.GRAPH, Path(folder) / GRAPH
    if not source.is_file():
        raise FileNotFoundError(f"{folder}: onnx/model.onnx is missing; make it with runtimes.export_onnx(folder)")
    target.parent.mkdir(exist_ok=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.save_model_format", "ORT")
    with disk.scratch(target) as empty, models.readable(source):
        options.optimized_model_filepath = str(empty / target.name)
        slow = list(in_onnxruntime.SLOW_FUSIONS)
        onnxruntime.InferenceSession(str(source), options, ["CPUExecutionProvider"], disabled_optimizers=slow)
        (empty / target.name).replace(target)
    disk.write_whole(Path(folder) / NARROW_NOTE, in_onnxruntime.stored_precision(Path(folder)) + "\n")
    return target


def stored_precision(folder: Path) -> str:
    """What the export noted of the graph that it was made from."""
    return (Path(folder) / NARROW_NOTE).read_text(encoding="utf-8").strip()


RUNTIME = Runtime(
    name="ort",
    library="onnxruntime",
    distribution="onnxruntime",
    weights=(NARROW_NOTE.as_posix(), GRAPH.as_posix()),
    open=open_ort,
    precision=stored_precision,
    export=export_ort,
    skips_unread_work=True,
)
