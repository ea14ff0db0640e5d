"""Ways of running a model folder: PyTorch, ONNX Runtime, OpenVINO. Each gives a `BatchedRanker`; nothing else differs.

Exporting to the files that they read lives here too; what makes those files smaller is in `utils.shrink`.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import disk
from utils.rank import first_token, models
from utils.rank.ranker import Batch, BatchedRanker

SLOW_FUSIONS = ("SkipLayerNormFusion",)  # of ONNX Runtime: slower on some processors; notebook 06 times it


def open_ranker(
    folder: Path, *, runtime: str, threads: int, max_tokens: int, batch_size: int = 32, precision: str = "fp32"
) -> BatchedRanker:
    """Open a model folder with `pytorch`, `onnxruntime` or `openvino`.

    Raises:
        ValueError: an unknown runtime, a damaged folder, or a model that gives more than one score.
        FileNotFoundError: the folder lacks what the runtime needs.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime '{runtime}' is not one of {', '.join(RUNTIMES)}")
    forward, tokenizer = RUNTIMES[runtime](Path(folder), threads)
    return BatchedRanker(
        tokenizer, forward, runtime, precision=precision, max_tokens=max_tokens, batch_size=batch_size, threads=threads
    )


def wrap_torch(
    model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, threads: int, max_tokens: int, batch_size: int = 32
) -> BatchedRanker:
    """A ranker over a PyTorch model that is already in memory."""
    forward = torch_forward(model.eval(), threads=threads)
    return BatchedRanker(tokenizer, forward, "pytorch", max_tokens=max_tokens, batch_size=batch_size, threads=threads)


def open_graph(
    path: Path, *, tokenizer: PreTrainedTokenizerBase, threads: int, max_tokens: int, precision: str = "fp32"
) -> BatchedRanker:
    """A ranker over a single file, by its ending: `.onnx` in ONNX Runtime, `.xml` (its `.bin` beside it) in OpenVINO.

    Raises:
        ValueError: another ending.
    """
    if path.suffix == ".onnx":
        forward, runtime = onnx_forward(path, threads=threads), "onnxruntime"
    elif path.suffix == ".xml":
        import openvino

        compiled = compile_openvino(openvino.Core().read_model(path), threads=threads)
        forward, runtime = openvino_forward(compiled), "openvino"
    else:
        raise ValueError(f"{path}: is neither .onnx nor .xml; give a graph for ONNX Runtime or OpenVINO")
    return BatchedRanker(tokenizer, forward, runtime, precision=precision, max_tokens=max_tokens, threads=threads)


def torch_forward(model: PreTrainedModel, *, threads: int) -> Callable[[Batch], np.ndarray]:
    """Logits (n_pairs,) of a batch, eager PyTorch on the model's device, with that many threads while it runs."""

    def forward(batch: Batch) -> np.ndarray:
        with torch_threads(threads), torch.inference_mode():
            tensors = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
            return model(**tensors).logits[:, 0].float().cpu().numpy()

    return forward


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """PyTorch computes on that many threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def export_onnx(folder: Path) -> Path:
    """Write `onnx/model.onnx` (fp32, dynamic batch and length) into a model folder and return its path.

    The place is the one that sentence-transformers and Transformers.js look in. A BERT is exported without the work
    that nobody reads (`utils.rank.first_token`); other models as `optimum` exports them.
    """
    with disk.scratch(folder.with_name(f"{folder.name}-onnx")) as partial, _quiet_export():
        model, _ = models.load(folder)
        if first_token.fits(model):
            _export_first_token(model, partial / "model.onnx")
        else:
            from optimum.exporters.onnx import main_export

            main_export(str(folder), output=partial, task="text-classification", do_validation=False)
        (folder / "onnx").mkdir(exist_ok=True)
        os.replace(partial / "model.onnx", folder / "onnx" / "model.onnx")
    return folder / "onnx" / "model.onnx"


def _export_first_token(model: PreTrainedModel, path: Path) -> None:
    """By PyTorch's older exporter (`dynamo=False`), whose graphs the quantizers of today know best."""
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = torch.ones(2, 8, dtype=torch.long)
    lengths = {name: {0: "batch_size", 1: "sequence_length"} for name in names}
    torch.onnx.export(
        first_token.FirstTokenOnly(model).eval(),
        (example, example, example),
        str(path),
        input_names=names,
        output_names=["logits"],
        dynamic_axes=lengths | {"logits": {0: "batch_size"}},
        opset_version=17,
        dynamo=False,
    )


@contextmanager
def _quiet_export():
    """Hide what exporters say on the way: deprecations and remarks that no reader can act on."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def export_openvino(folder: Path) -> Path:
    """Write `openvino/openvino_model.xml` and `.bin` from a folder's `onnx/model.onnx`, every weight as it is."""
    import openvino

    model = openvino.Core().read_model(folder / "onnx" / "model.onnx")
    path = folder / "openvino" / "openvino_model.xml"
    openvino.save_model(model, path, compress_to_fp16=False)
    return path


def _open_torch(folder: Path, threads: int) -> tuple[Callable[[Batch], np.ndarray], PreTrainedTokenizerBase]:
    model, tokenizer = models.load(folder)
    return torch_forward(model, threads=threads), tokenizer


def _open_onnx(folder: Path, threads: int) -> tuple[Callable[[Batch], np.ndarray], PreTrainedTokenizerBase]:
    path = folder / "onnx" / "model.onnx"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: onnx/model.onnx is missing; make it with runtimes.export_onnx(folder)")
    return onnx_forward(path, threads=threads), models.described(folder)[1]


def onnx_forward(path: Path, *, threads: int, disabled: Sequence[str] = SLOW_FUSIONS) -> Callable[[Batch], np.ndarray]:
    """Logits (n_pairs,) of a batch by a graph in ONNX Runtime, on that many threads, without the `disabled` fusions."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    with models.readable(path):
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(str(path), options, providers, disabled_optimizers=list(disabled))
    names = [node.name for node in session.get_inputs()]

    def forward(batch: Batch) -> np.ndarray:
        return session.run(None, {name: batch[name].astype(np.int64) for name in names})[0][:, 0]

    return forward


def _open_openvino(folder: Path, threads: int) -> tuple[Callable[[Batch], np.ndarray], PreTrainedTokenizerBase]:
    import openvino

    path = folder / "openvino" / "openvino_model.xml"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: {path.name} is missing; make it with runtimes.export_openvino(folder)")
    with models.readable(path):
        compiled = compile_openvino(openvino.Core().read_model(path), threads=threads)
    return openvino_forward(compiled), models.described(folder)[1]


def compile_openvino(model, *, threads: int):
    """A model compiled for this CPU, for one request at a time on that many threads.

    Left to itself OpenVINO computes in bf16 wherever the processor knows it, and where weights alone are of 8 bits or
    fewer it rounds what they are multiplied with, too. So what is not int8 in the model is asked to be fp32.
    """
    import openvino

    asked = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    asked |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    return openvino.Core().compile_model(model, "CPU", asked)


def openvino_forward(compiled) -> Callable[[Batch], np.ndarray]:
    """Logits (n_pairs,) of a batch by a compiled model."""
    names = [port.get_any_name() for port in compiled.inputs]

    def forward(batch: Batch) -> np.ndarray:
        return compiled([batch[name].astype(np.int64) for name in names])[0][:, 0]

    return forward


RUNTIMES = {"pytorch": _open_torch, "onnxruntime": _open_onnx, "openvino": _open_openvino}
