"""In what a learner's value differs from the one that is expected, in words that give no value away but the first.

Numbers, arrays, tensors, and tuples, lists and dictionaries of them.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping

import numpy as np
import torch

LONGEST = 90  # characters of a value as it is shown
_short = reprlib.Repr()
_short.maxother = _short.maxstring = LONGEST


def difference(found: object, expected: object, *, tolerance: float) -> str | None:
    """What is wrong with `found`, as the end of a sentence; None where it is as expected.

    Args:
        tolerance: by how much two numbers may differ, absolutely and in their share.
    """
    if found is None and expected is not None:
        return "nothing came back; end the function with `return`"
    if isinstance(expected, Mapping):
        return _of_mappings(found, expected, tolerance=tolerance)
    if isinstance(expected, tuple | list) and not _is_numeric(expected):
        return _of_sequences(found, expected, tolerance=tolerance)
    if isinstance(expected, str | bytes | bool | None):
        return None if found == expected else f"{shown(expected)} is expected, {shown(found)} came"
    return _of_numbers(found, expected, tolerance=tolerance)


def shown(value: object) -> str:
    """A value in at most a line: arrays and tensors by their shape, and by their numbers where those are few."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
        if _numbers(value) is not None and array.size <= 12:
            with np.printoptions(precision=4, suppress=True, linewidth=10_000):
                return np.array2string(array, separator=", ").replace("\n", "")
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {shown(one)}" for key, one in list(value.items())[:6]) + "}"
    if isinstance(value, tuple | list) and len(value) <= 12:
        inner = ", ".join(map(shown, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return _short.repr(value)


def _of_mappings(found: object, expected: Mapping, *, tolerance: float) -> str | None:
    if not isinstance(found, Mapping):
        return f"a dictionary with {', '.join(map(repr, expected))} is expected, {shown(found)} came"
    if set(found) != set(expected):
        return f"the keys {', '.join(map(repr, expected))} are expected, {', '.join(map(repr, found)) or 'none'} came"
    for key, value in expected.items():
        if words := difference(found[key], value, tolerance=tolerance):
            return f"{key}: {words}"
    return None


def _of_sequences(found: object, expected: tuple | list, *, tolerance: float) -> str | None:
    if not isinstance(found, tuple | list) or len(found) != len(expected):
        return f"{len(expected)} values are expected, {shown(found)} came"
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        if words := difference(one, other, tolerance=tolerance):
            return f"[{place}]: {words}"
    return None


def _of_numbers(found: object, expected: object, *, tolerance: float) -> str | None:
    wanted, got = _numbers(expected), _numbers(found)
    if got is None:
        return f"{'a number' if not wanted.shape else 'numbers'} of shape {wanted.shape} expected, {shown(found)} came"
    if got.shape != wanted.shape:
        return f"the shape {wanted.shape} is expected, {got.shape} came"
    wanted, got = (np.where(np.isfinite(one), one, np.nan) for one in (wanted, got))  # inf and nan are one mistake
    if not np.isfinite(got[np.isfinite(wanted)]).all():
        return f"a number that is not finite came: {shown(found)}"
    if np.allclose(got, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
        return None
    is_bool = getattr(expected, "dtype", None) in (bool, torch.bool)
    if not wanted.shape:
        return f"{_one(wanted, is_bool)} is expected, {_one(got, is_bool)} came"
    wrong = np.argwhere(~np.isclose(got, wanted, rtol=tolerance, atol=tolerance, equal_nan=True))
    first = tuple(map(int, wrong[0]))
    many = f"{len(wrong)} of {wanted.size} differ; the first, at {_place(first)}"
    return f"{many}: {_one(wanted[first], is_bool)} is expected, {_one(got[first], is_bool)} came"


def _one(number: np.ndarray, is_bool: bool) -> str:
    return str(bool(number)) if is_bool else f"{float(number):.6g}"


def _place(indices: tuple[int, ...]) -> str:
    """Where a number stands, counted from 0."""
    return f"row {indices[0]}, column {indices[1]}" if len(indices) == 2 else f"place {', '.join(map(str, indices))}"


def _is_numeric(values: tuple | list) -> bool:
    return len(values) > 0 and all(isinstance(one, int | float | np.number) for one in values)


def _numbers(value: object) -> np.ndarray | None:
    """As an array of floats; None where it is none."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().float().numpy()
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None
