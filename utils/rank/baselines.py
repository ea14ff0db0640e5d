"""Rankers that cost far less than a cross-encoder: BM25, a bi-encoder as it comes, both fused, and a tuned one.

The last one has learned from the labels that the teacher learns from. A teacher has to beat the best of them, or they
are what to ship. BM25 itself lives in `utils.data.candidates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sentence_transformers import SentenceTransformer

from utils.data import candidates
from utils.data.candidates import Bm25
from utils.data.catalogue import Catalogue
from utils.rank import bi_encoder, metrics
from utils.rank.metrics import Interval, Quality

TUNED = "bi_encoder_tuned"  # also the stage that holds it
NAMES = {  # of their stages in a ledger, and in words
    "bm25": "BM25",
    "bi_encoder": "bi-encoder",
    "fused": "fused",
    TUNED: "bi-encoder, tuned",
}


def scores(
    catalogue: Catalogue, *, split: str, tuned: SentenceTransformer | None = None, bm25: Bm25 | None = None
) -> dict[str, np.ndarray]:
    """The scores that every baseline gives the judged pairs of a split, (n_pairs,) each, by the names of NAMES.

    Args:
        tuned: a bi-encoder that learned from labels; without one that baseline is left out.
    """
    pairs = catalogue.pairs[split]
    found = {
        "bm25": candidates.score_judged(bm25 or candidates.build(catalogue), pairs),
        "bi_encoder": bi_encoder.scores(bi_encoder.open_encoder(), pairs),
    }
    found |= {"fused": metrics.reciprocal_rank_fusion(pairs, *found.values())}
    return found if tuned is None else found | {TUNED: bi_encoder.scores(tuned, pairs)}


def qualities(catalogue: Catalogue, *, split: str, tuned: SentenceTransformer | None = None) -> dict[str, Quality]:
    """The quality of every baseline on a split, by the names of NAMES."""
    pairs, top_gain = catalogue.pairs[split], catalogue.top_gain
    found = scores(catalogue, split=split, tuned=tuned)
    return {name: metrics.evaluate(pairs, of_pairs, top_gain=top_gain) for name, of_pairs in found.items()}


@dataclass(frozen=True)
class Lead:
    """What a teacher is ahead of the best baseline, which was chosen on valid, on the queries of test."""

    baseline: str
    interval: Interval

    @property
    def is_sure(self) -> bool:
        """Whether it lies above zero beyond chance in the queries."""
        return self.interval.low > 0

    @property
    def advice(self) -> str:
        """What to ship, in words."""
        return "" if self.is_sure else f"ship the baseline: {NAMES[self.baseline]}"


def lead(teacher: Quality, *, on_test: Mapping[str, Quality], on_valid: Mapping[str, float], n_resamples: int) -> Lead:
    """The teacher's lead on test over the baseline that ranks best on valid.

    Args:
        on_test, on_valid: of every baseline, by its name.
    """
    best = max(on_test, key=lambda name: on_valid[name])
    return Lead(best, metrics.paired_bootstrap(teacher, on_test[best], n_resamples=n_resamples))
