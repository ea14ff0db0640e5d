"""The weights of an ONNX graph stored in 8 or 4 bits, written into the graph by hand; activations stay fp32.

What multiplies whole numbers is made by ONNX Runtime's own tools, in `int8_onnx`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from utils import disk
from utils.shrink.quantize import quantization


def weight_only(source: Path, target: Path, *, bits: int, block_size: int = 32) -> Path:
    """Weights of MatMuls in blocks of `block_size` inputs with a scale each; activations and sums stay fp32.

    Args:
        bits: 8 or 4. Written as MatMulNBits, an operator of ONNX Runtime alone, which unpacks while it multiplies.

    Raises:
        ValueError: another number of bits.
    """
    if bits not in (4, 8):
        raise ValueError(f"weight_only: {bits} bits; MatMulNBits takes 4 or 8")
    model = onnx.load(source)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMul" and (weight := weights.get(node.input[1])) is not None:
            _multiply_packed(model.graph, node, weight=weight, bits=bits, block_size=block_size)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    with disk.whole_file(target) as new:
        onnx.save(model, new)
    return target


def embeddings(source: Path, target: Path) -> Path:
    """The word table as int8 with a scale for each word; everything else stays as it is.

    A look-up then fetches a row of bytes and its scale and multiplies the two, so it never unpacks the table.
    """
    model = onnx.load(source)
    quantize_table(model.graph)
    with disk.whole_file(target) as new:
        onnx.save(model, new)
    return target


def quantize_table(graph: onnx.GraphProto, *, values: np.ndarray | None = None) -> None:
    """Store a graph's word table as int8, in place; with `values` (n_vocab, d_model) in its stead where given.

    Raises:
        ValueError: the graph looks up no table of that name.
    """
    tables = {tensor.name: tensor for tensor in graph.initializer if "word_embeddings" in tensor.name}
    node = next((n for n in graph.node if n.op_type == "Gather" and n.input[0] in tables), None)
    if node is None:
        raise ValueError("the graph has no look-up in a table named 'word_embeddings'; export an encoder of words")
    table = tables[node.input[0]]
    _look_up_bytes(graph, node, table=table, values=numpy_helper.to_array(table) if values is None else values)


def _multiply_packed(
    graph: onnx.GraphProto, node: onnx.NodeProto, *, weight: onnx.TensorProto, bits: int, block_size: int
) -> None:
    """Turn MatMul(x, weight) into MatMulNBits(x, packed, scales); the zero point is half of the range, unless given."""
    values = numpy_helper.to_array(weight).T  # (n_outputs, n_inputs)
    (n_outputs, n_inputs), half = values.shape, 2 ** (bits - 1)
    filled = np.pad(values, [(0, 0), (0, -n_inputs % block_size)]).reshape(-1, block_size)
    grid = quantization.symmetric(filled, bits=bits, axis=0)
    whole = (quantization.quantize(filled, grid) + half).astype(np.uint8).reshape(n_outputs, -1, block_size)
    packed = whole if bits == 8 else whole[..., ::2] | (whole[..., 1::2] << 4)
    names = [f"{weight.name}_{part}" for part in ("packed", "scales")]
    for name, array in zip(names, (packed, grid.scale.reshape(n_outputs, -1)), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    graph.initializer.remove(weight)
    node.op_type, node.domain = "MatMulNBits", "com.microsoft"
    node.input[1:] = names
    sizes = {"K": n_inputs, "N": n_outputs, "bits": bits, "block_size": block_size}
    node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in sizes.items())


def _look_up_bytes(
    graph: onnx.GraphProto, node: onnx.NodeProto, *, table: onnx.TensorProto, values: np.ndarray
) -> None:
    """Replace Gather(table) by Gather(int8 table) cast to float, times Gather(scales)."""
    grid = quantization.symmetric(values, axis=0)
    names = {part: f"{table.name}_{part}" for part in ("int8", "scale")}
    whole = quantization.quantize(values, grid).astype(np.int8)
    graph.initializer.append(numpy_helper.from_array(whole, names["int8"]))
    graph.initializer.append(numpy_helper.from_array(grid.scale, names["scale"]))
    graph.initializer.remove(table)
    rows, scales, out = f"{node.name}_rows", f"{node.name}_scales", node.output[0]
    new = [
        onnx.helper.make_node("Gather", [names["int8"], node.input[1]], [f"{rows}_int8"], name=rows),
        onnx.helper.make_node("Cast", [f"{rows}_int8"], [rows], name=f"{rows}_cast", to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Gather", [names["scale"], node.input[1]], [scales], name=scales),
        onnx.helper.make_node("Mul", [rows, scales], [out], name=f"{node.name}_scaled"),
    ]
    place = list(graph.node).index(node)
    graph.node.remove(node)
    for offset, added in enumerate(new):
        graph.node.insert(place + offset, added)
