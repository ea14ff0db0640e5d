"""ExecuTorch: a PyTorch program compiled ahead for phones, its matrix products in XNNPACK.

Its runtime takes the threads of a pool that one process shares; the number is asked for when a folder is opened. It
writes remarks past Python to the standard error of the process, which are held back here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from utils import disk
from utils.edge.exports import converters, program
from utils.edge.exports.silence import silent
from utils.rank import models
from utils.rank.ranker import Batch, BatchedRanker
from utils.rank.runtimes.base import Runtime

PROGRAM = Path("executorch") / "model.pte"
NOTE = Path("executorch") / "program.json"
REMEDY = "pip install --no-deps -r requirements-edge.txt"


def open_executorch(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> BatchedRanker:
    """A ranker over a model folder's `executorch/model.pte`.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the runtime is not installed, the file is damaged, or the program takes fewer tokens.
    """
    path, noted = Path(folder) / PROGRAM, disk.read_object(Path(folder) / NOTE)
    if not path.is_file() or not noted:
        raise FileNotFoundError(
            f"{folder}: {PROGRAM.as_posix()} is missing; make it with: course export --to executorch"
        )
    if max_tokens > noted["max_tokens"]:
        raise ValueError(f"{folder}: its program takes pairs of {noted['max_tokens']} tokens, not {max_tokens}")
    _, tokenizer = models.described(folder)
    forward = executorch_forward(path, threads=threads, max_pairs=noted["max_pairs"])
    return BatchedRanker(tokenizer, forward, "executorch", max_tokens=max_tokens, batch_size=batch_size)


def executorch_forward(path: Path, *, threads: int, max_pairs: int) -> Callable[[Batch], np.ndarray]:
    """Logits (n_pairs,) of a batch by a program, at most `max_pairs` pairs at a time."""
    import torch

    loaded = _Loaded(path, threads)
    with models.readable(path), silent():
        loaded.method()

    def some(batch: Batch, rows: slice) -> np.ndarray:
        tensors = [torch.from_numpy(np.ascontiguousarray(batch[name][rows], dtype=np.int64)) for name in program.NAMES]
        return loaded.method().execute(tensors)[0][:, 0].numpy().copy()

    def forward(batch: Batch) -> np.ndarray:
        starts = range(0, len(batch["input_ids"]), max_pairs)
        with silent():
            return np.concatenate([some(batch, slice(start, start + max_pairs)) for start in starts])

    return forward


class _Loaded:
    """A program in memory. It keeps the pool of threads that it was loaded with, so a new pool loads it anew.

    All programs of a process share one pool, and one that goes on with a pool that is gone never returns.
    """

    n_pools = 0  # that this process has had

    def __init__(self, path: Path, threads: int):
        self.path, self.threads, self.pool, self.kept = path, threads, -1, ()
        self.library = _library()

    def method(self):
        """The program's one method, ready for a call on its number of threads."""
        from executorch.extension.pybindings import portable_lib

        if portable_lib._threadpool_get_thread_count() != self.threads:
            portable_lib._unsafe_reset_threadpool(self.threads)
            _Loaded.n_pools += 1
        if self.pool != _Loaded.n_pools:
            whole = self.library.Runtime.get().load_program(self.path)
            self.kept = (whole, whole.load_method("forward"))  # a method reads its program and does not keep it
            self.pool = _Loaded.n_pools
        return self.kept[1]


def export_executorch(folder: Path, *, precision: str = "fp32") -> Path:
    """Write `executorch/model.pte` from the folder's `model.safetensors` and return its path.

    In int8 the products' weights have a scale a channel, the word table one a word, and activations find their range as
    they come.

    Raises:
        ValueError: the converter is not installed, or it failed.
    """
    folder = Path(folder)
    with disk.scratch(folder.with_name(f"{folder.name}-executorch")) as empty:
        source = program.write(folder, empty / "program.pt2", int8_table=precision == "int8")
        _, tokenizer = models.described(folder)
        sizes = {"max_pairs": program.MAX_PAIRS, "max_tokens": program.longest(tokenizer)}
        converters.convert("executorch", source, empty / PROGRAM.name, precision, *map(str, sizes.values()))
        (folder / PROGRAM).parent.mkdir(exist_ok=True)
        os.replace(empty / PROGRAM.name, folder / PROGRAM)
    disk.write_whole(folder / NOTE, disk.json_text({"precision": precision} | sizes))
    return folder / PROGRAM


def _library():
    """The runtime's module; ValueError with the remedy where it is not installed."""
    try:
        with silent(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls itself experimental whenever it is imported
            from executorch import runtime
    except ImportError as error:
        raise ValueError(f"ExecuTorch's runtime is not installed ({error}); install it with: {REMEDY}") from None
    return runtime


def stored_precision(folder: Path) -> str:
    """What the export noted."""
    return disk.read_object(Path(folder) / NOTE).get("precision", "unknown")


RUNTIME = Runtime(
    name="executorch",
    library="executorch.runtime",
    distribution="executorch",
    weights=(NOTE.as_posix(), PROGRAM.as_posix()),
    open=open_executorch,
    precision=stored_precision,
    export=export_executorch,
    skips_unread_work=True,
)
