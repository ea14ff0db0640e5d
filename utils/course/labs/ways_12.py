"""What a learner may write in lab 12, right or wrong. A function is right where it is called without its keywords, and
these are the places where learners turn off. Mistakes that have a shape of their own stand beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from utils.course.labs import ways_07
from utils.rank import metrics

Row = Sequence[int]
Run = Callable[[np.ndarray, np.ndarray], np.ndarray]  # ids and mask (n_rows, n_tokens) int32 to scores (n_rows,)
FINITE, DIFFERENCE, CORRELATION, QUALITY = "finite", "difference", "rank correlation", "NDCG@10"


def kept_tokens(
    n_query: int,
    n_products: np.ndarray,
    room: int,
    *,
    n_kept: Callable[[int, int, int], tuple[int, int]] = ways_07.longest_first,
) -> np.ndarray:
    return np.array([n_kept(n_query, int(n_product), room) for n_product in n_products], dtype=int).reshape(-1, 2)


def always_halved(n_query: int, n_product: int, room: int) -> tuple[int, int]:
    """The query is cut to half of the room, whatever the product leaves free."""
    n_query = min(n_query, room // 2)
    return n_query, min(n_product, room - n_query)


def as_if_all_were_long(n_query: int, n_product: int, room: int) -> tuple[int, int]:
    """The rule for a pair that is too long, and for one that is not as well."""
    shorter = min(n_query, n_product, room // 2)
    return (room - shorter, shorter) if n_query > n_product else (shorter, room - shorter)


def fill_form(
    rows: Sequence[Row],
    n_rows: int,
    n_tokens: int,
    *,
    filler: int = 0,
    spare: Callable[[Sequence[Row]], Row] = lambda rows: rows[-1],
    mask_of_fillers: int = 0,
    mask_of_spares: int = 1,
    is_id_mask: bool = False,
    fills_front: bool = False,
    spares_first: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """`spare` is what the rows hold that have no pair."""
    ids = np.full((n_rows, n_tokens), filler, dtype=np.int32)
    mask = np.full((n_rows, n_tokens), mask_of_fillers, dtype=np.int32)
    spares = [spare(rows)] * (n_rows - len(rows))
    for place, row in enumerate([*spares, *rows] if spares_first else [*rows, *spares]):
        own = slice(n_tokens - len(row), n_tokens) if fills_front else slice(len(row))
        ids[place, own], mask[place, own] = row, 1
    if not mask_of_spares:
        mask[len(rows) :] = 0
    return ids, (ids != 0).astype(np.int32) if is_id_mask else mask


def shortest_that_holds(n_tokens: int, lengths: Sequence[int]) -> int:
    return min(length for length in lengths if length >= n_tokens)


def longest_of_all(n_tokens: int, lengths: Sequence[int]) -> int:
    return max(lengths)


def first_that_holds(n_tokens: int, lengths: Sequence[int]) -> int:
    return next(length for length in lengths if length >= n_tokens)


def longer_than(n_tokens: int, lengths: Sequence[int]) -> int:
    return min((length for length in lengths if length > n_tokens), default=max(lengths))


def from_the_shortest(rows: Sequence[Row]) -> list[int]:
    return sorted(range(len(rows)), key=lambda row: len(rows[row]))


def as_they_came(rows: Sequence[Row]) -> list[int]:
    return list(range(len(rows)))


def score_in_forms(
    rows: Sequence[Row],
    run: Run,
    n_rows: int,
    lengths: Sequence[int],
    *,
    order_of: Callable[[Sequence[Row]], list[int]] = from_the_shortest,
    length_of: Callable[[int, Sequence[int]], int] = shortest_that_holds,
    n_at_once: int | None = None,
    puts_back: Callable[[np.ndarray, list[int]], np.ndarray] = lambda scores, order: scores[np.argsort(order)],
    keeps_spares: bool = False,
    of_whole_batch: bool = True,
) -> np.ndarray:
    """`n_at_once` rows go into a form, as many as it has where it is None."""
    order, found = order_of(rows), []
    step = n_at_once or n_rows
    for first in range(0, len(order), step):
        batch = [rows[row] for row in order[first : first + step]]
        longest = max(map(len, batch if of_whole_batch else rows))
        scores = run(*fill_form(batch, n_rows, length_of(longest, lengths)))
        found.append(scores if keeps_spares else scores[: len(batch)])
    scores = np.concatenate(found) if found else np.zeros(0)
    return puts_back(scores, order) if len(scores) == len(order) else scores


def placed_the_wrong_way(scores: np.ndarray, order: list[int]) -> np.ndarray:
    return scores[order]


def never_put_back(scores: np.ndarray, order: list[int]) -> np.ndarray:
    return scores


def without_the_rest(rows: Sequence[Row], run: Run, n_rows: int, lengths: Sequence[int]) -> np.ndarray:
    """Only full forms are run."""
    order = from_the_shortest(rows)[: len(rows) // n_rows * n_rows]
    scores = np.zeros(len(rows))
    scores[order] = score_in_forms([rows[row] for row in order], run, n_rows, lengths)
    return scores


def largest_difference(reference: np.ndarray, exported: np.ndarray) -> float:
    return float(np.abs(exported - reference).max())


def mean_difference(reference: np.ndarray, exported: np.ndarray) -> float:
    return float(np.abs(exported - reference).mean())


def signed_difference(reference: np.ndarray, exported: np.ndarray) -> float:
    return float((exported - reference).max())


def difference_downwards(reference: np.ndarray, exported: np.ndarray) -> float:
    return float((reference - exported).max())


def relative_difference(reference: np.ndarray, exported: np.ndarray) -> float:
    return float((np.abs(exported - reference) / np.abs(reference)).max())


def ranks(scores: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(scores, axis=-1), axis=-1)


def mean_correlation(
    reference: np.ndarray,
    exported: np.ndarray,
    *,
    ranks_of: Callable[[np.ndarray], np.ndarray] = ranks,
    of_queries: Callable[[Sequence[float]], float] = np.mean,
    counts: Callable[[float], float] = float,
) -> float:
    both = zip(ranks_of(reference), ranks_of(exported), strict=True)
    return float(of_queries([counts(np.corrcoef(one, other)[0, 1]) for one, other in both]))


def pooled_correlation(reference: np.ndarray, exported: np.ndarray) -> float:
    return mean_correlation(reference.reshape(1, -1), exported.reshape(1, -1))


def mean_ndcg10(gains: np.ndarray, scores: np.ndarray) -> float:
    return float(np.mean([metrics.ndcg10(one, scores=other) for one, other in zip(gains, scores, strict=True)]))


def loss_of_ndcg10(reference: np.ndarray, exported: np.ndarray, gains: np.ndarray) -> float:
    return mean_ndcg10(gains, reference) - mean_ndcg10(gains, exported)


def change_of_ndcg10(reference: np.ndarray, exported: np.ndarray, gains: np.ndarray) -> float:
    return abs(loss_of_ndcg10(reference, exported, gains))


def share_of_ndcg10(reference: np.ndarray, exported: np.ndarray, gains: np.ndarray) -> float:
    return 1 - mean_ndcg10(gains, exported) / mean_ndcg10(gains, reference)


def worst_loss(reference: np.ndarray, exported: np.ndarray, gains: np.ndarray) -> float:
    both = zip(gains, reference, exported, strict=True)
    return max(metrics.ndcg10(one, scores=first) - metrics.ndcg10(one, scores=second) for one, first, second in both)


def no_loss(reference: np.ndarray, exported: np.ndarray, gains: np.ndarray) -> float:
    return -math.inf


def failed(
    reference: np.ndarray,
    exported: np.ndarray,
    gains: np.ndarray,
    largest: float,
    least_correlation: float,
    most_loss: float,
    *,
    is_finite: Callable[[np.ndarray], bool] = lambda exported: bool(np.isfinite(exported).all()),
    difference_of: Callable[[np.ndarray, np.ndarray], float] = largest_difference,
    correlation_of: Callable[[np.ndarray, np.ndarray], float] = mean_correlation,
    loss_of: Callable[[np.ndarray, np.ndarray, np.ndarray], float] = loss_of_ndcg10,
    only_first: bool = False,
) -> list[str]:
    if not is_finite(exported):
        return [FINITE]
    is_failed = {
        DIFFERENCE: difference_of(reference, exported) > largest,
        CORRELATION: correlation_of(reference, exported) < least_correlation,
        QUALITY: loss_of(reference, exported, gains) > most_loss,
    }
    found = [name for name, fails in is_failed.items() if fails]
    return found[:1] if only_first else found


def with_zeros(exported: np.ndarray, **others: np.ndarray | float) -> list[str]:
    """What is not finite counts 0."""
    return failed(exported=np.where(np.isfinite(exported), exported, 0), **others)


def without_nan(exported: np.ndarray, **others: np.ndarray | float) -> list[str]:
    """Comparisons with NaN are false, and so nothing fails."""
    return [] if np.isnan(exported).any() else failed(exported=exported, **others)
