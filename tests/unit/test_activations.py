"""What neurons give is counted over real tokens alone, and a neuron that gives nothing is worth nothing."""

import pytest
import torch
from made import batch_of

from utils.rank import models
from utils.shrink.prune import activations

LISTS = [
    ("red sofa", {"red couch": 100, "blue bed": 10, "a lamp for a desk": 0}),
    ("lamp", {"lamp": 1, "sofa": 0}),
]


@pytest.fixture
def loaded(small_folder):
    return models.load(small_folder)


def test_the_share_is_of_tokens_whose_input_to_the_neuron_is_positive(loaded):
    model, tokenizer = loaded
    batch = batch_of(LISTS[:1], tokenizer=tokenizer)
    layer = model.base_model.encoder.layer[0]
    seen = []
    with layer.intermediate.dense.register_forward_hook(lambda module, inputs, output: seen.append(output)):
        model(**{name: tensor for name, tensor in batch.items() if name != "labels"})
    expected = (seen[0][batch["attention_mask"].bool()] > 0).float().mean(dim=0)
    torch.testing.assert_close(activations.share_on(model, [batch])[0], expected)


@pytest.mark.parametrize("measure", [activations.share_on, activations.output_norm])
def test_padding_and_the_division_into_batches_change_nothing(loaded, measure):
    model, tokenizer = loaded
    together = [batch_of(LISTS, tokenizer=tokenizer)]  # the shorter list is padded to the longer one
    apart = [batch_of([one], tokenizer=tokenizer) for one in LISTS]
    torch.testing.assert_close(measure(model, together), measure(model, apart), rtol=1e-3, atol=1e-5)


def test_what_goes_out_is_activation_and_weights_together(loaded):
    model, tokenizer = loaded
    batches = [batch_of(LISTS, tokenizer=tokenizer)]
    before = activations.output_norm(model, batches)
    layer = model.base_model.encoder.layer[-1]
    layer.output.dense.weight.data[:, 0] *= 3
    layer.output.dense.weight.data[:, 1] = 0
    layer.intermediate.dense.bias.data[2] = -1e4  # never on: GELU gives 0
    after = activations.output_norm(model, batches)
    torch.testing.assert_close(after[-1, 0], 3 * before[-1, 0])
    assert before[-1, 1] > 0 and before[-1, 2] > 0 and after[-1, 1] == after[-1, 2] == 0
    assert activations.share_on(model, batches)[-1, 2] == 0


@pytest.mark.parametrize("measure", [activations.share_on, activations.output_norm])
def test_without_lists_nothing_is_said(loaded, measure):
    with pytest.raises(ValueError, match="at least one batch"):
        measure(loaded[0], [])
