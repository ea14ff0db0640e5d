"""The one interface of the course, `Ranker`, and the batching that every runtime shares.

A ranker scores (query, product) pairs. Which runtime multiplies the matrices is decided in `utils.rank.runtimes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from transformers import PreTrainedTokenizerBase

Pair = tuple[str, str]
Batch = dict[str, np.ndarray]


class Ranker(Protocol):
    """Whatever scores pairs: higher is better, one float32 score a pair, in the order given."""

    def score(self, pairs: Sequence[Pair]) -> np.ndarray: ...


@dataclass
class BatchedRanker:
    """A ranker that sorts pairs by length, pads each batch to its longest pair, and returns the order it was given.

    Attributes:
        forward: takes input_ids, attention_mask and token_type_ids (n_pairs, n_tokens), gives logits (n_pairs,).
        runtime, precision: names for the ledger.
    """

    tokenizer: PreTrainedTokenizerBase
    forward: Callable[[Batch], np.ndarray]
    runtime: str
    precision: str = "fp32"
    max_tokens: int = 96
    batch_size: int = 32
    threads: int = 1
    pad_to_max: bool = field(default=False)

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`."""
        scores = np.empty(len(pairs), dtype=np.float32)
        if not len(pairs):
            return scores
        encoded = encode(self.tokenizer, pairs, max_tokens=self.max_tokens)
        order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            scores[rows] = self.forward(
                self._pad({name: [values[i] for i in rows] for name, values in encoded.items()})
            )
        return scores

    def _pad(self, batch: dict[str, list]) -> Batch:
        """`pad_to_max` exists to show in notebook 02 what padding to the longest of all pairs costs."""
        how = {"padding": "max_length", "max_length": self.max_tokens} if self.pad_to_max else {"padding": True}
        return dict(self.tokenizer.pad(batch, return_tensors="np", **how))


def encode(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], *, max_tokens: int) -> dict[str, list[list[int]]]:
    """Token ids of each pair, not padded; the longer text is cut first until the pair has `max_tokens`.

    Every distinct text is tokenized once, since the products of one query share its text, and then put into its pairs.
    The tokenizer is changed on the way, so two threads must not share it.
    """
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    found = dict(zip(texts, backend.encode_batch_fast(texts, add_special_tokens=False), strict=True))
    backend.enable_truncation(max_tokens, strategy="longest_first")
    joined = [backend.post_process(found[query], found[product]) for query, product in pairs]
    columns = {"input_ids": "ids", "token_type_ids": "type_ids", "attention_mask": "attention_mask"}
    return {name: [getattr(one, columns[name]) for one in joined] for name in tokenizer.model_input_names}


def mean_tokens(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], *, max_tokens: int) -> float:
    """Mean number of tokens of a pair, the special ones included."""
    return float(np.mean([len(ids) for ids in encode(tokenizer, pairs, max_tokens=max_tokens)["input_ids"]]))
