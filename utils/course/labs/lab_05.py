"""The tasks of lab 05: a sparse matrix in three arrays, its product with a vector, its break-even, and a 2:4 mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from utils.course.labs.checks import Case, Task, named

Csr = tuple[np.ndarray, np.ndarray, np.ndarray]


def to_csr(matrix: np.ndarray) -> Csr:
    """The numbers that are not 0, row by row; the column of each; and where each row begins, the end included.

    Args:
        matrix: (n_rows, n_columns).

    Returns:
        values (n_nonzero,), columns (n_nonzero,), row_starts (n_rows + 1,).
    """
    rows, columns = np.nonzero(matrix)
    return matrix[rows, columns], columns, np.searchsorted(rows, np.arange(len(matrix) + 1))


def csr_product(values: np.ndarray, columns: np.ndarray, row_starts: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """A sparse matrix times a vector (n_columns,): (n_rows,). A row without a number gives 0."""
    return _product(values, columns, row_starts, vector)


def break_even(n_rows: int, n_columns: int, value_bytes: int, index_bytes: int) -> float:
    """The share of zeros from which on CSR takes no more bytes than the dense matrix."""
    return _break_even(n_rows, n_columns, value_bytes, index_bytes)


def mask_2_4(weight: np.ndarray) -> np.ndarray:
    """True for the two largest of every four neighbours of a row, by magnitude; of equal ones the first stay.

    Args:
        weight: (n_rows, n_columns), the columns a multiple of 4.
    """
    return _mask(weight)


def _product(
    values: np.ndarray, columns: np.ndarray, row_starts: np.ndarray, vector: np.ndarray, *, shift: int = 0
) -> np.ndarray:
    ends = row_starts[1:] - shift
    spans = [slice(max(first, 0), end) for first, end in zip(row_starts[:-1], ends, strict=True)]
    return np.array([float(values[span] @ vector[columns[span]]) for span in spans])


def _product_by_reduceat(values, columns, row_starts, vector):
    return np.add.reduceat(values * vector[columns], row_starts[:-1])


def _product_by_rows(values, columns, row_starts, vector):
    rows = np.repeat(np.arange(len(row_starts) - 1), np.diff(row_starts))
    return np.bincount(rows, weights=values * vector[rows], minlength=len(row_starts) - 1)


def _break_even(
    n_rows: int,
    n_columns: int,
    value_bytes: int,
    index_bytes: int,
    *,
    has_starts: bool = True,
    has_end: bool = True,
    has_columns: bool = True,
    is_share_left: bool = False,
) -> float:
    dense = n_rows * n_columns * value_bytes
    fixed = (n_rows + has_end) * index_bytes if has_starts else 0
    of_one = value_bytes + (index_bytes if has_columns else 0)
    left = (dense - fixed) / (n_rows * n_columns * of_one)
    return left if is_share_left else 1 - left


def _mask(
    weight: np.ndarray,
    *,
    size: Callable[[np.ndarray], np.ndarray] = np.abs,
    keeps_smallest: bool = False,
    is_down: bool = False,
    prefers_last: bool = False,
) -> np.ndarray:
    weight = weight.T if is_down else weight
    if prefers_last:
        return _mask(weight[:, ::-1], size=size)[:, ::-1]
    groups = size(weight).reshape(-1, 4)
    order = np.argsort(groups if keeps_smallest else -groups, axis=1, kind="stable")
    mask = np.zeros(groups.shape, dtype=bool)
    np.put_along_axis(mask, order[:, :2], True, axis=1)
    mask = mask.reshape(weight.shape)
    return mask.T if is_down else mask


def _half_of_all(weight: np.ndarray) -> np.ndarray:
    mask = np.zeros(weight.size, dtype=bool)
    mask[np.argsort(-np.abs(weight).ravel(), kind="stable")[: weight.size // 2]] = True
    return mask.reshape(weight.shape)


def _counts_of_rows(matrix: np.ndarray) -> Csr:
    values, columns, starts = to_csr(matrix)
    return values, columns, np.diff(starts)


def _without_end(matrix: np.ndarray) -> Csr:
    values, columns, starts = to_csr(matrix)
    return values, columns, starts[:-1]


def _ends(matrix: np.ndarray) -> Csr:
    values, columns, starts = to_csr(matrix)
    return values, columns, starts[1:]


def _only_positive(matrix: np.ndarray) -> Csr:
    return to_csr(np.maximum(matrix, 0))


def _by_columns(matrix: np.ndarray) -> Csr:
    return to_csr(matrix.T)


def _flat_places(matrix: np.ndarray) -> Csr:
    values, _, starts = to_csr(matrix)
    return values, np.flatnonzero(matrix), starts


def _matrix_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    drawn = np.where(rng.random((6, 9)) < 0.3, rng.normal(size=(6, 9)), 0.0)
    return [
        Case("two rows", {"matrix": np.array([[0.0, 5.0, 0.0], [7.0, 0.0, 8.0]])}),
        Case("an empty row first and one last", {"matrix": np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0]])}),
        Case("nothing but zeros", {"matrix": np.zeros((2, 3))}),
        Case("some negative numbers", {"matrix": drawn}),
    ]


def _product_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for case in _matrix_cases(seed):
        matrix = case.arguments["matrix"]
        values, columns, starts = to_csr(matrix)
        parts = {"values": values, "columns": columns, "row_starts": starts}
        cases.append(Case(case.about, parts | {"vector": rng.normal(size=matrix.shape[1])}))
    return cases


def _bytes_cases(seed: int) -> list[Case]:
    n = int(np.random.default_rng(seed).integers(100, 900))
    sizes = [(2, 4, 4, 4), (384, 1_536, 4, 2), (384, 1_536, 1, 2), (n, 384, 2, 4)]
    names = ("n_rows", "n_columns", "value_bytes", "index_bytes")
    words = ("a tiny matrix", "fp32 and indices of two bytes", "int8 and indices of two bytes", "fp16, long indices")
    return [Case(about, dict(zip(names, one, strict=True))) for about, one in zip(words, sizes, strict=True)]


def _weight_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        Case("the same four numbers in four rows", {"weight": np.tile([[0.1, -0.9, 0.4, 0.2]], (4, 1))}),
        Case("two groups, one much larger", {"weight": np.tile([[5.0, 6.0, 7.0, 8.0, 0.1, 0.2, -0.3, 0.4]], (4, 1))}),
        Case("equal numbers", {"weight": np.tile([[0.3, -0.3, 0.3, 0.1, -0.2, 0.2, 0.2, 0.5]], (4, 1))}),
        Case("a group of zeros", {"weight": np.tile([[0.0, 0.0, 0.0, 0.0, 1.0, -2.0, 3.0, -4.0]], (4, 1))}),
        Case("eight rows", {"weight": rng.normal(size=(8, 16))}),
    ]


def _as_mask(function: Callable, arguments: Mapping[str, Any]) -> np.ndarray:
    mask = np.asarray(function(**arguments))
    if mask.dtype != bool:
        raise ValueError(f"an array of {mask.dtype} came; give one of True and False")
    return mask


TASKS = {
    "to_csr": Task(
        right=to_csr,
        cases=_matrix_cases,
        outcome=named("values", "columns", "row_starts"),
        misconceptions={
            "the third array holds how many numbers a row has": _counts_of_rows,
            "the third array does not say where the last row ends": _without_end,
            "the third array says where rows end, and does not begin with 0": _ends,
            "negative numbers are taken for zeros": _only_positive,
            "the matrix is read column by column": _by_columns,
            "the second array counts through the whole matrix and not along the row": _flat_places,
        },
    ),
    "csr_product": Task(
        right=csr_product,
        cases=_product_cases,
        misconceptions={
            "an empty row gets a number": _product_by_reduceat,
            "a number is multiplied by the vector's entry of its row, not of its column": _product_by_rows,
            "the last number of every row is left out": partial(_product, shift=1),
        },
    ),
    "break_even": Task(
        right=break_even,
        cases=_bytes_cases,
        misconceptions={
            "the column of each number costs nothing": partial(_break_even, has_columns=False),
            "where the rows begin costs nothing": partial(_break_even, has_starts=False),
            "the third array has one entry for each row and none for the end": partial(_break_even, has_end=False),
            "a percentage is given and not a share": lambda **sizes: 100 * break_even(**sizes),
            "the share of the numbers that are left is given": partial(_break_even, is_share_left=True),
        },
    ),
    "mask_2_4": Task(
        right=mask_2_4,
        cases=_weight_cases,
        outcome=_as_mask,
        misconceptions={
            "numbers are compared with their sign": partial(_mask, size=np.asarray),
            "the two smallest stay": partial(_mask, keeps_smallest=True),
            "the half of all numbers stays, wherever they are": _half_of_all,
            "groups run down the columns": partial(_mask, is_down=True),
            "of equal numbers the last ones stay": partial(_mask, prefers_last=True),
        },
    ),
}
