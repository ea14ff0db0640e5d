"""Five ways to store a matrix with zeros: the bytes of each, derived and counted, and where it breaks even with dense.

COO, CSR and block CSR are SciPy's; the bitmap is ours. What chooses the zeros is in `magnitude` and
`structured_sparsity`, whole folders are in `sparse_folder`, and products with such matrices in `sparse_products`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import ceil, log2
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
import torch
from safetensors import numpy as safetensors

LAYOUTS = ("dense", "COO", "CSR", "block CSR", "bitmap")
BLOCK = 4  # rows and columns of a block of block CSR, where nothing else is said
INDEX_BYTES = 4  # an int32: what SciPy uses for matrices of this size; PyTorch takes 8
WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Stored(NamedTuple):
    """Bytes of a safetensors file, as it is and after zstd."""

    plain: int
    zstd: int


def arrays(matrix: np.ndarray, *, layout: str, block: int = BLOCK) -> dict[str, np.ndarray]:
    """What a layout stores of a matrix (n_rows, n_columns): its arrays by name.

    `starts` says where each row begins in `columns`. SciPy's layouts hold a negative zero to be a zero; the bitmap
    keeps its bits.

    Raises:
        ValueError: an unknown layout, or blocks that do not fit into the matrix.
    """
    if layout == "dense":
        return {"values": matrix}
    if layout == "COO":
        coo = sp.coo_array(matrix)
        return {"rows": _index(coo.coords[0]), "columns": _index(coo.coords[1]), "values": coo.data}
    if layout == "CSR":
        csr = sp.csr_array(matrix)
        return {"starts": _index(csr.indptr), "columns": _index(csr.indices), "values": csr.data}
    if layout == "block CSR":
        _check_blocks(matrix.shape, block=block)
        bsr = sp.bsr_array(matrix, blocksize=(block, block))
        return {"starts": _index(bsr.indptr), "columns": _index(bsr.indices), "blocks": bsr.data}
    if layout == "bitmap":
        bits, values = to_bitmap(torch.from_numpy(np.ascontiguousarray(matrix)))
        return {"bits": bits.numpy(), "values": values.numpy()}
    raise ValueError(f"layout '{layout}' is not one of {', '.join(LAYOUTS)}")


def dense(stored: Mapping[str, np.ndarray], *, layout: str, shape: tuple[int, int]) -> np.ndarray:
    """The matrix (n_rows, n_columns) that `arrays` stored in that layout."""
    if layout == "dense":
        return stored["values"]
    if layout == "COO":
        return sp.coo_array((stored["values"], (stored["rows"], stored["columns"])), shape=shape).toarray()
    if layout == "CSR":
        return sp.csr_array((stored["values"], stored["columns"], stored["starts"]), shape=shape).toarray()
    if layout == "block CSR":
        return sp.bsr_array((stored["blocks"], stored["columns"], stored["starts"]), shape=shape).toarray()
    bits, values = (torch.from_numpy(stored[name]) for name in ("bits", "values"))
    return from_bitmap(bits, values, shape=shape).numpy()


def to_bitmap(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One bit an element, set where any bit of the element is set, eight to a byte; and those elements, in order.

    A negative zero has its sign bit set, so it is kept as a value, and what comes back is the same to the bit.

    Returns:
        uint8 (ceil(n / 8),), the first element in the highest bit; values (n_set,) of the tensor's own type.
    """
    flat = tensor.detach().contiguous().flatten()
    is_set = flat.view(WHOLE[flat.element_size()]) != 0
    return torch.from_numpy(np.packbits(is_set.numpy())), flat[is_set]


def from_bitmap(bits: torch.Tensor, values: torch.Tensor, *, shape: tuple[int, ...]) -> torch.Tensor:
    """The tensor that `to_bitmap` took apart.

    Raises:
        ValueError: bits, values and shape do not belong together.
    """
    n_elements = int(np.prod(shape, dtype=np.int64))
    if bits.numel() != ceil(n_elements / 8):
        raise ValueError(f"{bits.numel()} bytes of bits for {n_elements} elements, {ceil(n_elements / 8)} are needed")
    is_set = torch.from_numpy(np.unpackbits(bits.numpy()).astype(bool))
    if int(is_set.sum()) != values.numel() or is_set[n_elements:].any():
        raise ValueError(f"{int(is_set.sum())} bits are set, but there are {values.numel()} values")
    flat = torch.zeros(n_elements, dtype=values.dtype)
    flat[is_set[:n_elements]] = values
    return flat.reshape(shape)


