"""Fixed shapes bring padding, padding brings the mask, and the mask's constant ruins int8 where its sum is rounded.

Static int8 gives every tensor one range for good. The sum of attention scores and mask reaches down to the mask's
constant where a pair is padded, and devices of fixed shapes pad every pair. So a number that should only be "small
enough" takes the whole range: with -3.4e38 all true scores fall on one step of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from utils import disk
from utils.rank import first_token, models
from utils.rank.ranker import Batch, BatchedRanker, Pair, encode
from utils.rank.runtimes import in_onnxruntime
from utils.shrink.quantize import int8_onnx

MASKS = (-3.4e38, -10_000.0, -30.0)  # what libraries write, what our graphs write, and what suffices: exp(-30) is 1e-13


class MaskedBy(first_token.FirstTokenOnly):
    """Scores as the model does, with another constant added where a token is padding."""

    def __init__(self, model, *, constant: float):
        super().__init__(model)
        self.constant = constant

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor):
        """Logits (n_pairs, n_labels)."""
        hidden = self.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        mask = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * self.constant
        for layer in self.before:
            hidden = layer(hidden, attention_mask=mask)[0]
        return self.head(self.pooler(first_token._first_token(self.last, hidden, mask)))


def padded_batches(pairs: Sequence[Pair], *, tokenizer, max_tokens: int, batch_size: int = 16) -> list[Batch]:
    """Pairs as a device of one fixed length sees them, int64: all padded to `max_tokens`."""
    encoded = encode(tokenizer, pairs, max_tokens=max_tokens)
    shape = {"padding": "max_length", "max_length": max_tokens, "return_tensors": "np"}
    padded = {name: values.astype(np.int64) for name, values in tokenizer.pad(encoded, **shape).items()}
    starts = range(0, len(pairs), batch_size)
    return [{name: values[start : start + batch_size] for name, values in padded.items()} for start in starts]


def static_int8(
    source: Path, target: Path, *, constant: float, batches: Sequence[Batch], threads: int = 1
) -> BatchedRanker:
    """A ranker in static int8, sums of attention scores among what is rounded, whose mask adds `constant`.

    Args:
        source: a model folder; target: the graph to write, `.onnx`.
        batches: calibration batches with padding, from `padded_batches`.
    """
    model, tokenizer = models.load(source)
    with disk.scratch(target.with_name("fp32")) as empty, in_onnxruntime.quiet_export():
        graph = MaskedBy(model, constant=constant).eval()
        in_onnxruntime.write_graph(graph, empty / "fp32.onnx", output="logits")
        int8_onnx.static(empty / "fp32.onnx", target, batches=batches, operators=None)
    forward = in_onnxruntime.onnx_forward(target, threads=threads)
    longest = batches[0]["input_ids"].shape[1]
    return BatchedRanker(tokenizer, _always_padded(forward, longest), "onnxruntime", max_tokens=longest)


def _always_padded(forward, n_tokens: int):
    """Every batch is padded to that length, as a device of fixed shapes does."""

    def padded(batch: Batch) -> np.ndarray:
        missing = n_tokens - batch["input_ids"].shape[1]
        return forward({name: np.pad(values, ((0, 0), (0, missing))) for name, values in batch.items()})

    return padded
