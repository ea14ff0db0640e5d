"""Structured pruning: attention heads, feed-forward neurons and layers that leave, so that the matrices shrink.

What to cut is said by an importance: of the first order (Taylor), from gradients on train lists, or by magnitude, from
the weights alone. Zeros that stay in place are in `magnitude`, the embedding table is in `vocabulary`, and dropping
layers is `models.keep_layers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import prune_linear_layer

from utils.rank import training

Batch = Mapping[str, Tensor]


def head_importance(model: PreTrainedModel, batches: Iterable[Batch]) -> Tensor:
    """First-order (Taylor) importance of every attention head.

    A gate of 1 is laid on each head's output; the derivative of the loss by that gate, list by list, is by how much
    the loss is expected to change when the gate closes. Its absolute value is averaged over the lists.

    Args:
        batches: lists as `lists.judged_batches` makes them, from the train split; a few dozen lists are enough.

    Returns:
        (n_layers, n_heads), non-negative; heads that were cut before have no column.

    Raises:
        ValueError: `batches` is empty, or its layers have different numbers of heads.

    Source: Michel, Levy, Neubig, "Are Sixteen Heads Really Better than One?", NeurIPS 2019,
    https://arxiv.org/abs/1905.10650
    """
    n_heads = {layer.attention.self.num_attention_heads for layer in model.base_model.encoder.layer}
    if len(n_heads) > 1:
        raise ValueError(f"layers have {sorted(n_heads)} heads; cut every layer to the same number first")
    places = [layer.attention.output.dense for layer in model.base_model.encoder.layer]
    return _first_order(model, batches, places=places, n_gates=n_heads.pop())


def neuron_importance(model: PreTrainedModel, batches: Iterable[Batch]) -> Tensor:
    """First-order (Taylor) importance of every feed-forward neuron: (n_layers, d_ff), non-negative.

    As `head_importance`, with a gate on each neuron's activation.

    Source: Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019,
    https://arxiv.org/abs/1906.10771
    """
    places = [layer.output.dense for layer in model.base_model.encoder.layer]
    return _first_order(model, batches, places=places, n_gates=model.config.intermediate_size)


def layer_importance(model: PreTrainedModel, batches: Iterable[Batch]) -> Tensor:
    """First-order (Taylor) importance of every layer: (n_layers,), non-negative.

    The gate slides from a layer's output (1) to its input (0), which is what the next layer gets when it is dropped.
    A layer is a large step, so this is a rougher guess than for a head: drop each in turn where there is time.
    """
    return _first_order(model, batches, places=list(model.base_model.encoder.layer), n_gates=1)[:, 0]


def head_magnitude(model: PreTrainedModel) -> Tensor:
    """Importance by the weights alone: the norm of a head's Q, K, V and output weights, (n_layers, n_heads)."""
    norms = []
    for layer in model.base_model.encoder.layer:
        attention, n_heads = layer.attention.self, layer.attention.self.num_attention_heads
        rows = [part.weight.reshape(n_heads, -1) for part in (attention.query, attention.key, attention.value)]
        columns = layer.attention.output.dense.weight.T.reshape(n_heads, -1)
        norms.append(torch.cat([*rows, columns], dim=1).norm(dim=1))
    return torch.stack(norms).detach()


def neuron_magnitude(model: PreTrainedModel) -> Tensor:
    """Importance of every neuron by its weights alone: the norm of what comes in times that of what goes out.

    The product does not change when one is doubled and the other halved. (n_layers, d_ff).
    """
    layers = model.base_model.encoder.layer
    products = [one.intermediate.dense.weight.norm(dim=1) * one.output.dense.weight.norm(dim=0) for one in layers]
    return torch.stack(products).detach()


def cut_heads(model: PreTrainedModel, *, n_heads: int, importance: Tensor) -> PreTrainedModel:
    """Keep the `n_heads` most important heads of every layer, in place.

    The matrices shrink, and the configuration's `pruned_heads` says which heads are gone, so that `from_pretrained`
    builds the same shapes again. Which heads stay may differ from layer to layer, how many does not.

    Args:
        importance: (n_layers, n_heads now), as `head_importance` gives it.

    Raises:
        ValueError: a shape that is not the model's, or a number of heads that it cannot keep.
    """
    layers = model.base_model.encoder.layer
    gone = model.config.pruned_heads
    present = [
        [h for h in range(model.config.num_attention_heads) if h not in gone.get(i, [])] for i in range(len(layers))
    ]
    _check(importance, n_layers=len(layers), n_now=len(present[0]), n_kept=n_heads, name="n_heads")
    kept = _most_important(importance, n_kept=n_heads)
    heads = {
        number: [head for place, head in enumerate(present[number]) if place not in kept[number]]
        for number in range(len(layers))
    }
    model.prune_heads({number: cut for number, cut in heads.items() if cut})
    model.config.pruned_heads = {number: sorted(cut) for number, cut in sorted(model.config.pruned_heads.items())}
    return model


