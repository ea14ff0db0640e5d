"""Which devices the tests of utils.speed.gpu run on, and what tells that an operation mixes two of them."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from utils.speed.gpu import device


def devices() -> list[str]:
    """The CPU, and a card where there is one, for tests that are parametrised over them."""
    return ["cpu", *([device.choose().kind] if device.choose().is_card else [])]


class OneDevice(TorchDispatchMode):
    """Within the block no operation takes tensors of two devices; a single number may come from the CPU.

    A card would refuse most of those, and `meta` refuses few: so a mistake is caught where there is no card.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor) and one.dim()]
        found = sorted({one.device.type for one in given})
        if func is not torch.ops.aten._to_copy.default:
            assert len(found) < 2, f"{func} takes tensors of {', '.join(found)}"
        return func(*args, **(kwargs or {}))
