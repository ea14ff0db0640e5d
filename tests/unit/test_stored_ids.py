"""A ranker with stored ids hands its model what `BatchedRanker` does, and refuses a store that is not of its model."""

import copy
import shutil

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from utils.rank import ranker, runtimes
from utils.rank.ranker import BatchedRanker
from utils.speed import stored_ids, token_store
from utils.speed.stored_ids import StoredIdsRanker

PRODUCTS = [f"couch number {i} {'velvet ' * (i % 5)}" for i in range(23)]
LIMITS = {"threads": 1, "max_tokens": 32, "batch_size": 5, "device": "cpu"}
WORDS = st.lists(st.sampled_from(["red", "sofas", "é", "unbelievable", "漢字", "👟", "x"]), max_size=14).map(" ".join)


class Seen:
    """A forward that keeps the batches it was given, and scores a pair by its tokens."""

    def __init__(self):
        self.batches = []

    def __call__(self, batch):
        self.batches.append(batch)
        return (batch["input_ids"] * batch["attention_mask"]).sum(axis=1) % 1009 + batch["token_type_ids"].sum(axis=1)


@pytest.fixture(scope="module")
def tokenizer(small_folder):
    return runtimes.open_ranker(small_folder, runtime="pytorch", threads=1, max_tokens=32).tokenizer


@pytest.fixture(scope="module")
def store(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "ids"
    texts = [*PRODUCTS, "", "red " * 40, "sofas red " * 8]
    return token_store.build(texts, tokenizer=tokenizer, folder=folder, at_most=40)


def both(tokenizer, store, *, max_tokens, batch_size):
    """Both rankers, which keep what their forwards see."""
    limits = {"max_tokens": max_tokens, "batch_size": batch_size}
    batched = BatchedRanker(tokenizer, Seen(), "toy", **limits)
    return batched, StoredIdsRanker(tokenizer, Seen(), "toy", store, **limits)


def assert_same(batched, stored, pairs):
    np.testing.assert_array_equal(stored.score(pairs), batched.score(pairs))
    assert len(stored.forward.batches) == len(batched.forward.batches)
    for mine, theirs in zip(stored.forward.batches, batched.forward.batches, strict=True):
        assert list(mine) == list(theirs)
        for name, values in theirs.items():
            np.testing.assert_array_equal(mine[name], values)
            assert mine[name].dtype == values.dtype == np.int64


@pytest.mark.parametrize("side", ["right", "left"])
def test_batches_are_to_the_bit_those_of_the_batched_ranker(tokenizer, store, side):
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.padding_side = side
    pairs = [(f"red sofa {i % 3}", product) for i, product in enumerate(PRODUCTS)]
    assert_same(*both(tokenizer, store, max_tokens=16, batch_size=4), pairs)


@hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@hypothesis.given(
    queries=st.lists(WORDS, min_size=1, max_size=3),
    products=st.lists(st.one_of(WORDS, st.sampled_from([*PRODUCTS, "", "red " * 40])), min_size=1, max_size=12),
    max_tokens=st.integers(3, 24),
    batch_size=st.integers(1, 6),
)
def test_any_pairs_stored_or_not_are_cut_and_joined_by_the_same_rule(
    tokenizer, store, queries, products, max_tokens, batch_size
):
    pairs = [(query, product) for query in queries for product in products]
    assert_same(*both(tokenizer, store, max_tokens=max_tokens, batch_size=batch_size), pairs)


@pytest.mark.parametrize("n_words", [39, 40, 41])
def test_where_both_texts_are_too_long_the_longer_whole_text_gets_the_odd_token(tokenizer, store, n_words):
    pairs = [("sofas " * n_words, "red " * 40), ("x", "red " * 40)]
    for max_tokens in (14, 15, 16):
        assert_same(*both(tokenizer, store, max_tokens=max_tokens, batch_size=2), pairs)


def test_more_pairs_than_are_laid_out_at_a_time_keep_their_scores(tokenizer, store):
    pairs = [(f"sofa {i % 7}", PRODUCTS[i % len(PRODUCTS)]) for i in range(150)]
    assert_same(*both(tokenizer, store, max_tokens=12, batch_size=2), pairs)  # 75 batches


def test_a_stored_product_is_not_tokenized_and_one_whose_text_changed_is(tokenizer, store, monkeypatch):
    from utils.speed import joined_pairs

    asked = []
    first_ids = joined_pairs.tokens.first_ids
    spy = lambda tokenizer, texts, **how: asked.append(list(texts)) or first_ids(tokenizer, texts, **how)  # noqa: E731
    monkeypatch.setattr(joined_pairs.tokens, "first_ids", spy)
    _, stored = both(tokenizer, store, max_tokens=32, batch_size=8)
    changed = PRODUCTS[1].replace("couch", "chair")
    old, new = stored.score([("red", PRODUCTS[0]), ("red", PRODUCTS[1])]), stored.score([("red", changed)])
    assert asked == [["red"], ["red", changed]]
    assert new[0] != old[1]


def test_one_pair_joined_by_hand_is_what_the_batched_ranker_encodes(tokenizer):
    frame = ranker.pair_frame(tokenizer)
    for pair in [("red sofa", "a couch"), ("red " * 9, "sofa " * 9), ("red " * 20, "sofa"), ("red", "sofa " * 8)]:
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in pair]
        for max_tokens in (9, 12, 13):
            expected = ranker.encode(tokenizer, [pair], max_tokens=max_tokens)["input_ids"][0]
            assert stored_ids.join(*ids, frame=frame, room=max_tokens - 3) == expected


