"""Importance is what its definition says, cuts remove the least important parts and shrink the matrices for good."""

import copy

import numpy as np
import pytest
import torch
from made import ENGINES, batch_of
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from utils.measure import cost
from utils.rank import models, runtimes, training
from utils.shrink.prune import pruning

PAIRS = [("red sofa", f"couch number {i} {'velvet ' * (i % 4)}") for i in range(9)]
LISTS = [
    ("red sofa", {"red couch": 100, "blue bed": 10, "a lamp for a desk": 0}),
    ("lamp", {"lamp": 1, "sofa": 0}),
    ("oak table", {"table": 0, "oak desk": 1, "rug": 0, "oak table": 2}),
]


@pytest.fixture
def loaded(small_folder):
    """The small model with a louder head, so that losses differ by more than rounding, and its tokenizer."""
    model, tokenizer = models.load(small_folder)
    model.classifier.weight.data *= 20
    return model, tokenizer


def batches(tokenizer, *, per_batch=2):
    """LISTS in batches of that many lists, padded."""
    groups = [LISTS[start : start + per_batch] for start in range(0, len(LISTS), per_batch)]
    return [batch_of(group, tokenizer=tokenizer) for group in groups]


def score(model, tokenizer):
    return runtimes.wrap_torch(model, tokenizer=tokenizer, threads=1, max_tokens=32).score(PAIRS)


def loss_of(model, batch):
    with torch.inference_mode():
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        return float(training.listwise_loss(model.eval()(**inputs), batch["labels"]))


def by_activations(model, batch, *, place):
    """Activation × gradient at a Linear's input, summed over tokens, of each pair: (n_pairs, width)."""
    seen = []
    hook = place.register_forward_pre_hook(lambda module, inputs: inputs[0].retain_grad() or seen.append(inputs[0]))
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    training.listwise_loss(model(**inputs), batch["labels"]).backward()
    hook.remove()
    return (seen[0] * seen[0].grad).sum(dim=1).detach()


@pytest.mark.parametrize("part", ["heads", "neurons"])
def test_importance_is_the_mean_over_lists_of_the_absolute_activation_times_gradient(loaded, part):
    model, tokenizer = loaded
    layer = model.base_model.encoder.layer[1]
    place = {"heads": layer.attention.output.dense, "neurons": layer.output.dense}[part]
    expected = torch.zeros(place.in_features)
    for one in batches(tokenizer, per_batch=1):
        by_pair = by_activations(model, one, place=place)
        groups = by_pair.reshape(len(by_pair), 12, -1).sum(dim=2) if part == "heads" else by_pair
        expected = expected[: groups.shape[1]] + groups.sum(dim=0).abs() / len(LISTS)
    measure = {"heads": pruning.head_importance, "neurons": pruning.neuron_importance}[part]
    torch.testing.assert_close(measure(model, batches(tokenizer))[1], expected, rtol=1e-3, atol=1e-6)


def test_head_importance_is_how_fast_the_loss_rises_as_the_head_fades(loaded):
    model, tokenizer = loaded
    (batch,) = batches(tokenizer, per_batch=1)[:1]
    importance = pruning.head_importance(model, [batch])
    head = int(importance[0].argmax())
    columns = slice(32 * head, 32 * (head + 1))
    weight = model.base_model.encoder.layer[0].attention.output.dense.weight
    losses = []
    for gate in (1.05, 0.95):
        kept = weight.detach().clone()
        weight.data[:, columns] *= gate
        losses.append(loss_of(model, batch))
        weight.data.copy_(kept)
    assert abs(losses[0] - losses[1]) / 0.1 == pytest.approx(float(importance[0, head]), rel=0.05)


