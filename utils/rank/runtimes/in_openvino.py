"""OpenVINO: its form of a model folder's graph, and running one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from utils.rank import models
from utils.rank.ranker import Batch, BatchedRanker
from utils.rank.runtimes.base import Runtime
from utils.rank.runtimes.in_onnxruntime import GRAPH as ONNX_GRAPH

GRAPH = Path("openvino") / "openvino_model.xml"
NARROW = ("i8", "u8", "i4", "u4")
WIDE = ("f32", "f16", "bf16", "f64")


def open_openvino(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> BatchedRanker:
    """A ranker over a model folder's `openvino/openvino_model.xml`."""
    path = folder / GRAPH
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: {path.name} is missing; make it with runtimes.export_openvino(folder)")
    forward = openvino_forward(compile_openvino(read_openvino(path), threads=threads))
    _, tokenizer = models.described(folder)
    return BatchedRanker(tokenizer, forward, "openvino", max_tokens=max_tokens, batch_size=batch_size)


def read_openvino(path: Path):
    """The model in an `.xml` and the `.bin` beside it; ValueError when they cannot be read."""
    import openvino

    with models.readable(path):
        return openvino.Core().read_model(path)


def compile_openvino(model, *, threads: int):
    """A model compiled for this CPU, for one request at a time on that many threads.

    Left to itself OpenVINO computes in bf16 wherever the processor knows it, and where weights alone are of 8 bits or
    fewer it rounds what they are multiplied with, too. So what is not int8 in the model is asked to be fp32. Nor may it
    bind its threads to cores: it would bind those of several models to the same ones.
    """
    import openvino

    asked = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    asked |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    return openvino.Core().compile_model(model, "CPU", asked)


def openvino_forward(compiled) -> Callable[[Batch], np.ndarray]:
    """Logits (n_pairs,) of a batch by a compiled model."""
    names = [port.get_any_name() for port in compiled.inputs]

    def forward(batch: Batch) -> np.ndarray:
        return compiled([batch[name].astype(np.int64) for name in names])[0][:, 0]

    return forward


def export_openvino(folder: Path) -> Path:
    """Write `openvino/openvino_model.xml` and `.bin` from a folder's `onnx/model.onnx`, every weight as it is."""
    import openvino

    model = openvino.Core().read_model(folder / ONNX_GRAPH)
    openvino.save_model(model, folder / GRAPH, compress_to_fp16=False)
    return folder / GRAPH


def quantized_share(path: Path) -> float:
    """The share of a model's weights that are stored in 8 bits or fewer; biases and scales count as weights too.

    Raises:
        ValueError: the file is no model, or holds no weights.
    """
    counts: Counter[str] = Counter()
    for op in read_openvino(path).get_ops():
        if op.get_type_name() == "Constant":
            counts[op.get_element_type().get_type_name()] += int(np.prod(op.get_output_shape(0)))
    narrow, wide = (sum(counts[kind] for kind in kinds) for kinds in (NARROW, WIDE))
    if not narrow + wide:
        raise ValueError(f"{path}: no weights in this model, so it is not one of ours; export it again")
    return narrow / (narrow + wide)


def stored_precision(folder: Path) -> str:
    """int8 where most weights are stored in 8 bits or fewer, else fp32."""
    return "int8" if quantized_share(Path(folder) / GRAPH) > 0.5 else "fp32"


RUNTIME = Runtime(
    name="openvino",
    library="openvino",
    distribution="openvino",
    weights=(GRAPH.as_posix(), GRAPH.with_suffix(".bin").as_posix()),
    open=open_openvino,
    precision=stored_precision,
    export=export_openvino,
    skips_unread_work=True,
)
