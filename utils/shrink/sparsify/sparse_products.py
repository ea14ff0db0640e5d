"""Products of sparse matrices with dense ones, timed beside the dense products on one thread of this CPU.

Sparse products are PyTorch's, which are those of Intel's MKL where it was built with it, or SciPy's. Dense ones are
PyTorch's and ONNX Runtime's, for on some processors PyTorch leaves the widest instructions unused. What is compared is
one Linear layer of a whole batch of tokens, for zeros that magnitude chose one by one or in blocks, or all such layers
of a model with the zeros that it has.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import numpy as np
import onnxruntime
import scipy.sparse as sp
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from utils.measure import timing
from utils.measure.timing import Ratio, Timing, ratio
from utils.rank.runtimes import torch_threads
from utils.shrink.sparsify import sparsity

DENSE, DENSE_ONNX, INT8 = "dense fp32, PyTorch", "dense fp32, ONNX Runtime", "dense int8, ONNX Runtime"
CSR, ROWS = "CSR fp32", "whole rows removed, PyTorch"
Product = Callable[[], object]
Costs = dict[float, dict[str, float]]  # by density, by the name of a dense rival


def times(
    weight: Tensor, *, hidden: Tensor, densities: Sequence[float], blocks: Sequence[int] = (), repeats: int = 7
) -> dict[float, dict[str, Timing]]:
    """The times of the dense products and of each way at each density, on one thread, by turns.

    Args:
        weight: (d_out, d_in), pruned here to each density. hidden: (n_tokens, d_in).
        blocks: sizes of square blocks that stay or go as a whole; each must divide both sides of the matrix.

    Returns:
        By density, by the name of the way. A way that this build of PyTorch lacks is left out.
    """
    with torch_threads(1):
        calls = {density: ways(weight, hidden=hidden, density=density, blocks=blocks) for density in densities}
        return {density: timing.interleave_calls(some, repeats=repeats) for density, some in calls.items()}


def times_of_layers(weights: Sequence[Tensor], *, n_tokens: int, repeats: int = 7) -> dict[str, Timing]:
    """The times of all matrices of a model, one product after the other: dense in three ways, and CSR.

    Args:
        weights: (d_out, d_in) each, with the zeros that they have; each is given random inputs of its width.
    """
    generator = torch.Generator().manual_seed(0)
    hidden = [torch.randn(n_tokens, weight.shape[1], generator=generator) for weight in weights]
    makers = {DENSE: dense_product, DENSE_ONNX: onnx_product, INT8: int8_product, CSR: csr_product}
    products = {
        name: [make(weight, hidden=given) for weight, given in zip(weights, hidden, strict=True)]
        for name, make in makers.items()
    }
    with torch_threads(1):
        calls = {name: partial(_all, some) for name, some in products.items()}
        return timing.interleave_calls(calls, repeats=repeats)


def times_as_fast(found: Mapping[float, Mapping[str, Timing]], *, than: str) -> dict[str, dict[float, Ratio]]:
    """How many times as fast as the way `than` each other one is, by its name and by density.

    Args:
        found: from `times`.
    """
    ratios: dict[str, dict[float, Ratio]] = {}
    for density, by_name in found.items():
        for name, own in by_name.items():
            if name != than:
                ratios.setdefault(name, {})[density] = ratio(by_name[than], own)
    return ratios


def ways(weight: Tensor, *, hidden: Tensor, density: float, blocks: Sequence[int] = ()) -> dict[str, Product]:
    """The dense products; CSR and block CSR of each size; and whole rows removed, which leaves a dense matrix.

    Each gets its inputs in the layout and the precision that suit it, made beforehand; a model would pay for that.
    """
    single = prune_blocks(weight, density=density, block=(1, 1))
    makers = {DENSE: dense_product, DENSE_ONNX: onnx_product, INT8: int8_product, CSR: csr_product}
    found = {name: make(single, hidden=hidden) for name, make in makers.items()}
    for block in blocks:
        product = torch_bsr(prune_blocks(weight, density=density, block=(block, block)), hidden=hidden, block=block)
        if product is not None:
            found[f"blocks of {block} × {block} fp32"] = product
    rows = prune_blocks(weight, density=density, block=(1, weight.shape[1]))
    found[ROWS] = dense_product(rows[rows.any(dim=1)].contiguous(), hidden=hidden)
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


def csr_product(weight: Tensor, *, hidden: Tensor) -> Product:
    """The transposed result (d_out, n_tokens), by PyTorch's CSR, or by SciPy's where PyTorch has no MKL for it."""
    if not torch.backends.mkl.is_available():
        return scipy_csr(weight, hidden=hidden)
    matrix, columns = sparsity.to_torch(weight, layout="CSR"), hidden.T.contiguous()
    try:
        matrix @ columns
    except RuntimeError:  # MKL alone is not enough on every system
        return scipy_csr(weight, hidden=hidden)
    return lambda: matrix @ columns


def scipy_csr(weight: Tensor, *, hidden: Tensor) -> Product:
    """The transposed result (d_out, n_tokens), by SciPy's CSR."""
    matrix, columns = sp.csr_array(weight.numpy()), np.ascontiguousarray(hidden.numpy().T)
    return lambda: matrix @ columns


