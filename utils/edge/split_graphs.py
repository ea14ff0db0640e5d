"""The graphs of a split model for ONNX Runtime: one for its sides, and one for the layers that join them, if any do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from utils import disk
from utils.edge.split_model import Part, SplitModel
from utils.rank.runtimes.in_onnxruntime import quiet_export
from utils.shrink.quantize import int8_onnx

SIDES, JOIN = "sides.onnx", "join.onnx"
PRECISIONS = ("int8", "fp32")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
JOIN_INPUTS = ("query", "product", "product_mask")


def write(folder: Path, *, model: SplitModel, precision: str) -> list[str]:
    """Write the graphs that the plan needs into a folder; their names.

    Args:
        precision: "fp32", or "int8": weights per channel now, the ranges of activations anew in every call.
    """
    ids, d_model = torch.ones(2, 8, dtype=torch.long), model.config.hidden_size
    d_stored = model.plan.d_stored or d_model
    names = {SIDES: (Sides(model), (ids, ids, ids), INPUTS, ("query", "product"))}
    if model.plan.meeting == "layers":
        states = (torch.zeros(1, 5, d_model), torch.zeros(2, 8, d_stored), ids)
        names[JOIN] = (JoinedLayers(model), states, JOIN_INPUTS, ("logits",))
    with disk.scratch(folder / "export") as scratch:
        for name, (module, example, inputs, outputs) in names.items():
            _export(module.eval(), scratch / name, example=example, inputs=inputs, outputs=outputs)
            if precision == "int8":
                int8_onnx.dynamic(scratch / name, folder / name)
            else:
                (scratch / name).replace(folder / name)
    return list(names)


def _export(
    module: nn.Module, path: Path, *, example: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    """As `in_onnxruntime.write_graph`, for a module that takes and gives other tensors: all first axes are free."""
    free = {name: {0: f"{name}_rows", 1: f"{name}_places"} for name in (*inputs, *outputs) if name != "logits"}
    with quiet_export(), torch.inference_mode():
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=free | ({"logits": {0: "rows"}} if "logits" in outputs else {}),
            opset_version=17,
            dynamo=False,
        )


class Sides(nn.Module):
    """Both sides of a split model in one graph: of texts of one side, which token_type_ids tells.

    Gives the query's states and the product's, each (n_texts, n_vectors, d); the caller takes the one it asked for.
    """

    def __init__(self, model: SplitModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        part = self.model.alone(input_ids, attention_mask, token_type_ids)
        return self.model.for_query(part).states, self.model.for_product(part).states


class JoinedLayers(nn.Module):
    """The upper layers: the states of one query, without padding, and of its products, to logits (n_products, 1)."""

    def __init__(self, model: SplitModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, query: Tensor, product: Tensor, product_mask: Tensor) -> Tensor:
        query_mask = torch.ones_like(query[:, :, 0]).bool()
        return self.model.join(Part(query, query_mask), Part(product, product_mask.bool()))[:, None]
