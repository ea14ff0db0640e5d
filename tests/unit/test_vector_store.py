"""Stored vectors are the encoder's, in fp32 to the bit and in int8 nearly, and found by the text itself."""

import shutil

import numpy as np
import pytest
from small_encoder import small_encoder

from utils.rank import bi_encoder
from utils.speed import vector_store

TEXTS = ["red sofa", "a blue velvet couch", "", "été 漢字", "lamp " * 90, "red sofa"]


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


@pytest.fixture(scope="module", params=["int8", "fp32"])
def store(request, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "vectors"
    return vector_store.build(TEXTS, encoder=encoder, folder=folder, precision=request.param, max_tokens=32)


def test_every_text_has_its_own_vector_and_a_changed_text_none(store, encoder):
    assert store.n_texts == 5 and store.rows(["red sofas", "Red sofa"]).tolist() == [-1, -1]
    rows = store.rows(TEXTS)
    assert rows[0] == rows[5] and sorted(set(rows.tolist())) == list(range(5))
    expected = bi_encoder.vectors(encoder, TEXTS, max_tokens=32).detach().numpy()
    found = store.vectors[rows] * store.scales[rows][:, None]
    np.testing.assert_allclose(found, expected, atol=1e-6 if store.precision == "fp32" else 3e-3)


def test_similarity_is_the_dot_product_with_each_stored_vector(store, encoder):
    query = vector_store.encode(encoder, ["a red couch"], max_tokens=32)[0]
    products = vector_store.encode(encoder, TEXTS, max_tokens=32)
    found = store.similarity(query, store.rows(TEXTS))
    np.testing.assert_allclose(found, products @ query, atol=1e-6 if store.precision == "fp32" else 5e-3)
    assert found.dtype == np.float32 and found[0] == found[5] and len(set(found)) == 5
    assert store.similarity(query, store.rows([])).shape == (0,)


def test_a_text_without_a_vector_is_refused_and_not_taken_for_the_last_one(store):
    with pytest.raises(ValueError, match="a row is -1: that text has no stored vector"):
        store.similarity(np.ones(384, dtype=np.float32), store.rows(["red sofa", "unknown"]))


def test_int8_takes_a_quarter_and_errs_by_half_a_step_at_most():
    vectors = np.random.default_rng(0).normal(size=(50, 96)).astype(np.float32)
    rounded, scales = vector_store.rounded(vectors)
    assert rounded.dtype == np.int8 and 4 * rounded.nbytes == vectors.nbytes
    assert (np.abs(rounded).max(axis=1) == 127).all()
    errors = np.abs(rounded * scales[:, None] - vectors)
    assert (errors <= scales[:, None] / 2 + 1e-6).all() and errors.max() > 0
    assert (vector_store.rounded(np.zeros((1, 4), dtype=np.float32))[0] == 0).all()


def test_a_store_opened_again_says_whose_it_is_and_lies_in_mapped_memory(store, encoder, tmp_path):
    vector_store.build(["a"], encoder=encoder, folder=tmp_path / "v")
    again = vector_store.open_vectors(tmp_path / "v")
    assert again.encoder == vector_store.encoder_hash(encoder) == store.encoder
    assert again.max_tokens == encoder.max_seq_length and again.precision == "int8"
    assert isinstance(again.vectors.base, np.memmap) and again.n_bytes == 384 + 4 + 8


def test_another_encoder_has_another_hash(encoder):
    assert vector_store.encoder_hash(small_encoder(n_layers=1)) != vector_store.encoder_hash(encoder)
    other = small_encoder()
    other[0].auto_model.embeddings.word_embeddings.weight.data[7, 7] += 1e-3
    assert vector_store.encoder_hash(other) != vector_store.encoder_hash(encoder)


@pytest.mark.parametrize("name", vector_store.FILES)
def test_a_file_that_is_cut_short_gone_or_of_another_store_is_refused(encoder, tmp_path, name):
    vector_store.build(["a", "b"], encoder=encoder, folder=tmp_path / "v")
    vector_store.build(["a", "b", "c"], encoder=encoder, folder=tmp_path / "other")
    data = (tmp_path / "v" / name).read_bytes()
    for change in (
        lambda path: path.write_bytes(data[:-9]),
        lambda path: path.unlink(),
        lambda path: shutil.copy(tmp_path / "other" / name, path),
    ):
        change(tmp_path / "v" / name)
        with pytest.raises(ValueError, match="v: .*; make it again with vector_store.build"):
            vector_store.open_vectors(tmp_path / "v")


def test_an_unknown_precision_is_refused_and_an_empty_catalogue_is_none(encoder, tmp_path):
    with pytest.raises(ValueError, match="precision 'int4' is not one of int8, fp32"):
        vector_store.build(["a"], encoder=encoder, folder=tmp_path / "v", precision="int4")
    assert not (tmp_path / "v").exists()
    empty = vector_store.build([], encoder=encoder, folder=tmp_path / "v")
    assert empty.n_texts == 0 and empty.rows(["a"]).tolist() == [-1]
