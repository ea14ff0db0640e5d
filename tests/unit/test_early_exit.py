"""Queries stop early where the rest cannot enter the first ten, and the risk that they are wrong is the stated one."""

import numpy as np
import pytest

from utils.speed import early_exit
from utils.speed.early_exit import EarlyExit, ExitRule


class Table:
    """A ranker that reads its scores from a table, by the pair; it counts what it was asked."""

    def __init__(self, scores):
        self.scores, self.asked, self.batch_size = scores, 0, 32

    def score(self, pairs):
        self.asked += len(pairs)
        return np.array([self.scores[pair] for pair in pairs], dtype=np.float32)


def shop(n_queries, *, noise, seed=0, n_products=60):
    """Queries whose first ranker sees the second's score with some noise; each query has a level and a spread."""
    rng = np.random.default_rng(seed)
    queries, first, second = [], {}, {}
    for q in range(n_queries):
        true = rng.normal(rng.normal(0, 3), rng.uniform(1, 2), n_products)
        seen = true + rng.normal(0, noise, n_products)
        pairs = [(f"{seed} {q}", f"{p}") for p in range(n_products)]
        queries.append(pairs)
        first |= dict(zip(pairs, seen, strict=True))
        second |= dict(zip(pairs, true, strict=True))
    return queries, Table(first), Table(second)


@pytest.mark.parametrize("risk", [0.05, 0.2])
def test_of_new_queries_no_more_are_wrong_than_the_risk_and_most_are_shallow(risk):
    queries, first, second = shop(900, noise=0.4)
    rule = early_exit.calibrate(first, second, queries=queries[:500], risk=risk)
    exits = EarlyExit(first, second, rule)
    assert early_exit.share_missed(exits, queries=queries[500:]) <= risk + 0.02
    assert 10 <= exits.mean_depth < 45 and exits.n_queries == 400


def test_a_higher_risk_and_a_better_first_ranker_stop_earlier():
    def depth(noise, risk):
        queries, first, second = shop(300, noise=noise)
        exits = EarlyExit(first, second, early_exit.calibrate(first, second, queries=queries, risk=risk))
        exits.score([pair for pairs in queries[:100] for pair in pairs])
        return exits.mean_depth

    assert depth(0.2, 0.05) < depth(1.0, 0.05)
    assert depth(1.0, 0.3) < depth(1.0, 0.02)


def test_what_was_scored_again_stands_above_the_rest_and_the_second_is_asked_no_more():
    queries, first, second = shop(1, noise=0.5)
    pairs = queries[0]
    seen = np.array([first.scores[pair] for pair in pairs])
    rule = ExitRule(np.array([np.inf, -np.inf]), block=10, risk=0.1, least_spread=0.1)  # stops after two blocks
    exits = EarlyExit(first, second, rule)
    scores = exits.score(pairs)
    assert second.asked == 20 and exits.mean_depth == 20
    best = np.argsort(-seen)[:20]
    assert set(np.argsort(-scores)[:20]) == set(best)
    np.testing.assert_array_equal(scores[best], np.array([second.scores[pairs[i]] for i in best], dtype=np.float32))
    np.testing.assert_array_equal(np.argsort(-scores)[20:], np.argsort(-seen)[20:])


def test_the_rule_stops_where_the_tenth_best_reaches_the_bound_and_not_below():
    scored = np.arange(20, 0, -1, dtype=np.float32)  # the first block: mean 15.5; the tenth best of both: 11
    spread = scored[:10].std()
    for bound, stops in ((11.0, True), (11.1, False)):
        rule = ExitRule(np.array([9.0, (bound - 15.5) / spread - 1e-6]), block=10, risk=0.1, least_spread=0.0)
        assert rule.stops(scored) is stops and rule.stops(scored[:10]) is False
    assert rule.stops(np.concatenate([scored, scored])) is False  # beyond what was learned


def test_a_bound_that_is_never_met_gives_the_seconds_order_of_all():
    queries, first, second = shop(2, noise=1.0)
    exits = EarlyExit(first, second, ExitRule(np.full(6, np.inf), block=10, risk=0.1, least_spread=0.1))
    pairs = queries[0] + queries[1]
    np.testing.assert_array_equal(exits.score(pairs), second.score(pairs))
    assert early_exit.share_missed(exits, queries=queries) == 0.0


def test_a_rule_that_stops_at_once_misses_and_is_told_so():
    queries, first, second = shop(40, noise=2.0)
    exits = EarlyExit(first, second, ExitRule(np.full(6, -np.inf), block=10, risk=0.1, least_spread=0.1))
    assert early_exit.share_missed(exits, queries=queries) > 0.9 and exits.mean_depth == 10


def test_a_first_block_of_equal_scores_is_no_division_by_zero():
    pairs = [[(str(q), str(p)) for p in range(20)] for q in range(30)]
    flat = Table({pair: 1.0 for of_query in pairs for pair in of_query})
    rule = early_exit.calibrate(flat, flat, queries=pairs, risk=0.1)
    assert np.isfinite(rule.bounds).all() and rule.stops(np.ones(10, dtype=np.float32))


def test_short_lists_are_scored_whole_and_no_pairs_give_no_scores():
    queries, first, second = shop(60, noise=0.5)
    exits = EarlyExit(first, second, early_exit.calibrate(first, second, queries=queries, risk=0.1))
    np.testing.assert_array_equal(exits.score(queries[0][:7]), second.score(queries[0][:7]))
    assert exits.score([]).shape == (0,)


def test_too_few_queries_for_the_risk_are_refused_with_their_number():
    queries, first, second = shop(18, noise=0.5)
    with pytest.raises(ValueError, match="18 queries have more than 10 candidates, and a risk of 5% needs 19"):
        early_exit.calibrate(first, second, queries=queries, risk=0.05)
    for wrong in ({"risk": 0.0}, {"risk": 1.0}, {"block": 0}):
        with pytest.raises(ValueError, match="give a risk between 0 and 1"):
            early_exit.calibrate(first, second, queries=queries, **wrong)
