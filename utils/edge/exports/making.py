"""One model folder in the format of an engine: a folder with what must be shipped, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from utils import disk
from utils.edge import engines
from utils.edge.exports import graphs, in_executorch, in_litert, in_ort
from utils.rank import runtimes
from utils.rank.runtimes.base import TOKENIZER_FILES

PRECISIONS = ("fp32", "int8")
WEIGHTS = "model.safetensors"
engines.register_engines()


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        runtime: the engine that runs it.
        fill: writes its files into a model folder, in a precision.
        begins_from: folders of the model folder that it may start from, beside its weights.
        converter: the environment that it needs; empty: none.
    """

    runtime: str
    fill: Callable[..., object]
    begins_from: tuple[str, ...] = ()
    converter: str = ""


def _fill_ort(folder: Path, *, precision: str) -> Path:
    graphs.fill_onnx(folder, precision=precision)
    return in_ort.export_ort(folder)


FORMATS = {
    "onnx": Format("onnxruntime", graphs.fill_onnx, ("onnx",)),
    "ort": Format(engines.ORT, _fill_ort, ("onnx",)),
    "openvino": Format("openvino", graphs.fill_openvino, ("openvino",)),
    "litert": Format(engines.LITERT, in_litert.export_litert, converter="litert"),
    "executorch": Format(engines.EXECUTORCH, in_executorch.export_executorch, converter="executorch"),
}


def make(source: Path, target: Path, *, to: str, precision: str = "fp32") -> Path:
    """Export a model folder; `target` then holds the engine's files, configuration and tokenizer, whole or not at all.

    Args:
        source: a model folder with `model.safetensors`; a graph in the wanted precision that it holds is kept.
        to: a name in FORMATS.

    Raises:
        ValueError: an unknown format or precision, a damaged folder, or a converter that is not there.
        FileNotFoundError: the source is no model folder.
    """
    require_known(to, precision=precision)
    with disk.whole_folder(Path(target)) as new:
        fill(Path(source), new, to=to, precision=precision)
        shipped = set(runtimes.shipped_files(new, runtime=FORMATS[to].runtime))
        for path in [path for path in new.rglob("*") if path.is_file() and path not in shipped]:
            path.unlink()
        for folder in sorted((path for path in new.rglob("*") if path.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
    return Path(target)


def fill(source: Path, folder: Path, *, to: str, precision: str) -> Path:
    """Fill an empty folder with a model's weights, tokenizer and the files of a format: a stage that can be measured.

    Raises:
        ValueError, FileNotFoundError: as `make`.
    """
    require_known(to, precision=precision)
    if not (source / WEIGHTS).is_file():
        raise FileNotFoundError(f"{source}: {WEIGHTS} is missing, so this is not a model folder; give another")
    for name in (*TOKENIZER_FILES, WEIGHTS):
        if (source / name).is_file():
            shutil.copy2(source / name, folder / name)
    for name in FORMATS[to].begins_from:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)
    FORMATS[to].fill(folder, precision=precision)
    return folder


def require_known(to: str, *, precision: str) -> None:
    """ValueError naming what there is when the format or the precision is not."""
    for what, name, known in (("format", to, FORMATS), ("precision", precision, PRECISIONS)):
        if name not in known:
            raise ValueError(f"{what} '{name}' is not one of {', '.join(known)}")
