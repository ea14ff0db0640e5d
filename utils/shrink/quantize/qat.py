"""Quantization-aware training, and writing what was trained as a graph of real int8 weights (QDQ).

`fake_quant` rounds in PyTorch; here such a model is trained on the teacher's scores, and the very same grids are then
put into the exported graph. ONNX Runtime and OpenVINO both read it, and both multiply int8 numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from datasets import Dataset
from onnx import TensorProto, helper, numpy_helper
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import disk
from utils.rank.ranker import Ranker
from utils.rank.setting import Budget, Setting
from utils.shrink.distil import distillation, scored_pairs
from utils.shrink.quantize import fake_quant, int8_onnx, onnx_weights, quantization
from utils.shrink.quantize.fake_quant import FakeQuantLinear
from utils.shrink.quantize.quantization import Grid


def export_onnx(model: PreTrainedModel, *, source: Path, target: Path) -> Path:
    """Write `source`, the fp32 graph of this very model, with the grids of its active layers.

    Each Linear's input passes through QuantizeLinear and DequantizeLinear, its weight is stored as int8, and so is the
    word table. What is not active stays fp32.

    Raises:
        ValueError: no layer is active, or the graph holds other weights than the model.
    """
    active = {name: layer for name, layer in fake_quant.layers(model).items() if layer.active}
    if not active:
        raise ValueError("export_onnx: no layer rounds, so nothing would be int8; call fake_quant.calibrate first")
    graph = onnx.load(source)
    products = _products(graph.graph)
    for name, layer in active.items():
        weight = layer.weight.detach().cpu().numpy()
        if not isinstance(layer, FakeQuantLinear):
            onnx_weights.quantize_table(graph.graph, values=weight)
            continue
        if weight.tobytes() not in products:
            raise ValueError(f"export_onnx: no product in {source} has the weight of '{name}'; export this model anew")
        _quantize_product(graph.graph, products[weight.tobytes()], layer)
    _drop_unused(graph.graph)
    onnx.checker.check_model(graph)
    target.parent.mkdir(parents=True, exist_ok=True)
    with disk.whole_file(target) as new:
        onnx.save(graph, new)
    return target


def train(
    model: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    scored: Dataset,
    setting: Setting,
    budget: Budget,
    loss: str = "list_net",
) -> list[dict]:
    """Train a model with active fake quantization, in place, on the teacher's scores.

    The ranges of inputs stay as they were calibrated; the grids of weights follow the weights.

    Args:
        scored: as `scored_pairs.score` gives it.
        budget: a short one, such as `Budget.of_rounding`.
        loss: a name in `distil_losses.LOSSES`; one that leaves the level of the scores alone keeps the drift small.

    Returns:
        The trainer's log.

    Raises:
        ValueError: no layer is active, or the loss is unknown.
    """
    if not any(layer.active for layer in fake_quant.layers(model).values()):
        raise ValueError("qat.train: no layer rounds, so this would be plain training; call fake_quant.calibrate first")
    return distillation.distil(model, tokenizer=tokenizer, scored=scored, setting=setting, budget=budget, loss=loss)


def rescored(scored: Dataset, *, ranker: Ranker, n_pairs: int) -> Dataset:
    """Whole queries of scored pairs, about `n_pairs` in all, with a ranker's own scores in the place of the teacher's.

    What a model that rounds should learn is to score as it did before it rounded.
    """
    every = max(1, len(scored) // n_pairs)
    kept = np.flatnonzero(np.asarray(scored["group"][:]) % every == 0)
    some = scored.select(kept).remove_columns("score").flatten_indices(keep_in_memory=True)
    return scored_pairs.score(ranker, some)


def _products(graph: onnx.GraphProto) -> dict[bytes, onnx.NodeProto]:
    """The nodes that multiply by a constant, by its bytes as a Linear's weight (n_outputs, n_inputs).

    By value, for the exporter renames what it transposes.
    """
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type in int8_onnx.MULTIPLIED and node.input[1] in arrays]
    return {
        np.ascontiguousarray(arrays[node.input[1]] if _transposed(node) else arrays[node.input[1]].T).tobytes(): node
        for node in nodes
    }


def _transposed(node: onnx.NodeProto) -> bool:
    """Whether the node itself turns its weight around: Gemm with transB keeps the layout of a Linear."""
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def _quantize_product(graph: onnx.GraphProto, node: onnx.NodeProto, layer: FakeQuantLinear) -> None:
    grid, name = layer.weight_grid(), node.input[1]
    whole = quantization.quantize(layer.weight.detach().cpu().numpy(), grid).astype(np.int8)
    axis = 0 if _transposed(node) else 1  # of the outputs
    parts = {
        f"{name}_int8": np.ascontiguousarray(whole if axis == 0 else whole.T),
        f"{name}_scale": grid.scale.ravel(),
        f"{name}_zero": np.zeros(grid.scale.size, dtype=np.int8),
    }
    for part, values in parts.items():
        graph.initializer.append(numpy_helper.from_array(values, part))
    node.input[0] = _rounded_input(graph, node, layer.input_grid())
    node.input[1] = f"{name}_real"
    unpack = helper.make_node("DequantizeLinear", list(parts), [f"{name}_real"], f"{name}_dequantize", axis=axis)
    _insert_before(graph, node, [unpack])


def _rounded_input(graph: onnx.GraphProto, node: onnx.NodeProto, grid: Grid) -> str:
    """The node's input on its grid; products that read the same tensor on the same grid share the rounding."""
    scale, zero = float(grid.scale), int(grid.zero_point)
    name = f"{node.input[0]}_{scale:.9g}_{zero}"
    if all(f"{name}_real" not in other.output for other in graph.node):
        numbers = [f"{name}_scale", f"{name}_zero"]
        graph.initializer.append(helper.make_tensor(numbers[0], TensorProto.FLOAT, [], [scale]))
        graph.initializer.append(helper.make_tensor(numbers[1], TensorProto.UINT8, [], [zero]))
        pack = helper.make_node("QuantizeLinear", [node.input[0], *numbers], [f"{name}_whole"], f"{name}_q")
        unpack = helper.make_node("DequantizeLinear", [f"{name}_whole", *numbers], [f"{name}_real"], f"{name}_dq")
        _insert_before(graph, node, [pack, unpack])
    return f"{name}_real"


def _insert_before(graph: onnx.GraphProto, node: onnx.NodeProto, new: Sequence[onnx.NodeProto]) -> None:
    place = next(i for i, other in enumerate(graph.node) if other.name == node.name)
    for offset, added in enumerate(new):
        graph.node.insert(place + offset, added)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Without the fp32 weights that no operation reads any more."""
    read = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)
