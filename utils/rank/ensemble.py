"""Several rankers that score together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.rank.ranker import Pair, Ranker


@dataclass(frozen=True)
class Ensemble:
    """A ranker whose score of a pair is the mean of its members' scores.

    The members' scores must be logits of one kind of loss. The softmax of a mean of logits is the geometric mean of the
    members' shares, renormalized: what one of them is sure of, the others can only soften.

    Source: Hofstätter et al., "Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge
    Distillation" (whose teachers score together), 2020, https://arxiv.org/abs/2010.02666

    Raises:
        ValueError: no member.
    """

    members: Sequence[Ranker]

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("ensemble: no ranker in it; give at least one")

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`."""
        return np.mean([member.score(pairs) for member in self.members], axis=0, dtype=np.float32)
