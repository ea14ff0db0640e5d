"""Engines that run a model folder: PyTorch, ONNX Runtime, OpenVINO, and those that a later package adds.

Each says everything about itself in a module of its own, whose `RUNTIME` is a `base.Runtime`; MODULES names that
module. A new engine is one such module and its line in MODULES. Here they are found by name, opened, and asked for
their files. What makes those files smaller is in `utils.shrink`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from utils import disk
from utils.rank.ranker import BatchedRanker
from utils.rank.runtimes.base import Part, Runtime, SizedRanker
from utils.rank.runtimes.in_onnxruntime import SLOW_FUSIONS, export_onnx, onnx_forward
from utils.rank.runtimes.in_openvino import compile_openvino, export_openvino, openvino_forward, read_openvino
from utils.rank.runtimes.in_pytorch import torch_forward, torch_threads, wrap_torch

__all__ = [
    "SLOW_FUSIONS", "Part", "Runtime", "compile_openvino", "export_all", "export_onnx", "export_openvino",
    "known", "named", "onnx_forward", "open_graph", "open_ranker", "openvino_forward", "register", "shipped_files",
    "torch_forward", "torch_threads", "weights_hash", "wrap_torch",
]  # fmt: skip

MODULES = {
    "pytorch": "utils.rank.runtimes.in_pytorch",
    "onnxruntime": "utils.rank.runtimes.in_onnxruntime",
    "openvino": "utils.rank.runtimes.in_openvino",
}


def known() -> tuple[str, ...]:
    """The names of all engines."""
    return tuple(MODULES)


def register(name: str, module: str) -> None:
    """Add an engine by the dotted name of the module that holds its `RUNTIME`; nothing is imported before it is used.

    Raises:
        ValueError: another module has that name already.
    """
    if MODULES.setdefault(name, module) != module:
        raise ValueError(f"runtime '{name}' is {MODULES[name]} already; give {module} another name")


def named(name: str) -> Runtime:
    """The engine called `name`; ValueError naming the known ones otherwise."""
    if name not in MODULES:
        raise ValueError(f"runtime '{name}' is not one of {', '.join(MODULES)}")
    return import_module(MODULES[name]).RUNTIME


def open_ranker(
    folder: Path, *, runtime: str, threads: int, max_tokens: int, batch_size: int = 32, device: str = "cpu"
) -> SizedRanker:
    """Open a model folder in an engine.

    Raises:
        ValueError: an unknown engine, a device that it cannot use, a damaged folder, or a model that gives more than
            one score.
        FileNotFoundError: the folder lacks what the engine needs.
    """
    engine = named(runtime)
    if device not in engine.devices:
        raise ValueError(f"runtime '{runtime}': device '{device}' is not one of {', '.join(engine.devices)}")
    limits = {"threads": threads, "max_tokens": max_tokens, "batch_size": batch_size}
    return engine.open(Path(folder), **limits, device=device)


def open_graph(path: Path, *, tokenizer: PreTrainedTokenizerBase, threads: int, max_tokens: int) -> BatchedRanker:
    """A ranker over a single file, by its ending: `.onnx` in ONNX Runtime, `.xml` (its `.bin` beside it) in OpenVINO.

    Raises:
        ValueError: another ending, or a file that the engine cannot read.
    """
    if path.suffix == ".onnx":
        forward, runtime = onnx_forward(path, threads=threads), "onnxruntime"
    elif path.suffix == ".xml":
        forward = openvino_forward(compile_openvino(read_openvino(path), threads=threads))
        runtime = "openvino"
    else:
        raise ValueError(f"{path}: is neither .onnx nor .xml; give a graph for ONNX Runtime or OpenVINO")
    return BatchedRanker(tokenizer, forward, runtime, max_tokens=max_tokens)


def export_all(folder: Path, *, runtimes: Sequence[str] = ("onnxruntime", "openvino")) -> None:
    """Write the files of these engines into a saved model folder, in that order: one may read those of one before."""
    for name in runtimes:
        if (export := named(name).export) is not None:
            export(folder)


def weights_hash(folder: Path, *, runtime: str) -> str:
    """sha256 of the weights that the engine reads, the first 16 hexadecimal digits: the identity of what is run."""
    return disk.sha256(Path(folder) / named(runtime).weights[-1])[:16]


def shipped_files(folder: Path, *, runtime: str) -> list[Path]:
    """The files somebody must ship to run this folder in that engine: its weights, configuration, tokenizer.

    Of an engine that runs several models, those of all of them.
    """
    engine, ships = named(runtime), []
    names = [*engine.weights, *engine.also_ships]
    ships += [path for path in (Path(folder) / name for name in names) if path.is_file()]
    for part in engine.parts_of(folder):
        if (part.folder, part.runtime) != (Path(folder), runtime):
            ships += shipped_files(part.folder, runtime=part.runtime)
    return list(dict.fromkeys(ships))
