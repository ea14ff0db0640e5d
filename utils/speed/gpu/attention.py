"""Attention over a packed row, in which every token sees its own pair: one formula, a kernel for each device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from utils.speed.gpu import packing


@dataclass(frozen=True)
class Segments:
    """Where the pairs of a packed row lie.

    Attributes:
        cu_seqlens: (n_pairs + 1,), on the device of the row.
        runs: (n_pairs, n_tokens) of each run of neighbours that are equally long, known to the host.
        longest: tokens that no pair exceeds; a bound will do, so that a compiled kernel fits every batch.
    """

    cu_seqlens: Tensor
    runs: tuple[tuple[int, int], ...]
    longest: int

    @classmethod
    def of(cls, cu_seqlens: Tensor, *, lengths: Sequence[int], longest: int = 0) -> Segments:
        """Those of pairs with these many tokens, of which `longest` is a bound; 0: the longest of them is."""
        runs = tuple((len(list(same)), n_tokens) for n_tokens, same in groupby(lengths))
        return cls(cu_seqlens, runs, longest or max(lengths))


def attend(query: Tensor, key: Tensor, value: Tensor, *, segments: Segments) -> Tensor:
    """What each token of a packed row gathers from its own pair; all tensors are (n_real, n_heads, d_head).

    On a card by one kernel over a nested tensor, which is FlashAttention where the precision has it; elsewhere run by
    run. Both are held to the block-diagonal mask by a test.
    """
    kernel = by_nested if query.is_cuda else by_runs
    return kernel(query, key, value, segments=segments)


def by_runs(query: Tensor, key: Tensor, value: Tensor, *, segments: Segments) -> Tensor:
    """Neighbours that are equally long are a rectangle already: one call for each run of them, and no mask."""
    gathered, start = [], 0
    for n_pairs, n_tokens in segments.runs:
        end = start + n_pairs * n_tokens
        parts = (part[start:end].unflatten(0, (n_pairs, n_tokens)).transpose(1, 2) for part in (query, key, value))
        gathered.append(scaled_dot_product_attention(*parts).transpose(1, 2).flatten(0, 1))
        start = end
    return torch.cat(gathered)


def by_nested(query: Tensor, key: Tensor, value: Tensor, *, segments: Segments) -> Tensor:
    """All pairs in one call, as nested tensors of layout `jagged`: a row, and where each pair begins.

    Source: Dao et al., "FlashAttention", NeurIPS 2022, https://arxiv.org/abs/2205.14135 (kernel for rows of any length)
    """
    bounds = {"min_seqlen": 1, "max_seqlen": segments.longest}
    nested = (
        torch.nested.nested_tensor_from_jagged(part, segments.cu_seqlens.long(), **bounds).transpose(1, 2)
        for part in (query, key, value)
    )
    return scaled_dot_product_attention(*nested).transpose(1, 2).values()


def by_mask(query: Tensor, key: Tensor, value: Tensor, *, segments: Segments) -> Tensor:
    """The definition, by `packing.block_diagonal`: right, and its work grows with the square of the whole row."""
    seen = packing.block_diagonal(segments.cu_seqlens)
    parts = (part.transpose(0, 1)[None] for part in (query, key, value))  # (1, n_heads, n_real, d_head)
    return scaled_dot_product_attention(*parts, attn_mask=seen)[0].transpose(0, 1)
