"""The one interface of the course, `Ranker`, and the batching that every runtime shares.

A ranker scores (query, product) pairs. Which runtime multiplies the matrices is decided in `utils.rank.runtimes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from transformers import PreTrainedTokenizerBase

from utils.rank import tokens

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
        runtime: the name of the engine behind `forward`, for messages.
    """

    tokenizer: PreTrainedTokenizerBase
    forward: Callable[[Batch], np.ndarray]
    runtime: str
    max_tokens: int = 96
    batch_size: int = 32

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`.

        Raises:
            ValueError: a score is not a finite number.
        """
        scores = np.empty(len(pairs), dtype=np.float32)
        if not len(pairs):
            return scores
        encoded = encode(self.tokenizer, pairs, max_tokens=self.max_tokens)
        order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            batch = {name: [values[i] for i in rows] for name, values in encoded.items()}
            scores[rows] = self.forward(dict(self.tokenizer.pad(batch, padding=True, return_tensors="np")))
        if not np.isfinite(scores).all():
            place = int(np.flatnonzero(~np.isfinite(scores))[0])
            raise ValueError(
                f"{self.runtime}: the score of pair {place} is {scores[place]}, not a finite number; "
                "make the model folder again, or open it in another runtime"
            )
        return scores


def encode(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], *, max_tokens: int) -> dict[str, list[list[int]]]:
    """Token ids of each pair, not padded; the longer text is cut first until the pair has `max_tokens`.

    Every distinct text is tokenized once, since the products of one query share its text, and then put into its pairs.
    The tokenizer is changed on the way, so two threads must not share it.

    Raises:
        ValueError: `max_tokens` leaves no room for the special tokens.
    """
    frame = _frame(tokenizer)
    room = max_tokens - sum(side is None for _, _, side in frame)
    if room < 0:
        raise ValueError(f"max_tokens is {max_tokens}; the special tokens of a pair alone are {max_tokens - room}")
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    ids = dict(zip(texts, tokens.first_ids(tokenizer, texts, at_most=room + 1), strict=True))
    lengths = _lengths(tokenizer, pairs, ids=ids, room=room)
    columns: dict[str, list[list[int]]] = {"input_ids": [], "token_type_ids": [], "attention_mask": []}
    for pair in pairs:
        n_kept = _n_kept(*(lengths[text] for text in pair), room=room)
        sides = [ids[text][:n] for text, n in zip(pair, n_kept, strict=True)]
        parts = [([token] if side is None else sides[side], kind) for token, kind, side in frame]
        columns["input_ids"].append([token for part, _ in parts for token in part])
        columns["token_type_ids"].append([kind for part, kind in parts for _ in part])
        columns["attention_mask"].append([1] * len(columns["input_ids"][-1]))
    return {name: columns[name] for name in tokenizer.model_input_names}


def _frame(tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int, int | None]]:
    """What a pair is made of: the id and the type of each special token, and where the texts 0 and 1 stand (id unused).

    Learned from a pair of the tokenizer's own, for which it must neither pad nor truncate.
    """
    joined = tokens.plain(tokenizer).encode("a", "a")
    places = list(zip(joined.ids, joined.type_ids, joined.sequence_ids, strict=True))
    before = [None, *(side for _, _, side in places)]
    return [place for place, last in zip(places, before, strict=False) if place[2] is None or place[2] != last]


def _lengths(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], *, ids: dict[str, list[int]], room: int
) -> dict[str, int]:
    """The number of tokens of each text, exact where it decides: more than `room` is as good as `room` + 1.

    But when both texts of a pair have more, the longer one gets the odd token, so their whole lengths are counted.
    """
    lengths = {text: len(of_text) for text, of_text in ids.items()}
    if room % 2:
        both_long = {text for pair in pairs if all(lengths[text] > room for text in pair) for text in pair}
        lengths |= tokens.count(tokenizer, both_long)
    return lengths


def _n_kept(n_query: int, n_product: int, *, room: int) -> tuple[int, int]:
    """How many tokens of each text stay; the second text gets the odd one where both are as long."""
    if n_query + n_product <= room:
        return n_query, n_product
    shorter = min(n_query, n_product, room // 2)
    return (room - shorter, shorter) if n_query > n_product else (shorter, room - shorter)


def mean_tokens(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], *, max_tokens: int) -> float:
    """Mean number of tokens of a pair, the special ones included."""
    return float(np.mean([len(ids) for ids in encode(tokenizer, pairs, max_tokens=max_tokens)["input_ids"]]))


def pair_frame(tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int, int | None]]:
    """What this tokenizer makes a pair of, from left to right: (id, type, side) of each special token and each text.

    The side is None for a special token, 0 for the query and 1 for the product, whose ids stand in its place. The
    tokenizer is set to neither pad nor truncate.
    """
    return _frame(tokenizer)


def by_query(pairs: Sequence[Pair]) -> dict[str, list[int]]:
    """The places of each query's pairs, queries in the order of their first pair."""
    places: dict[str, list[int]] = {}
    for place, (query, _) in enumerate(pairs):
        places.setdefault(query, []).append(place)
    return places


def require_finite(scores: np.ndarray, *, runtime: str) -> None:
    """Refuse scores (n_pairs,) that are no order.

    Raises:
        ValueError: one is not a finite number; names the engine and the pair.
    """
    if not np.isfinite(scores).all():
        place = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(
            f"{runtime}: the score of pair {place} is {scores[place]}, not a finite number; "
            "make the model folder again, or open it in another runtime"
        )
