"""The inputs that the functions of lab 12 are tried on, awkward ones among them."""

from __future__ import annotations

import numpy as np

from utils.course.labs.checks import Case

N_QUERIES, N_CANDIDATES = 6, 20  # of the cases of `of_exports`
LIMITS = {"largest": 0.05, "least_correlation": 0.99, "most_loss": 0.005}


def of_lengths(seed: int) -> list[Case]:
    drawn = np.random.default_rng(seed).integers(0, 90, 30)

    def case(about: str, n_query: int, n_products: list[int] | np.ndarray, room: int = 9) -> Case:
        return Case(about, {"n_query": n_query, "n_products": np.asarray(n_products, dtype=int), "room": room})

    return [
        case("all fit", 3, [2, 0, 6]),
        case("long products", 3, [7, 20]),
        case("a long query", 20, [3, 4, 5]),
        case("both are long", 9, [7, 9, 12]),
        case("both are long, and the room is even", 9, [7, 9, 12], room=8),
        case("pairs that just fit, and just do not", 5, [3, 4, 5]),
        case("a query without words", 0, [4, 40]),
        case("a product without words", 30, [0, 1]),
        case("no products", 3, []),
        case("thirty products", 25, drawn, room=61),
    ]


def of_rows(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(5, 30_000, n).tolist() for n in rng.integers(3, 13, 7)]

    def case(about: str, rows: list[list[int]], *, n_rows: int, n_tokens: int) -> Case:
        return Case(about, {"rows": rows, "n_rows": n_rows, "n_tokens": n_tokens})

    return [
        case("a form that is full", [[101, 7, 102], [101, 8, 102]], n_rows=2, n_tokens=3),
        case("shorter rows", [[101, 7, 102], [101, 8, 9, 102]], n_rows=2, n_tokens=5),
        case("two rows for four places", [[101, 7, 102], [101, 8, 9, 102]], n_rows=4, n_tokens=5),
        case("a word whose id is 0", [[101, 0, 7, 102]], n_rows=1, n_tokens=6),
        case("seven pairs", drawn, n_rows=10, n_tokens=16),
    ]


def of_forms(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def rows(*n_tokens: int) -> list[list[int]]:
        return [rng.integers(5, 30_000, n).tolist() for n in n_tokens]

    def case(about: str, rows: list[list[int]], *, n_rows: int, lengths: list[int]) -> Case:
        return Case(about, {"rows": rows, "n_rows": n_rows, "lengths": lengths})

    return [
        case("four pairs, two at a time", rows(9, 4, 12, 3), n_rows=2, lengths=[4, 8, 16]),
        case("five pairs, two at a time", rows(9, 4, 12, 3, 5), n_rows=2, lengths=[4, 8, 16]),
        case("forms in any order", rows(9, 4, 12, 3), n_rows=2, lengths=[16, 4, 8]),
        case("one pair", rows(5), n_rows=3, lengths=[8, 16]),
        case("pairs of one length", rows(6, 6, 6, 6), n_rows=3, lengths=[8, 16]),
        case("no pairs", [], n_rows=3, lengths=[8, 16]),
        case("thirty pairs", rows(*rng.integers(3, 33, 30).tolist()), n_rows=8, lengths=[12, 24, 32]),
    ]


def of_exports(seed: int) -> list[Case]:
    """A reference, and exports of it: each case changes one thing, and says which."""
    rng = np.random.default_rng(seed)
    shape = (N_QUERIES, N_CANDIDATES)
    levels = 8.0 * np.arange(N_QUERIES)[:, None]  # queries differ more from each other than their products do
    steps = np.linspace(-1.9, 1.9, N_CANDIDATES)  # 0.2 apart
    reference = levels + rng.permuted(np.tile(steps, (N_QUERIES, 1)), axis=1)
    gains = np.where(rng.random(shape) < 0.3, 10, 0)
    gains[:, 0] = 100
    exact = reference.argmax(axis=1)
    best = np.zeros(shape)
    best[np.arange(N_QUERIES), exact] = 100  # the reference ranks these gains perfectly

    def case(about: str, exported: np.ndarray, **other: np.ndarray | float) -> Case:
        return Case(about, {"reference": reference, "exported": exported, "gains": gains} | LIMITS | other)

    def changed(place: tuple[int, int], value: float) -> np.ndarray:
        other = reference.copy()
        other[place] = value
        return other

    one_query = reference.copy()
    one_query[2] = 2 * levels[2] - reference[2]
    shuffled = levels + rng.permuted(reference - levels, axis=1)
    wide = {"largest": 100.0}
    second = np.argsort(reference, axis=1)[:, -2]
    swapped = reference.copy()
    rows = np.arange(N_QUERIES)
    swapped[rows, exact], swapped[rows, second] = reference[rows, second], reference[rows, exact]
    one_swapped = reference.copy()
    one_swapped[0] = swapped[0]
    better = np.zeros(shape)
    better[rows, second] = 100  # the reference has these in the second place
    by_place = np.argsort(-reference[0])
    moved, slipped = reference.copy(), reference.copy()
    moved[0, by_place[[10, 13]]] = reference[0, by_place[[13, 10]]]
    slipped[0, by_place[[1, 2]]] = reference[0, by_place[[2, 1]]]
    return [
        case("the export of rounded numbers", reference + rng.uniform(-0.01, 0.01, shape)),
        case("all scores doubled", 2 * reference),
        case("all scores a half lower", reference - 0.5),
        case("one score is 0.2 lower", changed((0, int(exact[0])), reference[0, exact[0]] - 0.2 + 1e-3)),
        case("one score is 0.2 higher", changed((0, int(exact[0])), reference[0, exact[0]] + 0.2)),
        case("one score is not a number", changed((1, 3), np.nan)),
        case("one score is infinite", changed((1, 3), np.inf)),
        case("no score is a number", np.full(shape, np.nan)),
        case("another order within every query", shuffled, **wide),
        case("another order within one query", one_query, **wide, most_loss=1.0),
        case("the order turned round", 2 * levels - reference, **wide),
        case("another scale that bends, and the same order", levels + np.exp(2 * (reference - levels)), **wide),
        case("the best two change places", swapped, **wide, gains=best, least_correlation=0.9),
        case("the best two change places in one query", one_swapped, **wide, gains=best, most_loss=0.1),
        case("an export that ranks better", swapped, **wide, gains=better),
        case("two places of one query change", moved, **wide, most_loss=1.0),
        case("a loss of two hundredths", slipped, **wide, gains=better, least_correlation=0.9, most_loss=0.028),
    ]
