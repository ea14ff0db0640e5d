"""The ways of running one model on a card that `course results --gpu` compares: precision, batches, compiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from torch import nn
from transformers import PreTrainedTokenizerBase

from utils.rank.ranker import Batch, BatchedRanker
from utils.speed.gpu import compilers, layouts
from utils.speed.gpu.layouts import Layout

BATCH_SIZE = 256  # pairs; a card needs many at a time to have work for all of its units
ON_CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True)
class Way:
    """One way of running a model.

    Attributes:
        layout: how its batches are made, from the tokenizer and the longest pair.
        change: what happens to the module on the card; None: nothing.
        peak: the precision whose peak its MFU is of; empty: `precision`.
    """

    name: str
    precision: str
    layout: Callable[[PreTrainedTokenizerBase, int], Layout]
    change: Callable[[nn.Module], nn.Module] | None = None
    peak: str = ""


def _padded(tokenizer: PreTrainedTokenizerBase, longest: int) -> Layout:
    return layouts.padded(tokenizer)


def _sorted(tokenizer: PreTrainedTokenizerBase, longest: int) -> Layout:
    return layouts.sorted_by_length(tokenizer)


def _bucketed(tokenizer: PreTrainedTokenizerBase, longest: int) -> Layout:
    return layouts.bucketed(tokenizer, n_rows=BATCH_SIZE)


def _packed(tokenizer: PreTrainedTokenizerBase, longest: int) -> Layout:
    return layouts.packed(longest=longest)


WAYS = (  # what matters most comes first, for what comes last may find no time
    Way("bf16, packed", "bf16", _packed),
    Way("bf16, length-sorted", "bf16", _sorted),
    Way("fp32, length-sorted", "fp32", _sorted),
    Way("TF32, length-sorted", "tf32", _sorted),
    Way("fp16, length-sorted", "fp16", _sorted),
    Way("bf16, padded in the order given", "bf16", _padded),
    Way("bf16, length-sorted, attention by its formula", "bf16", _sorted, compilers.AttentionByFormula),
    Way("bf16, bucketed, compiled", "bf16", _bucketed, compilers.compiled),
    Way("bf16, bucketed, compiled, CUDA graphs", "bf16", _bucketed, compilers.compiled_as_graph),
    Way("bf16, packed, compiled", "bf16", _packed, compilers.compiled),
    Way("2:4 sparse in fp16, bucketed", "fp16", _bucketed, compilers.sparse),
    Way("int8, bucketed, compiled", "bf16", _bucketed, compilers.int8, peak="int8"),
    Way("fp8, bucketed, compiled", "bf16", _bucketed, compilers.fp8, peak="fp8"),
)
OF_BERT_BASE = tuple(
    way for way in WAYS if way.precision == "bf16" and ("bucketed" in way.name or way.name == "bf16, packed")
)


def in_onnxruntime(folder: Path, *, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> BatchedRanker:
    """A ranker over a folder's `onnx/model.onnx` in ONNX Runtime on a card.

    Raises:
        ValueError: the installed ONNX Runtime has no CUDA provider.
    """
    if ON_CUDA not in onnxruntime.get_available_providers():
        raise ValueError("the installed ONNX Runtime has no CUDA provider: pip install onnxruntime-gpu")
    session = onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"), providers=[ON_CUDA])
    names = {one.name for one in session.get_inputs()}

    def forward(batch: Batch) -> np.ndarray:
        return session.run(None, {name: values for name, values in batch.items() if name in names})[0][:, 0]

    return BatchedRanker(tokenizer, forward, "onnxruntime", max_tokens=max_tokens, batch_size=BATCH_SIZE)
