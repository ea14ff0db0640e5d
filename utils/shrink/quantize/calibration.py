"""The texts on which ranges of activations are measured: from the train split alone, and refused when they are not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from utils.data.catalogue import Catalogue, rows_by_query, texts_of
from utils.rank.ranker import Batch, Pair, encode


def draw(catalogue: Catalogue, *, n_pairs: int, seed: int) -> list[Pair]:
    """Train pairs at random, one of each query in turn, so that no query speaks for all; fewer when there are fewer."""
    train = catalogue.pairs["train"]
    texts, rng = texts_of(train), random.Random(seed)
    waiting = [[texts[row] for row in rng.sample(rows, len(rows))] for rows in rows_by_query(train).values()]
    chosen: list[Pair] = []
    while waiting and len(chosen) < n_pairs:
        rng.shuffle(waiting)
        chosen += [pairs.pop() for pairs in waiting]
        waiting = [pairs for pairs in waiting if pairs]
    return chosen[:n_pairs]


def batches(
    pairs: Sequence[Pair],
    *,
    catalogue: Catalogue,
    tokenizer: PreTrainedTokenizerBase,
    max_tokens: int,
    batch_size: int = 1,
) -> list[Batch]:
    """Tokenized pairs, int64, each batch padded to its longest pair; a batch of one has no padding at all.

    Raises:
        ValueError: there are no pairs, or one is not a judged pair of the train split. Ranges measured on valid or
            test texts would fit the very texts that judge the result.
    """
    if not pairs:
        raise ValueError("calibration: no pairs; give some of the train split, see calibration.draw")
    train = catalogue.pairs["train"]
    allowed = set(texts_of(train))
    if foreign := next((pair for pair in pairs if tuple(pair) not in allowed), None):
        raise ValueError(
            f"calibration: the pair of query '{foreign[0]}' is not of the train split; "
            "calibrate on train pairs alone, see calibration.draw"
        )
    encoded = encode(tokenizer, pairs, max_tokens=max_tokens)
    order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
    return [
        _padded(tokenizer, encoded, rows=order[start : start + batch_size])
        for start in range(0, len(pairs), batch_size)
    ]


def _padded(tokenizer: PreTrainedTokenizerBase, encoded: dict[str, list], *, rows: Sequence[int]) -> Batch:
    chosen = {name: [values[row] for row in rows] for name, values in encoded.items()}
    padded = tokenizer.pad(chosen, padding=True, return_tensors="np")
    return {name: values.astype(np.int64) for name, values in padded.items()}
