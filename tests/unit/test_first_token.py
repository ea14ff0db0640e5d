"""The last layer computed for the first token alone: scores and gradients as before, in training and out of it."""

import pytest
import torch

from utils.rank import first_token, models

TEXTS = [("red dress", "a long red summer dress"), ("tv", "a television with a very large screen"), ("", "cup")]


@pytest.fixture
def ranker(small_folder):
    model, tokenizer = models.load(small_folder)
    return model.eval(), tokenizer(*map(list, zip(*TEXTS, strict=True)), padding=True, return_tensors="pt")


def scores_and_gradients(model, batch):
    model.zero_grad()
    scores = model(**batch).logits
    (scores * torch.tensor([[1.0], [-2.0], [0.5]])).sum().backward()
    return scores.detach(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


def test_scores_and_gradients_stay_and_the_other_tokens_are_not_computed(ranker):
    model, batch = ranker
    widths = []
    model.base_model.encoder.layer[-1].output.register_forward_hook(lambda *seen: widths.append(seen[2].shape[1]))
    before, gradients = scores_and_gradients(model, batch)
    with first_token.computed_alone(model):
        alone, of_alone = scores_and_gradients(model, batch)
    torch.testing.assert_close(alone, before, rtol=0, atol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(of_alone[name], gradient, rtol=1e-3, atol=1e-5, msg=name)
    assert widths == [batch["input_ids"].shape[1], 1]


def test_a_block_within_a_block_ends_with_the_outer_one(ranker):
    model, batch = ranker
    last, whole = model.base_model.encoder.layer[-1], (3, batch["input_ids"].shape[1])

    def shape():
        with torch.inference_mode():
            return tuple(model.base_model(**batch).last_hidden_state.shape[:2])

    with first_token.computed_alone(model):
        with first_token.computed_alone(model):
            assert shape() == (3, 1)
        assert shape() == (3, 1)
    assert shape() == whole and "forward" not in vars(last)


def test_it_is_undone_after_an_error(ranker):
    model, batch = ranker
    with pytest.raises(RuntimeError, match="stopped"), first_token.computed_alone(model):
        raise RuntimeError("stopped")
    assert "forward" not in vars(model.base_model.encoder.layer[-1])


def test_a_batch_without_padding_needs_no_mask(ranker):
    model, batch = ranker
    full = {name: tensor[1:2, : int(batch["attention_mask"][1].sum())] for name, tensor in batch.items()}
    with torch.inference_mode():
        before = model(**full).logits
        with first_token.computed_alone(model):
            torch.testing.assert_close(model(**full).logits, before, rtol=0, atol=1e-5)


def test_another_architecture_is_left_as_it_is():
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    sizes = {"vocab_size": 50, "dim": 16, "hidden_dim": 32, "n_layers": 1, "n_heads": 2}
    model = DistilBertForSequenceClassification(DistilBertConfig(**sizes)).eval()
    batch = {"input_ids": torch.tensor([[1, 2, 3]])}
    with torch.inference_mode():
        before = model(**batch).logits
        with first_token.computed_alone(model):
            assert torch.equal(model(**batch).logits, before)
