"""The tasks of lab 08: a padded batch as one packed row and back, who may see whom in it, softmax over blocks, and the
traffic from which a card is cheaper."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from utils.course.labs import cases_08 as cases
from utils.course.labs import ways_08 as ways
from utils.course.labs.checks import Task, named


def unpad(input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The real tokens of a batch in one row, pair after pair.

    Args:
        input_ids, mask: (n_pairs, n_tokens); fillers, where the mask is 0, may stand on either side.

    Returns:
        The ids (n_real,), where each pair begins, the end included (n_pairs + 1,), and each token's place in its pair.
    """
    return ways.unpad(input_ids, mask)


def repack(packed: Tensor, starts: Tensor, n_tokens: int) -> Tensor:
    """The padded batch (n_pairs, n_tokens, d) of a row (n_real, d); fillers are 0 and stand at the end."""
    return ways.repack(packed, starts, n_tokens)


def block_mask(starts: Tensor) -> Tensor:
    """Which tokens of a packed row may see each other: (n_real, n_real), True within a pair and nowhere else."""
    return ways.block_mask(starts)


def online_softmax(blocks: ways.Blocks) -> Tensor:
    """softmax(scores) @ values, (d,), from one pass over blocks: scores (n,) and values (n, d) of some tokens each.

    Source: Milakov, Gimelshein, "Online normalizer calculation for softmax", 2018, https://arxiv.org/abs/1805.02867
    """
    return ways.online_softmax(blocks)


def break_even(
    cpu: ways.Offer, card: ways.Offer, peak_factor: float, utilisation: float, at_most: float
) -> float | None:
    """The least traffic, in queries a day, at which whole cards cost less than whole CPU instances.

    Returns:
        0 where the card costs less from the first query on; None where it does not up to `at_most`.
    """
    return ways.break_even(cpu, card, peak_factor, utilisation, at_most)


def _as_mask(function: Callable, arguments: Mapping[str, Any]) -> Tensor:
    mask = function(**arguments)
    if getattr(mask, "dtype", None) not in (torch.bool, bool):
        raise ValueError(f"{getattr(mask, 'dtype', type(mask).__name__)} came; give a tensor of True and False")
    return mask


def _from_a_stream(function: Callable, arguments: Mapping[str, Any]) -> Tensor:
    return function(_stream(arguments["blocks"]))


def _stream(blocks: ways.Blocks) -> Iterator[tuple[Tensor, Tensor]]:
    """Each block once; its memory is lost when the next one is asked for, as in the small memory of a card."""
    for scores, values in blocks:
        here = scores.clone(), values.clone()
        yield here
        for one in here:
            one.fill_(torch.nan)


def _columns_of_batch(real: Tensor) -> Tensor:
    return torch.arange(real.shape[1]).expand(real.shape)[real]


TASKS = {
    "unpad": Task(
        right=unpad,
        cases=cases.of_batches,
        outcome=named("the ids", "the starts", "the positions"),
        misconceptions={
            "fillers are known by the id 0, and not by the mask": partial(
                ways.unpad, real_of=lambda input_ids, mask: input_ids != 0
            ),
            "the lengths of the pairs are given, and not where they begin": partial(
                ways.unpad, starts_of=lambda lengths: lengths
            ),
            "the starts do not say where the last pair ends": partial(
                ways.unpad, starts_of=lambda lengths: ways.starts_from(lengths)[:-1]
            ),
            "the starts say where pairs end, and do not begin with 0": partial(
                ways.unpad, starts_of=lambda lengths: lengths.cumsum(0)
            ),
            "positions run on from pair to pair": partial(
                ways.unpad, positions_of=lambda real: torch.arange(int(real.sum()))
            ),
            "positions begin with 1": partial(ways.unpad, positions_of=lambda real: ways.positions_from(real) + 1),
            "positions are columns of the batch, fillers in front included": partial(
                ways.unpad, positions_of=_columns_of_batch
            ),
            "the batch is read column by column": ways.by_columns,
        },
    ),
    "repack": Task(
        right=repack,
        cases=cases.of_rows,
        misconceptions={
            "fillers stand in front": partial(ways.repack, fills_front=True),
            "fillers repeat the last token": partial(ways.repack, repeats_last=True),
            "rows are only as wide as the longest pair": partial(ways.repack, is_tight=True),
            "the row is cut into pieces of one length": ways.cut_in_pieces,
            "a pair loses its last token": partial(ways.repack, n_more=-1),
            "a pair takes the first token of the next one with it": partial(ways.repack, n_more=1),
            "the last pair is left out": ways.without_the_last,
        },
    ),
    "block_mask": Task(
        right=block_mask,
        cases=cases.of_starts,
        outcome=_as_mask,
        misconceptions={
            "it is true where tokens must not see each other": lambda starts: ~ways.block_mask(starts),
            "a token sees only those before it, too": lambda starts: ways.block_mask(starts).tril(),
            "a token sees itself alone": lambda starts: torch.eye(int(starts[-1]), dtype=torch.bool),
            "all tokens see each other": lambda starts: torch.ones(2 * (int(starts[-1]),), dtype=torch.bool),
            "the first token of a pair is counted to the pair before it": partial(
                ways.block_mask, pair_of=ways.pair_before
            ),
            "all pairs are taken to be as long as the first": partial(ways.block_mask, pair_of=ways.equal_lengths),
        },
    ),
    "online_softmax": Task(
        right=online_softmax,
        cases=cases.of_blocks,
        outcome=_from_a_stream,
        misconceptions={
            "blocks are kept, although the next one takes their memory": ways.all_kept,
            "the exponentials are taken of scores as they are": ways.as_they_are,
            "the largest score begins with 0": partial(ways.online_softmax, start=0.0),
            "the largest score of a block is forgotten in the next one": partial(
                ways.online_softmax, largest_of=lambda largest, of_block: of_block
            ),
            "neither sum is scaled down where a larger score comes": partial(
                ways.online_softmax, scales_total=False, scales_weighted=False
            ),
            "the sum of the values is not scaled down where a larger score comes": partial(
                ways.online_softmax, scales_weighted=False
            ),
            "the sum of the exponentials is not scaled down where a larger score comes": partial(
                ways.online_softmax, scales_total=False
            ),
            "every block has a softmax of its own, and their mean is taken": partial(ways.block_by_block, divides=True),
            "every block has a softmax of its own, and they are added up": partial(ways.block_by_block, divides=False),
            "the sum of the values is not divided at the end": partial(ways.online_softmax, divides=False),
        },
    ),
    "break_even": Task(
        right=break_even,
        cases=cases.of_offers,
        misconceptions={
            "an instance can be rented in parts": ways.in_parts,
            "it is built for the mean hour, and not for the busiest": ways.without_peak,
            "machines are busy all of their time": ways.never_idle,
            "one card is enough for any traffic": partial(ways.break_even, n_cards=1),
            "an equal bill counts as a lower one": partial(ways.break_even, is_dearer=operator.ge),
            "the card has to be cheaper from there on for good": ways.for_good,
            "the price of a query on a busy machine decides whether a card can pay": ways.by_price_of_a_query,
            "the traffic that fills a card is given": ways.one_full_card,
            "queries a second are given, and not a day": partial(ways.break_even, per=ways.SECONDS_A_DAY),
            "the most traffic is given where the card never pays": partial(
                ways.break_even, otherwise=lambda at_most: at_most
            ),
        },
    ),
}
