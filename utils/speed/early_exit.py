"""A cascade whose depth every query chooses: candidates are scored in blocks until no other can enter the first ten.

Nobody knows what the second ranker would say of the candidates that it has not seen. How far above the first block the
rest can reach is therefore learned from queries where it has seen all, and a query stops where its tenth best is above
that, at a stated risk. The risk holds for queries like those that it was learned from, and for no others: after
anything has changed, the models, the catalogue or what people ask, it must be learned anew.

Sources: Cambazoglu et al., "Early exit optimizations for additive machine learned ranking systems", WSDM 2010,
https://doi.org/10.1145/1718487.1718538; Busolin et al., "Efficient Re-ranking with Cross-encoders via Early Exit",
SIGIR 2025, https://doi.org/10.1145/3726302.3729962 (which exits inside the model, document by document). The quantile:
Angelopoulos, Bates, "A Gentle Introduction to Conformal Prediction", 2021, https://arxiv.org/abs/2107.07511
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from utils.rank import ranker
from utils.rank.metrics import DEPTH
from utils.rank.ranker import Pair, Ranker
from utils.rank.runtimes.base import SizedRanker
from utils.speed.cascade import put_above

LEAST_SPREAD = 0.1  # of the usual one; a first block of nearly equal scores says little of how far others can lie


@dataclass(frozen=True)
class ExitRule:
    """When to stop. Scores are counted in spreads of the query's first block from that block's mean.

    Attributes:
        bounds: (n_blocks,): the best of the candidates that are not scored yet lies below bounds[i] after i + 1 blocks,
            for every i at once, but for a share `risk` of queries. Beyond them nothing is known, and nothing stops.
        block: candidates scored at a time.
        least_spread: a first block's spread is taken for at least this, in the second ranker's scores.
    """

    bounds: np.ndarray
    block: int
    risk: float
    least_spread: float

    def stops(self, scored: np.ndarray) -> bool:
        """Whether a query can stop that has these scores (n_scored,), whole blocks in the first ranker's order."""
        n_blocks = len(scored) // self.block
        if len(scored) < DEPTH or n_blocks > len(self.bounds):
            return False
        centre, spread = _scale(scored[: self.block], least=self.least_spread)
        tenth = np.partition(scored, -DEPTH)[-DEPTH]
        return bool(tenth >= centre + spread * self.bounds[n_blocks - 1])


@dataclass
class EarlyExit:
    """A ranker as `Cascade`, but that each query's depth is what the rule leaves to it.

    Attributes:
        n_queries, n_scored: queries so far, and their pairs that `second` scored.
    """

    first: SizedRanker
    second: SizedRanker
    rule: ExitRule
    n_queries: int = field(default=0, init=False)
    n_scored: int = field(default=0, init=False)

    @property
    def mean_depth(self) -> float:
        """Pairs of a query that the second ranker scored, on average so far; not a number before the first query."""
        return self.n_scored / self.n_queries if self.n_queries else float("nan")

    @property
    def batch_size(self) -> int:
        """Of both rankers."""
        return self.first.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self.first.batch_size = self.second.batch_size = size

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`; comparable within a query."""
        scores = np.array(self.first.score(pairs), dtype=np.float32)
        for places in map(np.array, ranker.by_query(pairs).values()):
            order = places[np.argsort(-scores[places], kind="stable")]
            again = self._until_exit([pairs[place] for place in order.tolist()])
            self.n_queries, self.n_scored = self.n_queries + 1, self.n_scored + len(again)
            is_chosen = np.arange(len(order)) < len(again)
            scores[order] = put_above(scores[order], is_chosen, again)
        return scores

    def _until_exit(self, ordered: Sequence[Pair]) -> np.ndarray:
        """The second ranker's scores of one query's pairs, best first, as far as the rule goes on."""
        again = np.empty(0, dtype=np.float32)
        while len(again) < len(ordered) and not self.rule.stops(again):
            some = ordered[len(again) : len(again) + self.rule.block]
            again = np.concatenate([again, self.second.score(some)])
        return again


def calibrate(
    first: Ranker, second: Ranker, *, queries: Sequence[Sequence[Pair]], risk: float = 0.05, block: int = DEPTH
) -> ExitRule:
    """Learn the rule from queries of train or of the log, all of whose candidates both rankers score.

    After every block the best of the rest lies at some height. `bounds` is the usual height, the median over queries,
    and one margin on top of it for all blocks: the margin that all of a query's heights stay below, but for `risk` of
    queries. So it does not matter at which block a query stops, and no distribution is assumed.

    Args:
        queries: the pairs of each query.
        risk: the share of queries whose first ten may be other than those of the second ranker over all candidates.

    Raises:
        ValueError: a risk outside 0 to 1, a block below 1, or fewer queries than the risk needs.
    """
    if not 0 < risk < 1 or block < 1:
        raise ValueError(f"risk is {risk} and block {block}; give a risk between 0 and 1, and a block of 1 or more")
    ordered = [_in_first_order(pairs, first=first, second=second) for pairs in queries if len(pairs) > block]
    place = ceil((len(ordered) + 1) * (1 - risk))
    if place > len(ordered):
        raise ValueError(
            f"{len(ordered)} queries have more than {block} candidates, and a risk of {risk:.0%} needs "
            f"{ceil(1 / risk) - 1}; give more queries, or take a higher risk"
        )
    least = LEAST_SPREAD * float(np.median([scores[:block].std() for scores in ordered]))
    heights = _heights(ordered, block=block, least=least)
    usual = np.nanmedian(heights, axis=0)
    margin = np.sort(np.nanmax(heights - usual, axis=1))[place - 1]
    return ExitRule(usual + margin, block=block, risk=risk, least_spread=least)


def share_missed(exits: EarlyExit, *, queries: Sequence[Sequence[Pair]]) -> float:
    """The share of queries whose first ten are other than the second ranker's over all candidates.

    Of queries that the rule was not learned from it should be about the rule's risk, or less.
    """
    missed = []
    for pairs in queries:
        whole, found = exits.second.score(pairs), exits.score(pairs)
        worst = np.sort(whole)[-DEPTH:][0]
        missed.append(bool((whole[np.argsort(-found, kind="stable")[:DEPTH]] < worst).any()))
    return float(np.mean(missed))


def _in_first_order(pairs: Sequence[Pair], *, first: Ranker, second: Ranker) -> np.ndarray:
    """The second ranker's scores of one query's pairs in the order of the first: (n_pairs,)."""
    order = np.argsort(-first.score(pairs), kind="stable")
    return np.asarray(second.score([pairs[place] for place in order.tolist()]))


def _heights(ordered: Sequence[np.ndarray], *, block: int, least: float) -> np.ndarray:
    """How high the best of the rest lies after each block: (n_queries, n_blocks), NaN where nothing is left."""
    n_blocks = max((len(scores) - 1) // block for scores in ordered)
    heights = np.full((len(ordered), n_blocks), np.nan)
    for row, scores in zip(heights, ordered, strict=True):
        centre, spread = _scale(scores[:block], least=least)
        for number in range((len(scores) - 1) // block):
            row[number] = (scores[(number + 1) * block :].max() - centre) / spread
    return heights


def _scale(first_block: np.ndarray, *, least: float) -> tuple[float, float]:
    """The mean and the spread of a query's first block; the spread is never 0."""
    return float(first_block.mean()), max(float(first_block.std()), least, float(np.finfo(np.float32).tiny))