def test_no_pairs_give_no_scores_and_too_small_a_limit_is_refused(tokenizer, store):
    _, stored = both(tokenizer, store, max_tokens=2, batch_size=4)
    assert stored.score([]).shape == (0,)
    with pytest.raises(ValueError, match="max_tokens is 2; the special tokens of a pair alone are 3"):
        stored.score([("red", "sofa")])


def test_a_store_with_fewer_ids_than_a_pair_may_need_is_refused(tokenizer, store):
    _, stored = both(tokenizer, store, max_tokens=43, batch_size=4)
    with pytest.raises(ValueError, match="the store has 40 ids of a text; 43 tokens need 41"):
        stored.score([("red", "sofa")])


def test_a_score_that_is_not_finite_is_refused_with_its_place(tokenizer, store):
    _, stored = both(tokenizer, store, max_tokens=32, batch_size=4)
    stored.forward = lambda batch: np.where(batch["attention_mask"].sum(axis=1) > 10, np.nan, 0.0)
    with pytest.raises(ValueError, match="toy: the score of pair 1 is nan, not a finite number"):
        stored.score([("red", "sofa"), ("red " * 12, "sofa")])


@pytest.fixture
def stage(small_folder, tmp_path):
    """A run's folder with a model, `small`, and the same with stored ids, `fast`."""
    shutil.copytree(small_folder, tmp_path / "small")
    how = {"model": tmp_path / "small", "runtime": "onnxruntime", "texts": PRODUCTS, "max_tokens": 32}
    return stored_ids.make(tmp_path / "fast", **how)


@pytest.mark.parametrize("runtime", ["pytorch", "onnxruntime", "openvino"])
def test_every_engine_gives_the_scores_of_its_own_ranker(small_folder, tmp_path, runtime):
    shutil.copytree(small_folder, tmp_path / "small")
    how = {"model": tmp_path / "small", "runtime": runtime, "texts": PRODUCTS, "max_tokens": 32}
    folder = stored_ids.make(tmp_path / "fast", **how)
    pairs = [("red sofa", product) for product in [*PRODUCTS, "a new one"]]
    plain = runtimes.open_ranker(tmp_path / "small", runtime=runtime, **LIMITS)
    fast = stored_ids.RUNTIME.open(folder, **LIMITS)
    np.testing.assert_allclose(fast.score(pairs), plain.score(pairs), atol=1e-5)
    assert len(set(fast.score(pairs))) > 10


def test_the_engine_tells_its_model_its_precision_and_its_files(stage, monkeypatch):
    monkeypatch.setattr(runtimes, "MODULES", dict(runtimes.MODULES) | {"stored_ids": "utils.speed.stored_ids"})
    (part,) = stored_ids.RUNTIME.parts_of(stage)
    assert part.folder == stage.parent / "small" and part.runtime == "onnxruntime"
    assert stored_ids.RUNTIME.precision(stage) == "fp32"
    shipped = runtimes.shipped_files(stage, runtime="stored_ids")
    assert {stage / "ids" / name for name in token_store.FILES} < set(shipped)
    assert stage.parent / "small" / "onnx" / "model.onnx" in shipped


def test_a_model_that_was_changed_after_is_refused(stage):
    graph = stage.parent / "small" / "onnx" / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="fast: was made for weights .* of small, which has .*; make it again"):
        stored_ids.RUNTIME.open(stage, **LIMITS)


def test_a_folder_that_names_no_model_and_one_of_shorter_pairs_are_refused(stage):
    with pytest.raises(ValueError, match="fast: has 30 ids of a text; 64 tokens need 62"):
        stored_ids.RUNTIME.open(stage, **(LIMITS | {"max_tokens": 64}))
    (stage / "stored_ids.json").write_text("{")
    with pytest.raises(ValueError, match="stored_ids.json is missing, damaged, or names no model"):
        stored_ids.RUNTIME.open(stage, **LIMITS)


def test_a_folder_that_does_not_lie_beside_its_model_is_refused(stage, tmp_path):
    how = {"model": tmp_path / "small", "runtime": "onnxruntime", "texts": PRODUCTS, "max_tokens": 32}
    with pytest.raises(ValueError, match="does not lie beside .*small"):
        stored_ids.make(tmp_path / "deeper" / "fast", **how)


def test_queries_are_grouped_in_the_order_of_their_first_pair():
    pairs = [("b", "1"), ("a", "2"), ("b", "3")]
    assert ranker.by_query(pairs) == {"b": [0, 2], "a": [1]} and list(ranker.by_query(pairs)) == ["b", "a"]
