"""Where tensors live. Everything that differs between a card and the CPU is asked of a `Device`, and nowhere else."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from utils.measure import machine

KINDS = ("cpu", "cuda")


@dataclass(frozen=True)
class Device:
    """A device and what it is called.

    Attributes:
        kind: "cpu" or "cuda", as in a `Variant`.
        name: of the processor or the card.
        pins: whether what is sent to a card goes through pinned memory, beside the kernels.
    """

    kind: str
    name: str
    pins: bool = True

    @property
    def is_card(self) -> bool:
        """Whether it is a card, which has memory of its own and works while the host goes on."""
        return self.kind == "cuda"

    @property
    def torch(self) -> torch.device:
        """As PyTorch wants it."""
        return torch.device(self.kind)

    def send(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors on the device.

        Pinned memory is never moved, so a card can fetch it by itself. It does so on a stream of its own, beside the
        kernels of the batch before; those of this batch wait for it, and the host for nothing.
        """
        if not self.is_card:
            return dict(tensors)
        if not self.pins:
            return {name: one.to(self.torch) for name, one in tensors.items()}
        now = torch.cuda.current_stream()
        with torch.cuda.stream(_copies()):
            sent = {name: one.pin_memory().to(self.torch, non_blocking=True) for name, one in tensors.items()}
        now.wait_stream(_copies())
        for one in sent.values():
            one.record_stream(now)  # its memory is not used again before those kernels are done
        return sent

    def wait(self) -> None:
        """Return when all that was begun is done. A clock that is read before has timed the beginning alone."""
        if self.is_card:
            torch.cuda.synchronize()

    def can_multiply(self, precision: str) -> bool:
        """Whether the device has units of their own for that precision; others are computed all the same, slowly."""
        if not self.is_card:
            vectors = set(machine.describe()["vector_instructions"])
            return precision == "fp32" or (precision == "bf16" and bool(vectors & machine.BF16_FAST))
        least = {"fp32": (0, 0), "fp16": (7, 0), "bf16": (8, 0), "tf32": (8, 0), "int8": (7, 5), "fp8": (8, 9)}
        return torch.cuda.get_device_capability() >= least[precision]


def choose(kind: str = "") -> Device:
    """The device that the course works on: the kind that is asked for, or a card where there is one, else the CPU.

    Raises:
        ValueError: another kind, or no card that PyTorch can use.
    """
    kind = kind or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind not in KINDS:
        raise ValueError(f"device '{kind}' is not one of {', '.join(KINDS)}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device 'cuda': PyTorch sees no card here; take 'cpu', or install torch with CUDA on a machine with a card"
        )
    return Device(kind, torch.cuda.get_device_name() if kind == "cuda" else machine.describe()["processor"])


@functools.cache
def _copies() -> torch.cuda.Stream:
    """The stream on which a card fetches what is sent to it."""
    return torch.cuda.Stream()