def test_layer_importance_is_how_fast_the_loss_rises_as_the_layer_fades_into_its_input(loaded):
    model, tokenizer = loaded
    (batch,) = batches(tokenizer, per_batch=1)[:1]
    importance, losses = pruning.layer_importance(model, [batch]), []
    for gate in (1.05, 0.95):
        fade = lambda module, inputs, outputs, gate=gate: (inputs[0] + gate * (outputs[0] - inputs[0]), *outputs[1:])  # noqa: E731
        hook = model.base_model.encoder.layer[1].register_forward_hook(fade)
        losses.append(loss_of(model, batch))
        hook.remove()
    assert importance.shape == (2,)
    assert abs(losses[0] - losses[1]) / 0.1 == pytest.approx(float(importance[1]), rel=0.05)


def test_importance_does_not_depend_on_how_lists_are_batched_and_leaves_the_model_alone(loaded):
    model, tokenizer = loaded
    before = score(model, tokenizer)
    for measure in (pruning.head_importance, pruning.neuron_importance, pruning.layer_importance):
        one, all_at_once = (measure(model, batches(tokenizer, per_batch=n)) for n in (1, 3))
        assert one.min() >= 0 and one.max() > 0
        torch.testing.assert_close(one, all_at_once, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(score(model, tokenizer), before)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_magnitude_of_a_part_grows_with_its_weights_and_only_there(loaded):
    model, _ = loaded
    heads, neurons = pruning.head_magnitude(model), pruning.neuron_magnitude(model)
    layer = model.base_model.encoder.layer[1]
    with torch.no_grad():
        layer.attention.self.value.weight[32 * 5 : 32 * 6] *= 3
        layer.intermediate.dense.weight[7] *= 3
        layer.output.dense.weight[:, 8] /= 4
    changed_heads, changed_neurons = pruning.head_magnitude(model) / heads, pruning.neuron_magnitude(model) / neurons
    assert heads.shape == (2, 12) and neurons.shape == (2, 1536)
    assert changed_heads[1, 5] > 1.2 and changed_neurons[1, 7] == pytest.approx(3)
    assert changed_neurons[1, 8] == pytest.approx(0.25)
    assert (changed_heads != 1).sum() == 1 and (changed_neurons != 1).sum() == 2


def silenced(model, *, heads=(), neurons=()):
    """The model with the output of these (layer, part) set to zero, every shape as it was."""
    with torch.no_grad():
        for number, head in heads:
            output = model.base_model.encoder.layer[number].attention.output.dense
            output.weight[:, 32 * head : 32 * (head + 1)] = 0
        for number, neuron in neurons:
            model.base_model.encoder.layer[number].output.dense.weight[:, neuron] = 0
    return model


def test_cut_parts_are_the_least_important_and_the_scores_are_those_of_the_model_without_them(loaded):
    model, tokenizer = loaded
    whole = copy.deepcopy(model)
    heads, neurons = torch.arange(24.0).reshape(2, 12), torch.arange(3072.0).reshape(2, 1536)
    heads[1], neurons[1] = heads[1].flip(0), neurons[1].flip(0)
    pruning.cut_heads(model, n_heads=10, importance=heads)
    pruning.cut_neurons(model, d_ff=1500, importance=neurons)
    gone_neurons = [(0, i) for i in range(36)] + [(1, 1535 - i) for i in range(36)]
    expected = silenced(whole, heads=[(0, 0), (0, 1), (1, 10), (1, 11)], neurons=gone_neurons)
    assert model.config.pruned_heads == {0: [0, 1], 1: [10, 11]}
    np.testing.assert_allclose(score(model, tokenizer), score(expected, tokenizer), atol=1e-5)


def test_nothing_pruned_changes_no_score_and_no_configuration(loaded):
    model, tokenizer = loaded
    before, config = score(model, tokenizer), model.config.to_dict()
    pruning.cut_heads(model, n_heads=12, importance=pruning.head_magnitude(model))
    pruning.cut_neurons(model, d_ff=1536, importance=pruning.neuron_magnitude(model))
    np.testing.assert_array_equal(score(model, tokenizer), before)
    assert model.config.to_dict() == config


def test_heads_cut_in_two_steps_are_counted_as_the_configuration_counts_them(loaded):
    model, tokenizer = loaded
    pruning.cut_heads(model, n_heads=8, importance=torch.arange(24.0).reshape(2, 12))
    pruning.cut_heads(model, n_heads=7, importance=torch.tensor([[0.0] + 7 * [1.0], 7 * [1.0] + [0.0]]))
    assert model.config.pruned_heads == {0: [0, 1, 2, 3, 4], 1: [0, 1, 2, 3, 11]}
    assert pruning.head_importance(model, batches(tokenizer)).shape == (2, 7)


@pytest.fixture(scope="module")
def cut_folder(small_folder, tmp_path_factory):
    """The small model with the second layer alone, 5 heads and 100 neurons, and the scores that it had in memory."""
    model, tokenizer = models.load(small_folder)
    pruning.cut_heads(model, n_heads=5, importance=pruning.head_importance(model, batches(tokenizer)))
    pruning.cut_neurons(model, d_ff=100, importance=pruning.neuron_importance(model, batches(tokenizer)))
    models.keep_layers(model, layers=[1])
    path = tmp_path_factory.mktemp("cut") / "small"
    models.save(model, tokenizer=tokenizer, folder=path, max_tokens=32)
    runtimes.export_onnx(path)
    runtimes.export_openvino(path)
    return path, score(model, tokenizer)


@pytest.mark.parametrize("runtime", ENGINES)
def test_saved_folder_scores_as_the_model_did_in_every_runtime(cut_folder, runtime):
    folder, expected = cut_folder
    ranker = runtimes.open_ranker(folder, runtime=runtime, threads=1, max_tokens=32)
    np.testing.assert_allclose(ranker.score(PAIRS), expected, atol=1e-5)


def test_saved_folder_is_small_and_loads_with_plain_transformers_and_sentence_transformers(cut_folder):
    from sentence_transformers import CrossEncoder

    folder, expected = cut_folder
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    (layer,) = model.base_model.encoder.layer
    assert layer.attention.self.query.weight.shape == (5 * 32, 384)
    assert layer.output.dense.weight.shape == (384, 100)
    np.testing.assert_allclose(score(model, AutoTokenizer.from_pretrained(folder)), expected, atol=1e-5)
    probabilities = CrossEncoder(str(folder), device="cpu").predict(PAIRS)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-expected)), atol=1e-5)


