"""A cascade keeps both rankers' orders where each decides; its depth is the smallest that keeps the quality."""

import json
import shutil

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from utils.rank import models, runtimes
from utils.rank.metrics import Quality
from utils.speed import cascade, stored_ids
from utils.speed.cascade import Cascade

LIMITS = {"threads": 1, "max_tokens": 32, "batch_size": 5, "device": "cpu"}


class ByNumber:
    """A ranker that scores a product, which is a number, by a function of it, and counts what it was asked."""

    def __init__(self, of):
        self.of, self.asked, self.batch_size = of, [], 32

    def score(self, pairs):
        self.asked += pairs
        return np.array([self.of(float(product)) for _, product in pairs], dtype=np.float32)


def rising(depth):
    """A cascade whose second ranker turns the order of the first."""
    return Cascade(ByNumber(lambda x: x), ByNumber(lambda x: -x), depth=depth)


def test_the_best_of_each_query_are_in_the_seconds_order_above_the_rest_in_the_firsts():
    pairs = [("a", "1"), ("b", "8"), ("a", "5"), ("a", "3"), ("b", "2"), ("a", "4"), ("b", "9")]
    ranker = rising(2)
    scores = ranker.score(pairs)
    assert scores.dtype == np.float32
    of_a = [pairs[i][1] for i in np.argsort(-scores) if pairs[i][0] == "a"]
    of_b = [pairs[i][1] for i in np.argsort(-scores) if pairs[i][0] == "b"]
    assert of_a == ["4", "5", "3", "1"] and of_b == ["8", "9", "2"]
    assert sorted(ranker.second.asked) == [("a", "4"), ("a", "5"), ("b", "8"), ("b", "9")]


def test_a_depth_of_all_pairs_gives_the_seconds_own_scores():
    pairs = [("a", str(i)) for i in (3, 1, 2)] + [("b", "7")]
    np.testing.assert_array_equal(rising(3).score(pairs), [-3, -1, -2, -7])


def test_equal_scores_of_the_first_are_chosen_by_their_place():
    ranker = Cascade(ByNumber(lambda x: 0.0), ByNumber(lambda x: x), depth=2)
    ranker.score([("a", str(i)) for i in (5, 6, 7)])
    assert ranker.second.asked == [("a", "5"), ("a", "6")]


PRODUCTS = st.lists(st.integers(-1000, 1000), min_size=1, max_size=15, unique=True)


@hypothesis.given(products=st.lists(PRODUCTS, min_size=1, max_size=3), depth=st.integers(1, 18), data=st.data())
def test_any_pairs_in_any_order_get_the_scores_of_a_merge(products, depth, data):
    pairs = [(f"query {q}", str(x)) for q, of_query in enumerate(products) for x in of_query]
    pairs = data.draw(st.permutations(pairs))
    found = rising(depth).score(pairs)
    values = np.array([float(product) for _, product in pairs], dtype=np.float32)
    merged = cascade.merge(values, -values, queries=[query for query, _ in pairs], depth=depth)
    np.testing.assert_array_equal(found, merged)
    for q, of_query in enumerate(products):
        ordered = [float(pairs[i][1]) for i in np.argsort(-found) if pairs[i][0] == f"query {q}"]
        best_first = sorted(of_query, reverse=True)
        assert ordered == sorted(best_first[:depth]) + best_first[depth:]


def test_no_pairs_give_no_scores_and_a_depth_below_one_is_refused():
    assert rising(1).score([]).shape == (0,)
    for use in (lambda: rising(0), lambda: cascade.merge(np.ones(1), np.ones(1), queries=["a"], depth=0)):
        with pytest.raises(ValueError, match="depth is 0; the second ranker must see one pair"):
            use()


def test_a_batch_size_is_both_rankers():
    ranker = rising(2)
    ranker.batch_size = 7
    assert ranker.first.batch_size == ranker.second.batch_size == ranker.batch_size == 7


def qualities(**kept):
    """Qualities of 200 queries, each of which keeps that share, with some noise of its own."""
    noise = np.random.default_rng(0).normal(0, 0.001, 200)
    return {int(depth.removeprefix("d")): Quality.of_values(0.8 * share + noise) for depth, share in kept.items()}


def test_the_smallest_depth_that_keeps_the_quality_is_chosen():
    whole = Quality.of_values(np.full(200, 0.8))
    looked = qualities(d20=0.999, d5=0.95, d10=0.993, d40=1.0)
    assert cascade.choose_depth(looked, whole=whole) == 10
    assert cascade.choose_depth(looked, whole=whole, keep=0.995) == 20
    assert cascade.choose_depth(looked, whole=whole, keep=0.9, at_least=0.9) == 5


