"""A model folder's graph for the browser: int8 weights per channel, or fp32 as exported.

WebAssembly multiplies signed weights of 8 bits fastest; unsigned ones and a reduced range are slower there. The ranges
of activations are found in every batch, so an int8 score depends a little on what else is in its batch.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from utils import disk
from utils.rank.runtimes import in_onnxruntime
from utils.rank.runtimes.in_onnxruntime import GRAPH
from utils.shrink.quantize import int8_onnx

PRECISIONS = ("int8", "fp32")


def write(folder: Path, target: Path, *, precision: str) -> Path:
    """Write the graph of a model folder, in that precision, to `target`; the folder stays as it is.

    A folder's own fp32 graph is taken where it has one; else it is exported anew from its weights.

    Raises:
        ValueError: an unknown precision, or the folder's weights cannot be read.
        FileNotFoundError: it is no model folder.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision '{precision}' is not one of {', '.join(PRECISIONS)}")
    with disk.scratch(target.with_name("fp32-graph")) as scratch:
        source = _fp32(Path(folder), scratch=scratch)
        if precision == "int8":
            return int8_onnx.dynamic(source, target)
        with disk.whole_file(target) as new:
            shutil.copyfile(source, new)
    return target


def _fp32(folder: Path, *, scratch: Path) -> Path:
    """The folder's fp32 graph; of a folder whose graph is quantized, one exported from a copy of its weights."""
    if (folder / GRAPH).is_file() and in_onnxruntime.stored_precision(folder) == "fp32":
        return folder / GRAPH
    copy = scratch / "model"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("onnx", "openvino"))
    return in_onnxruntime.export_onnx(copy)
