"""What a learner may write in lab 08, right or wrong. A function is right where it is called without its keywords, and
these are the places where learners turn off. Mistakes that have a shape of their own stand beside it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

SECONDS_A_DAY = 86_400
Blocks = Iterable[tuple[Tensor, Tensor]]
Offer = Mapping[str, float]  # queries_per_s of one whole machine, and its usd_per_hour


def starts_from(lengths: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])


def positions_from(real: Tensor) -> Tensor:
    return (real.cumsum(1) - 1)[real]


def unpad(
    input_ids: Tensor,
    mask: Tensor,
    *,
    real_of: Callable[[Tensor, Tensor], Tensor] = lambda input_ids, mask: mask.bool(),
    starts_of: Callable[[Tensor], Tensor] = starts_from,
    positions_of: Callable[[Tensor], Tensor] = positions_from,
) -> tuple[Tensor, Tensor, Tensor]:
    real = real_of(input_ids, mask)
    return input_ids[real], starts_of(real.sum(1)), positions_of(real)


def by_columns(input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    _, starts, _ = unpad(input_ids, mask)
    turned, _, _ = unpad(input_ids.T, mask.T)
    return turned, starts, positions_from(mask.bool().T)


def repack(
    packed: Tensor,
    starts: Tensor,
    n_tokens: int,
    *,
    n_more: int = 0,
    fills_front: bool = False,
    repeats_last: bool = False,
    is_tight: bool = False,
) -> Tensor:
    """`n_more` tokens of every pair beyond its own ones."""
    width = int(starts.diff().max()) if is_tight else n_tokens
    padded = packed.new_zeros(len(starts) - 1, width, packed.shape[1])
    for row, (first, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        own = packed[first : max(min(end + n_more, first + width), first)]
        place = width - len(own) if fills_front else 0
        padded[row, place : place + len(own)] = own
        if repeats_last and len(own):
            padded[row, len(own) :] = own[-1]
    return padded


def cut_in_pieces(packed: Tensor, starts: Tensor, n_tokens: int) -> Tensor:
    padded = packed.new_zeros((len(starts) - 1) * n_tokens, packed.shape[1])
    padded[: len(packed)] = packed
    return padded.reshape(len(starts) - 1, n_tokens, -1)


def without_the_last(packed: Tensor, starts: Tensor, n_tokens: int) -> Tensor:
    return repack(packed, starts[:-1], n_tokens)


def pair_of_each(starts: Tensor) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(starts) - 1), starts.diff())


def block_mask(starts: Tensor, *, pair_of: Callable[[Tensor], Tensor] = pair_of_each) -> Tensor:
    pair = pair_of(starts)
    return pair[:, None] == pair[None, :]


def pair_before(starts: Tensor) -> Tensor:
    """The first token of a pair is counted to the one before it."""
    return torch.searchsorted(starts, torch.arange(int(starts[-1])), side="left")


def equal_lengths(starts: Tensor) -> Tensor:
    return torch.arange(int(starts[-1])) // int(starts[1])


def online_softmax(
    blocks: Blocks,
    *,
    start: float = -math.inf,
    largest_of: Callable[[Tensor, Tensor], Tensor] = torch.maximum,
    scales_total: bool = True,
    scales_weighted: bool = True,
    divides: bool = True,
) -> Tensor:
    """`largest_of` the largest score so far and that of the block."""
    largest, total, weighted = torch.tensor(start, dtype=torch.float64), 0.0, 0.0
    for scores, values in blocks:
        now = largest_of(largest, scores.max())
        shrink, shares = torch.exp(largest - now), torch.exp(scores - now)
        total = total * (shrink if scales_total else 1) + shares.sum()
        weighted = weighted * (shrink if scales_weighted else 1) + shares @ values
        largest = now
    return weighted / total if divides else weighted


def as_they_are(blocks: Blocks) -> Tensor:
    return online_softmax(blocks, start=0.0, largest_of=lambda largest, of_block: largest)


def block_by_block(blocks: Blocks, *, divides: bool) -> Tensor:
    found = torch.stack([torch.softmax(scores, dim=0) @ values for scores, values in blocks])
    return found.mean(dim=0) if divides else found.sum(dim=0)


def all_kept(blocks: Blocks) -> Tensor:
    kept = list(blocks)
    scores, values = torch.cat([one for one, _ in kept]), torch.cat([one for _, one in kept])
    return torch.softmax(scores, dim=0) @ values


def bill(traffic: float, offer: Offer, *, peak_factor: float, utilisation: float) -> float:
    """Dollars an hour of whole machines, one at least, for a day's traffic."""
    n_machines = math.ceil(traffic * peak_factor / (SECONDS_A_DAY * offer["queries_per_s"] * utilisation))
    return max(1, n_machines) * offer["usd_per_hour"]


