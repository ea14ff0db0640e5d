"""A cut vocabulary changes no score of texts that use kept tokens, tokenizes all others, and loads everywhere."""

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from made import ENGINES
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertTokenizer,
    BertTokenizerFast,
    PreTrainedTokenizerFast,
)

from utils.rank import models, runtimes, tokens
from utils.shrink.prune import vocabulary

TEXTS = ["red velvet sofa", "a couch of 3 seats", "stain-resistant upholstery", "Schuhe für Männer"]
PAIRS = [("red sofa", text) for text in TEXTS] + [("couch", f"{text} {text} velvet") for text in TEXTS]
MAX_TOKENS = 32
UNSEEN = "unquestionably 4711 zwölf Ωμέγα 漢字 don't"


@pytest.fixture(scope="module")
def whole(small_folder):
    return models.load(small_folder)


@pytest.fixture(scope="module")
def pruned(small_folder):
    """A model and tokenizer cut to TEXTS and to MAX_TOKENS positions."""
    model, tokenizer = models.load(small_folder)
    tokenizer = vocabulary.keep_tokens(model, tokenizer, keep=vocabulary.kept_tokens(tokenizer, TEXTS))
    return vocabulary.prune_positions(model, max_tokens=MAX_TOKENS), tokenizer


@pytest.fixture(scope="module")
def folder(pruned, tmp_path_factory):
    """It saved, with every runtime's weights."""
    path = tmp_path_factory.mktemp("pruned") / "small"
    models.save(pruned[0], tokenizer=pruned[1], folder=path, max_tokens=MAX_TOKENS)
    runtimes.export_onnx(path)
    runtimes.export_openvino(path)
    return path


def score(model, tokenizer, pairs=PAIRS):
    return runtimes.wrap_torch(model, tokenizer=tokenizer, threads=1, max_tokens=MAX_TOKENS).score(pairs)


def test_texts_in_several_slices_keep_what_they_keep_together(whole, monkeypatch):
    together = vocabulary.kept_tokens(whole[1], TEXTS)
    assert len(together) > len(vocabulary.kept_tokens(whole[1], TEXTS[:1]))
    monkeypatch.setattr(tokens, "TEXTS_AT_ONCE", 1)
    assert vocabulary.kept_tokens(whole[1], TEXTS) == together


def test_text_of_kept_tokens_has_the_same_tokens_and_scores_to_the_bit(whole, pruned):
    for text in TEXTS:
        assert pruned[1].tokenize(text) == whole[1].tokenize(text)
    scores = score(*whole)
    np.testing.assert_array_equal(score(*pruned), scores)
    assert len(set(scores)) == len(PAIRS)


def test_the_table_has_a_row_for_each_kept_token_and_positions_for_the_limit_alone(whole, pruned):
    keep = vocabulary.kept_tokens(whole[1], TEXTS)
    model, tokenizer = pruned
    assert len(keep) < 0.1 * whole[0].config.vocab_size
    assert model.get_input_embeddings().weight.shape == (len(keep), model.config.hidden_size)
    assert len(tokenizer) == model.config.vocab_size == len(keep)
    assert model.base_model.embeddings.position_embeddings.weight.shape[0] == MAX_TOKENS
    assert model.config.max_position_embeddings == MAX_TOKENS


def test_every_kept_row_is_that_of_its_token(whole, pruned):
    old, new = whole[0].get_input_embeddings().weight, pruned[0].get_input_embeddings().weight
    names = pruned[1].convert_ids_to_tokens(range(len(pruned[1])))
    torch.testing.assert_close(new, old[whole[1].convert_tokens_to_ids(names)], rtol=0, atol=0)


def test_unused_tokens_and_words_that_no_text_has_go_while_characters_and_short_pieces_stay(whole, pruned):
    left = pruned[1].get_vocab()
    assert not [token for token in left if "unused" in token]
    assert "sofa" in left and "galaxy" not in left
    assert {"7", "##7", "q", "##q", "ω", "##ω", "漢", "##er"} <= set(left)
    assert "er" not in left and "##ere" not in left


