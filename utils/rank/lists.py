"""The lists that a ranker learns from: one query with some of its products, as token ids.

Judged lists hold a product of the best label; scored ones share out a query's pairs. Lists of similar length are
batched together, since short texts in a batch with long ones are mostly padding. What is learned from them is decided
in `training` and, of a teacher's scores, in `utils.shrink.distil`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from utils.data.catalogue import rows_by_query
from utils.rank import ranker
from utils.rank.setting import LIST_SIZE

SORTED_TOGETHER = 16  # batches whose lists are sorted by length with each other
FILLING = {"gain": -1.0, "score": -torch.inf}  # of the short lists, by what is learned

Rows = list[int]  # of the pairs that make a list


class Lists(torch.utils.data.Dataset):
    """Lists in the order of training: entry i holds the columns of the pairs in `rows`[i]."""

    def __init__(self, encoded: Dataset, *, rows: Sequence[Rows]) -> None:
        self.columns = {name: encoded[name][:] for name in encoded.column_names}  # plain lists: read at every step
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> dict[str, list]:
        return {name: [values[row] for row in self.rows[i]] for name, values in self.columns.items()}


def encode(
    pairs: Dataset, *, tokenizer: PreTrainedTokenizerBase, max_tokens: int, keep: Sequence[str] = ("gain",)
) -> Dataset:
    """The pairs as token ids, in memory, with their number of tokens and the columns to `keep`."""

    def tokenize(batch: dict) -> dict[str, list]:
        texts = list(zip(batch["query"], batch["product"], strict=True))
        columns = ranker.encode(tokenizer, texts, max_tokens=max_tokens)
        return columns | {"n_tokens": [len(ids) for ids in columns["input_ids"]]}

    dropped = [name for name in pairs.column_names if name not in keep]
    return pairs.map(
        tokenize, batched=True, batch_size=4096, remove_columns=dropped, keep_in_memory=True, new_fingerprint="encoded"
    )


def draw_judged(gains: Sequence[float], *, groups: Sequence[Rows], n_lists: int, rng: random.Random) -> list[Rows]:
    """Lists of at most LIST_SIZE judged pairs of one query: one or two of the best label, the others at random.

    Queries come in random order and again when all were used, with other products.

    Args:
        gains: of every pair; groups: the rows of each query's judged pairs.

    Raises:
        ValueError: no query has two different labels.
    """
    usable = [rows for rows in groups if len({gains[row] for row in rows}) > 1]
    if not usable:
        raise ValueError("labels.csv: no train query has two different labels; judge good and bad products for some")
    drawn: list[Rows] = []
    while len(drawn) < n_lists:
        for rows in rng.sample(usable, min(len(usable), n_lists - len(drawn))):
            top = max(gains[row] for row in rows)
            best = [row for row in rows if gains[row] == top]
            chosen = rng.sample(best, min(2, len(best)))
            rest = [row for row in rows if row not in chosen]
            drawn.append(chosen + rng.sample(rest, min(LIST_SIZE - len(chosen), len(rest))))
    return drawn


def share_out(groups: Sequence[Rows], *, n_lists: int, rng: random.Random) -> list[Rows]:
    """Lists of at most LIST_SIZE pairs of one group, each pair once before one comes again, then in other lists."""
    drawn: list[Rows] = []
    while len(drawn) < n_lists:
        found = [one for rows in groups for one in _split(rng.sample(rows, len(rows)))]
        drawn += rng.sample(found, min(len(found), n_lists - len(drawn)))
    return drawn


def _split(rows: Rows) -> list[Rows]:
    """Rows in as few parts of at most LIST_SIZE as there can be, of one size or one apart."""
    n_parts = -(-len(rows) // LIST_SIZE)
    return [[int(row) for row in part] for part in np.array_split(rows, n_parts)]


def by_length(drawn: Sequence[Rows], *, n_tokens: Sequence[int], lists_per_step: int, rng: random.Random) -> list[Rows]:
    """The lists in an order in which each `lists_per_step` of them are of similar length.

    Only neighbours are sorted with each other, and the batches of a stretch come in random order.

    Args:
        n_tokens: of every pair.
    """
    longest = [max(n_tokens[row] for row in rows) for rows in drawn]
    order: list[int] = []
    for stretch in _parts(range(len(drawn)), SORTED_TOGETHER * lists_per_step):
        batches = _parts(sorted(stretch, key=longest.__getitem__), lists_per_step)
        rng.shuffle(batches)
        order += itertools.chain.from_iterable(batches)
    return [drawn[i] for i in order]


def _parts(places: Sequence[int], size: int) -> list[Sequence[int]]:
    return [places[start : start + size] for start in range(0, len(places), size)]


def collate(
    lists: Sequence[Mapping[str, list]], *, tokenizer: PreTrainedTokenizerBase, learned: str = "gain"
) -> dict[str, Tensor]:
    """All pairs of some lists as one padded batch (n_pairs, n_tokens), and `labels` (n_lists, list_size).

    Args:
        learned: the column that becomes `labels`; short lists are filled with FILLING.
    """
    inputs = [name for name in tokenizer.model_input_names if name in lists[0]]
    columns = {name: [value for one in lists for value in one[name]] for name in inputs}
    return dict(tokenizer.pad(columns, return_tensors="pt")) | {"labels": filled(lists, learned)}


def filled(lists: Sequence[Mapping[str, list]], name: str) -> Tensor:
    """A column of some lists as (n_lists, list_size), float32, short lists filled with FILLING."""
    values = [torch.tensor(one[name], dtype=torch.float32) for one in lists]
    return torch.nn.utils.rnn.pad_sequence(values, batch_first=True, padding_value=FILLING[name])


def judged_batches(
    pairs: Dataset,
    *,
    tokenizer: PreTrainedTokenizerBase,
    max_tokens: int,
    n_lists: int,
    lists_per_batch: int = 1,
    seed: int = 0,
) -> list[dict[str, Tensor]]:
    """Some judged lists as batches, for whoever needs the loss or its gradient and trains nothing."""
    groups = list(rows_by_query(pairs).values())
    encoded = encode(pairs, tokenizer=tokenizer, max_tokens=max_tokens)
    rows = draw_judged(pairs["gain"][:], groups=groups, n_lists=n_lists, rng=random.Random(seed))
    drawn = Lists(encoded, rows=rows)
    return [
        collate([drawn[i] for i in batch], tokenizer=tokenizer) for batch in _parts(range(n_lists), lists_per_batch)
    ]
