"""ONNX Runtime: exporting a model folder's graph, and running one."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch.nn import Module

from utils import disk
from utils.rank import first_token, models
from utils.rank.ranker import Batch, BatchedRanker
from utils.rank.runtimes.base import Runtime

GRAPH = Path("onnx") / "model.onnx"  # where sentence-transformers and Transformers.js look for it
SLOW_FUSIONS = ("SkipLayerNormFusion",)  # slower on some processors; notebook 06c times it


def open_onnxruntime(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> BatchedRanker:
    """A ranker over a model folder's `onnx/model.onnx`."""
    path = folder / GRAPH
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: onnx/model.onnx is missing; make it with runtimes.export_onnx(folder)")
    forward, (_, tokenizer) = onnx_forward(path, threads=threads), models.described(folder)
    return BatchedRanker(tokenizer, forward, "onnxruntime", max_tokens=max_tokens, batch_size=batch_size)


def onnx_forward(path: Path, *, threads: int, disabled: Sequence[str] = SLOW_FUSIONS) -> Callable[[Batch], np.ndarray]:
    """Logits (n_pairs,) of a batch by a graph in ONNX Runtime, on that many threads, without the `disabled` fusions."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # or idle threads slow whoever is next
    with models.readable(path):
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(str(path), options, providers, disabled_optimizers=list(disabled))
    names = [node.name for node in session.get_inputs()]

    def forward(batch: Batch) -> np.ndarray:
        return session.run(None, {name: batch[name].astype(np.int64) for name in names})[0][:, 0]

    return forward


def export_onnx(folder: Path) -> Path:
    """Write `onnx/model.onnx` (fp32, dynamic batch and length) into a model folder and return its path.

    A BERT is exported without the work that nobody reads (`utils.rank.first_token`); other models as `optimum` exports
    them.
    """
    with disk.scratch(folder.with_name(f"{folder.name}-onnx")) as partial, quiet_export():
        model, _ = models.load(folder)
        if first_token.fits(model):
            write_graph(first_token.FirstTokenOnly(model).eval(), partial / "model.onnx", output="logits")
        else:
            from optimum.exporters.onnx import main_export

            main_export(str(folder), output=partial, task="text-classification", do_validation=False)
        (folder / GRAPH).parent.mkdir(exist_ok=True)
        os.replace(partial / "model.onnx", folder / GRAPH)
    return folder / GRAPH


def write_graph(module: Module, path: Path, *, output: str) -> None:
    """Export a module that takes what a BERT takes, by PyTorch's older exporter (`dynamo=False`).

    Its graphs the quantizers of today know best. Batch and length are free; `output` is (batch_size, ...).
    """
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = torch.ones(2, 8, dtype=torch.long)
    lengths = {name: {0: "batch_size", 1: "sequence_length"} for name in names}
    torch.onnx.export(
        module,
        (example, example, example),
        str(path),
        input_names=names,
        output_names=[output],
        dynamic_axes=lengths | {output: {0: "batch_size"}},
        opset_version=17,
        dynamo=False,
    )


@contextmanager
def quiet_export() -> Iterator[None]:
    """Hide what exporters say on the way: deprecations and remarks that no reader can act on."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def quantized_share(path: Path) -> float:
    """The share of a graph's weights that are stored in 8 bits or fewer; biases and scales count as weights too.

    Raises:
        ValueError: the file is no graph, or holds no weights.
    """
    import onnx

    with models.readable(path):
        graph = onnx.load(path).graph
    bits = {node.input[1]: _bits(node) for node in graph.node if node.op_type == "MatMulNBits"}
    narrow = wide = 0
    for name, values in _weights(graph):
        if values.dtype in (np.float32, np.float16, np.float64):
            wide += values.size
        elif values.dtype in (np.int8, np.uint8):
            narrow += values.size * 8 // bits.get(name, 8)
    if not narrow + wide:
        raise ValueError(f"{path}: no weights in this graph, so it is not a model of ours; export it again")
    return narrow / (narrow + wide)


def _bits(node) -> int:
    return next(attribute.i for attribute in node.attribute if attribute.name == "bits")


def _weights(graph) -> Iterator[tuple[str, np.ndarray]]:
    """Every constant array of a graph, by name."""
    from onnx import numpy_helper

    yield from ((tensor.name, numpy_helper.to_array(tensor)) for tensor in graph.initializer)
    for node in graph.node:
        if node.op_type == "Constant":
            yield from ((node.output[0], numpy_helper.to_array(a.t)) for a in node.attribute if a.name == "value")


def stored_precision(folder: Path) -> str:
    """int8 where most weights are stored in 8 bits or fewer, else fp32."""
    return "int8" if quantized_share(Path(folder) / GRAPH) > 0.5 else "fp32"


RUNTIME = Runtime(
    name="onnxruntime",
    library="onnxruntime",
    distribution="onnxruntime",
    weights=(GRAPH.as_posix(),),
    open=open_onnxruntime,
    precision=stored_precision,
    export=export_onnx,
    skips_unread_work=True,
)
