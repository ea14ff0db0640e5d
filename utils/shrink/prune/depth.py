"""Which layers a model can spare: each is left out in turn, and the ranking says what it was worth.

Layers are few, so nothing has to be guessed; importance by gradients is in `pruning`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.rank import models, training
from utils.rank.metrics import Quality
from utils.rank.setting import Setting


def most_missed(
    model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, n_kept: int, setting: Setting
) -> list[int]:
    """Numbers of the layers, counted from 0, that stay when `n_kept` do: those without which NDCG@10 falls most.

    Raises:
        ValueError: the model has fewer.
    """
    n_layers = model.config.num_hidden_layers
    if not 1 <= n_kept <= n_layers:
        raise ValueError(f"{n_kept} of {n_layers} layers cannot be kept; give a number from 1 to {n_layers}")
    if n_kept == n_layers:
        return list(range(n_layers))
    return first_missed(quality_without(model, tokenizer=tokenizer, setting=setting), n_kept=n_kept)


def quality_without(
    model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, setting: Setting
) -> dict[int, Quality]:
    """Quality on a few queries of `valid` of the model without each of its layers, by the layer's number."""
    some = training.first_queries(setting.valid, n_queries=max(1, setting.profile.n_stop_queries // 2))
    numbers, found = range(model.config.num_hidden_layers), {}
    for left_out in numbers:
        rest = models.keep_layers(copy.deepcopy(model), layers=[i for i in numbers if i != left_out])
        found[left_out] = training.evaluate(
            rest, pairs=some, tokenizer=tokenizer, max_tokens=setting.max_tokens, top_gain=setting.top_gain
        )
    return found


def first_missed(without: Mapping[int, Quality], *, n_kept: int) -> list[int]:
    """The `n_kept` layers whose absence costs most, in the order of the model."""
    return sorted(sorted(without, key=lambda layer: without[layer].ndcg10)[:n_kept])
