"""How far a student puts the products of a query in its teacher's order: of pairs that it learned from, or of new ones.

What the order is worth to a shopper is not measured here; that is NDCG@10, in `utils.rank.metrics`.
"""

from __future__ import annotations

import numpy as np
from datasets import Dataset

from utils.data.catalogue import texts_of
from utils.rank.ranker import Ranker


def rank_agreement(ranker: Ranker, scored: Dataset) -> float:
    """Spearman's rank correlation of a ranker's scores with the teacher's, within a query; the mean over queries.

    Args:
        scored: pairs with the teacher's `score`, as `scored_pairs.score` gives them.

    Returns:
        From -1, the teacher's order turned round, to 1, its order. A query whose products have one and the same score,
        from either of the two, takes no part; 0 where no query is left.

    Source: Spearman, "The proof and measurement of association between two things", 1904,
    https://doi.org/10.2307/1412159
    """
    frame = scored.select_columns(["query", "score"]).to_pandas()
    frame["other"] = ranker.score(texts_of(scored))
    ranked = frame.groupby("query")[["score", "other"]].rank()  # equal scores share their mean rank
    found = []
    for _, ranks in ranked.groupby(frame["query"]):
        if (ranks.nunique() > 1).all():
            found.append(ranks["score"].corr(ranks["other"]))
    return float(np.mean(found)) if found else 0.0