def cut_neurons(model: PreTrainedModel, *, d_ff: int, importance: Tensor) -> PreTrainedModel:
    """Keep the `d_ff` most important neurons of every layer, in place; one width for all, as a configuration holds.

    Args:
        importance: (n_layers, d_ff now), as `neuron_importance` gives it.

    Raises:
        ValueError: a shape that is not the model's, or a width that it cannot keep.
    """
    layers = model.base_model.encoder.layer
    _check(importance, n_layers=len(layers), n_now=model.config.intermediate_size, n_kept=d_ff, name="d_ff")
    for layer, kept in zip(layers, _most_important(importance, n_kept=d_ff), strict=True):
        index = torch.tensor(kept, device=layer.output.dense.weight.device)
        layer.intermediate.dense = prune_linear_layer(layer.intermediate.dense, index, dim=0)
        layer.output.dense = prune_linear_layer(layer.output.dense, index, dim=1)
    model.config.intermediate_size = d_ff
    return model


def _first_order(
    model: PreTrainedModel, batches: Iterable[Batch], *, places: Sequence[nn.Module], n_gates: int
) -> Tensor:
    """The mean over lists of the absolute derivative of a list's loss by each gate: (n_places, n_gates)."""
    total, n_lists = torch.zeros(len(places), n_gates, dtype=torch.float64), 0
    with _evaluating(model):
        for batch in batches:
            by_list = _gate_gradients(model, batch, places=places, n_gates=n_gates)
            total += by_list.abs().sum(dim=0)
            n_lists += len(by_list)
    if not n_lists:
        raise ValueError("batches is empty; give some lists of train pairs, as lists.collate makes them")
    return (total / n_lists).float()


def _gate_gradients(model: PreTrainedModel, batch: Batch, *, places: Sequence[nn.Module], n_gates: int) -> Tensor:
    """The derivative of each list's own loss by each gate: (n_lists, n_places, n_gates)."""
    inputs = {name: tensor.to(model.device) for name, tensor in batch.items() if name != "labels"}
    labels = batch["labels"].to(model.device)
    n_pairs = len(inputs["input_ids"])
    gates = [torch.ones(n_pairs, n_gates, device=model.device, requires_grad=True) for _ in places]
    with _gated(places, gates):
        loss = training.listwise_loss(model(**inputs), labels)
    by_pair = torch.stack(torch.autograd.grad(loss, gates), dim=1)  # (n_pairs, n_places, n_gates)
    of_list = torch.arange(len(labels), device=model.device).repeat_interleave((labels >= 0).sum(dim=1))
    by_list = torch.zeros(len(labels), len(places), n_gates, device=model.device).index_add(0, of_list, by_pair)
    return len(labels) * by_list.double().cpu()  # the loss is the mean over lists; a list's own is not divided


@contextmanager
def _gated(places: Sequence[nn.Module], gates: Sequence[Tensor]):
    """While the block runs, a Linear's input, or a layer's own change to its input, passes a gate of each pair."""
    hooks = []
    for place, gate in zip(places, gates, strict=True):
        if isinstance(place, nn.Linear):
            hooks.append(place.register_forward_pre_hook(partial(_gate_input, gate)))
        else:
            hooks.append(place.register_forward_hook(partial(_gate_change, gate)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _gate_input(gate: Tensor, module: nn.Linear, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Each gate (n_pairs, n_gates) is for an equal share of the input's columns (n_pairs, n_tokens, width)."""
    wide = gate.repeat_interleave(inputs[0].shape[-1] // gate.shape[1], dim=1)
    return (inputs[0] * wide[:, None], *inputs[1:])


def _gate_change(gate: Tensor, module: nn.Module, inputs: tuple[Tensor, ...], outputs):
    before, after = inputs[0], outputs[0] if isinstance(outputs, tuple) else outputs
    gated = before + gate[:, :, None] * (after - before)
    return (gated, *outputs[1:]) if isinstance(outputs, tuple) else gated


@contextmanager
def _evaluating(model: PreTrainedModel):
    """Without dropout, and back to how it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _most_important(importance: Tensor, *, n_kept: int) -> list[list[int]]:
    """The places of the `n_kept` largest values of every row, ascending; of equal ones the first stays."""
    order = importance.argsort(dim=1, descending=True, stable=True)[:, :n_kept]
    return [sorted(row) for row in order.tolist()]


def _check(importance: Tensor, *, n_layers: int, n_now: int, n_kept: int, name: str) -> None:
    if importance.shape != (n_layers, n_now):
        raise ValueError(
            f"importance has the shape {tuple(importance.shape)}, the model {(n_layers, n_now)}; "
            "measure it on this very model"
        )
    if not 1 <= n_kept <= n_now:
        raise ValueError(f"{name} is {n_kept}; each layer has {n_now} now, so keep from 1 to {n_now} of them")
