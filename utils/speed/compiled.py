"""PyTorch compiled: one C++ kernel for a chain of small operations, made when the first batch of a shape comes.

Compiling takes from many seconds to over a minute, so shapes are given to the compiler as unknown, or every length of
a batch would be compiled anew. Weights and scores stay those of `runtimes.in_pytorch`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch

from utils.rank import models, runtimes
from utils.rank.first_token import FirstTokenOnly, fits
from utils.rank.ranker import BatchedRanker
from utils.rank.runtimes.base import Runtime
from utils.rank.runtimes.in_pytorch import stored_precision

COMPILERS = ("c++", "g++", "clang++", "cl")


def open_compiled(
    folder: Path, *, threads: int, max_tokens: int, batch_size: int = 32, device: str = "cpu"
) -> BatchedRanker:
    """A ranker over a model folder's `model.safetensors`, without the work that nobody reads, compiled by Inductor.

    The first batch is compiled when it is scored, and so is the first of one pair alone, which the compiler makes a
    case of its own.

    Raises:
        ValueError: there is no C++ compiler, or the folder is damaged.
        FileNotFoundError: a file of the folder is missing.

    Source: Ansel et al., "PyTorch 2", ASPLOS 2024, https://doi.org/10.1145/3620665.3640366
    """
    require_compiler()
    model, tokenizer = models.load(folder)
    model = FirstTokenOnly(model).eval() if fits(model) else model
    compiled = torch.compile(model.to(device), dynamic=True)
    forward = runtimes.torch_forward(compiled, threads=threads)
    return BatchedRanker(tokenizer, forward, "pytorch_compiled", max_tokens=max_tokens, batch_size=batch_size)


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
