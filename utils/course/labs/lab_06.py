"""The tasks of lab 06: a grid for each output, a range that survives an outlier, a product of whole numbers, and a step
of training through the rounding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from utils.course.labs.checks import Case, Task, named

THIRDS = np.array([3.0, 3.0, 2.0, 1.0, -2.0, 0.0])  # a grid of 3 steps to 3 has them all, and one of 4 to 4 as well
LIMIT = 127  # the largest whole number of a symmetric grid of 8 bits


def quantize(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from -127 to 127, and a scale for each output.

    Args:
        weight: (n_out, n_in). A row of zeros has the scale 1.

    Returns:
        whole (n_out, n_in), scales (n_out,).
    """
    return _quantize(weight)


def choose_limit(values: np.ndarray, limits: np.ndarray, n_bits: int) -> float:
    """Of some limits the one whose grid, from -limit to limit, has the least mean squared error.

    Args:
        values: (n_values,), what an activation was like; what lies beyond the limit is moved to it.
        n_bits: a grid has 2^(n_bits - 1) - 1 steps on each side of 0.
    """
    return _choose(values, limits, n_bits)


def int8_product(
    inputs: np.ndarray, input_scale: float, whole: np.ndarray, scales: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """A linear layer whose products are of whole numbers: (n_pairs, n_out) floats.

    Args:
        inputs: (n_pairs, n_in) floats, rounded on the grid of `input_scale`, clipped to -127 and 127.
        whole: (n_out, n_in) int8; scales: (n_out,); bias: (n_out,) floats.
    """
    return _product(inputs, input_scale, whole, scales, bias)


def fake_quantize(values: Tensor, limit: float) -> Tensor:
    """Values on the grid of 8 bits from -limit to limit, with the straight-through gradient.

    The gradient is 1 for values within the limit, and 0 beyond.

    Source: Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013,
    https://arxiv.org/abs/1308.3432
    """
    step = limit / LIMIT
    within = values.clamp(-limit, limit)
    return within + ((within / step).round() * step - within).detach()


def _quantize(
    weight: np.ndarray, *, axis: int | None = 1, limit: int = LIMIT, rounding: Callable = np.round
) -> tuple[np.ndarray, np.ndarray]:
    """`axis` is the one over which the largest number is taken; None takes it over all."""
    largest = np.abs(weight).max(axis=axis, keepdims=True)
    scales = np.where(largest > 0, largest, limit) / limit
    whole = np.clip(rounding(weight / scales), -limit - 1, limit)
    return whole, np.broadcast_to(scales, (len(weight), 1))[:, 0] if axis is None else scales.ravel()


def _error(
    values: np.ndarray,
    limit: float,
    n_bits: int,
    *,
    measure: Callable = lambda off: np.mean(off**2),
    is_within: bool = False,
    n_more: int = -1,
) -> float:
    """`n_more` is added to a power of 2 for the largest whole number."""
    largest = 2 ** (n_bits - 1) + n_more
    step = limit / largest
    off = np.clip(np.round(values / step), -largest, largest) * step - values
    return float(measure(off[np.abs(values) <= limit] if is_within else off))


def _choose(values: np.ndarray, limits: np.ndarray, n_bits: int, *, error: Callable = _error) -> float:
    return float(limits[np.argmin([error(values, limit, n_bits) for limit in limits])])


def _largest(values: np.ndarray, limits: np.ndarray, n_bits: int) -> float:
    return float(limits[np.argmin(np.abs(limits - np.abs(values).max()))])


def _median_error(off: np.ndarray) -> float:
    return float(np.median(np.abs(off)))


def _product(
    inputs: np.ndarray,
    input_scale: float,
    whole: np.ndarray,
    scales: np.ndarray,
    bias: np.ndarray,
    *,
    sums: type = np.int64,
    lowest: int = -LIMIT,
    is_clipped: bool = True,
    is_rounded: bool = True,
    has_both_scales: bool = True,
    scales_bias: bool = False,
) -> np.ndarray:
    rounded = np.round(inputs / input_scale) if is_rounded else inputs / input_scale
    rounded = np.clip(rounded, lowest, LIMIT) if is_clipped else rounded
    sums = sums if is_rounded else float
    found = (rounded.astype(sums) @ whole.astype(sums).T).astype(float)
    unit = input_scale * scales if has_both_scales else scales
    return (found + bias) * unit if scales_bias else found * unit + bias


def _round_alone(values: Tensor, limit: float) -> Tensor:
    step = limit / LIMIT
    return (values.clamp(-limit, limit) / step).round() * step


def _through_everywhere(values: Tensor, limit: float) -> Tensor:
    return values + (_round_alone(values, limit) - values).detach()


def _without_clipping(values: Tensor, limit: float) -> Tensor:
    step = limit / LIMIT
    return values + ((values / step).round() * step - values).detach()


def _without_rounding(values: Tensor, limit: float) -> Tensor:
    return values.clamp(-limit, limit)


def _values_and_gradient(function: Callable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The gradient is that of a sum with weights that differ."""
    values = arguments["values"].clone().requires_grad_()
    given = function(values, arguments["limit"])
    if not getattr(given, "requires_grad", False):
        raise ValueError("no gradient flows from what came back to the values")
    weights = torch.arange(1.0, values.numel() + 1)
    return {"the values": given, "the gradient": torch.autograd.grad((given * weights).sum(), values)[0] / weights}


def _weight_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    uneven = rng.normal(size=(6, 4)) * np.array([0.01, 0.1, 1.0, 1.0, 10.0, 100.0])[:, None]
    return [
        Case("two outputs", {"weight": np.array([[0.5, -1.27, 0.014], [12.7, 0.0, 6.04]])}),
        Case("an output of zeros", {"weight": np.array([[0.0, 0.0], [1.0, -2.0]])}),
        Case("outputs of very different size", {"weight": uneven}),
        Case("as many outputs as inputs", {"weight": rng.normal(size=(5, 5)) * np.arange(1, 6)[:, None]}),
    ]


def _limit_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    usual = rng.normal(size=4_000)
    limits = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 40.0])
    outlier, many = np.append(usual, 40.0), np.append(usual, np.full(400, 40.0))
    return [
        Case("nothing unusual", {"values": usual, "limits": limits, "n_bits": 4}),
        Case("one value far away", {"values": outlier, "limits": limits, "n_bits": 4}),
        Case("the same in 8 bits", {"values": outlier, "limits": limits, "n_bits": 8}),
        Case("a tenth of the values far away", {"values": many, "limits": limits, "n_bits": 4}),
        Case(
            "three bits, and values at whole numbers", {"values": THIRDS, "limits": np.array([3.0, 4.0]), "n_bits": 3}
        ),
        Case("limits from the largest down", {"values": outlier, "limits": limits[::-1].copy(), "n_bits": 4}),
    ]


def _product_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    small = {
        "inputs": np.array([[1.0, -2.0]]),
        "input_scale": 0.02,
        "whole": np.array([[100, 50], [-20, 3]], dtype=np.int8),
        "scales": np.array([0.01, 0.5]),
        "bias": np.array([0.0, 10.0]),
    }
    whole = rng.integers(-127, 128, (5, 64)).astype(np.int8)
    wide = {"inputs": rng.normal(size=(3, 64)), "input_scale": 0.03, "whole": whole}
    wide |= {"scales": rng.uniform(0.001, 0.1, 5), "bias": rng.normal(size=5)}
    return [
        Case("two numbers and two outputs", small),
        Case("inputs beyond the grid", small | {"inputs": np.array([[9.0, -9.0]])}),
        Case("inputs between two steps", small | {"inputs": np.array([[0.031, -0.007]])}),
        Case("sixty-four numbers", wide),
    ]


def _fake_cases(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    return [
        Case("five numbers", {"values": torch.tensor([-2.0, -0.004, 0.006, 1.0, 9.0]), "limit": 1.27}),
        Case("a wide grid", {"values": torch.tensor([-2.0, 0.4, 3.0]), "limit": 127.0}),
        Case("some drawn", {"values": torch.randn(40, generator=generator) * 2, "limit": 2.0}),
    ]


TASKS = {
    "quantize": Task(
        right=quantize,
        cases=_weight_cases,
        outcome=named("the whole numbers", "the scales"),
        misconceptions={
            "there is one scale for all outputs": partial(_quantize, axis=None),
            "there is a scale for each input, and not for each output": partial(_quantize, axis=0),
            "the grid reaches to 128": partial(_quantize, limit=LIMIT + 1),
            "numbers are cut off and not rounded": partial(_quantize, rounding=np.trunc),
        },
    ),
    "choose_limit": Task(
        right=choose_limit,
        cases=_limit_cases,
        misconceptions={
            "the largest value decides": _largest,
            "no value counts as off by more than half a step, however far it lies beyond the limit": partial(
                _choose, error=partial(_error, is_within=True)
            ),
            "the grid has one step too many on each side": partial(_choose, error=partial(_error, n_more=0)),
            "absolute errors are compared, and not squared ones": partial(
                _choose, error=partial(_error, measure=lambda off: np.mean(np.abs(off)))
            ),
            "the middle of the errors decides, and it never sees what is far away": partial(
                _choose, error=partial(_error, measure=_median_error)
            ),
        },
    ),
    "int8_product": Task(
        right=int8_product,
        cases=_product_cases,
        misconceptions={
            "sums are kept in 8 bits and overflow": partial(_product, sums=np.int8),
            "inputs beyond the grid are not clipped": partial(_product, is_clipped=False),
            "the inputs' grid reaches down to -128": partial(_product, lowest=-LIMIT - 1),
            "the inputs are not rounded": partial(_product, is_rounded=False),
            "the scale of the inputs is forgotten": partial(_product, has_both_scales=False),
            "the bias is multiplied by the scales too": partial(_product, scales_bias=True),
        },
    ),
    "fake_quantize": Task(
        right=fake_quantize,
        cases=_fake_cases,
        outcome=_values_and_gradient,
        misconceptions={
            "the gradient is that of rounding, which is 0": _round_alone,
            "the gradient passes beyond the limit as well": _through_everywhere,
            "values beyond the limit are not moved to it": _without_clipping,
            "nothing is rounded": _without_rounding,
        },
    ),
}
