"""Which layers a model can spare: each is left out in turn, and the loss of train lists says what it was worth.

Layers are few, so nothing has to be guessed; importance by gradients is in `pruning`. As there, the lists come from the
train split alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from utils.rank import models, training

Batch = Mapping[str, Tensor]


def most_missed(model: PreTrainedModel, batches: Sequence[Batch], *, n_kept: int) -> list[int]:
    """Numbers of the layers, counted from 0, that stay when `n_kept` do: those without which the loss is largest.

    Raises:
        ValueError: the model has fewer.
    """
    n_layers = model.config.num_hidden_layers
    if not 1 <= n_kept <= n_layers:
        raise ValueError(f"{n_kept} of {n_layers} layers cannot be kept; give a number from 1 to {n_layers}")
    if n_kept == n_layers:
        return list(range(n_layers))
    return first_missed(loss_without(model, batches), n_kept=n_kept)


def loss_without(model: PreTrainedModel, batches: Sequence[Batch]) -> dict[int, float]:
    """The mean loss of some lists in the model without each of its layers, by the layer's number.

    Args:
        batches: lists as `lists.judged_batches` makes them, from the train split.
    """
    numbers, found = range(model.config.num_hidden_layers), {}
    for left_out in numbers:
        rest = models.keep_layers(copy.deepcopy(model), layers=[i for i in numbers if i != left_out])
        found[left_out] = mean_loss(rest, batches)
    return found


def mean_loss(model: PreTrainedModel, batches: Sequence[Batch]) -> float:
    """The mean of the listwise loss over some batches of lists."""
    model = model.eval()
    with torch.inference_mode():
        losses = [
            training.listwise_loss(model(**{k: v for k, v in one.items() if k != "labels"}), one["labels"])
            for one in batches
        ]
    return float(np.mean([float(loss) for loss in losses]))


def first_missed(without: Mapping[int, float], *, n_kept: int) -> list[int]:
    """The `n_kept` layers whose absence costs most, in the order of the model."""
    return sorted(sorted(without, key=without.get, reverse=True)[:n_kept])
