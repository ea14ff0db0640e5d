"""Products of sparse matrices with dense ones, timed against the dense product on one thread of this CPU.

The libraries are SciPy and PyTorch (which calls Intel's MKL for blocks where it was built with it). What is compared is
one Linear layer of a whole batch of tokens, for zeros that magnitude chose one by one or in blocks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from utils.measure import timing
from utils.measure.timing import Ratio, ratio
from utils.rank.runtimes import torch_threads
from utils.shrink.sparsify import sparsity

Product = Callable[[], object]


def speed(
    weight: Tensor, *, hidden: Tensor, densities: Sequence[float], blocks: Sequence[int], repeats: int = 7
) -> dict[str, dict[float, Ratio]]:
    """How many times as fast as the dense product each way is at each density, on one thread, timed by turns.

    Args:
        weight: (d_out, d_in), pruned here to each density. hidden: (n_tokens, d_in).
        blocks: sizes of square blocks that stay or go as a whole; each must divide both sides of the matrix.

    Returns:
        By the name of the way, by density: the dense time over its own. A way that this build of PyTorch lacks is
        left out.
    """
    found: dict[str, dict[float, Ratio]] = {}
    with torch_threads(1):
        for density in densities:
            calls = {"dense": dense_product(weight, hidden=hidden)} | ways(
                weight, hidden=hidden, density=density, blocks=blocks
            )
            timings = timing.interleave_calls(calls, repeats=repeats)
            for name in list(calls)[1:]:
                found.setdefault(name, {})[density] = ratio(timings["dense"], timings[name])
    return found


def ways(weight: Tensor, *, hidden: Tensor, density: float, blocks: Sequence[int]) -> dict[str, Product]:
    """Sparse products at a density: CSR, block CSR of each size; and whole rows removed, which leaves a dense matrix.

    Each gets its inputs in the layout that suits it, made beforehand; a model would have to pay for that.
    """
    single = prune_blocks(weight, density=density, block=(1, 1))
    found = {"CSR, SciPy": scipy_csr(single, hidden=hidden)}
    for block in blocks:
        product = torch_bsr(prune_blocks(weight, density=density, block=(block, block)), hidden=hidden, block=block)
        if product is not None:
            found[f"blocks of {block} × {block}, PyTorch"] = product
    rows = prune_blocks(weight, density=density, block=(1, weight.shape[1]))
    found["whole rows removed, dense"] = dense_product(rows[rows.any(dim=1)].contiguous(), hidden=hidden)
    return found


def prune_blocks(weight: Tensor, *, density: float, block: tuple[int, int]) -> Tensor:
    """A copy of the matrix with only its blocks of the largest L2 norm, so many that about `density` of it stays.

    At least one block stays. Blocks of 1 × 1 are plain magnitude pruning, 1 × d_in removes neurons.

    Raises:
        ValueError: the blocks do not fit into the matrix, or the density is not above 0 and at most 1.
    """
    (d_out, d_in), (height, width) = weight.shape, block
    if d_out % height or d_in % width or not 0 < density <= 1:
        raise ValueError(f"blocks of {height} × {width} in {d_out} × {d_in}, density {density}: they do not fit")
    grid = weight.detach().reshape(d_out // height, height, d_in // width, width)
    norms = grid.square().sum(dim=(1, 3))
    best = norms.flatten().topk(max(1, round(density * norms.numel()))).indices
    kept = torch.zeros(norms.numel(), dtype=torch.bool).index_fill_(0, best, True).reshape(norms.shape)
    return grid.masked_fill(~kept[:, None, :, None], 0.0).reshape(d_out, d_in)


def dense_product(weight: Tensor, *, hidden: Tensor) -> Product:
    """hidden (n_tokens, d_in) times the transposed weight: (n_tokens, d_out)."""
    return lambda: hidden @ weight.T


def scipy_csr(weight: Tensor, *, hidden: Tensor) -> Product:
    """The transposed result (d_out, n_tokens), by SciPy's CSR."""
    matrix, columns = sp.csr_array(weight.numpy()), np.ascontiguousarray(hidden.numpy().T)
    return lambda: matrix @ columns


def torch_bsr(weight: Tensor, *, hidden: Tensor, block: int) -> Product | None:
    """The transposed result (d_out, n_tokens), by PyTorch's block CSR; None where this build cannot multiply it."""
    matrix = sparsity.to_torch(weight, layout="block CSR", block=block)
    columns = hidden.T.contiguous()
    try:
        matrix @ columns
    except RuntimeError:  # without MKL, on Arm for one, there is no such product
        return None
    return lambda: matrix @ columns


def gpu_products(weight: Tensor, *, hidden: Tensor) -> dict[str, Product]:
    """The dense and the 2:4 product in fp16 on this machine's GPU; empty where none has sparse units.

    NVIDIA's do from compute capability 8.0 (Ampere) on.

    Args:
        weight: (d_out, d_in), two of every four zero; multiples of 32 and of 64. hidden: (n_tokens, d_in).
    """
    if torch.version.cuda is None or not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 0):
        return {}
    half, tokens = weight.half().cuda(), hidden.half().cuda()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The PyTorch API of SparseSemiStructuredTensor is in prototype")
        packed = torch.sparse.to_sparse_semi_structured(half)

    def product(matrix: Tensor) -> Product:
        return lambda: (torch.nn.functional.linear(tokens, matrix), torch.cuda.synchronize())

    return {"dense": product(half), "2:4": product(packed)}


def break_even_density(speeds: Mapping[float, float]) -> float | None:
    """The density at which a way is as fast as dense, between the measured ones on logarithmic scales.

    Args:
        speeds: times as fast as dense, by density.

    Returns:
        None where it is faster, or slower, at all of them. The highest crossing where noise gives several.
    """
    points = sorted(speeds.items())
    for (low, fast), (high, slow) in reversed(list(zip(points, points[1:], strict=False))):
        if fast >= 1 > slow:
            share = np.log(fast) / (np.log(fast) - np.log(slow))
            return float(np.exp(np.log(low) + share * (np.log(high) - np.log(low))))
    return None
