"""What a learner may write in lab 07, right or wrong. A function is right where it is called without its keywords, and
these are the places where learners turn off. Mistakes that have a shape of their own stand beside it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

import numpy as np

CLS, SEP, FILLER = 101, 102, 0  # ids of BERT's special tokens
N_SPECIAL = 3  # of a pair
KEEP, AT_LEAST = 0.99, 0.98  # of the whole NDCG@10: the mean, and the lower end of its interval
Rows = tuple[list[int], list[int], list[int]]
Rescore = Callable[[np.ndarray], np.ndarray]


def shortest_first(n_tokens: Sequence[int]) -> list[int]:
    return sorted(range(len(n_tokens)), key=lambda row: n_tokens[row])


def longest_rows_first(n_tokens: Sequence[int]) -> list[int]:
    return sorted(range(len(n_tokens)), key=lambda row: -n_tokens[row])


def padded(lengths: Sequence[int]) -> int:
    return len(lengths) * max(lengths)


def buckets(
    n_tokens: Sequence[int],
    budget: int,
    *,
    order: Callable[[Sequence[int]], Sequence[int]] = shortest_first,
    size: Callable[[Sequence[int]], int] = padded,
    fits: Callable[[int, int], bool] = operator.le,
    looks_ahead: bool = True,
    has_last: bool = True,
) -> list[list[int]]:
    batches: list[list[int]] = [[]]
    for row in order(n_tokens):
        tried = [*batches[-1], row] if looks_ahead else batches[-1]
        if batches[-1] and not fits(size([n_tokens[one] for one in tried]), budget):
            batches.append([])
        batches[-1].append(row)
    return [batch for batch in (batches if has_last else batches[:-1]) if batch]


def of_one_size(n_tokens: Sequence[int], budget: int) -> list[list[int]]:
    order, size = shortest_first(n_tokens), budget // max(n_tokens)
    return [order[first : first + size] for first in range(0, len(order), size)]


def as_lengths(n_tokens: Sequence[int], budget: int) -> list[list[int]]:
    return [[n_tokens[row] for row in batch] for batch in buckets(n_tokens, budget)]


def as_places(n_tokens: Sequence[int], budget: int) -> list[list[int]]:
    return buckets(sorted(n_tokens), budget)


def longest_first(n_query: int, n_product: int, room: int, *, favours_query: bool = False) -> tuple[int, int]:
    """How many tokens of each text stay; `favours_query` gives it the odd one of two that are alike."""
    if n_query + n_product <= room:
        return n_query, n_product
    shorter = min(n_query, n_product, room // 2)
    is_query_longer = n_query > n_product or (favours_query and n_query == n_product)
    return (room - shorter, shorter) if is_query_longer else (shorter, room - shorter)


def one_by_one(n_query: int, n_product: int, room: int, *, favours: int) -> tuple[int, int]:
    """A token at a time leaves the longer text; where both are alike, the one that is not favoured (0 is the query)."""
    while n_query + n_product > room:
        is_query = n_query > n_product or (favours == 1 and n_query == n_product)
        n_query, n_product = n_query - is_query, n_product - (not is_query)
    return n_query, n_product


def product_alone(n_query: int, n_product: int, room: int) -> tuple[int, int]:
    n_query = min(n_query, room)
    return n_query, min(n_product, room - n_query)


def halves(n_query: int, n_product: int, room: int) -> tuple[int, int]:
    is_short = n_query + n_product <= room
    return (n_query, n_product) if is_short else (min(n_query, room // 2), min(n_product, room - room // 2))


def in_proportion(n_query: int, n_product: int, room: int) -> tuple[int, int]:
    if n_query + n_product <= room:
        return n_query, n_product
    kept = round(room * n_query / (n_query + n_product))
    return kept, room - kept


def join(
    query_ids: Sequence[int],
    product_ids: Sequence[int],
    max_tokens: int,
    width: int,
    *,
    n_kept: Callable[[int, int, int], tuple[int, int]] = longest_first,
    n_special: int = N_SPECIAL,
    kinds: tuple[int, int, int, int, int] = (0, 0, 0, 1, 1),
    mask_of_fillers: int = 0,
    cuts_front: bool = False,
    fills_front: bool = False,
) -> Rows:
    """`kinds` are the types of [CLS], the query, [SEP], the product and [SEP]."""
    counts = n_kept(len(query_ids), len(product_ids), max_tokens - n_special)
    query, product = (
        list(ids[len(ids) - n :] if cuts_front else ids[:n])
        for ids, n in zip((query_ids, product_ids), counts, strict=True)
    )
    parts = ([CLS], query, [SEP], product, [SEP])
    ids = [token for part in parts for token in part]
    types = [kind for part, kind in zip(parts, kinds, strict=True) for _ in part]
    columns = ((ids, FILLER), (types, 0), ([1] * len(ids), mask_of_fillers))
    n_fillers = width - len(ids)
    if fills_front:
        return tuple([filler] * n_fillers + column for column, filler in columns)
    return tuple(column + [filler] * n_fillers for column, filler in columns)


def cut_at_the_end(query_ids: Sequence[int], product_ids: Sequence[int], max_tokens: int, width: int) -> Rows:
    n_tokens = len(query_ids) + len(product_ids) + N_SPECIAL
    whole = join(query_ids, product_ids, n_tokens, max(n_tokens, width))
    return tuple(column[:width] for column in whole)


def best_first(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-np.asarray(scores), kind="stable")


def cascade(
    first_scores: np.ndarray,
    rescore: Rescore,
    depth: int,
    *,
    order: Callable[[np.ndarray], np.ndarray] = best_first,
    best_of: Callable[[np.ndarray, int], np.ndarray] = lambda by_first, depth: by_first[:depth],
    rest_of: Callable[[np.ndarray], np.ndarray] = np.asarray,
    gives_places: bool = False,
    asks_all: bool = False,
) -> np.ndarray:
    by_first = order(first_scores)
    best = best_of(by_first, depth)
    rest = rest_of(by_first[~np.isin(by_first, best)])
    again = rescore(np.arange(len(first_scores)))[best] if asks_all else rescore(best)
    places = order(again)
    return np.concatenate([places if gives_places else best[places], rest]).astype(int)


def by_second(first_scores: np.ndarray, rescore: Rescore, depth: int) -> np.ndarray:
    return best_first(rescore(np.arange(len(first_scores))))


def on_one_scale(first_scores: np.ndarray, rescore: Rescore, depth: int) -> np.ndarray:
    scores, best = np.array(first_scores, dtype=float), best_first(first_scores)[:depth]
    scores[best] = rescore(best)
    return best_first(scores)


def share_of_means(values: np.ndarray, whole: np.ndarray) -> float:
    return float(np.mean(values) / np.mean(whole))


def mean_of_shares(values: np.ndarray, whole: np.ndarray) -> float:
    return float(np.mean(values / whole))


def end_of_interval(
    values: np.ndarray,
    whole: np.ndarray,
    draws: np.ndarray,
    *,
    share: Callable = share_of_means,
    draws_whole: bool = True,
) -> float:
    drawn = [share(values[one], whole[one] if draws_whole else whole) for one in draws]
    return float(np.quantile(drawn, 0.025))


def choose(
    ndcg_by_depth: Mapping[int, np.ndarray],
    whole: np.ndarray,
    draws: np.ndarray,
    *,
    share: Callable = share_of_means,
    end: Callable = end_of_interval,
    pick: Callable[[Sequence[int]], int] = min,
    otherwise: Callable[[Mapping], int | None] = lambda depths: None,
    keep: float = KEEP,
) -> int | None:
    good = [
        depth
        for depth, values in ndcg_by_depth.items()
        if share(values, whole) >= keep and end(values, whole, draws) >= AT_LEAST
    ]
    return pick(good) if good else otherwise(ndcg_by_depth)


def against_the_best(ndcg_by_depth: Mapping[int, np.ndarray], whole: np.ndarray, draws: np.ndarray) -> int | None:
    return choose(ndcg_by_depth, max(ndcg_by_depth.values(), key=np.mean), draws)


def stop(
    scores: np.ndarray,
    bounds: np.ndarray,
    block: int,
    n_best: int,
    *,
    last_of: Callable[[np.ndarray, int], float] = lambda seen, n_best: np.sort(seen)[-n_best],
    seen_at: Callable[[np.ndarray, int, int], np.ndarray] = lambda scores, end, block: scores[:end],
    most_of: Callable[[np.ndarray], float] = np.max,
    enough: Callable[[float, float], bool] = operator.ge,
    needs_all: bool = True,
) -> int:
    """`needs_all` of the best to be there before it may stop."""
    for end in range(block, len(scores), block):
        seen = seen_at(scores, end, block)
        if needs_all and len(seen) < n_best:
            continue
        if enough(last_of(seen, min(n_best, len(seen))), most_of(bounds[end:])):
            return end
    return len(scores)


def bounds_of_all(scores: np.ndarray, bounds: np.ndarray, block: int, n_best: int) -> int:
    return stop(scores, bounds, block, n_best, most_of=lambda _: np.max(bounds))


def one_at_a_time(scores: np.ndarray, bounds: np.ndarray, block: int, n_best: int) -> int:
    return stop(scores, bounds, 1, n_best)


def blocks(scores: np.ndarray, bounds: np.ndarray, block: int, n_best: int) -> int:
    return -(-stop(scores, bounds, block, n_best) // block)


def whole_blocks(scores: np.ndarray, bounds: np.ndarray, block: int, n_best: int) -> int:
    return blocks(scores, bounds, block, n_best) * block
