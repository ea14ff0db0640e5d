"""PyTorch, eager: what training leaves, run as it is."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.rank import models
from utils.rank.first_token import FirstTokenOnly
from utils.rank.ranker import Batch, BatchedRanker
from utils.rank.runtimes.base import Runtime

PRECISIONS = {"F32": "fp32", "BF16": "bf16", "F16": "fp16", "I8": "int8", "F64": "fp64"}


def open_pytorch(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> BatchedRanker:
    """A ranker over a model folder's `model.safetensors`."""
    model, tokenizer = models.load(folder)
    limits = {"threads": threads, "max_tokens": max_tokens, "batch_size": batch_size}
    return wrap_torch(model.to(device), tokenizer=tokenizer, **limits)


def wrap_torch(
    model: PreTrainedModel | FirstTokenOnly,
    *,
    tokenizer: PreTrainedTokenizerBase,
    threads: int,
    max_tokens: int,
    batch_size: int = 32,
) -> BatchedRanker:
    """A ranker over a PyTorch model that is already in memory, as it is or without the work that nobody reads.

    Its tokenizer is a copy, so that several rankers of one model can work at a time.
    """
    forward = torch_forward(model.eval(), threads=threads)
    return BatchedRanker(copy.deepcopy(tokenizer), forward, "pytorch", max_tokens=max_tokens, batch_size=batch_size)


def torch_forward(model: PreTrainedModel | FirstTokenOnly, *, threads: int) -> Callable[[Batch], np.ndarray]:
    """Logits (n_pairs,) of a batch, eager PyTorch on the model's device, with that many threads while it runs."""

    device = next(model.parameters()).device

    def forward(batch: Batch) -> np.ndarray:
        with torch_threads(threads), torch.inference_mode():
            tensors = {name: torch.from_numpy(values).to(device) for name, values in batch.items()}
            found = model(**tensors)
            return getattr(found, "logits", found)[:, 0].float().cpu().numpy()

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


def stored_precision(folder: Path) -> str:
    """The type that most weights of `model.safetensors` are stored in."""
    counts: Counter[str] = Counter()
    with models.readable(folder), safe_open(folder / "model.safetensors", framework="pt") as weights:
        for name in weights.keys():  # noqa: SIM118, it is no dictionary
            part = weights.get_slice(name)
            counts[part.get_dtype()] += prod(part.get_shape())
    most = counts.most_common(1)[0][0]
    return PRECISIONS.get(most, most.lower())


RUNTIME = Runtime(
    name="pytorch",
    library="torch",
    distribution="torch",
    weights=("model.safetensors",),
    open=open_pytorch,
    precision=stored_precision,
    devices=("cpu", "cuda"),
)
