"""The graphs for servers and desktops, ONNX and OpenVINO IR, in the precision that is asked for.

Their engines are in `utils.rank.runtimes`. A graph that is stored in that precision already is left as it is, for it
may have been calibrated; int8 is otherwise made without data: dynamic in ONNX, weights alone in OpenVINO.
"""

from __future__ import annotations

from pathlib import Path

from utils.rank import runtimes
from utils.rank.runtimes import in_onnxruntime, in_openvino
from utils.shrink.quantize import int8_onnx, int8_openvino


def fill_onnx(folder: Path, *, precision: str) -> Path:
    """Have `onnx/model.onnx` in a model folder in that precision."""
    path = folder / in_onnxruntime.GRAPH
    if path.is_file() and in_onnxruntime.stored_precision(folder) == precision:
        return path
    runtimes.export_onnx(folder)
    return int8_onnx.dynamic(path, path) if precision == "int8" else path


def fill_openvino(folder: Path, *, precision: str) -> Path:
    """Have `openvino/openvino_model.xml` and its `.bin` in a model folder in that precision."""
    path = folder / in_openvino.GRAPH
    if path.is_file() and in_openvino.stored_precision(folder) == precision:
        return path
    runtimes.export_onnx(folder)
    runtimes.export_openvino(folder)
    if precision == "int8":
        int8_openvino.save(int8_openvino.compress_weights(path, bits=8), path)
    return path
