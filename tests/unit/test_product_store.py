"""Stored sides of products: found by their text, of one model, and refused when they are not whole."""

import json

import numpy as np
import pytest
import torch

from utils.edge import product_store, split_folder, split_texts
from utils.edge.split_model import Split, split
from utils.rank import models

TEXTS = ["red sofa", "blue mug of steel", "a lamp", "red sofa", "tall chair with arms and a cushion"]


@pytest.fixture(scope="module")
def tokens_model(small_folder):
    torch.manual_seed(0)
    student, tokenizer = models.load(small_folder)
    return split(student, Split(2, "tokens", 16)), tokenizer


def build(made, folder, texts=TEXTS, precision="fp32"):
    return product_store.build(texts, model=made[0], tokenizer=made[1], folder=folder, precision=precision)


def test_every_text_gets_its_own_states_whatever_was_beside_it(tokens_model, tmp_path):
    model, tokenizer = tokens_model
    store = build(tokens_model, tmp_path / "store")
    assert store.n_texts == len(set(TEXTS))
    for text, found in zip(TEXTS, store.states_of(TEXTS), strict=True):
        with torch.inference_mode():
            alone = model.product_part(split_texts.encode_products([text], tokenizer=tokenizer, plan=model.plan))
        np.testing.assert_allclose(found, alone.states[0].numpy(), atol=1e-5)


def test_rounded_states_differ_by_half_a_step_of_their_vector_at_most(tokens_model, tmp_path):
    exact = build(tokens_model, tmp_path / "exact").states_of(TEXTS)
    rounded = build(tokens_model, tmp_path / "rounded", precision="int8")
    assert rounded.precision == "int8"
    for one, other in zip(exact, rounded.states_of(TEXTS), strict=True):
        step = np.abs(one).max(axis=1, keepdims=True) / 127
        assert (np.abs(one - other) <= 0.5001 * step).all() and not np.array_equal(one, other)


@pytest.mark.parametrize("precision", product_store.PRECISIONS)
def test_the_bytes_of_a_product_are_those_of_the_formula_and_little_less_than_the_files(
    precision, tokens_model, tmp_path
):
    store = build(tokens_model, tmp_path / "store", precision=precision)
    n_vectors = np.mean([len(states) for states in store.states_of(sorted(set(TEXTS)))])
    formula = product_store.stored_bytes(n_vectors=n_vectors, d=16, precision=precision)
    assert store.bytes_per_product == pytest.approx(formula + 8 / store.n_texts)
    files = sum(path.stat().st_size for path in (tmp_path / "store").glob("*.npy"))
    assert 0 < files - store.n_texts * store.bytes_per_product <= 4 * 128


def test_two_vectors_store_one_of_each_product(small_folder, tmp_path):
    student, tokenizer = models.load(small_folder)
    store = build((split(student, Split(2, "vectors")), tokenizer), tmp_path / "store")
    assert [states.shape for states in store.states_of(TEXTS[:2])] == [(1, 384), (1, 384)]


def test_a_changed_text_finds_no_states(tokens_model, tmp_path):
    store = build(tokens_model, tmp_path / "store")
    assert store.rows(["red sofa", "red  sofa"]).tolist()[1] == -1 <= store.rows(["red sofa"])[0]
    with pytest.raises(ValueError, match="no stored states for 'red  sofa'"):
        store.states_of(["red  sofa"])
    with pytest.raises(ValueError, match="a row is -1"):
        store.vectors(np.array([-1]))


def test_a_store_of_another_model_is_refused(tokens_model, tmp_path):
    store = build(tokens_model, tmp_path / "store")
    assert store.model_hash == split_folder.weights_hash(tokens_model[0])
    assert product_store.open_store(tmp_path / "store", model_hash=store.model_hash).n_texts == store.n_texts
    with pytest.raises(ValueError, match=f"states of model {store.model_hash}, asked for 0123; make it again"):
        product_store.open_store(tmp_path / "store", model_hash="0123")


@pytest.mark.parametrize("name", product_store.FILES)
def test_a_file_that_is_cut_short_is_refused_by_the_folders_name(name, tokens_model, tmp_path):
    build(tokens_model, tmp_path / "store", precision="int8")
    path = tmp_path / "store" / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"store: .*(damaged).*make it again with product_store\.build"):
        product_store.open_store(tmp_path / "store")


def test_files_of_two_stores_are_refused(tokens_model, tmp_path):
    build(tokens_model, tmp_path / "store")
    build(tokens_model, tmp_path / "other", texts=TEXTS[:2])
    (tmp_path / "other" / "starts.npy").replace(tmp_path / "store" / "starts.npy")
    with pytest.raises(ValueError, match="its files do not belong together"):
        product_store.open_store(tmp_path / "store")


def test_what_cannot_be_built_is_refused_and_leaves_nothing(tokens_model, tmp_path):
    with pytest.raises(ValueError, match="'int3' is not one of int8, fp32"):
        build(tokens_model, tmp_path / "store", precision="int3")
    with pytest.raises(ValueError, match="no texts"):
        build(tokens_model, tmp_path / "store", texts=[])
    assert not list(tmp_path.iterdir())


def test_another_format_is_refused(tokens_model, tmp_path):
    build(tokens_model, tmp_path / "store")
    facts = json.loads((tmp_path / "store" / "store.json").read_text())
    (tmp_path / "store" / "store.json").write_text(json.dumps(facts | {"format": "vectors 9"}))
    with pytest.raises(ValueError, match="not of format"):
        product_store.open_store(tmp_path / "store")
