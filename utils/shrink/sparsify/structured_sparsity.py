"""Which weights become zero: 2 of every 4, or the same share of every row; by magnitude and by Wanda.

A mask is true where a weight stays. Scores say what a weight is worth; a rule turns the scores of one layer into its
mask. Unstructured magnitude pruning of a whole model is in `magnitude`, and so is keeping zeros through a training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from utils.rank.ranker import Batch
from utils.shrink.prune.magnitude import linear_layers

GROUP, KEPT = 4, 2  # what the sparse units of GPUs since NVIDIA's Ampere multiply


def two_of_four(scores: Tensor) -> Tensor:
    """The mask (d_out, d_in) that keeps the two best of every four neighbours along the inputs.

    Raises:
        ValueError: the number of inputs is no multiple of four.

    Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, https://arxiv.org/abs/2104.08378
    """
    d_out, d_in = scores.shape
    if d_in % GROUP:
        raise ValueError(f"{d_in} inputs are no multiple of {GROUP}; prune to a width that is one")
    groups = scores.reshape(d_out, d_in // GROUP, GROUP)
    best = groups.topk(KEPT, dim=-1).indices
    return torch.zeros_like(groups, dtype=torch.bool).scatter_(-1, best, True).reshape(d_out, d_in)


def best_of_rows(scores: Tensor, *, sparsity: float) -> Tensor:
    """The mask (d_out, d_in) that drops the same share of every row: its lowest scores.

    Raises:
        ValueError: the share is not from 0 to below 1.
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity {sparsity} is not from 0 to below 1")
    n_dropped = round(sparsity * scores.shape[1])
    dropped = scores.topk(n_dropped, dim=1, largest=False).indices
    return torch.ones_like(scores, dtype=torch.bool).scatter_(1, dropped, False)


def masks(scores: Mapping[str, Tensor], *, rule: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """The rule applied to the scores of every layer; a ValueError names the layer that it does not fit."""
    found = {}
    for name, layer_scores in scores.items():
        try:
            found[name] = rule(layer_scores)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return found


def magnitude_scores(model: PreTrainedModel) -> dict[str, Tensor]:
    """|W| (d_out, d_in) of every Linear layer of the encoder."""
    return {name: linear.weight.detach().abs() for name, linear in linear_layers(model).items()}


def wanda_scores(model: PreTrainedModel, *, norms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """|W| times the norm of the input that it multiplies: a large weight on a silent input is worth little.

    Args:
        norms: (d_in,) of every layer, from `input_norms`.

    Source: Sun, Liu, Bair, Kolter, "A Simple and Effective Pruning Approach for Large Language Models", ICLR 2024,
    https://arxiv.org/abs/2306.11695. They compare scores within a row, as `best_of_rows` does.
    """
    return {name: scores * norms[name] for name, scores in magnitude_scores(model).items()}


@torch.inference_mode()
def input_norms(model: PreTrainedModel, *, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """The L2 norm (d_in,) of every input of each Linear layer of the encoder, over all tokens that are not padding.

    Args:
        batches: from `calibration.batches`, which takes train pairs alone.

    Raises:
        ValueError: no batches.
    """
    if not batches:
        raise ValueError("input_norms: no batches to look at; make some with calibration.batches")
    squares = {
        name: torch.zeros(linear.in_features, dtype=torch.float64) for name, linear in linear_layers(model).items()
    }
    real: dict[str, Tensor] = {}

    def add(module: nn.Module, inputs: tuple[Tensor], *, name: str) -> None:
        squares[name].add_(inputs[0][real["tokens"]].double().square().sum(dim=0))

    handles = [
        linear.register_forward_pre_hook(partial(add, name=name))
        for name, linear in linear_layers(model.eval()).items()
    ]
    try:
        for arrays in batches:
            batch = {name: torch.from_numpy(values) for name, values in arrays.items()}
            real["tokens"] = batch["attention_mask"].bool()  # (n_pairs, n_tokens)
            model(**batch)
    finally:
        for handle in handles:
            handle.remove()
    return {name: total.sqrt().float() for name, total in squares.items()}


@torch.no_grad()
def apply(model: PreTrainedModel, *, masks: Mapping[str, Tensor]) -> PreTrainedModel:
    """Set the weights outside the masks to zero, in place: filled, for -0.5 × 0 would be a negative zero."""
    for name, linear in linear_layers(model).items():
        if name in masks:
            linear.weight.masked_fill_(~masks[name].to(linear.weight.device), 0.0)
    return model


def pack_two_of_four(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A 2:4 matrix (d_out, d_in) as its values (d_out, d_in / 2) and their places in the group, 2 bits each.

    Returns:
        values of the matrix's type, and uint8 (ceil(d_out × d_in / 8),): four places to a byte.

    Raises:
        ValueError: some group of four has more than two values that are not zero.
    """
    groups = weight.reshape(weight.shape[0], -1, GROUP)
    is_set = groups != 0
    if int(is_set.sum(dim=-1).max()) > KEPT:
        raise ValueError(f"a group of {GROUP} has more than {KEPT} values; zero the rest with two_of_four first")
    places = is_set.int().topk(KEPT, dim=-1).indices.sort(dim=-1).values  # groups with fewer are filled with zeros
    values = groups.gather(-1, places).reshape(weight.shape[0], -1)
    bits = np.unpackbits(places.numpy().astype(np.uint8)[..., None], axis=-1)[..., -2:]
    return values, torch.from_numpy(np.packbits(bits))


def unpack_two_of_four(values: Tensor, places: Tensor) -> Tensor:
    """The matrix (d_out, d_in) that `pack_two_of_four` took apart."""
    bits = np.unpackbits(places.numpy(), count=2 * values.numel()).reshape(-1, 2)
    index = torch.from_numpy(bits @ np.array([2, 1])).reshape(values.shape[0], -1, KEPT)
    groups = values.new_zeros(values.shape[0], index.shape[1], GROUP)
    return groups.scatter_(-1, index, values.reshape(index.shape)).reshape(values.shape[0], -1)
