"""How pairs become batches: in the order given, by length, of few shapes, or packed. A `Layout` knows all of it.

What a layout decides is how much filler a device multiplies, and how many shapes it meets; scores are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.speed.gpu import packing
from utils.speed.gpu.attention import Segments
from utils.speed.gpu.packed_model import PackedClassifier

Encoded = dict[str, list[list[int]]]
MULTIPLE = 8  # of tokens, in buckets; units for matrices of 16-bit numbers work on multiples of 8


@dataclass(frozen=True)
class Batch:
    """Tensors on the host, and what only the host has to know of them: the pairs' tokens, and their number."""

    tensors: dict[str, Tensor]
    lengths: tuple[int, ...]

    @property
    def n_computed(self) -> int:
        """Tokens that are multiplied, fillers included."""
        return self.tensors["input_ids"].numel()

    @property
    def n_real(self) -> int:
        """Tokens that say something."""
        return sum(self.lengths)


@dataclass(frozen=True)
class Layout:
    """One way of putting pairs into batches.

    Attributes:
        order: the rows in the order in which they are cut into batches, from the pairs' lengths.
        collate: a batch from encoded pairs.
        module: what computes such batches, from a model.
        forward: logits (n_pairs, 1) of a batch whose tensors are on the device.
    """

    name: str
    order: Callable[[Sequence[int]], np.ndarray]
    collate: Callable[[Encoded], Batch]
    module: Callable[[PreTrainedModel], nn.Module]
    forward: Callable[[nn.Module, Batch], Tensor]

    def batches(self, encoded: Encoded, *, batch_size: int) -> list[tuple[np.ndarray, Batch]]:
        """(rows, batch) of all pairs, in the layout's order."""
        order = self.order([len(ids) for ids in encoded["input_ids"]])
        cut = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        return [(rows, self.collate({name: [of[i] for i in rows] for name, of in encoded.items()})) for rows in cut]


def padded(tokenizer: PreTrainedTokenizerBase) -> Layout:
    """In the order given; a batch is as wide as its longest pair."""
    return Layout("padded", _as_given, partial(_pad, tokenizer), _itself, _run_padded)


def sorted_by_length(tokenizer: PreTrainedTokenizerBase) -> Layout:
    """Pairs of like length together, so that a batch has little filler."""
    return Layout("length-sorted", _by_length, partial(_pad, tokenizer), _itself, _run_padded)


def bucketed(tokenizer: PreTrainedTokenizerBase, *, n_rows: int) -> Layout:
    """Sorted; widths are multiples of 8, and every batch has `n_rows` rows: few shapes, for what records kernels.

    CUDA graphs replay one recorded shape, and a compiler makes code for each. Rows that fill up have one token each.
    """
    return Layout("bucketed", _by_length, partial(_pad_to_shape, tokenizer, n_rows=n_rows), _itself, _run_padded)


def packed(*, longest: int = 0) -> Layout:
    """No filler: the tokens of all pairs of a batch in one row, pairs of like length together.

    Args:
        longest: a bound on the tokens of a pair, the same for all batches; 0: each batch's own.
    """
    return Layout("packed", _by_length, _pack, PackedClassifier, partial(_run_packed, longest=longest))


def token_counts(layout: Layout, queries: Sequence[Encoded], *, batch_size: int) -> list[tuple[int, int]]:
    """(real tokens, tokens that are computed) of each batch of every query's pairs, in the layout's order."""
    made = [batch for encoded in queries for _, batch in layout.batches(encoded, batch_size=batch_size)]
    return [(batch.n_real, batch.n_computed) for batch in made]


def filler(counts: Sequence[tuple[int, int]]) -> float:
    """The share of what is computed that is filler, from `token_counts`."""
    return 1 - sum(real for real, _ in counts) / sum(computed for _, computed in counts)


def _as_given(lengths: Sequence[int]) -> np.ndarray:
    return np.arange(len(lengths))


def _by_length(lengths: Sequence[int]) -> np.ndarray:
    return np.argsort(lengths, kind="stable")


def _itself(model: PreTrainedModel) -> nn.Module:
    return model


def _pad(tokenizer: PreTrainedTokenizerBase, encoded: Encoded) -> Batch:
    width = max(map(len, encoded["input_ids"]))
    return _filled(tokenizer, encoded, n_rows=len(encoded["input_ids"]), width=width)


def _pad_to_shape(tokenizer: PreTrainedTokenizerBase, encoded: Encoded, *, n_rows: int) -> Batch:
    width = -(-max(map(len, encoded["input_ids"])) // MULTIPLE) * MULTIPLE
    return _filled(tokenizer, encoded, n_rows=n_rows, width=width)


def _filled(tokenizer: PreTrainedTokenizerBase, encoded: Encoded, *, n_rows: int, width: int) -> Batch:
    filling = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    tensors = {}
    for name, rows in encoded.items():
        whole = np.full((n_rows, width), filling.get(name, 0))
        for row, ids in enumerate(rows):
            whole[row, : len(ids)] = ids
        tensors[name] = torch.from_numpy(whole)
    tensors["attention_mask"][len(encoded["input_ids"]) :, 0] = 1  # a row without any token has no softmax
    return Batch(tensors, tuple(map(len, encoded["input_ids"])))


def _pack(encoded: Encoded) -> Batch:
    lengths = tuple(map(len, encoded["input_ids"]))
    kept = [name for name in encoded if name != "attention_mask"]  # there is nothing to mask
    flat = {name: np.concatenate([np.asarray(ids) for ids in encoded[name]]) for name in kept}
    flat["position_ids"] = np.concatenate([np.arange(n) for n in lengths])
    tensors = {name: torch.from_numpy(values) for name, values in flat.items()}
    return Batch(tensors | {"cu_seqlens": packing.cumulative(torch.tensor(lengths))}, lengths)


def _run_padded(module: nn.Module, batch: Batch) -> Tensor:
    """With a mask of three dimensions: of one with two, transformers asks whether any is 0, and the host waits."""
    mask = batch.tensors["attention_mask"][:, None]  # (n_pairs, 1, n_tokens)
    return module(**batch.tensors | {"attention_mask": mask}).logits[: len(batch.lengths)]


def _run_packed(module: nn.Module, batch: Batch, *, longest: int) -> Tensor:
    named = dict(batch.tensors)
    segments = Segments.of(named.pop("cu_seqlens"), lengths=batch.lengths, longest=longest)
    return module(**named, segments=segments)
