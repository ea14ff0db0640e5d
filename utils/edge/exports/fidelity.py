"""What an export keeps of the model that it was made from, and the gate that refuses one that keeps too little.

An engine computes the same sums in another order, in fp32 to a few millionths; int8 moves every score a little, and
what counts is whether the order of the products stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from scipy.stats import rankdata

from utils.data.catalogue import texts_of
from utils.rank import metrics
from utils.rank.metrics import Interval
from utils.rank.ranker import Ranker


@dataclass(frozen=True)
class Tolerance:
    """How far an export may be from its model.

    Attributes:
        difference: the largest of any score; None: any.
        rank_correlation: the least (Spearman) over all pairs.
        ndcg10: what NDCG@10 may lose in the mean, as long as the loss is beyond chance.
    """

    difference: float | None
    rank_correlation: float
    ndcg10: float = 0.005


TOLERANCES = {"fp32": Tolerance(1e-4, 0.9999), "int8": Tolerance(None, 0.99)}


@dataclass(frozen=True)
class Fidelity:
    """An export beside its model on the same judged pairs.

    Attributes:
        largest_difference: of two scores of a pair.
        rank_correlation: Spearman's, over all pairs.
        ndcg10: of the export; `change` less that of the model, with its interval over queries.
    """

    largest_difference: float
    rank_correlation: float
    ndcg10: float
    change: Interval

    def as_row(self) -> dict[str, str]:
        """Its part of a table's line."""
        return {
            "largest difference": f"{self.largest_difference:.1e}",
            "rank correlation": f"{self.rank_correlation:.4f}",
            "NDCG@10 less PyTorch [95%]": self.change.signed(),
        }


def of(ranker: Ranker, *, reference: np.ndarray, pairs: Dataset, top_gain: int, n_resamples: int = 2_000) -> Fidelity:
    """Score judged pairs with an export and lay the scores beside the model's own.

    Args:
        reference: (n_pairs,), the scores of the model itself, such as PyTorch gives them.
        pairs: judged pairs, such as those of valid.

    Raises:
        ValueError: a score is not a finite number, or there is not one reference for each pair.
    """
    return compare(ranker.score(texts_of(pairs)), reference, pairs=pairs, top_gain=top_gain, n_resamples=n_resamples)


def compare(
    scores: np.ndarray, reference: np.ndarray, *, pairs: Dataset, top_gain: int, n_resamples: int = 2_000
) -> Fidelity:
    """As `of`, from scores (n_pairs,) that are there already."""
    found, exact = (metrics.evaluate(pairs, some, top_gain=top_gain) for some in (scores, reference))
    ranks = [rankdata(some) for some in (scores, reference)]
    flat = any(np.ptp(of_one) == 0 for of_one in ranks)
    return Fidelity(
        float(np.abs(scores - reference).max()),
        0.0 if flat else float(np.corrcoef(*ranks)[0, 1]),
        found.ndcg10,
        metrics.paired_bootstrap(found, exact, n_resamples=n_resamples),
    )


def require(fidelity: Fidelity, *, precision: str, name: str, tolerance: Tolerance | None = None) -> None:
    """Hold an export to its tolerance, that of its precision unless another is given.

    Raises:
        ValueError: it leaves it; names the export and every figure that does, with its limit.
    """
    limit = tolerance or TOLERANCES[precision]
    wrong = []
    if limit.difference is not None and not fidelity.largest_difference <= limit.difference:
        wrong.append(f"a score differs by {fidelity.largest_difference:.2g}, at most {limit.difference:g} may")
    if not fidelity.rank_correlation >= limit.rank_correlation:
        wrong.append(f"rank correlation is {fidelity.rank_correlation:.4f}, less than {limit.rank_correlation}")
    if fidelity.change.mean < -limit.ndcg10 and fidelity.change.high < 0:
        wrong.append(f"NDCG@10 changes by {fidelity.change.signed(digits=4)}, at most -{limit.ndcg10} is allowed")
    if wrong:
        raise ValueError(f"{name} in {precision} leaves its tolerance: {'; '.join(wrong)}. Do not ship it; export anew")
