"""Where the ends of an activation's grid may lie: what calibration pairs show of every layer's input, and three rules.

Works on a model with `fake_quant` in it. `fake_quant.calibrate` takes the extremes and asks nothing more; here the
rules can be compared, a single layer can have a range of its own, and outliers can be looked at and spared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from utils.rank.ranker import Batch
from utils.shrink.quantize import fake_quant
from utils.shrink.quantize.fake_quant import FakeQuantLinear

N_BINS = 4_096
Range = tuple[float, float]


@dataclass(frozen=True)
class Seen:
    """What flowed into one layer on calibration batches.

    Attributes:
        lows, highs: (n_batches,), the extremes of each batch.
        by_feature: (n_features,), the largest magnitude that each feature of the input ever had.
        counts: (N_BINS,), how many values fell into each of equal bins between the extremes of all batches.
    """

    lows: np.ndarray
    highs: np.ndarray
    by_feature: np.ndarray
    counts: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        """(N_BINS + 1,), where the bins begin and end."""
        return np.linspace(*extremes(self), len(self.counts) + 1)

    @property
    def largest_feature(self) -> int:
        """The number of the feature that reaches furthest from 0."""
        return int(self.by_feature.argmax())

    def share_beyond(self, ends: Range) -> float:
        """The share of all values beyond a range, which would go to its ends; exact to the width of a bin."""
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        return float(self.counts[(middles < ends[0]) | (middles > ends[1])].sum() / self.counts.sum())


def watch(model: PreTrainedModel, batches: Iterable[Batch]) -> dict[str, Seen]:
    """What `calibration.batches` show of the input of every Linear that can round, by its name; nothing rounds now.

    The batches pass twice: first for the extremes, then for the bins between them.

    Raises:
        ValueError: no batches, or nothing was inserted.
    """
    batches = list(batches)
    if not linears(model) or not batches:
        raise ValueError("ranges.watch: call fake_quant.insert(model) first, and give at least one batch")
    found: dict[str, list[Tensor]] = {name: [] for name in linears(model)}
    _show(model, batches, to=lambda name, x: found[name].append(torch.stack(_flat(x).aminmax(dim=0))))
    ends = {name: torch.stack(each).numpy() for name, each in found.items()}  # (n_batches, 2, n_features)
    counts = {name: torch.zeros(N_BINS, dtype=torch.float64) for name in ends}

    def count(name: str, x: Tensor) -> None:
        low, high = float(ends[name].min()), float(ends[name].max())
        counts[name] += torch.histc(x.float(), N_BINS, min=low, max=high).cpu()

    _show(model, batches, to=count)
    return {
        name: Seen(
            each[:, 0].min(axis=1), each[:, 1].max(axis=1), abs(each).max(axis=(0, 1)), counts[name].numpy().astype(int)
        )
        for name, each in ends.items()
    }


def extremes(seen: Seen) -> Range:
    """From the least to the largest value of all batches: nothing is cut off."""
    return float(seen.lows.min()), float(seen.highs.max())


def mean_of_extremes(seen: Seen) -> Range:
    """The mean of the batches' least values and of their largest: NNCF's default. What only few batches have is cut."""
    return float(seen.lows.mean()), float(seen.highs.mean())


def percentile(seen: Seen, percent: float) -> Range:
    """The range that holds all but the rarest values on either side, exact to the width of a bin.

    Args:
        percent: from 50 to 100. 99.9 cuts off a thousandth below and a thousandth above; 100 gives the extremes.

    Raises:
        ValueError: another number.
    """
    if not 50 <= percent <= 100:
        raise ValueError(f"ranges.percentile: {percent} is not from 50 to 100; 99.9 is usual, and 100 cuts nothing")
    if percent == 100:
        return extremes(seen)
    below = np.cumsum(seen.counts) / seen.counts.sum()  # (N_BINS,), the share up to the end of each bin
    first = int(np.argmax(below > 1 - percent / 100))
    last = int(np.argmax(below >= percent / 100))
    return float(seen.edges[first]), float(seen.edges[last + 1])


def put(model: PreTrainedModel, ranges: Mapping[str, Range]) -> PreTrainedModel:
    """Give layers new ranges of their input, by name; those that are not named keep theirs. In place.

    Raises:
        ValueError: no Linear of that name can round.
    """
    known = linears(model)
    if unknown := sorted(set(ranges) - set(known)):
        raise ValueError(f"ranges.put: no layer '{unknown[0]}'; there are {', '.join(known)}")
    for name, (low, high) in ranges.items():
        known[name].low = torch.tensor(low)
        known[name].high = torch.tensor(high)
    return model


@contextmanager
def sparing(model: PreTrainedModel, features: Mapping[str, int]) -> Iterator[PreTrainedModel]:
    """One feature of a layer's input, by the layer's name, is not rounded for as long as the block lasts.

    Its products are added in fp32, as LLM.int8() does with outlier features.

    Source: Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", 2022,
    https://arxiv.org/abs/2208.07339
    """
    known = linears(model)
    handles = [
        known[name].register_forward_hook(partial(_give_back, feature=feature)) for name, feature in features.items()
    ]
    try:
        yield model
    finally:
        for handle in handles:
            handle.remove()


def follow(
    model: PreTrainedModel, batches: Iterable[Batch], *, layer: str, feature: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One feature of a layer's input, where it is largest in each batch, beside the score; nothing rounds now.

    Args:
        batches: of one pair each, from `calibration.batches`.

    Returns:
        values (n_pairs,), the token at which each stands (n_pairs,), and the scores (n_pairs,).
    """
    values, tokens = [], []

    def look(name: str, x: Tensor) -> None:
        if name == layer:
            column = _flat(x)[:, feature]
            tokens.append(int(column.abs().argmax()))
            values.append(float(column[tokens[-1]]))

    scores = _show(model, list(batches), to=look)
    return np.array(values), np.array(tokens), scores


