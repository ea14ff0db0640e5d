"""Stored token ids are those that the tokenizer gives, found by the text itself, and refused where they do not fit."""

import shutil

import numpy as np
import pytest
from tokenizers import Tokenizer

from utils.rank import models, tokens
from utils.speed import text_index, token_store

TEXTS = ["red sofa", "a blue velvet couch, soft as ever", "", "été 漢字 👟", "lamp " * 90, "red sofa"]


@pytest.fixture(scope="module")
def tokenizer():
    return models.open_tokenizer()


@pytest.fixture
def store(tokenizer, tmp_path):
    return token_store.build(TEXTS, tokenizer=tokenizer, folder=tmp_path / "ids", at_most=20)


def test_every_text_has_the_ids_that_the_tokenizer_gives_it_up_to_the_limit(store, tokenizer):
    expected = tokens.first_ids(tokenizer, TEXTS, at_most=20)
    assert [store.of(text).tolist() for text in TEXTS] == expected
    assert len(expected[0]) == 2 and not expected[2] and len(expected[4]) == 20
    assert store.n_texts == 5 and store.at_most == 20 and store.ids.dtype == np.uint16


def test_a_text_that_changed_by_one_letter_finds_no_ids(store):
    assert store.of("red sofas") is None and store.of("Red sofa") is None
    assert store.of("red sofa") is not None


def test_a_store_opened_again_is_the_same_and_lies_in_mapped_memory(store, tokenizer, tmp_path):
    again = token_store.open_store(tmp_path / "ids", tokenizer=tokenizer)
    np.testing.assert_array_equal(again.ids, store.ids)
    assert isinstance(again.ids.base, np.memmap) and again.n_bytes == store.n_bytes
    on_disk = sum(path.stat().st_size for path in (tmp_path / "ids").glob("*.npy"))
    assert again.n_bytes < on_disk < again.n_bytes + 3 * 256


def test_how_the_tokenizer_was_set_to_pad_and_cut_does_not_matter(store, tokenizer, tmp_path):
    before = token_store.tokenizer_hash(tokenizer)
    tokenizer(["a", "b c"], padding=True, truncation=True, max_length=4)
    assert token_store.tokenizer_hash(tokenizer) == before
    token_store.open_store(tmp_path / "ids", tokenizer=tokenizer)


def test_ids_of_another_tokenizer_are_refused_with_the_folder_and_the_remedy(store, tokenizer, tmp_path):
    other = models.open_tokenizer()
    changed = other.backend_tokenizer.to_str().replace('"lowercase":true', '"lowercase":false')
    other._tokenizer = Tokenizer.from_str(changed)
    assert token_store.tokenizer_hash(other) != token_store.tokenizer_hash(tokenizer)
    with pytest.raises(ValueError, match="ids: these token ids are of another tokenizer; make it again"):
        token_store.open_store(tmp_path / "ids", tokenizer=other)


@pytest.mark.parametrize("name", token_store.FILES)
def test_a_file_that_is_cut_short_or_gone_is_refused(store, tokenizer, tmp_path, name):
    folder = shutil.copytree(tmp_path / "ids", tmp_path / "short")
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-9])
    with pytest.raises(ValueError, match="short: .*; make it again with token_store.build"):
        token_store.open_store(folder, tokenizer=tokenizer)
    (folder / name).unlink()
    with pytest.raises(ValueError, match="short: .*; make it again with token_store.build"):
        token_store.open_store(folder, tokenizer=tokenizer)


@pytest.mark.parametrize("name", ["ids.npy", "starts.npy", "digests.npy"])
def test_a_file_of_another_store_is_refused(store, tokenizer, tmp_path, name):
    token_store.build([*TEXTS, "one more"], tokenizer=tokenizer, folder=tmp_path / "other", at_most=20)
    shutil.copy(tmp_path / "other" / name, tmp_path / "ids" / name)
    with pytest.raises(ValueError, match="ids: its files do not belong together"):
        token_store.open_store(tmp_path / "ids", tokenizer=tokenizer)


def test_a_build_that_fails_leaves_the_older_store_whole(store, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="at_most is 0"):
        token_store.build(["new"], tokenizer=tokenizer, folder=tmp_path / "ids", at_most=0)
    assert token_store.open_store(tmp_path / "ids", tokenizer=tokenizer).of("red sofa").tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["ids"]


def test_an_empty_catalogue_gives_a_store_without_texts(tokenizer, tmp_path):
    empty = token_store.build([], tokenizer=tokenizer, folder=tmp_path / "none", at_most=5)
    assert empty.n_texts == 0 and empty.of("red sofa") is None


def test_rows_are_remembered_within_a_bound_and_stay_right(store, monkeypatch):
    asked = []
    monkeypatch.setattr(text_index, "REMEMBERED", 3)
    hashed = text_index.digests
    monkeypatch.setattr(text_index, "digests", lambda texts: asked.extend(texts) or hashed(texts))
    first = store.index.rows(["red sofa", "unknown", "red sofa"])
    assert first[0] == first[2] >= 0 > first[1] and asked == ["red sofa", "unknown"]
    store.index.rows(["red sofa", "unknown"])
    assert asked == ["red sofa", "unknown"]  # not hashed again
    for number in range(9):
        assert store.index.rows([f"new {number}", "red sofa"]).tolist() == [-1, first[0]]
    assert asked.count("red sofa") > 1  # forgotten in between, and found again


def test_two_texts_with_one_digest_are_refused(monkeypatch):
    monkeypatch.setattr(text_index, "digests", lambda texts: np.zeros(len(texts), dtype=np.uint64))
    with pytest.raises(ValueError, match="two texts have one digest: 'a' and 'b'"):
        text_index.in_order(["a", "b", "a"])