def expected_bytes(
    layout: str, *, shape: tuple[int, int], density: float, value_bytes: float = 4, block: int = BLOCK
) -> float:
    """Bytes of a layout's arrays when that share of the elements is not zero, the file's header left out.

    For block CSR the places of the zeros are taken to be random: a block is stored unless all of it is zero, which
    happens with probability (1 - density) ** block². Trained weights are not quite random.

    Raises:
        ValueError: an unknown layout, or a density outside 0 to 1.
    """
    if layout not in LAYOUTS or not 0 <= density <= 1:
        raise ValueError(f"layout '{layout}', density {density}: take one of {', '.join(LAYOUTS)}, and 0 to 1")
    n_rows, n_elements = shape[0], shape[0] * shape[1]
    n_blocks = n_elements / block**2 * (1 - (1 - density) ** block**2)
    return {
        "dense": value_bytes * n_elements,
        "COO": (value_bytes + 2 * INDEX_BYTES) * density * n_elements,
        "CSR": (value_bytes + INDEX_BYTES) * density * n_elements + INDEX_BYTES * (n_rows + 1),
        "block CSR": (value_bytes * block**2 + INDEX_BYTES) * n_blocks + INDEX_BYTES * (n_rows / block + 1),
        "bitmap": n_elements / 8 + value_bytes * density * n_elements,
    }[layout]


def least_bytes(*, shape: tuple[int, int], density: float, value_bytes: float = 4) -> float:
    """What no layout can go below when the zeros lie at random: the entropy of their places, and the values.

    Source: Shannon, "A Mathematical Theory of Communication", 1948, https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
    """
    bits = sum(-p * log2(p) for p in (density, 1 - density) if p > 0)
    return shape[0] * shape[1] * (bits / 8 + density * value_bytes)


def break_even(layout: str, *, value_bytes: float = 4, block: int = BLOCK) -> float:
    """The density below which a layout is smaller than dense, for matrices so large that row starts do not count.

    Solve expected_bytes = value_bytes × n_elements for the density.

    Raises:
        ValueError: the dense layout, or an unknown one.
    """
    if layout not in LAYOUTS[1:]:
        raise ValueError(f"layout '{layout}' breaks even nowhere; take one of {', '.join(LAYOUTS[1:])}")
    share_of_blocks = value_bytes * block**2 / (value_bytes * block**2 + INDEX_BYTES)
    return {
        "COO": value_bytes / (value_bytes + 2 * INDEX_BYTES),
        "CSR": value_bytes / (value_bytes + INDEX_BYTES),
        "block CSR": 1 - (1 - share_of_blocks) ** (1 / block**2),
        "bitmap": 1 - 1 / (8 * value_bytes),
    }[layout]


def on_disk(matrices: Mapping[str, np.ndarray], *, layout: str, block: int = BLOCK) -> Stored:
    """Bytes of one safetensors file with all the matrices in that layout, as it is and after zstd."""
    tensors = {
        f"{name}:{part}": np.ascontiguousarray(array)
        for name, matrix in matrices.items()
        for part, array in arrays(matrix, layout=layout, block=block).items()
    }
    return compressed(safetensors.save(tensors))


def compressed(data: bytes) -> Stored:
    """The length of some bytes, as they are and after zstd at its default level.

    Source: Collet, Kucherawy, "Zstandard Compression", RFC 8878, 2021, https://www.rfc-editor.org/rfc/rfc8878
    """
    return Stored(len(data), len(pa.Codec("zstd").compress(data)))


def in_memory(matrices: Mapping[str, np.ndarray], *, layout: str, block: int = BLOCK) -> int:
    """Bytes of the matrices as PyTorch holds them, its indices with 8 bytes each; a bitmap is made dense to be used."""
    return sum(_torch_bytes(torch.from_numpy(matrix), layout=layout, block=block) for matrix in matrices.values())


def to_torch(matrix: torch.Tensor, *, layout: str, block: int = BLOCK) -> torch.Tensor:
    """The matrix in PyTorch's own layout of that name; the bitmap is not one of them, so it is dense.

    PyTorch says at the first one that its sparse layouts are in beta, which no reader can act on.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse .* tensor support is in beta state")
        if layout == "COO":
            return matrix.to_sparse_coo()
        if layout == "CSR":
            return matrix.to_sparse_csr()
        if layout == "block CSR":
            _check_blocks(tuple(matrix.shape), block=block)
            return matrix.to_sparse_bsr((block, block))
    return matrix


def _torch_bytes(matrix: torch.Tensor, *, layout: str, block: int) -> int:
    held = to_torch(matrix, layout=layout, block=block)
    if held.layout == torch.strided:
        return held.nbytes
    if held.layout == torch.sparse_coo:
        return held.indices().nbytes + held.values().nbytes
    return held.crow_indices().nbytes + held.col_indices().nbytes + held.values().nbytes


def _check_blocks(shape: tuple[int, ...], *, block: int) -> None:
    if any(side % block for side in shape):
        raise ValueError(f"blocks of {block} × {block} do not fit into a matrix of {shape[0]} × {shape[1]}")


def _index(array: np.ndarray) -> np.ndarray:
    return array.astype(np.int32)
