"""Where a student begins: some layers of a model with its most important heads and neurons, or random weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from utils.rank import models
from utils.shrink.prune import pruning

WHICH_LAYERS = ("first", "spread")


def start_student(
    model: PreTrainedModel,
    *,
    layers: Sequence[int],
    n_heads: int | None = None,
    d_ff: int | None = None,
    batches: Iterable[Mapping[str, Tensor]] = (),
) -> PreTrainedModel:
    """A student that begins as some layers of a model, with its most important heads and neurons; a copy.

    Args:
        layers: those that stay, counted from 0.
        n_heads, d_ff: heads of a layer and width of its feed-forward part; None leaves them as they are.
        batches: lists of train pairs, as `lists.collate` makes them, by which importance is measured, in the student
            as it is after each cut before.

    Source: Sun et al., "Patient Knowledge Distillation for BERT Model Compression", EMNLP 2019,
    https://arxiv.org/abs/1908.09355 (which starts the student from layers of the teacher)
    """
    there = model.config.num_hidden_layers
    if not layers or not set(layers) <= set(range(there)) or len(set(layers)) < len(layers):
        raise ValueError(f"layers {list(layers)} cannot be kept of {there}; name some from 0 to {there - 1}, each once")
    student = models.keep_layers(copy.deepcopy(model), layers=list(layers))
    batches = list(batches)
    if n_heads is not None:
        importance = pruning.head_importance(student, batches)
        pruning.cut_heads(student, n_heads=n_heads, importance=importance)
    if d_ff is not None:
        importance = pruning.neuron_importance(student, batches)
        pruning.cut_neurons(student, d_ff=d_ff, importance=importance)
    return student.eval()


def kept_layers(n_layers: int, *, n_kept: int, which: str = "first") -> list[int]:
    """Numbers of the layers, counted from 0, that stay when `n_kept` of `n_layers` do.

    Args:
        which: "first" drops the last ones; "spread" takes layers at equal distances, the first and the last among them
            (one alone: the first), so that what a fine-tune taught the last one stays.

    Raises:
        ValueError: there are not so many, or `which` is neither.

    Source: Sajjad et al., "On the Effect of Dropping Layers of Pre-trained Transformer Models", 2023,
    https://arxiv.org/abs/2004.03844 (which drops from the top, among other ways)
    """
    if not 1 <= n_kept <= n_layers:
        raise ValueError(f"{n_kept} of {n_layers} layers cannot be kept; give a number from 1 to {n_layers}")
    if which not in WHICH_LAYERS:
        raise ValueError(f"which is '{which}'; layers are kept by one of {', '.join(WHICH_LAYERS)}")
    if which == "first":
        return list(range(n_kept))
    return [round(place) for place in np.linspace(0, n_layers - 1, n_kept)]


def from_scratch(config: PretrainedConfig, *, seed: int) -> PreTrainedModel:
    """A student of that shape with random weights, for contrast; `config` is left as it is."""
    return models.build_untrained(copy.deepcopy(config), seed=seed)