def break_even(
    cpu: Offer,
    card: Offer,
    peak_factor: float,
    utilisation: float,
    at_most: float,
    *,
    is_dearer: Callable[[float, float], bool] = operator.gt,
    n_cards: int | None = None,
    per: float = 1.0,
    pick: Callable[[list[float]], float] = min,
    otherwise: Callable[[float], float | None] = lambda at_most: None,
) -> float | None:
    """`n_cards` are compared, as many as are needed where it is None; `per` so many queries the traffic is given."""
    load = {"peak_factor": peak_factor, "utilisation": utilisation}
    if card["usd_per_hour"] < cpu["usd_per_hour"]:
        return 0.0
    full = SECONDS_A_DAY * cpu["queries_per_s"] * utilisation / peak_factor
    steps = (math.floor(n * full) + 1 for n in range(1, int(at_most // full) + 1))
    found = []
    for traffic in steps:
        of_cards = n_cards * card["usd_per_hour"] if n_cards else bill(traffic, card, **load)
        if is_dearer(bill(traffic, cpu, **load), of_cards):
            found.append(traffic / per)
            if pick is min:
                break
    return pick(found) if found else otherwise(at_most)


def for_good(cpu: Offer, card: Offer, peak_factor: float, utilisation: float, at_most: float) -> float | None:
    """From where on the card is cheaper at every step up to `at_most`."""
    load, found = {"peak_factor": peak_factor, "utilisation": utilisation}, None
    full = SECONDS_A_DAY * cpu["queries_per_s"] * utilisation / peak_factor
    for n in range(1, int(at_most // full) + 1):
        traffic = math.floor(n * full) + 1
        pays = bill(traffic, cpu, **load) > bill(traffic, card, **load)
        found = (traffic if found is None else found) if pays else None
    return found


def in_parts(cpu: Offer, card: Offer, peak_factor: float, utilisation: float, at_most: float) -> float | None:
    traffic = card["usd_per_hour"] / cpu["usd_per_hour"] * SECONDS_A_DAY * cpu["queries_per_s"]
    traffic *= utilisation / peak_factor
    pays = bill(traffic, card, peak_factor=peak_factor, utilisation=utilisation) <= card["usd_per_hour"]
    return traffic if pays and traffic <= at_most else None


def by_price_of_a_query(
    cpu: Offer, card: Offer, peak_factor: float, utilisation: float, at_most: float
) -> float | None:
    of_one = [one["usd_per_hour"] / one["queries_per_s"] for one in (cpu, card)]
    return break_even(cpu, card, peak_factor, utilisation, at_most) if of_one[1] < of_one[0] else None


def one_full_card(cpu: Offer, card: Offer, peak_factor: float, utilisation: float, at_most: float) -> float | None:
    found = break_even(cpu, card, peak_factor, utilisation, at_most)
    return found and SECONDS_A_DAY * card["queries_per_s"] * utilisation / peak_factor


def without_peak(cpu: Offer, card: Offer, peak_factor: float, utilisation: float, at_most: float) -> float | None:
    return break_even(cpu, card, 1.0, utilisation, at_most)


def never_idle(cpu: Offer, card: Offer, peak_factor: float, utilisation: float, at_most: float) -> float | None:
    return break_even(cpu, card, peak_factor, 1.0, at_most)