def test_the_formula_for_macs_agrees_with_the_counter_on_a_cut_model(cut_folder, loaded):
    model, _ = models.load(cut_folder[0])
    by_hand = sum(cost.macs_by_hand(model.config, n_tokens=24).values())
    assert by_hand == cost.macs_per_pair(model, n_tokens=24)
    assert by_hand < 0.2 * cost.macs_per_pair(loaded[0], n_tokens=24)


def test_a_model_whose_heads_were_cut_can_lose_layers_afterwards(loaded):
    model, _ = loaded
    pruning.cut_heads(model, n_heads=11, importance=torch.arange(24.0).reshape(2, 12))
    model.config.pruned_heads[1] = [3]  # as if another head had gone from the second layer
    models.keep_layers(model, layers=[1])
    assert model.config.pruned_heads == {0: [3]}


def test_importance_of_another_shape_and_impossible_sizes_are_refused(loaded):
    model, tokenizer = loaded
    with pytest.raises(ValueError, match=r"shape \(6, 12\), the model \(2, 12\)"):
        pruning.cut_heads(model, n_heads=8, importance=torch.ones(6, 12))
    with pytest.raises(ValueError, match="n_heads is 13; each layer has 12 now"):
        pruning.cut_heads(model, n_heads=13, importance=torch.ones(2, 12))
    with pytest.raises(ValueError, match="d_ff is 0"):
        pruning.cut_neurons(model, d_ff=0, importance=torch.ones(2, 1536))
    with pytest.raises(ValueError, match="batches is empty"):
        pruning.head_importance(model, [])
    assert tokenizer.model_max_length == 64
