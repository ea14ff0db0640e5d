"""LiteRT (once TensorFlow Lite): a file of fixed shapes, as Android runs it, its matrix products in XNNPACK.

A .tflite has no free sizes, so it holds one entrance (signature) for each of three lengths; a batch is padded to the
shortest that holds it, and pairs go through in groups of a fixed number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from utils import disk
from utils.edge.exports import converters, program
from utils.edge.exports.silence import silent
from utils.rank import models
from utils.rank.ranker import Batch, BatchedRanker
from utils.rank.runtimes.base import Runtime

MODEL = Path("litert") / "model.tflite"
NOTE = Path("litert") / "model.json"
REMEDY = "pip install --no-deps -r requirements-edge.txt"
N_LENGTHS, STEP = 3, 8
N_PAIRS = (1, 10)  # that one call takes: a single pair, or a part of a query's candidates


def open_litert(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> BatchedRanker:
    """A ranker over a model folder's `litert/model.tflite`.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the runtime is not installed, the file is damaged, or no entrance holds so many tokens.
    """
    path, noted = Path(folder) / MODEL, disk.read_object(Path(folder) / NOTE)
    if not path.is_file() or not noted:
        raise FileNotFoundError(f"{folder}: {MODEL.as_posix()} is missing; make it with: course export --to litert")
    shapes = [tuple(shape) for shape in noted["shapes"]]
    if max_tokens > max(n_tokens for _, n_tokens in shapes):
        raise ValueError(f"{folder}: its longest entrance takes {max(n for _, n in shapes)} tokens, not {max_tokens}")
    _, tokenizer = models.described(folder)
    forward = litert_forward(path, shapes=shapes, threads=threads)
    return BatchedRanker(tokenizer, forward, "litert", max_tokens=max_tokens, batch_size=batch_size)


def litert_forward(path: Path, *, shapes: Sequence[tuple[int, int]], threads: int) -> Callable[[Batch], np.ndarray]:
    """Logits (n_pairs,) of a batch by a .tflite with an entrance for each of these (n_pairs, n_tokens)."""
    library = _library()
    with models.readable(path), silent():
        interpreter = library.Interpreter(model_path=str(path), num_threads=threads)
        runners = {shape: interpreter.get_signature_runner(name_of(shape)) for shape in shapes}
        for shape, runner in runners.items():  # the first call of each makes its plan, with a remark
            runner(**{f"args_{i}": np.ones(shape, dtype=np.int32) for i in range(len(program.NAMES))})

    def forward(batch: Batch) -> np.ndarray:
        n_pairs, n_tokens = batch["input_ids"].shape
        length = min(length for _, length in shapes if length >= n_tokens)
        sizes = sorted({n for n, of in shapes if of == length}, reverse=True)
        scores, done = np.empty(n_pairs, dtype=np.float32), 0
        while done < n_pairs:
            size = next((n for n in sizes if n <= n_pairs - done), sizes[-1])
            inputs = {f"args_{i}": _fixed(batch[name][done:], size, length) for i, name in enumerate(program.NAMES)}
            found = next(iter(runners[size, length](**inputs).values()))[:, 0]
            scores[done : done + size] = found[: n_pairs - done]
            done += size
        return scores

    return forward


def _fixed(values: np.ndarray, n_pairs: int, n_tokens: int) -> np.ndarray:
    """The first rows in the shape of an entrance, int32; what is not there is padding."""
    filled = np.zeros((n_pairs, n_tokens), dtype=np.int32)
    some = values[:n_pairs]
    filled[: len(some), : some.shape[1]] = some
    return filled


def name_of(shape: tuple[int, int]) -> str:
    """The entrance's name in the file."""
    return f"pairs_{shape[0]}x{shape[1]}"


def shapes_up_to(max_tokens: int) -> list[tuple[int, int]]:
    """The shapes that an export has: three lengths, the last of them `max_tokens`, each for one pair and for more."""
    lengths = {min(max_tokens, -(-max_tokens * i // (N_LENGTHS * STEP)) * STEP) for i in range(1, N_LENGTHS + 1)}
    return [(n_pairs, length) for length in sorted(lengths) for n_pairs in N_PAIRS]


def export_litert(folder: Path, *, precision: str = "fp32") -> Path:
    """Write `litert/model.tflite` from the folder's `model.safetensors` and return its path.

    In int8 weights have a scale a channel, and activations find their range as they come (dynamic range).

    Raises:
        ValueError: the converter is not installed, or it failed.
    """
    folder = Path(folder)
    _, tokenizer = models.described(folder)
    shapes = shapes_up_to(program.longest(tokenizer))
    with disk.scratch(folder.with_name(f"{folder.name}-litert")) as empty:
        source = program.write(folder, empty / "program.pt2", ids=torch.int32)
        sizes = [f"{n_pairs}x{n_tokens}" for n_pairs, n_tokens in shapes]
        converters.convert("litert", source, empty / MODEL.name, precision, *sizes)
        (folder / MODEL).parent.mkdir(exist_ok=True)
        os.replace(empty / MODEL.name, folder / MODEL)
    note = {"precision": precision, "shapes": [list(shape) for shape in shapes]}
    disk.write_whole(folder / NOTE, disk.json_text(note))
    return folder / MODEL


def _library():
    """The runtime's module; ValueError with the remedy where it is not installed."""
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise ValueError(f"LiteRT's runtime is not installed ({error}); install it with: {REMEDY}") from None
    return interpreter


def stored_precision(folder: Path) -> str:
    """What the export noted."""
    return disk.read_object(Path(folder) / NOTE).get("precision", "unknown")


RUNTIME = Runtime(
    name="litert",
    library="ai_edge_litert.interpreter",
    distribution="ai-edge-litert",
    weights=(NOTE.as_posix(), MODEL.as_posix()),
    open=open_litert,
    precision=stored_precision,
    export=export_litert,
    skips_unread_work=True,
)
