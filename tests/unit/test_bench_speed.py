"""What the open tasks of labs 07 and 08 are judged by does what learners are told, and refuses what none can rent."""

import numpy as np
import pytest

from utils.course.labs import bench_speed

LISTS = bench_speed.draw_lists(n_queries=40, seed=3)


def test_a_rule_that_never_stops_scores_everything_and_one_that_always_does_scores_the_first_block():
    assert set(bench_speed.depths_of(lambda first, scored: True, LISTS)) == {100}
    assert set(bench_speed.depths_of(lambda first, scored: False, LISTS)) == {10}


def test_a_rule_sees_all_first_scores_and_only_the_second_ones_of_what_was_scored():
    seen = []
    bench_speed.depths_of(lambda first, scored: bool(seen.append((len(first), len(scored)))) or len(scored) < 30, LISTS)
    assert seen[:3] == [(100, 10), (100, 20), (100, 30)]


def test_candidates_that_are_not_scored_again_stand_below_in_the_first_order():
    first, second = np.array([[3.0, 2.0, 1.0, 0.0]]), np.array([[0.0, 1.0, 9.0, 9.0]])
    lists = bench_speed.ScoredLists(first, second, np.array([[0, 0, 10, 0]]))
    found = [float(bench_speed.ndcg_by_query(np.array([depth]), lists)[0]) for depth in (2, 3)]
    assert found == pytest.approx([1 / np.log2(4), 1.0])


def test_the_fixed_depth_is_the_least_that_keeps_enough():
    def kept(depth):
        return bench_speed.ndcg_by_query(np.full(40, depth), LISTS).mean()

    depth = bench_speed.fixed_depth(LISTS, keep=0.99)
    assert 10 < depth < 100 and kept(depth) >= 0.99 * kept(100) > kept(depth - 10)


def test_a_week_costs_its_rent_and_what_is_lost():
    machines, weeks = np.zeros((7, 24, 2), dtype=int), np.full((2, 7, 24), 95.0)
    machines[..., 0], machines[..., 1] = 1, 1  # 96 queries a second
    assert bench_speed.usd_a_week(machines, weeks) == pytest.approx(168 * 1.09)
    weeks[0, 0, 0] = 106  # in one of two weeks, 10 queries a second for an hour
    assert bench_speed.usd_a_week(machines, weeks) == pytest.approx(168 * 1.09 + 36_000 * 0.0002 / 2)


def test_the_rule_to_beat_loses_nothing_on_what_it_saw_and_takes_the_cheaper_kind():
    weeks = np.full((1, 7, 24), 6.0)
    weeks[0, 0, 0] = 89
    machines = bench_speed.one_kind_an_hour(weeks)
    assert machines[0, 0].tolist() == [0, 1] and machines[1, 1].tolist() == [1, 0]
    assert bench_speed.usd_a_week(machines, weeks) == pytest.approx(1 + 167 * 0.09)


@pytest.mark.parametrize(
    ("machines", "words"),
    [(np.ones((24, 2)), "shape"), (np.full((7, 24, 2), 0.5), "whole"), (np.full((7, 24, 2), -1), "below 0")],
)
def test_machines_that_cannot_be_rented_are_refused(machines, words):
    with pytest.raises(ValueError, match=words):
        bench_speed.usd_a_week(machines, np.ones((1, 7, 24)))
