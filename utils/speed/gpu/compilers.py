"""What is done to a module that stands on a card: compiled, recorded as a graph, quantized, or cut to 2 of 4.

Each takes a module and gives one; each says what it needs where that is missing.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from utils.shrink.sparsify.structured_sparsity import two_of_four

DIVISOR = 64  # of both sides of a matrix that sparse units multiply


class AttentionByFormula(nn.Module):
    """The module with attention matrix by matrix, in the place of a fused kernel: what that kernel is worth."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, **batch: torch.Tensor):
        """As the module's."""
        with sdpa_kernel(SDPBackend.MATH):
            return self.module(**batch)


def compiled(module: nn.Module) -> nn.Module:
    """Fused kernels, made for the shapes that come; each is started by the host.

    Source: Ansel et al., "PyTorch 2", ASPLOS 2024, https://doi.org/10.1145/3620665.3640366
    """
    return torch.compile(module)


def compiled_as_graph(module: nn.Module) -> nn.Module:
    """Fused kernels, recorded as a CUDA graph for each shape, so that one call starts all of them."""
    return torch.compile(module, mode="reduce-overhead", dynamic=False)


def int8(module: nn.Module) -> nn.Module:
    """Linear layers in int8, activations quantized on the fly, then compiled, without which it does not pay."""
    quantization = _torchao()
    quantization.quantize_(module, quantization.Int8DynamicActivationInt8WeightConfig())
    return torch.compile(module)


def fp8(module: nn.Module) -> nn.Module:
    """Linear layers in fp8 with a scale for each row, then compiled; cards from compute capability 8.9 on.

    Source: Micikevicius et al., "FP8 Formats for Deep Learning", 2022, https://arxiv.org/abs/2209.05433
    """
    quantization = _torchao()
    by_row = quantization.Float8DynamicActivationFloat8WeightConfig(granularity=quantization.PerRow())
    quantization.quantize_(module, by_row)
    return torch.compile(module)


def sparse(module: nn.Module) -> nn.Module:
    """Every Linear layer cut to its 2 largest weights of 4 and stored as sparse units read them; not retrained.

    Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, https://arxiv.org/abs/2104.08378
    """
    for linear in module.modules():
        if isinstance(linear, nn.Linear) and not any(size % DIVISOR for size in linear.weight.shape):
            weight = linear.weight.detach()
            kept = weight * two_of_four(weight.abs())
            linear.weight = nn.Parameter(torch.sparse.to_sparse_semi_structured(kept), requires_grad=False)
    return module


def _torchao() -> ModuleType:
    try:
        return import_module("torchao.quantization")
    except ImportError:
        raise ValueError(
            "int8 and fp8 on a card need torchao, which the course does not install: pip install torchao"
        ) from None