def onnx_product(weight: Tensor, *, hidden: Tensor) -> Product:
    """The product (n_tokens, d_out) by ONNX Runtime on one thread."""
    tokens = hidden.numpy()
    shapes = ((TensorProto.FLOAT, tokens.shape), (TensorProto.FLOAT, (len(tokens), len(weight))))
    session = _session_of("MatMul", shapes=shapes, weight=np.ascontiguousarray(weight.numpy().T))
    return lambda: session.run(None, {"tokens": tokens})[0]


def int8_product(weight: Tensor, *, hidden: Tensor) -> Product:
    """The product (n_tokens, d_out) of whole numbers, by ONNX Runtime on one thread; zeros are multiplied like others.

    Inputs of 8 bits, unsigned around 128, times weights of 7 bits, one scale for each of the two: with 8 for both, the
    sums of processors without VNNI could overflow. The result is int32 and has to be multiplied by both scales.
    """
    levels, _ = to_levels(weight, largest=63)
    tokens = (to_levels(hidden, largest=127)[0] + 128).astype(np.uint8)
    shapes = ((TensorProto.UINT8, tokens.shape), (TensorProto.INT32, (len(tokens), len(weight))))
    constants = {"weight": np.ascontiguousarray(levels.T).astype(np.int8), "middle": np.array(128, dtype=np.uint8)}
    session = _session_of("MatMulInteger", shapes=shapes, **constants)
    return lambda: session.run(None, {"tokens": tokens})[0]


def to_levels(matrix: Tensor, *, largest: int) -> tuple[np.ndarray, float]:
    """The matrix as whole numbers from -largest to largest, and the scale by which they are multiplied to get it."""
    scale = max(float(matrix.abs().max()), 1e-12) / largest
    return np.rint(matrix.numpy() / scale), scale


def _session_of(
    operation: str, *, shapes: Sequence[tuple[int, Sequence[int]]], **constants: np.ndarray
) -> onnxruntime.InferenceSession:
    """A graph of one operation on `tokens` and constants; `shapes` are type and shape of the tokens and the result."""
    given, found = (
        helper.make_tensor_value_info(name, *shape) for name, shape in zip(("tokens", "found"), shapes, strict=True)
    )
    node = helper.make_node(operation, ["tokens", *constants], ["found"])
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph([node], "product", [given], [found], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


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


def break_even_zeros(speeds: Mapping[float, Ratio]) -> float:
    """The share of zeros from which on a way is the faster one, between the measured ones on logarithmic scales.

    Args:
        speeds: times as fast as another way, by density, as `times_as_fast` gives them.

    Returns:
        0 where it is faster at all of them, 1 where at none. The fewest zeros where noise gives several.
    """
    points = sorted((density, ratio.median) for density, ratio in speeds.items())
    if min(fast for _, fast in points) >= 1:
        return 0.0
    for (low, fast), (high, slow) in reversed(list(zip(points, points[1:], strict=False))):
        if fast >= 1 > slow:
            share = np.log(fast) / (np.log(fast) - np.log(slow))
            return 1 - float(np.exp(np.log(low) + share * (np.log(high) - np.log(low))))
    return 1.0


def costs_of_a_value(timed: Mapping[float, Mapping[str, Timing]], *, rivals: Collection[str]) -> Costs:
    """The time of a value that stays in CSR, over that of an element of each dense rival, by density.

    By the rule, a cost of c breaks even at 1 - 1/c zeros.
    """
    medians = {density: {way: found.percentile(50) for way, found in taken.items()} for density, taken in timed.items()}
    return {
        density: {way: of_way[CSR] / density / of_way[way] for way in rivals} for density, of_way in medians.items()
    }


def nearest(costs: Costs, *, zeros: float, rival: str) -> float:
    """The cost beside a rival at the timed share of zeros that comes closest to `zeros`."""
    return costs[min(costs, key=lambda density: abs(1 - density - zeros))][rival]


def pays(share: float) -> str:
    """What `break_even_zeros` found, in words."""
    if share in (0, 1):
        return f"at {'no' if share else 'every'} share that was timed"
    return f"above {share:.0%} zeros"


def _all(products: Sequence[Product]) -> None:
    for product in products:
        product()
