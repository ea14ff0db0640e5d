"""A PyTorch model that rounds to int8 and back where an int8 runtime would: to look at, to train, and to export.

Linear layers round their weights (symmetric, a scale for each output) and their input (asymmetric, one range); the word
table rounds each row. The rounding has no slope, so training pretends that it is not there (the straight-through
estimator). Weights stay fp32 parameters under their old names: such a model saves and loads like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from utils.rank.ranker import Batch
from utils.shrink.quantize import quantization
from utils.shrink.quantize.quantization import Grid

BITS = (8, 7, 4, 3, 2)  # that the weights of a Linear may have


class FakeQuantLinear(nn.Linear):
    """A Linear whose input and weight lie on int8 grids while `active`; otherwise it is the Linear that it was.

    Attributes:
        weight_bits: as in `insert`.
        low, high: the range of the input, from `calibrate`; they are not trained.
    """

    def __init__(self, linear: nn.Linear, *, weight_bits: int = 8) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        self.weight, self.bias, self.weight_bits = linear.weight, linear.bias, weight_bits
        self.active = False
        self.seen: list[Tensor] | None = None
        self.register_buffer("low", torch.zeros(()), persistent=False)
        self.register_buffer("high", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.seen is not None:
            self.seen.append(torch.stack(x.detach().aminmax()))
        if not self.active:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):  # a bfloat16 would round the values of the grids again
            weight = _round_rows(self.weight, bits=self.weight_bits)
            return nn.functional.linear(self.round_input(x.float()), weight, self.bias)

    def input_grid(self) -> Grid:
        """The grid of the input, unsigned, per tensor."""
        return quantization.asymmetric(np.array([float(self.low), float(self.high)]))

    def weight_grid(self) -> Grid:
        """The grid of the weight (n_outputs, n_inputs), with a scale for each output, (n_outputs, 1)."""
        return quantization.symmetric(self.weight.detach().cpu().numpy(), bits=self.weight_bits, axis=0)

    def round_input(self, x: Tensor) -> Tensor:
        """An input to the grid and back."""
        grid = self.input_grid()
        scale = torch.tensor(float(grid.scale), device=x.device)
        return Round.apply(x, scale, int(grid.zero_point), grid.low, grid.high)


class FakeQuantEmbedding(nn.Embedding):
    """An Embedding whose rows lie on int8 grids, each with a scale of its own, while `active`."""

    def __init__(self, embedding: nn.Embedding) -> None:
        sizes = (embedding.num_embeddings, embedding.embedding_dim)
        super().__init__(*sizes, padding_idx=embedding.padding_idx, device="meta")
        self.weight = embedding.weight
        self.active = False

    def forward(self, ids: Tensor) -> Tensor:
        rows = super().forward(ids)  # (n_pairs, n_tokens, d_model)
        return _round_rows(rows.flatten(0, -2)).view_as(rows) if self.active else rows


Rounded = FakeQuantLinear | FakeQuantEmbedding


def insert(model: PreTrainedModel, *, weight_bits: int = 8) -> PreTrainedModel:
    """Put fake quantization, not yet active, into a model's Linears and its word table; in place.

    The last Linear, which gives the score, stays as it is: it is a thousandth of the work and the most exposed.

    Args:
        weight_bits: of the Linears' weights: 8, 7, 4, 3 or 2. Without VNNI a processor adds products of bytes in 16
            bits, which saturate, so that a file of 8 bits scores otherwise there; with 7 it scores alike everywhere.
            With 4 and fewer you see what coarse grids do; an export stores those in bytes as well.

    Raises:
        ValueError: there is some in it already, or another number of bits.
    """
    if weight_bits not in BITS:
        raise ValueError(f"fake_quant.insert: weight_bits is {weight_bits}; give one of {', '.join(map(str, BITS))}")
    if layers(model):
        raise ValueError("fake_quant.insert: the model has fake quantization already; load it anew")
    for parent in list(model.base_model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                setattr(parent, name, FakeQuantLinear(child, weight_bits=weight_bits))
            elif type(child) is nn.Embedding and name == "word_embeddings":
                setattr(parent, name, FakeQuantEmbedding(child))
    return model


def layers(model: nn.Module) -> dict[str, Rounded]:
    """The layers that can round, by their names in the model."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, Rounded)}


def calibrate(model: PreTrainedModel, batches: Iterable[Batch]) -> PreTrainedModel:
    """Measure the range of every Linear's input on `calibration.batches` and make all layers active.

    The range runs from the least to the largest input that any batch showed: the few large activations of a BERT carry
    much of what it knows, so cutting them off costs more than the wider steps that they ask for.

    Raises:
        ValueError: no batches, or nothing was inserted.
    """
    linears = [layer for layer in layers(model).values() if isinstance(layer, FakeQuantLinear)]
    batches = list(batches)
    if not linears or not batches:
        raise ValueError("fake_quant.calibrate: call fake_quant.insert(model) first, and give at least one batch")
    use(model, ())
    for linear in linears:
        linear.seen = []
    with torch.inference_mode():
        for batch in batches:
            model(**{name: torch.from_numpy(values).to(model.device) for name, values in batch.items()})
    for linear in linears:
        ends = torch.stack(linear.seen)  # (n_batches, 2)
        linear.low, linear.high = (torch.tensor(float(end)) for end in (ends[:, 0].min(), ends[:, 1].max()))
        linear.seen = None
    return use(model, layers(model))


def use(model: PreTrainedModel, names: Collection[str]) -> PreTrainedModel:
    """Make the layers of these names active and no others; in place.

    Raises:
        ValueError: there is no such layer.
    """
    known = layers(model)
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"fake_quant.use: no layer '{unknown[0]}'; there are {', '.join(known)}")
    for name, layer in known.items():
        layer.active = name in set(names)
    return model


@contextmanager
def only(model: PreTrainedModel, names: Collection[str]) -> Iterator[PreTrainedModel]:
    """These layers active for as long as the block lasts, then those that were."""
    before = [name for name, layer in layers(model).items() if layer.active]
    try:
        yield use(model, names)
    finally:
        use(model, before)


class Round(torch.autograd.Function):
    """To a grid and back; backwards as if nothing had happened, except that what lies off the grid's ends stays put.

    The same operations in the same order as ONNX's QuantizeLinear (a division, halves to even), so that an exported
    graph rounds alike; PyTorch's own fake quantization multiplies by 1 / scale, and now and then ends one step off.

    Source: Bengio, Léonard, Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for Conditional
    Computation", 2013, https://arxiv.org/abs/1308.3432
    """

    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, zero_point: int, low: int, high: int) -> Tensor:
        whole = torch.round(x / scale) + zero_point
        ctx.save_for_backward((low <= whole) & (whole <= high))
        return (whole.clamp(low, high) - zero_point) * scale

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None, None, None


def _round_rows(values: Tensor, *, bits: int = 8) -> Tensor:
    """Each row of (n, k) on a symmetric grid of its own."""
    high = 2 ** (bits - 1) - 1
    largest = values.detach().abs().amax(dim=1, keepdim=True)
    scale = torch.where(largest > 0, largest / high, torch.ones_like(largest))
    return Round.apply(values, scale, 0, -high, high)
