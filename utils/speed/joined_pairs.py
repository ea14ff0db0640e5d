"""Pairs put together from ids that lie elsewhere, without a loop over pairs: which ids, in which order, in which batch.

The rule is that of `ranker.encode`: the longer text is cut first. Nothing is tokenized here but what is not stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from transformers import PreTrainedTokenizerBase

from utils.rank import tokens
from utils.rank.ranker import Batch, Pair
from utils.speed.token_store import TokenStore

TOGETHER = 64  # batches whose ids are in memory at a time
QUERY, PRODUCT = 0, 1  # the sides of a pair

Frame = Sequence[
    tuple[int, int, int | None]
]  # (id, type, side) from left to right; the side of a special token is None


def kept_lengths(n_query, n_product, *, room: int) -> tuple[np.ndarray, np.ndarray]:
    """How many ids of each text stay, of one pair or of many; the product gets the odd one where both are as long.

    Args:
        n_query, n_product: numbers of tokens, (n_pairs,) or one number each.
        room: tokens that both texts of a pair may have together.
    """
    shorter = np.minimum(np.minimum(n_query, n_product), room // 2)
    fits, query_is_longer = np.add(n_query, n_product) <= room, np.greater(n_query, n_product)
    of_query = np.where(query_is_longer, room - shorter, shorter)
    return np.where(fits, n_query, of_query), np.where(fits, n_product, room - of_query)


@dataclass(frozen=True)
class JoinedPairs:
    """Where the ids of each pair's texts lie, and how many of them it gets.

    Attributes:
        starts, kept: of the query and of the product, (n_pairs,) each: the place of the first id, and their number.
        is_stored: whether the product's ids lie in `stored`, (n_pairs,); all others lie in `fresh`.
        lengths: tokens of each pair, the special ones included, (n_pairs,).
    """

    frame: Frame
    starts: tuple[np.ndarray, np.ndarray]
    kept: tuple[np.ndarray, np.ndarray]
    is_stored: np.ndarray
    stored: np.ndarray
    fresh: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        return self.kept[QUERY] + self.kept[PRODUCT] + sum(side is None for _, _, side in self.frame)

    def batches(self, batch_size: int, *, tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple[np.ndarray, Batch]]:
        """Padded batches of int64 arrays (n_pairs, n_tokens), shortest pairs first, and the places of their pairs."""
        lengths = self.lengths
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(order), batch_size * TOGETHER):
            group = order[start : start + batch_size * TOGETHER]
            columns, ends = self._flat(group, lengths=lengths[group]), np.cumsum(lengths[group])
            for first in range(0, len(group), batch_size):
                places = group[first : first + batch_size]
                end = ends[first + len(places) - 1]
                some = slice(ends[first] - lengths[places[0]], end)
                part = {name: values[some] for name, values in columns.items()}
                yield places, padded(part, lengths=lengths[places], tokenizer=tokenizer)

    def _flat(self, places: np.ndarray, *, lengths: np.ndarray) -> dict[str, np.ndarray]:
        """Ids and types of these pairs, one pair after the other and without padding: (n_tokens,) each."""
        n_tokens = int(lengths.sum())
        ids, kinds = np.empty(n_tokens, dtype=np.int64), np.zeros(n_tokens, dtype=np.int64)
        at = np.cumsum(lengths) - lengths  # where the next part of each pair begins
        for token, kind, side in self.frame:
            if side is None:
                targets, values, at = at, token, at + 1
            else:
                kept = self.kept[side][places]
                targets, values, at = _runs(at, kept), self._ids(side, places, kept), at + kept
            ids[targets] = values
            if kind:
                kinds[targets] = kind
        return {"input_ids": ids, "token_type_ids": kinds}

    def _ids(self, side: int, places: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """The ids of one text of these pairs, one pair after the other."""
        sources = _runs(self.starts[side][places], kept)
        if side == QUERY:
            return self.fresh[sources]
        is_stored = self.is_stored[places]
        if is_stored.all():
            return self.stored[sources]
        is_stored, ids = np.repeat(is_stored, kept), np.empty(len(sources), dtype=np.int64)
        ids[is_stored], ids[~is_stored] = self.stored[sources[is_stored]], self.fresh[sources[~is_stored]]
        return ids


def lay_out(
    pairs: Sequence[Pair], *, store: TokenStore, tokenizer: PreTrainedTokenizerBase, frame: Frame, room: int
) -> JoinedPairs:
    """Look the products up, tokenize the distinct queries and the products that are not stored, and divide the room.

    Args:
        store: keeps more than `room` ids of a text.
    """
    queries, products = zip(*pairs, strict=True)
    rows = store.index.rows(products)
    missing = np.flatnonzero(rows < 0).tolist()
    texts = list(dict.fromkeys([*queries, *(products[place] for place in missing)]))
    ids = tokens.first_ids(tokenizer, texts, at_most=room + 1)
    ends = np.cumsum([len(of_text) for of_text in ids]).tolist()
    span = {text: (end - len(of_text), end) for text, of_text, end in zip(texts, ids, ends, strict=True)}
    of_queries, of_products = _spans(queries, span), np.stack([store.starts[rows], store.starts[rows + 1]])
    if missing:
        of_products[:, missing] = _spans([products[place] for place in missing], span)
    lengths = [np.minimum(end - start, room + 1) for start, end in (of_queries, of_products)]
    lengths = _exact_where_both_are_long(lengths, pairs, room=room, tokenizer=tokenizer)
    return JoinedPairs(
        frame=frame,
        starts=(of_queries[0], of_products[0]),
        kept=kept_lengths(*lengths, room=room),
        is_stored=rows >= 0,
        stored=store.ids,
        fresh=np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=ends[-1]),
    )


def padded(columns: Mapping[str, np.ndarray], *, lengths: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> Batch:
    """A batch as `tokenizer.pad` would make it, of the longest pair's width.

    Args:
        columns: input_ids and token_type_ids of the pairs, one after the other: (lengths.sum(),) each.
        lengths: tokens of each pair, (n_pairs,).
    """
    width = int(lengths.max())
    places = np.arange(width)
    filled = places < lengths[:, None] if tokenizer.padding_side == "right" else places >= width - lengths[:, None]
    fillers = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    batch = {"attention_mask": filled.astype(np.int64)}
    for name, filler in fillers.items():
        if name in tokenizer.model_input_names:
            batch[name] = np.full(filled.shape, filler, dtype=np.int64)
            batch[name][filled] = columns[name]
    return {name: batch[name] for name in tokenizer.model_input_names}


def _spans(texts: Sequence[str], span: Mapping[str, tuple[int, int]]) -> np.ndarray:
    """Start and end of each text's ids: (2, n_texts)."""
    return np.array([span[text] for text in texts], dtype=np.int64).T


def _exact_where_both_are_long(
    lengths: list[np.ndarray], pairs: Sequence[Pair], *, room: int, tokenizer: PreTrainedTokenizerBase
) -> list[np.ndarray]:
    """The lengths of both texts, where more than `room` stands as `room` + 1 unless it decides.

    It decides where both texts of a pair have more and the room is odd: then the longer one gets the odd token.
    """
    both = np.flatnonzero((lengths[QUERY] > room) & (lengths[PRODUCT] > room)) if room % 2 else []
    if len(both):
        whole = tokens.count(tokenizer, {text for place in both for text in pairs[place]})
        for side, of_side in enumerate(lengths):
            of_side[both] = [whole[pairs[place][side]] for place in both]
    return lengths


def _runs(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """All places of runs, one run after the other: starts[i], starts[i] + 1, ... lengths[i] of them."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(int(ends[-1]))
