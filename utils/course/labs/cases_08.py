"""The inputs that the functions of lab 08 are tried on, awkward ones among them."""

from __future__ import annotations

import torch
from torch import Tensor

from utils.course.labs.checks import Case

MINUS = -torch.inf


def of_batches(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    n_tokens = torch.randint(3, 12, (5,), generator=generator)
    mask = (torch.arange(12) < n_tokens[:, None]).long()
    drawn = torch.randint(5, 30_000, (5, 12), generator=generator) * mask
    two = {"input_ids": torch.tensor([[7, 8, 0], [9, 4, 5]]), "mask": torch.tensor([[1, 1, 0], [1, 1, 1]])}
    return [
        Case("two pairs", two),
        Case("no fillers", two | {"mask": torch.ones(2, 3, dtype=torch.long)}),
        Case(
            "fillers with the id 1, and a word with the id 0",
            {
                "input_ids": torch.tensor([[6, 0, 5, 1], [6, 5, 1, 1]]),
                "mask": torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]]),
            },
        ),
        Case(
            "fillers in front",
            {
                "input_ids": torch.tensor([[0, 0, 3, 4], [5, 6, 7, 8]]),
                "mask": torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]]),
            },
        ),
        Case(
            "a pair without tokens",
            {"input_ids": torch.tensor([[3, 4], [0, 0], [5, 0]]), "mask": torch.tensor([[1, 1], [0, 0], [1, 0]])},
        ),
        Case("five pairs", {"input_ids": drawn, "mask": mask}),
    ]


def of_rows(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 9, (6,), generator=generator)
    drawn = torch.randn(int(lengths.sum()), 3, generator=generator)
    two = {"packed": torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 1.0]]), "n_tokens": 4}
    return [
        Case("two pairs", two | {"starts": torch.tensor([0, 2, 5])}),
        Case("a width that the longest pair fills", two | {"starts": torch.tensor([0, 4, 5])}),
        Case("a pair without tokens", two | {"starts": torch.tensor([0, 3, 3, 5])}),
        Case("one pair", two | {"starts": torch.tensor([0, 5]), "n_tokens": 6}),
        Case("six pairs", {"packed": drawn, "starts": starts_of(lengths), "n_tokens": 10}),
    ]


def of_starts(seed: int) -> list[Case]:
    lengths = torch.randint(2, 9, (6,), generator=torch.Generator().manual_seed(seed))
    return [
        Case("two pairs", {"starts": torch.tensor([0, 2, 5])}),
        Case("one pair", {"starts": torch.tensor([0, 3])}),
        Case("a pair without tokens", {"starts": torch.tensor([0, 3, 3, 5])}),
        Case("six pairs", {"starts": starts_of(lengths)}),
    ]


def starts_of(lengths: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])


def of_blocks(seed: int) -> list[Case]:
    generator = torch.Generator().manual_seed(seed)

    def case(about: str, scores: list[list[float]] | list[Tensor]) -> Case:
        blocks = [torch.as_tensor(one, dtype=torch.float64) for one in scores]
        values = [torch.randn(len(one), 2, generator=generator, dtype=torch.float64) for one in blocks]
        return Case(about, {"blocks": list(zip(blocks, values, strict=True))})

    drawn = [3 * torch.randn(n, generator=generator, dtype=torch.float64) for n in (4, 4, 4, 4, 2)]
    return [
        case("one block", [[0.0, 1.0, -1.0]]),
        case("the largest score comes last", [[0.0, 0.7], [1.6, 3.0]]),
        case("the largest score comes first", [[3.0, 0.7], [1.6, 0.0]]),
        case("five blocks", drawn),
        case("blocks of which the first has the least", [[0.1, -0.2], [1.1, 1.2, 0.9], [2.0, 2.2]]),
        case("large scores", [[1_000.0, 1_001.0], [1_002.0, 0.0]]),
        case("scores far below 0", [[-1_000.0, -1_001.0], [-1_002.0, -999.0]]),
        case("fillers, whose score is -inf", [[0.3, 1.0], [0.5, MINUS], [MINUS, MINUS]]),
    ]


def of_offers(seed: int) -> list[Case]:
    n_per_s = int(torch.randint(12, 40, (1,), generator=torch.Generator().manual_seed(seed)))
    cpu = {"queries_per_s": 10.0, "usd_per_hour": 0.1}
    given = {"peak_factor": 3.0, "utilisation": 0.6, "at_most": 1e8}

    def case(about: str, cpu: dict, queries_per_s: float, usd_per_hour: float, **other: float) -> Case:
        card = {"queries_per_s": queries_per_s, "usd_per_hour": usd_per_hour}
        return Case(about, {"cpu": cpu, "card": card} | given | other)

    dear = {"queries_per_s": 10.0, "usd_per_hour": 1.0}
    return [
        case("a card that answers twenty times as much for ten times the price", cpu, 200.0, 1.0),
        case("a card that never pays", cpu, 80.0, 1.0),
        case("a card that pays where a second instance would be nearly idle", dear, 12.0, 1.5),
        case("a card that costs less than an instance", cpu, 50.0, 0.09),
        case("a card that is full soon", cpu, 130.0, 1.0),
        case("calm traffic and busy machines", cpu, 200.0, 1.05, peak_factor=1.5, utilisation=0.8),
        case("too little traffic for it", cpu, 2_000.0, 4.0, at_most=5e6),
        case("prices of a list", {"queries_per_s": float(n_per_s), "usd_per_hour": 0.0893}, 900.0, 1.006),
    ]