def test_a_depth_whose_interval_reaches_too_low_is_not_chosen():
    whole = Quality.of_values([0.8] * 100)
    wide = Quality.of_values([0.8] * 90 + [0.7] * 10)  # keeps 98.75%
    assert cascade.choose_depth({5: wide}, whole=whole, keep=0.98, at_least=0.97) == 5
    with pytest.raises(ValueError, match="no depth keeps 98% with its interval above 99% .5 keeps 98.8%, its interval"):
        cascade.choose_depth({5: wide}, whole=whole, keep=0.98, at_least=0.99)


def test_where_no_depth_will_do_the_best_one_and_the_remedy_are_named():
    whole = Quality.of_values(np.full(200, 0.8))
    with pytest.raises(ValueError, match="10 keeps 9[0-9.]*%, its interval from .*; look at deeper ones"):
        cascade.choose_depth(qualities(d5=0.9, d10=0.95), whole=whole)
    with pytest.raises(ValueError, match="no depth was looked at"):
        cascade.choose_depth({}, whole=whole)


@pytest.fixture(scope="module")
def other_folder(small_folder, tmp_path_factory):
    """The small model with another head, whose scores lie far apart."""
    model, tokenizer = models.load(small_folder)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.classifier.weight)
    path = tmp_path_factory.mktemp("stages") / "other"
    models.save(model, tokenizer=tokenizer, folder=path, max_tokens=32)
    runtimes.export_onnx(path)
    runtimes.export_openvino(path)
    return path


@pytest.fixture
def run_folder(small_folder, other_folder, tmp_path, monkeypatch):
    """A run with two models; the engines of speed are known within the test."""
    known = {"cascade": "utils.speed.cascade", "stored_ids": "utils.speed.stored_ids"}
    monkeypatch.setattr(runtimes, "MODULES", dict(runtimes.MODULES) | known)
    shutil.copytree(small_folder, tmp_path / "small")
    shutil.copytree(other_folder, tmp_path / "other")
    return tmp_path


PAIRS = [("red sofa", f"couch {'red ' * (i % 4)}{i}") for i in range(12)]


def test_a_folder_of_two_models_scores_as_both_do(run_folder):
    cascade.make(run_folder / "both", first=("small", "openvino"), second=("other", "onnxruntime"), depth=4)
    limits = {"threads": 1, "max_tokens": 32}
    opened = runtimes.open_ranker(run_folder / "both", runtime="cascade", **limits)
    first = runtimes.open_ranker(run_folder / "small", runtime="openvino", **limits).score(PAIRS)
    second = runtimes.open_ranker(run_folder / "other", runtime="onnxruntime", **limits).score(PAIRS)
    scores = opened.score(PAIRS)
    assert set(np.argsort(-scores)[:4]) == set(np.argsort(-first)[:4])
    np.testing.assert_allclose(np.sort(scores)[-4:], np.sort(second[np.argsort(-first)[:4]]), atol=1e-5)


def test_its_parts_are_the_models_with_their_shares_and_stored_ids_are_shipped(run_folder):
    how = {"model": run_folder / "other", "runtime": "openvino", "texts": ["a"], "max_tokens": 32}
    stored_ids.make(run_folder / "fast", **how)
    folder = cascade.make(run_folder / "both", first=("small", "pytorch"), second=("fast", "stored_ids"), depth=12)
    first, second = runtimes.named("cascade").parts_of(folder)
    assert (first.folder.name, first.runtime, first.share) == ("small", "pytorch", 1.0)
    assert (second.folder.name, second.runtime, second.share) == ("other", "openvino", 0.12)
    assert runtimes.named("cascade").precision(folder) == "fp32"
    shipped = cascade.shipped_files(folder)
    assert {run_folder / "fast" / "ids" / "ids.npy", run_folder / "small" / "model.safetensors"} < set(shipped)
    assert set(runtimes.shipped_files(folder, runtime="cascade")) < set(shipped)


def test_a_model_that_was_changed_after_the_depth_was_chosen_is_refused(run_folder):
    folder = cascade.make(run_folder / "both", first=("small", "pytorch"), second=("other", "pytorch"), depth=3)
    shutil.copy(run_folder / "small" / "model.safetensors", run_folder / "other" / "model.safetensors")
    with pytest.raises(ValueError, match="its depth was chosen for weights .* of other, which has .*; choose"):
        cascade.RUNTIME.open(folder, **LIMITS)


def test_a_folder_that_names_no_two_models_is_refused_and_an_unknown_engine_too(run_folder):
    folder = run_folder / "both"
    with pytest.raises(ValueError, match="'tensorrt' is not one of"):
        cascade.make(folder, first=("small", "tensorrt"), second=("other", "pytorch"), depth=3)
    assert not folder.exists()
    folder.mkdir()
    (folder / "cascade.json").write_text(json.dumps({"first": {}}))
    with pytest.raises(ValueError, match="both: cascade.json is missing, damaged, or names no two models"):
        cascade.RUNTIME.open(folder, **LIMITS)
