"""The lists that a student learns from: one query with some of its scored pairs, as the student's tokens.

Lists of similar length are batched together, since short texts in a batch with long ones are mostly padding.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from utils.rank import ranker
from utils.rank.setting import LIST_SIZE

SORTED_TOGETHER = 16  # batches whose lists are sorted by length with each other


def encode(scored: Dataset, *, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> Dataset:
    """The pairs as the student's tokens, in memory, with `group`, `score` and their number of tokens."""

    def tokenize(batch: dict) -> dict[str, list]:
        texts = list(zip(batch["query"], batch["product"], strict=True))
        columns = ranker.encode(tokenizer, texts, max_tokens=max_tokens)
        return columns | {"n_tokens": [len(ids) for ids in columns["input_ids"]]}

    dropped = [name for name in scored.column_names if name not in ("group", "score")]
    return scored.map(
        tokenize, batched=True, batch_size=4096, remove_columns=dropped, keep_in_memory=True, new_fingerprint="encoded"
    )


class Lists(torch.utils.data.Dataset):
    """Lists in the order of training: entry i holds the columns of the pairs in `rows`[i]."""

    def __init__(self, pairs: Dataset, *, rows: Sequence[Sequence[int]]) -> None:
        self.columns = {name: pairs[name][:] for name in pairs.column_names}  # plain lists: looked up at every step
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> dict[str, list]:
        return {name: [values[row] for row in self.rows[i]] for name, values in self.columns.items()}


def draw_lists(encoded: Dataset, *, n_steps: int, lists_per_step: int, seed: int) -> Lists:
    """Lists of at most LIST_SIZE pairs of one group, every pair once before one comes again, and then in other lists.

    Each `lists_per_step` of them are a batch of similar length; batches come in random order of length.

    Args:
        encoded: a row for every pair, with `group` and `n_tokens`.
    """
    rng, n_lists = random.Random(seed), n_steps * lists_per_step
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(encoded["group"][:]):
        groups.setdefault(group, []).append(row)
    drawn: list[list[int]] = []
    while len(drawn) < n_lists:
        lists = [one for rows in groups.values() for one in _split(rng.sample(rows, len(rows)))]
        drawn += rng.sample(lists, min(len(lists), n_lists - len(drawn)))
    n_tokens = encoded["n_tokens"][:]
    longest = [max(n_tokens[row] for row in rows) for rows in drawn]
    order = _by_length(longest, lists_per_step=lists_per_step, rng=rng)
    columns = [name for name in encoded.column_names if name not in ("group", "n_tokens")]
    return Lists(encoded.select_columns(columns), rows=[drawn[i] for i in order])


def collate(lists: Sequence[Mapping[str, list]], *, tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """All pairs of some lists as one padded batch (n_pairs, n_tokens), and `labels` (n_lists, list_size).

    The labels are the teacher's scores, short lists filled with -inf.
    """
    columns = {name: [value for one in lists for value in one[name]] for name in lists[0] if name != "score"}
    scores = [torch.tensor(one["score"], dtype=torch.float32) for one in lists]
    filled = torch.nn.utils.rnn.pad_sequence(scores, batch_first=True, padding_value=-torch.inf)
    return dict(tokenizer.pad(columns, return_tensors="pt")) | {"labels": filled}


def _split(rows: Sequence[int]) -> list[list[int]]:
    """Rows in as few parts of at most LIST_SIZE as there can be, of one size or one apart."""
    n_parts = -(-len(rows) // LIST_SIZE)
    return [[int(row) for row in part] for part in np.array_split(rows, n_parts)]


def _by_length(longest: Sequence[int], *, lists_per_step: int, rng: random.Random) -> list[int]:
    """Numbers of the lists so that each `lists_per_step` are of similar length; batches at random in a stretch."""
    chunk, order = SORTED_TOGETHER * lists_per_step, []
    for start in range(0, len(longest), chunk):
        here = sorted(range(start, min(start + chunk, len(longest))), key=lambda i: longest[i])
        batches = [here[at : at + lists_per_step] for at in range(0, len(here), lists_per_step)]
        rng.shuffle(batches)
        order += [i for batch in batches for i in batch]
    return order
