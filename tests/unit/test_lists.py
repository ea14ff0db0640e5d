"""Lists hold one query's pairs, judged ones a best product; batches hold lists of similar length, kept apart."""

import random

import numpy as np
import pytest
from datasets import Dataset
from made import batch_of
from transformers import AutoTokenizer

from utils.rank import lists, models


def groups_of(sizes):
    """The rows of groups of these sizes, one after the other."""
    ends = np.cumsum(sizes)
    return [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


def draw_judged(gains, *, n_lists, seed=0, size=4):
    groups = groups_of([size] * (len(gains) // size))
    return lists.draw_judged(gains, groups=groups, n_lists=n_lists, rng=random.Random(seed))


def test_judged_lists_hold_a_best_product_and_no_product_twice():
    gains = [0, 1, 0, 0] * 6
    drawn = draw_judged(gains, n_lists=15)
    assert len(drawn) == 15 and len({rows[0] // 4 for rows in drawn}) == 6
    for rows in drawn:
        assert len(set(rows)) == 4 and max(gains[row] for row in rows) == 1 and len({row // 4 for row in rows}) == 1
    assert drawn != draw_judged(gains, n_lists=15, seed=1)


def test_a_long_query_gives_lists_of_other_products_each_time_and_of_the_size_of_a_list():
    drawn = draw_judged([1] + [0] * 19, n_lists=5, size=20)
    assert {len(rows) for rows in drawn} == {lists.LIST_SIZE} and len({tuple(sorted(rows)) for rows in drawn}) == 5


def test_queries_without_two_labels_cannot_be_drawn():
    with pytest.raises(ValueError, match="two different labels"):
        draw_judged([0] * 12, n_lists=2)


def test_shared_out_lists_hold_one_group_and_every_pair_comes_once_before_one_comes_again():
    groups = groups_of([20, 8, 3, 9, 1])
    once = lists.share_out(groups, n_lists=8, rng=random.Random(0))
    assert sorted(map(len, once)) == [1, 3, 4, 5, 6, 7, 7, 8]
    assert sorted(row for rows in once for row in rows) == list(range(41))
    assert all(any(set(rows) <= set(group) for group in groups) for rows in once)
    twice = lists.share_out(groups, n_lists=16, rng=random.Random(0))
    assert set(np.bincount([row for rows in twice for row in rows], minlength=41)) == {2}
    assert len({tuple(sorted(rows)) for rows in twice}) > 10, "the second time in other lists"


def test_batches_hold_lists_of_similar_length_and_come_in_mixed_order():
    lengths, rng = np.random.default_rng(0).integers(10, 60, 64), random.Random(0)
    drawn = groups_of([8] * 64)
    n_tokens = [int(lengths[row // 8]) for row in range(8 * 64)]
    ordered = lists.by_length(drawn, n_tokens=n_tokens, lists_per_step=4, rng=rng)
    assert sorted(ordered) == drawn
    longest = np.array([n_tokens[rows[0]] for rows in ordered]).reshape(16, 4)
    padding = longest.max(axis=1).sum() * 4 - longest.sum()
    assert padding < 0.1 * longest.sum() < 64 * lengths.max() - longest.sum()
    assert np.any(np.diff(longest.max(axis=1)) < 0) and np.any(np.diff(longest.max(axis=1)) > 0)


def test_a_batch_keeps_lists_of_different_length_apart():
    tokenizer = AutoTokenizer.from_pretrained(models.resolve())
    batch = batch_of([("a", {"b": 1, "c": 0}), ("a", {"b": 2})], tokenizer=tokenizer)
    assert batch["input_ids"].shape == (3, 5)
    assert batch["labels"].tolist() == [[1.0, 0.0], [2.0, -1.0]]


def test_encoding_cuts_to_the_limit_counts_tokens_and_keeps_the_columns_asked_for():
    tokenizer = AutoTokenizer.from_pretrained(models.resolve())
    pairs = Dataset.from_dict(
        {"query": ["red", "red"], "product": ["sofa", "sofa " * 40], "gain": [1, 0], "kind": ["", ""]}
    )
    encoded = lists.encode(pairs, tokenizer=tokenizer, max_tokens=12)
    assert encoded["n_tokens"][:] == [5, 12] and encoded["gain"][:] == [1, 0]
    assert not {"query", "product", "kind"} & set(encoded.column_names)
