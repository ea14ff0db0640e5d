"""The numbers that a model is multiplied in: fp32, TF32, bf16, fp16. Stored weights stay fp32; a copy is cast.

| | bits | of them for the range | for the digits | largest number |
|---|---|---|---|---|
| fp32 | 32 | 8 | 23 | 3.4e38 |
| TF32 | 32, multiplied as 19 | 8 | 10 | 3.4e38 |
| bf16 | 16 | 8 | 7 | 3.4e38 |
| fp16 | 16 | 5 | 10 | 65,504 |

Source: Micikevicius et al., "Mixed Precision Training", ICLR 2018, https://arxiv.org/abs/1710.03740;
Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019, https://arxiv.org/abs/1905.12322
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn import Module

STORED = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def cast(model: Module, precision: str) -> Module:
    """A copy of the model with its weights in that precision; TF32 has the weights of fp32.

    Raises:
        ValueError: no precision of this module.
    """
    return copy.deepcopy(model).to(STORED[known(precision)])


def known(precision: str) -> str:
    """The precision, if it is one of this module; ValueError naming them otherwise."""
    if precision not in STORED:
        raise ValueError(f"precision '{precision}' is not one of {', '.join(STORED)}")
    return precision


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Within the block a card multiplies fp32 matrices in TF32 if that is asked for, and in full fp32 if not.

    The CPU, and products of bf16 or fp16, do not know the difference.
    """
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32" if known(precision) == "tf32" else "ieee"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before
