"""The engine of a split model scores as the model does, and refuses what is not of one piece."""

import numpy as np
import pytest
import torch

from utils.edge import engines, in_split, product_store
from utils.edge.split_model import Split, split
from utils.rank import models, runtimes
from utils.shrink.prune import vocabulary

PRODUCTS = ["red sofa of oak", "blue mug", "a steel lamp with a long arm", "tall chair"]
PAIRS = [(query, product) for query in ("red sofa", "lamp of steel for the desk") for product in PRODUCTS]
PLANS = [Split(1, "layers"), Split(0, "layers", 16), Split(2, "tokens", 16), Split(2, "vectors")]


@pytest.fixture(scope="module")
def student_folder(small_folder, tmp_path_factory):
    """The small model with few tokens, whose graphs are written quickly."""
    model, tokenizer = models.load(small_folder)
    texts = [text for pair in PAIRS for text in pair]
    tokenizer = vocabulary.keep_tokens(model, tokenizer, keep=vocabulary.kept_tokens(tokenizer, texts))
    return models.save(model, tokenizer=tokenizer, folder=tmp_path_factory.mktemp("student") / "few", max_tokens=64)


def trained(folder, plan):
    """A split model whose scores differ, as a trained one's do."""
    torch.manual_seed(0)
    student, tokenizer = models.load(folder)
    model = split(student, plan)
    for part in (model.weigh, model.head):
        if part is not None:
            torch.nn.init.normal_([*part.parameters()][-2], std=0.5)  # the last Linear
    return model, tokenizer


def make(folder, made, precision="fp32", query_precision="fp32", texts=PRODUCTS):
    model, tokenizer = made
    in_split.make(
        folder, model=model, tokenizer=tokenizer, texts=texts, precision=precision, query_precision=query_precision
    )
    return folder


def open_it(folder, **given):
    return runtimes.open_ranker(folder, runtime=engines.SPLIT, threads=1, max_tokens=64, **given)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.label)
def test_it_scores_as_the_model_also_what_is_not_stored_and_in_small_batches(plan, student_folder, tmp_path):
    made = trained(student_folder, plan)
    whole = runtimes.wrap_torch(made[0], tokenizer=made[1], threads=1, max_tokens=64).score(PAIRS)
    folder = make(tmp_path / "split", made, texts=PRODUCTS[:3])
    np.testing.assert_allclose(open_it(folder).score(PAIRS), whole, atol=1e-4)
    np.testing.assert_allclose(open_it(folder, batch_size=2).score(PAIRS[::-1]), whole[::-1], atol=1e-4)
    assert np.std(whole) > 1e-3


@pytest.fixture(scope="module")
def tokens_folder(student_folder, tmp_path_factory):
    return make(tmp_path_factory.mktemp("split") / "tokens", trained(student_folder, PLANS[2]))


def test_int8_is_smaller_and_close(student_folder, tokens_folder, tmp_path):
    small = make(tmp_path / "split", trained(student_folder, PLANS[2]), "int8", "int8")
    exact, rounded = open_it(tokens_folder).score(PAIRS), open_it(small).score(PAIRS)
    assert np.corrcoef(exact, rounded)[0, 1] > 0.95 and not np.array_equal(exact, rounded)
    sizes = [sum(p.stat().st_size for p in runtimes.shipped_files(f, runtime="split")) for f in (small, tokens_folder)]
    assert sizes[0] < 0.5 * sizes[1]
    assert [runtimes.named("split").precision(folder) for folder in (small, tokens_folder)] == ["int8", "fp32"]


def test_a_stored_product_is_read_and_not_computed(tokens_folder, monkeypatch):
    ranker, sides, side = open_it(tokens_folder), [], in_split.SplitRanker._side

    def counted(self, ids, *, side_=side, **of):
        sides.append(of["side"])
        return side_(self, ids, **of)

    monkeypatch.setattr(in_split.SplitRanker, "_side", counted)
    ranker.score(PAIRS[:4])
    ranker.score([("red sofa", "never seen"), ("red sofa", "never seen")])
    assert sides == [0, 0, 1]


def test_equal_texts_of_a_query_tie_and_nothing_to_score_gives_nothing(tokens_folder):
    scores = open_it(tokens_folder).score([PAIRS[0], PAIRS[1], PAIRS[0]])
    assert scores[0] == scores[2] != scores[1]
    assert open_it(tokens_folder).score([]).shape == (0,)


def test_best_matches_by_hand():
    query, vectors = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[0.5, 0.0], [1.0, -1.0], [0.0, 3.0]])
    assert in_split.best_matches(query, vectors, np.array([0, 2])).tolist() == [2.0, 3.0]


def test_a_store_of_another_model_is_refused(student_folder, tokens_folder, tmp_path):
    folder = make(tmp_path / "split", trained(student_folder, PLANS[2]))
    torch.manual_seed(1)
    student, tokenizer = models.load(student_folder)
    product_store.build(PRODUCTS, model=split(student, PLANS[2]), tokenizer=tokenizer, folder=folder / in_split.STORE)
    with pytest.raises(ValueError, match="states of model"):
        open_it(folder)


@pytest.mark.parametrize("name", ["sides.onnx", "split_ranker.json"])
def test_a_damaged_file_is_refused_by_name(name, student_folder, tmp_path):
    folder = make(tmp_path / "split", trained(student_folder, PLANS[2]))
    (folder / name).write_bytes((folder / name).read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"(sides\.onnx|split_ranker\.json).*make it again with in_split\.make"):
        open_it(folder)


def test_an_unknown_precision_is_refused_and_leaves_nothing(student_folder, tmp_path):
    with pytest.raises(ValueError, match="'int3' is not one of int8, fp32"):
        make(tmp_path / "split", trained(student_folder, PLANS[3]), query_precision="int3")
    assert not list(tmp_path.iterdir())
