"""The tasks of lab 07: buckets of like lengths, a pair joined from stored ids, the order of a cascade, its depth chosen
on valid, and when to stop scoring."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from utils.course.labs import cases_07 as cases
from utils.course.labs import ways_07 as ways
from utils.course.labs.checks import Task, named


def length_buckets(n_tokens: Sequence[int], budget: int) -> list[list[int]]:
    """Batches of row numbers, shortest rows first, each as large as the budget of padded tokens allows.

    Args:
        n_tokens: of each row, none above the budget; of equal lengths the row that was given first comes first.
    """
    return ways.buckets(n_tokens, budget)


def join(query_ids: Sequence[int], product_ids: Sequence[int], max_tokens: int, width: int) -> ways.Rows:
    """[CLS] query [SEP] product [SEP] and fillers: the ids, the types, and the mask, each of `width` numbers.

    The longer text is cut first until the pair has `max_tokens`. Where both are cut, an odd token goes to the one that
    was longer, and to the product where they were alike: the rule of `utils.rank.ranker.encode`.
    """
    return ways.join(query_ids, product_ids, max_tokens, width)


def cascade_order(first_scores: np.ndarray, rescore: ways.Rescore, depth: int) -> np.ndarray:
    """Product numbers, best first: the first ranker's best `depth` in the second one's order, then the first's others.

    Args:
        first_scores: (n_products,); `rescore` gives the second ranker's scores of the products of some numbers. Of
            equal scores the first ranker's order, and of equal ones there the order given, stays.
    """
    return ways.cascade(first_scores, rescore, depth)


def choose_depth(ndcg_by_depth: Mapping[int, np.ndarray], whole: np.ndarray, draws: np.ndarray) -> int | None:
    """The least depth that keeps 99% of the whole NDCG@10, and 98% at the lower end of its 95% interval; None if none.

    Args:
        ndcg_by_depth: (n_queries,) each; whole: (n_queries,), every candidate scored by the second ranker;
            draws: (n_resamples, n_queries), the queries that each resample is made of.
    """
    return ways.choose(ndcg_by_depth, whole, draws)


def stop_after(scores: np.ndarray, bounds: np.ndarray, block: int, n_best: int) -> int:
    """How many candidates are scored, block by block, before none of the others can enter the best `n_best`.

    Args:
        scores: (n_candidates,) of the second ranker, in the first one's order; bounds: (n_candidates,), what each
            score is at most. One that can only draw level does not enter.
    """
    return ways.stop(scores, bounds, block, n_best)


def _order_and_count(function: Callable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    second, asked = arguments["second_scores"], []

    def rescore(numbers: np.ndarray) -> np.ndarray:
        asked.append(np.size(numbers))
        return second[np.asarray(numbers, dtype=int)]

    order = function(arguments["first_scores"], rescore, arguments["depth"])
    return {"the order": order, "the number of products scored again": sum(asked)}


TASKS = {
    "length_buckets": Task(
        right=length_buckets,
        cases=cases.of_lengths,
        misconceptions={
            "rows are taken in the order given": partial(ways.buckets, order=lambda n_tokens: range(len(n_tokens))),
            "the longest rows come first": partial(ways.buckets, order=ways.longest_rows_first),
            "only tokens are held to the budget, and fillers are free": partial(ways.buckets, size=sum),
            "a batch that would fill the budget to its last token is closed before": partial(
                ways.buckets, fits=operator.lt
            ),
            "a batch is closed after the row that was too much for it": partial(ways.buckets, looks_ahead=False),
            "the last batch is lost": partial(ways.buckets, has_last=False),
            "every batch has as many rows as fit of the longest": ways.of_one_size,
            "the lengths are given, and not the numbers of the rows": ways.as_lengths,
            "rows are numbered after they are sorted": ways.as_places,
        },
    ),
    "join": Task(
        right=join,
        cases=cases.of_pairs,
        outcome=named("the ids", "the types", "the mask"),
        misconceptions={
            "only the product is cut": partial(ways.join, n_kept=ways.product_alone),
            "the whole row is cut at its end, and its last [SEP] with it": ways.cut_at_the_end,
            "each text has its half, even where the other one leaves room": partial(ways.join, n_kept=ways.halves),
            "both texts are cut in proportion to their lengths": partial(ways.join, n_kept=ways.in_proportion),
            "the odd token is always the query's": partial(ways.join, n_kept=partial(ways.one_by_one, favours=0)),
            "the odd token is always the product's": partial(ways.join, n_kept=partial(ways.one_by_one, favours=1)),
            "the odd token is the query's where both are alike": partial(
                ways.join, n_kept=partial(ways.longest_first, favours_query=True)
            ),
            "the special tokens are not counted": partial(ways.join, n_special=0),
            "the first [SEP] has the type of the product": partial(ways.join, kinds=(0, 0, 1, 1, 1)),
            "the last [SEP] has the type of the query": partial(ways.join, kinds=(0, 0, 0, 1, 0)),
            "every token has the type 0": partial(ways.join, kinds=(0, 0, 0, 0, 0)),
            "the model looks at fillers as well": partial(ways.join, mask_of_fillers=1),
            "fillers stand in front": partial(ways.join, fills_front=True),
            "a text loses its beginning, and not its end": partial(ways.join, cuts_front=True),
        },
    ),
    "cascade_order": Task(
        right=cascade_order,
        cases=cases.of_products,
        outcome=_order_and_count,
        misconceptions={
            "the second ranker orders all products": ways.by_second,
            "every product is scored again, although only the best are ordered anew": partial(
                ways.cascade, asks_all=True
            ),
            "the first products of the list are scored again, and not the first ranker's best": partial(
                ways.cascade, best_of=lambda by_first, depth: np.arange(min(depth, len(by_first)))
            ),
            "scores of both rankers are compared with each other": ways.on_one_scale,
            "products that are not scored again are lost": partial(ways.cascade, rest_of=lambda rest: rest[:0]),
            "products that are not scored again stand in the order of the list": partial(ways.cascade, rest_of=np.sort),
            "places among the best are given, and not numbers of products": partial(ways.cascade, gives_places=True),
            "the lowest score comes first": partial(ways.cascade, order=partial(np.argsort, kind="stable")),
            "of equal scores the last one comes first": partial(
                ways.cascade, order=lambda scores: np.argsort(scores, kind="stable")[::-1]
            ),
        },
    ),
    "choose_depth": Task(
        right=choose_depth,
        cases=cases.of_depths,
        misconceptions={
            "the mean alone decides": partial(ways.choose, end=lambda *_: np.inf),
            "the interval alone decides": partial(ways.choose, keep=0.0),
            "the largest depth that keeps enough is given": partial(ways.choose, pick=max),
            "the first depth in the dictionary that keeps enough is given": partial(
                ways.choose, pick=lambda good: good[0]
            ),
            "the share is taken query by query, and then its mean": partial(
                ways.choose,
                share=ways.mean_of_shares,
                end=partial(ways.end_of_interval, share=ways.mean_of_shares),
            ),
            "queries are drawn for the cascade alone, and not for what it is compared with": partial(
                ways.choose, end=partial(ways.end_of_interval, draws_whole=False)
            ),
            "the best depth stands for the whole": ways.against_the_best,
            "the deepest is given where none keeps enough": partial(ways.choose, otherwise=max),
        },
    ),
    "stop_after": Task(
        right=stop_after,
        cases=cases.of_bounds,
        misconceptions={
            "the best score decides, and not the last of the best ones": partial(
                ways.stop, last_of=lambda seen, n_best: np.max(seen)
            ),
            "only the next candidate's bound is looked at": partial(ways.stop, most_of=lambda bounds: bounds[0]),
            "only the last block is looked at": partial(
                ways.stop, seen_at=lambda scores, end, block: scores[end - block : end], needs_all=False
            ),
            "the mean of the bounds is taken": partial(ways.stop, most_of=np.mean),
            "one that can only draw level is waited for": partial(ways.stop, enough=operator.gt),
            "it stops before there are as many as are shown": partial(ways.stop, needs_all=False),
            "bounds of what is scored already are looked at as well": ways.bounds_of_all,
            "it looks after every candidate, and not after every block": ways.one_at_a_time,
            "blocks are counted": ways.blocks,
            "the last block is counted as a whole one": ways.whole_blocks,
        },
    ),
}
