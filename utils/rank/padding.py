"""A ranker whose batches are all padded to the token limit, to show what that costs; nothing else should want it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from utils.rank.ranker import Batch, BatchedRanker


def pad_to_limit(ranker: BatchedRanker) -> BatchedRanker:
    """The same ranker, but that every batch has `max_tokens` columns, however short its pairs are."""
    tokenizer = ranker.tokenizer
    filling = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id, "attention_mask": 0}

    def forward(batch: Batch) -> np.ndarray:
        return ranker.forward({name: widen(values, filling[name]) for name, values in batch.items()})

    def widen(values: np.ndarray, value: int) -> np.ndarray:
        missing = (0, ranker.max_tokens - values.shape[1])
        columns = missing if tokenizer.padding_side == "right" else missing[::-1]
        return np.pad(values, ((0, 0), columns), constant_values=value)

    return replace(ranker, forward=forward)
