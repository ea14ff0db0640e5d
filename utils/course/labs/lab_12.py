"""The tasks of lab 12: which tokens of a pair stay, a form of fixed shape filled, pairs scored in such forms, and the
gate that an export has to pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from utils.course.labs import cases_12 as cases
from utils.course.labs import ways_07
from utils.course.labs import ways_12 as ways
from utils.course.labs.checks import Task


def kept_tokens(n_query: int, n_products: np.ndarray, room: int) -> np.ndarray:
    """(n_products, 2), how many tokens stay of the query and of each product: the longer text is cut first.

    Args:
        n_products: (n_products,), tokens of each; room: tokens that a pair has beside the special ones.
    """
    return ways.kept_tokens(n_query, n_products, room)


def fill_form(rows: Sequence[ways.Row], n_rows: int, n_tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """The ids and the mask, (n_rows, n_tokens) int32 each; places without a pair repeat the last one."""
    return ways.fill_form(rows, n_rows, n_tokens)


def score_in_forms(rows: Sequence[ways.Row], run: ways.Run, n_rows: int, lengths: Sequence[int]) -> np.ndarray:
    """Scores (n_pairs,) in the order given; shortest rows first, `n_rows` at a time, each time in the least form."""
    return ways.score_in_forms(rows, run, n_rows, lengths)


def failed(
    reference: np.ndarray,
    exported: np.ndarray,
    gains: np.ndarray,
    largest: float,
    least_correlation: float,
    most_loss: float,
) -> list[str]:
    """What an export fails by: ["finite"], or those of "difference", "rank correlation" and "NDCG@10" that it fails.

    Args:
        reference, exported, gains: (n_queries, n_candidates).
    """
    return ways.failed(reference, exported, gains, largest, least_correlation, most_loss)


def _as_int32(function: Callable, arguments: Mapping[str, Any]) -> dict[str, np.ndarray]:
    given = function(**arguments)
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError("give two things: the ids, the mask")
    for name, one in zip(("the ids", "the mask"), given, strict=True):
        if getattr(one, "dtype", None) != np.int32:
            raise ValueError(f"{name} are of {getattr(one, 'dtype', type(one).__name__)}; the runtime takes int32")
    return dict(zip(("the ids", "the mask"), given, strict=True))


def _scores_and_forms(function: Callable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The scores, and the length of each form that was run; another shape is refused, as such a runtime does."""
    n_rows, lengths, run_in = arguments["n_rows"], arguments["lengths"], []

    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        for name, one in {"ids": ids, "mask": mask}.items():
            if one.dtype != np.int32:
                raise ValueError(f"{name} of {one.dtype} came; this model takes int32")
            if one.shape not in {(n_rows, length) for length in lengths}:
                raise ValueError(f"{name} of shape {one.shape} came; this model has {n_rows} rows of {lengths} tokens")
        run_in.append(ids.shape[1])
        return (ids * mask * (1 + np.arange(ids.shape[1]))).sum(axis=1) / mask.sum(axis=1) / 10_000

    scores = function(arguments["rows"], run, n_rows, lengths)
    return {"the scores": scores, "the lengths of the forms that were run": run_in}


