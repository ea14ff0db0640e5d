"""Which layers a ranker can round and which it cannot: one layer at a time, all but one, and a mixture from that.

Works on a model with `fake_quant` in it. A score's drift is compared with what counts, the order of the products.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel

from utils.data.catalogue import rows_by_query
from utils.shrink.quantize import fake_quant

Score = Callable[[], np.ndarray]


def drift(scores: np.ndarray, *, reference: np.ndarray) -> float:
    """How far scores (n_pairs,) are from the reference's: root mean square difference over the reference's spread.

    Raises:
        ValueError: the lengths differ, or all scores of the reference are the same.
    """
    if scores.shape != reference.shape or not np.std(reference) > 0:
        raise ValueError("drift: give as many scores as the reference has, and a reference that tells pairs apart")
    return float(np.sqrt(np.mean((scores - reference) ** 2)) / np.std(reference))


def one_at_a_time(model: PreTrainedModel, *, score: Score) -> dict[str, np.ndarray]:
    """The scores when only this layer rounds, by the layer's name; `score` scores the same pairs with the model."""
    return {name: _scored(model, {name}, score=score) for name in fake_quant.layers(model)}


def all_but_one(model: PreTrainedModel, *, score: Score) -> dict[str, np.ndarray]:
    """The scores when every layer rounds but this one, by the layer's name."""
    names = set(fake_quant.layers(model))
    return {name: _scored(model, names - {name}, score=score) for name in fake_quant.layers(model)}


def rounded_within(
    model: PreTrainedModel, *, score: Score, reference: np.ndarray, drifts: Mapping[str, float], limit: float
) -> list[str]:
    """The layers to round so that the drift stays within `limit`: the most harmful leave first, until it does.

    Args:
        drifts: of each layer, from `one_at_a_time`.

    Returns:
        Names in the model's order; empty when even the last layer alone drifts too far.
    """
    left = sorted(drifts, key=lambda name: drifts[name])
    while left and drift(_scored(model, left, score=score), reference=reference) > limit:
        left.pop()
    return [name for name in fake_quant.layers(model) if name in left]


def swapped(pairs: Dataset, *, before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """For each query_id the share of its pairs of products that two scorings (n_pairs,) put in opposite order.

    0 is the same order, 1 the reverse: (1 - Kendall's tau) / 2, ties counted as not swapped.
    """
    return {query_id: _opposed(before[rows], after[rows]) for query_id, rows in rows_by_query(pairs).items()}


def short_name(name: str) -> str:
    """A layer's name as a label: its number and what it is, such as `0 · attention.self.query`."""
    parts = name.split(".")
    number = next((i for i, part in enumerate(parts) if part.isdigit()), None)
    kept = parts[number + 1 :] if number is not None else parts[1:]
    kept = [part for part, after in pairwise([*kept, ""]) if part != "dense" or after]
    label = ".".join(kept)
    return label if number is None else f"{parts[number]} · {label}"


def _scored(model: PreTrainedModel, names: set[str] | list[str], *, score: Score) -> np.ndarray:
    with fake_quant.only(model, names):
        return score()


def _opposed(before: np.ndarray, after: np.ndarray) -> float:
    first, second = np.triu_indices(len(before), k=1)
    if not len(first):
        return 0.0
    return float(np.mean((before[first] - before[second]) * (after[first] - after[second]) < 0))
