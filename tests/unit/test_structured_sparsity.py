"""Masks keep what they should, Wanda looks at inputs, and pruned weights stay zero while the rest is trained."""

from types import SimpleNamespace

import pytest
import torch

from utils.rank import models
from utils.shrink.prune import magnitude
from utils.shrink.quantize import calibration
from utils.shrink.sparsify import structured_sparsity as structured

PAIRS = [(f"red sofa {'soft ' * (i % 5)}", f"couch {i} {'velvet ' * (i % 3)}") for i in range(12)]


@pytest.fixture
def small(small_folder):
    return models.load(small_folder)


def norms_of(model, tokenizer, *, pairs=PAIRS, batch_size=4):
    queries, products = zip(*PAIRS, strict=True)
    train = SimpleNamespace(pairs={"train": {"query": queries, "product": products}})
    sizes = {"tokenizer": tokenizer, "max_tokens": 32, "batch_size": batch_size}
    return structured.input_norms(model, batches=calibration.batches(pairs, catalogue=train, **sizes))


def test_two_of_four_keeps_the_two_best_of_each_group():
    scores = torch.tensor([[1.0, 4, 3, 2, 9, 8, 0, 0], [0, 0, 0, 0, 5, 6, 7, 8]])
    mask = structured.two_of_four(scores)
    assert mask[0].tolist() == [False, True, True, False, True, True, False, False]
    assert mask[1, 4:].tolist() == [False, False, True, True]
    assert mask.reshape(-1, 4).sum(dim=1).tolist() == [2, 2, 2, 2]


def test_rows_lose_their_lowest_share_each():
    scores = torch.tensor([[1.0, 2, 3, 4], [40, 30, 20, 10]])
    assert structured.best_of_rows(scores, sparsity=0.5).tolist() == [
        [False, False, True, True],
        [True, True, False, False],
    ]
    assert structured.best_of_rows(scores, sparsity=0.0).all()
    with pytest.raises(ValueError, match="sparsity 1.0 is not"):
        structured.best_of_rows(scores, sparsity=1.0)


def test_width_that_is_no_multiple_of_four_is_refused_with_the_layer():
    with pytest.raises(ValueError, match="encoder.x: 6 inputs are no multiple of 4"):
        structured.masks({"encoder.x": torch.ones(2, 6)}, rule=structured.two_of_four)


def test_only_linear_layers_of_the_encoder_are_pruned(small):
    model, _ = small
    names = magnitude.linear_layers(model)
    assert len(names) == 2 * 6
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    masks = structured.masks(structured.magnitude_scores(model), rule=structured.two_of_four)
    structured.apply(model, masks=masks)
    for name, weight in model.state_dict().items():
        layer = name.removeprefix("bert.encoder.").removesuffix(".weight")
        if layer in masks and name.endswith("weight"):
            assert torch.equal(weight, torch.where(masks[layer], before[name], 0))
            assert not torch.signbit(weight[~masks[layer]]).any()  # no negative zeros
        else:
            assert torch.equal(weight, before[name])


def test_input_norms_are_those_of_the_real_tokens_whatever_the_padding(small):
    model, tokenizer = small
    first = next(iter(magnitude.linear_layers(model)))
    total = torch.zeros(model.config.hidden_size)
    with torch.inference_mode():
        for query, product in PAIRS:
            encoded = tokenizer(query, product, return_tensors="pt", truncation="longest_first", max_length=32)
            total += model.base_model.embeddings(encoded["input_ids"], encoded["token_type_ids"])[0].square().sum(dim=0)
    for batch_size in (1, 12):
        norms = norms_of(model, tokenizer, batch_size=batch_size)
        torch.testing.assert_close(norms[first], total.sqrt(), rtol=1e-4, atol=1e-4)
    assert not any(linear._forward_pre_hooks for linear in magnitude.linear_layers(model).values())
    with pytest.raises(ValueError, match="no batches"):
        structured.input_norms(model, batches=[])
    with pytest.raises(ValueError, match="'red' is not of the train split"):
        norms_of(model, tokenizer, pairs=[("red", "a pair of test")])


def test_wanda_drops_a_large_weight_on_a_silent_input(small):
    model, _ = small
    name, linear = next(iter(magnitude.linear_layers(model).items()))
    with torch.no_grad():
        linear.weight[0, :4] = torch.tensor([4.0, 3.0, 2.0, 1.0])
    norms = {n: torch.ones(layer.in_features) for n, layer in magnitude.linear_layers(model).items()}
    norms[name][:4] = torch.tensor([0.1, 1.0, 1.0, 1.0])
    plain = structured.two_of_four(structured.magnitude_scores(model)[name])
    wanda = structured.two_of_four(structured.wanda_scores(model, norms=norms)[name])
    assert plain[0, :4].tolist() == [True, True, False, False]
    assert wanda[0, :4].tolist() == [False, True, True, False]


def test_masks_are_what_is_zero_and_stay_so_while_the_model_moves(small):
    model, _ = small
    masks = structured.masks(structured.magnitude_scores(model), rule=structured.two_of_four)
    structured.apply(model, masks=masks)
    layers = magnitude.linear_layers(model)
    with magnitude.held(model):
        for linear in layers.values():
            linear.weight.data += 1.0
    for name, linear in layers.items():
        assert torch.equal(linear.weight.detach() != 0, masks[name])


def test_two_of_four_packs_into_half_the_values_and_two_bits_each():
    weight = torch.tensor([[0.0, 5, 0, 6, 0, 0, 0, 7], [0, 0, 0, 0, 1, 2, 0, 0]])
    values, places = structured.pack_two_of_four(weight)
    assert values.shape == (2, 4) and places.nbytes == weight.numel() // 8
    assert values[0, :2].tolist() == [5, 6] and f"{int(places[0]):08b}"[:4] == "0111"
    assert torch.equal(structured.unpack_two_of_four(values, places), weight)
    with pytest.raises(ValueError, match="more than 2 values"):
        structured.pack_two_of_four(torch.ones(1, 4))


@pytest.mark.parametrize("shape", [(3, 4), (8, 12), (64, 96)])
def test_packed_two_of_four_comes_back(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    pruned = weight.masked_fill(~structured.two_of_four(weight.abs()), 0.0)
    values, places = structured.pack_two_of_four(pruned)
    assert torch.equal(structured.unpack_two_of_four(values, places), pruned)
    assert torch.count_nonzero(pruned) == pruned.numel() // 2
