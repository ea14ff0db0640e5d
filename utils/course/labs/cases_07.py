"""The inputs that the functions of lab 07 are tried on, awkward ones among them."""

from __future__ import annotations

import numpy as np

from utils.course.labs.checks import Case

N_QUERIES, N_DRAWS = 60, 200  # of the cases of `of_depths`


def of_lengths(seed: int) -> list[Case]:
    drawn = np.random.default_rng(seed).integers(8, 96, 100).tolist()
    return [
        Case("four rows", {"n_tokens": [5, 20, 7, 18], "budget": 40}),
        Case("rows that are all alike", {"n_tokens": [8, 8, 8, 8, 8], "budget": 24}),
        Case("one row that needs the whole budget", {"n_tokens": [96, 5, 6, 5], "budget": 96}),
        Case("no rows", {"n_tokens": [], "budget": 96}),
        Case("a hundred pairs", {"n_tokens": drawn, "budget": 1_024}),
    ]


def of_pairs(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def pair(n_query: int, n_product: int, *, max_tokens: int, width: int) -> dict:
        ids = rng.integers(1_000, 30_000, n_query + n_product).tolist()
        return {"query_ids": ids[:n_query], "product_ids": ids[n_query:], "max_tokens": max_tokens, "width": width}

    return [
        Case("a short pair, and two fillers", pair(2, 3, max_tokens=12, width=10)),
        Case("a long product", pair(3, 20, max_tokens=12, width=12)),
        Case("a long query", pair(20, 3, max_tokens=12, width=12)),
        Case("both are long, the query is longer", pair(9, 7, max_tokens=12, width=12)),
        Case("both are long, the product is longer", pair(7, 9, max_tokens=12, width=12)),
        Case("both are long and alike", pair(8, 8, max_tokens=12, width=12)),
        Case("both are long, and what is left is even", pair(9, 12, max_tokens=13, width=13)),
        Case("a pair that just fits", pair(4, 5, max_tokens=12, width=12)),
        Case("a query without words", pair(0, 4, max_tokens=12, width=9)),
        Case("a pair of a shop", pair(int(rng.integers(3, 9)), 120, max_tokens=96, width=96)),
    ]


def of_products(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    five = {
        "first_scores": np.array([0.2, 0.9, 0.5, 0.7, 0.1]),
        "second_scores": np.array([3.0, -1.0, 0.0, 2.0, 9.0]),
    }
    tied = {
        "first_scores": np.array([1.0, 3.0, 1.0, 3.0, 2.0, 1.0]),
        "second_scores": np.array([0.0, 5.0, 0.0, 5.0, 7.0, 0.0]),
    }
    many = {"first_scores": rng.normal(size=30), "second_scores": rng.normal(size=30)}
    return [
        Case("five products", five | {"depth": 2}),
        Case("equal scores of both rankers", tied | {"depth": 4}),
        Case(
            "the second ranker's scores are far below", five | {"second_scores": five["second_scores"] - 50, "depth": 3}
        ),
        Case("a depth beyond the list", five | {"depth": 9}),
        Case("nothing is scored again", five | {"depth": 0}),
        Case("thirty products", many | {"depth": 10}),
    ]


def of_depths(seed: int) -> list[Case]:
    """Each depth is the whole NDCG@10 of every query times a share, which differs from query to query in some."""
    rng = np.random.default_rng(seed)
    whole = rng.uniform(0.5, 1.0, N_QUERIES)
    whole[:6] = 0.1
    whole[[10, 30]] = 0.7
    draws = rng.integers(N_QUERIES, size=(N_DRAWS, N_QUERIES))
    even = np.ones(N_QUERIES)
    few_lose = np.where(np.isin(np.arange(N_QUERIES), [10, 30]), 0.74, 1.0)  # two queries lose a quarter
    poor_lose = np.where(np.arange(N_QUERIES) < 6, 0.6, 1.0)  # the six that had little
    poor_win = np.where(np.arange(N_QUERIES) < 6, 1.6, 0.975)

    def case(about: str, shares: dict[int, np.ndarray]) -> Case:
        by_depth = {depth: share * whole for depth, share in shares.items()}
        return Case(about, {"ndcg_by_depth": by_depth, "whole": whole, "draws": draws})

    return [
        case("every query loses alike", {20: 0.998 * even, 5: 0.97 * even, 10: 0.993 * even}),
        case("two queries lose much", {10: few_lose, 20: 0.999 * even, 40: even}),
        case("every query loses a little", {10: 0.985 * even, 20: 0.992 * even}),
        case("no depth keeps enough", {5: 0.9 * even, 10: 0.95 * even}),
        case("what was enough at 10 is not at 20", {5: 0.9 * even, 10: 0.995 * even, 20: 0.98 * even, 40: even}),
        case("queries that had little lose a lot", {5: poor_lose, 10: even}),
        case("queries that had little win a lot", {5: poor_win, 10: even}),
        case("a depth is better than the whole", {5: 0.995 * even, 10: 1.03 * even}),
    ]


def of_bounds(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.normal(size=100))[::-1] + rng.normal(0, 0.4, 100)
    bounds = scores + rng.uniform(0.1, 0.8, 100)
    six = {
        "scores": np.array([3.0, 5.0, 1.0, 4.0, 0.0, 2.0]),
        "bounds": np.array([6.0, 5.5, 5.0, 4.5, 3.9, 2.5]),
        "block": 2,
        "n_best": 2,
    }
    late = np.array([6.0, 5.5, 2.0, 5.0, 0.5, 4.5, 0.5, 0.5])
    return [
        Case("six candidates", six),
        Case("the next candidate can only draw level", six | {"bounds": np.array([6.0, 5.5, 3.0, 2.5, 2.0, 2.0])}),
        Case(
            "a late one with a high bound",
            {"scores": np.array([5.0, 4.0, 1.0, 3.0, 0.0, 4.2, 0.0, 0.0]), "bounds": late, "block": 2, "n_best": 2},
        ),
        Case(
            "a block holds fewer than are shown",
            {
                "scores": np.array([9.0, 8.0, 1.0, 2.0, 1.0, 0.5, 0.2]),
                "bounds": np.array([9.0, 9.0, 4.0, 4.0, 2.0, 0.9, 0.9]),
                "block": 2,
                "n_best": 3,
            },
        ),
        Case(
            "seven candidates, and no end before the last",
            six
            | {
                "scores": np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]),
                "bounds": np.full(7, 8.0),
            },
        ),
        Case(
            "one high score and then many low ones",
            six
            | {"scores": np.array([9.0, 0.0, 0.1, 0.2, 3.0, 2.0]), "bounds": np.array([9.0, 4.0, 4.0, 4.0, 4.0, 4.0])},
        ),
        Case(
            "enough is known in the middle of a block",
            {
                "scores": np.array([5.0, 4.0, 3.0, 1.0, 0.0, 0.0]),
                "bounds": np.array([6.0, 6.0, 3.5, 3.5, 1.0, 1.0]),
                "block": 4,
                "n_best": 2,
            },
        ),
        Case("a hundred candidates, ten shown", {"scores": scores, "bounds": bounds, "block": 10, "n_best": 10}),
        Case("blocks of four", {"scores": scores, "bounds": bounds, "block": 4, "n_best": 10}),
    ]