def inputs(model: PreTrainedModel, batch: Batch, *, layer: str) -> np.ndarray:
    """What a Linear gets as its input in one batch, (n_tokens of all pairs, n_features), by the layer's name.

    Raises:
        ValueError: there is no Linear of that name.
    """
    found = dict(model.named_modules()).get(layer)
    if not isinstance(found, nn.Linear):
        raise ValueError(f"ranges.inputs: no Linear '{layer}'; see model.named_modules()")
    seen: list[np.ndarray] = []
    handle = found.register_forward_pre_hook(lambda _, given: seen.append(_flat(given[0]).cpu().numpy()))
    try:
        with torch.inference_mode():
            model(**{name: torch.from_numpy(values).to(model.device) for name, values in batch.items()})
    finally:
        handle.remove()
    return seen[0]


def linears(model: PreTrainedModel) -> dict[str, FakeQuantLinear]:
    """The layers whose input has a range, by their names in the model."""
    return {name: one for name, one in fake_quant.layers(model).items() if isinstance(one, FakeQuantLinear)}


def _give_back(layer: FakeQuantLinear, inputs: tuple[Tensor], out: Tensor, *, feature: int) -> Tensor:
    """What rounding took from one feature of the input, times its weights, added to the layer's output."""
    if not layer.active:
        return out
    lost = (inputs[0] - layer.round_input(inputs[0]))[..., feature]
    return out + lost[..., None] * layer.weight[:, feature]


def _flat(x: Tensor) -> Tensor:
    """(n_tokens of all pairs, n_features)."""
    return x.flatten(0, -2)


def _show(model: PreTrainedModel, batches: Sequence[Batch], *, to: Callable[[str, Tensor], object]) -> np.ndarray:
    """Run the batches with nothing rounding; `to` gets each Linear's name and its input. Returns the scores."""
    handles = [
        linear.register_forward_pre_hook(lambda _, inputs, name=name: to(name, inputs[0].detach()))
        for name, linear in linears(model).items()
    ]
    scores = []
    try:
        with torch.inference_mode(), fake_quant.only(model, ()):
            for batch in batches:
                tensors = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
                scores.append(model(**tensors).logits[:, 0].cpu().numpy())
    finally:
        for handle in handles:
            handle.remove()
    return np.concatenate(scores)