@hypothesis.settings(max_examples=200, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(text=st.text(max_size=40) | st.text(alphabet="abcdeßé漢Ω5-.' \u00ad", max_size=40))
def test_any_text_tokenizes_as_before_or_into_smaller_pieces_of_the_same_characters(whole, pruned, text):
    before, after = whole[1].tokenize(text), pruned[1].tokenize(text)
    assert len(after) >= len(before)
    assert after.count("[UNK]") == before.count("[UNK]")
    assert "".join(token.removeprefix("##") for token in after) == "".join(t.removeprefix("##") for t in before)


def test_unseen_words_still_have_a_score(pruned):
    assert pruned[1].unk_token not in pruned[1].tokenize("unquestionably 4711")
    assert np.isfinite(score(*pruned, pairs=[(UNSEEN, UNSEEN)])).all()


def test_vocab_txt_and_tokenizer_json_give_the_same_ids(folder, pruned):
    slow, fast = BertTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for text in [*TEXTS, UNSEEN]:
        assert slow(text, text)["input_ids"] == fast(text, text)["input_ids"] == pruned[1](text, text)["input_ids"]
    assert slow.get_vocab() == fast.get_vocab() == pruned[1].get_vocab()
    assert (fast.pad_token_id, fast.cls_token_id) == (slow.pad_token_id, slow.cls_token_id)


@pytest.mark.parametrize("runtime", ENGINES)
def test_saved_folder_scores_as_the_model_did_in_every_runtime(folder, pruned, runtime):
    ranker = runtimes.open_ranker(folder, runtime=runtime, threads=1, max_tokens=MAX_TOKENS)
    np.testing.assert_allclose(ranker.score(PAIRS), score(*pruned), atol=1e-5)


def test_saved_folder_loads_with_plain_transformers_and_sentence_transformers(folder, pruned):
    from sentence_transformers import CrossEncoder

    expected = score(*pruned)
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    np.testing.assert_allclose(score(model, tokenizer), expected, atol=1e-5)
    predicted = CrossEncoder(str(folder), device="cpu").predict([*PAIRS, ("sofa " * 99, "sofa " * 99)])
    np.testing.assert_allclose(predicted[:-1], 1 / (1 + np.exp(-expected)), atol=1e-5)


def test_a_moved_padding_token_moves_everywhere(small_folder, tmp_path):
    words = ["red", "##s", "[UNK]", "[CLS]", "[SEP]", "sofa", "[PAD]", "[MASK]"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt"))
    model, _ = models.load(small_folder)
    model.config.pad_token_id = model.get_input_embeddings().padding_idx = 6
    row = model.get_input_embeddings().weight[6].clone()
    pruned = vocabulary.keep_tokens(model, tokenizer, keep=[0, 2, 3, 4, 6, 7])
    assert model.config.pad_token_id == model.get_input_embeddings().padding_idx == pruned.pad_token_id == 4
    torch.testing.assert_close(model.get_input_embeddings().weight[4], row)
    assert pruned("red", "sofa")["input_ids"] == [2, 0, 3, 1, 3]
    assert pruned(["red", "red red"], padding=True)["input_ids"][0] == [2, 0, 3, 4]


def test_the_tokenizer_and_its_settings_are_left_as_they_were(small_folder):
    _, tokenizer = models.load(small_folder)
    before = tokenizer.backend_tokenizer.to_str()
    vocabulary.kept_tokens(tokenizer, TEXTS)
    vocabulary.keep_tokens(models.load(small_folder)[0], tokenizer, keep=range(len(tokenizer)))
    assert tokenizer.backend_tokenizer.to_str() == before


def test_another_kind_of_tokenizer_is_refused():
    byte_pairs = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(BPE()))
    with pytest.raises(ValueError, match="BPE.*WordPiece"):
        vocabulary.kept_tokens(byte_pairs, TEXTS)


def test_unknown_ids_and_missing_special_tokens_are_refused_before_the_model_is_touched(whole):
    model, tokenizer = whole
    keep = vocabulary.kept_tokens(tokenizer, TEXTS)
    with pytest.raises(ValueError, match="no token 99999"):
        vocabulary.keep_tokens(model, tokenizer, keep=[*keep, 99999])
    with pytest.raises(ValueError, match=r"special token \[PAD\]"):
        vocabulary.keep_tokens(model, tokenizer, keep=[one for one in keep if one != tokenizer.pad_token_id])
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer)


def test_positions_of_another_architecture_or_none_at_all_are_refused(small_folder):
    model, _ = models.load(small_folder)
    with pytest.raises(ValueError, match="at least one position"):
        vocabulary.prune_positions(model, max_tokens=0)
    model.config.model_type = "roberta"
    with pytest.raises(ValueError, match="roberta has no BERT position table"):
        vocabulary.prune_positions(model, max_tokens=16)
