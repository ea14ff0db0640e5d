"""What data sheets promise of cards, and what share of it a ranker reaches: MFU, model FLOPs utilisation.

A data sheet's largest number is often that of 2:4 sparsity; here stand those of dense matrices, half of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NVIDIA = "https://www.nvidia.com/en-us/data-center"
OF_A10G = "https://d1.awsstatic.com/product-marketing/ec2/NVIDIA_AWS_A10G_DataSheet_FINAL_02_17_2022.pdf"


@dataclass(frozen=True)
class Card:
    """A card by its data sheet.

    Attributes:
        tflops: 10^12 operations a second in each precision, dense; a MAC counts two.
    """

    name: str
    tflops: Mapping[str, float]
    source: str


CARDS = (
    Card(
        "NVIDIA H200", {"fp32": 67, "tf32": 494, "bf16": 989, "fp16": 989, "fp8": 1979, "int8": 1979}, f"{NVIDIA}/h200/"
    ),
    Card(
        "NVIDIA H100", {"fp32": 67, "tf32": 494, "bf16": 989, "fp16": 989, "fp8": 1979, "int8": 1979}, f"{NVIDIA}/h100/"
    ),
    Card("NVIDIA A100", {"fp32": 19.5, "tf32": 156, "bf16": 312, "fp16": 312, "int8": 624}, f"{NVIDIA}/a100/"),
    Card("NVIDIA L4", {"fp32": 30.3, "tf32": 60, "bf16": 121, "fp16": 121, "fp8": 242, "int8": 242}, f"{NVIDIA}/l4/"),
    Card("NVIDIA A10G", {"bf16": 70, "fp16": 70}, OF_A10G),
)  # of H100 and H200 the SXM modules


def named(name: str) -> Card:
    """The card whose name stands in `name`, as PyTorch or a price table has it; ValueError naming those there are."""
    for card in CARDS:
        if card.name.removeprefix("NVIDIA ").lower() in name.lower().replace("-", " ").split():
            return card
    raise ValueError(
        f"no data sheet of '{name}'; there are {', '.join(card.name for card in CARDS)}; add a line to CARDS"
    )


def mfu(pairs_per_s: float, *, macs_per_pair: float, peak_tflops: float) -> float:
    """The share of the peak that a rate is worth: FLOPs of the model a second over those that the card could do.

    Fillers, conversions and whatever a kernel computes twice are not work of the model, and do not count.

    Source: Chowdhery et al., "PaLM", JMLR 2023, https://arxiv.org/abs/2204.02311 (appendix B)
    """
    return 2 * macs_per_pair * pairs_per_s / (peak_tflops * 1e12)


def pairs_per_s_at(mfu_reached: float, *, macs_per_pair: float, peak_tflops: float) -> float:
    """The rate that a share of the peak is worth: `mfu` the other way round."""
    if not 0 < mfu_reached <= 1:
        raise ValueError(f"an MFU of {mfu_reached} is not above 0 and at most 1")
    return mfu_reached * peak_tflops * 1e12 / (2 * macs_per_pair)


def fed(card_pairs_per_s: float, *, host_pairs_per_s: float, cores: int) -> float:
    """Pairs a second of a card whose host makes every pair ready for it: the slower of the two decides.

    Args:
        host_pairs_per_s: pairs that one core tokenizes and lays out in a second.
        cores: of the host that comes with the card.
    """
    return min(card_pairs_per_s, host_pairs_per_s * cores)
