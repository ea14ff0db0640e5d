"""Batches without filler: the tokens of all pairs in one row, and where each pair begins.

Three functions, which are one another's proof: `unpad` packs, `repack` undoes it, and `block_diagonal` says which
tokens may see each other in a packed row.

Source: Zhai et al., "ByteTransformer", IPDPS 2023, https://arxiv.org/abs/2210.03052
"""

from __future__ import annotations

import torch
from torch import Tensor


def unpad(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Pack a padded batch: its real tokens in one row, pair after pair.

    Args:
        values: (n_pairs, n_tokens) ids, or (n_pairs, n_tokens, d_model) hidden states.
        mask: (n_pairs, n_tokens), nonzero where a token is real. Fillers may stand on either side.

    Returns:
        The row (n_real, ...), and cu_seqlens (n_pairs + 1,), int32: pair i lies in cu_seqlens[i] : cu_seqlens[i + 1].

    Raises:
        ValueError: the mask is not of the batch's shape.
    """
    if values.shape[:2] != mask.shape:
        raise ValueError(
            f"unpad: the mask is {tuple(mask.shape)} and the batch begins with {tuple(values.shape[:2])}; "
            "give the attention_mask of this very batch"
        )
    real = mask.bool()
    return values[real], cumulative(real.sum(dim=1))


def cumulative(lengths: Tensor) -> Tensor:
    """cu_seqlens (n_pairs + 1,), int32, of pairs that have these many tokens (n_pairs,): 0, then the sums so far."""
    sums = torch.zeros(len(lengths) + 1, dtype=torch.int32, device=lengths.device)
    sums[1:] = lengths.cumsum(0)
    return sums


def repack(flat: Tensor, cu_seqlens: Tensor, n_tokens: int) -> Tensor:
    """The padded batch (n_pairs, n_tokens, ...) of a packed row (n_real, ...); fillers are 0 and stand on the right.

    Raises:
        ValueError: a pair is longer than `n_tokens`, or the row has not as many tokens as `cu_seqlens` says.
    """
    starts, lengths = cu_seqlens[:-1].long(), cu_seqlens.diff().long()
    if len(flat) != int(cu_seqlens[-1]) or int(lengths.max()) > n_tokens:
        raise ValueError(
            f"repack: {len(flat)} tokens, of which cu_seqlens knows {int(cu_seqlens[-1])}; the longest pair has "
            f"{int(lengths.max())} and there is room for {n_tokens}"
        )
    row = torch.repeat_interleave(torch.arange(len(lengths), device=flat.device), lengths)  # (n_real,): its pair
    column = torch.arange(len(flat), device=flat.device) - starts[row]  # (n_real,): its place in that pair
    padded = flat.new_zeros(len(lengths), n_tokens, *flat.shape[1:])
    padded[row, column] = flat
    return padded


def block_diagonal(cu_seqlens: Tensor) -> Tensor:
    """Which tokens of a packed row may see each other: (n_real, n_real), True within one pair and nowhere else."""
    lengths = cu_seqlens.diff().long()
    pair = torch.repeat_interleave(torch.arange(len(lengths), device=cu_seqlens.device), lengths)  # (n_real,)
    return pair[:, None] == pair[None, :]


def positions(cu_seqlens: Tensor) -> Tensor:
    """The place of each token of a packed row within its own pair, (n_real,), int64: it starts at 0 in every pair."""
    starts, lengths = cu_seqlens[:-1].long(), cu_seqlens.diff().long()
    n_real = int(cu_seqlens[-1])
    return torch.arange(n_real, device=cu_seqlens.device) - torch.repeat_interleave(starts, lengths)


def filler_share(mask: Tensor) -> float:
    """The share of a padded batch that is filler, from its mask (n_pairs, n_tokens)."""
    return 1 - mask.bool().float().mean().item()
