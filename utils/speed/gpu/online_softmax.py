"""Softmax read block by block, in one pass and with three numbers of memory: the idea behind FlashAttention."""

from __future__ import annotations

import torch
from torch import Tensor


def online_softmax(scores: Tensor, values: Tensor, *, block: int) -> Tensor:
    """softmax(scores) @ values, of which at most `block` scores are looked at together.

    What is kept between two blocks is the largest score so far, the sum of the exponentials, and the weighted sum of
    the values. When a block brings a larger score, the two sums are scaled down by the difference: they are then what
    they would have been, had the larger one been known from the start.

    Args:
        scores: (..., n_keys); -inf masks a key. A row that is masked whole gives 0, where softmax would give NaN.
        values: (n_keys, d).

    Returns:
        (..., d).

    Raises:
        ValueError: no room for a single score, or not a value for every score.

    Source: Milakov, Gimelshein, "Online normalizer calculation for softmax", 2018, https://arxiv.org/abs/1805.02867;
    Dao et al., "FlashAttention", NeurIPS 2022, https://arxiv.org/abs/2205.14135
    """
    if block < 1 or scores.shape[-1] != len(values):
        raise ValueError(
            f"online_softmax: {scores.shape[-1]} scores, {len(values)} values, blocks of {block}; "
            "give a value for every score, and blocks of 1 at least"
        )
    largest = scores.new_full((*scores.shape[:-1], 1), -torch.inf)
    total = torch.zeros_like(largest)
    weighted = scores.new_zeros(*scores.shape[:-1], values.shape[1])
    for start in range(0, len(values), block):
        part = scores[..., start : start + block]
        now = torch.maximum(largest, part.amax(dim=-1, keepdim=True))
        known = now.masked_fill(now == -torch.inf, 0)  # -inf less -inf would be NaN
        shrink, exponentials = torch.exp(largest - known), torch.exp(part - known)
        total = total * shrink + exponentials.sum(dim=-1, keepdim=True)
        weighted = weighted * shrink + exponentials @ values[start : start + block]
        largest = now
    return weighted / total.clamp_min(torch.finfo(total.dtype).tiny)
