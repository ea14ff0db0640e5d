"""Numbers as whole numbers of few bits: scale and zero point, rounding to the grid and back, and what is lost.

NumPy arrays only, small enough to follow by hand. Whole models are quantized in `int8_onnx`, `int8_openvino` and `qat`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INT16 = (-(2**15), 2**15 - 1)


@dataclass(frozen=True)
class Grid:
    """The real numbers that can be stored: scale × (whole number − zero_point), whole numbers from `low` to `high`.

    `scale` and `zero_point` are single numbers (per tensor), or have one entry a channel and broadcast over the values.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    low: int
    high: int


def symmetric(values: np.ndarray, *, bits: int = 8, axis: int | None = None) -> Grid:
    """A signed grid around zero that just holds the largest magnitude; the zero point is 0, the lowest number unused.

    Args:
        axis: each index along this axis (a channel) gets a scale of its own; None gives one scale to all values.
    """
    largest = _over_channels(np.max, np.abs(_numbers(values)), axis=axis)
    high = 2 ** (bits - 1) - 1
    scale = _not_zero(largest / high)
    return Grid(scale, np.zeros_like(scale, dtype=np.int32), -high, high)


def asymmetric(values: np.ndarray, *, bits: int = 8, axis: int | None = None) -> Grid:
    """An unsigned grid from the least to the largest value; zero lies on it exactly, since padding and ReLU give zeros.

    Args:
        axis: as in `symmetric`.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", CVPR 2018, https://arxiv.org/abs/1712.05877
    """
    least = np.minimum(_over_channels(np.min, _numbers(values), axis=axis), 0)
    most = np.maximum(_over_channels(np.max, _numbers(values), axis=axis), 0)
    high = 2**bits - 1
    scale = _not_zero((most - least) / high)
    return Grid(scale, np.rint(-least / scale).astype(np.int32), 0, high)


def quantize(values: np.ndarray, grid: Grid) -> np.ndarray:
    """The nearest whole numbers of the grid (halves go to the even one); what lies outside goes to the end."""
    return np.clip(np.rint(values / grid.scale) + grid.zero_point, grid.low, grid.high).astype(np.int32)


def dequantize(integers: np.ndarray, grid: Grid) -> np.ndarray:
    """The real numbers that the whole numbers stand for, float32."""
    return (grid.scale * (integers - grid.zero_point)).astype(np.float32)


def round_trip(values: np.ndarray, grid: Grid) -> np.ndarray:
    """The values as they come back: quantized and dequantized."""
    return dequantize(quantize(values, grid), grid)


def relative_error(values: np.ndarray, grid: Grid) -> float:
    """Root mean square of what the grid loses, over the root mean square of the values; 0 is lossless."""
    lost = round_trip(values, grid) - values
    return float(np.sqrt(np.mean(lost**2) / np.mean(np.square(values))))


def matmul(a: np.ndarray, b: np.ndarray, *, a_grid: Grid, b_grid: Grid) -> np.ndarray:
    """`a` (m, k) times `b` (k, n) in whole numbers, scaled back to real ones: what an int8 kernel computes.

    `a_grid` is per tensor, `b_grid` per tensor or with one scale a column, (1, n).
    """
    whole = (quantize(a, a_grid) - a_grid.zero_point) @ (quantize(b, b_grid) - b_grid.zero_point)  # int32
    return (a_grid.scale * b_grid.scale * whole).astype(np.float32)


def dot_without_vnni(unsigned: np.ndarray, signed: np.ndarray) -> int:
    """Dot product of (k,) unsigned and (k,) signed 8-bit numbers as AVX2 does it, k even.

    Its instruction vpmaddubsw multiplies, adds two neighbours and keeps the sum in 16 bits: what does not fit is cut
    off at the end of the range (it saturates). Only then are the sums widened and added. The instruction vpdpbusd of
    processors with VNNI adds in 32 bits from the start.

    Raises:
        ValueError: a number does not fit into 8 bits, or the lengths are odd or differ.

    Source: "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2, PMADDUBSW and VPDPBUSD.
    """
    fits = all(np.all((low <= v) & (v <= high)) for v, low, high in ((unsigned, 0, 255), (signed, -128, 127)))
    if not fits or unsigned.shape != signed.shape or len(unsigned) % 2:
        raise ValueError("dot_without_vnni: give as many numbers 0..255 as -128..127, an even number of each")
    products = unsigned.astype(np.int32) * signed.astype(np.int32)
    return int(np.clip(products.reshape(-1, 2).sum(axis=1), *INT16).sum())


def _numbers(values: np.ndarray) -> np.ndarray:
    if not np.size(values) or not np.isfinite(values).all():
        raise ValueError("a grid needs at least one value, all of them finite; look at the model's weights or inputs")
    return np.asarray(values, dtype=np.float32)


def _over_channels(reduce, values: np.ndarray, *, axis: int | None) -> np.ndarray:
    """Reduce all axes, or all but `axis`; kept as axes of length 1, so that the result broadcasts."""
    if axis is None:
        return np.asarray(reduce(values))
    others = tuple(i for i in range(values.ndim) if i != axis % values.ndim)
    return reduce(values, axis=others, keepdims=True)


def _not_zero(scale: np.ndarray) -> np.ndarray:
    """Values that are all zero need some scale; any will do."""
    return np.where(scale > 0, scale, 1.0).astype(np.float32)
