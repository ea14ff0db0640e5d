"""PyTorch compiled: one C++ kernel for a chain of small operations, made when the folder is opened.

Compiling takes from many seconds to minutes, so it is done once, for batches of any size and length, and not when a
query waits. Weights and scores stay those of `runtimes.in_pytorch`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from utils.rank import models, runtimes
from utils.rank.first_token import FirstTokenOnly, fits
from utils.rank.ranker import Batch, BatchedRanker
from utils.rank.runtimes.base import Runtime
from utils.rank.runtimes.in_pytorch import stored_precision

COMPILERS = ("c++", "g++", "clang++", "cl")
WARM_UP = (3, 7)  # n_pairs and n_tokens: unlike numbers, or the compiler takes them for one


def open_compiled(
    folder: Path, *, threads: int, max_tokens: int, batch_size: int = 32, device: str = "cpu"
) -> BatchedRanker:
    """A ranker over a model folder's `model.safetensors`, without the work that nobody reads, compiled by Inductor.

    It is compiled here, on that many threads, unless the process has compiled a model of this shape before.

    Raises:
        ValueError: there is no C++ compiler, or the folder is damaged.
        FileNotFoundError: a file of the folder is missing.

    Source: Ansel et al., "PyTorch 2", ASPLOS 2024, https://doi.org/10.1145/3620665.3640366
    """
    require_compiler()
    model, tokenizer = models.load(folder)
    model = FirstTokenOnly(model).eval() if fits(model) else model
    compiled = torch.compile(model.to(device), dynamic=True)
    forward = _two_at_least(runtimes.torch_forward(compiled, threads=threads))
    forward({name: np.ones(WARM_UP, dtype=np.int64) for name in tokenizer.model_input_names})
    return BatchedRanker(tokenizer, forward, "pytorch_compiled", max_tokens=max_tokens, batch_size=batch_size)


def _two_at_least(forward: Callable[[Batch], np.ndarray]) -> Callable[[Batch], np.ndarray]:
    """A batch of one pair is computed as one of two: the compiler takes the size 1 for a case of its own."""

    def of_two(batch: Batch) -> np.ndarray:
        n_pairs = len(batch["input_ids"])
        if n_pairs == 1:
            batch = {name: np.repeat(values, 2, axis=0) for name, values in batch.items()}
        return forward(batch)[:n_pairs]

    return of_two


def require_compiler() -> None:
    """ValueError with the remedy when there is no C++ compiler, without which nothing is compiled for the CPU."""
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([named] if named else COMPILERS)):
        looked = f"CXX={named}" if named else ", ".join(COMPILERS)
        raise ValueError(
            f"torch.compile needs a C++ compiler, and {looked} is not to be found; install one (Debian, Ubuntu: "
            "apt install g++; macOS: xcode-select --install; Windows: Visual Studio Build Tools), or take OpenVINO"
        )


RUNTIME = Runtime(
    name="pytorch_compiled",
    library="torch",
    distribution="torch",
    weights=("model.safetensors",),
    open=open_compiled,
    precision=stored_precision,
    skips_unread_work=True,
)