TASKS = {
    "kept_tokens": Task(
        right=kept_tokens,
        cases=cases.of_lengths,
        misconceptions={
            "only the product is cut": partial(ways.kept_tokens, n_kept=ways_07.product_alone),
            "each text has its half, even where the other one leaves room": partial(
                ways.kept_tokens, n_kept=ways_07.halves
            ),
            "the query never has more than its half": partial(ways.kept_tokens, n_kept=ways.always_halved),
            "both texts are cut in proportion to their lengths": partial(
                ways.kept_tokens, n_kept=ways_07.in_proportion
            ),
            "the odd token is always the query's": partial(
                ways.kept_tokens, n_kept=partial(ways_07.one_by_one, favours=0)
            ),
            "the odd token is always the product's": partial(
                ways.kept_tokens, n_kept=partial(ways_07.one_by_one, favours=1)
            ),
            "the odd token is the query's where both are alike": partial(
                ways.kept_tokens, n_kept=partial(ways_07.longest_first, favours_query=True)
            ),
            "pairs that fit are made as long as the room, too": partial(
                ways.kept_tokens, n_kept=ways.as_if_all_were_long
            ),
            "special tokens are counted, which the room leaves out already": lambda n_query, n_products, room: (
                ways.kept_tokens(n_query, n_products, room - 3)
            ),
            "nothing is cut": partial(ways.kept_tokens, n_kept=lambda n_query, n_product, room: (n_query, n_product)),
        },
    ),
    "fill_form": Task(
        right=fill_form,
        cases=cases.of_rows,
        outcome=_as_int32,
        misconceptions={
            "places without a pair are left empty": partial(ways.fill_form, spare=lambda rows: [], mask_of_spares=0),
            "places without a pair are hidden by the mask": partial(ways.fill_form, mask_of_spares=0),
            "places without a pair repeat the first one": partial(ways.fill_form, spare=lambda rows: rows[0]),
            "places without a pair come first": partial(ways.fill_form, spares_first=True),
            "the model looks at fillers as well": partial(ways.fill_form, mask_of_fillers=1),
            "fillers are known by the id 0": partial(ways.fill_form, is_id_mask=True),
            "fillers have the id 1": partial(ways.fill_form, filler=1),
            "fillers stand in front": partial(ways.fill_form, fills_front=True),
        },
    ),
    "score_in_forms": Task(
        right=score_in_forms,
        cases=cases.of_forms,
        outcome=_scores_and_forms,
        misconceptions={
            "every batch is run in the longest form": partial(ways.score_in_forms, length_of=ways.longest_of_all),
            "the first form in the list that is long enough is taken": partial(
                ways.score_in_forms, length_of=ways.first_that_holds
            ),
            "a form that a row would fill to its last token is not taken": partial(
                ways.score_in_forms, length_of=ways.longer_than
            ),
            "the longest of all rows decides for every batch": partial(ways.score_in_forms, of_whole_batch=False),
            "rows are taken as they came": partial(ways.score_in_forms, order_of=ways.as_they_came),
            "the longest rows come first": partial(
                ways.score_in_forms, order_of=lambda rows: sorted(range(len(rows)), key=lambda row: -len(rows[row]))
            ),
            "a form is run for every row": partial(ways.score_in_forms, n_at_once=1),
            "scores stand in the order in which they were run": partial(
                ways.score_in_forms, puts_back=ways.never_put_back
            ),
            "the places are used the wrong way round": partial(
                ways.score_in_forms, puts_back=ways.placed_the_wrong_way
            ),
            "scores of repeated rows are given as well": partial(ways.score_in_forms, keeps_spares=True),
            "rows that do not fill a form are left out": ways.without_the_rest,
        },
    ),
    "failed": Task(
        right=failed,
        cases=cases.of_exports,
        misconceptions={
            "a comparison with NaN is False, and so nothing fails": ways.without_nan,
            "what is not finite counts 0": ways.with_zeros,
            "NaN is looked for, and infinity is not": partial(
                ways.failed, is_finite=lambda exported: not np.isnan(exported).any()
            ),
            "only an export without any number is refused as not finite": partial(
                ways.failed, is_finite=lambda exported: np.isfinite(exported).any()
            ),
            "the mean of the differences is taken, and not the largest": partial(
                ways.failed, difference_of=ways.mean_difference
            ),
            "a score that is lower counts as no difference": partial(ways.failed, difference_of=ways.signed_difference),
            "a score that is higher counts as no difference": partial(
                ways.failed, difference_of=ways.difference_downwards
            ),
            "the difference is taken as a share of the score": partial(
                ways.failed, difference_of=ways.relative_difference
            ),
            "all queries are put into one list for the rank correlation": partial(
                ways.failed, correlation_of=ways.pooled_correlation
            ),
            "scores are correlated, and not ranks": partial(
                ways.failed, correlation_of=partial(ways.mean_correlation, ranks_of=np.asarray)
            ),
            "an order turned round counts as the same": partial(
                ways.failed, correlation_of=partial(ways.mean_correlation, counts=abs)
            ),
            "the worst query decides on the rank correlation, and not the mean": partial(
                ways.failed, correlation_of=partial(ways.mean_correlation, of_queries=min)
            ),
            "a gain of NDCG@10 counts as a loss": partial(ways.failed, loss_of=ways.change_of_ndcg10),
            "the loss of NDCG@10 is taken as a share": partial(ways.failed, loss_of=ways.share_of_ndcg10),
            "the worst query decides on NDCG@10, and not the mean": partial(ways.failed, loss_of=ways.worst_loss),
            "NDCG@10 is not looked at": partial(ways.failed, loss_of=ways.no_loss),
            "only the first that fails is told": partial(ways.failed, only_first=True),
        },
    ),
}
